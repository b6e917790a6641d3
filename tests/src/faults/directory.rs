//! The wrapper around a directory and its files.
//!
//! Must never reorder, split or repeat an operation: the counts are what the user of the directory did.

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{
    AppendFile, Capabilities, Directory, Folder, Locking, Name, NameBuf, ReadFile,
};

use super::{Counters, Fault, FaultError, Operation};

/// A directory that counts what is done to it, and fails where its [`Counters`] say.
#[derive(Debug, Clone, Default)]
pub struct FaultyDirectory<D> {
    inner: D,
    counters: Counters,
}

impl<D> FaultyDirectory<D> {
    /// Wraps a directory; nothing fails until it is ordered to.
    pub fn new(inner: D) -> Self {
        Self::with_counters(inner, Counters::default())
    }

    /// Wraps a directory whose operations count with those of others.
    pub fn with_counters(inner: D, counters: Counters) -> Self {
        Self { inner, counters }
    }

    /// The handle to its counts and faults.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// The directory inside; what is done there is not counted.
    pub fn inner(&self) -> &D {
        &self.inner
    }
}

/// Counts an operation, then carries it out or lets it fail.
fn run<T, E: core::error::Error>(
    counters: &Counters,
    operation: Operation,
    (name, bytes): (&str, usize),
    carry_out: impl FnOnce() -> Result<T, E>,
) -> Result<T, FaultError<E>> {
    let ruling = counters.count(operation, name, bytes);
    let Some(fault) = ruling.fault else { return carry_out().map_err(FaultError::Backend) };
    if fault == Fault::IoAfter {
        carry_out().map_err(FaultError::Backend)?;
    }
    Err(FaultError::Ordered { operation, index: ruling.index, fault })
}

/// A file of a [`FaultyDirectory`], open for reading.
#[derive(Debug)]
pub struct FaultyReader<R> {
    inner: R,
    name: NameBuf,
    counters: Counters,
}

impl<R: ErrorType> ErrorType for FaultyReader<R>
where
    R::Error: durability_core::storage::StoreError,
{
    type Error = FaultError<R::Error>;
}

impl<R: ReadFile> Read for FaultyReader<R>
where
    R::Error: durability_core::storage::StoreError,
{
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let about = (self.name.as_name().as_str(), buffer.len());
        let count = run(&self.counters, Operation::Read, about, || self.inner.read(buffer))?;
        self.counters.add_read(count);
        Ok(count)
    }
}

impl<R: ReadFile> Seek for FaultyReader<R>
where
    R::Error: durability_core::storage::StoreError,
{
    fn seek(&mut self, position: SeekFrom) -> Result<u64, Self::Error> {
        let about = (self.name.as_name().as_str(), 0);
        run(&self.counters, Operation::Seek, about, || self.inner.seek(position))
    }
}

impl<R: ReadFile> ReadFile for FaultyReader<R>
where
    R::Error: durability_core::storage::StoreError,
{
    fn len(&mut self) -> Result<u64, Self::Error> {
        let about = (self.name.as_name().as_str(), 0);
        run(&self.counters, Operation::Length, about, || self.inner.len())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let about = (self.name.as_name().as_str(), buffer.len());
        let read = || self.inner.read_at(offset, buffer);
        let count = run(&self.counters, Operation::Read, about, read)?;
        self.counters.add_read(count);
        Ok(count)
    }
}

/// A file of a [`FaultyDirectory`], open for appending.
#[derive(Debug)]
pub struct FaultyAppender<A> {
    inner: A,
    name: NameBuf,
    granule: usize,
    /// Set once a write was cut short: the next one fails.
    cut_short: bool,
    counters: Counters,
}

impl<A: ErrorType> ErrorType for FaultyAppender<A>
where
    A::Error: durability_core::storage::StoreError,
{
    type Error = FaultError<A::Error>;
}

impl<A: AppendFile> Write for FaultyAppender<A>
where
    A::Error: durability_core::storage::StoreError,
{
    fn write(&mut self, data: &[u8]) -> Result<usize, Self::Error> {
        let operation = Operation::Write;
        let name = self.name.as_name();
        let ruling = self.counters.count(operation, name.as_str(), data.len());
        let ordered = |fault| FaultError::Ordered { operation, index: ruling.index, fault };
        let half = data.len() / 2;
        let half = half - half % self.granule;
        let given = match ruling.fault {
            _ if self.cut_short => return Err(ordered(Fault::ShortWrite)),
            None | Some(Fault::IoAfter) => data,
            Some(Fault::ShortWrite) if half > 0 => {
                self.cut_short = true;
                data.get(..half).unwrap_or_default()
            }
            Some(fault) => return Err(ordered(fault)),
        };
        let count = self.inner.write(given).map_err(FaultError::Backend)?;
        self.counters.add_written(count);
        if ruling.fault == Some(Fault::IoAfter) { Err(ordered(Fault::IoAfter)) } else { Ok(count) }
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        let about = (self.name.as_name().as_str(), 0);
        run(&self.counters, Operation::Flush, about, || self.inner.flush())
    }
}

impl<A: AppendFile> AppendFile for FaultyAppender<A>
where
    A::Error: durability_core::storage::StoreError,
{
    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn sync_data(&mut self) -> Result<(), Self::Error> {
        let about = (self.name.as_name().as_str(), 0);
        run(&self.counters, Operation::SyncData, about, || self.inner.sync_data())
    }

    fn trim(&mut self) -> Result<(), Self::Error> {
        let about = (self.name.as_name().as_str(), 0);
        run(&self.counters, Operation::Trim, about, || self.inner.trim())
    }
}

impl<D: Directory> FaultyDirectory<D> {
    fn appender(&self, name: Name<'_>, inner: D::Appender) -> FaultyAppender<D::Appender> {
        let granule = usize::try_from(self.inner.capabilities().write_granule()).unwrap_or(1);
        let counters = self.counters();
        FaultyAppender {
            inner,
            name: name.into(),
            granule: granule.max(1),
            cut_short: false,
            counters,
        }
    }
}

impl<D: Directory> Directory for FaultyDirectory<D> {
    type Error = FaultError<D::Error>;
    type Reader = FaultyReader<D::Reader>;
    type Appender = FaultyAppender<D::Appender>;
    type Lock = D::Lock;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, Self::Error> {
        let open = || self.inner.open(name);
        let opened = run(&self.counters, Operation::Open, (name.as_str(), 0), open)?;
        let counters = self.counters();
        Ok(opened.map(|inner| FaultyReader { inner, name: name.into(), counters }))
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, Self::Error> {
        let create = || self.inner.create(name, reserve);
        let created = run(&self.counters, Operation::Create, (name.as_str(), 0), create)?;
        Ok(created.map(|inner| self.appender(name, inner)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, Self::Error> {
        let reopen = || self.inner.reopen(name, at);
        let opened = run(&self.counters, Operation::Reopen, (name.as_str(), 0), reopen)?;
        Ok(opened.map(|inner| self.appender(name, inner)))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), Self::Error> {
        let remove = || self.inner.remove(name);
        run(&self.counters, Operation::Remove, (name.as_str(), 0), remove)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Self::Error> {
        let list = || self.inner.list(folder, each);
        run(&self.counters, Operation::List, (folder.as_str(), 0), list)
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), Self::Error> {
        let sync = || self.inner.sync_file(name);
        run(&self.counters, Operation::SyncFile, (name.as_str(), 0), sync)
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), Self::Error> {
        let sync = || self.inner.sync_dir(folder);
        run(&self.counters, Operation::SyncDir, (folder.as_str(), 0), sync)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, Self::Error> {
        run(&self.counters, Operation::Lock, (name.as_str(), 0), || self.inner.lock(name))
    }

    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), Self::Error> {
        let rename = || self.inner.rename(from, to);
        run(&self.counters, Operation::Rename, (from.as_str(), 0), rename)
    }

    fn file_path(&self, name: Name<'_>) -> Option<String> {
        self.inner.file_path(name)
    }
}
