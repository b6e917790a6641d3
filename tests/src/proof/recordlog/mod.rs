//! The record log under crashes.
//!
//! Must never acknowledge to the journal what the log did not acknowledge.

mod cases;

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{Directory as _, Name, NameError};
use durability_core::{EntryId, Error, ReadMode};

use crate::simulated::{
    Ended, JournalOf, LogOperation, LogSeen, SimulatedDisk, SimulatedError, Workload, shorter,
};

use super::foreign;
use super::laws::{Failed, hold};
use super::scripts::{Step, words};

pub(super) use cases::{crashes, faults};

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
    Close,
}

impl Step for Do {
    const ALL: &'static [Self] = &[Self::Append, Self::Large, Self::Flush, Self::Sync, Self::Close];

    fn follows(self, before: &[Self]) -> bool {
        let Some(last) = before.last() else {
            // A new log has nothing to flush or to sync.
            return matches!(self, Self::Append | Self::Large | Self::Close);
        };
        // Nothing is buffered, nothing is unsynced; a sync flushes first.
        !matches!((last, self), (Self::Flush, Self::Flush) | (Self::Sync | Self::Flush, Self::Sync))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Large => "append a large record",
            Self::Flush => "flush",
            Self::Sync => "sync",
            Self::Close => "close and open",
        }
    }
}

/// A script for a record log, and the log's options.
#[derive(Debug, Clone)]
pub struct RecordLogWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
    /// What is done in every later life.
    pub later: Vec<Do>,
    /// Whether every sync is followed by a mark.
    pub mark: bool,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
}

/// The folder of the log.
const FOLDER: &str = "logs";

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

    /// Everything, strictly; nothing if there is a torn tail.
    fn read_strictly(&self, disk: &SimulatedDisk) -> Result<Option<Vec<Tag>>, Failed> {
        match self.read(disk, ReadMode::Strict) {
            Ok(tags) => Ok(Some(tags)),
            Err(error) => match error.downcast::<Error<SimulatedError>>() {
                Ok(error) if matches!(*error, Error::TornTail { .. }) => Ok(None),
                Ok(error) => Err(error),
                Err(error) => Err(error),
            },
        }
    }

    fn open<'a>(&self, disk: &'a SimulatedDisk) -> Result<(Log<'a>, LogSeen<Tag>), Failed> {
        let mut log = RecordLogWriter::open(disk, path()?, self.options())?;
        if !disk.capabilities().read_while_appending() {
            drop(log);
            let records = self.read(disk, ReadMode::BestEffort)?;
            log = RecordLogWriter::open(disk, path()?, self.options())?;
            return Ok((log, LogSeen { first: 1, records }));
        }
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
                let durable = log.flush_and_sync()?;
                let last = log.last_record();
                hold(durable.through() == last, "a sync covers all records", || {
                    format!("{durable:?} of {last:?}")
                })?;
                journal.acknowledge();
                if !self.faults && disk.capabilities().read_while_appending() {
                    let strict = self.read(disk, ReadMode::Strict)?;
                    let read = EntryId::new(strict.len() as u64);
                    hold(read == last, "what is synced can be read", || {
                        format!("{strict:?}, the last of them {last:?}")
                    })?;
                }
            }
            Do::Close => {
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

impl RecordLogWorkload {
    fn work<'a>(
        &self,
        script: &[Do],
        log: Log<'a>,
        disk: &'a SimulatedDisk,
        journal: &mut JournalOf<Self>,
    ) -> Ended {
        let mut log = Some(log);
        for step in script {
            if let Err(error) = self.step(*step, &mut log, disk, journal) {
                // A careless caller tries again: a poisoned writer must not acknowledge anything.
                if let Some(mut log) = log {
                    hold(log.flush_and_sync().is_err(), "failure is final", || {
                        format!("{} failed with {error}, then a sync was fine", step.word())
                    })?;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Workload for RecordLogWorkload {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::plant(disk, FOLDER)?;
        let (log, _) = self.open(disk)?;
        self.work(&self.script, log, disk, journal)?;
        foreign::untouched(disk, FOLDER, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::untouched(disk, FOLDER, journal)?;
        // Whoever only looks sees what opening finds.
        let looked = self.read(disk, ReadMode::BestEffort)?;
        let strictly = self.read_strictly(disk)?;
        hold(strictly.as_ref().is_none_or(|strict| *strict == looked), "both modes agree", || {
            format!("strict {strictly:?}, best effort {looked:?}")
        })?;
        let (log, seen) = self.open(disk)?;
        let same = self.faults || looked == seen.records;
        hold(same, "looking shows what opening finds", || {
            format!("read {looked:?}, then opened {seen:?}")
        })?;
        journal.recovered(seen);
        self.work(&self.later, log, disk, journal)?;
        foreign::nothing_else(disk, FOLDER, 1)?;
        foreign::untouched(disk, FOLDER, journal)
    }

    fn describe(&self) -> String {
        let mark = if self.mark { "; a mark after every sync" } else { "" };
        format!("{}; later: {}{mark}", words(&self.script), words(&self.later))
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        let mut all: Vec<_> = scripts.map(|script| Self { script, ..self.clone() }).collect();
        let later = shorter(&self.later).into_iter();
        all.extend(later.map(|later| Self { later, ..self.clone() }));
        all
    }
}
