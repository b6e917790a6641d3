//! Files in slots of whole erase blocks: the layout, and which slot holds what.
//!
//! Must never let a header become valid before the name is in, nor an erasure bring a removed file back.
//!
//! ```text
//! | tombstone | head 16 | name 120 | data ...                              | tombstone |
//! | a granule | each rounded up to granules                                | a granule |
//! head: magic "NORF" | version 1 | name length 1 | zero 2 | CRC-32C of all that and the name 4 | zero 4
//! ```
//!
//! - A slot holds a file if its head verifies and both tombstones are blank. The name is programmed before the head.
//! - Removal programs the first tombstone. Erasing begins with the second: an erasure that is cut off at its front or its
//!   back then leaves one of them until the head is gone. In slots of two blocks and more, whose first block goes first, this
//!   holds whatever a cut leaves; a slot of one block relies on an erasure that runs from one end to the other.
//! - Slots are erased when they are needed, all blocks, always: blank bytes may be programmed ones.

use core::ops::Range;

use crc::{CRC_32_ISCSI, Crc, Table};
use durability_core::storage::{NAME_BYTES_MAX, Name, NameBuf};

use super::{NorChip, NorError};

const CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
const MAGIC: [u8; 4] = *b"NORF";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 16;
const MAGIC_FIELD: Range<usize> = 0..4;
const VERSION_FIELD: usize = MAGIC_FIELD.end;
const LENGTH_FIELD: usize = VERSION_FIELD + 1;
/// Two zero bytes lie before it.
const CRC_FIELD: Range<usize> = LENGTH_FIELD + 3..LENGTH_FIELD + 7;

/// Where things are in a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) granule: usize,
    slot_blocks: usize,
    slot_bytes: usize,
    pub(super) slots: usize,
    head: usize,
    name: usize,
    data: usize,
    pub(super) data_bytes: usize,
}

impl Layout {
    pub(super) fn new(chip: &NorChip, slot_blocks: usize) -> Result<Self, NorError> {
        let bad = NorError::BadGeometry { slot_blocks };
        let geometry = chip.geometry();
        let granule = geometry.granule;
        let slots = geometry.blocks.checked_div(slot_blocks).ok_or(bad)?;
        let slot_bytes = slot_blocks.saturating_mul(geometry.block_bytes);
        let head = granule;
        let name = head + HEAD_BYTES.next_multiple_of(granule);
        let data = name + NAME_BYTES_MAX.next_multiple_of(granule);
        let data_bytes = slot_bytes.checked_sub(data + granule).filter(|bytes| *bytes > 0);
        let data_bytes = data_bytes.filter(|_| slots > 0).ok_or(bad)?;
        Ok(Self { granule, slot_blocks, slot_bytes, slots, head, name, data, data_bytes })
    }

    const fn start(&self, slot: usize) -> usize {
        slot * self.slot_bytes
    }

    /// Where a file's first byte is on the chip.
    pub(super) const fn data(&self, slot: usize) -> usize {
        self.start(slot) + self.data
    }

    const fn tombstones(&self, slot: usize) -> [usize; 2] {
        [self.start(slot), self.start(slot) + self.slot_bytes - self.granule]
    }
}

/// One slot, as known in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Slot {
    /// The file that it holds.
    pub(super) name: Option<NameBuf>,
    /// Counts the files that it has held since mounting: tells a handle that its file is gone.
    pub(super) generation: u64,
}

/// The slots of a chip.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) chip: NorChip,
    pub(super) layout: Layout,
    pub(super) table: Vec<Slot>,
    /// Where the search for a free slot begins: slots are used in turns, for even wear.
    next: usize,
}

impl Slots {
    /// Finds out what each slot holds.
    pub(super) fn mount(chip: NorChip, slot_blocks: usize) -> Result<Self, NorError> {
        let layout = Layout::new(&chip, slot_blocks)?;
        let mut slots = Self { chip, layout, table: Vec::new(), next: 0 };
        for index in 0..layout.slots {
            let name = slots.read_head(index)?;
            slots.next = if name.is_some() { index + 1 } else { slots.next };
            slots.table.push(Slot { name, generation: 0 });
        }
        Ok(slots)
    }

    /// The name of the file in a slot, if there is a valid one.
    fn read_head(&self, slot: usize) -> Result<Option<NameBuf>, NorError> {
        for tombstone in self.layout.tombstones(slot) {
            if !self.is_blank(tombstone, self.layout.granule)? {
                return Ok(None);
            }
        }
        let start = self.layout.start(slot);
        let mut head = [0; HEAD_BYTES];
        self.chip.read(start + self.layout.head, &mut head)?;
        let mut name = vec![0; usize::from(head[LENGTH_FIELD])];
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        self.chip.read(start + self.layout.name, &mut name)?;
        let valid = encode_head(&name) == head;
        let name = core::str::from_utf8(&name).ok().filter(|_| valid);
        Ok(name.and_then(|name| Name::new(name).ok()).map(NameBuf::from))
    }

    pub(super) fn is_blank(&self, offset: usize, length: usize) -> Result<bool, NorError> {
        let mut bytes = vec![0; length];
        self.chip.read(offset, &mut bytes)?;
        Ok(bytes.iter().all(|byte| *byte == 0xFF))
    }

    /// The slot that holds a file.
    pub(super) fn find(&self, name: Name<'_>) -> Option<usize> {
        self.table
            .iter()
            .position(|slot| slot.name.as_ref().is_some_and(|held| held.as_name() == name))
    }

    /// Erases a free slot and puts a file's header there.
    pub(super) fn create(&mut self, name: Name<'_>) -> Result<usize, NorError> {
        let count = self.table.len();
        let free = (0..count)
            .map(|step| (self.next + step) % count)
            .find(|slot| self.table.get(*slot).is_some_and(|slot| slot.name.is_none()));
        let slot = free.ok_or(NorError::NoSpace)?;
        self.next = slot + 1;
        if let Some(slot) = self.table.get_mut(slot) {
            slot.generation += 1;
        }
        self.erase(slot)?;
        let start = self.layout.start(slot);
        let text = name.as_str().as_bytes();
        self.program(start + self.layout.name, text)?;
        // crash: a name without a head, which is a free slot
        self.program(start + self.layout.head, &encode_head(text))?;
        if let Some(slot) = self.table.get_mut(slot) {
            slot.name = Some(name.into());
        }
        Ok(slot)
    }

    fn erase(&mut self, slot: usize) -> Result<(), NorError> {
        let [front, back] = self.layout.tombstones(slot);
        if !self.is_blank(front, self.layout.granule)? {
            // crash below: the first block may lose its tombstone and keep its head
            self.bury(back)?;
        }
        let first = slot * self.layout.slot_blocks;
        for block in first..first + self.layout.slot_blocks {
            // crash: the head is gone before the last tombstone is
            self.chip.erase(block)?;
        }
        Ok(())
    }

    /// Marks a file's slot dead.
    pub(super) fn remove(&mut self, slot: usize) -> Result<(), NorError> {
        let [front, _] = self.layout.tombstones(slot);
        // crash: the file is there as long as the whole granule is blank
        self.bury(front)?;
        if let Some(slot) = self.table.get_mut(slot) {
            slot.name = None;
        }
        Ok(())
    }

    fn bury(&mut self, tombstone: usize) -> Result<(), NorError> {
        if self.is_blank(tombstone, self.layout.granule)? {
            self.chip.program(tombstone, &vec![0; self.layout.granule])?;
        }
        Ok(())
    }

    /// Programs bytes, the last granule filled up.
    fn program(&mut self, offset: usize, bytes: &[u8]) -> Result<(), NorError> {
        let mut whole = bytes.to_vec();
        whole.resize(bytes.len().next_multiple_of(self.layout.granule), 0xFF);
        self.chip.program(offset, &whole)
    }
}

fn encode_head(name: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[MAGIC_FIELD].copy_from_slice(&MAGIC);
    head[VERSION_FIELD] = VERSION;
    head[LENGTH_FIELD] = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let mut digest = CRC.digest();
    digest.update(&head[..CRC_FIELD.start]);
    digest.update(name);
    head[CRC_FIELD].copy_from_slice(&digest.finalize().to_le_bytes());
    head
}
