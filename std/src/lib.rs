//! The crash-consistency layer whose promise you can check: a record log, a typed write-ahead log, checkpoints, publishing and recovery, on a
//! real file system.
//!
//! ```
//! use durability::storage::FsDirectory;
//! use durability::walog::{WalOptions, WalWriter};
//!
//! # let scratch = tempfile::tempdir()?;
//! # let path = scratch.path().join("data");
//! let dir = FsDirectory::new(&path)?;
//! let mut wal = WalWriter::open(dir, WalOptions::new())?; // recovers, whatever the last run left
//! let id = wal.append(&String::from("paid 12.50"))?;
//! let durable = wal.flush_and_sync()?; // survives power loss from here on
//! assert_eq!(durable.through(), Some(id));
//! assert_eq!(wal.reader()?.replay()?, [(id, String::from("paid 12.50"))]);
//! wal.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is in it
//!
//! | module | for |
//! |---|---|
//! | [`walog`] | [`WalWriter`](walog::WalWriter), [`WalReader`](walog::WalReader): typed entries (any serde type) or raw bytes, batches, rotation by size and age, flush policies, truncation of prefix and suffix, replay from any id, hooks |
//! | [`follow`] | [`Subscription`](follow::Subscription): entries as they are written or become durable, waited for by a thread or a task, in this process or another; [`Pins`](follow::Pins), which keep pruning behind the readers |
//! | [`checkpoint`] | streamed, checksummed, deterministic snapshot files, typed or raw |
//! | [`publish`] | [`CheckpointPublisher`](publish::CheckpointPublisher): log durable, checkpoint durable, marker durable, and only then the covered segments go |
//! | [`recover`] | [`recover_with_wal`](recover::recover_with_wal) for any checkpoint and entry type, stop at an id; [`RecoveryManager`](recover::RecoveryManager) for segment-based indexes |
//! | [`recordlog`] | one append-only file of records |
//! | [`shared`] | [`SharedWal`](shared::SharedWal): a log for many threads and tasks, with group commit |
//! | [`storage`] | [`Directory`](storage::Directory), the port to whatever keeps bytes; [`FsDirectory`](storage::FsDirectory), [`MemoryDirectory`](storage::MemoryDirectory); atomic writes and renames |
//!
//! Everything but [`FsDirectory`](storage::FsDirectory), [`follow`] and [`shared`] comes from [`durability_core`], which needs no operating system.
//!
//! Three words for how safe an entry is: *appended* is buffered; *flushed* survives the end of the process; *synced* survives power loss, and is what
//! [`Durable`] proves. After a failed write, flush or sync the writer is poisoned: opening the log again is the way on.
//!
//! # What it is not
//!
//! Not a database, not a server, not replicated, not encrypted. One writer at a time. It detects rotten bits and does not repair them. It cannot help
//! against drives that lie about a flush.
//!
//! # Features
//!
//! None: there is nothing to switch on or off.
//!
//! # More
//!
//! The examples: `crash_demo` kills a writer again and again and loses nothing, `kv_store` is a crash-safe key-value store to be read as a tutorial,
//! `segment_index` a search index that crashes in the middle of a merge. `GUARANTEES.md` in `durability-core` says what is promised, under which
//! assumptions, and which tests hold it; `FORMAT.md` beside it documents every byte.
#![forbid(unsafe_code)]

extern crate alloc;

#[macro_use]
mod plant;
pub mod follow;
pub mod shared;
pub mod storage;
mod verify;

// Every module of the core, present and future; `storage` above takes the place of the core's, which it contains.
pub use durability_core::*;
pub use verify::verify;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
