//! Open files: one for reading, one for appending.
//!
//! Must never write through one descriptor and sync through another, nor go on after a failed write or sync.

use alloc::sync::Arc;
use std::fs::File;
use std::io;

use durability_core::storage::{AppendFile, ReadFile};
use embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};

use super::direct::Direct;
use super::path::FileLocation;
use super::platform::Root;
use super::{FsError, FsOperation, FsRefusal, platform};

/// A file of an [`FsDirectory`](super::FsDirectory), open for reading.
#[derive(Debug)]
pub struct FsReader {
    file: File,
    cursor: u64,
    /// Where the last read ended; `None` once the system was told that one follows the other.
    end: Option<u64>,
    location: FileLocation,
}

impl FsReader {
    pub(super) fn new(file: File, location: FileLocation) -> Self {
        Self { file, cursor: 0, end: Some(0), location }
    }

    fn error(&self, operation: FsOperation) -> impl Fn(io::Error) -> FsError + '_ {
        move |source| FsError::new(operation, self.location.path(), source)
    }

    fn read_from(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, FsError> {
        // With the second read that goes on where the one before ended: an open that reads only headers must not pay for what
        // it never reads. A replay from a disk takes half the time; asking for the pages by name (`WILLNEED`) made it slower.
        if offset > 0 && self.end == Some(offset) {
            platform::advise_sequential(&self.file);
            self.end = None;
        }
        let count = retry(|| platform::read_at(&self.file, buffer, offset))
            .map_err(self.error(FsOperation::Read))?;
        self.end = self.end.map(|_| offset.saturating_add(count as u64));
        Ok(count)
    }

    fn file_len(&self, operation: FsOperation) -> Result<u64, FsError> {
        Ok(self.file.metadata().map_err(self.error(operation))?.len())
    }
}

impl ErrorType for FsReader {
    type Error = FsError;
}

impl Read for FsReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FsError> {
        let count = self.read_from(self.cursor, buffer)?;
        self.cursor = self.cursor.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for FsReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, FsError> {
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.file_len(FsOperation::Seek)?.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.cursor.checked_add_signed(offset),
        };
        let refused = || self.error(FsOperation::Seek)(FsRefusal::BadSeek.into());
        self.cursor = target.ok_or_else(refused)?;
        Ok(self.cursor)
    }
}

impl ReadFile for FsReader {
    fn len(&mut self) -> Result<u64, FsError> {
        self.file_len(FsOperation::Length)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, FsError> {
        self.read_from(offset, buffer)
    }
}

/// A file of an [`FsDirectory`](super::FsDirectory), open for appending.
///
/// Each `write` is one system call that writes at the position, each `sync_data` one that syncs, through the same
/// descriptor. After one of them has failed, it refuses everything ([`FsRefusal::Poisoned`]): what arrived is unknown, and a
/// second sync of the same pages proves nothing.
///
/// With [`FsOptions::direct_io`](super::FsOptions::direct_io), what is written is held back until a flush or a sync, which is one system call in
/// the steady state; what is not handed over then is lost with the appender.
#[derive(Debug)]
pub struct FsAppender {
    file: File,
    position: u64,
    /// Where the file ends, room included.
    end: u64,
    poisoned: bool,
    direct: Option<Direct>,
    location: FileLocation,
    root: Arc<Root>,
}

impl FsAppender {
    /// `end` is where the file ends: at `position`, or beyond where there is room, or what a crash has left.
    pub(super) fn new(
        file: File,
        position: u64,
        end: u64,
        location: FileLocation,
        root: &Arc<Root>,
    ) -> Self {
        let (direct, root) = (None, Arc::clone(root));
        Self { file, position, end, poisoned: false, direct, location, root }
    }

    /// Goes around the system's cache from here on, if that can be. The file must be open for reading, too, unless it was created for this, with blank room.
    pub(super) fn begin_direct(mut self, operation: FsOperation) -> Result<Self, FsError> {
        let blank = operation == FsOperation::Create;
        let begun = Direct::begin(&self.file, self.position, self.end, blank);
        self.direct = begun.map_err(|source| self.error(operation, source))?;
        if self.direct.is_some() && self.position == 0 {
            // The zeros of the room, which nobody will read, and which each write would have to look for. Advice: no matter if it is not taken.
            let _ = platform::drop_cached(&self.file);
        }
        Ok(self)
    }

    /// Whether what is appended next goes around the system's cache: see [`FsOptions::direct_io`](super::FsOptions::direct_io).
    pub const fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    fn error(&self, operation: FsOperation, source: io::Error) -> FsError {
        FsError::new(operation, self.location.path(), source)
    }

    /// Runs a step that may leave the file in an unknown state: poisoned before it, healed by its success only.
    fn guarded<T>(
        &mut self,
        operation: FsOperation,
        step: impl FnMut(&File) -> io::Result<T>,
    ) -> Result<T, FsError> {
        let mut step = step;
        if self.poisoned && !planted!(FsPoisonForgotten) {
            return Err(self.error(operation, FsRefusal::Poisoned.into()));
        }
        self.poisoned = true;
        // An interrupted call has done nothing, and consumed no error.
        let done = retry(|| step(&self.file)).map_err(|source| self.error(operation, source))?;
        self.poisoned = false;
        Ok(done)
    }

    /// The same, with what is held back, if that is done; lost with the rest after a failure.
    fn guarded_direct<T>(
        &mut self,
        operation: FsOperation,
        mut step: impl FnMut(&File, Option<&mut Direct>) -> io::Result<T>,
    ) -> Result<T, FsError> {
        let mut direct = self.direct.take();
        let done = self.guarded(operation, |file| step(file, direct.as_mut()))?;
        self.direct = direct.filter(Direct::is_on);
        Ok(done)
    }

    fn moved(&mut self, written: usize) -> usize {
        self.position = self.position.saturating_add(written as u64);
        self.end = self.end.max(self.position);
        written
    }
}

impl ErrorType for FsAppender {
    type Error = FsError;
}

impl Write for FsAppender {
    fn write(&mut self, data: &[u8]) -> Result<usize, FsError> {
        let (position, end) = (self.position, self.end);
        if self.direct.is_some() && !data.is_empty() {
            let taken = self.guarded_direct(FsOperation::Write, |file, direct| {
                direct.map_or(Ok(0), |direct| direct.put(file, data, end))
            })?;
            if taken > 0 {
                return Ok(self.moved(taken));
            }
        }
        let written = self.guarded(FsOperation::Write, |file| {
            if data.is_empty() {
                return Ok(0);
            }
            match platform::write_at(file, data, position)? {
                0 => Err(FsRefusal::WroteNothing.into()),
                written => Ok(written),
            }
        })?;
        Ok(self.moved(written))
    }

    /// Hands over what is held back in this process: nothing, unless it goes around the system's cache.
    fn flush(&mut self) -> Result<(), FsError> {
        self.guarded_direct(FsOperation::Flush, |file, direct| match direct {
            Some(direct) => direct.hand_over(file, false).map(|_durable| ()),
            None => Ok(()),
        })
    }
}

impl AppendFile for FsAppender {
    fn position(&self) -> u64 {
        self.position
    }

    fn sync_data(&mut self) -> Result<(), FsError> {
        if planted!(FsFileUnsynced) {
            return Ok(());
        }
        let root = Arc::clone(&self.root);
        self.guarded_direct(FsOperation::SyncFile, |file, mut direct| {
            root.sync_name()?;
            if let Some(direct) = &mut direct
                && direct.hand_over(file, true)?
            {
                return Ok(());
            }
            // The standard library's own: it knows that `fsync` alone is not enough on Apple's systems.
            file.sync_data()?;
            if let Some(direct) = direct {
                direct.synced();
            }
            Ok(())
        })
    }

    /// Cuts off what lies beyond the position. A crash may undo that; nothing depends on it.
    fn trim(&mut self) -> Result<(), FsError> {
        let position = self.position;
        let has_room = self.end > position;
        self.guarded_direct(FsOperation::Trim, |file, direct| {
            if let Some(direct) = direct {
                direct.leave(file)?;
            }
            if has_room { file.set_len(position) } else { Ok(()) }
        })?;
        self.end = position;
        Ok(())
    }
}

/// Calls again what was interrupted by a signal before it did anything.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Bytes written at once when a file is filled with zeros.
const ZEROS_BYTES: usize = 64 << 10;

/// Fills a new file with `bytes` zeros, and makes them durable with their size and blocks.
///
/// Written, not only allocated: a block that is merely allocated has to be marked as written at the first write to it, and that
/// metadata is what a sync would wait for.
pub(super) fn fill_with_zeros(file: &File, bytes: u64) -> io::Result<()> {
    static ZEROS: [u8; ZEROS_BYTES] = [0; ZEROS_BYTES];
    let mut offset = 0;
    while offset < bytes {
        let left = usize::try_from(bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let piece = ZEROS.get(..left).unwrap_or(&ZEROS);
        match retry(|| platform::write_at(file, piece, offset))? {
            0 => return Err(FsRefusal::WroteNothing.into()),
            written => offset = offset.saturating_add(written as u64),
        }
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use durability_core::storage::Name;

    use super::*;

    /// An appender whose every write fails: its descriptor cannot write.
    fn broken() -> (tempfile::TempDir, FsAppender) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        let location = FileLocation::new(&scratch.path().into(), Name::new("file").unwrap());
        let root = Arc::new(Root::open(scratch.path()).unwrap());
        let appender = FsAppender::new(File::open(path).unwrap(), 0, 7, location, &root);
        (scratch, appender)
    }

    #[test]
    fn after_a_failed_write_an_appender_refuses_everything() {
        let (_scratch, mut appender) = broken();
        assert_eq!(appender.write(b"x").unwrap_err().refusal(), None);
        assert_eq!(appender.write(b"x").unwrap_err().refusal(), Some(FsRefusal::Poisoned));
        assert_eq!(appender.write(b"").unwrap_err().refusal(), Some(FsRefusal::Poisoned));
        assert_eq!(appender.flush().unwrap_err().refusal(), Some(FsRefusal::Poisoned));
        assert_eq!(appender.trim().unwrap_err().refusal(), Some(FsRefusal::Poisoned));
        // The descriptor itself could be synced: it is the appender that refuses.
        assert_eq!(appender.sync_data().unwrap_err().refusal(), Some(FsRefusal::Poisoned));
        assert_eq!(appender.position(), 0);
    }

    #[test]
    fn an_interrupted_call_is_made_again_and_no_other_failed_one() {
        let mut calls = 0;
        let done = retry(|| {
            calls += 1;
            if calls < 3 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(calls) }
        });
        assert_eq!(done.unwrap(), 3);
        let mut calls = 0;
        let failed: io::Result<()> = retry(|| {
            calls += 1;
            Err(io::ErrorKind::Other.into())
        });
        assert!(failed.is_err());
        assert_eq!(calls, 1);
    }
}
