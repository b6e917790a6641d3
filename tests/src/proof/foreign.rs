//! Files that are none of the log's business, beside its own.
//!
//! Must never look into the log's own files.

use durability_core::embedded_io::Write as _;
use durability_core::storage::{AppendFile as _, Directory as _, Folder, Name, NameBuf};

use crate::simulated::{Ended, Journal, SimulatedDisk};

use super::laws::hold;

/// Its name could be a segment's or a checkpoint's, but for its letters.
const FILE: &str = "NOTES.WAL";
const CONTENT: &[u8] = b"not yours";

fn name(folder: &str) -> Result<NameBuf, Box<dyn core::error::Error>> {
    Ok(NameBuf::join(Folder::new(folder)?, FILE)?)
}

/// Puts a foreign file into a log's folder, durably.
pub(super) fn plant(disk: &SimulatedDisk, folder: &str) -> Ended {
    let name = name(folder)?;
    let granule = disk.capabilities().write_granule() as usize;
    let mut content = CONTENT.to_vec();
    content.resize(content.len().next_multiple_of(granule), b'.');
    let mut file = disk.create(name.as_name(), 0)?.ok_or("taken")?;
    let mut rest = &content[..];
    while !rest.is_empty() {
        let taken = file.write(rest)?;
        rest = &rest[taken..];
    }
    file.sync_data()?;
    disk.sync_dir(Folder::new(folder)?)?;
    Ok(())
}

/// The foreign file is as it was, if the first life came further than to put it there.
pub(super) fn untouched<O, S>(
    disk: &SimulatedDisk,
    folder: &str,
    journal: &Journal<O, S>,
) -> Ended {
    // The first thing that the first life writes down comes after the foreign file was durable.
    if journal.entries().first().is_none_or(|entry| entry.life > 0) {
        return Ok(());
    }
    let found = disk.contents(name(folder)?.as_name());
    let same = found.as_ref().is_some_and(|found| found.starts_with(CONTENT));
    hold(same, "foreign files are untouched", || format!("{found:02x?}"))?;
    Ok(())
}

/// Beside the foreign file, which may not have come to be, a folder holds only so many files.
pub(super) fn nothing_else(disk: &SimulatedDisk, folder: &str, files: usize) -> Ended {
    let foreign = name(folder)?;
    let all = disk.names();
    let own = all.iter().filter(|name| {
        let inside = Name::new(name).is_ok_and(|name| name.folder().as_str() == folder);
        inside && **name != *foreign.as_name().as_str()
    });
    hold(own.count() == files, "nothing is left over", || {
        format!("{files} files are the log's; there are {all:?}")
    })?;
    Ok(())
}
