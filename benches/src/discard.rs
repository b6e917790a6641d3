//! A directory that forgets what is written: what is left of a time is the library's own.
//!
//! Must never be mistaken for a place to keep anything.

use durability::embedded_io::{ErrorType, Write};
use durability::storage::{
    AppendFile, Capabilities, Directory, Folder, Locking, MemoryDirectory, MemoryError,
    MemoryReader, Name,
};

/// Forgets what is written, and has nothing to read.
#[derive(Debug, Clone, Default)]
pub struct Discard {
    nothing: MemoryDirectory,
}

/// A file that forgets what is written.
#[derive(Debug, Default)]
pub struct Discarded {
    position: u64,
}

impl ErrorType for Discarded {
    type Error = MemoryError;
}

impl Write for Discarded {
    fn write(&mut self, data: &[u8]) -> Result<usize, MemoryError> {
        std::hint::black_box(data);
        self.position += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl AppendFile for Discarded {
    fn position(&self) -> u64 {
        self.position
    }

    fn sync_data(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl Directory for Discard {
    type Error = MemoryError;
    type Reader = MemoryReader;
    type Appender = Discarded;
    type Lock = ();

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<MemoryReader>, MemoryError> {
        self.nothing.open(name)
    }

    fn create(&self, _: Name<'_>, _: u64) -> Result<Option<Discarded>, MemoryError> {
        Ok(Some(Discarded::default()))
    }

    fn remove(&self, _: Name<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn list(&self, _: Folder<'_>, _: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        Ok(())
    }

    fn sync_dir(&self, _: Folder<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn lock(&self, _: Name<'_>) -> Result<Locking<()>, MemoryError> {
        Ok(Locking::Acquired(()))
    }

    fn nonce(&self) -> u64 {
        1
    }
}
