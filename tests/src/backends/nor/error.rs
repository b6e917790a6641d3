//! What a simulated NOR chip refuses.

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

/// Errors of a [`NorChip`](super::NorChip).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NorError {
    /// The driver was told to fail.
    #[error("the driver failed")]
    Failed,
    /// The power was cut; nothing works until [`NorChip::powered`](super::NorChip::powered).
    #[error("the power is off")]
    PowerLost,
    /// A granule was programmed that had been programmed since its block was erased.
    #[error("the granule at {offset:#x} was programmed before")]
    ProgrammedTwice {
        /// The granule's place on the chip.
        offset: usize,
    },
    /// A granule was programmed in a block whose last erasure was cut off: it may look erased and not be.
    #[error("the granule at {offset:#x} is in a block whose erasure was cut off")]
    HalfErased {
        /// The granule's place on the chip.
        offset: usize,
    },
    /// An offset or a length that is no multiple of the chip's unit.
    #[error("{length} bytes at {offset:#x} are not whole units of {unit} bytes")]
    OffUnit {
        /// The place on the chip.
        offset: usize,
        /// How many bytes.
        length: usize,
        /// Bytes in the unit.
        unit: usize,
    },
    /// Beyond the end of the chip.
    #[error("{length} bytes at {offset:#x} are not on the chip")]
    OutOfRange {
        /// The place on the chip.
        offset: usize,
        /// How many bytes.
        length: usize,
    },
}

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OffUnit { .. } => NorFlashErrorKind::NotAligned,
            Self::OutOfRange { .. } => NorFlashErrorKind::OutOfBounds,
            Self::Failed
            | Self::PowerLost
            | Self::ProgrammedTwice { .. }
            | Self::HalfErased { .. } => NorFlashErrorKind::Other,
        }
    }
}
