//! `FsDirectory`: the [`Directory`] port over a folder of a real file system.
//!
//! Must never reach a file but below the open root, nor report a sync that the system did not report.

use alloc::sync::Arc;
use std::io;
use std::path::{self, Path};

use durability_core::storage::{
    Capabilities, Directory, DynDirectory, Folder, Locking, Name, NameBuf,
};

use super::durable_folders::DurableFolders;
use super::error::is_no_space;
use super::file::fill_with_zeros;
use super::path::{FileLocation, path_of_file, path_of_folder};
use super::platform::{Handle, Root};
use super::{
    FsAppender, FsError, FsLock, FsOperation, FsOptions, FsReader, FsRefusal, lock, nonce, platform,
};

/// A folder of a real file system.
///
/// Clones share their state, and any number of threads may use them. Names are resolved below a handle on the folder that
/// is opened once: neither `..`, nor an absolute path, nor a symbolic link leads out of it, and it stays the same folder when
/// its path is renamed.
///
/// # Durability
/// - The folder's own name is durable once [`new`](Self::new) has returned, if it was created for it, and so are those of the folders above it that were.
///   The name of a folder that was found becomes durable with the first sync of anything in it, of whatever kind, or before the first folder is created
///   in it. (Where the one above it may not be read, it is taken to be durable.)
/// - [`sync_dir`](Directory::sync_dir) syncs the folder, and those above it unless this value or a clone has done so since
///   the folder was created: one `fsync` in the steady state.
/// - [`sync_file`](Directory::sync_file) syncs the file and, on Linux, drops what is cached of it, so that what is read next is what
///   the medium has. On other systems there is no portable way to drop a cache; there it is as good as the system's `fsync`.
/// - An appender syncs with `fdatasync`, on Apple's systems with `F_FULLFSYNC`; with [`FsOptions::direct_io`] it may write with `RWF_DSYNC` instead.
///
/// # Limits
/// - Locks are those of the system (`flock`): on a network file system they are as good as that is.
/// - New files and folders can be written by the group at most, and as the process's umask says; never by others.
/// - Whether names differ by case is up to the file system.
///
/// ```
/// use durability::embedded_io::Write;
/// use durability::storage::{AppendFile, Directory, Folder, FsDirectory, Name, ReadFile};
/// # let scratch = tempfile::tempdir()?;
/// # let path = scratch.path().join("data");
/// let dir = FsDirectory::new(&path)?;
/// let name = Name::new("wal/a")?;
/// if let Some(mut file) = dir.create(name, 0)? {
///     file.write(b"bytes")?;
///     file.sync_data()?; // the bytes are durable ...
///     dir.sync_dir(name.folder())?; // ... and so is the name
/// }
/// let mut bytes = [0; 5];
/// if let Some(mut file) = dir.open(name)? {
///     file.read_at(0, &mut bytes)?;
/// }
/// assert_eq!(&bytes, b"bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FsDirectory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: Arc<Root>,
    path: Arc<Path>,
    options: FsOptions,
    durable: DurableFolders,
}

impl FsDirectory {
    /// Opens the folder at `path`, creating it and those above it where they are missing.
    ///
    /// **Durability.** See [the type](Self#durability). After `Err`, some of the folders may have been created.
    ///
    /// # Errors
    /// An empty path; whatever the system meets.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, FsError> {
        Self::with_options(path, FsOptions::new())
    }

    /// As [`new`](Self::new), with options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(path: impl AsRef<Path>, options: FsOptions) -> Result<Self, FsError> {
        let given = path.as_ref();
        let failed = |source| FsError::new(FsOperation::OpenDirectory, given.to_path_buf(), source);
        if given.as_os_str().is_empty() {
            return Err(failed(FsRefusal::EmptyPath.into()));
        }
        // For `file_path` and errors, which must outlive a change of the working directory.
        let path = path::absolute(given).map_err(failed)?;
        let root = Arc::new(Root::open(&path).map_err(failed)?);
        let durable = DurableFolders::default();
        Ok(Self { inner: Arc::new(Inner { root, path: path.into(), options, durable }) })
    }

    /// As [`new`](Self::new), shared and type-erased: ready to hand to anything that takes a directory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn arc(path: impl AsRef<Path>) -> Result<Arc<dyn DynDirectory<Error = FsError>>, FsError> {
        Ok(Arc::new(Self::new(path)?))
    }

    /// The folder's path, absolute, as it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The options it was opened with.
    pub fn options(&self) -> FsOptions {
        self.inner.options
    }

    fn at_file(&self, operation: FsOperation, name: Name<'_>) -> impl Fn(io::Error) -> FsError {
        move |source| FsError::new(operation, path_of_file(&self.inner.path, name), source)
    }

    fn at_folder(
        &self,
        operation: FsOperation,
        folder: Folder<'_>,
    ) -> impl Fn(io::Error) -> FsError {
        move |source| FsError::new(operation, path_of_folder(&self.inner.path, folder), source)
    }

    fn location(&self, name: Name<'_>) -> FileLocation {
        FileLocation::new(&self.inner.path, name)
    }

    /// Opens a folder, and creates it and those above it where they are missing.
    fn make_folder(&self, folder: Folder<'_>) -> io::Result<Handle<'_>> {
        self.inner.root.make_folder(folder, || self.inner.durable.forget())
    }

    fn create_file(&self, name: Name<'_>, reserve: u64) -> Result<Option<FsAppender>, FsError> {
        let failed = self.at_file(FsOperation::Create, name);
        let folder = self.make_folder(name.folder()).map_err(&failed)?;
        let Some(file) = folder.create(name.file()).map_err(&failed)? else {
            return Ok(None);
        };
        let root = &self.inner.root;
        let appender = |file, end| FsAppender::new(file, 0, end, self.location(name), root);
        if reserve == 0 || !self.inner.options.preallocates() {
            return Ok(Some(appender(file, 0)));
        }
        let Err(error) = fill_with_zeros(&file, reserve) else {
            return self.directed(appender(file, reserve), FsOperation::Create).map(Some);
        };
        // The file must be gone before anything else, or it would keep the room that the wish could not have.
        drop(file);
        let removed = folder.remove(name.file());
        if is_no_space(&error) || error.kind() == io::ErrorKind::FileTooLarge {
            removed.map_err(&failed)?;
            // A new file, not the old one cut short: whatever a sync may have reported was about the old one.
            let file = folder.create(name.file()).map_err(&failed)?;
            return Ok(file.map(|file| appender(file, 0)));
        }
        Err(self.at_file(FsOperation::Reserve, name)(error))
    }

    /// Around the system's cache, if that is wanted.
    fn directed(&self, file: FsAppender, operation: FsOperation) -> Result<FsAppender, FsError> {
        if self.inner.options.uses_direct_io() { file.begin_direct(operation) } else { Ok(file) }
    }

    fn sync_folders(&self, folder: Folder<'_>) -> io::Result<()> {
        let inner = &self.inner;
        let Some(handle) = inner.root.folder(folder)? else {
            return Ok(());
        };
        if !planted!(FsFolderUnsynced) {
            handle.sync()?;
        }
        inner.root.sync_name()?;
        if folder.is_root() {
            return Ok(());
        }
        // Taken before the syncs above it: what they make durable is the folder that is open here.
        let identity = handle.identity()?;
        if inner.durable.knows(folder, identity) {
            return Ok(());
        }
        let mut above = folder.parent().filter(|_| !planted!(FsParentUnsynced));
        while let Some(parent) = above {
            // One that has vanished took the folder with it, and there is no name left to be made durable.
            if let Some(handle) = inner.root.folder(parent)? {
                handle.sync()?;
            }
            above = parent.parent();
        }
        inner.durable.remember(folder, identity);
        Ok(())
    }

    fn sync_whole_file(&self, name: Name<'_>) -> io::Result<()> {
        let folder = self.inner.root.folder(name.folder())?;
        let file = folder.map(|folder| folder.open_to_sync(name.file())).transpose()?.flatten();
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        self.inner.root.sync_name()?;
        if !planted!(FsSyncFileMissing) {
            file.sync_all()?;
        }
        if planted!(FsCacheKept) {
            return Ok(());
        }
        // After a failed sync, now forgotten by the system, the cache may hold bytes that the medium does not have, marked as
        // if it had. Only after a good sync is everything clean, and can be dropped.
        platform::drop_cached(&file)
    }
}

impl Directory for FsDirectory {
    type Error = FsError;
    type Reader = FsReader;
    type Appender = FsAppender;
    type Lock = FsLock;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_write_granule(1)
            .with_tear_unit(512)
            .with_file_bytes_max(i64::MAX.unsigned_abs())
            .with_reopen()
            .with_rename()
            .with_read_while_appending()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<FsReader>, FsError> {
        let open = || match self.inner.root.folder(name.folder())? {
            Some(folder) => folder.open(name.file()),
            None => Ok(None),
        };
        let file = open().map_err(self.at_file(FsOperation::Open, name))?;
        Ok(file.map(|file| FsReader::new(file, self.location(name))))
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<FsAppender>, FsError> {
        self.create_file(name, reserve)
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<FsAppender>, FsError> {
        let open = || {
            let folder = self.inner.root.folder(name.folder())?;
            // To read what the block has already that the first write goes to.
            let readable = self.inner.options.uses_direct_io();
            let file = folder.map(|folder| folder.reopen(name.file(), readable)).transpose()?;
            let Some(file) = file.flatten() else { return Ok(None) };
            let length = file.metadata()?.len();
            if at > length {
                return Err(FsRefusal::BeyondEnd { at, length }.into());
            }
            Ok(Some((file, length)))
        };
        let file = open().map_err(self.at_file(FsOperation::Reopen, name))?;
        let root = &self.inner.root;
        let Some((file, end)) = file else { return Ok(None) };
        let file = FsAppender::new(file, at, end, self.location(name), root);
        self.directed(file, FsOperation::Reopen).map(Some)
    }

    fn remove(&self, name: Name<'_>) -> Result<(), FsError> {
        let remove = || match self.inner.root.folder(name.folder())? {
            Some(folder) => folder.remove(name.file()),
            None => Ok(()),
        };
        remove().map_err(self.at_file(FsOperation::Remove, name))
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), FsError> {
        let mut list = || match self.inner.root.folder(folder)? {
            Some(handle) => handle.list(&mut |file| {
                if NameBuf::join(folder, file).is_ok() {
                    each(file);
                }
            }),
            None => Ok(()),
        };
        list().map_err(self.at_folder(FsOperation::List, folder))
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), FsError> {
        self.sync_whole_file(name).map_err(self.at_file(FsOperation::SyncFile, name))
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), FsError> {
        self.sync_folders(folder).map_err(self.at_folder(FsOperation::SyncDir, folder))
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<FsLock>, FsError> {
        let acquire = || lock::acquire(self.make_folder(name.folder())?.open_lock(name.file())?);
        acquire().map_err(self.at_file(FsOperation::Lock, name))
    }

    fn nonce(&self) -> u64 {
        nonce::draw()
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), FsError> {
        let rename = || {
            let source = self.inner.root.folder(from.folder())?.ok_or(io::ErrorKind::NotFound)?;
            let target = self.make_folder(to.folder())?;
            source.rename(from.file(), &target, to.file())
        };
        rename().map_err(self.at_file(FsOperation::Rename, from))
    }

    fn file_path(&self, name: Name<'_>) -> Option<String> {
        path_of_file(&self.inner.path, name).into_os_string().into_string().ok()
    }
}
