//! What operations on a simulated disk fail with.
//!
//! Must never blur the two causes: a fault that was ordered, and a caller that broke the contract.

use durability_core::embedded_io::{Error, ErrorKind};
use durability_core::storage::StoreError;

/// Why an operation on a [`SimulatedDisk`](super::SimulatedDisk) failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatedError {
    /// An injected failure.
    #[error("input/output error (injected)")]
    Io,
    /// An injected failure of a sync.
    #[error("sync failed (injected)")]
    SyncFailed,
    /// An injected interruption: nothing was done.
    #[error("interrupted (injected)")]
    Interrupted,
    /// The disk is full, or was told to say so.
    #[error("no space left on the simulated disk")]
    NoSpace,
    /// The power was cut at an earlier operation.
    #[error("the power is off")]
    PowerOff,
    /// The disk was configured without this operation.
    #[error("operation not supported by this simulated disk")]
    Unsupported,
    /// A file that must exist does not.
    #[error("no such file on the simulated disk")]
    NotFound,
    /// A folder where a file is needed, or the other way round.
    #[error("a file where a folder is needed, or a folder where a file is")]
    WrongKind,
    /// A position outside of the file.
    #[error("position outside of the file")]
    BadPosition,
    /// The caller wrote, or reopened, off the write granule.
    #[error("position {at} or length {length} is no multiple of the write granule {granule}")]
    Misaligned {
        /// Where the write begins.
        at: u64,
        /// How long it is.
        length: u64,
        /// The granule.
        granule: u32,
    },
    /// The caller wrote over bytes that can be programmed once.
    #[error("byte {at} was programmed before")]
    ProgrammedTwice {
        /// The first such byte.
        at: u64,
    },
    /// The caller opened a file for reading that is being appended to.
    #[error("the file is being appended to, and this disk cannot read it meanwhile")]
    Busy,
}

impl Error for SimulatedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io | Self::SyncFailed | Self::PowerOff | Self::WrongKind | Self::Busy => {
                ErrorKind::Other
            }
            Self::Interrupted => ErrorKind::Interrupted,
            Self::NoSpace => ErrorKind::OutOfMemory,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::NotFound => ErrorKind::NotFound,
            Self::BadPosition | Self::Misaligned { .. } | Self::ProgrammedTwice { .. } => {
                ErrorKind::InvalidInput
            }
        }
    }
}

impl StoreError for SimulatedError {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSpace)
    }
    fn unsupported() -> Self {
        Self::Unsupported
    }
}
