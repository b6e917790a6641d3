//! Where the bytes live: the [`Directory`] port, its contract, names, and [`MemoryDirectory`].

mod barrier;
mod capabilities;
mod directory;
#[cfg(feature = "alloc")]
mod durable;
#[cfg(feature = "alloc")]
mod dynamic;
mod forward;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod memory;
mod name;

pub use barrier::{DurableError, DurableStep, sync_file, sync_parent_dir};
pub use capabilities::Capabilities;
pub use directory::{AppendFile, Directory, Locking, ReadFile, StoreError};
#[cfg(feature = "alloc")]
pub use durable::DurableDirectory;
#[cfg(feature = "alloc")]
pub use dynamic::{BoxAppender, BoxLock, BoxReader, DynDirectory};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use memory::{MemoryAppender, MemoryDirectory, MemoryError, MemoryLock, MemoryReader};
pub(crate) use name::numbered;
pub use name::{
    COMPONENT_BYTES_MAX, DEPTH_MAX, Folder, FolderBuf, NAME_BYTES_MAX, Name, NameBuf, NameError,
};
