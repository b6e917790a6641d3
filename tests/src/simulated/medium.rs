//! The disk itself: names and contents, cached and durable. Cheap to copy, because every crash point is a copy.
//!
//! Must never know of handles, faults or logs.

use alloc::sync::Arc;

use durability_core::storage::Name;

use super::inode::Inode;
use super::names::{FOLDER, Ino, NameChange, NameId, Names, Namespace, ROOT, Table, lookup};
use super::{DiskOptions, SimulatedError};

/// Names and contents, cached and durable.
#[derive(Debug, Clone)]
pub(super) struct Medium {
    pub(super) names: Namespace,
    pub(super) inodes: Vec<Arc<Inode>>,
    /// Counts changes, so that survivors can be picked by age.
    sequence: u64,
    /// Counts changes and syncs: equal numbers in one life mean equal disks.
    version: u64,
    /// No crash will follow: what it could leave need not be known.
    pub(super) is_last: bool,
    /// Behind `nonce`; a persistent counter, as a chip would have it.
    pub(super) nonce: u64,
    /// What the file held that was removed last.
    pub(super) removed: Arc<Vec<u8>>,
}

/// What a name stands for.
pub(super) enum Found {
    Absent,
    File(NameId, Ino),
    Folder,
}

impl Medium {
    pub(super) fn new() -> Self {
        Self {
            names: Namespace::new(),
            inodes: Vec::new(),
            sequence: 0,
            version: 0,
            is_last: false,
            nonce: 0,
            removed: Arc::default(),
        }
    }

    /// The disk after a crash: what is there is durable, and nothing is pending.
    pub(super) fn survived(&self, names: &Arc<Names>, inodes: Vec<Arc<Inode>>) -> Self {
        let names = Namespace {
            table: Arc::clone(&self.names.table),
            cached: Arc::clone(names),
            durable: Arc::clone(names),
            pending: Vec::new(),
        };
        Self {
            names,
            inodes,
            sequence: self.sequence,
            version: 0,
            is_last: false,
            nonce: self.nonce,
            removed: Arc::clone(&self.removed),
        }
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.sequence += 1;
        self.version += 1;
        self.sequence
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn find(&self, name: Name<'_>) -> Found {
        self.find_path(name.as_str())
    }

    pub(super) fn find_path(&self, path: &str) -> Found {
        let found = self.names.table.find(path);
        match found.and_then(|id| Some((id, lookup(&self.names.cached, id)?))) {
            None => Found::Absent,
            Some((_, FOLDER)) => Found::Folder,
            Some((id, ino)) => Found::File(id, ino),
        }
    }

    /// The file of that name, which must be one if it is there, and the number of the name.
    pub(super) fn named(&self, name: Name<'_>) -> Result<Option<(NameId, Ino)>, SimulatedError> {
        match self.find(name) {
            Found::Absent => Ok(None),
            Found::File(id, ino) => Ok(Some((id, ino))),
            Found::Folder => Err(SimulatedError::WrongKind),
        }
    }

    pub(super) fn file(&self, name: Name<'_>) -> Result<Option<Ino>, SimulatedError> {
        Ok(self.named(name)?.map(|(_, ino)| ino))
    }

    pub(super) fn inode(&self, ino: Ino) -> &Inode {
        &self.inodes[ino as usize]
    }

    pub(super) fn inode_mut(&mut self, ino: Ino) -> &mut Inode {
        Arc::make_mut(&mut self.inodes[ino as usize])
    }

    /// A good sync.
    pub(super) fn sync(&mut self, ino: Ino, blank: u8) {
        let file = self.inode(ino);
        if file.is_settled() && Arc::ptr_eq(&file.cache, &file.durable) {
            return;
        }
        if self.is_last {
            self.inode_mut(ino).sync_untracked(blank);
        } else {
            self.touch(ino).sync(blank);
        }
    }

    /// Whether the cache shows what is durable, and nothing lies between.
    pub(super) fn is_settled(&self) -> bool {
        let mut files = self.names.cached.iter().filter(|(_, ino)| *ino != FOLDER);
        self.names.pending.is_empty() && files.all(|(_, ino)| self.inode(*ino).is_settled())
    }

    /// A file that is about to be synced.
    pub(super) fn touch(&mut self, ino: Ino) -> &mut Inode {
        if !self.inode(ino).is_settled() {
            self.version += 1;
        }
        self.inode_mut(ino)
    }

    /// Bytes in all files that have a name.
    pub(super) fn bytes(&self) -> u64 {
        let files = self.names.cached.iter().filter(|(_, ino)| *ino != FOLDER);
        files.map(|(_, ino)| self.inode(*ino).cache.len() as u64).sum()
    }

    pub(super) fn create(
        &mut self,
        name: Name<'_>,
        reserve: usize,
        options: &DiskOptions,
    ) -> Result<(NameId, Ino), SimulatedError> {
        let id = Table::intern(&mut self.names.table, name.as_str());
        self.make_folders(self.names.table.parent(id))?;
        let ino = Ino::try_from(self.inodes.len()).map_err(|_| SimulatedError::NoSpace)?;
        self.inodes.push(Arc::default());
        self.change(None, id, Some(ino));
        if reserve > 0 {
            let sequence = self.tick();
            let file = self.inode_mut(ino);
            if options.reserve_written {
                file.write(sequence, 0, &vec![options.blank; reserve], options.blank);
            } else {
                file.resize(sequence, reserve, options.blank);
            }
        }
        Ok((id, ino))
    }

    fn make_folders(&mut self, folder: NameId) -> Result<(), SimulatedError> {
        if folder == ROOT {
            return Ok(());
        }
        match lookup(&self.names.cached, folder) {
            Some(FOLDER) => Ok(()),
            Some(_) => Err(SimulatedError::WrongKind),
            None => {
                self.make_folders(self.names.table.parent(folder))?;
                self.change(None, folder, Some(FOLDER));
                Ok(())
            }
        }
    }

    pub(super) fn change(&mut self, old: Option<NameId>, new: NameId, ino: Option<Ino>) {
        let sequence = self.tick();
        let change = NameChange { sequence, old, new: Some((new, ino)) };
        self.names.change(change, !self.is_last);
    }

    pub(super) fn remove(&mut self, name: Name<'_>) -> Result<(), SimulatedError> {
        if let Some(ino) = self.file(name)? {
            self.removed = Arc::clone(&self.inode(ino).cache);
            let id = Table::intern(&mut self.names.table, name.as_str());
            self.change(None, id, None);
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: Name<'_>, to: Name<'_>) -> Result<(), SimulatedError> {
        let ino = self.file(from)?.ok_or(SimulatedError::NotFound)?;
        self.file(to)?;
        if from != to {
            let old = Table::intern(&mut self.names.table, from.as_str());
            let new = Table::intern(&mut self.names.table, to.as_str());
            self.make_folders(self.names.table.parent(new))?;
            self.change(Some(old), new, Some(ino));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, ino: Ino, at: usize, data: &[u8], options: &DiskOptions) {
        let sequence = self.tick();
        let is_last = self.is_last;
        let file = self.inode_mut(ino);
        if is_last {
            file.write_untracked(sequence, at, data, options.blank);
        } else {
            file.write(sequence, at, data, options.blank);
        }
    }

    /// Cuts a file, if it is longer.
    pub(super) fn trim(&mut self, ino: Ino, length: usize, options: &DiskOptions) {
        if self.inode(ino).cache.len() > length {
            let sequence = self.tick();
            self.inode_mut(ino).resize(sequence, length, options.blank);
        }
    }

    pub(super) fn sync_dir(&mut self, folder: &str, upwards: bool) {
        if !self.names.pending.is_empty() {
            self.version += 1;
            self.names.sync(folder, upwards);
        }
    }
}
