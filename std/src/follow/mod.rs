//! Following a log and waiting for what comes: blocking, with a timeout, or as a task; and pins, which keep pruning behind the readers.
//!
//! A [`Follower`](crate::walog::Follower) answers "not yet" where a log ends for now. A [`Subscription`] is one that waits. How it learns that there is more
//! depends on where the writer is:
//! - **In this process**: the writer's owner tells a [`Watermark`] how far the log is written and durable, and whoever waits is woken by it. Without news
//!   nothing is read.
//! - **In another process**: the files are looked at again at intervals, from a short one, after an entry, to the one that was asked for. A look for nothing is two
//!   system calls. (A notification by the system would be one more dependency, differs from system to system, does not work on network file systems, and tells
//!   of a write no sooner than the next look does.)
//!
//! ```
//! use durability::EntryId;
//! use durability::follow::{Subscription, Watermark};
//! use durability::storage::MemoryDirectory;
//! use durability::walog::{Follower, Reach, WalOptions, WalWriter};
//!
//! let dir = MemoryDirectory::new();
//! let watermark = Watermark::new();
//! let follower = Follower::new(dir.clone(), WalOptions::new(), EntryId::FIRST, Reach::Durable)?;
//! let mut subscription = Subscription::<String, _>::signalled(follower, watermark.clone());
//! let reader = std::thread::spawn(move || subscription.next());
//!
//! let mut wal = WalWriter::open(dir, WalOptions::new())?;
//! let id = wal.append(&String::from("news"))?;
//! let durable = wal.flush_and_sync()?;
//! watermark.advance(wal.last_entry_id(), durable.through());
//! assert_eq!(reader.join().unwrap()?, Some((id, String::from("news"))));
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

mod alarm;
mod pins;
mod subscription;
mod typed;
mod watermark;

pub use pins::{Pin, PinnedHooks, Pins};
pub use subscription::RawSubscription;
pub use typed::Subscription;
pub(crate) use watermark::Announcement;
pub use watermark::{Mark, Watermark, WriterEnd};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What these locks guard is whole between any two statements, also if a thread has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
