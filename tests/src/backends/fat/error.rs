//! What can go wrong on a FAT volume.
//!
//! Must never flatten the store's own error.

use durability_core::embedded_io::{self, ErrorKind};
use durability_core::storage::StoreError;
use embedded_sdmmc::Error as Store;

use super::RamError;

/// What a [`FatDirectory`](super::FatDirectory) answers when it fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Store<RamError>),
    /// The operation is not there.
    #[error("operation not supported on a FAT volume")]
    Unsupported,
    /// A file that must exist does not.
    #[error("no such file on the volume")]
    NotFound,
    /// A seek before the start, or an append position beyond the end.
    #[error("position {position} outside of the file of {length} bytes")]
    BadPosition {
        /// Where to.
        position: i128,
        /// The file's length.
        length: u64,
    },
}

impl embedded_io::Error for FatError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Unsupported => ErrorKind::Unsupported,
            Self::NotFound => ErrorKind::NotFound,
            Self::BadPosition { .. } => ErrorKind::InvalidInput,
        }
    }
}

impl StoreError for FatError {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::Store(Store::DiskFull | Store::NotEnoughSpace))
    }
    fn unsupported() -> Self {
        Self::Unsupported
    }
}
