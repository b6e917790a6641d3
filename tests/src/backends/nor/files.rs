//! Files on raw flash: a reader and an appender over a slot.
//!
//! Must never touch a slot that has been given to another file.

use std::sync::{Arc, Mutex};

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{AppendFile, ReadFile};

use super::NorError;
use super::slots::Slots;
use crate::shared::{index, lock, offset};

/// Bytes that one write takes at most, as the page buffer of a flash chip does. Callers meet short writes.
const PAGE_BYTES: usize = 256;

/// A slot as it was when a file was opened.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) slots: Arc<Mutex<Slots>>,
    pub(super) slot: usize,
    pub(super) generation: u64,
}

impl Handle {
    /// Runs `action` on the slots if the file still has its slot.
    fn with<T>(
        &self,
        action: impl FnOnce(&mut Slots) -> Result<T, NorError>,
    ) -> Result<T, NorError> {
        let mut slots = lock(&self.slots);
        let generation = slots.table.get(self.slot).map(|slot| slot.generation);
        if generation == Some(self.generation) { action(&mut slots) } else { Err(NorError::Gone) }
    }

    fn length(&self) -> Result<u64, NorError> {
        self.with(|slots| Ok(offset(slots.layout.data_bytes)))
    }
}

/// A file of a [`NorDirectory`](super::NorDirectory), open for reading. Its length is that of its slot.
#[derive(Debug)]
pub struct NorReader {
    pub(super) handle: Handle,
    pub(super) cursor: u64,
}

impl ErrorType for NorReader {
    type Error = NorError;
}

impl Read for NorReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, NorError> {
        let count = self.read_at(self.cursor, buffer)?;
        self.cursor = self.cursor.saturating_add(offset(count));
        Ok(count)
    }
}

impl Seek for NorReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, NorError> {
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.cursor.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len()?.checked_add_signed(delta),
        };
        self.cursor = target.ok_or(NorError::BadPosition)?;
        Ok(self.cursor)
    }
}

impl ReadFile for NorReader {
    fn len(&mut self) -> Result<u64, NorError> {
        self.handle.length()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, NorError> {
        let slot = self.handle.slot;
        self.handle.with(|slots| {
            let at = index(offset).min(slots.layout.data_bytes);
            let count = buffer.len().min(slots.layout.data_bytes - at);
            let buffer = buffer.get_mut(..count).unwrap_or_default();
            slots.chip.read(slots.layout.data(slot) + at, buffer)?;
            Ok(count)
        })
    }
}

/// A file of a [`NorDirectory`](super::NorDirectory), open for appending. Every write is durable when it returns.
#[derive(Debug)]
pub struct NorAppender {
    pub(super) handle: Handle,
    pub(super) position: u64,
}

impl ErrorType for NorAppender {
    type Error = NorError;
}

impl Write for NorAppender {
    fn write(&mut self, data: &[u8]) -> Result<usize, NorError> {
        let (slot, position) = (self.handle.slot, self.position);
        let count = self.handle.with(|slots| {
            let granule = slots.layout.granule;
            if !data.len().is_multiple_of(granule) {
                let length = data.len();
                return Err(NorError::OffGranule { offset: position, length, granule });
            }
            let at = index(position);
            let room = slots.layout.data_bytes.saturating_sub(at);
            let page = PAGE_BYTES.max(granule);
            let count = data.len().min(room).min(page - at % page);
            if count == 0 && !data.is_empty() {
                return Err(NorError::NoSpace);
            }
            let data = data.get(..count).unwrap_or_default();
            slots.chip.program(slots.layout.data(slot) + at, data)?;
            Ok(count)
        })?;
        self.position += offset(count);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), NorError> {
        Ok(())
    }
}

impl AppendFile for NorAppender {
    fn position(&self) -> u64 {
        self.position
    }

    fn sync_data(&mut self) -> Result<(), NorError> {
        // Programming is durable; a chip without power must still not claim success.
        self.handle.with(|slots| slots.chip.read(0, &mut []))
    }
}
