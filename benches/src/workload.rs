//! The workloads, and what both sides need to do one.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::{Ours, Plain, Records};

/// Anything that stops a benchmark.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The log's id on both sides, so that the files are the same to the byte.
pub(crate) const LOG_ID: u64 = 0x5EED_5EED_5EED_5EED;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Appends, one flush at the end.
    Append,
    /// Appends to nowhere: what is left is the cost in this process.
    AppendNowhere,
    /// Appends with a flush after each.
    AppendFlush,
    /// Appends with a sync after each.
    AppendSync,
    /// Batches of 100 records, each flushed.
    Batch,
    /// Batches of 100 records to nowhere.
    BatchNowhere,
    /// Reads everything.
    Replay,
    /// Reads everything, written in batches of 100.
    ReplayBatches,
    /// Opens the log for writing after its process died: sync, scan of the tail.
    Resume,
    /// Writes the records as a checkpoint, and makes it durable.
    WriteCheckpoint,
    /// Reads and checks such a checkpoint.
    ReadCheckpoint,
}

/// How much is done, and where.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// A folder that does not exist, or that holds what is to be read.
    pub folder: &'a Path,
    /// The size at which segments are rotated.
    pub segment_bytes: u64,
    /// What is written.
    pub records: &'a Records,
    /// How many of them.
    pub count: usize,
}

impl Workload {
    /// Whether it works on what is there already.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Replay | Self::ReplayBatches | Self::Resume | Self::ReadCheckpoint)
    }

    /// Writes what a workload that [reads](Self::reads) will read, for both sides.
    pub fn prepare(self, setup: &Setup<'_>) -> Result<(), Failure> {
        match self {
            Self::Replay | Self::Resume => drop(Plain.run(Self::Append, setup)?),
            Self::ReplayBatches => drop(Plain.run(Self::Batch, setup)?),
            Self::ReadCheckpoint => {
                Ours.run(Self::WriteCheckpoint, setup)?;
                Plain.run(Self::WriteCheckpoint, setup)?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) const fn in_batches(self) -> bool {
        matches!(self, Self::Batch | Self::BatchNowhere)
    }

    pub(crate) const fn keeps_nothing(self) -> bool {
        matches!(self, Self::AppendNowhere | Self::BatchNowhere)
    }
}

impl Setup<'_> {
    /// The folder of the segments.
    pub(crate) fn segments(&self) -> PathBuf {
        self.folder.join("wal")
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|index| self.records.get(index))
    }

    /// The records by the hundred.
    pub(crate) fn batches(&self) -> Vec<Vec<&[u8]>> {
        self.all().collect::<Vec<_>>().chunks(100).map(<[_]>::to_vec).collect()
    }

    /// A workload that did something else is no measure.
    pub(crate) fn check(&self, found: u64) -> Result<(), Failure> {
        if found == self.count as u64 {
            Ok(())
        } else {
            Err(format!("expected {} records, found {found}", self.count).into())
        }
    }
}
