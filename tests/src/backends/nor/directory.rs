//! The directory over the slots of a chip.
//!
//! Must never change a programmed byte: what would need it is unsupported.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use durability_core::storage::{Capabilities, Directory, Folder, Locking, Name, NameBuf};

use super::files::Handle;
use super::slots::Slots;
use super::{NorAppender, NorChip, NorError, NorGeometry, NorReader, Tearing};
use crate::shared::{index, lock, offset};

/// A directory on raw NOR flash; clones share it.
///
/// - Everything is durable when it returns; the barriers have nothing to do.
/// - A file is a slot of erase blocks, and its length that of the slot: what was not written reads as 0xFF.
/// - `reopen` works where nothing is programmed at or beyond the position; elsewhere it answers
///   [`NorError::NotErased`], which is of kind `Unsupported`. A torn granule is programmed. A granule programmed as
///   all 0xFF cannot be told from a blank one: appending to it is then an error.
/// - No rename. Removal costs one program, creation the erasure of a slot.
///
/// ```
/// use durability_core::storage::{Directory, Name};
/// use durability_testkit::backends::{NorDirectory, NorGeometry, Tearing};
///
/// let dir = NorDirectory::new(NorGeometry { blocks: 32, block_bytes: 2048, granule: 16 }, 2)?;
/// dir.cut_power_at(9, Tearing::Front);
/// let cut = (0..3).find(|number| {
///     let name = format!("wal/{number}");
///     dir.create(Name::new(&name).unwrap(), 0).is_err()
/// });
/// assert_eq!(cut, Some(2)); // a creation erases two blocks and programs two granules
/// let after = NorDirectory::mount(dir.chip().powered(), 2)?;
/// assert!(after.open(Name::new("wal/1").unwrap())?.is_some());
/// assert!(after.open(Name::new("wal/2").unwrap())?.is_none());
/// # Ok::<(), durability_testkit::backends::NorError>(())
/// ```
#[derive(Debug, Clone)]
pub struct NorDirectory {
    slots: Arc<Mutex<Slots>>,
    locks: Arc<Mutex<BTreeSet<String>>>,
}

impl NorDirectory {
    /// An empty directory on a new chip, in slots of `slot_blocks` erase blocks each.
    ///
    /// # Errors
    /// [`NorError::BadGeometry`] if the slots would hold nothing.
    pub fn new(geometry: NorGeometry, slot_blocks: usize) -> Result<Self, NorError> {
        Self::mount(NorChip::new(geometry)?, slot_blocks)
    }

    /// The directory that is on a chip. Changes nothing there.
    ///
    /// # Errors
    /// [`NorError::BadGeometry`] if the slots would hold nothing; [`NorError::PowerLost`] if the chip was not
    /// [powered](NorChip::powered) again.
    pub fn mount(chip: NorChip, slot_blocks: usize) -> Result<Self, NorError> {
        let slots = Arc::new(Mutex::new(Slots::mount(chip, slot_blocks)?));
        Ok(Self { slots, locks: Arc::default() })
    }

    /// A copy of the chip as it is now.
    pub fn chip(&self) -> NorChip {
        lock(&self.slots).chip.clone()
    }

    /// See [`NorChip::cut_power_at`].
    pub fn cut_power_at(&self, nth: u64, tearing: Tearing) {
        lock(&self.slots).chip.cut_power_at(nth, tearing);
    }

    /// See [`NorChip::operations`].
    pub fn operations(&self) -> u64 {
        lock(&self.slots).chip.operations()
    }

    /// Bytes that a file can hold.
    pub fn file_bytes(&self) -> u64 {
        offset(lock(&self.slots).layout.data_bytes)
    }

    fn handle(&self, slots: &Slots, name: Name<'_>) -> Option<Handle> {
        let slot = slots.find(name)?;
        let generation = slots.table.get(slot)?.generation;
        Some(Handle { slots: Arc::clone(&self.slots), slot, generation })
    }
}

/// A lock in a [`NorDirectory`]; dropping it releases the lock.
#[derive(Debug)]
pub struct NorLock {
    locks: Arc<Mutex<BTreeSet<String>>>,
    name: String,
}

impl Drop for NorLock {
    fn drop(&mut self) {
        lock(&self.locks).remove(&self.name);
    }
}

impl Directory for NorDirectory {
    type Error = NorError;
    type Reader = NorReader;
    type Appender = NorAppender;
    type Lock = NorLock;

    fn capabilities(&self) -> Capabilities {
        let slots = lock(&self.slots);
        let bytes = offset(slots.layout.data_bytes);
        Capabilities::new()
            .with_write_granule(u32::try_from(slots.layout.granule).unwrap_or(u32::MAX))
            // A torn granule keeps any of its bytes.
            .with_tear_unit(1)
            .with_segment_bytes(bytes)
            .with_file_bytes_max(bytes)
            .with_reopen()
            .with_read_while_appending()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<NorReader>, NorError> {
        let handle = self.handle(&lock(&self.slots), name);
        Ok(handle.map(|handle| NorReader { handle, cursor: 0 }))
    }

    fn create(&self, name: Name<'_>, _reserve: u64) -> Result<Option<NorAppender>, NorError> {
        let mut slots = lock(&self.slots);
        if slots.find(name).is_some() {
            return Ok(None);
        }
        slots.create(name)?;
        let handle = self.handle(&slots, name);
        Ok(handle.map(|handle| NorAppender { handle, position: 0 }))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<NorAppender>, NorError> {
        let slots = lock(&self.slots);
        let Some(handle) = self.handle(&slots, name) else { return Ok(None) };
        let layout = slots.layout;
        let from = index(at);
        if !from.is_multiple_of(layout.granule) {
            return Err(NorError::OffGranule { offset: at, length: 0, granule: layout.granule });
        }
        let rest = layout.data_bytes.checked_sub(from).ok_or(NorError::BadPosition)?;
        if !slots.is_blank(layout.data(handle.slot) + from, rest)? {
            return Err(NorError::NotErased { at });
        }
        Ok(Some(NorAppender { handle, position: at }))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), NorError> {
        let mut slots = lock(&self.slots);
        slots.find(name).map_or(Ok(()), |slot| slots.remove(slot))
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), NorError> {
        // The names are copied so that `each` may use the directory.
        let names: Vec<NameBuf> =
            lock(&self.slots).table.iter().filter_map(|slot| slot.name.clone()).collect();
        for name in &names {
            if let Some(file) = folder.holds(name.as_name()) {
                each(file);
            }
        }
        Ok(())
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), NorError> {
        let slots = lock(&self.slots);
        slots.chip.read(0, &mut [])?;
        slots.find(name).map(|_| ()).ok_or(NorError::NotFound)
    }

    fn sync_dir(&self, _folder: Folder<'_>) -> Result<(), NorError> {
        lock(&self.slots).chip.read(0, &mut [])
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<NorLock>, NorError> {
        if !lock(&self.locks).insert(name.as_str().to_owned()) {
            return Ok(Locking::Held { holder: None });
        }
        let locks = Arc::clone(&self.locks);
        Ok(Locking::Acquired(NorLock { locks, name: name.as_str().to_owned() }))
    }

    fn nonce(&self) -> u64 {
        lock(&self.slots).chip.random()
    }
}
