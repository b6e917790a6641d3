//! What a log tells its owner, and the clock that it asks for.

use crate::EntryId;

/// The owner's side of a log: a clock, and an observer of what the log does.
///
/// Every method has a default, and `()` is an owner that does not care. Calls come on the thread that uses the log, between
/// its operations on the directory, and must not panic.
///
/// ```
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{Event, Hooks, WalOptions, WalWriter};
///
/// #[derive(Default)]
/// struct Syncs(u32);
/// impl Hooks for Syncs {
///     fn on(&mut self, event: Event) {
///         if let Event::Synced { .. } = event {
///             self.0 += 1;
///         }
///     }
/// }
/// let mut wal = WalWriter::open_with(MemoryDirectory::new(), WalOptions::new(), Syncs::default())?;
/// wal.append(&"entry")?;
/// let before = wal.hooks().0;
/// wal.flush_and_sync()?;
/// assert_eq!(wal.hooks().0, before + 1);
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub trait Hooks {
    /// Milliseconds of a clock that does not go back, from any beginning; it must go on across restarts for
    /// [`segment_age_ms_max`](super::WalOptions::segment_age_ms_max) to hold across them.
    fn now_ms(&self) -> u64 {
        0
    }

    /// From which entry on the log must be kept: it is about to be pruned so that it begins with entry `first`.
    ///
    /// An id below `first` holds pruning back so far that this entry stays. Whatever was answered is done at once, so that a reader that comes after the answer
    /// can be told what will be there.
    fn keep_from(&mut self, first: EntryId) -> EntryId {
        first
    }

    /// Something happened.
    fn on(&mut self, event: Event) {
        let _ = event;
    }
}

impl Hooks for () {}

impl<H: Hooks + ?Sized> Hooks for &mut H {
    fn now_ms(&self) -> u64 {
        (**self).now_ms()
    }
    fn keep_from(&mut self, first: EntryId) -> EntryId {
        (**self).keep_from(first)
    }
    fn on(&mut self, event: Event) {
        (**self).on(event);
    }
}

#[cfg(feature = "alloc")]
impl<H: Hooks + ?Sized> Hooks for alloc::boxed::Box<H> {
    fn now_ms(&self) -> u64 {
        (**self).now_ms()
    }
    fn keep_from(&mut self, first: EntryId) -> EntryId {
        (**self).keep_from(first)
    }
    fn on(&mut self, event: Event) {
        (**self).on(event);
    }
}

/// What a log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event {
    /// An entry is in the buffer.
    Appended {
        /// Its id.
        id: EntryId,
        /// Bytes of its payload.
        bytes: u32,
    },
    /// All entries so far were handed to the system.
    Flushed {
        /// The last of them.
        through: Option<EntryId>,
    },
    /// A sync is about to begin: with [`Event::Synced`], the two ends of its latency.
    Syncing,
    /// All entries so far are durable.
    Synced {
        /// The last of them.
        through: Option<EntryId>,
    },
    /// A segment was sealed, and the next begun.
    Rotated {
        /// The number of the new segment.
        segment: u32,
    },
    /// Pruning was asked to go on to entry `first`, and was [held back](Hooks::keep_from).
    HeldBack {
        /// The first entry that would have been left.
        first: EntryId,
        /// The first entry that is left.
        kept_from: EntryId,
    },
    /// A segment's file is about to be deleted, or to be used again.
    Deleting {
        /// Its number.
        segment: u32,
    },
}
