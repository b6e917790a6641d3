//! The write-ahead log: typed or raw entries in a chain of append-only segments.
//!
//! [`WalWriter`] appends, syncs, rotates, truncates; [`WalReader`] replays. Files are never changed: a torn tail is repaired by the next segment, which says
//! where the last one ends. `FORMAT.md` has the bytes, `GUARANTEES.md` the promises.

mod chain;
#[cfg(feature = "alloc")]
mod closed;
#[cfg(feature = "alloc")]
mod commit;
#[cfg(all(test, feature = "alloc"))]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]
mod crafted_tests;
#[cfg(feature = "alloc")]
mod discover;
#[cfg(feature = "alloc")]
mod encode;
#[cfg(feature = "alloc")]
mod entry;
mod fixed;
#[cfg(feature = "alloc")]
mod follow;
mod found;
mod headless;
mod hooks;
mod ids;
#[cfg(feature = "alloc")]
mod index;
#[cfg(feature = "alloc")]
mod listed;
mod name;
#[cfg(feature = "alloc")]
mod opening;
mod options;
#[cfg(feature = "alloc")]
mod pad;
#[cfg(feature = "alloc")]
mod prepare;
#[cfg(feature = "alloc")]
mod random;
mod ranges;
#[cfg(feature = "alloc")]
mod raw_reader;
#[cfg(feature = "alloc")]
mod raw_writer;
#[cfg(feature = "alloc")]
mod room;
mod segment;
#[cfg(feature = "alloc")]
mod segments;
#[cfg(feature = "alloc")]
mod staged;
#[cfg(feature = "alloc")]
mod tail;
#[cfg(feature = "alloc")]
mod tail_end;
#[cfg(feature = "alloc")]
mod typed;
#[cfg(feature = "alloc")]
mod upcoming;

#[cfg(feature = "alloc")]
pub use commit::Commit;
#[cfg(feature = "alloc")]
pub use entry::WalEntry;
pub use fixed::{FixedWalReader, FixedWalWriter};
#[cfg(feature = "alloc")]
pub use follow::{Follower, RawFollower, Reach};
pub use found::{RawEntry, TornTail};
pub use hooks::{Event, Hooks};
pub use ids::{EntryIds, SegmentRange};
pub use options::{FlushPolicy, WalOptions};
#[cfg(feature = "alloc")]
pub use prepare::{Preparation, Prepared, Step};
#[cfg(feature = "alloc")]
pub use raw_reader::{Entries, RawWalReader, ReplayReport};
#[cfg(feature = "alloc")]
pub use raw_writer::RawWalWriter;
#[cfg(feature = "alloc")]
pub use staged::{Staged, StagedWriter};
#[cfg(feature = "alloc")]
pub use typed::{WalReader, WalWriter};
