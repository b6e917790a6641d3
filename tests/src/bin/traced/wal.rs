//! The write-ahead log as a store.

use durability_core::storage::Directory;
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, ReadMode};
use durability_testkit::simulated::LogOperation;

use super::outside::{Failed, Outside, Seen, Tag};
use super::store::{Do, Kind, LARGE, Store, payload, tag_of};

pub(crate) struct Wal<'d, D: Directory> {
    writer: RawWalWriter<&'d D>,
}

pub(super) fn options(kind: Kind) -> WalOptions {
    let small = WalOptions::new().buffer_bytes(512).read_bytes(512);
    let recycling = matches!(kind, Kind::SharedRecycling | Kind::SharedInRace);
    if kind.is_shared() {
        // Four times the header, so that a segment's successor is made ready as soon as it has begun.
        return small.segment_bytes(256).preallocate(recycling).recycle(recycling);
    }
    // Three small entries and the header fill a segment.
    let small = small.segment_bytes(192);
    small.preallocate(kind == Kind::WalInRoom).mark_after_sync(kind == Kind::WalMarked)
}

pub(super) fn read<D: Directory>(
    mut reader: RawWalReader<D>,
    mode: ReadMode,
) -> Result<Seen, Failed> {
    let mut seen = Seen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(mode)?;
    while let Some(entry) = entries.next()? {
        if entry.id.get() != seen.first + seen.records.len() as u64 {
            return Err(format!("entry {} after {seen:?}", entry.id).into());
        }
        seen.records.push(tag_of(entry.payload)?);
    }
    Ok(seen)
}

impl<'d, D: Directory> Store<'d, D> for Wal<'d, D> {
    fn open(dir: &'d D, kind: Kind) -> Result<(Self, Seen), Failed> {
        let mut writer = RawWalWriter::open(dir, options(kind))?;
        let seen = read(writer.reader()?, ReadMode::Strict)?;
        Ok((Self { writer }, seen))
    }

    fn look(dir: &'d D, kind: Kind) -> Result<Option<Vec<Tag>>, Failed> {
        let mut reader = RawWalReader::open(dir, options(kind))?;
        let mut tags = Vec::new();
        let mut entries = reader.entries(ReadMode::BestEffort)?;
        while let Some(entry) = entries.next()? {
            tags.push(tag_of(entry.payload)?);
        }
        Ok(Some(tags))
    }

    fn step(&mut self, step: Do, outside: &mut dyn Outside) -> Result<(), Failed> {
        let wal = &mut self.writer;
        let tag = outside.tag();
        let (first, next) = (wal.first_entry_id().get(), wal.next_entry_id().get());
        match step {
            Do::Append | Do::Large => {
                let tag = if step == Do::Large { tag | LARGE } else { tag };
                outside.issue(LogOperation::Append(tag))?;
                wal.append(&payload(tag))?;
            }
            Do::Batch => {
                let tags = [tag, tag + 0x4000, tag + 0x8000];
                outside.issue(LogOperation::Batch(tags.to_vec()))?;
                wal.append_batch(&tags.map(payload))?;
            }
            Do::Flush => wal.flush()?,
            Do::Sync => {
                let _durable = wal.flush_and_sync()?;
                outside.acknowledge()?;
            }
            Do::Prefix => {
                outside.issue(LogOperation::TruncatePrefix(next))?;
                wal.truncate_prefix(EntryId::new(next).ok_or("0")?)?;
            }
            Do::Suffix => {
                let from = next.saturating_sub(2).max(first);
                outside.issue(LogOperation::TruncateSuffix(from - 1))?;
                wal.truncate_suffix(EntryId::new(from).ok_or("0")?)?;
                if from < next {
                    outside.acknowledge()?;
                }
            }
            Do::Empty => {
                outside.issue(LogOperation::TruncateToEmpty)?;
                wal.truncate_to_empty()?;
                if first < next {
                    outside.acknowledge()?;
                }
            }
            Do::Reopen | Do::Restart => {}
            other => return Err(format!("a log of one thread cannot {other:?}").into()),
        }
        Ok(())
    }

    fn close(self) -> Result<(), Failed> {
        Ok(self.writer.close()?)
    }
}
