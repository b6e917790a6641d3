//! How often a log wrote and synced, counted where it does so.
//!
//! Must cost next to nothing beside a system call: it runs in rounds that are timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts the calls of one log. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    writes: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Writes handed to the system.
    pub writes: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Syncs, of data, files and folders alike.
    pub syncs: u64,
}

impl Tally {
    /// Counts a write.
    pub fn wrote(&self, bytes: usize) {
        self.shared.writes.fetch_add(1, Relaxed);
        self.shared.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts a sync.
    pub fn synced(&self) {
        self.shared.syncs.fetch_add(1, Relaxed);
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        Counts {
            writes: self.shared.writes.load(Relaxed),
            bytes: self.shared.bytes.load(Relaxed),
            syncs: self.shared.syncs.load(Relaxed),
        }
    }
}

impl Counts {
    /// What was added since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            writes: self.writes.saturating_sub(before.writes),
            bytes: self.bytes.saturating_sub(before.bytes),
            syncs: self.syncs.saturating_sub(before.syncs),
        }
    }
}
