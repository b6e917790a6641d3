//! Crash-consistent persistence primitives for `no_std`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
mod error;
mod file;
pub mod storage;

pub use bytes::id::EntryId;
pub use error::{Corruption, CorruptionKind, Error, Limit, Operation};

pub use embedded_io;
