//! The laws of `FsDirectory`, checked on a real file system, with real processes and, where it can be had, `strace`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is what fails a test"
)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc, reason = "no need on a host")]

mod atomic_write;
mod common;
mod direct;
mod files;
mod follow;
mod lock;
mod random;
mod wal;

#[cfg(all(target_os = "linux", not(durability_portable_fs)))]
mod direct_syscalls;
#[cfg(unix)]
mod escape;
#[cfg(target_os = "linux")]
mod no_space;
#[cfg(all(target_os = "linux", not(durability_portable_fs)))]
mod syscalls;
#[cfg(all(target_os = "linux", not(durability_portable_fs)))]
mod trace;
