//! A simulated disk as a system's calls see it: files apart from their names, writes anywhere, folders made and synced
//! one by one.
//!
//! Must never make anything durable that a call on a real system does not promise: a synced file has no name yet, and a
//! synced folder none of its own.

use alloc::sync::Arc;

use super::fault::FaultKind;
use super::medium::Found;
use super::names::{FOLDER, Ino, Table};
use super::oplog::OperationKind;
use super::state::{State, Subject};
use super::{SimulatedDisk, SimulatedError};

/// A file, whatever its names are: what an open descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawFile(Ino);

/// A [`SimulatedDisk`] as a system's calls see it.
///
/// [`Directory`](durability_core::storage::Directory) is what a store is written against; this is what a *trace* of a store is
/// replayed through, and what is beyond that port: writes at any offset, folders that are made and synced each on its
/// own, files with several names or none. Paths are relative to the disk's root, with `/` between their components, and
/// under no other rule.
///
/// ```
/// use durability_testkit::simulated::{DiskOptions, SimulatedDisk, SurvivorLimits};
///
/// let disk = SimulatedDisk::new(DiskOptions::new());
/// let raw = disk.raw();
/// raw.make_folder("data")?;
/// let file = raw.create("data/a")?;
/// raw.write(file, 0, b"hello")?;
/// raw.sync(file)?;
/// raw.sync_folder("data")?;
/// // The file's bytes are durable, and so is its name in the folder; but who knows of the folder?
/// let states = disk.snapshot().crash_states(&SurvivorLimits::new());
/// assert!((0..states.len()).any(|state| states.disk(state).names().is_empty()));
/// raw.sync_folder("")?;
/// assert_eq!(disk.snapshot().crash_states(&SurvivorLimits::new()).len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RawDisk<'a> {
    disk: &'a SimulatedDisk,
}

impl SimulatedDisk {
    /// The same disk, as a system's calls see it.
    pub const fn raw(&self) -> RawDisk<'_> {
        RawDisk { disk: self }
    }
}

impl RawDisk<'_> {
    /// The file of that name.
    pub fn find(&self, path: &str) -> Option<RawFile> {
        match self.disk.lock_state().medium.find_path(path) {
            Found::File(_, ino) => Some(RawFile(ino)),
            Found::Absent | Found::Folder => None,
        }
    }

    /// Every name that a running system sees, sorted, and the file that it stands for; none for a folder.
    pub fn entries(&self) -> Vec<(String, Option<RawFile>)> {
        let state = self.disk.lock_state();
        let names = &state.medium.names;
        let file = |ino| (ino != FOLDER).then_some(RawFile(ino));
        let mut all: Vec<_> = names
            .cached
            .iter()
            .map(|(name, ino)| (names.table.text(*name).to_string(), file(*ino)))
            .collect();
        all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// What a running system reads in a file.
    pub fn contents(&self, file: RawFile) -> Vec<u8> {
        Vec::clone(&self.disk.lock_state().medium.inode(file.0).cache)
    }

    /// Makes a folder in one that is there. Its name is not durable.
    ///
    /// # Errors
    /// If the name is taken, or there is no folder for it; the disk's own.
    pub fn make_folder(&self, path: &str) -> Result<(), SimulatedError> {
        self.change(OperationKind::MakeFolder, path, |state| {
            free(state, path)?;
            name(state, path, Some(FOLDER));
            Ok(())
        })
    }

    /// Makes an empty file in a folder that is there. Its name is not durable.
    ///
    /// # Errors
    /// As [`make_folder`](Self::make_folder).
    pub fn create(&self, path: &str) -> Result<RawFile, SimulatedError> {
        self.change(OperationKind::Create { reserve: 0 }, path, |state| {
            free(state, path)?;
            let ino = Ino::try_from(state.medium.inodes.len());
            let ino = ino.map_err(|_| SimulatedError::NoSpace)?;
            state.medium.inodes.push(Arc::default());
            name(state, path, Some(ino));
            Ok(RawFile(ino))
        })
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// As [`make_folder`](Self::make_folder).
    pub fn link(&self, file: RawFile, path: &str) -> Result<(), SimulatedError> {
        let from = self.name_of(file);
        let names = Subject::Both(path, &from);
        self.disk.lock_state().perform(OperationKind::Link, names, |state, _| {
            free(state, path)?;
            name(state, path, Some(file.0));
            Ok(())
        })
    }

    /// Gives a file's name to it anew, in place of another, and takes the old one away: two names, each in its folder.
    ///
    /// # Errors
    /// If there is no such file, or a folder in its way; the disk's own.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), SimulatedError> {
        let names = Subject::Both(to, from);
        self.disk.lock_state().perform(OperationKind::Rename, names, |state, _| {
            let ino = file_at(state, from)?;
            match state.medium.find_path(to) {
                Found::Absent => free(state, to)?,
                Found::File(_, known) if known == ino => return Ok(()),
                Found::File(..) => {}
                Found::Folder => return Err(SimulatedError::WrongKind),
            }
            let table = &mut state.medium.names.table;
            let (old, new) = (Table::intern(table, from), Table::intern(table, to));
            state.medium.change(Some(old), new, Some(ino));
            Ok(())
        })
    }

    /// Takes a file's name away. The file stays for whoever holds it.
    ///
    /// # Errors
    /// If there is no such file; the disk's own.
    pub fn remove(&self, path: &str) -> Result<(), SimulatedError> {
        self.change(OperationKind::Remove, path, |state| {
            file_at(state, path)?;
            name(state, path, None);
            Ok(())
        })
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// If there is no such folder, or something in it; the disk's own.
    pub fn remove_folder(&self, path: &str) -> Result<(), SimulatedError> {
        self.change(OperationKind::Remove, path, |state| {
            let names = &state.medium.names;
            let within = |name: &u32| names.table.text(names.table.parent(*name)).as_ref() == path;
            let full = names.cached.iter().any(|(name, _)| within(name));
            if full || !matches!(state.medium.find_path(path), Found::Folder) {
                return Err(SimulatedError::WrongKind);
            }
            name(state, path, None);
            Ok(())
        })
    }

    /// Writes at any offset; what lies between the end and there reads as blank.
    ///
    /// # Errors
    /// The disk's own.
    pub fn write(&self, file: RawFile, at: u64, data: &[u8]) -> Result<(), SimulatedError> {
        let kind = OperationKind::Write { at, length: data.len() as u64 };
        self.change(kind, &self.name_of(file), |state| {
            state.write(file.0, at, data, None)?;
            Ok(())
        })
    }

    /// Writes as [`write`](Self::write) does, and all of the file is durable at once: kinder than any disk, for what is there
    /// before a run begins, and for files that recovery never reads.
    ///
    /// # Errors
    /// The disk's own.
    pub fn write_durably(&self, file: RawFile, at: u64, data: &[u8]) -> Result<(), SimulatedError> {
        let kind = OperationKind::Write { at, length: data.len() as u64 };
        self.change(kind, &self.name_of(file), |state| {
            state.write(file.0, at, data, None)?;
            state.sync(file.0, false, None)
        })
    }

    /// Makes a file shorter, or longer by blank bytes.
    ///
    /// # Errors
    /// The disk's own.
    pub fn set_length(&self, file: RawFile, length: u64) -> Result<(), SimulatedError> {
        self.change(OperationKind::Trim { at: length }, &self.name_of(file), |state| {
            let length = usize::try_from(length).map_err(|_| SimulatedError::BadPosition)?;
            let now = state.medium.inode(file.0).cache.len();
            state.check_room(length.saturating_sub(now) as u64)?;
            if length != now {
                let (sequence, blank) = (state.medium.tick(), state.options.blank);
                state.medium.inode_mut(file.0).resize(sequence, length, blank);
            }
            Ok(())
        })
    }

    /// Makes a file's bytes and its length durable, and no name: `fsync` and `fdatasync` promise the same of what is kept here.
    ///
    /// # Errors
    /// Injected ones.
    pub fn sync(&self, file: RawFile) -> Result<(), SimulatedError> {
        let name = self.name_of(file);
        let act = |state: &mut State, fault: Option<FaultKind>| state.sync(file.0, false, fault);
        self.disk.lock_state().perform(OperationKind::SyncData, Subject::Path(&name), act)
    }

    /// Makes the names in one folder durable, and neither its own nor those in folders below.
    ///
    /// # Errors
    /// If there is no such folder; injected ones.
    pub fn sync_folder(&self, path: &str) -> Result<(), SimulatedError> {
        self.change(OperationKind::SyncDir, path, |state| {
            if !is_folder(state, path) {
                return Err(SimulatedError::NotFound);
            }
            state.medium.sync_dir(path, false);
            Ok(())
        })
    }

    fn name_of(&self, file: RawFile) -> Arc<str> {
        let state = self.disk.lock_state();
        let names = &state.medium.names;
        let known = names.cached.iter().find(|(_, ino)| *ino == file.0);
        known
            .map_or_else(|| Arc::from("(no name)"), |(name, _)| Arc::clone(names.table.text(*name)))
    }

    fn change<T>(
        &self,
        kind: OperationKind,
        name: &str,
        act: impl FnOnce(&mut State) -> Result<T, SimulatedError>,
    ) -> Result<T, SimulatedError> {
        self.disk.lock_state().perform(kind, Subject::Path(name), |state, _| act(state))
    }
}

fn is_folder(state: &State, path: &str) -> bool {
    path.is_empty() || matches!(state.medium.find_path(path), Found::Folder)
}

fn file_at(state: &State, path: &str) -> Result<Ino, SimulatedError> {
    match state.medium.find_path(path) {
        Found::File(_, ino) => Ok(ino),
        Found::Folder => Err(SimulatedError::WrongKind),
        Found::Absent => Err(SimulatedError::NotFound),
    }
}

/// A name can be given: it is not taken, and its folder is there.
fn free(state: &State, path: &str) -> Result<(), SimulatedError> {
    if path.is_empty() || !matches!(state.medium.find_path(path), Found::Absent) {
        return Err(SimulatedError::WrongKind);
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if is_folder(state, folder) { Ok(()) } else { Err(SimulatedError::NotFound) }
}

fn name(state: &mut State, path: &str, ino: Option<Ino>) {
    let id = Table::intern(&mut state.medium.names.table, path);
    state.medium.change(None, id, ino);
}
