//! Crash-consistent persistence primitives for `no_std`.
#![no_std]
#![deny(unsafe_code)] // one exception, with its proof: bytes/crc/hardware.rs

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
pub mod checkpoint;
mod durable;
mod error;
mod file;
mod mode;
pub mod publish;
pub mod recordlog;
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
pub use mode::ReadMode;
