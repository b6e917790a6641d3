//! One file's bytes: what a running system reads, what the medium has, and the writes between them.
//!
//! Must never let a byte reach the medium without a sync, except in a crash state that says so.

use alloc::sync::Arc;

use super::fault::DroppedPages;

/// A write that is not durable yet.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// When it happened, among all changes to the disk.
    pub(super) sequence: u64,
    pub(super) at: usize,
    /// Empty where only the length changed.
    pub(super) data: Arc<[u8]>,
    /// How long the file was afterwards.
    pub(super) length: usize,
}

impl Change {
    pub(super) fn end(&self) -> usize {
        self.at + self.data.len()
    }
}

/// The bytes of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    pub(super) cache: Arc<Vec<u8>>,
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) pending: Vec<Change>,
    /// A failed sync lost pages: the cache shows bytes that nobody will ever write.
    pub(super) diverged: bool,
}

impl Inode {
    /// A file whose content is all durable.
    pub(super) fn settled(bytes: Arc<Vec<u8>>) -> Self {
        Self { cache: Arc::clone(&bytes), durable: bytes, pending: Vec::new(), diverged: false }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.diverged
    }

    pub(super) fn write(&mut self, sequence: u64, at: usize, data: &[u8], blank: u8) {
        let length = self.write_cache(at, data, blank);
        self.pending.push(Change { sequence, at, data: Arc::from(data), length });
    }

    /// Returns the length of the file.
    fn write_cache(&mut self, at: usize, data: &[u8], blank: u8) -> usize {
        let end = at + data.len();
        let cache = self.unshared_cache(end);
        if cache.len() < end {
            cache.resize(end, blank);
        }
        cache[at..end].copy_from_slice(data);
        cache.len()
    }

    /// Makes the file longer, or shorter, without writing to it.
    pub(super) fn resize(&mut self, sequence: u64, length: usize, blank: u8) {
        self.unshared_cache(length).resize(length, blank);
        self.pending.push(Change { sequence, at: length, data: Arc::default(), length });
    }

    /// Writes without keeping track of what a crash could leave, because none will follow. A file whose cache has gone its
    /// own way keeps it: what a sync then makes durable is not what the cache shows.
    pub(super) fn write_untracked(&mut self, sequence: u64, at: usize, data: &[u8], blank: u8) {
        if self.diverged {
            return self.write(sequence, at, data, blank);
        }
        let _length = self.write_cache(at, data, blank);
    }

    /// A good sync of such a file.
    pub(super) fn sync_untracked(&mut self, blank: u8) {
        if self.diverged {
            return self.sync(blank);
        }
        self.durable = Arc::clone(&self.cache);
        self.pending.clear();
    }

    fn unshared_cache(&mut self, room: usize) -> &mut Vec<u8> {
        // Copying by hand makes room for the write that follows: one allocation instead of two.
        if Arc::get_mut(&mut self.cache).is_none() {
            let mut copy = Vec::with_capacity(room.max(self.cache.len()));
            copy.extend_from_slice(&self.cache);
            self.cache = Arc::new(copy);
        }
        Arc::make_mut(&mut self.cache)
    }

    /// A good sync: what is pending reaches the medium. What an earlier failed sync dropped does not.
    pub(super) fn sync(&mut self, blank: u8) {
        if self.pending.is_empty() {
            return;
        }
        if self.diverged {
            let durable = Arc::make_mut(&mut self.durable);
            for change in &self.pending {
                put(durable, change, blank);
            }
        } else {
            self.durable = Arc::clone(&self.cache);
        }
        self.pending.clear();
    }

    /// The cache is thrown away after a good sync: readers see what the medium has.
    pub(super) fn reveal(&mut self) {
        self.cache = Arc::clone(&self.durable);
        self.diverged = false;
    }

    /// A failed sync. The dropped pages are clean from now on, and never written; the length stays pending, because
    /// it travels with the metadata.
    pub(super) fn fail_sync(&mut self, dropped: DroppedPages, unit: usize, blank: u8) {
        if dropped == DroppedPages::None || self.pending.is_empty() {
            return;
        }
        let length = self.cache.len();
        if dropped == DroppedPages::Alternate {
            self.write_every_other_unit(unit, blank);
        }
        self.diverged = true;
        let sequence = self.pending.last().map_or(0, |change| change.sequence);
        self.pending.clear();
        if length != self.durable.len() {
            self.pending.push(Change { sequence, at: length, data: Arc::default(), length });
        }
    }

    fn write_every_other_unit(&mut self, unit: usize, blank: u8) {
        let mut durable = Vec::clone(&self.durable);
        for change in &self.pending {
            for at in change.at..change.end() {
                // Of the written units, the odd ones reach the medium.
                if (at / unit) % 2 == 1 {
                    if durable.len() <= at {
                        durable.resize(at + 1, blank);
                    }
                    durable[at] = change.data[at - change.at];
                }
            }
        }
        self.durable = Arc::new(durable);
    }
}

fn put(bytes: &mut Vec<u8>, change: &Change, blank: u8) {
    if bytes.len() < change.length || change.data.is_empty() {
        bytes.resize(change.length, blank);
    }
    bytes[change.at..change.end()].copy_from_slice(&change.data);
}
