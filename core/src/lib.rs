//! Crash-consistent persistence primitives for `no_std`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod storage;

pub use embedded_io;
