//! Small things that several parts of the kit need.
//!
//! Must never hold anything that only one part uses.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, even after another thread panicked: a test that fails must not make the next one fail differently.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A `usize` as the `u64` of file offsets.
pub(crate) const fn offset(length: usize) -> u64 {
    length as u64
}

/// An offset as an index; offsets beyond memory become `usize::MAX`, which lies outside of every slice.
pub(crate) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
