//! What can go wrong where flash is awaited.
//!
//! Must never say less of what is in doubt than where it is.

use core::fmt;

use durability_core::Error;
use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

use crate::FlashError;

/// What is done to a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FlashOperation {
    /// Bytes are read.
    Read,
    /// Granules are programmed.
    Program,
    /// A block is erased.
    Erase,
}

/// What was begun, and is not known to have been done: as after a power cut in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Doubt {
    /// What was begun.
    pub operation: FlashOperation,
    /// Where on the chip.
    pub offset: u32,
    /// How many bytes.
    pub bytes: u32,
}

/// Reads that were not awaited: the driver was polled in place until it had read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InPlace {
    /// How many there were.
    pub reads: u32,
    /// For how many of them the driver was not ready at once.
    pub waited: u32,
}

/// Errors of an awaited driver behind a directory that does not await; `E` is the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DeferredError<E: fmt::Debug> {
    /// The driver failed.
    #[error("{0:?}")]
    Driver(E),
    /// The memory lent for what waits to be programmed is too small.
    #[error("the queue of what waits to be programmed is full")]
    QueueFull,
    /// What is to be read was not read ahead. Never seen from outside: it is read, and the operation is done again.
    #[error("{bytes} bytes at {offset:#x} were not read ahead")]
    NotAhead {
        /// Where on the chip.
        offset: u32,
        /// How many bytes.
        bytes: u32,
    },
}

impl<E: NorFlashError> NorFlashError for DeferredError<E> {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Driver(driver) => driver.kind(),
            Self::QueueFull | Self::NotAhead { .. } => NorFlashErrorKind::Other,
        }
    }
}

/// Errors of an [`AsyncFlashDirectory`](super::AsyncFlashDirectory) and what is opened on it; `E` is the driver's.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AsyncError<E: NorFlashError + 'static> {
    /// The log: whatever the log reports on a directory that need not be awaited.
    #[error(transparent)]
    Log(#[from] Error<FlashError<DeferredError<E>>>),
    /// The region: whatever the directory reports that need not be awaited.
    #[error(transparent)]
    Region(#[from] FlashError<DeferredError<E>>),
    /// The driver failed while it was awaited. After a program or an erase, what that left is in doubt.
    #[error("flash failed to {operation} at {offset:#x}: {driver:?}")]
    Driver {
        /// What was done.
        operation: FlashOperation,
        /// Where on the chip, in bytes.
        offset: u32,
        /// What the driver said.
        driver: E,
    },
    /// An earlier future was dropped while the chip was at work, or the driver failed. Nothing more is done until the log is opened again, which recovers.
    #[error("it is in doubt how far flash came to {} {} bytes at {:#x}: open the log again to recover", .0.operation, .0.bytes, .0.offset)]
    InDoubt(Doubt),
    /// What was programmed into the headers of a slot does not read back.
    #[error("the headers of slot {slot} do not read back as they were programmed")]
    ReadBack {
        /// The slot.
        slot: usize,
    },
    /// The memory lent for what waits to be programmed is too small for the buffer of the log.
    #[error("{found} bytes are lent for what waits to be programmed, this log needs {needed}")]
    QueueBytes {
        /// What is lent.
        found: usize,
        /// What is needed.
        needed: usize,
    },
    /// An earlier future was neither finished nor dropped: it was forgotten, and has the driver.
    #[error("a forgotten future has the driver")]
    Forgotten,
}

impl fmt::Display for FlashOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Program => "program",
            Self::Erase => "erase",
        })
    }
}
