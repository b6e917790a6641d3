//! The dyn-compatible twin of `Directory`: the backend is chosen at run time.

use alloc::boxed::Box;
use alloc::string::String;
use core::any::Any;

use super::{AppendFile, Capabilities, Directory, Folder, Locking, Name, ReadFile, StoreError};

impl<F: ReadFile + ?Sized> ReadFile for Box<F> {
    fn len(&mut self) -> Result<u64, Self::Error> {
        (**self).len()
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        (**self).read_at(offset, buffer)
    }
}

impl<F: AppendFile + ?Sized> AppendFile for Box<F> {
    fn position(&self) -> u64 {
        (**self).position()
    }
    fn sync_data(&mut self) -> Result<(), Self::Error> {
        (**self).sync_data()
    }
    fn trim(&mut self) -> Result<(), Self::Error> {
        (**self).trim()
    }
}

/// The dyn-compatible twin of [`Directory`], for code that chooses its backend at run time.
///
/// Never implement it: every [`Directory`] that can be shared between threads has it. Use it as
/// `Arc<dyn DynDirectory<Error = E>>`, which is a [`Directory`] itself.
///
/// ```
/// use std::sync::Arc;
/// use durability_core::storage::{Directory, DynDirectory, MemoryDirectory, MemoryError};
/// let dir: Arc<dyn DynDirectory<Error = MemoryError>> = Arc::new(MemoryDirectory::new());
/// assert!(dir.capabilities().reopen());
/// ```
pub trait DynDirectory: Send + Sync {
    /// What failed operations return.
    type Error: StoreError;

    /// [`Directory::capabilities`].
    fn capabilities_dyn(&self) -> Capabilities;
    /// [`Directory::open`], boxed.
    ///
    /// # Errors
    /// As the backend's.
    fn open_dyn(&self, name: Name<'_>) -> Result<Option<BoxReader<Self::Error>>, Self::Error>;
    /// [`Directory::create`], boxed.
    ///
    /// # Errors
    /// As the backend's.
    fn create_dyn(
        &self,
        name: Name<'_>,
        reserve: u64,
    ) -> Result<Option<BoxAppender<Self::Error>>, Self::Error>;
    /// [`Directory::reopen`], boxed.
    ///
    /// # Errors
    /// As the backend's.
    fn reopen_dyn(
        &self,
        name: Name<'_>,
        at: u64,
    ) -> Result<Option<BoxAppender<Self::Error>>, Self::Error>;
    /// [`Directory::remove`].
    ///
    /// # Errors
    /// As the backend's.
    fn remove_dyn(&self, name: Name<'_>) -> Result<(), Self::Error>;
    /// [`Directory::list`].
    ///
    /// # Errors
    /// As the backend's.
    fn list_dyn(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Self::Error>;
    /// [`Directory::sync_file`].
    ///
    /// # Errors
    /// As the backend's.
    fn sync_file_dyn(&self, name: Name<'_>) -> Result<(), Self::Error>;
    /// [`Directory::sync_dir`].
    ///
    /// # Errors
    /// As the backend's.
    fn sync_dir_dyn(&self, folder: Folder<'_>) -> Result<(), Self::Error>;
    /// [`Directory::lock`], boxed.
    ///
    /// # Errors
    /// As the backend's.
    fn lock_dyn(&self, name: Name<'_>) -> Result<Locking<BoxLock>, Self::Error>;
    /// [`Directory::nonce`].
    fn nonce_dyn(&self) -> u64;
    /// [`Directory::rename`].
    ///
    /// # Errors
    /// As the backend's.
    fn rename_dyn(&self, from: Name<'_>, to: Name<'_>) -> Result<(), Self::Error>;
    /// [`Directory::file_path`].
    fn file_path_dyn(&self, name: Name<'_>) -> Option<String>;
}

/// A reader whose backend was chosen at run time.
pub type BoxReader<E> = Box<dyn ReadFile<Error = E> + Send>;
/// An appender whose backend was chosen at run time.
pub type BoxAppender<E> = Box<dyn AppendFile<Error = E> + Send>;
/// A lock whose backend was chosen at run time; dropping it releases the lock.
pub type BoxLock = Box<dyn Any + Send>;

impl<D> DynDirectory for D
where
    D: Directory + Send + Sync,
    D::Reader: Send + 'static,
    D::Appender: Send + 'static,
    D::Lock: Send + 'static,
{
    type Error = D::Error;

    fn capabilities_dyn(&self) -> Capabilities {
        self.capabilities()
    }
    fn open_dyn(&self, name: Name<'_>) -> Result<Option<BoxReader<D::Error>>, D::Error> {
        Ok(self.open(name)?.map(|file| Box::new(file) as BoxReader<D::Error>))
    }
    fn create_dyn(
        &self,
        name: Name<'_>,
        reserve: u64,
    ) -> Result<Option<BoxAppender<D::Error>>, D::Error> {
        Ok(self.create(name, reserve)?.map(|file| Box::new(file) as BoxAppender<D::Error>))
    }
    fn reopen_dyn(
        &self,
        name: Name<'_>,
        at: u64,
    ) -> Result<Option<BoxAppender<D::Error>>, D::Error> {
        Ok(self.reopen(name, at)?.map(|file| Box::new(file) as BoxAppender<D::Error>))
    }
    fn remove_dyn(&self, name: Name<'_>) -> Result<(), D::Error> {
        self.remove(name)
    }
    fn list_dyn(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), D::Error> {
        self.list(folder, each)
    }
    fn sync_file_dyn(&self, name: Name<'_>) -> Result<(), D::Error> {
        self.sync_file(name)
    }
    fn sync_dir_dyn(&self, folder: Folder<'_>) -> Result<(), D::Error> {
        self.sync_dir(folder)
    }
    fn lock_dyn(&self, name: Name<'_>) -> Result<Locking<BoxLock>, D::Error> {
        Ok(match self.lock(name)? {
            Locking::Acquired(lock) => Locking::Acquired(Box::new(lock)),
            Locking::Held { holder } => Locking::Held { holder },
        })
    }
    fn nonce_dyn(&self) -> u64 {
        self.nonce()
    }
    fn rename_dyn(&self, from: Name<'_>, to: Name<'_>) -> Result<(), D::Error> {
        self.rename(from, to)
    }
    fn file_path_dyn(&self, name: Name<'_>) -> Option<String> {
        self.file_path(name)
    }
}

impl<E: StoreError> Directory for dyn DynDirectory<Error = E> {
    type Error = E;
    type Reader = BoxReader<E>;
    type Appender = BoxAppender<E>;
    type Lock = BoxLock;

    fn capabilities(&self) -> Capabilities {
        self.capabilities_dyn()
    }
    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, E> {
        self.open_dyn(name)
    }
    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, E> {
        self.create_dyn(name, reserve)
    }
    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, E> {
        self.reopen_dyn(name, at)
    }
    fn remove(&self, name: Name<'_>) -> Result<(), E> {
        self.remove_dyn(name)
    }
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), E> {
        self.list_dyn(folder, each)
    }
    fn sync_file(&self, name: Name<'_>) -> Result<(), E> {
        self.sync_file_dyn(name)
    }
    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), E> {
        self.sync_dir_dyn(folder)
    }
    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, E> {
        self.lock_dyn(name)
    }
    fn nonce(&self) -> u64 {
        self.nonce_dyn()
    }
    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), E> {
        self.rename_dyn(from, to)
    }
    fn file_path(&self, name: Name<'_>) -> Option<String> {
        self.file_path_dyn(name)
    }
}
