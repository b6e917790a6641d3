//! Where the bytes of a file come from, and what becomes of a failure to read them or to make sense of them.
//!
//! Where there is a heap, a failure is handed up as the error that it is. Without one that would be copied by every function on the way: then the source keeps it,
//! and what is handed up has no size.

use crate::error::Error;
use crate::storage::{ReadFile, StoreError};

/// A file that is read.
pub(crate) trait Source {
    /// The directory's.
    type Error: StoreError;
    /// What a failure is handed up as.
    type Fault;

    /// See [`ReadFile::len`].
    fn bound(&mut self) -> Result<u64, Self::Error>;
    /// See [`ReadFile::read_at`].
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error>;
    /// Something failed.
    fn fails(&mut self, error: Error<Self::Error>) -> Self::Fault;
    /// Whether the failure is that stored bytes are damaged, and may be another thing after all.
    fn is_damage(fault: &Self::Fault) -> bool;
}

impl<R> Source for R
where
    R: ReadFile,
    R::Error: StoreError,
{
    type Error = R::Error;
    type Fault = Error<R::Error>;

    #[inline]
    fn bound(&mut self) -> Result<u64, R::Error> {
        self.len()
    }

    #[inline]
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, R::Error> {
        self.read_at(offset, buffer)
    }

    #[inline]
    fn fails(&mut self, error: Error<R::Error>) -> Error<R::Error> {
        error
    }

    #[inline]
    fn is_damage(fault: &Error<R::Error>) -> bool {
        fault.is_corruption()
    }
}

/// Something failed, and what it was is kept elsewhere.
#[derive(Debug)]
pub(crate) struct Failed(());

impl Failed {
    /// Only for who has kept it.
    pub(crate) const fn kept() -> Self {
        Self(())
    }
}

/// A file that keeps what has failed.
pub(crate) struct Keeping<R, E: StoreError> {
    file: R,
    failure: Option<Error<E>>,
}

impl<R, E: StoreError> Keeping<R, E> {
    pub(crate) const fn new(file: R) -> Self {
        Self { file, failure: None }
    }

    /// What has failed.
    pub(crate) fn take(&mut self) -> Option<Error<E>> {
        self.failure.take()
    }
}

impl<R, E> Source for Keeping<R, E>
where
    R: ReadFile<Error = E>,
    E: StoreError,
{
    type Error = E;
    type Fault = Failed;

    fn bound(&mut self) -> Result<u64, E> {
        self.file.len()
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, E> {
        self.file.read_at(offset, buffer)
    }

    #[cold]
    #[inline(never)]
    fn fails(&mut self, error: Error<E>) -> Failed {
        self.failure = Some(error);
        Failed::kept()
    }

    fn is_damage(_: &Failed) -> bool {
        // Files that are used again, which look like damage, are not for those who keep it.
        false
    }
}
