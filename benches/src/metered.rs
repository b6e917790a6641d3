//! A directory of real files that counts, and whose syncs can be made slower: a slow disk, emulated.
//!
//! Must forward everything else untouched: what is timed is the directory behind it.

use std::path::Path;
use std::thread;
use std::time::Duration;

use durability::embedded_io::{ErrorType, Write};
use durability::storage::{
    AppendFile, Capabilities, Directory, Folder, FsAppender, FsDirectory, FsError, FsLock,
    FsOptions, FsReader, Locking, Name,
};

use crate::{Failure, Tally};

/// Counts, and waits after every sync of data.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// Where is counted.
    pub tally: Tally,
    /// How much longer a sync takes than the disk needs.
    pub sync_delay: Duration,
}

impl Meter {
    /// To be called behind every sync.
    pub fn synced(&self) {
        self.tally.synced();
        if !self.sync_delay.is_zero() {
            thread::sleep(self.sync_delay);
        }
    }

    /// To be called behind every write.
    pub fn wrote(&self, bytes: usize) {
        self.tally.wrote(bytes);
    }
}

/// A directory of real files, metered.
#[derive(Debug, Clone)]
pub struct Metered {
    inner: FsDirectory,
    meter: Meter,
}

/// A file of such a directory, open for appending.
#[derive(Debug)]
pub struct MeteredAppender {
    inner: FsAppender,
    meter: Meter,
}

impl Metered {
    /// Opens a folder, and makes it if need be.
    pub fn new(folder: &Path, meter: Meter) -> Result<Self, Failure> {
        Self::with_options(folder, FsOptions::new(), meter)
    }

    /// The same, with options.
    pub fn with_options(folder: &Path, options: FsOptions, meter: Meter) -> Result<Self, Failure> {
        Ok(Self { inner: FsDirectory::with_options(folder, options)?, meter })
    }

    fn appender(&self, file: Option<FsAppender>) -> Option<MeteredAppender> {
        file.map(|inner| MeteredAppender { inner, meter: self.meter.clone() })
    }
}

impl ErrorType for MeteredAppender {
    type Error = FsError;
}

impl Write for MeteredAppender {
    fn write(&mut self, data: &[u8]) -> Result<usize, FsError> {
        let written = self.inner.write(data)?;
        self.meter.wrote(written);
        Ok(written)
    }

    fn flush(&mut self) -> Result<(), FsError> {
        self.inner.flush()
    }
}

impl AppendFile for MeteredAppender {
    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn sync_data(&mut self) -> Result<(), FsError> {
        self.inner.sync_data()?;
        self.meter.synced();
        Ok(())
    }

    fn trim(&mut self) -> Result<(), FsError> {
        self.inner.trim()
    }
}

impl Directory for Metered {
    type Error = FsError;
    type Reader = FsReader;
    type Appender = MeteredAppender;
    type Lock = FsLock;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<FsReader>, FsError> {
        self.inner.open(name)
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<MeteredAppender>, FsError> {
        Ok(self.appender(self.inner.create(name, reserve)?))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<MeteredAppender>, FsError> {
        Ok(self.appender(self.inner.reopen(name, at)?))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), FsError> {
        self.inner.remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), FsError> {
        self.inner.list(folder, each)
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), FsError> {
        self.inner.sync_file(name)?;
        self.meter.synced();
        Ok(())
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), FsError> {
        self.inner.sync_dir(folder)?;
        self.meter.synced();
        Ok(())
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

/// A file of zeros, written and not only reserved, that is durable with its blocks.
#[cfg(unix)]
pub(crate) fn fill_with_zeros(
    file: &std::fs::File,
    bytes: u64,
    piece: usize,
) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let zeros = vec![0; piece];
    let mut offset = 0;
    while offset < bytes {
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX).min(piece);
        file.write_all_at(&zeros[..left], offset)?;
        offset += left as u64;
    }
    file.sync_all()
}
