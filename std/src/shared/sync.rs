//! Locks and threads: the system's, or those of a model checker under `--cfg durability_shuttle`.
//!
//! Must never do anything of its own.

#[cfg(not(durability_shuttle))]
pub(super) use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

#[cfg(durability_shuttle)]
pub(super) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
