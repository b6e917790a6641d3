//! [`SimulatedDisk`]: the handle, and its [`Directory`] implementation.
//!
//! Must never be kinder than the contract of [`Directory`]; where the contract leaves a choice, the caller gets the
//! worse one.

use alloc::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use durability_core::storage::{Capabilities, Directory, Folder, Locking, Name};

use super::fault::{Fault, FaultKind};
use super::files::{SimulatedAppender, SimulatedLock, SimulatedReader};
use super::medium::{Found, Medium};
use super::names::{FOLDER, Ino};
use super::oplog::{Operation, OperationKind};
use super::state::{Recording, State, Subject};
use super::survivors::Snapshot;
use super::{DiskOptions, SimulatedError};

/// A disk that keeps what was synced, and after a crash any part of the rest.
///
/// Clones are handles to the same disk. Two views are kept: what a running system reads, and what the medium has.
/// [`snapshot`](Self::snapshot) freezes both at any moment; from it come the states that a power cut at that moment can
/// leave, each a new disk, and the state after the end of the process, where the cache is alive and still not
/// durable.
///
/// - *Data.* An unsynced write survives in any subset of its tear units. A lost unit reads as its old content, or,
///   where it was being written, as zeros or junk. Bytes of a unit that were durable and not written over stay (A4).
/// - *Length.* Persists apart from the data: ahead of it, or short.
/// - *Names.* Every creation, removal and rename survives or not, each on its own, and apart from data. A file in a
///   folder whose own name is lost is gone.
/// - *Syncs.* `sync_data` makes bytes durable and no name; `sync_dir` the names in a folder and those of the folders
///   above. A failed sync may drop pages: the cache goes on showing them, later syncs say `Ok`, and they are never
///   written. Only `sync_file` reveals it.
/// - *Locks* end with the process.
///
/// ```
/// use durability_core::storage::{AppendFile, Directory, Folder, Name};
/// use durability_core::embedded_io::Write;
/// use durability_testkit::simulated::{DiskOptions, SimulatedDisk, SurvivorLimits};
///
/// let disk = SimulatedDisk::new(DiskOptions::new());
/// let mut file = disk.create(Name::new("a")?, 0)?.ok_or("taken")?;
/// file.write(b"hello")?;
/// file.sync_data()?;
/// // The bytes are durable, the name is not: a power cut keeps the file or loses it.
/// assert_eq!(disk.snapshot().crash_states(&SurvivorLimits::new()).len(), 2);
/// disk.sync_dir(Folder::ROOT)?;
/// assert_eq!(disk.snapshot().crash_states(&SurvivorLimits::new()).len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SimulatedDisk {
    pub(super) state: Arc<Mutex<State>>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(options: DiskOptions) -> Self {
        Self::with(Medium::new(), options, Recording::Operations)
    }

    pub(super) fn with(medium: Medium, options: DiskOptions, recording: Recording) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(medium, options, recording))) }
    }

    pub(super) fn lock_state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere left no half-done change that a simulated crash could not.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Orders a failure; it replaces one that was ordered before.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.lock_state();
        state.fault = Some(fault);
        state.fault_struck = false;
    }

    /// Changes how many bytes the files may hold in all.
    pub fn set_bytes_max(&self, bytes: u64) {
        self.lock_state().options.bytes_max = bytes;
    }

    /// The sum of the lengths of all files.
    pub fn bytes(&self) -> u64 {
        self.lock_state().medium.bytes()
    }

    /// Whether the failure that was ordered has happened.
    pub fn fault_struck(&self) -> bool {
        self.lock_state().fault_struck
    }

    /// The disk as it is now, for looking at what a crash would leave. On disks made by [`explore`](super::explore()) for a
    /// last life nothing is pending: no crash follows.
    pub fn snapshot(&self) -> Snapshot {
        self.lock_state().snapshot()
    }

    pub(super) fn take_snapshots(&self) -> Vec<Snapshot> {
        core::mem::take(&mut self.lock_state().snapshots)
    }

    /// How many operations were asked of this disk: the index of the next one.
    pub fn operation_count(&self) -> u64 {
        self.lock_state().operations
    }

    /// What was asked of this disk, in order. Empty for disks made by [`explore`](super::explore()) for a last life.
    pub fn operations(&self) -> Vec<Operation> {
        self.lock_state().log.clone()
    }

    /// What a running system reads in a file; `None` if there is none.
    pub fn contents(&self, name: Name<'_>) -> Option<Vec<u8>> {
        let state = self.lock_state();
        let ino = state.medium.file(name).ok()??;
        Some(Vec::clone(&state.medium.inode(ino).cache))
    }

    /// The names of all files that a running system sees, sorted.
    pub fn names(&self) -> Vec<String> {
        let state = self.lock_state();
        let names = &state.medium.names;
        let files = names.cached.iter().filter(|(_, ino)| *ino != FOLDER);
        let mut all: Vec<_> = files.map(|(name, _)| names.table.text(*name).to_string()).collect();
        all.sort_unstable();
        all
    }

    /// Makes the names in one folder durable and nothing above it, as `fsync` of one directory does.
    ///
    /// # Errors
    /// Injected ones.
    pub fn sync_folder_alone(&self, folder: Folder<'_>) -> Result<(), SimulatedError> {
        self.sync_folder(folder, false)
    }

    fn sync_folder(&self, folder: Folder<'_>, upwards: bool) -> Result<(), SimulatedError> {
        self.perform(OperationKind::SyncDir, folder.as_str(), |state, _| {
            state.medium.sync_dir(folder, upwards);
            Ok(())
        })
    }

    fn perform<T>(
        &self,
        kind: OperationKind,
        name: &str,
        act: impl FnOnce(&mut State, Option<FaultKind>) -> Result<T, SimulatedError>,
    ) -> Result<T, SimulatedError> {
        self.lock_state().perform(kind, Subject::Path(name), act)
    }
}

impl Directory for SimulatedDisk {
    type Error = SimulatedError;
    type Reader = SimulatedReader;
    type Appender = SimulatedAppender;
    type Lock = SimulatedLock;

    fn capabilities(&self) -> Capabilities {
        self.lock_state().options.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<SimulatedReader>, SimulatedError> {
        let found = self.perform(OperationKind::Open, name.as_str(), |state, _| {
            let found = state.medium.named(name)?;
            let busy = |(_, ino): &(_, Ino)| state.appending.contains(ino);
            if !state.options.read_while_appending && found.as_ref().is_some_and(busy) {
                return Err(SimulatedError::Busy);
            }
            Ok(found)
        })?;
        Ok(found.map(|(name, ino)| SimulatedReader::new(self.clone(), ino, name)))
    }

    fn create(
        &self,
        name: Name<'_>,
        reserve: u64,
    ) -> Result<Option<SimulatedAppender>, SimulatedError> {
        let kind = OperationKind::Create { reserve };
        let made = self.perform(kind, name.as_str(), |state, _| {
            if !matches!(state.medium.find(name), Found::Absent) {
                return Ok(None);
            }
            // A wish: a full disk makes the file all the same.
            let granted = state.options.reserve && state.check_room(reserve).is_ok();
            let reserve = if granted { reserve } else { 0 };
            let reserve = usize::try_from(reserve).map_err(|_| SimulatedError::NoSpace)?;
            let options = state.options;
            let (name, ino) = state.medium.create(name, reserve, &options)?;
            state.appending.push(ino);
            Ok(Some((name, ino)))
        })?;
        Ok(made.map(|(name, ino)| SimulatedAppender::new(self.clone(), ino, 0, name)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<SimulatedAppender>, SimulatedError> {
        let kind = OperationKind::Reopen { at };
        let found = self.perform(kind, name.as_str(), |state, _| {
            if !state.options.reopen {
                return Err(SimulatedError::Unsupported);
            }
            let Some((name, ino)) = state.medium.named(name)? else { return Ok(None) };
            state.check_aligned(at, 0)?;
            if at > state.medium.inode(ino).cache.len() as u64 {
                return Err(SimulatedError::BadPosition);
            }
            state.appending.push(ino);
            Ok(Some((name, ino)))
        })?;
        Ok(found.map(|(name, ino)| SimulatedAppender::new(self.clone(), ino, at, name)))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), SimulatedError> {
        self.perform(OperationKind::Remove, name.as_str(), |state, _| state.medium.remove(name))
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), SimulatedError> {
        // Copied first, so that `each` may use the disk.
        let (table, found) = self.perform(OperationKind::List, folder.as_str(), |state, _| {
            let names = &state.medium.names;
            let Some(id) = names.table.find(folder.as_str()) else { return Ok((None, Vec::new())) };
            let within = |name: &u32| names.table.parent(*name) == id;
            let files = names.cached.iter().filter(|(name, ino)| *ino != FOLDER && within(name));
            Ok((Some(Arc::clone(&names.table)), files.map(|(name, _)| *name).collect()))
        })?;
        for name in found {
            if let Some(table) = &table {
                each(table.file(name));
            }
        }
        Ok(())
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), SimulatedError> {
        self.perform(OperationKind::SyncFile, name.as_str(), |state, fault| {
            let ino = state.medium.file(name)?.ok_or(SimulatedError::NotFound)?;
            let reveal = !state.options.naive_sync_file;
            state.sync(ino, reveal, fault)
        })
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), SimulatedError> {
        self.sync_folder(folder, true)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<SimulatedLock>, SimulatedError> {
        let lock: Arc<str> = Arc::from(name.as_str());
        let taken = self.perform(OperationKind::Lock, name.as_str(), |state, _| {
            if state.locks.contains(&lock) {
                return Ok(false);
            }
            state.locks.push(Arc::clone(&lock));
            Ok(true)
        })?;
        if taken {
            return Ok(Locking::Acquired(SimulatedLock { disk: self.clone(), name: lock }));
        }
        Ok(Locking::Held { holder: None })
    }

    fn nonce(&self) -> u64 {
        let mut state = self.lock_state();
        state.medium.nonce += 1;
        // Spread out, as random bits would be, yet the same in every replay.
        super::hash::mix(state.medium.nonce, 0)
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), SimulatedError> {
        let names = Subject::Both(to.as_str(), from.as_str());
        self.lock_state().perform(OperationKind::Rename, names, |state, _| {
            if !state.options.rename {
                return Err(SimulatedError::Unsupported);
            }
            state.medium.rename(from, to)
        })
    }
}
