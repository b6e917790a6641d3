//! The error of a flawed directory.
//!
//! Must never hide the backend's own.

use durability_core::embedded_io::{self, ErrorKind};
use durability_core::storage::StoreError;

/// What a [`Flawed`](super::Flawed) directory answers; with `HONEST` false it mislabels what it does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlawedError<E: core::error::Error, const HONEST: bool = true> {
    /// The backend itself failed.
    #[error("{0}")]
    Backend(E),
    /// The flaw.
    #[error("a planted flaw")]
    Planted,
    /// The operation is not there.
    #[error("not supported")]
    Unsupported,
}

impl<E: StoreError, const HONEST: bool> embedded_io::Error for FlawedError<E, HONEST> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Backend(error) => error.kind(),
            Self::Unsupported if HONEST => ErrorKind::Unsupported,
            Self::Planted | Self::Unsupported => ErrorKind::Other,
        }
    }
}

impl<E: StoreError, const HONEST: bool> StoreError for FlawedError<E, HONEST> {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::Backend(error) if error.is_no_space())
    }
    fn unsupported() -> Self {
        Self::Unsupported
    }
}
