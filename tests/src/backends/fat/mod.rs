//! A directory on a FAT16 volume, by the `embedded-sdmmc` crate: a store that was not written for this port.
//!
//! Must never work around the store's rules by keeping file contents of its own.

mod directory;
mod disk;
mod error;
mod files;
mod volume;

pub use directory::{FatDirectory, FatLock};
pub use disk::{RamDisk, RamError};
pub use error::FatError;
pub use files::{FatAppender, FatReader};
