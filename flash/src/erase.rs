//! Erasing a slot, and burying what was in it: FORMAT.md, "Erasing".
//!
//! Must never erase a file's header while nothing else says that the file is gone, nor say "ready" before all blocks are erased.

use embedded_storage::nor_flash::NorFlash;

use crate::layout::GRANULE_BYTES_MAX;
use crate::observe::State;
use crate::record::{FileHeader, Kind, Shape, SlotRecord};
use crate::region::{Region, Tried};

/// A slot on its way to being ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Erasing {
    slot: u16,
    /// The block that is erased next.
    block: u32,
    /// How often the slot will have been erased.
    erases: u32,
}

impl<F: NorFlash, const SLOTS: usize> Region<F, SLOTS> {
    /// Makes one slot ready; `None` if all are, or hold files.
    pub(crate) fn make_ready(&mut self) -> Tried<Option<usize>> {
        while let Some(slot) = self.erase_step()? {
            if self.erasing.is_none() {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// One erase at most on the way to the next ready slot; `None` if there is none to be made ready.
    pub(crate) fn erase_step(&mut self) -> Tried<Option<usize>> {
        let erasing = if let Some(erasing) = self.erasing.take() {
            erasing
        } else {
            let dirty = |state| matches!(state, State::Begun | State::Dirty);
            let Some(slot) = self.least_worn(dirty) else { return Ok(None) };
            self.begin(slot)?
        };
        // After an error the slot is looked at again before it is erased.
        self.erasing = self.go_on(erasing)?;
        Ok(Some(erasing.slot.into()))
    }

    /// Finds out from where a slot has to be erased, and makes sure that nothing comes back meanwhile.
    fn begin(&mut self, slot: usize) -> Tried<Erasing> {
        let seen = self.observe(slot)?;
        let known = self.table.get(slot).map_or(0, |slot| slot.erases);
        let erases = seen.erases().unwrap_or(known);
        let number = u16::try_from(slot).unwrap_or(u16::MAX);
        if seen.state() == State::Begun {
            return Ok(Erasing { slot: number, block: 1, erases });
        }
        if seen.must_be_buried() && !planted!(FlashErasedUnburied) {
            // crash: the slot is dirty still, or the file that is being written over is still there
            self.bury(slot)?;
        }
        Ok(Erasing { slot: number, block: 0, erases: erases.saturating_add(1) })
    }

    fn go_on(&mut self, erasing: Erasing) -> Tried<Option<Erasing>> {
        let Erasing { slot, block, erases } = erasing;
        let number = usize::from(slot);
        let record = SlotRecord { erases, next_file: self.next_file };
        let shape = Shape::new(&self.layout, number);
        let from = block.saturating_mul(self.layout.block_bytes);
        let offset = self.layout.place(number, from);
        let end = offset.saturating_add(self.layout.block_bytes);
        // crash in the first block: the tombstone is in the last one, and so is the ready record, which knows the wear;
        // crash in another one: the header is gone, and the wear record, which is newer than the ready record, says so
        self.flash
            .erase(offset, end)
            .map_err(|driver| self.driver_fails(number, offset, driver))?;
        if block == 0 {
            // crash: the slot is erased again, from here
            self.program_record(number, 0, &record.encode(Kind::Wear, shape), &[])?;
        }
        let block = block.saturating_add(1);
        if block.saturating_mul(self.layout.block_bytes) < self.layout.slot_bytes {
            return Ok(Some(Erasing { slot, block, erases }));
        }
        // crash: not ready, so that all but the first block is erased again
        self.program_record(number, self.layout.ready(), &record.encode(Kind::Ready, shape), &[])?;
        if self.is_deferred() {
            if let Some(slot) = self.table.get_mut(number) {
                slot.erases = erases;
            }
            self.believe(number, FileHeader { sequence: 0, name_bytes: 0 }, 0, State::Ready);
            return Ok(None);
        }
        let seen = self.observe(number)?;
        self.note(number, &seen);
        Ok(None)
    }

    /// Programs a tombstone, where there is none yet.
    pub(crate) fn bury(&mut self, slot: usize) -> Tried<()> {
        let granule = u32::from(self.layout.granule);
        let zeros = [0; GRANULE_BYTES_MAX];
        let zeros = zeros.get(..granule as usize).unwrap_or_default();
        let mut at = self.layout.tombstones();
        if self.is_deferred() && self.table.get(slot).is_some_and(|slot| slot.never_buried) {
            return self.program(slot, at, zeros);
        }
        while at < self.layout.slot_bytes {
            let next = at.saturating_add(granule);
            if self.zero_bits(slot, at, next)? == 0 || planted!(FlashTombstoneOverTorn) {
                return self.program(slot, at, zeros);
            }
            at = next;
        }
        // As many bits as granules are programmed at least: that is a tombstone.
        Ok(())
    }
}

/// So that a region of another shape can be taken over.
pub(crate) fn erase_all<F: NorFlash, const SLOTS: usize>(
    region: &mut Region<F, SLOTS>,
) -> Tried<()> {
    let (start, end) = (region.layout.start(0), region.layout.start(SLOTS));
    let mut offset = start;
    while offset < end {
        let next = offset.saturating_add(region.layout.block_bytes);
        let slot = ((offset - start) / region.layout.slot_bytes.max(1)) as usize;
        region
            .flash
            .erase(offset, next)
            .map_err(|driver| region.driver_fails(slot, offset, driver))?;
        offset = next;
    }
    Ok(())
}
