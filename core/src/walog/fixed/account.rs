//! How a failure comes up through the log without a heap: its account is written down once, where the caller is, and what is handed up from there has no size.
//!
//! An error of this library has some hundred bytes, most of them its file's name. Every function that hands one up would copy it, which was a fifth of the log's
//! code; and to make a name takes stack where there is the least of it. So the account says which file it is, and the caller gets its name.

use core::cell::Cell;

use crate::error::{Error, Limit};
use crate::file::source::Trouble;
use crate::storage::{NameBuf, StoreError};

pub(super) use crate::file::source::Failed;

use super::Settings;

/// A file of the log.
#[derive(Debug, Clone, Copy)]
pub(super) enum File {
    /// Errors about the folder as a whole name its lock.
    Lock,
    /// The segment of that number.
    Segment(u32),
}

/// Where the account of a failure is kept until the caller gets it.
pub(super) struct Account<E: StoreError> {
    given: Cell<Option<(File, Trouble<E>)>>,
}

impl<E: StoreError> Account<E> {
    pub(super) const fn new() -> Self {
        Self { given: Cell::new(None) }
    }

    /// Gives the account of what went wrong with a file.
    #[cold]
    #[inline(never)]
    pub(super) fn give(&self, file: File, trouble: Trouble<E>) -> Failed {
        self.given.set(Some((file, trouble)));
        Failed::kept()
    }

    /// The error of which the account was given.
    #[cold]
    #[inline(never)]
    pub(super) fn tell(&self, _: Failed, settings: &Settings) -> Error<E> {
        let Some((file, trouble)) = self.given.take() else {
            debug_assert!(false, "whatever fails gives an account of it");
            return Error::Poisoned { file: NameBuf::unnamed() };
        };
        match settings.name(file) {
            Ok(name) => trouble.with(name),
            Err(error) => Error::Name(error),
        }
    }

    /// That something is larger than its limit.
    #[cold]
    #[inline(never)]
    pub(super) fn limit(&self, what: Limit, found: u64, limit: u64) -> Failed {
        self.give(File::Lock, Trouble::Limit { what, found, limit })
    }

    /// Fails if something is larger than its limit.
    #[inline(never)]
    pub(super) fn at_most(&self, what: Limit, found: usize, limit: u32) -> Result<(), Failed> {
        if found > limit as usize {
            return Err(self.limit(what, found as u64, limit.into()));
        }
        Ok(())
    }

    /// Forgets a failure of one kind.
    #[cold]
    #[inline(never)]
    pub(super) fn forget_if(
        &self,
        failed: Failed,
        kind: fn(&Trouble<E>) -> bool,
    ) -> Result<(), Failed> {
        let given = self.given.take();
        if given.as_ref().is_some_and(|(_, trouble)| kind(trouble)) {
            return Ok(());
        }
        self.given.set(given);
        Err(failed)
    }
}

/// That something does not hold.
pub(super) const fn is_damage<E: StoreError>(trouble: &Trouble<E>) -> bool {
    matches!(trouble, Trouble::Damage { .. })
}

/// That the medium is full.
pub(super) fn is_no_space<E: StoreError>(trouble: &Trouble<E>) -> bool {
    matches!(trouble, Trouble::Store { source, .. } if source.is_no_space())
}

/// What an action comes to: its result, or the error of which it gave the account.
pub(super) fn told<T, E: StoreError>(
    settings: &Settings,
    action: impl FnOnce(&Account<E>) -> Result<T, Failed>,
) -> Result<T, Error<E>> {
    let account = Account::new();
    action(&account).map_err(|failed| account.tell(failed, settings))
}
