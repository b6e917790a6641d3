//! The directory that the stories work on: `FsDirectory`, with the syncs left out on demand.
//!
//! Must never leave anything out unless it was told to cheat: then it is what the controls must catch.

use durability::embedded_io::{ErrorType, Write};
use durability::storage::{
    AppendFile, Capabilities, Directory, Folder, FsAppender, FsDirectory, FsError, FsLock,
    FsReader, Locking, Name,
};

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cheat {
    Nothing,
    /// Syncs of files report success, and do no more than hand over what is held back.
    FileSyncs,
    /// Syncs of folders do.
    FolderSyncs,
}

/// A folder of the mounted file system.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    inner: FsDirectory,
    cheat: Cheat,
}

impl Port {
    pub(crate) const fn new(inner: FsDirectory, cheat: Cheat) -> Self {
        Self { inner, cheat }
    }

    fn file(&self, inner: FsAppender) -> PortAppender {
        PortAppender { inner, cheat: self.cheat }
    }
}

/// A file open for appending.
#[derive(Debug)]
pub(crate) struct PortAppender {
    inner: FsAppender,
    cheat: Cheat,
}

impl ErrorType for PortAppender {
    type Error = FsError;
}

impl Write for PortAppender {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> Result<(), FsError> {
        self.inner.flush()
    }
}

impl AppendFile for PortAppender {
    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn sync_data(&mut self) -> Result<(), FsError> {
        if self.cheat == Cheat::FileSyncs { self.inner.flush() } else { self.inner.sync_data() }
    }

    fn trim(&mut self) -> Result<(), FsError> {
        self.inner.trim()
    }
}

impl Directory for Port {
    type Error = FsError;
    type Reader = FsReader;
    type Appender = PortAppender;
    type Lock = FsLock;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<FsReader>, FsError> {
        self.inner.open(name)
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<PortAppender>, FsError> {
        Ok(self.inner.create(name, reserve)?.map(|file| self.file(file)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<PortAppender>, FsError> {
        Ok(self.inner.reopen(name, at)?.map(|file| self.file(file)))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), FsError> {
        self.inner.remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), FsError> {
        self.inner.list(folder, each)
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), FsError> {
        if self.cheat == Cheat::FileSyncs { Ok(()) } else { self.inner.sync_file(name) }
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), FsError> {
        if self.cheat == Cheat::FolderSyncs { Ok(()) } else { self.inner.sync_dir(folder) }
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<FsLock>, FsError> {
        self.inner.lock(name)
    }

    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), FsError> {
        self.inner.rename(from, to)
    }

    fn file_path(&self, name: Name<'_>) -> Option<String> {
        self.inner.file_path(name)
    }
}
