//! How a failure comes up through the log without a heap: its account is written down once, where the caller is, and what is handed up from there has no size.
//!
//! An error of this library has some hundred bytes, most of them its file's name. Every function that hands one up would copy it, which was a fifth of the log's code.

use core::cell::Cell;

use crate::error::{Corruption, CorruptionKind, Error, Limit};
use crate::file::source::Keeping;
use crate::storage::{NameBuf, StoreError};

pub(super) use crate::file::source::Failed;

/// Where the account of a failure is kept until the caller gets it.
pub(super) struct Account<E: StoreError> {
    error: Cell<Option<Error<E>>>,
}

/// What an action comes to: its result, or the account that it gave of its failure.
pub(super) fn told<T, E: StoreError>(
    action: impl FnOnce(&Account<E>) -> Result<T, Failed>,
) -> Result<T, Error<E>> {
    let account = Account { error: Cell::new(None) };
    action(&account).map_err(|failed| account.take(failed))
}

impl<E: StoreError> Account<E> {
    /// Gives the account of a failure.
    #[cold]
    #[inline(never)]
    pub(super) fn give(&self, error: Error<E>) -> Failed {
        self.error.set(Some(error));
        Failed::kept()
    }

    /// The account that was given.
    #[cold]
    #[inline(never)]
    fn take(&self, _: Failed) -> Error<E> {
        self.error.take().unwrap_or_else(|| {
            debug_assert!(false, "whatever fails gives an account of it");
            Error::Poisoned { file: NameBuf::unnamed() }
        })
    }

    /// Takes over what a file has kept.
    #[cold]
    #[inline(never)]
    pub(super) fn take_over<R>(&self, failed: Failed, file: &mut Keeping<R, E>) -> Failed {
        self.error.set(file.take());
        failed
    }

    /// That something is larger than its limit.
    #[cold]
    #[inline(never)]
    pub(super) fn limit(&self, what: Limit, found: u64, limit: u64) -> Failed {
        self.give(Error::Limit { what, found, limit })
    }

    /// Fails if something is larger than its limit.
    #[inline(never)]
    pub(super) fn at_most(&self, what: Limit, found: u64, limit: u64) -> Result<(), Failed> {
        if found > limit { Err(self.limit(what, found, limit)) } else { Ok(()) }
    }

    /// Forgets the failure, if it is that a segment is not there, or has no header.
    pub(super) fn forget_absence(&self, failed: Failed) -> Result<(), Failed> {
        let error = self.error.take();
        let absent = matches!(
            error,
            Some(Error::Corrupt(Corruption {
                kind: CorruptionKind::Hole { .. } | CorruptionKind::FileHeader,
                ..
            }))
        );
        if absent {
            return Ok(());
        }
        self.error.set(error);
        Err(failed)
    }
}

/// Gives the account of what failed elsewhere.
pub(super) trait Told<T, E: StoreError> {
    fn to(self, account: &Account<E>) -> Result<T, Failed>;
}

impl<T, E: StoreError> Told<T, E> for Result<T, Error<E>> {
    #[inline]
    fn to(self, account: &Account<E>) -> Result<T, Failed> {
        self.map_err(|error| account.give(error))
    }
}
