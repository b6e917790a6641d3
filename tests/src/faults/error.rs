//! The error of a faulty directory: the backend's own, or the one that was ordered.
//!
//! Must never hide which of the two it is.

use durability_core::embedded_io::{self, ErrorKind};
use durability_core::storage::StoreError;

use super::{Fault, Operation};

/// What a [`FaultyDirectory`](super::FaultyDirectory) answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError<E: core::error::Error> {
    /// The backend itself failed.
    #[error("{0}")]
    Backend(E),
    /// A fault that a test ordered.
    #[error("{fault:?} ordered for {operation:?} {index}")]
    Ordered {
        /// The operation that failed.
        operation: Operation,
        /// Its number among the operations of this kind, from 1.
        index: u64,
        /// What befell it.
        fault: Fault,
    },
}

impl<E: StoreError> embedded_io::Error for FaultError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Backend(error) => error.kind(),
            Self::Ordered { fault: Fault::Interrupted, .. } => ErrorKind::Interrupted,
            Self::Ordered { .. } => ErrorKind::Other,
        }
    }
}

impl<E: StoreError> StoreError for FaultError<E> {
    fn is_no_space(&self) -> bool {
        match self {
            Self::Backend(error) => error.is_no_space(),
            Self::Ordered { fault, .. } => *fault == Fault::NoSpace,
        }
    }

    fn unsupported() -> Self {
        Self::Backend(E::unsupported())
    }

    fn is_unsupported(&self) -> bool {
        matches!(self, Self::Backend(error) if error.is_unsupported())
    }
}
