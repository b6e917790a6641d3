//! Pins: entries that readers still need, so that pruning stays behind them.
//!
//! Must never let a pin be taken on what pruning has already been allowed to delete.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use std::sync::Mutex;

use durability_core::EntryId;
use durability_core::walog::{Event, Hooks};

use super::lock;

/// The entries that readers of one log still need, shared between them and the log's owner.
///
/// The owner opens the log with [`hooks`](Self::hooks): from then on no pruning, by [`truncate_prefix`](crate::walog::WalWriter::truncate_prefix) or a
/// [publisher](crate::publish::CheckpointPublisher), deletes a pinned entry or one behind it. It prunes less, and tells of it by
/// [`Event::HeldBack`]. What takes entries back (truncation of the log's end, or of all of it) heeds no pins.
///
/// A forgotten pin lets the log grow for ever; [`lowest`](Self::lowest) tells where it is.
///
/// ```
/// use durability::EntryId;
/// use durability::follow::Pins;
/// use durability::storage::{MemoryDirectory, MemoryError};
/// use durability::walog::{WalOptions, WalWriter};
/// let pins = Pins::new();
/// let options = WalOptions::new().segment_bytes(128);
/// let mut wal = WalWriter::open_with(MemoryDirectory::new(), options, pins.hooks(()))?;
/// for number in 0..20_u64 {
///     wal.append(&number)?;
/// }
/// let pin = pins.pin(EntryId::FIRST).expect("nothing is pruned yet");
/// wal.truncate_prefix(wal.next_entry_id())?;
/// assert_eq!(wal.first_entry_id(), 1);
/// drop(pin);
/// wal.truncate_prefix(wal.next_entry_id())?;
/// assert!(wal.first_entry_id() > EntryId::FIRST);
/// assert!(pins.pin(EntryId::FIRST).is_none(), "it is gone");
/// # Ok::<(), durability::Error<MemoryError>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pins {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// How many pins there are at an entry.
    held: BTreeMap<EntryId, usize>,
    /// What lies before may be deleted by now.
    floor: Option<EntryId>,
}

impl Table {
    fn release(&mut self, id: EntryId) {
        if let Some(count) = self.held.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&id);
            }
        }
    }

    fn lowest(&self) -> Option<EntryId> {
        self.held.keys().next().copied()
    }
}

impl Pins {
    /// No pins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pins entry `id` and all behind it, until the pin is dropped; `None` if pruning has been allowed beyond it.
    ///
    /// What was pruned before these pins were given to the log is not known here: a follower that begins at such an entry reports the gap.
    pub fn pin(&self, id: EntryId) -> Option<Pin> {
        let mut table = lock(&self.table);
        if table.floor.is_some_and(|floor| id < floor) {
            return None;
        }
        *table.held.entry(id).or_default() += 1;
        Some(Pin { pins: self.clone(), id })
    }

    /// The lowest pin.
    pub fn lowest(&self) -> Option<EntryId> {
        lock(&self.table).lowest()
    }

    /// Hooks that hold pruning back, around others.
    pub fn hooks<H: Hooks>(&self, inner: H) -> PinnedHooks<H> {
        PinnedHooks { pins: self.clone(), inner }
    }
}

/// Keeps an entry, and all behind it, from being pruned, until it is dropped.
#[derive(Debug)]
#[must_use = "a pin holds as long as it is kept"]
pub struct Pin {
    pins: Pins,
    id: EntryId,
}

impl Pin {
    /// The entry.
    pub const fn id(&self) -> EntryId {
        self.id
    }

    /// Goes forward to entry `id`: what lies before may be pruned. An entry before the pinned one changes nothing.
    pub fn move_to(&mut self, id: EntryId) {
        if id > self.id {
            let mut table = lock(&self.pins.table);
            *table.held.entry(id).or_default() += 1;
            table.release(self.id);
            self.id = id;
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        lock(&self.pins.table).release(self.id);
    }
}

/// The hooks of a log whose readers pin entries; made by [`Pins::hooks`].
#[derive(Debug, Clone)]
pub struct PinnedHooks<H> {
    pins: Pins,
    inner: H,
}

impl<H> PinnedHooks<H> {
    /// The hooks around which these are.
    pub const fn inner(&self) -> &H {
        &self.inner
    }

    /// The hooks around which these are, to change them.
    pub const fn inner_mut(&mut self) -> &mut H {
        &mut self.inner
    }

    /// The pins.
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }
}

impl<H: Hooks> Hooks for PinnedHooks<H> {
    fn now_ms(&self) -> u64 {
        self.inner.now_ms()
    }

    fn keep_from(&mut self, first: EntryId) -> EntryId {
        let first = self.inner.keep_from(first).min(first);
        let mut table = lock(&self.pins.table);
        let kept = table.lowest().map_or(first, |lowest| lowest.min(first));
        // Under the same lock, so that no pin comes between the answer and the deed.
        table.floor = table.floor.max(Some(kept));
        kept
    }

    fn on(&mut self, event: Event) {
        self.inner.on(event);
    }
}
