//! Crash-consistent persistence primitives on a real file system.
//!
//! This is `durability-core` with everything that needs an operating system added: [`storage::FsDirectory`], a
//! directory of real files with real syncs and a lock that no killed process leaves behind.
//!
//! ```
//! use durability::storage::{Directory, DurableDirectory, FsDirectory, Name};
//! # let scratch = tempfile::tempdir()?;
//! # let path = scratch.path().join("data");
//! let dir = FsDirectory::new(&path)?;
//! dir.atomic_write_durable("conf/state", b"survives power loss")?;
//! assert!(dir.open(Name::new("conf/state")?)?.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

extern crate alloc;

pub mod storage;

// Every module of the core, present and future; `storage` above takes the place of the core's, which it contains.
pub use durability_core::*;
