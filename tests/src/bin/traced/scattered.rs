//! One file for each tag, in folders within folders, as a store: what the directory port alone promises.

use durability_core::storage::{AppendFile, Directory, Name};
use durability_testkit::simulated::LogOperation;

use super::document::{make, whole};
use super::outside::{Failed, Outside, Seen, Tag};
use super::store::{Do, Kind, Store, payload, tag_of};

pub(crate) struct Scattered<'d, D> {
    dir: &'d D,
    count: usize,
}

/// A new folder for every two files, two deep.
fn path(number: usize) -> String {
    format!("parts/{:02}/inner/{number:08}.BIN", number / 2)
}

impl<'d, D: Directory> Store<'d, D> for Scattered<'d, D> {
    fn open(dir: &'d D, _: Kind) -> Result<(Self, Seen), Failed> {
        let mut records: Vec<Tag> = Vec::new();
        loop {
            let text = path(records.len());
            let name = Name::new(&text)?;
            let found = whole(dir, name)?;
            let Some(tag) = found.as_deref().and_then(|bytes| tag_of(bytes).ok()) else {
                // Never acknowledged.
                dir.remove(name)?;
                dir.sync_dir(name.folder())?;
                break;
            };
            dir.sync_file(name)?;
            dir.sync_dir(name.folder())?;
            records.push(tag);
        }
        Ok((Self { dir, count: records.len() }, Seen { first: 1, records }))
    }

    fn step(&mut self, step: Do, outside: &mut dyn Outside) -> Result<(), Failed> {
        match step {
            Do::Append => {
                let tag = outside.tag();
                outside.issue(LogOperation::Append(tag))?;
                let text = path(self.count);
                let name = Name::new(&text)?;
                make(self.dir, name, &payload(tag))?.sync_data()?;
                self.dir.sync_dir(name.folder())?;
                self.count += 1;
                outside.acknowledge()
            }
            Do::Sync => Ok(()),
            other => Err(format!("files cannot {other:?}").into()),
        }
    }
}
