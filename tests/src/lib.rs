//! Test kit of `durability`: proofs that any backend, and any user of the logs, can run.
//!
//! Must never be a dependency of the crates that it tests, other than for their tests.
//!
#![doc = include_str!("../README.md")]
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test kit runs on a host"
)]

extern crate alloc;

pub mod allocations;
pub mod backends;
pub mod conformance;
pub mod executor;
pub mod faults;
pub mod flash;
pub mod interleaved;
pub mod proof;
mod shared;
pub mod simulated;
pub mod traced;
