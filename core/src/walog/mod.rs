//! The write-ahead log: typed or raw entries in a chain of append-only segments.
//!
//! [`WalWriter`] appends, syncs, rotates, truncates; [`WalReader`] replays. Files are never changed: a torn tail is repaired by the next segment, which says
//! where the last one ends. `FORMAT.md` has the bytes, `GUARANTEES.md` the promises.

mod chain;
mod closed;
mod commit;
mod discover;
mod encode;
mod entry;
mod fixed;
mod follow;
mod hooks;
mod ids;
mod index;
mod name;
mod opening;
mod options;
mod pad;
mod prepare;
mod random;
mod raw_reader;
mod raw_writer;
mod room;
mod segment;
mod segments;
mod staged;
mod tail;
mod tail_end;
mod typed;
mod upcoming;

pub use commit::Commit;
pub use entry::WalEntry;
pub use fixed::{FixedWalReader, FixedWalWriter};
pub use follow::{Follower, RawFollower, Reach};
pub use hooks::{Event, Hooks};
pub use ids::{EntryIds, SegmentRange};
pub use options::{FlushPolicy, WalOptions};
pub use prepare::{Preparation, Prepared, Step};
pub use raw_reader::{Entries, RawEntry, RawWalReader, ReplayReport, TornTail};
pub use raw_writer::RawWalWriter;
pub use staged::{Staged, StagedWriter};
pub use typed::{WalReader, WalWriter};
