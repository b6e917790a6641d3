//! What stands behind the handles of one simulated disk: the medium, the operation counter, faults and locks.
//!
//! Must never touch the medium for an operation that a fault or a power cut stopped.

use alloc::sync::Arc;

use super::fault::{Fault, FaultKind};
use super::medium::Medium;
use super::names::{Ino, NameId};
use super::oplog::{Operation, OperationKind};
use super::survivors::Snapshot;
use super::{DiskOptions, SimulatedError};

/// How much to remember of what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    /// Count operations only, and forget what a crash could leave: for lives that end without one. Fastest.
    Count,
    /// Keep the operations.
    Operations,
    /// Keep a copy of the disk after every operation that changed it.
    Snapshots,
    /// Keep both.
    Everything,
}

/// What an operation is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Path(&'a str),
    Known(NameId),
    /// The new name and the old one.
    Both(&'a str, &'a str),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) medium: Medium,
    pub(super) options: DiskOptions,
    pub(super) operations: u64,
    pub(super) recording: Recording,
    pub(super) log: Vec<Operation>,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) locks: Vec<Arc<str>>,
    /// Files that an appender is open on, once for each.
    pub(super) appending: Vec<Ino>,
    pub(super) fault: Option<Fault>,
    pub(super) fault_struck: bool,
    power_off: bool,
}

impl State {
    pub(super) fn new(mut medium: Medium, options: DiskOptions, recording: Recording) -> Self {
        medium.is_last = recording == Recording::Count;
        let mut state = Self {
            medium,
            options,
            operations: 0,
            recording,
            log: Vec::new(),
            snapshots: Vec::new(),
            locks: Vec::new(),
            appending: Vec::new(),
            fault: None,
            fault_struck: false,
            power_off: false,
        };
        state.record_snapshot();
        state
    }

    /// Counts an operation, lets a fault strike, does it, and writes it down.
    pub(super) fn perform<T>(
        &mut self,
        kind: OperationKind,
        subject: Subject<'_>,
        act: impl FnOnce(&mut Self, Option<FaultKind>) -> Result<T, SimulatedError>,
    ) -> Result<T, SimulatedError> {
        let fault = self.strike(kind);
        self.operations += 1;
        let result = fault.and_then(|fault| match (act(self, fault), fault) {
            (Ok(_), Some(FaultKind::IoAfterEffect)) => Err(SimulatedError::Io),
            (result, _) => result,
        });
        if matches!(self.recording, Recording::Operations | Recording::Everything) {
            let error = result.as_ref().err().copied();
            let (name, from) = match subject {
                Subject::Path(name) => (Arc::from(name), None),
                Subject::Known(name) => (Arc::clone(self.medium.names.table.text(name)), None),
                Subject::Both(name, from) => (Arc::from(name), Some(Arc::from(from))),
            };
            self.log.push(Operation { kind, name, from, error });
        }
        if kind.changes_the_disk() {
            self.record_snapshot();
        }
        result
    }

    /// Stops the operation if a fault says so; what is returned else is for the operation to heed.
    fn strike(&mut self, kind: OperationKind) -> Result<Option<FaultKind>, SimulatedError> {
        if self.power_off {
            return Err(SimulatedError::PowerOff);
        }
        let due = |fault: &Fault| fault.at == self.operations && fault.kind.applies_to(kind);
        let Some(fault) = self.fault.filter(due) else { return Ok(None) };
        self.fault_struck = true;
        match fault.kind {
            FaultKind::Io => Err(SimulatedError::Io),
            FaultKind::NoSpace => Err(SimulatedError::NoSpace),
            FaultKind::Interrupted => Err(SimulatedError::Interrupted),
            FaultKind::PowerOff => {
                self.power_off = true;
                Err(SimulatedError::PowerOff)
            }
            FaultKind::IoAfterEffect | FaultKind::ShortWrite | FaultKind::SyncFailed(_) => {
                Ok(Some(fault.kind))
            }
        }
    }

    fn record_snapshot(&mut self) {
        let version = self.medium.version();
        let changed = |last: &Snapshot| last.medium.version() != version;
        let wanted = matches!(self.recording, Recording::Snapshots | Recording::Everything);
        if wanted && self.snapshots.last().is_none_or(changed) {
            self.snapshots.push(self.snapshot());
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { operations: self.operations, medium: self.medium.clone(), options: self.options }
    }

    /// Whether the files may grow by so much.
    pub(super) fn check_room(&self, growth: u64) -> Result<(), SimulatedError> {
        let limit = self.options.bytes_max;
        if limit == u64::MAX || self.medium.bytes().saturating_add(growth) <= limit {
            return Ok(());
        }
        Err(SimulatedError::NoSpace)
    }

    pub(super) fn check_aligned(&self, at: u64, length: u64) -> Result<(), SimulatedError> {
        let granule = self.options.write_granule;
        let fits = |value: u64| value.is_multiple_of(u64::from(granule));
        if fits(at) && fits(length) {
            return Ok(());
        }
        Err(SimulatedError::Misaligned { at, length, granule })
    }

    /// Writes as much as the disk takes, and returns how much that was.
    pub(super) fn write(
        &mut self,
        ino: Ino,
        at: u64,
        data: &[u8],
        fault: Option<FaultKind>,
    ) -> Result<usize, SimulatedError> {
        self.check_aligned(at, data.len() as u64)?;
        let granule = self.options.write_granule as usize;
        let half = (data.len() / 2).next_multiple_of(granule).min(data.len());
        let taken = if fault == Some(FaultKind::ShortWrite) { half } else { data.len() };
        let start = usize::try_from(at).map_err(|_| SimulatedError::BadPosition)?;
        let end = start.checked_add(taken).ok_or(SimulatedError::NoSpace)?;
        let length = self.medium.inode(ino).cache.len();
        if end as u64 > self.options.file_bytes_max {
            return Err(SimulatedError::NoSpace);
        }
        self.check_room(end.saturating_sub(length) as u64)?;
        if self.options.program_once {
            let old = self.medium.inode(ino).cache.get(start..end.min(length)).unwrap_or_default();
            if let Some(used) = old.iter().position(|byte| *byte != self.options.blank) {
                return Err(SimulatedError::ProgrammedTwice { at: at + used as u64 });
            }
        }
        if taken > 0 {
            let options = self.options;
            self.medium.write(ino, start, &data[..taken], &options);
        }
        Ok(taken)
    }

    /// Syncs a file, or fails to; `reveal` throws the cache away afterwards.
    pub(super) fn sync(
        &mut self,
        ino: Ino,
        reveal: bool,
        fault: Option<FaultKind>,
    ) -> Result<(), SimulatedError> {
        let options = self.options;
        if let Some(FaultKind::SyncFailed(dropped)) = fault {
            let file = self.medium.touch(ino);
            file.fail_sync(dropped, options.tear_unit as usize, options.blank);
            return Err(SimulatedError::SyncFailed);
        }
        self.medium.sync(ino, options.blank);
        if reveal && self.medium.inode(ino).diverged {
            self.medium.touch(ino).reveal();
        }
        Ok(())
    }
}
