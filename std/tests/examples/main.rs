//! The examples, run as a user runs them: their exit codes, what they print, and what a kill leaves of their data; and that the README's
//! commands are there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is what fails a test"
)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "no need on a host")]

mod crash_demo;
mod kv_store;
mod program;
mod readme;
mod segment_index;
