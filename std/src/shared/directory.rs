//! Which directories a log can be shared on.

use durability_core::storage::{AppendFile, Directory};

/// A directory that threads can share: its clones are the same place.
///
/// Every [`Directory`] that is `Clone`, `Send` and `Sync`, with files, locks and errors that can move between threads, is one; so is an `Arc` of any.
pub trait SharedDirectory:
    Directory<Error: Send + Sync, Appender: AppendFile + Send, Lock: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<D> SharedDirectory for D
where
    D: Directory + Clone + Send + Sync + 'static,
    D::Error: Send + Sync,
    D::Appender: Send,
    D::Lock: Send,
{
}
