//! The record log under crashes.
//!
//! Must never acknowledge to the journal what the log did not acknowledge.

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{Name, NameError};
use durability_core::{EntryId, Error, ReadMode};

use crate::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, LogModel, LogOperation,
    LogSeen, PrefixOracle, SimulatedDisk, SurvivorLimits, Workload,
};

use super::case::Case;
use super::family::Cases;
use super::laws::{Failed, hold};
use super::scripts::{Step, scripts};
use super::size::Size;

/// Life, and number within it.
type Tag = u32;
type Log<'a> = RecordLogWriter<&'a SimulatedDisk>;

/// What is done to the log, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// A small record.
    Append,
    /// A record of several tear units.
    Large,
    /// To the system.
    Flush,
    /// To the medium.
    Sync,
    /// Closed, opened and read.
    Reopen,
}

impl Step for Do {
    const ALL: &'static [Self] =
        &[Self::Append, Self::Large, Self::Flush, Self::Sync, Self::Reopen];
}

/// A script for a record log, and the log's options.
#[derive(Debug, Clone)]
pub struct RecordLogWorkload {
    /// What is done.
    pub script: Vec<Do>,
    /// Whether every sync is followed by a mark.
    pub mark: bool,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
}

fn path() -> Result<Name<'static>, NameError> {
    Name::new("logs/EVENTS.LOG")
}

/// A small record, or one of several tear units; it ends in zeros, as the room behind it reads.
fn record(tag: Tag) -> Vec<u8> {
    let mut record = tag.to_le_bytes().to_vec();
    if tag & 0x8000 != 0 {
        record.extend_from_slice(&[0xA5; 50]);
    }
    record.extend_from_slice(&[0; 3]);
    record
}

impl RecordLogWorkload {
    fn options(&self) -> RecordLogOptions {
        RecordLogOptions::new().buffer_bytes(256).read_bytes(256).mark_after_sync(self.mark)
    }

    fn read(&self, disk: &SimulatedDisk, mode: ReadMode) -> Result<Vec<Tag>, Failed> {
        let mut reader = match RecordLogReader::open(disk, path()?, mode, self.options()) {
            Err(Error::Missing { .. }) => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut tags = Vec::new();
        while let Some(found) = reader.next()? {
            let tag = Tag::from_le_bytes(found.payload.first_chunk().copied().unwrap_or_default());
            let (id, next) = (found.id.get(), tags.len() as u64 + 1);
            hold(found.payload == record(tag), "records are as written", || {
                format!("{:02x?}", found.payload)
            })?;
            hold(id == next, "numbers have no gap", || format!("{id} instead of {next}"))?;
            tags.push(tag);
        }
        Ok(tags)
    }

    fn open<'a>(&self, disk: &'a SimulatedDisk) -> Result<(Log<'a>, LogSeen<Tag>), Failed> {
        let log = RecordLogWriter::open(disk, path()?, self.options())?;
        // The frame that says what is dead may still be in the buffer.
        let records = self.read(disk, ReadMode::BestEffort)?;
        hold(log.last_record() == EntryId::new(records.len() as u64), "opening counts", || {
            format!("{:?} for {records:?}", log.last_record())
        })?;
        Ok((log, LogSeen { first: 1, records }))
    }

    fn step<'a>(
        &self,
        step: Do,
        slot: &mut Option<Log<'a>>,
        disk: &'a SimulatedDisk,
        journal: &mut JournalOf<Self>,
    ) -> Ended {
        let log = slot.as_mut().ok_or("closed")?;
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        match step {
            Do::Append | Do::Large => {
                let tag = if step == Do::Large { tag | 0x8000 } else { tag };
                journal.issue(LogOperation::Append(tag));
                log.append(&record(tag))?;
            }
            Do::Flush => log.flush()?,
            Do::Sync => {
                let _durable = log.flush_and_sync()?;
                journal.acknowledge();
            }
            Do::Reopen => {
                slot.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                let strict = self.read(disk, ReadMode::Strict)?;
                let (again, seen) = self.open(disk)?;
                hold(strict == seen.records, "a closed log has no torn tail", || {
                    format!("read {strict:?}, then opened {seen:?}")
                })?;
                journal.recovered(seen);
                *slot = Some(again);
            }
        }
        Ok(())
    }
}

impl Workload for RecordLogWorkload {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut log = Some(self.open(disk)?.0);
        for step in &self.script {
            if let Err(error) = self.step(*step, &mut log, disk, journal) {
                // A careless caller tries again: a poisoned writer must not acknowledge anything.
                if log.is_some_and(|mut log| log.flush_and_sync().is_ok()) {
                    journal.acknowledge();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        // Whoever only looks sees what opening finds.
        let looked = self.read(disk, ReadMode::BestEffort)?;
        let (mut log, seen) = self.open(disk)?;
        let same = self.faults || looked == seen.records;
        hold(same, "looking shows what opening finds", || {
            format!("read {looked:?}, then opened {seen:?}")
        })?;
        let before = seen.records.len();
        journal.recovered(seen);
        let tag = journal.epoch() << 16 | 0x7FFF;
        journal.issue(LogOperation::Append(tag));
        log.append(&record(tag))?;
        let _durable = log.flush_and_sync()?;
        journal.acknowledge();
        let strict = self.read(disk, ReadMode::Strict)?;
        hold(strict.len() == before + 1, "what is synced can be read", || {
            format!("{before} records and one more are {strict:?}")
        })?;
        Ok(())
    }
}

fn cases(lengths: core::ops::RangeInclusive<u32>, bounds: Bounds, faults: bool) -> Cases {
    let both = scripts(lengths).flat_map(|script| [(script.clone(), false), (script, true)]);
    Box::new(both.map(move |(script, mark)| {
        let workload = RecordLogWorkload { script, mark, faults };
        Case::new(workload, PrefixOracle::<LogModel<Tag>>::new(), bounds.clone())
    }))
}

fn survivors(exhaustive_max: usize, samples: usize) -> SurvivorLimits {
    SurvivorLimits::new().with_exhaustive_max(exhaustive_max).with_samples(samples)
}

fn bounds() -> Bounds {
    Bounds::new(DiskOptions::new().with_tear_unit(16)).with_survivors(survivors(128, 16))
}

/// Every short script under one crash, two, and tears at any byte.
pub(super) fn crashes(size: &Size) -> Cases {
    let bytes = DiskOptions::new().with_tear_unit(1).without_junk();
    let samples = size.pick(8, 40, 40);
    let torn_anywhere = Bounds::new(bytes).with_depth(2).with_survivors(survivors(1, samples));
    let two = bounds().with_depth(2).with_survivors(survivors(64, 8));
    let torn = cases(1..=size.pick(1, 2, 2), torn_anywhere, false);
    Box::new(cases(0..=3, bounds(), false).chain(cases(0..=2, two, false)).chain(torn))
}

/// A fault, then a crash.
pub(super) fn faults(_: &Size) -> Cases {
    let kinds = [
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
        FaultKind::SyncFailed(DroppedPages::All),
        FaultKind::SyncFailed(DroppedPages::Alternate),
    ];
    cases(0..=2, bounds().with_faults(&kinds), true)
}
