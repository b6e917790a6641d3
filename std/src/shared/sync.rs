//! Locks, threads and time: the system's, or those of a model checker under `--cfg durability_shuttle`.
//!
//! Must never do anything of its own but stand in for what the checker lacks: a timeout may strike at any moment, and time passes as it likes.

use core::time::Duration;
use std::sync::PoisonError;

#[cfg(not(durability_shuttle))]
pub(super) use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
    time::Instant,
};

#[cfg(durability_shuttle)]
pub(super) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

/// Waits until somebody notifies, or that long; tells whether it was that long.
#[cfg(not(durability_shuttle))]
pub(super) fn wait_timeout<'a, T>(
    condition: &Condvar,
    _mutex: &'a Mutex<T>,
    locked: MutexGuard<'a, T>,
    limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let waited = condition.wait_timeout(locked, limit);
    let (locked, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
    (locked, timeout.timed_out())
}

#[cfg(durability_shuttle)]
pub(super) fn wait_timeout<'a, T>(
    _condition: &Condvar,
    mutex: &'a Mutex<T>,
    locked: MutexGuard<'a, T>,
    _limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    drop(locked);
    thread::yield_now();
    (mutex.lock().unwrap_or_else(PoisonError::into_inner), chance())
}

#[cfg(durability_shuttle)]
fn chance() -> bool {
    use shuttle::rand::Rng as _;
    shuttle::rand::thread_rng().r#gen()
}

/// The bug that is planted for the checker alone: a lost wake-up that no other test could strike on purpose.
#[cfg(not(durability_shuttle))]
pub(super) const fn called_too_late() -> bool {
    false
}

#[cfg(durability_shuttle)]
pub(super) fn called_too_late() -> bool {
    std::env::var_os("DURABILITY_SHUTTLE_PLANTED").is_some_and(|bug| bug == "CalledTooLate")
}

#[cfg(durability_shuttle)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant;

#[cfg(durability_shuttle)]
impl Instant {
    pub(super) const fn now() -> Self {
        Self
    }

    pub(super) fn elapsed(self) -> Duration {
        Duration::from_millis(u64::from(chance()))
    }
}
