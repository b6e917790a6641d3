//! A write-ahead log of raw records.

use durability::storage::Directory;
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability::{EntryId, Error, ReadMode};
use durability_testkit::simulated::{LogModel, LogOperation, LogSeen};

use super::super::Failed;
use super::super::port::Port;
use super::super::random::Random;
use super::{DiaryOf, Ended, Kind, Tag, payload, tag};

/// What is done, as often as it stands here.
const STEPS: [Do; 24] = {
    use Do::{
        Abandon, Append, Batch, Flush, Reopen, Sync, TruncatePrefix, TruncateSuffix,
        TruncateToEmpty,
    };
    [
        Append,
        Append,
        Append,
        Append,
        Append,
        Append,
        Append,
        Batch,
        Batch,
        Batch,
        Flush,
        Sync,
        Sync,
        Sync,
        Sync,
        Sync,
        TruncatePrefix,
        TruncatePrefix,
        TruncateSuffix,
        TruncateSuffix,
        TruncateToEmpty,
        Reopen,
        Abandon,
        Abandon,
    ]
};

#[derive(Debug, Clone, Copy)]
enum Do {
    Append,
    Batch,
    Flush,
    Sync,
    TruncatePrefix,
    TruncateSuffix,
    TruncateToEmpty,
    Reopen,
    /// As if the process had been killed.
    Abandon,
}

pub(super) struct Wal {
    options: WalOptions,
    writer: Option<RawWalWriter<Port>>,
}

impl Wal {
    pub(super) fn new(random: &mut Random) -> Self {
        let options = WalOptions::new()
            .segment_bytes(random.pick(&[300, 1_000, 9_000, 20_000]))
            .buffer_bytes(random.pick(&[256, 4_096]))
            .read_bytes(random.pick(&[512, 8_192]))
            .preallocate(random.one_in(2))
            .mark_after_sync(random.one_in(3));
        Self { options, writer: None }
    }
}

impl Kind for Wal {
    type Model = LogModel<Tag>;
    const NAME: &'static str = "wal";

    fn closed(&self) -> Self {
        Self { options: self.options.clone(), writer: None }
    }

    fn open(&mut self, dir: &Port) -> Result<LogSeen<Tag>, Failed> {
        // Whoever only looks sees what opening finds; or more, if a prune mark in the tail covers it.
        let looked = read(RawWalReader::open(dir, self.options.clone())?, ReadMode::BestEffort)?;
        let mut writer = RawWalWriter::open(dir.clone(), self.options.clone())?;
        let seen = read(writer.reader()?, ReadMode::Strict)?;
        if !looked.records.ends_with(&seen.records) {
            return Err(format!("read {looked:?}, then opened {seen:?}").into());
        }
        self.writer = Some(writer);
        Ok(seen)
    }

    fn step(&mut self, dir: &Port, random: &mut Random, diary: &mut DiaryOf<Self>) -> Ended {
        let step = random.pick(&STEPS);
        let wal = self.writer.as_mut().ok_or("closed")?;
        let (first, next) = (wal.first_entry_id().get(), wal.next_entry_id().get());
        let tag = diary.tag();
        match step {
            Do::Append => {
                diary.issue(LogOperation::Append(tag));
                wal.append(&payload(tag))?;
            }
            Do::Batch => {
                let tags = [tag, tag | 0x4000, tag | 0x8000];
                diary.issue(LogOperation::Batch(tags.to_vec()));
                wal.append_batch(&tags.map(payload))?;
            }
            Do::Flush => wal.flush()?,
            Do::Sync => {
                let _durable = wal.flush_and_sync()?;
                diary.acknowledge();
            }
            Do::TruncatePrefix => {
                let before = first + (next - first).div_ceil(2);
                diary.issue(LogOperation::TruncatePrefix(before));
                wal.truncate_prefix(EntryId::new(before).ok_or("0")?)?;
            }
            Do::TruncateSuffix => {
                let from = next.saturating_sub(2).max(first);
                diary.issue(LogOperation::TruncateSuffix(from - 1));
                wal.truncate_suffix(EntryId::new(from).ok_or("0")?)?;
                if from < next {
                    diary.acknowledge();
                }
            }
            Do::TruncateToEmpty => {
                diary.issue(LogOperation::TruncateToEmpty);
                wal.truncate_to_empty()?;
                if first < next {
                    diary.acknowledge();
                }
            }
            Do::Reopen => {
                self.writer.take().ok_or("closed")?.close()?;
                diary.acknowledge();
                diary.recovered(self.open(dir)?);
            }
            Do::Abandon => {
                self.writer = None;
                diary.recovered(self.open(dir)?);
            }
        }
        Ok(())
    }

    fn promise(&mut self, _dir: &Port, diary: &mut DiaryOf<Self>) -> Ended {
        let wal = self.writer.as_mut().ok_or("closed")?;
        let tag = diary.tag();
        diary.issue(LogOperation::Append(tag));
        wal.append(&payload(tag))?;
        let _durable = wal.flush_and_sync()?;
        diary.acknowledge();
        Ok(())
    }
}

fn read<D: Directory>(mut reader: RawWalReader<D>, mode: ReadMode) -> Result<LogSeen<Tag>, Failed>
where
    Error<D::Error>: Into<Failed>,
{
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(mode).map_err(Into::into)?;
    while let Some(entry) = entries.next().map_err(Into::into)? {
        let expected = seen.first + seen.records.len() as u64;
        if entry.id.get() != expected {
            return Err(format!("id {} in place of {expected}", entry.id).into());
        }
        seen.records.push(tag(entry.payload)?);
    }
    Ok(seen)
}
