//! Why something failed, told to as many as it concerns.

use alloc::sync::Arc;
use core::fmt;

use durability_core::Error;
use durability_core::storage::StoreError;

/// An error that many share: of the commit that failed, every entry in it and behind it, and every later call.
///
/// [`error`](Self::error) is what happened. After a failed write or sync nothing more is acknowledged; opening the log again is the way on.
pub struct Failure<E: StoreError> {
    error: Arc<Error<E>>,
}

impl<E: StoreError> Failure<E> {
    /// What happened.
    pub fn error(&self) -> &Error<E> {
        &self.error
    }
}

impl<E: StoreError> From<Error<E>> for Failure<E> {
    fn from(error: Error<E>) -> Self {
        Self { error: Arc::new(error) }
    }
}

impl<E: StoreError> Clone for Failure<E> {
    fn clone(&self) -> Self {
        Self { error: Arc::clone(&self.error) }
    }
}

impl<E: StoreError> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: StoreError> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: StoreError> core::error::Error for Failure<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.error.source()
    }
}
