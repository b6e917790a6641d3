//! A folder of a directory, as a directory of its own: a traced program's store need not lie at the root of what was traced.
//!
//! Must never reach a name outside of its folder.

use durability_core::storage::{Capabilities, Directory, Folder, Locking, Name, StoreError};

/// A folder of a directory, as a directory of its own.
///
/// ```
/// use durability_core::storage::{Directory, Folder, MemoryDirectory, Name};
/// use durability_testkit::traced::Subfolder;
///
/// let whole = MemoryDirectory::new();
/// let part = Subfolder::new(&whole, "data/store");
/// assert!(part.create(Name::new("a")?, 0)?.is_some());
/// assert!(whole.open(Name::new("data/store/a")?)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Subfolder<D> {
    inner: D,
    path: String,
}

impl<D: Directory> Subfolder<D> {
    /// The folder of that path, which need not exist yet; the empty path is the whole directory.
    pub fn new(inner: D, path: &str) -> Self {
        Self { inner, path: path.to_owned() }
    }

    fn join(&self, name: &str) -> String {
        match (&*self.path, name) {
            ("", name) => name.to_owned(),
            (path, "") => path.to_owned(),
            (path, name) => format!("{path}/{name}"),
        }
    }

    fn with<T>(
        &self,
        name: Name<'_>,
        act: impl FnOnce(Name<'_>) -> Result<T, D::Error>,
    ) -> Result<T, D::Error> {
        // A name that is too long with its folder.
        act(Name::new(&self.join(name.as_str())).map_err(|_| D::Error::unsupported())?)
    }

    fn within<T>(
        &self,
        folder: Folder<'_>,
        act: impl FnOnce(Folder<'_>) -> Result<T, D::Error>,
    ) -> Result<T, D::Error> {
        act(Folder::new(&self.join(folder.as_str())).map_err(|_| D::Error::unsupported())?)
    }
}

impl<D: Directory> Directory for Subfolder<D> {
    type Error = D::Error;
    type Reader = D::Reader;
    type Appender = D::Appender;
    type Lock = D::Lock;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, Self::Error> {
        self.with(name, |name| self.inner.open(name))
    }
    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, Self::Error> {
        self.with(name, |name| self.inner.create(name, reserve))
    }
    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, Self::Error> {
        self.with(name, |name| self.inner.reopen(name, at))
    }
    fn remove(&self, name: Name<'_>) -> Result<(), Self::Error> {
        self.with(name, |name| self.inner.remove(name))
    }
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Self::Error> {
        self.within(folder, |folder| self.inner.list(folder, each))
    }
    fn sync_file(&self, name: Name<'_>) -> Result<(), Self::Error> {
        self.with(name, |name| self.inner.sync_file(name))
    }
    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), Self::Error> {
        self.within(folder, |folder| self.inner.sync_dir(folder))
    }
    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, Self::Error> {
        self.with(name, |name| self.inner.lock(name))
    }
    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }
    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), Self::Error> {
        self.with(from, |from| self.with(to, |to| self.inner.rename(from, to)))
    }
    fn file_path(&self, name: Name<'_>) -> Option<String> {
        self.inner.file_path(Name::new(&self.join(name.as_str())).ok()?)
    }
}
