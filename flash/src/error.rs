//! What can go wrong on flash, with the slot and the place that it concerns.

use durability_core::embedded_io::{self, ErrorKind};
use durability_core::storage::StoreError;
use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

use crate::record::Shape;

/// Errors of a [`FlashDirectory`](crate::FlashDirectory); `E` is the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlashError<E: core::fmt::Debug> {
    /// The driver failed.
    #[error("flash failed at {offset:#x}, in slot {slot}: {driver:?}")]
    Flash {
        /// The slot.
        slot: usize,
        /// Where on the chip, in bytes.
        offset: u32,
        /// What the driver said.
        driver: E,
    },
    /// Units that no region can be made of.
    #[error(
        "chip with units of {read} (read), {write} (write), {erase} (erase) bytes: each must divide the next, and the second be a power of two up to 256"
    )]
    ChipShape {
        /// Bytes in the smallest unit of reading.
        read: usize,
        /// Bytes in the smallest unit of programming.
        write: usize,
        /// Bytes in an erase block.
        erase: usize,
    },
    /// Slots of less than two blocks cannot survive a torn erase.
    #[error("slots need at least 2 erase blocks, found {found}")]
    SlotBlocks {
        /// Blocks asked for.
        found: u32,
    },
    /// The headers need more room than a slot, or one of its outer blocks, has.
    #[error("slots of {found} bytes, of which headers take {needed}, hold nothing")]
    SlotBytes {
        /// Bytes of headers.
        needed: u32,
        /// Bytes of a slot.
        found: u32,
    },
    /// The region does not fit on the chip.
    #[error("a region of {slots} slots ends at {needed:#x}, the chip at {found:#x}")]
    RegionBytes {
        /// Slots asked for.
        slots: usize,
        /// Where the region would end.
        needed: u64,
        /// Where the chip ends.
        found: usize,
    },
    /// The region does not begin with an erase block.
    #[error("a region at {offset:#x} does not begin with an erase block of {block_bytes} bytes")]
    RegionOffset {
        /// Where the region begins.
        offset: u32,
        /// Bytes in an erase block.
        block_bytes: u32,
    },
    /// A slot was written for a region of another shape: with other options, or by another driver.
    #[error("slot {slot} was written for another region: expected {expected:?}, found {found:?}")]
    OtherShape {
        /// The slot.
        slot: usize,
        /// The shape of this region.
        expected: Shape,
        /// The shape of the one that was there before.
        found: Shape,
    },
    /// A slot was written by a newer version of this crate.
    #[error("slot {slot} has version {found}, this build knows {known}")]
    Version {
        /// The slot.
        slot: usize,
        /// The version there.
        found: u8,
        /// The newest version that this build reads.
        known: u8,
    },
    /// The name is longer than the region's option allows.
    #[error("a name may have {limit} bytes on this region, found {found}")]
    NameBytes {
        /// Bytes of the name.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Every slot holds a file.
    #[error("all {slots} slots hold files")]
    NoSlot {
        /// How many slots there are.
        slots: usize,
    },
    /// The file has filled its slot.
    #[error("{found} bytes at {at:#x} do not fit a file of {limit} bytes in slot {slot}")]
    FileFull {
        /// The slot.
        slot: usize,
        /// Where the file was to be written.
        at: u64,
        /// Bytes that were to be written.
        found: usize,
        /// Bytes that a file can hold.
        limit: u32,
    },
    /// A position or a length that is no multiple of the granule.
    #[error("{found} bytes at {at:#x} are not whole granules of {granule} bytes")]
    OffGranule {
        /// Where.
        at: u64,
        /// Bytes.
        found: usize,
        /// The granule.
        granule: u16,
    },
    /// Bytes are programmed from where a file was to be continued: flash cannot change them.
    #[error("slot {slot}: the file is not blank at {found:#x}, at or beyond {at:#x}")]
    NotBlank {
        /// The slot.
        slot: usize,
        /// Where the file was to be continued.
        at: u64,
        /// Where it is not blank.
        found: u64,
    },
    /// The operation is not there.
    #[error("operation not supported on flash")]
    Unsupported,
    /// A file that must exist does not.
    #[error("no such file")]
    NotFound,
    /// The file behind the handle was removed.
    #[error("the file in slot {slot} was removed")]
    Gone {
        /// The slot.
        slot: usize,
    },
    /// A seek before the start.
    #[error("position outside of the file")]
    Position,
}

impl<E: core::fmt::Debug> embedded_io::Error for FlashError<E>
where
    E: NorFlashError + 'static,
{
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Flash { driver, .. } => match driver.kind() {
                NorFlashErrorKind::NotAligned | NorFlashErrorKind::OutOfBounds => {
                    ErrorKind::InvalidInput
                }
                _ => ErrorKind::Other,
            },
            Self::NoSlot { .. } | Self::FileFull { .. } => ErrorKind::OutOfMemory,
            // To a caller who can go on in another file, both mean "not here".
            Self::Unsupported | Self::NotBlank { .. } => ErrorKind::Unsupported,
            Self::NotFound | Self::Gone { .. } => ErrorKind::NotFound,
            Self::ChipShape { .. }
            | Self::SlotBlocks { .. }
            | Self::SlotBytes { .. }
            | Self::RegionBytes { .. }
            | Self::RegionOffset { .. }
            | Self::NameBytes { .. }
            | Self::OffGranule { .. }
            | Self::Position => ErrorKind::InvalidInput,
            Self::OtherShape { .. } | Self::Version { .. } => ErrorKind::InvalidData,
        }
    }
}

impl<E> StoreError for FlashError<E>
where
    E: NorFlashError + 'static,
{
    fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSlot { .. } | Self::FileFull { .. })
    }

    fn unsupported() -> Self {
        Self::Unsupported
    }
}
