//! Open files and locks of a simulated disk.
//!
//! Must never hold bytes that outlive the process, unless they were handed to the disk.

use alloc::sync::Arc;

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{AppendFile, ReadFile};

use super::names::{Ino, NameId};
use super::oplog::OperationKind;
use super::state::Subject;
use super::{SimulatedDisk, SimulatedError};

/// A file of a [`SimulatedDisk`], open for reading.
#[derive(Debug)]
pub struct SimulatedReader {
    disk: SimulatedDisk,
    ino: Ino,
    cursor: u64,
    name: NameId,
}

impl SimulatedReader {
    pub(super) fn new(disk: SimulatedDisk, ino: Ino, name: NameId) -> Self {
        Self { disk, ino, cursor: 0, name }
    }
}

impl ErrorType for SimulatedReader {
    type Error = SimulatedError;
}

impl Read for SimulatedReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SimulatedError> {
        let count = self.read_at(self.cursor, buffer)?;
        self.cursor = self.cursor.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for SimulatedReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, SimulatedError> {
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.cursor.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len()?.checked_add_signed(delta),
        };
        self.cursor = target.ok_or(SimulatedError::BadPosition)?;
        Ok(self.cursor)
    }
}

impl ReadFile for SimulatedReader {
    fn len(&mut self) -> Result<u64, SimulatedError> {
        Ok(self.disk.lock_state().medium.inode(self.ino).cache.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, SimulatedError> {
        let kind = OperationKind::Read { at: offset, length: buffer.len() as u64 };
        self.disk.lock_state().perform(kind, Subject::Known(self.name), |state, _| {
            let bytes = &state.medium.inode(self.ino).cache;
            let start = usize::try_from(offset).ok();
            let rest = start.and_then(|at| bytes.get(at..)).unwrap_or_default();
            let count = rest.len().min(buffer.len()).min(state.options.read_bytes_max);
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }
}

/// A file of a [`SimulatedDisk`], open for appending.
///
/// Dropping it hands nothing over: with [write-behind](super::DiskOptions::with_write_behind), what was not flushed is
/// lost.
#[derive(Debug)]
pub struct SimulatedAppender {
    disk: SimulatedDisk,
    ino: Ino,
    /// Where the next byte handed to the disk goes.
    position: u64,
    /// Bytes that only this process has.
    behind: Vec<u8>,
    name: NameId,
}

impl SimulatedAppender {
    pub(super) fn new(disk: SimulatedDisk, ino: Ino, position: u64, name: NameId) -> Self {
        Self { disk, ino, position, behind: Vec::new(), name }
    }

    fn hand_over(&mut self, data: &[u8]) -> Result<usize, SimulatedError> {
        let (ino, at) = (self.ino, self.position);
        let kind = OperationKind::Write { at, length: data.len() as u64 };
        let taken =
            self.disk.lock_state().perform(kind, Subject::Known(self.name), |state, fault| {
                state.write(ino, at, data, fault)
            })?;
        self.position += taken as u64;
        Ok(taken)
    }

    fn hand_over_all(&mut self) -> Result<(), SimulatedError> {
        let behind = core::mem::take(&mut self.behind);
        let mut rest = &behind[..];
        while !rest.is_empty() {
            let taken = self.hand_over(rest)?;
            rest = &rest[taken..];
        }
        Ok(())
    }
}

impl Drop for SimulatedAppender {
    fn drop(&mut self) {
        let appending = &mut self.disk.lock_state().appending;
        if let Some(at) = appending.iter().position(|ino| *ino == self.ino) {
            appending.swap_remove(at);
        }
    }
}

impl ErrorType for SimulatedAppender {
    type Error = SimulatedError;
}

impl Write for SimulatedAppender {
    fn write(&mut self, data: &[u8]) -> Result<usize, SimulatedError> {
        let state = self.disk.lock_state();
        if state.options.write_behind {
            state.check_aligned(self.position, data.len() as u64)?;
            drop(state);
            self.behind.extend_from_slice(data);
            return Ok(data.len());
        }
        drop(state);
        self.hand_over(data)
    }

    fn flush(&mut self) -> Result<(), SimulatedError> {
        self.hand_over_all()?;
        let mut state = self.disk.lock_state();
        state.perform(OperationKind::Flush, Subject::Known(self.name), |_, _| Ok(()))
    }
}

impl AppendFile for SimulatedAppender {
    fn position(&self) -> u64 {
        self.position + self.behind.len() as u64
    }

    fn sync_data(&mut self) -> Result<(), SimulatedError> {
        self.hand_over_all()?;
        let mut state = self.disk.lock_state();
        let ino = self.ino;
        state.perform(OperationKind::SyncData, Subject::Known(self.name), |state, fault| {
            state.sync(ino, false, fault)
        })
    }

    fn trim(&mut self) -> Result<(), SimulatedError> {
        self.hand_over_all()?;
        let (ino, at) = (self.ino, self.position);
        let mut state = self.disk.lock_state();
        state.perform(OperationKind::Trim { at }, Subject::Known(self.name), |state, _| {
            let length = usize::try_from(at).map_err(|_| SimulatedError::BadPosition)?;
            let options = state.options;
            if options.reserve {
                state.medium.trim(ino, length, &options);
            }
            Ok(())
        })
    }
}

/// A lock on a [`SimulatedDisk`]; dropping it, or a crash, releases it.
#[derive(Debug)]
pub struct SimulatedLock {
    pub(super) disk: SimulatedDisk,
    pub(super) name: Arc<str>,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.lock_state().locks.retain(|name| *name != self.name);
    }
}
