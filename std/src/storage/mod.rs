//! Where the bytes live: everything of the core's `storage`, and [`FsDirectory`], a directory of real files.

mod direct;
mod directory;
mod durable_folders;
mod error;
mod file;
mod lock;
mod nonce;
mod options;
mod path;

#[cfg(all(unix, not(durability_portable_fs)))]
mod unix;
#[cfg(all(unix, not(durability_portable_fs)))]
use unix as platform;

#[cfg(not(all(unix, not(durability_portable_fs))))]
mod portable;
#[cfg(not(all(unix, not(durability_portable_fs))))]
use portable as platform;

#[cfg(all(target_os = "linux", not(durability_portable_fs)))]
mod linux;
#[cfg(all(target_os = "linux", not(durability_portable_fs)))]
use linux as around;

#[cfg(not(all(target_os = "linux", not(durability_portable_fs))))]
mod nowhere;
#[cfg(not(all(target_os = "linux", not(durability_portable_fs))))]
use nowhere as around;

pub use durability_core::storage::*;

pub use directory::FsDirectory;
pub use error::{FsError, FsOperation, FsRefusal};
pub use file::{FsAppender, FsReader};
pub use lock::FsLock;
pub use options::FsOptions;
pub use path::file_path;
