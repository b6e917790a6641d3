//! Files on flash: a reader and an appender over a slot.
//!
//! Must never touch a slot that has been given to another file.

use core::fmt;

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{AppendFile, ReadFile};
use embedded_storage::nor_flash::{ErrorType as Chip, NorFlash};

use crate::observe::State;
use crate::region::{Region, Result, Tried};
use crate::{FlashDirectory, FlashError};

/// A file in its slot.
pub(crate) struct Handle<'a, F: Chip, const SLOTS: usize> {
    dir: &'a FlashDirectory<F, SLOTS>,
    slot: u16,
    /// No two files of a region ever have the same one.
    sequence: u32,
}

impl<'a, F: NorFlash, const SLOTS: usize> Handle<'a, F, SLOTS> {
    pub(crate) fn new(dir: &'a FlashDirectory<F, SLOTS>, slot: usize) -> Self {
        let sequence = dir.region.borrow().table.get(slot).map_or(0, |slot| slot.sequence);
        Self { dir, slot: u16::try_from(slot).unwrap_or(u16::MAX), sequence }
    }

    /// Runs `action` on the region and the slot if the file is still there.
    fn with<T>(
        &self,
        action: impl FnOnce(&mut Region<F, SLOTS>, usize) -> Tried<T>,
    ) -> Result<T, F> {
        let slot = usize::from(self.slot);
        let mut region = self.dir.region.borrow_mut();
        let there = region
            .table
            .get(slot)
            .is_some_and(|slot| slot.state == State::File && slot.sequence == self.sequence);
        region.run(|region| {
            if there { action(region, slot) } else { Err(region.fails(FlashError::Gone { slot })) }
        })
    }

    /// Fails unless the file can be continued at `at`.
    pub(crate) fn check_blank(&self, at: u64) -> Result<(), F> {
        self.with(|region, slot| {
            if !region.reopens() {
                return Err(region.fails(FlashError::Unsupported));
            }
            let granule = region.layout.granule;
            // A granule is a power of two, and a Cortex-M3 divides 64 bits by a kilobyte of code.
            if at & u64::from(granule.wrapping_sub(1)) != 0 {
                return Err(region.fails(FlashError::OffGranule { at, found: 0, granule }));
            }
            let limit = region.layout.data_bytes();
            let Some(from) = u32::try_from(at).ok().filter(|from| *from <= limit) else {
                return Err(region.fails(FlashError::Position));
            };
            match region.first_programmed(slot, from)?.map(u64::from) {
                Some(found) if !planted!(FlashGoneOnOver) => {
                    Err(region.fails(FlashError::NotBlank { slot, at, found }))
                }
                _ => Ok(()),
            }
        })
    }
}

/// A file of a [`FlashDirectory`], open for reading. Its length is that of its slot; what was not written reads as `0xFF`.
pub struct FlashReader<'a, F: Chip, const SLOTS: usize> {
    handle: Handle<'a, F, SLOTS>,
    cursor: u64,
}

impl<'a, F: Chip, const SLOTS: usize> FlashReader<'a, F, SLOTS> {
    pub(crate) const fn new(handle: Handle<'a, F, SLOTS>) -> Self {
        Self { handle, cursor: 0 }
    }
}

impl<F, const SLOTS: usize> ErrorType for FlashReader<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    type Error = FlashError<F::Error>;
}

impl<F, const SLOTS: usize> Read for FlashReader<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, F> {
        let count = self.read_at(self.cursor, buffer)?;
        self.cursor = self.cursor.saturating_add(count as u64);
        Ok(count)
    }
}

impl<F, const SLOTS: usize> Seek for FlashReader<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    fn seek(&mut self, position: SeekFrom) -> Result<u64, F> {
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.cursor.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len()?.checked_add_signed(delta),
        };
        self.cursor = target.ok_or(FlashError::Position)?;
        Ok(self.cursor)
    }
}

impl<F, const SLOTS: usize> ReadFile for FlashReader<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    fn len(&mut self) -> Result<u64, F> {
        self.handle.with(|region, _| Ok(region.layout.data_bytes().into()))
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, F> {
        self.handle.with(|region, slot| {
            let limit = region.layout.data_bytes();
            let at = u32::try_from(offset).unwrap_or(u32::MAX).min(limit);
            let count = buffer.len().min((limit - at) as usize);
            let buffer = buffer.get_mut(..count).unwrap_or_default();
            region.read(slot, region.layout.data().saturating_add(at), buffer)?;
            Ok(count)
        })
    }
}

/// A file of a [`FlashDirectory`], open for appending. Every write is durable when it returns.
pub struct FlashAppender<'a, F: Chip, const SLOTS: usize> {
    handle: Handle<'a, F, SLOTS>,
    position: u64,
}

impl<'a, F: Chip, const SLOTS: usize> FlashAppender<'a, F, SLOTS> {
    pub(crate) const fn new(handle: Handle<'a, F, SLOTS>, position: u64) -> Self {
        Self { handle, position }
    }
}

impl<F, const SLOTS: usize> ErrorType for FlashAppender<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    type Error = FlashError<F::Error>;
}

impl<F, const SLOTS: usize> Write for FlashAppender<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    fn write(&mut self, data: &[u8]) -> Result<usize, F> {
        let at = self.position;
        let found = data.len();
        self.handle.with(|region, slot| {
            let granule = region.layout.granule;
            if !found.is_multiple_of(granule.into()) {
                return Err(region.fails(FlashError::OffGranule { at, found, granule }));
            }
            let limit = region.layout.data_bytes();
            let from = u32::try_from(at).unwrap_or(u32::MAX);
            if found as u64 > u64::from(limit.saturating_sub(from)) {
                return Err(region.fails(FlashError::FileFull { slot, at, found, limit }));
            }
            region.program(slot, region.layout.data().saturating_add(from), data)
        })?;
        self.position = at.saturating_add(found as u64);
        Ok(found)
    }

    fn flush(&mut self) -> Result<(), F> {
        Ok(())
    }
}

impl<F, const SLOTS: usize> AppendFile for FlashAppender<'_, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    fn position(&self) -> u64 {
        self.position
    }

    fn sync_data(&mut self) -> Result<(), F> {
        // Programming was durable when it returned; that the file is still ours is all there is to say.
        self.handle.with(|_, _| Ok(()))
    }
}

impl<F: Chip, const SLOTS: usize> fmt::Debug for FlashReader<'_, F, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, cursor) = (self.handle.slot, self.cursor);
        f.debug_struct("FlashReader").field("slot", &slot).field("cursor", &cursor).finish()
    }
}

impl<F: Chip, const SLOTS: usize> fmt::Debug for FlashAppender<'_, F, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, position) = (self.handle.slot, self.position);
        f.debug_struct("FlashAppender").field("slot", &slot).field("position", &position).finish()
    }
}
