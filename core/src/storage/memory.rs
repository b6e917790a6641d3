//! A directory in memory, for tests, examples and caches.
//!
//! Must behave like a backend whose every operation is at once durable for as long as the value lives.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use embedded_io::{ErrorKind, ErrorType, Read, Seek, SeekFrom, Write};
use spin::Mutex;

use super::{
    AppendFile, Capabilities, Directory, DynDirectory, Folder, Locking, Name, ReadFile, StoreError,
};

/// A directory in memory.
///
/// Clones share their content. Barriers are its own: what is written lives exactly as long as the last clone and survives the
/// "end" of any writer on it, so `sync_data`, `sync_file` and `sync_dir` have nothing to do.
///
/// ```
/// use durability_core::storage::{Directory, MemoryDirectory, Name};
/// let dir = MemoryDirectory::new();
/// assert!(dir.open(Name::new("absent")?).unwrap().is_none());
/// # Ok::<(), durability_core::storage::NameError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryDirectory {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, Arc<Mutex<Vec<u8>>>>,
    locks: BTreeSet<String>,
    bytes: u64,
    bytes_max: u64,
    nonce: u64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            files: BTreeMap::new(),
            locks: BTreeSet::new(),
            bytes: 0,
            bytes_max: u64::MAX,
            nonce: 0x9E37_79B9_7F4A_7C15,
        }
    }
}

/// What can go wrong in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MemoryError {
    /// The bytes granted to the directory are used up, or the allocator has no more.
    #[error("no space left in the memory directory")]
    NoSpace,
    /// The operation is not there.
    #[error("operation not supported by the memory directory")]
    Unsupported,
    /// A file that must exist does not.
    #[error("no such file in the memory directory")]
    NotFound,
    /// A seek before the start, or an append position beyond the end.
    #[error("position outside of the file")]
    BadPosition,
}

impl embedded_io::Error for MemoryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSpace => ErrorKind::OutOfMemory,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::NotFound => ErrorKind::NotFound,
            Self::BadPosition => ErrorKind::InvalidInput,
        }
    }
}

impl StoreError for MemoryError {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSpace)
    }
    fn unsupported() -> Self {
        Self::Unsupported
    }
}

impl MemoryDirectory {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty directory that is full once its files hold `bytes_max` bytes.
    pub fn with_bytes_max(bytes_max: u64) -> Self {
        let dir = Self::default();
        dir.inner.lock().bytes_max = bytes_max;
        dir
    }

    /// Changes how many bytes the files may hold; what is there already stays.
    pub fn set_bytes_max(&self, bytes_max: u64) {
        self.inner.lock().bytes_max = bytes_max;
    }

    /// An empty directory, shared and type-erased: ready to hand to anything that takes a directory.
    pub fn arc() -> Arc<dyn DynDirectory<Error = MemoryError>> {
        Arc::new(Self::default())
    }

    /// A copy of a file's bytes; `None` if there is none. For tests and tools.
    pub fn contents(&self, name: Name<'_>) -> Option<Vec<u8>> {
        let file = Arc::clone(self.inner.lock().files.get(name.as_str())?);
        let bytes = file.lock().clone();
        Some(bytes)
    }

    /// Puts a file there, or replaces it, whatever the limit says. For tests and tools.
    pub fn put(&self, name: Name<'_>, bytes: Vec<u8>) {
        let mut inner = self.inner.lock();
        inner.drop_file(name);
        inner.bytes = inner.bytes.saturating_add(bytes.len() as u64);
        inner.files.insert(name.as_str().into(), Arc::new(Mutex::new(bytes)));
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.inner.lock().files.keys().cloned().collect()
    }
}

impl Inner {
    fn drop_file(&mut self, name: Name<'_>) {
        if let Some(file) = self.files.remove(name.as_str()) {
            self.bytes = self.bytes.saturating_sub(file.lock().len() as u64);
        }
    }
}

/// A file of a [`MemoryDirectory`], open for reading.
#[derive(Debug)]
pub struct MemoryReader {
    file: Arc<Mutex<Vec<u8>>>,
    cursor: u64,
}

impl ErrorType for MemoryReader {
    type Error = MemoryError;
}

impl Read for MemoryReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let count = self.read_at(self.cursor, buffer)?;
        self.cursor = self.cursor.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for MemoryReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, MemoryError> {
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) => self.cursor.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len()?.checked_add_signed(delta),
        };
        self.cursor = target.ok_or(MemoryError::BadPosition)?;
        Ok(self.cursor)
    }
}

impl ReadFile for MemoryReader {
    fn len(&mut self) -> Result<u64, MemoryError> {
        Ok(self.file.lock().len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let bytes = self.file.lock();
        let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }
}

/// A file of a [`MemoryDirectory`], open for appending.
#[derive(Debug)]
pub struct MemoryAppender {
    inner: Arc<Mutex<Inner>>,
    file: Arc<Mutex<Vec<u8>>>,
    position: u64,
}

impl ErrorType for MemoryAppender {
    type Error = MemoryError;
}

impl Write for MemoryAppender {
    fn write(&mut self, data: &[u8]) -> Result<usize, MemoryError> {
        let mut inner = self.inner.lock();
        let mut bytes = self.file.lock();
        let start = usize::try_from(self.position).map_err(|_| MemoryError::BadPosition)?;
        let end = start.checked_add(data.len()).ok_or(MemoryError::NoSpace)?;
        let growth = end.saturating_sub(bytes.len());
        let total = inner.bytes.saturating_add(growth as u64);
        if total > inner.bytes_max || bytes.try_reserve(growth).is_err() {
            return Err(MemoryError::NoSpace);
        }
        if growth > 0 {
            bytes.truncate(start);
            bytes.extend_from_slice(data);
        } else {
            bytes.get_mut(start..end).ok_or(MemoryError::BadPosition)?.copy_from_slice(data);
        }
        inner.bytes = total;
        self.position = end as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl AppendFile for MemoryAppender {
    fn position(&self) -> u64 {
        self.position
    }
    fn sync_data(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }
}

/// A lock in a [`MemoryDirectory`]; dropping it releases the lock.
#[derive(Debug)]
pub struct MemoryLock {
    inner: Arc<Mutex<Inner>>,
    name: String,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.inner.lock().locks.remove(&self.name);
    }
}

impl Directory for MemoryDirectory {
    type Error = MemoryError;
    type Reader = MemoryReader;
    type Appender = MemoryAppender;
    type Lock = MemoryLock;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_reopen().with_rename().with_read_while_appending()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<MemoryReader>, MemoryError> {
        let file = self.inner.lock().files.get(name.as_str()).cloned();
        Ok(file.map(|file| MemoryReader { file, cursor: 0 }))
    }

    fn create(&self, name: Name<'_>, _reserve: u64) -> Result<Option<MemoryAppender>, MemoryError> {
        let mut inner = self.inner.lock();
        if inner.files.contains_key(name.as_str()) {
            return Ok(None);
        }
        let file = Arc::new(Mutex::new(Vec::new()));
        inner.files.insert(name.as_str().into(), Arc::clone(&file));
        Ok(Some(MemoryAppender { inner: Arc::clone(&self.inner), file, position: 0 }))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<MemoryAppender>, MemoryError> {
        let Some(file) = self.inner.lock().files.get(name.as_str()).cloned() else {
            return Ok(None);
        };
        if at > file.lock().len() as u64 {
            return Err(MemoryError::BadPosition);
        }
        Ok(Some(MemoryAppender { inner: Arc::clone(&self.inner), file, position: at }))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.inner.lock().drop_file(name);
        Ok(())
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        // The names are copied so that `each` may use the directory.
        for name in self.names() {
            if let Some(file) = Name::new(&name).ok().and_then(|name| folder.holds(name)) {
                each(file);
            }
        }
        Ok(())
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), MemoryError> {
        let known = self.inner.lock().files.contains_key(name.as_str());
        if known { Ok(()) } else { Err(MemoryError::NotFound) }
    }

    fn sync_dir(&self, _folder: Folder<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<MemoryLock>, MemoryError> {
        if !self.inner.lock().locks.insert(name.as_str().into()) {
            return Ok(Locking::Held { holder: None });
        }
        let inner = Arc::clone(&self.inner);
        Ok(Locking::Acquired(MemoryLock { inner, name: name.as_str().into() }))
    }

    fn nonce(&self) -> u64 {
        // A Weyl sequence: distinct within the directory, which is all the life that this storage has.
        let mut inner = self.inner.lock();
        inner.nonce = inner.nonce.wrapping_add(0x9E37_79B9_7F4A_7C15);
        inner.nonce
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), MemoryError> {
        let mut inner = self.inner.lock();
        let file = inner.files.remove(from.as_str()).ok_or(MemoryError::NotFound)?;
        if let Some(old) = inner.files.insert(to.as_str().into(), file) {
            inner.bytes = inner.bytes.saturating_sub(old.lock().len() as u64);
        }
        Ok(())
    }
}
