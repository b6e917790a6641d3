//! Files on a FAT volume: a reader and an appender over handles of the store.
//!
//! Must never be dropped without closing its handle.

use std::sync::{Arc, Mutex};

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{AppendFile, ReadFile};
use embedded_sdmmc::{Error as Store, RawFile};

use super::FatError;
use super::volume::Volume;
use crate::shared::{lock, offset};

/// A file of a [`FatDirectory`](super::FatDirectory), open for reading.
#[derive(Debug)]
pub struct FatReader {
    pub(super) volume: Arc<Mutex<Volume>>,
    pub(super) file: RawFile,
    pub(super) key: String,
    pub(super) cursor: u64,
}

impl Drop for FatReader {
    fn drop(&mut self) {
        lock(&self.volume).close_reader(&self.key);
    }
}

impl ErrorType for FatReader {
    type Error = FatError;
}

impl Read for FatReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FatError> {
        let count = self.read_at(self.cursor, buffer)?;
        self.cursor = self.cursor.saturating_add(offset(count));
        Ok(count)
    }
}

impl Seek for FatReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, FatError> {
        let length = self.len()?;
        let target = match position {
            SeekFrom::Start(offset) => i128::from(offset),
            SeekFrom::Current(delta) => i128::from(self.cursor) + i128::from(delta),
            SeekFrom::End(delta) => i128::from(length) + i128::from(delta),
        };
        let bad = |_| FatError::BadPosition { position: target, length };
        self.cursor = u64::try_from(target).map_err(bad)?;
        Ok(self.cursor)
    }
}

impl ReadFile for FatReader {
    fn len(&mut self) -> Result<u64, FatError> {
        Ok(u64::from(lock(&self.volume).manager.file_length(self.file)?))
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, FatError> {
        let volume = lock(&self.volume);
        let length = volume.manager.file_length(self.file)?;
        // The store refuses to seek beyond the end; its own offsets have 32 bits.
        let Some(at) = u32::try_from(offset).ok().filter(|at| *at < length) else { return Ok(0) };
        volume.manager.file_seek_from_start(self.file, at)?;
        Ok(volume.manager.read(self.file, buffer)?)
    }
}

/// A file of a [`FatDirectory`](super::FatDirectory), open for appending.
///
/// The store writes bytes through; what flush and sync add is the length in the folder's entry.
#[derive(Debug)]
pub struct FatAppender {
    pub(super) volume: Arc<Mutex<Volume>>,
    pub(super) file: RawFile,
    pub(super) position: u64,
}

impl Drop for FatAppender {
    fn drop(&mut self) {
        // What was not flushed has no promise to keep.
        let _closed = lock(&self.volume).manager.close_file(self.file);
    }
}

impl ErrorType for FatAppender {
    type Error = FatError;
}

impl Write for FatAppender {
    fn write(&mut self, data: &[u8]) -> Result<usize, FatError> {
        let end = self.position.saturating_add(offset(data.len()));
        if end > u64::from(u32::MAX) {
            return Err(Store::DiskFull.into());
        }
        lock(&self.volume).manager.write(self.file, data)?;
        self.position = end;
        Ok(data.len())
    }

    fn flush(&mut self) -> Result<(), FatError> {
        Ok(lock(&self.volume).manager.flush_file(self.file)?)
    }
}

impl AppendFile for FatAppender {
    fn position(&self) -> u64 {
        self.position
    }

    fn sync_data(&mut self) -> Result<(), FatError> {
        self.flush()
    }
}
