//! What other logs were made to fail with, each as a law that must hold here.
//!
//! One module for each kind of failure. The laws hold for the write-ahead log, and where it says so for record logs and checkpoints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::cast_possible_wrap,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    reason = "a test runs on a host, is small, and fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod allocations;
mod costs;
mod creation;
mod damage;
mod foreign;
mod hostile;
mod limits;
mod names;
mod poison;
mod recovery;
mod room;
mod stale;
mod tails;
