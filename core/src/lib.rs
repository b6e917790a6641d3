//! Crash-consistent persistence primitives for `no_std`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
mod durable;
mod error;
mod file;
mod mode;
pub mod storage;
pub mod walog;

pub use bytes::id::EntryId;
pub use durable::Durable;
pub use error::{Corruption, CorruptionKind, Error, Limit, Operation};

pub use embedded_io;
pub use mode::ReadMode;
