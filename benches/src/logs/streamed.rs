//! The library's shared log under one thread that streams: its background thread makes segments ready, and syncs those that are full.
//!
//! Must tell only what the appending thread did itself: what is done beside it is what an append does not wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread::{self, ThreadId};

use durability::shared::{RawSharedWal, SharedOptions};
use durability::walog::{Event, Hooks, WalOptions};

use crate::{Failure, Metered, Plan};

/// The library's shared log, and what its appends did.
#[derive(Debug)]
pub struct Streamed {
    wal: RawSharedWal<Metered, Watch>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    rotations: AtomicU32,
    writes: AtomicU64,
}

/// Watches what the appending thread does.
#[derive(Debug)]
struct Watch {
    seen: Arc<Seen>,
    appends: ThreadId,
}

impl Hooks for Watch {
    fn on(&mut self, event: Event) {
        if thread::current().id() != self.appends {
            return;
        }
        match event {
            Event::Rotated { .. } => self.seen.rotations.fetch_add(1, Relaxed),
            Event::Flushed { .. } => {
                self.seen.writes.fetch_add(1, Relaxed);
                0
            }
            _ => 0,
        };
    }
}

impl Streamed {
    /// Makes a log in a new folder.
    pub fn create(plan: &Plan<'_>) -> Result<Self, Failure> {
        let dir = Metered::new(plan.folder, plan.meter.clone())?;
        let options = WalOptions::new().segment_bytes(plan.segment_bytes);
        let options = options.preallocate(plan.prepared);
        let seen = Arc::new(Seen::default());
        let watch = Watch { seen: Arc::clone(&seen), appends: thread::current().id() };
        let wal = RawSharedWal::open_with(dir, options, SharedOptions::new(), watch)?;
        Ok(Self { wal, seen })
    }

    /// Appends a record.
    pub fn append(&self, record: &[u8]) -> Result<(), Failure> {
        let _ticket = self.wal.append(record)?;
        Ok(())
    }

    /// How often an append has rotated.
    pub fn rotations(&self) -> u32 {
        self.seen.rotations.load(Relaxed)
    }

    /// How often an append has written its buffer out.
    pub fn writes(&self) -> u64 {
        self.seen.writes.load(Relaxed)
    }

    /// Makes all durable.
    pub fn close(self) -> Result<(), Failure> {
        Ok(self.wal.close()?)
    }
}
