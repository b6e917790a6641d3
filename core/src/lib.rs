//! The crash-consistency layer whose promise you can check: a record log, a typed write-ahead log, checkpoints, publishing and recovery, for
//! `no_std`, with or without a heap.
//!
//! ```
//! use durability_core::storage::MemoryDirectory;
//! use durability_core::walog::{WalOptions, WalWriter};
//!
//! let dir = MemoryDirectory::new(); // or your own: a flash chip, a card, a drive
//! let mut wal = WalWriter::open(dir, WalOptions::new())?; // recovers, whatever the last run left
//! let id = wal.append(&(21.5_f32, "degrees"))?;
//! let durable = wal.flush_and_sync()?; // survives power loss from here on
//! assert_eq!(durable.through(), Some(id));
//! wal.close()?;
//! # Ok::<(), durability_core::Error<durability_core::storage::MemoryError>>(())
//! ```
//!
//! # What is in it
//!
//! | module | for |
//! |---|---|
//! | [`walog`] | [`WalWriter`](walog::WalWriter), [`WalReader`](walog::WalReader): typed entries (any serde type) or raw bytes, batches, rotation by size and age, segments made ready ahead, flush policies, truncation of prefix and suffix, replay from any id, hooks; [`Follower`](walog::Follower) reads on while the log is written |
//! | [`checkpoint`] | streamed, checksummed, deterministic snapshot files, typed or raw |
//! | [`publish`] | [`CheckpointPublisher`](publish::CheckpointPublisher): log durable, checkpoint durable, marker durable, and only then the covered segments go |
//! | [`recover`] | [`recover_with_wal`](recover::recover_with_wal) for any checkpoint and entry type, stop at an id; [`RecoveryManager`](recover::RecoveryManager) for segment-based indexes |
//! | [`recordlog`] | one append-only file of records |
//! | [`storage`] | [`Directory`](storage::Directory), the port to whatever keeps bytes, and its contract; [`MemoryDirectory`](storage::MemoryDirectory); atomic writes and renames |
//!
//! On a host, take the crate `durability`: it is all of this, with a directory of real files and its lock. Elsewhere, implement
//! [`Directory`](storage::Directory); the conformance suite of `durability-testkit` tells whether it keeps the contract.
//!
//! Three words for how safe an entry is: *appended* is buffered; *flushed* survives the end of the process; *synced* survives power loss, and is what
//! [`Durable`] proves. After a failed write, flush or sync the writer is poisoned: opening the log again is the way on.
//!
//! # What it is not
//!
//! Not a database, not a server, not replicated, not encrypted. One writer at a time. It detects rotten bits and does not repair them. It cannot help
//! against media that lie about a flush.
//!
//! # Features
//!
//! `alloc`, on by default: everything that takes a heap. Without it there are raw logs in memory that the caller lends: `FixedWalWriter` and `FixedWalReader` in
//! [`walog`], and the `_in` constructors in [`recordlog`]; names have 32 bytes at most. An operating system, threads and a clock are never needed.
//!
//! `defmt` lets firmware log the public types and errors with [`defmt`](https://docs.rs/defmt).
//!
//! # More
//!
//! `GUARANTEES.md` in this package says what is promised, under which assumptions, and which tests hold it; `FORMAT.md` documents every byte. The types of
//! [`embedded_io`] are part of this interface, so the crate is re-exported.
#![no_std]
#![cfg_attr(
    not(feature = "alloc"),
    allow(dead_code, reason = "much of the floors serves what takes a heap")
)]
#![deny(unsafe_code)] // one exception, with its proof: bytes/crc/hardware.rs

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, durability_mutants))]
extern crate std;

#[cfg(not(durability_mutants))]
#[macro_use]
mod planted;
#[cfg(durability_mutants)]
#[doc(hidden)]
#[macro_use]
pub mod planted;

// Lengths of frames are taken for counts of bytes in memory.
const _: () = assert!(usize::BITS >= 32, "addresses have at least 32 bits");

mod bytes;
#[cfg(feature = "alloc")]
pub mod checkpoint;
mod durable;
mod error;
mod file;
mod mode;
#[cfg(feature = "alloc")]
pub mod publish;
pub mod recordlog;
#[cfg(feature = "alloc")]
pub mod recover;
pub mod storage;
#[cfg(test)]
mod vectors;
pub mod walog;

pub use bytes::crc::crc32c;
pub use bytes::id::EntryId;
pub use durable::Durable;
pub use embedded_io;
pub use error::{Corruption, CorruptionKind, Error, Limit, Operation};
pub use file::memory::Buffer;
pub use mode::ReadMode;
