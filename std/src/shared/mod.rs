//! A log for many threads and tasks: group commit.
//!
//! [`SharedWal`] is a handle, cheap to clone. Appending returns a [`Ticket`], which resolves once the entry is durable: by waiting, by a callback, or as a
//! future. One of those who wait writes and syncs for all; no lock is held across a write or a sync.

mod background;
mod company;
mod directory;
mod failure;
mod gate;
mod group;
mod options;
mod raw;
mod scratch;
mod state;
mod sync;
mod ticket;
mod typed;
mod waiting;
mod whole;

pub use directory::SharedDirectory;
pub use failure::Failure;
pub use options::SharedOptions;
pub use raw::RawSharedWal;
pub use ticket::Ticket;
pub use typed::SharedWal;
