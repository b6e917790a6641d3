//! The port that every log under test is driven through: the library's, the baselines, and the peers.
//!
//! Must ask of each only what it documents, and of none what another is spared.

use std::path::Path;

use crate::{Failure, Meter, Records};

/// What a log is made for.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Its folder; it does not exist when the log is made anew.
    pub folder: &'a Path,
    /// What will be appended.
    pub records: &'a Records,
    /// How many records at most, the first one that warms up included.
    pub count: usize,
    /// The size of segments, where a log has them.
    pub segment_bytes: u64,
    /// Whether room is to be written with zeros before it is needed, where a log can.
    pub prepared: bool,
    /// Counts, and slows down syncs.
    pub meter: Meter,
}

impl Plan<'_> {
    /// The records, in order.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|index| self.records.get(index))
    }
}

/// A workload, as far as it concerns whether a log can do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// W1: append, no sync, one flush at the end.
    Append,
    /// W2: durable appends, one thread.
    Commit,
    /// W3: durable appends, many threads.
    Shared,
    /// W4: batches of 100, one sync each.
    Batch,
    /// W5: replay.
    Replay,
    /// W6: reopen, and append.
    Reopen,
}

impl Kind {
    /// As it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Append => "W1",
            Self::Commit => "W2",
            Self::Shared => "W3",
            Self::Batch => "W4",
            Self::Replay => "W5",
            Self::Reopen => "W6",
        }
    }
}

/// A log under test: one small adapter for each.
pub trait Log: Sized {
    /// Commits from many threads.
    type Committer: Committer;

    /// What it is called in tables.
    const NAME: &'static str;
    /// How it is used, in a sentence: the calls behind append, sync, batch, replay and reopen.
    const HOW: &'static str;
    /// Workloads that do not fit it, and why.
    const MISFITS: &'static [(Kind, &'static str)] = &[];

    /// Makes a log in a new folder.
    fn create(plan: &Plan<'_>) -> Result<Self, Failure>;

    /// Opens the log that was left in the folder, ready to append.
    fn reopen(plan: &Plan<'_>) -> Result<Self, Failure>;

    /// Appends a record; durable only with the next [`sync`](Self::sync).
    fn append(&mut self, record: &[u8]) -> Result<(), Failure>;

    /// Appends records that belong together, where the log knows of batches.
    fn append_batch(&mut self, records: &[&[u8]]) -> Result<(), Failure> {
        records.iter().try_for_each(|record| self.append(record))
    }

    /// Hands everything to the system.
    fn flush(&mut self) -> Result<(), Failure>;

    /// Makes everything durable.
    fn sync(&mut self) -> Result<(), Failure>;

    /// Ends in order: everything handed to the system, and whatever makes the next opening cheap.
    fn close(self) -> Result<(), Failure>;

    /// Shows every record of the log in the folder, verified; returns how many there are.
    fn replay(plan: &Plan<'_>, each: impl FnMut(&[u8])) -> Result<u64, Failure>;

    /// The number of the segment that is appended to, for logs whose rotations are timed.
    fn segment(&self) -> Option<u32> {
        None
    }

    /// Goes on as a log that many threads append to.
    fn share(self) -> Self::Committer;
}

/// Durable appends from many threads.
pub trait Committer: Clone + Send {
    /// Appends a record and returns when it is durable.
    fn commit(&self, record: &[u8]) -> Result<(), Failure>;
}
