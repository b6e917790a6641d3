//! How a writer comes to be: what is on the directory is looked at, and the log goes on behind it, or begins.
//!
//! Must never go on from what is not durable, and never change anything before all of it has been judged.

use alloc::vec::Vec;

use crate::EntryId;
use crate::error::{Context as _, Error, Operation};
use crate::file::memory::reserve;
use crate::storage::{Directory, Locking};

use super::discover::{Discovered, discover};
use super::found::TornTail;
use super::headless::Purpose;
use super::hooks::Hooks;
use super::options::{Settings, WalOptions};
use super::raw_writer::RawWalWriter;
use super::tail::Tail;
use super::upcoming::Upcoming;

/// What to do with a log that is, or is not, there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    New,
    Resume,
}

impl<D: Directory> RawWalWriter<D> {
    /// Makes a new log. See [`WalWriter::new`](super::WalWriter::new).
    ///
    /// # Errors
    /// [`Error::Exists`] if there are segments, and all of [`open`](Self::open).
    pub fn new(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        Self::new_with(dir, options, ())
    }

    /// Goes on with a log, or begins it in an empty directory. See [`WalWriter::resume`](super::WalWriter::resume).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn resume(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        Self::open_with(dir, options, ())
    }

    /// Goes on with a log, or begins it. See [`WalWriter::open`](super::WalWriter::open).
    ///
    /// # Errors
    /// [`Error::Held`] if there is another writer, [`Error::Corrupt`] and [`Error::Newer`] if the log cannot be trusted or read,
    /// [`Error::BadOption`], [`Error::Name`], [`Error::Limit`], and what the directory reports.
    pub fn open(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        Self::open_with(dir, options, ())
    }
}

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// [`new`](RawWalWriter::new), with hooks.
    ///
    /// # Errors
    /// As [`new`](RawWalWriter::new).
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    pub fn new_with(dir: D, options: WalOptions, hooks: H) -> Result<Self, Error<D::Error>> {
        Self::start(dir, &options, hooks, Start::New)
    }

    /// [`open`](RawWalWriter::open), with hooks.
    ///
    /// # Errors
    /// As [`open`](RawWalWriter::open).
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    pub fn open_with(dir: D, options: WalOptions, hooks: H) -> Result<Self, Error<D::Error>> {
        Self::start(dir, &options, hooks, Start::Resume)
    }

    fn start(
        dir: D,
        options: &WalOptions,
        hooks: H,
        start: Start,
    ) -> Result<Self, Error<D::Error>> {
        let settings = options.check(&dir.capabilities())?;
        let lock = lock(&dir, &settings)?;
        let mut buffer = Vec::new();
        if start == Start::New
            && let Some(&number) = super::discover::list(&dir, &settings)?.first()
        {
            return Err(Error::Exists { file: settings.segment_name(number)? });
        }
        let found = discover(&dir, &settings, Purpose::Write, &mut buffer)?;
        let mut wal = Self {
            log_id: found.log_id,
            chain: Vec::new(),
            tail: Tail::absent(),
            oldest: found.oldest,
            highest: found.observed.last().map_or(0, |seen| seen.number),
            next_id: settings.first_id,
            durable_through: None,
            unflushed_entries: 0,
            torn_tail: None,
            poisoned: false,
            upcoming: Upcoming::new(lock),
            dir,
            settings,
            hooks,
        };
        wal.adopt(found, buffer)?;
        Ok(wal)
    }

    /// Takes over what was found: the log goes on behind it.
    fn adopt(&mut self, found: Discovered, mut buffer: Vec<u8>) -> Result<(), Error<D::Error>> {
        // Now, and not with the first append: what an opened writer needs it has.
        reserve(&mut buffer, self.settings.buffer_bytes)?;
        // What was read may have made it much longer: a writer keeps its own buffer, and no more.
        buffer.clear();
        buffer.shrink_to(self.settings.buffer_bytes);
        self.tail.keep_buffer(buffer);
        let (Some(segment), Some(end)) = (found.chain.last().copied(), found.end) else {
            let unfinished: Vec<u32> = found.observed.iter().map(|seen| seen.number).collect();
            return self.begin(&unfinished);
        };
        self.chain = found.chain;
        let ending = end.ending;
        let next = segment.first_id.saturating_add(u64::from(ending.cursor.position));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::FIRST);
        self.durable_through = EntryId::new(next.saturating_sub(1));
        self.tail.adopt(&end, found.header_oldest);
        // Before anything is created: who tries again and again on a full disk must not leave one more file each time.
        let dead = found.observed.iter().map(|seen| seen.number);
        let dead: Vec<u32> = dead.filter(|&number| self.is_dead(number)).collect();
        // crash: a dead segment that is still there, or comes back, is as dead as before.
        for number in dead {
            self.delete(number)?;
        }
        if ending.torn_bytes > 0 && !planted!(TornTailWrittenOver) {
            let file = self.settings.segment_name(segment.number)?;
            let (offset, bytes) = (ending.cursor.offset, ending.torn_bytes);
            self.torn_tail = Some(TornTail { file, offset, bytes });
            // The torn tail is repaired by a new segment that says where this one ends. crash: the header is there or not; without it, the
            // next open sees the same tail.
            self.begin_segment(self.next_id, self.oldest)?;
            self.tail.flush()?;
        }
        Ok(())
    }

    /// Makes the first segment. Nothing may stand in it before its header is durable: there is no other segment to tell the log's id.
    fn begin(&mut self, unfinished: &[u32]) -> Result<(), Error<D::Error>> {
        // Segment 1 stays until there is another: without it, what is left would look like the rest of a log.
        let (first, others) = unfinished.split_at(unfinished.len().min(1));
        for &number in others {
            self.delete(number)?;
        }
        self.log_id = self.settings.log_id.unwrap_or_else(|| self.dir.nonce());
        let oldest = self.next_number()?;
        self.durable_through = EntryId::new(self.next_id.get().saturating_sub(1));
        self.begin_segment(self.next_id, oldest)?;
        self.oldest = oldest;
        if !planted!(FirstHeaderUnsynced) {
            self.sync_tail()?; // crash: before it, a header that is torn and nothing behind it; the next open begins anew
        }
        for &number in first {
            self.delete(number)?;
        }
        Ok(())
    }
}

fn lock<D: Directory>(dir: &D, settings: &Settings) -> Result<D::Lock, Error<D::Error>> {
    let file = settings.lock_name()?;
    match dir.lock(file.as_name()).on(Operation::Lock, &file)? {
        Locking::Acquired(lock) => Ok(lock),
        Locking::Held { holder } => Err(Error::Held { file, holder }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use crate::storage::MemoryDirectory;
    use crate::walog::{RawWalWriter, WalOptions};

    #[test]
    fn a_writer_keeps_no_more_memory_than_its_buffer_however_long_a_batch_was_read_at_opening() {
        let dir = MemoryDirectory::new();
        let options = WalOptions::new().buffer_bytes(256).read_bytes(256);
        let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
        wal.append_batch(&[[7; 32]; 60]).unwrap();
        drop(wal); // without a close frame, so that opening reads the batch
        let mut wal = RawWalWriter::open(dir, options).unwrap();
        assert_eq!(wal.entry_count(), 60);
        assert_eq!(wal.tail.take_buffer().capacity(), 256);
    }
}
