//! The options of a region.
//!
//! Must never hold anything that has to be known to read what another build of the firmware wrote, but for the region's shape, which
//! every slot repeats and mounting checks.

use durability_core::storage::NAME_BYTES_MAX;

/// The longest name that the core allows.
const LONGEST: u8 = 120;
/// Bytes of a name, as it is read.
pub(crate) type NameBytes = [u8; LONGEST as usize];
/// Before any is read.
pub(crate) const NO_NAME: NameBytes = [0; LONGEST as usize];
const _: () = assert!(LONGEST as usize >= NAME_BYTES_MAX);

/// How a region of a chip is divided and used.
///
/// The shape (`offset`, `slot_blocks`, `name_bytes_max`, and the number of slots, which is the directory's type parameter) must stay as it is for as long as
/// the region holds files: mounting refuses slots that were written for another shape. A region may grow at its end.
///
/// ```
/// use durability_flash::FlashOptions;
/// let options = FlashOptions::new().offset(0x4000).slot_blocks(4).name_bytes_max(24);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub struct FlashOptions {
    pub(crate) offset: u32,
    pub(crate) slot_blocks: u32,
    pub(crate) name_bytes_max: u8,
    pub(crate) seed: u64,
    pub(crate) never_reopen: bool,
}

impl FlashOptions {
    /// Two erase blocks a slot from the start of the chip, names of any length.
    pub const fn new() -> Self {
        let name_bytes_max = LONGEST;
        Self { offset: 0, slot_blocks: 2, name_bytes_max, seed: 0, never_reopen: false }
    }

    /// Where the region begins on the chip, in bytes; a multiple of the erase block. 0 by default.
    pub const fn offset(mut self, bytes: u32) -> Self {
        self.offset = bytes;
        self
    }

    /// Erase blocks in a slot, at least 2, the default. A slot holds one file: a segment of a log, or a checkpoint.
    ///
    /// One block is refused: a power cut may leave any part of a block erased, and with it the mark that a file was removed, but
    /// not the file.
    pub const fn slot_blocks(mut self, blocks: u32) -> Self {
        self.slot_blocks = blocks;
        self
    }

    /// Bytes in the longest name of a file, folders included; at most and by default the longest that the core allows, 120.
    ///
    /// Each slot keeps room for two headers of 16 bytes and this. The names of a log's files have 12 bytes more than its folder's and a slash.
    pub const fn name_bytes_max(mut self, bytes: u8) -> Self {
        self.name_bytes_max = if bytes < LONGEST { bytes } else { LONGEST };
        self
    }

    /// Bits that differ from device to device, or from boot to boot: they go into [nonces](durability_core::storage::Directory::nonce).
    pub const fn seed(mut self, bits: u64) -> Self {
        self.seed = bits;
        self
    }

    /// No file is appended to again once it was closed: a log begins a new segment each time it is opened.
    ///
    /// For chips with error correction over a granule, where one whose programming was cut off may read as blank, and still
    /// not be programmable. Costs one slot and one erase for each time that a log is opened.
    pub const fn never_reopen(mut self) -> Self {
        self.never_reopen = true;
        self
    }
}

impl Default for FlashOptions {
    fn default() -> Self {
        Self::new()
    }
}
