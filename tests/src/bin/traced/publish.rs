//! A typed log with checkpoints in the place of its beginning, as a store.

use durability_core::EntryId;
use durability_core::checkpoint::CheckpointOptions;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_read_only, recover_with_wal};
use durability_core::storage::{Directory, StoreError};
use durability_core::walog::{WalOptions, WalWriter};
use durability_testkit::simulated::LogOperation;

use super::outside::{Failed, Outside, Seen, Tag};
use super::store::{Do, Kind, Store};

pub(crate) struct Published<'d, D: Directory> {
    dir: &'d D,
    writer: WalWriter<Tag, &'d D>,
    state: Vec<Tag>,
}

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(128).buffer_bytes(512).read_bytes(512)
}

fn checkpoints() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

fn recovering() -> RecoverOptions {
    RecoverOptions::new().checkpoint(checkpoints())
}

#[expect(clippy::unnecessary_wraps, reason = "recovery asks for it")]
fn push<E: StoreError>(
    state: &mut Vec<Tag>,
    _: EntryId,
    tag: Tag,
) -> Result<(), durability_core::Error<E>> {
    state.push(tag);
    Ok(())
}

impl<'d, D: Directory> Store<'d, D> for Published<'d, D> {
    fn open(dir: &'d D, _: Kind) -> Result<(Self, Seen), Failed> {
        let mut writer = WalWriter::open(dir, options())?;
        let recovered = recover_with_wal(&mut writer, &recovering(), Vec::new(), push)?;
        let state = recovered.state;
        if writer.next_entry_id().get() != state.len() as u64 + 1 {
            return Err(format!("next is {}, after {state:?}", writer.next_entry_id()).into());
        }
        let seen = Seen { first: 1, records: state.clone() };
        Ok((Self { dir, writer, state }, seen))
    }

    fn look(dir: &'d D, _: Kind) -> Result<Option<Vec<Tag>>, Failed> {
        let looked = recover_read_only(dir, options(), &recovering(), Vec::new(), push)?;
        Ok(Some(looked.state))
    }

    fn step(&mut self, step: Do, outside: &mut dyn Outside) -> Result<(), Failed> {
        let tag = outside.tag();
        match step {
            Do::Append => {
                outside.issue(LogOperation::Append(tag))?;
                self.writer.append(&tag)?;
                self.state.push(tag);
            }
            Do::Batch => {
                let tags = [tag, tag + 0x4000, tag + 0x8000];
                outside.issue(LogOperation::Batch(tags.to_vec()))?;
                self.writer.append_batch(&tags)?;
                self.state.extend(tags);
            }
            Do::Flush => self.writer.flush()?,
            Do::Sync => {
                let _durable = self.writer.flush_and_sync()?;
                outside.acknowledge()?;
            }
            Do::Prefix => {
                let options = PublishOptions::new().prune(true).keep(1).checkpoint(checkpoints());
                let mut publisher = CheckpointPublisher::new(self.dir, options)?;
                publisher.publish(&mut self.writer, &self.state)?;
                outside.acknowledge()?;
            }
            other => return Err(format!("publishing cannot {other:?}").into()),
        }
        Ok(())
    }

    fn close(self) -> Result<(), Failed> {
        Ok(self.writer.close()?)
    }
}
