//! The write-ahead log under crashes.
//!
//! Must never acknowledge to the journal what the log did not acknowledge.

mod ahead;
mod cases;
mod log;
mod prepared;
mod setup;

use durability_core::walog::Preparation;
use durability_core::{EntryId, Error};

use crate::simulated::{
    Ended, JournalOf, LogOperation, LogSeen, SimulatedDisk, SimulatedError, Workload, shorter,
};

use super::foreign;
use super::laws::{Failed, hold};
use super::scripts::{Step, words};
use log::{Log, Tag, payload};

pub(super) use cases::{backends, crashes, faults, full, options};
pub(super) use prepared::{crashes as prepared, faults as prepared_faults};
pub use setup::{Ahead, Reading, Setup, Start};

/// What is done to the log, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// One entry.
    Append,
    /// Two entries, all or none.
    Batch,
    /// To the system.
    Flush,
    /// To the medium.
    Sync,
    /// The clock goes on, so that the next append begins a segment.
    Age,
    /// All that fills whole segments goes.
    TruncatePrefix,
    /// The last entry goes.
    TruncateSuffix,
    /// Everything goes; the next entry goes on counting.
    TruncateToEmpty,
    /// Everything goes; the next entry gets the first one's id.
    TruncateToFirst,
    /// Closed, opened and read.
    Close,
    /// One step of making the next segment ready.
    Prepare,
    /// The segment that is ready is begun, if one is.
    Begin,
}

impl Step for Do {
    const ALL: &'static [Self] = &[
        Self::Append,
        Self::Batch,
        Self::Flush,
        Self::Sync,
        Self::Age,
        Self::TruncatePrefix,
        Self::TruncateSuffix,
        Self::TruncateToEmpty,
        Self::Close,
    ];

    fn follows(self, before: &[Self]) -> bool {
        let Some(last) = before.last() else {
            // An empty log has nothing to flush, to sync or to truncate.
            return matches!(self, Self::Append | Self::Batch | Self::Age | Self::Close);
        };
        match (last, self) {
            // Nothing is buffered, nothing is unsynced; a sync flushes first; a clock that goes on twice has gone on.
            (Self::Flush | Self::Batch, Self::Flush)
            | (Self::Sync | Self::Flush, Self::Sync)
            | (Self::Age, Self::Age) => false,
            // Only an append looks at the clock: whatever else comes in between can as well come before.
            (Self::Age, next) => matches!(next, Self::Append | Self::Batch),
            _ => true,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Batch => "batch of 2",
            Self::Flush => "flush",
            Self::Sync => "sync",
            Self::Age => "the clock goes on",
            Self::TruncatePrefix => "truncate prefix",
            Self::TruncateSuffix => "truncate the last entry",
            Self::TruncateToEmpty => "truncate to empty",
            Self::TruncateToFirst => "truncate the suffix from the first entry",
            Self::Close => "close and open",
            Self::Prepare => "a step of preparing",
            Self::Begin => "begin what is ready",
        }
    }
}

/// A script for a log, and all that it depends on.
#[derive(Debug, Clone)]
pub struct WalWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
    /// What is done in every later life, after the log was opened and read.
    pub later: Vec<Do>,
    /// The log's options, and how it is used.
    pub setup: Setup,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
    /// The disk may be full: a life ends there, and has room again after it was recovered.
    pub full: bool,
}

/// What one life holds on to.
struct Life<'a> {
    disk: &'a SimulatedDisk,
    preparation: Option<Preparation<&'a SimulatedDisk>>,
    /// None while closed.
    log: Option<Log<'a>>,
    clock: u64,
}

impl WalWorkload {
    /// Opens the log and reads it.
    fn open(&self, life: &mut Life<'_>, start: Start) -> Result<LogSeen<Tag>, Failed> {
        let (log, seen) = self.setup.open_and_read(life.disk, life.clock, start)?;
        life.log = Some(log);
        Ok(seen)
    }

    fn work(&self, script: &[Do], life: &mut Life<'_>, journal: &mut JournalOf<Self>) -> Ended {
        for step in script {
            self.ahead(life)?;
            if let Err(error) = self.step(*step, life, journal) {
                // A careless caller tries again: a poisoned writer must not acknowledge anything.
                if let Some(mut log) = life.log.take() {
                    let again = log.raw_mut().flush_and_sync();
                    hold(again.is_err(), "failure is final", || {
                        format!("{} failed with {error}, then a sync was fine", step.word())
                    })?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn step(&self, step: Do, life: &mut Life<'_>, journal: &mut JournalOf<Self>) -> Ended {
        let log = life.log.as_mut().ok_or("closed")?;
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        let payload = |tag| payload(tag, self.setup.lengths);
        let (first, next) = (log.raw().first_entry_id().get(), log.raw().next_entry_id().get());
        match step {
            Do::Append => {
                journal.issue(LogOperation::Append(tag));
                let id = log.append(&payload(tag))?;
                hold(id.get() == next, "ids have no gap", || format!("{id} instead of {next}"))?;
            }
            Do::Batch => {
                journal.issue(LogOperation::Batch(vec![tag, tag + 0x8000]));
                let ids = log.append_batch(&[payload(tag), payload(tag + 0x8000)])?;
                hold(ids.first().map(EntryId::get) == Some(next), "ids have no gap", || {
                    format!("{ids:?} instead of {next}")
                })?;
            }
            Do::Flush => log.raw_mut().flush()?,
            Do::Sync => {
                let durable = log.raw_mut().flush_and_sync()?;
                let last = log.raw().last_entry_id();
                hold(durable.through() == last, "a sync covers all entries", || {
                    format!("{durable:?} of {last:?}")
                })?;
                journal.acknowledge();
            }
            Do::Age => {
                life.clock += setup::AGE_MS_MAX;
                log.raw_mut().hooks_mut().0 = life.clock;
            }
            Do::TruncatePrefix => {
                journal.issue(LogOperation::TruncatePrefix(next));
                log.raw_mut().truncate_prefix(EntryId::new(next).ok_or("0")?)?;
                journal.acknowledge();
            }
            Do::TruncateSuffix | Do::TruncateToFirst => {
                let last = if step == Do::TruncateToFirst { first } else { next.saturating_sub(1) };
                let from = last.max(first);
                journal.issue(LogOperation::TruncateSuffix(from - 1));
                log.raw_mut().truncate_suffix(EntryId::new(from).ok_or("0")?)?;
                journal.acknowledge();
            }
            Do::TruncateToEmpty => {
                journal.issue(LogOperation::TruncateToEmpty);
                log.raw_mut().truncate_to_empty()?;
                journal.acknowledge();
            }
            Do::Prepare => ahead::step(life)?,
            Do::Begin => {
                if log.raw_mut().begin_prepared()? {
                    journal.acknowledge();
                }
            }
            Do::Close => {
                // It would keep the log locked.
                life.preparation = None;
                life.log.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                if self.setup.start == Start::New {
                    self.setup.refuses_to_begin_anew(life.disk)?;
                }
                let seen = self.open(life, Start::Again)?;
                journal.recovered(seen);
            }
        }
        Ok(())
    }

    /// Takes the log up again. On a full disk that needs room for a segment's header at most, and none if there is no torn tail.
    fn open_again(&self, life: &mut Life<'_>) -> Result<LogSeen<Tag>, Failed> {
        let opened = self.open(life, Start::Open);
        if !self.full || !opened.as_ref().is_err_and(is_full) {
            return opened;
        }
        let torn = self.setup.look_strictly(life.disk)?.is_none();
        let begun = self.setup.has_begun(life.disk)?;
        hold(torn || !begun, "a full disk opens", || "though it has no torn tail".to_owned())?;
        life.disk.set_bytes_max(life.disk.bytes() + setup::HEADER_BYTES);
        self.open(life, Start::Open)
    }

    /// The end of a life on a full disk is no failure.
    fn forgiven(&self, ended: Ended) -> Ended {
        if self.full && ended.as_ref().is_err_and(is_full) { Ok(()) } else { ended }
    }

    /// Whoever only looks can read every crash state, and sees what opening finds; or more, if a prune mark in the tail covers it.
    fn look(&self, disk: &SimulatedDisk) -> Result<Vec<Tag>, Failed> {
        let looked = self.setup.look(disk)?;
        if self.setup.reading == Reading::StrictToo {
            let strict = self.setup.look_strictly(disk)?;
            hold(
                strict.as_ref().is_none_or(|strict| *strict == looked),
                "both modes agree",
                || format!("strict {strict:?}, best effort {looked:?}"),
            )?;
        }
        Ok(looked)
    }
}

fn is_full(error: &Failed) -> bool {
    let error = error.downcast_ref::<Error<SimulatedError>>();
    error.is_some_and(Error::is_no_space)
}

impl Workload for WalWorkload {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::plant(disk, setup::FOLDER)?;
        let mut life = Life { disk, preparation: None, log: None, clock: 0 };
        if let Err(error) = self.open(&mut life, self.setup.start) {
            return self.forgiven(Err(error));
        }
        self.forgiven(self.work(&self.script, &mut life, journal))?;
        foreign::untouched(disk, setup::FOLDER, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::untouched(disk, setup::FOLDER, journal)?;
        let looked = self.look(disk)?;
        let clock = u64::from(journal.epoch()) * 100 * setup::AGE_MS_MAX;
        let mut life = Life { disk, preparation: None, log: None, clock };
        let seen = self.open_again(&mut life)?;
        let same = self.faults || looked.ends_with(&seen.records);
        hold(same, "looking shows what opening finds", || {
            format!("read {looked:?}, then opened {seen:?}")
        })?;
        journal.recovered(seen);
        if self.full {
            disk.set_bytes_max(u64::MAX);
        }
        self.work(&self.later, &mut life, journal)?;
        // What was made ready, or kept to be used again, goes with the writer.
        life.preparation = None;
        if let Some(log) = life.log.take() {
            let segments = log.raw().segments().count();
            drop(log);
            foreign::nothing_else(disk, setup::FOLDER, segments)?;
        }
        foreign::untouched(disk, setup::FOLDER, journal)
    }

    fn describe(&self) -> String {
        format!("{}; later: {}; {}", words(&self.script), words(&self.later), self.setup)
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        let mut all: Vec<_> = scripts.map(|script| Self { script, ..self.clone() }).collect();
        let later = shorter(&self.later).into_iter();
        all.extend(later.map(|later| Self { later, ..self.clone() }));
        all
    }
}
