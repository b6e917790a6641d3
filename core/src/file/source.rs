//! Where the bytes of a file come from, and what becomes of a failure to read them or to make sense of them.
//!
//! Where there is a heap, a failure is handed up as the error that it is. Without one that would be copied by every function on the way: then the source keeps it,
//! and what is handed up has no size.

use crate::EntryId;
use crate::bytes::header::Newer;
use crate::error::{Corruption, CorruptionKind, Error, Limit, Operation};
use crate::storage::{NameBuf, NameError, ReadFile, StoreError};

/// A file that is read.
pub(crate) trait Source {
    /// The directory's.
    type Error: StoreError;
    /// What a failure is handed up as.
    type Fault;
    /// The file's name, where that is kept beside it.
    type Label: core::fmt::Debug;

    /// See [`ReadFile::len`].
    fn bound(&mut self) -> Result<u64, Self::Error>;
    /// See [`ReadFile::read_at`].
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error>;
    /// Something failed.
    fn fails(&mut self, label: &Self::Label, trouble: Trouble<Self::Error>) -> Self::Fault;
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
    type Label = NameBuf;

    #[inline]
    fn bound(&mut self) -> Result<u64, R::Error> {
        self.len()
    }

    #[inline]
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, R::Error> {
        self.read_at(offset, buffer)
    }

    #[cold]
    #[inline(never)]
    fn fails(&mut self, label: &NameBuf, trouble: Trouble<R::Error>) -> Error<R::Error> {
        trouble.with(label.clone())
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

/// What went wrong with a file, without its name.
#[derive(Debug)]
pub(crate) enum Trouble<E> {
    /// The directory failed.
    Store { operation: Operation, source: E },
    /// It is damaged.
    Damage { offset: u64, entry_id: Option<EntryId>, kind: CorruptionKind },
    /// It has a frame that only a later version knows.
    NewerFrame { offset: u64 },
    /// It has something that is larger than its limit.
    Limit { what: Limit, found: u64, limit: u64 },
    /// It is not there, or not any more.
    Missing,
    /// It took nothing of what was written.
    NoProgress { offset: u64 },
    /// Its header is a later version's.
    Newer(Newer),
    /// An earlier call has failed. In the place of what was taken, too.
    Poisoned,
    /// It has no name.
    Name(NameError),
    /// Its name is taken by what is no file.
    Exists,
    /// Somebody else has the lock.
    Held { holder: Option<u32> },
    /// It ends with a torn tail.
    TornTail { offset: u64, bytes: u64, last_id: Option<EntryId> },
}

impl<E: StoreError> Trouble<E> {
    /// The error that it is.
    #[inline(never)]
    pub(crate) fn with(self, name: NameBuf) -> Error<E> {
        let mut error = self.unnamed();
        if let Some(file) = error.file_mut() {
            *file = name;
        }
        error
    }

    /// The name comes later, and once: to copy it in each place is half a kilobyte of code on a Cortex-M3.
    fn unnamed(self) -> Error<E> {
        let file = NameBuf::unnamed();
        match self {
            Self::Store { operation, source } => Error::Store { operation, file, source },
            Self::Damage { offset, entry_id, kind } => {
                Corruption { file, offset, entry_id, kind }.into()
            }
            Self::NewerFrame { offset } => Error::NewerFrame { file, offset },
            Self::Limit { what, found, limit } => Error::Limit { what, found, limit },
            Self::Missing => Error::Missing { file },
            Self::NoProgress { offset } => Error::NoProgress { file, offset },
            Self::Newer(Newer { version, form, features }) => {
                Error::Newer { file, version, form, features }
            }
            Self::Poisoned => Error::Poisoned { file },
            Self::Name(error) => Error::Name(error),
            Self::Exists => Error::Exists { file },
            Self::Held { holder } => Error::Held { file, holder },
            Self::TornTail { offset, bytes, last_id } => {
                Error::TornTail { file, offset, bytes, last_id }
            }
        }
    }
}

/// A file that keeps what has failed. Whoever has it knows its name.
pub(crate) struct Keeping<R, E: StoreError> {
    file: R,
    failure: Trouble<E>,
}

impl<R, E: StoreError> Keeping<R, E> {
    pub(crate) const fn new(file: R) -> Self {
        Self { file, failure: Trouble::Poisoned }
    }

    /// What has failed.
    pub(crate) const fn take(&mut self) -> Trouble<E> {
        core::mem::replace(&mut self.failure, Trouble::Poisoned)
    }
}

impl<R, E> Source for Keeping<R, E>
where
    R: ReadFile<Error = E>,
    E: StoreError,
{
    type Error = E;
    type Fault = Failed;
    type Label = ();

    fn bound(&mut self) -> Result<u64, E> {
        self.file.len()
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, E> {
        self.file.read_at(offset, buffer)
    }

    #[cold]
    #[inline(never)]
    fn fails(&mut self, (): &(), trouble: Trouble<E>) -> Failed {
        self.failure = trouble;
        Failed::kept()
    }

    fn is_damage(_: &Failed) -> bool {
        // Files that are used again, which look like damage, are not for those who keep it.
        false
    }
}
