//! What can go wrong on flash.
//!
//! Must never lose the offset.

use durability_core::embedded_io::{self, ErrorKind};
use durability_core::storage::StoreError;

/// What a [`NorChip`](super::NorChip) or [`NorDirectory`](super::NorDirectory) answers when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NorError {
    /// The power was cut; nothing works until the image is mounted again.
    #[error("the power is out")]
    PowerLost,
    /// A granule was to be programmed a second time without an erasure: always a bug of the store.
    #[error("the granule at {offset:#x} is programmed already")]
    ProgrammedTwice {
        /// Where on the chip.
        offset: usize,
    },
    /// A write or position is not a multiple of the granule.
    #[error("{length} bytes at {offset:#x} are no whole granules of {granule}")]
    OffGranule {
        /// Where, on the chip or in the file.
        offset: u64,
        /// How many bytes.
        length: usize,
        /// The granule.
        granule: usize,
    },
    /// An access beyond the end of the chip.
    #[error("{length} bytes at {offset:#x} lie outside of the chip")]
    OutOfRange {
        /// Where on the chip.
        offset: usize,
        /// How many bytes.
        length: usize,
    },
    /// The geometry cannot hold slots.
    #[error("the geometry cannot hold slots of {slot_blocks} blocks")]
    BadGeometry {
        /// Erase blocks in a slot.
        slot_blocks: usize,
    },
    /// No slot is free, or the file's slot is full.
    #[error("no space left on the chip, or in the slot of the file")]
    NoSpace,
    /// Bytes are programmed from where a file was to be continued: flash cannot change them.
    #[error("bytes are programmed at or beyond {at:#x}")]
    NotErased {
        /// Where the file was to be continued.
        at: u64,
    },
    /// The operation is not there.
    #[error("operation not supported on raw flash")]
    Unsupported,
    /// A file that must exist does not.
    #[error("no such file on the chip")]
    NotFound,
    /// The file behind the handle was removed and its slot given to another.
    #[error("the file was removed and its slot used again")]
    Gone,
    /// A seek before the start.
    #[error("position outside of the file")]
    BadPosition,
}

impl embedded_io::Error for NorError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSpace => ErrorKind::OutOfMemory,
            // To a caller who can go on in another file, both mean "not here".
            Self::Unsupported | Self::NotErased { .. } => ErrorKind::Unsupported,
            Self::NotFound | Self::Gone => ErrorKind::NotFound,
            Self::BadPosition
            | Self::OffGranule { .. }
            | Self::OutOfRange { .. }
            | Self::BadGeometry { .. } => ErrorKind::InvalidInput,
            Self::PowerLost | Self::ProgrammedTwice { .. } => ErrorKind::Other,
        }
    }
}

impl StoreError for NorError {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSpace)
    }
    fn unsupported() -> Self {
        Self::Unsupported
    }
}
