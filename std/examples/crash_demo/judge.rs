//! Recovers the log, and compares every record in it with the text.

use core::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use durability::recover::{RecoverOptions, recover_with_wal};
use durability::storage::{FsDirectory, FsError};
use durability::walog::WalWriter;
use durability::{EntryId, Error};

use crate::text::{Tally, Text};
use crate::writer::{number, wal_options};

/// A log that was recovered, and is right as far as it goes.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(crate) last: u64,
    pub(crate) torn_bytes: u64,
    pub(crate) checkpoint: Option<u32>,
    pub(crate) time: Duration,
}

/// What is wrong with a log, whatever was claimed.
#[derive(Debug)]
pub(crate) enum Wrong {
    Wal(Error<FsError>),
    Directory(FsError),
    Gap { expected: u64, found: u64 },
    Record { id: u64, found: String, expected: String },
    State { last: u64, records: u64 },
    Reread { recovered: u64, read: u64 },
}

impl From<Error<FsError>> for Wrong {
    fn from(error: Error<FsError>) -> Self {
        Self::Wal(error)
    }
}

/// Checks that entries come in order, without gaps, each as the text has it.
struct Prefix<'t> {
    text: &'t Text,
    next: Option<u64>,
}

impl Prefix<'_> {
    fn check(&mut self, id: EntryId, found: &str) -> Result<(), Wrong> {
        let id = id.get();
        match self.next {
            Some(expected) if expected != id => return Err(Wrong::Gap { expected, found: id }),
            _ => self.next = Some(id + 1),
        }
        let expected = self.text.record(id);
        if found == expected {
            return Ok(());
        }
        Err(Wrong::Record { id, found: found.to_owned(), expected: expected.clone() })
    }
}

/// The judge knows the text, and the tally of its beginning as far as it was needed.
pub(crate) struct Judge<'t> {
    text: &'t Text,
    tally: Tally,
}

impl<'t> Judge<'t> {
    pub(crate) const fn new(text: &'t Text) -> Self {
        Self { text, tally: Tally::EMPTY }
    }

    pub(crate) fn recover(&mut self, path: &Path, close: bool) -> Result<Recovery, Wrong> {
        let begin = Instant::now();
        let dir = FsDirectory::new(path).map_err(Wrong::Directory)?;
        let mut wal = WalWriter::<String, _>::open(dir, wal_options())?;
        let mut prefix = Prefix { text: self.text, next: None };
        let options = RecoverOptions::new();
        let add = |tally: &mut Tally, id, record: String| {
            tally.add(&record);
            prefix.check(id, &record)
        };
        let recovered = recover_with_wal(&mut wal, &options, Tally::EMPTY, add)?;
        let time = begin.elapsed();

        let last = number(recovered.last_id);
        let state = recovered.state;
        if state != self.expect(last) || number(wal.last_entry_id()) != last {
            return Err(Wrong::State { last, records: state.records });
        }
        self.reread(&mut wal, last)?;
        if close {
            wal.close()?;
        }
        let torn_bytes = recovered.report.replay.torn.map_or(0, |torn| torn.bytes);
        Ok(Recovery { last, torn_bytes, checkpoint: recovered.report.checkpoint, time })
    }

    /// What recovery passes over, because a checkpoint covers it, must be right too.
    fn reread(
        &self,
        wal: &mut WalWriter<String, FsDirectory>,
        recovered: u64,
    ) -> Result<(), Wrong> {
        let first = wal.first_entry_id().get();
        let mut prefix = Prefix { text: self.text, next: Some(first) };
        wal.reader()?.replay_each(|id, record| prefix.check(id, &record))?;
        let read = prefix.next.unwrap_or(first) - 1;
        if read == recovered { Ok(()) } else { Err(Wrong::Reread { recovered, read }) }
    }

    /// The tally of the first `last` entries.
    fn expect(&mut self, last: u64) -> Tally {
        if last < self.tally.records {
            self.tally = Tally::EMPTY;
        }
        while self.tally.records < last {
            self.tally.add(self.text.record(self.tally.records + 1));
        }
        self.tally
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wal(error) => write!(f, "the log does not open: {error}"),
            Self::Directory(error) => write!(f, "the directory does not open: {error}"),
            Self::Gap { expected, found } => {
                write!(f, "entry {expected} is missing: {found} stands in its place")
            }
            Self::Record { id, found, expected } => {
                write!(f, "entry {id} reads {found:?}, and was {expected:?}")
            }
            Self::State { last, records } => {
                write!(f, "the state of {records} records does not fit the last entry, {last}")
            }
            Self::Reread { recovered, read } => {
                write!(f, "recovery ends at entry {recovered}, and reading at {read}")
            }
        }
    }
}
