//! Where things are in a region: FORMAT.md, "A slot". Pure arithmetic.
//!
//! Must never be computed from what flash holds: only from the chip's shape and the options.

#[cfg(feature = "async")]
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use crate::record::{HEADER_BYTES, SLOT_RECORD_BYTES};
use crate::{FlashError, FlashOptions};

/// Granules for tombstones: one torn so that a single bit of it arrived leaves the other.
pub(crate) const TOMBSTONES: u32 = 2;

/// The largest granule.
pub(crate) const GRANULE_BYTES_MAX: usize = 256;

/// A number of slots, or of bytes within a slot, as the chip counts: what was checked to lie on the chip.
#[allow(clippy::cast_possible_truncation, reason = "checked when the region was laid out")]
pub(crate) const fn small(number: usize) -> u32 {
    number as u32
}

/// The shape of a region and of each slot in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    offset: u32,
    pub(crate) block_bytes: u32,
    pub(crate) slot_bytes: u32,
    pub(crate) name_bytes_max: u8,
    pub(crate) granule: u16,
}

impl Layout {
    pub(crate) fn new<F: NorFlash>(
        flash: &F,
        slots: usize,
        options: &FlashOptions,
    ) -> Result<Self, FlashError<F::Error>> {
        let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let (read, write, erase) = (F::READ_SIZE, F::WRITE_SIZE, F::ERASE_SIZE);
        let sane = write.is_power_of_two()
            && write <= GRANULE_BYTES_MAX
            && read > 0
            && write.is_multiple_of(read)
            && erase > 0
            && erase.is_multiple_of(write);
        if !sane {
            return Err(FlashError::ChipShape { read, write, erase });
        }
        if options.slot_blocks < 2 {
            return Err(FlashError::SlotBlocks { found: options.slot_blocks });
        }
        let block_bytes = number(erase);
        let slot_bytes = block_bytes.saturating_mul(options.slot_blocks);
        let end = u64::from(slot_bytes)
            .saturating_mul(slots as u64)
            .saturating_add(options.offset.into());
        let capacity = flash.capacity();
        if slots == 0
            || slots > usize::from(u16::MAX)
            || end > capacity as u64
            || end > u64::from(u32::MAX)
        {
            return Err(FlashError::RegionBytes { slots, needed: end, found: capacity });
        }
        if !options.offset.is_multiple_of(block_bytes) {
            return Err(FlashError::RegionOffset { offset: options.offset, block_bytes });
        }
        let granule = u16::try_from(write).unwrap_or(u16::MAX);
        let name_bytes_max = options.name_bytes_max;
        let layout =
            Self { offset: options.offset, block_bytes, slot_bytes, name_bytes_max, granule };
        let around = layout.data().saturating_add(layout.back_bytes());
        // The first file header and the tombstones must be in different erase blocks.
        if layout.data() > block_bytes || layout.back_bytes() > block_bytes || around >= slot_bytes
        {
            return Err(FlashError::SlotBytes { needed: around, found: slot_bytes });
        }
        Ok(layout)
    }

    /// A length rounded up to granules.
    pub(crate) const fn granules(&self, bytes: u32) -> u32 {
        // It is a power of two.
        let mask = (self.granule as u32).wrapping_sub(1);
        bytes.wrapping_add(mask) & !mask
    }

    /// Where a slot begins on the chip.
    pub(crate) const fn start(&self, slot: usize) -> u32 {
        // The region's end was checked to fit.
        self.offset.saturating_add(self.slot_bytes.saturating_mul(small(slot)))
    }

    /// A place within a slot, on the chip.
    #[inline(never)]
    pub(crate) const fn place(&self, slot: usize, at: u32) -> u32 {
        self.start(slot).saturating_add(at)
    }

    /// Where the two copies of the file header begin in a slot.
    pub(crate) const fn headers(&self) -> [u32; 2] {
        let first = self.granules(small(SLOT_RECORD_BYTES));
        [first, first + self.header_room()]
    }

    const fn header_room(&self) -> u32 {
        self.granules(small(HEADER_BYTES) + self.name_bytes_max as u32)
    }

    /// Where a file's first byte is in its slot.
    pub(crate) const fn data(&self) -> u32 {
        self.headers()[1] + self.header_room()
    }

    /// Bytes that a file can hold.
    pub(crate) const fn data_bytes(&self) -> u32 {
        self.slot_bytes.saturating_sub(self.data()).saturating_sub(self.back_bytes())
    }

    const fn back_bytes(&self) -> u32 {
        self.granules(small(SLOT_RECORD_BYTES)) + self.tombstone_bytes()
    }

    /// Where the ready record is in a slot.
    pub(crate) const fn ready(&self) -> u32 {
        self.slot_bytes.saturating_sub(self.back_bytes())
    }

    /// Where the tombstones begin in a slot.
    pub(crate) const fn tombstones(&self) -> u32 {
        self.slot_bytes.saturating_sub(self.tombstone_bytes())
    }

    /// Bytes of all tombstones.
    pub(crate) const fn tombstone_bytes(&self) -> u32 {
        TOMBSTONES * self.granule as u32
    }
}

/// Bytes in the header of a segment: core/FORMAT.md, "Headers". To know what will be read next, and for nothing else.
#[cfg(feature = "async")]
const SEGMENT_HEADER_BYTES: u32 = 72;

#[cfg(feature = "async")]
impl Layout {
    /// The slot that holds a place on the chip.
    pub(crate) const fn slot_of(&self, offset: u32) -> Option<usize> {
        match offset.checked_sub(self.offset) {
            Some(within) => match within.checked_div(self.slot_bytes) {
                Some(slot) => Some(slot as usize),
                None => None,
            },
            None => None,
        }
    }

    /// Where on the chip a slot has the frames of a segment, if it holds one.
    pub(crate) const fn frames(&self, slot: usize) -> Range<u32> {
        let start = self.start(slot);
        let from = start.saturating_add(self.segment_header().end);
        from..start.saturating_add(self.ready())
    }

    /// Where in a slot the header of a segment is, if it holds one.
    pub(crate) const fn segment_header(&self) -> Range<u32> {
        self.data()..self.data().saturating_add(SEGMENT_HEADER_BYTES)
    }

    /// Whether a read that begins there is one of a file.
    pub(crate) fn holds_file(&self, offset: u32) -> bool {
        self.slot_of(offset).is_some_and(|slot| {
            let start = self.start(slot);
            let from = start.saturating_add(self.data());
            (from..start.saturating_add(self.ready())).contains(&offset)
        })
    }

    /// Whether a read that begins there is one of frames.
    pub(crate) fn holds_frames(&self, offset: u32) -> bool {
        self.slot_of(offset).is_some_and(|slot| self.frames(slot).contains(&offset))
    }
}
