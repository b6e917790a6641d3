//! A log of one thread behind a mutex: how threads share what was not made for sharing.
//!
//! Must hold the mutex across write and sync, as anyone would who has nothing better.

use std::sync::{Arc, Mutex};

use crate::{Committer, Failure, Log};

/// A log behind a mutex.
#[derive(Debug)]
pub struct Mutexed<L> {
    log: Arc<Mutex<L>>,
}

impl<L> Mutexed<L> {
    /// Puts a log behind a mutex.
    pub fn new(log: L) -> Self {
        Self { log: Arc::new(Mutex::new(log)) }
    }
}

impl<L> Clone for Mutexed<L> {
    fn clone(&self) -> Self {
        Self { log: Arc::clone(&self.log) }
    }
}

impl<L: Log + Send> Committer for Mutexed<L> {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let mut log = self.log.lock().map_err(|_| "another thread has failed")?;
        log.append(record)?;
        log.sync()
    }
}
