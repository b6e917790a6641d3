//! The volume behind a directory: folders walked by name, handles shared and closed, clusters given back.
//!
//! Must never leave a handle of the store open by accident: it has few of them.

use std::collections::{BTreeMap, BTreeSet};

use durability_core::storage::{Folder, Name};
use embedded_sdmmc::{
    Block, BlockDevice as _, BlockIdx, DirEntry, Error as Store, Mode, RawDirectory, RawFile,
    RawVolume, TimeSource, Timestamp, VolumeIdx, VolumeManager,
};

use super::{FatError, RamDisk, RamError};

/// Folders and files that may be open at once.
const FOLDERS_MAX: usize = 4;
const FILES_MAX: usize = 32;
/// Where a directory entry keeps the first cluster.
const ENTRY_CLUSTER: usize = 26;
/// Entries of the table from here on end a chain, those below 2 are none.
const CLUSTERS_END: u16 = 0xFFF0;

type Manager = VolumeManager<RamDisk, NoClock, FOLDERS_MAX, FILES_MAX, 1>;

/// The suite runs the same at any hour.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoClock;

impl TimeSource for NoClock {
    fn get_timestamp(&self) -> Timestamp {
        Timestamp::from_fat(0x21, 0)
    }
}

/// A mounted volume.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) manager: Manager,
    partition: RawVolume,
    /// The store opens a file once; readers of one file share that.
    readers: BTreeMap<String, (RawFile, usize)>,
    pub(super) locks: BTreeSet<String>,
}

/// FAT does not tell cases apart.
pub(super) fn key(name: Name<'_>) -> String {
    name.as_str().to_ascii_uppercase()
}

impl Volume {
    pub(super) fn mount(disk: RamDisk) -> Result<Self, FatError> {
        let manager = Manager::new_with_limits(disk, NoClock, 5000);
        let partition = manager.open_raw_volume(VolumeIdx(0))?;
        Ok(Self { manager, partition, readers: BTreeMap::new(), locks: BTreeSet::new() })
    }

    /// Runs `action` in a folder; `None` if the folder is missing and not to be made.
    pub(super) fn in_folder<T>(
        &self,
        folder: Folder<'_>,
        make: bool,
        action: impl FnOnce(&Manager, RawDirectory) -> Result<T, FatError>,
    ) -> Result<Option<T>, FatError> {
        let mut here = self.manager.open_root_dir(self.partition)?;
        for part in folder.as_str().split('/').filter(|part| !part.is_empty()) {
            let below = self.enter(here, part, make);
            self.manager.close_dir(here)?;
            match below? {
                Some(below) => here = below,
                None => return Ok(None),
            }
        }
        let result = action(&self.manager, here);
        self.manager.close_dir(here)?;
        result.map(Some)
    }

    fn enter(
        &self,
        here: RawDirectory,
        part: &str,
        make: bool,
    ) -> Result<Option<RawDirectory>, FatError> {
        match self.manager.open_dir(here, part) {
            Ok(below) => Ok(Some(below)),
            Err(Store::NotFound) if make => {
                self.manager.make_dir_in_dir(here, part)?;
                Ok(Some(self.manager.open_dir(here, part)?))
            }
            Err(Store::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The entry of a file; `None` if there is none, or if a folder has the name.
    pub(super) fn find(&self, name: Name<'_>) -> Result<Option<DirEntry>, FatError> {
        let found = self.in_folder(name.folder(), false, |manager, folder| {
            match manager.find_directory_entry(folder, name.file()) {
                Ok(entry) => Ok(Some(entry)),
                Err(Store::NotFound) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })?;
        Ok(found.flatten().filter(|entry| !entry.attributes.is_directory()))
    }

    /// Opens a file to write; `None` if its folder is missing.
    pub(super) fn open(&self, name: Name<'_>, mode: Mode) -> Result<Option<RawFile>, FatError> {
        let make = mode == Mode::ReadWriteCreate;
        self.in_folder(name.folder(), make, |manager, folder| {
            Ok(manager.open_file_in_dir(folder, name.file(), mode)?)
        })
    }

    /// Opens a file to read, or joins those that read it.
    pub(super) fn open_reader(&mut self, name: Name<'_>) -> Result<Option<RawFile>, FatError> {
        if let Some((file, count)) = self.readers.get_mut(&key(name)) {
            *count += 1;
            return Ok(Some(*file));
        }
        if self.find(name)?.is_none() {
            return Ok(None);
        }
        let opened = self.open(name, Mode::ReadOnly)?;
        if let Some(file) = opened {
            self.readers.insert(key(name), (file, 1));
        }
        Ok(opened)
    }

    /// Ends one reader; the last one closes the file.
    pub(super) fn close_reader(&mut self, key: &str) {
        let Some((file, count)) = self.readers.get_mut(key) else { return };
        *count -= 1;
        if *count == 0 {
            // A file that was only read has nothing to lose.
            let _closed = self.manager.close_file(*file);
            self.readers.remove(key);
        }
    }

    /// Removes a file and gives its clusters back, which the store does not do itself.
    pub(super) fn remove(&self, name: Name<'_>) -> Result<(), FatError> {
        let Some(entry) = self.find(name)? else { return Ok(()) };
        let first = self.manager.device(|disk| first_cluster(disk, &entry)).map_err(Store::from)?;
        self.in_folder(name.folder(), false, |manager, folder| {
            Ok(manager.delete_entry_in_dir(folder, name.file())?)
        })?;
        // crash: the clusters are lost until the volume is checked, but no file has them
        self.manager.device(|disk| free_chain(disk, first)).map_err(Store::from)?;
        Ok(())
    }
}

fn read16(block: &Block, at: usize) -> u16 {
    let byte = |at| block.contents.get(at).copied().unwrap_or(0);
    u16::from_le_bytes([byte(at), byte(at + 1)])
}

fn first_cluster(disk: &RamDisk, entry: &DirEntry) -> Result<u16, RamError> {
    let mut block = [Block::new()];
    disk.read(&mut block, entry.entry_block)?;
    let at = usize::try_from(entry.entry_offset).unwrap_or(0) + ENTRY_CLUSTER;
    Ok(block.first().map_or(0, |block| read16(block, at)))
}

fn free_chain(disk: &RamDisk, first: u16) -> Result<(), RamError> {
    let mut cluster = first;
    while (2..CLUSTERS_END).contains(&cluster) {
        let mut next = 0;
        for (block, at) in RamDisk::table_entries(cluster) {
            next = clear_entry(disk, block, at)?;
        }
        cluster = next;
    }
    Ok(())
}

/// Sets a table entry to "free" and returns what it was.
fn clear_entry(disk: &RamDisk, index: BlockIdx, at: usize) -> Result<u16, RamError> {
    let mut blocks = [Block::new()];
    disk.read(&mut blocks, index)?;
    let mut was = 0;
    for block in &mut blocks {
        was = read16(block, at);
        for byte in block.contents.iter_mut().skip(at).take(2) {
            *byte = 0;
        }
    }
    disk.write(&blocks, index)?;
    Ok(was)
}
