//! Whether what came back is what it must be.

use core::fmt;

use durability_core::storage::{Directory, StoreError};
use durability_core::walog::WalWriter;
use durability_core::{Error, ReadMode};

use crate::notes::{Notes, Reading};
use crate::session::State;

/// What ends the run.
pub(crate) enum Failure<E: StoreError> {
    /// The log or the chip reported what no power cut can lead to.
    Log(Error<E>),
    /// So did the directory, by itself.
    Flash(E),
    /// Acknowledged records are gone, or the log is longer than what was ever logged.
    Length { boot: u32, acknowledged: u64, found: u64, issued: u64 },
    /// An entry is not what was logged.
    Foreign { boot: u32, id: u64 },
    /// A part of a batch came back.
    Batch { boot: u32, first: u64, last: u64, found: u64 },
    /// The state is not what the entries add up to.
    State { boot: u32, id: u64 },
    /// More is on the log than the notes reach back.
    Reach { boot: u32 },
}

impl<E: StoreError> From<Error<E>> for Failure<E> {
    fn from(error: Error<E>) -> Self {
        Self::Log(error)
    }
}

impl<E: StoreError> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => write!(f, "{error:?}"),
            Self::Flash(error) => write!(f, "{error:?}"),
            Self::Length { boot, acknowledged, found, issued } => write!(
                f,
                "boot {boot}: {found} entries came back, with {acknowledged} acknowledged and {issued} logged"
            ),
            Self::Foreign { boot, id } => {
                write!(f, "boot {boot}: entry {id} is not what was logged")
            }
            Self::Batch { boot, first, last, found } => {
                write!(
                    f,
                    "boot {boot}: of the batch {first} to {last} there is the part up to {found}"
                )
            }
            Self::State { boot, id } => write!(f, "boot {boot}: the state at entry {id} is wrong"),
            Self::Reach { boot } => write!(f, "boot {boot}: the log is longer than the notes"),
        }
    }
}

/// Judges a log that was just opened, and the state that was recovered; notes what must be there from now on.
pub(crate) fn judge<D: Directory>(
    wal: &mut WalWriter<Reading, D>,
    state: &State,
    notes: &mut Notes,
) -> Result<(), Failure<D::Error>> {
    let boot = notes.boots;
    let found = wal.last_entry_id().map_or(0, |id| id.get());
    let (acknowledged, issued) = (notes.acknowledged, notes.issued);
    if found < acknowledged || found > issued {
        return Err(Failure::Length { boot, acknowledged, found, issued });
    }
    let [first, last] = notes.batch;
    if (first..last).contains(&found) {
        return Err(Failure::Batch { boot, first, last, found });
    }
    if state.entries != found || state.sum != notes.sum(found) {
        return Err(Failure::State { boot, id: found });
    }
    let oldest = wal.first_entry_id().get();
    if found - oldest.min(found) >= crate::notes::REACH as u64 {
        return Err(Failure::Reach { boot });
    }
    let mut expected = oldest;
    let mut reader = wal.raw_mut().reader()?;
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        if entry.id.get() != expected || entry.payload != notes.reading(expected) {
            return Err(Failure::Foreign { boot, id: entry.id.get() });
        }
        expected += 1;
    }
    if expected != found + 1 {
        return Err(Failure::Length { boot, acknowledged, found: expected - 1, issued });
    }
    // What was shown once must be there for ever; what was not never comes back.
    (notes.acknowledged, notes.issued, notes.batch) = (found, found, [0; 2]);
    Ok(())
}
