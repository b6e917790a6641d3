//! The directory over a FAT volume.
//!
//! Must never offer an atomic rename: FAT has none.

use std::sync::{Arc, Mutex};

use durability_core::storage::{Capabilities, Directory, Folder, Locking, Name};
use embedded_sdmmc::Mode;

use super::volume::{Volume, key};
use super::{FatAppender, FatError, FatReader, RamDisk};
use crate::shared::lock;

/// A directory on a FAT16 volume in memory; clones share it.
///
/// - Names are 8.3 and their case is lost: others are refused with an error.
/// - The store writes everything through. A file's length becomes durable with `flush` and `sync_data`.
/// - An open file can be neither removed nor opened to append; at most 32 files are open at once.
/// - FAT itself does not survive a power cut inside an operation that writes its tables: this backend takes no part
///   in crash tests.
///
/// ```
/// use durability_core::storage::{Directory, Folder, Name};
/// use durability_testkit::backends::FatDirectory;
///
/// let dir = FatDirectory::new()?;
/// assert!(dir.create(Name::new("wal/0000001F.WAL").unwrap(), 0)?.is_some());
/// assert!(dir.create(Name::new("wal/0123456789.WAL").unwrap(), 0).is_err());
/// # Ok::<(), durability_testkit::backends::FatError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FatDirectory {
    disk: RamDisk,
    volume: Arc<Mutex<Volume>>,
    nonce: Arc<Mutex<u64>>,
}

impl FatDirectory {
    /// An empty directory on a freshly formatted disk.
    ///
    /// # Errors
    /// None in practice: the disk is in memory and its format constant.
    pub fn new() -> Result<Self, FatError> {
        Self::mount(RamDisk::formatted())
    }

    /// The directory that is on a disk.
    ///
    /// # Errors
    /// [`FatError::Store`] if there is no FAT16 volume in its first partition.
    pub fn mount(disk: RamDisk) -> Result<Self, FatError> {
        let volume = Arc::new(Mutex::new(Volume::mount(disk.clone())?));
        Ok(Self { disk, volume, nonce: Arc::new(Mutex::new(random())) })
    }

    /// The disk below; take an [image](RamDisk::image) of it to mount a second time.
    pub fn disk(&self) -> &RamDisk {
        &self.disk
    }
}

/// Random bits from the standard library's only source of them: the keys of its hash maps.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish()
}

/// A lock in a [`FatDirectory`]; dropping it releases the lock.
#[derive(Debug)]
pub struct FatLock {
    volume: Arc<Mutex<Volume>>,
    key: String,
}

impl Drop for FatLock {
    fn drop(&mut self) {
        lock(&self.volume).locks.remove(&self.key);
    }
}

impl Directory for FatDirectory {
    type Error = FatError;
    type Reader = FatReader;
    type Appender = FatAppender;
    type Lock = FatLock;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_file_bytes_max(u64::from(u32::MAX)).with_reopen()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<FatReader>, FatError> {
        let opened = lock(&self.volume).open_reader(name)?;
        let (volume, key) = (Arc::clone(&self.volume), key(name));
        Ok(opened.map(|file| FatReader { volume, file, key, cursor: 0 }))
    }

    fn create(&self, name: Name<'_>, _reserve: u64) -> Result<Option<FatAppender>, FatError> {
        let volume = lock(&self.volume);
        if volume.find(name)?.is_some() {
            return Ok(None);
        }
        let created = volume.open(name, Mode::ReadWriteCreate)?;
        let volume = Arc::clone(&self.volume);
        Ok(created.map(|file| FatAppender { volume, file, position: 0 }))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<FatAppender>, FatError> {
        let volume = lock(&self.volume);
        let Some(entry) = volume.find(name)? else { return Ok(None) };
        let (position, length) = (i128::from(at), u64::from(entry.size));
        let bad = FatError::BadPosition { position, length };
        let at = u32::try_from(at).ok().filter(|at| *at <= entry.size).ok_or(bad)?;
        let Some(file) = volume.open(name, Mode::ReadWriteAppend)? else { return Ok(None) };
        // From here on dropping the appender closes the file.
        let shared = Arc::clone(&self.volume);
        let appender = FatAppender { volume: shared, file, position: u64::from(at) };
        let sought = volume.manager.file_seek_from_start(file, at);
        drop(volume);
        sought?;
        Ok(Some(appender))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), FatError> {
        lock(&self.volume).remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), FatError> {
        use std::ops::ControlFlow;
        // The names are copied so that `each` may use the directory.
        let mut names = Vec::new();
        lock(&self.volume).in_folder(folder, false, |manager, folder| {
            manager.iterate_dir(folder, |entry| {
                if !entry.attributes.is_directory() && !entry.attributes.is_volume() {
                    names.push(entry.name.to_string());
                }
                ControlFlow::Continue(())
            })?;
            Ok(())
        })?;
        names.iter().filter(|name| Name::new(name).is_ok()).for_each(|name| each(name));
        Ok(())
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), FatError> {
        lock(&self.volume).find(name)?.map(|_| ()).ok_or(FatError::NotFound)
    }

    fn sync_dir(&self, _folder: Folder<'_>) -> Result<(), FatError> {
        Ok(())
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<FatLock>, FatError> {
        let key = key(name);
        if !lock(&self.volume).locks.insert(key.clone()) {
            return Ok(Locking::Held { holder: None });
        }
        Ok(Locking::Acquired(FatLock { volume: Arc::clone(&self.volume), key }))
    }

    fn nonce(&self) -> u64 {
        let mut nonce = lock(&self.nonce);
        *nonce = nonce.wrapping_add(0x9E37_79B9_7F4A_7C15);
        *nonce
    }
}
