//! Writes a log of raw records through memory that the caller lends.
//!
//! Must never acknowledge anything after a failed write or sync, and never let a header name an end that is not durable.

use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::header::SegmentHeader;
use crate::durable::Durable;
use crate::error::{Context as _, Error, Limit, Operation};
use crate::mode::ReadMode;
use crate::storage::{Directory, Locking};

use super::super::headless::Purpose;
use super::super::ids::EntryIds;
use super::super::options::{Settings, WalOptions};
use super::super::segment::End;
use super::super::tail::Tail;
use super::reader::FixedWalReader;
use super::walk::{Lent, Log, Walk};

/// The writer of a log of raw records, in memory that the caller lends, without a heap.
///
/// It writes the same files as [`RawWalWriter`](super::super::RawWalWriter), and either opens what the other left. A log has one writer at a time.
///
/// **Limits.** Memory is what is lent, and the writer itself. A record, with a header of 16 bytes, must fit what is lent. There are no segments made ready
/// ahead, no commits padded to sectors, no rotation by age, no truncation of the log's end: `RawWalWriter` has them. Opening and pruning read the headers of
/// all segments.
pub struct FixedWalWriter<'b, D: Directory> {
    pub(super) dir: D,
    pub(super) settings: Settings,
    pub(super) log_id: u64,
    pub(super) tail: Tail<D::Appender, Lent<'b>>,
    /// The tail's header.
    pub(super) header: Option<SegmentHeader>,
    pub(super) oldest: u32,
    /// The number of the log's first segment.
    pub(super) first: u32,
    pub(super) first_id: EntryId,
    pub(super) segments: u32,
    /// The highest number that a file ever had.
    pub(super) highest: u32,
    pub(super) next_id: EntryId,
    durable_through: Option<EntryId>,
    torn_bytes: u64,
    pub(super) poisoned: bool,
    _lock: D::Lock,
}

impl<'b, D: Directory> FixedWalWriter<'b, D> {
    /// Goes on with a log, or begins it in an empty folder: recovers whatever the last run left. `buffer` is the memory that it reads and writes through, 256 bytes
    /// at least.
    ///
    /// **Durability.** What is found is durable when it returns.
    ///
    /// # Errors
    /// [`Error::Held`] if there is another writer, [`Error::Corrupt`] and [`Error::Newer`] if the log cannot be trusted or read, [`Error::BadOption`] if less than 256 bytes
    /// are lent or an option is set that takes a heap, [`Error::Name`], [`Error::Limit`], and what the directory reports.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    pub fn open(
        dir: D,
        options: WalOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let settings = super::settings(&options, &dir.capabilities(), buffer.len())?;
        let file = settings.lock_name()?;
        let lock = match dir.lock(file.as_name()).on(Operation::Lock, &file)? {
            Locking::Acquired(lock) => lock,
            Locking::Held { holder } => return Err(Error::Held { file, holder }),
        };
        let found = Walk { dir: &dir, settings: &settings }.find(Purpose::Write, buffer)?;
        let first_id = settings.first_id;
        let mut wal = Self {
            dir,
            settings,
            log_id: 0,
            tail: Tail::absent(),
            header: None,
            oldest: 0,
            first: 0,
            first_id,
            segments: 0,
            highest: found.highest,
            next_id: first_id,
            durable_through: EntryId::new(first_id.get().saturating_sub(1)),
            torn_bytes: 0,
            poisoned: false,
            _lock: lock,
        };
        wal.tail.keep_buffer(buffer);
        match found.log {
            Some(log) => {
                // Whoever is to write has had the tail read.
                let end = log.end.ok_or_else(|| Error::Poisoned { file: file.clone() })?;
                wal.adopt(&log, &end)?;
            }
            None => wal.begin(found.highest)?,
        }
        Ok(wal)
    }

    /// The log goes on behind what was found.
    fn adopt(&mut self, log: &Log, end: &End) -> Result<(), Error<D::Error>> {
        let Log { tail, oldest, first, segments, .. } = *log;
        self.log_id = tail.common.log_id;
        self.header = Some(tail);
        (self.oldest, self.segments) = (oldest, segments);
        self.first = first.0;
        self.first_id = EntryId::new(first.1).unwrap_or(EntryId::FIRST);
        let next = tail.first_id.saturating_add(u64::from(end.ending.cursor.position));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::FIRST);
        self.durable_through = EntryId::new(next.saturating_sub(1));
        self.torn_bytes = end.ending.torn_bytes;
        self.tail.adopt(end, tail.oldest);
        // Before anything is created: who tries again and again on a full medium must not leave one more file each time.
        self.delete_dead(&tail)?;
        if self.torn_bytes > 0 {
            // The torn tail is repaired by a new segment that says where this one ends.
            self.begin_segment(self.oldest)?;
            self.tail.flush()?; // crash: the header is there or not; without it, the next open sees the same tail
        }
        Ok(())
    }

    /// Makes the first segment. Nothing may stand in it before its header is durable: there is no other segment to tell the log's id.
    fn begin(&mut self, highest: u32) -> Result<(), Error<D::Error>> {
        let walk = Walk { dir: &self.dir, settings: &self.settings };
        // Segment 1 stays until there is another: without it, what is left would look like the rest of a log.
        let mut next = walk.above(1)?;
        while let Some(number) = next {
            self.delete(number)?;
            next = walk.above(number)?;
        }
        self.log_id = self.settings.log_id.unwrap_or_else(|| self.dir.nonce());
        self.begin_segment(0)?;
        self.sync_tail()?; // crash: before it, a header that is torn and nothing behind it; the next open begins anew
        if highest > 0 {
            self.delete(1)?;
        }
        Ok(())
    }

    /// Appends a record to the buffer.
    ///
    /// **Durability.** None yet. After `Err` of any kind but [`Error::Limit`] the record may or may not survive, and the writer is poisoned.
    ///
    /// # Errors
    /// [`Error::Limit`] for a record that is too large, and for one segment more than [`segments_max`](WalOptions::segments_max), without effect;
    /// [`Error::Poisoned`]; what the directory reports if the buffer had to be written out or the segment rotated.
    pub fn append(&mut self, payload: &[u8]) -> Result<EntryId, Error<D::Error>> {
        self.append_batch(&[payload])?.first().ok_or(Error::Limit {
            what: Limit::EntryIds,
            found: u64::MAX,
            limit: u64::MAX,
        })
    }

    /// Appends records that are all visible after a crash or none. All of them stand in one segment. An empty batch does nothing.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_batch(&mut self, payloads: &[&[u8]]) -> Result<EntryIds, Error<D::Error>> {
        self.check()?;
        let mut bytes = 0_u64;
        for payload in payloads {
            let (found, limit) = (payload.len() as u64, u64::from(self.settings.append_bytes_max));
            if found > limit {
                return Err(Error::Limit { what: Limit::RecordBytes, found, limit });
            }
            bytes = bytes.saturating_add(self.frame_bytes(found));
        }
        let count = self.check_batch(payloads.len() as u64, bytes)?;
        let ids = EntryIds::new(self.next_id, count);
        if count == 0 {
            return Ok(ids);
        }
        self.make_room(bytes)?;
        self.poisoned = true;
        for (index, payload) in payloads.iter().enumerate() {
            let more = index.saturating_add(1) < payloads.len();
            let flags = self.tail.flags(false, more);
            let position = self.tail.position().saturating_add(1);
            let codec = self.tail.codec();
            let header = self.tail.sink()?.append_any(codec, flags, position, payload)?;
            self.tail.appended(&header);
        }
        let next = self.next_id.get().saturating_add(u64::from(count));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::LAST);
        self.poisoned = false;
        Ok(ids)
    }

    fn check_batch(&self, entries: u64, bytes: u64) -> Result<u32, Error<D::Error>> {
        let batch = |what, found, limit| {
            if found > limit { Err(Error::Limit { what, found, limit }) } else { Ok(()) }
        };
        batch(Limit::BatchEntries, entries, self.settings.batch_entries_max.into())?;
        batch(Limit::BatchBytes, bytes, self.settings.batch_bytes_max)?;
        let whole = bytes.saturating_add(self.settings.header_bytes);
        batch(Limit::FileBytes, whole, self.settings.file_bytes_max)?;
        Ok(u32::try_from(entries).unwrap_or(u32::MAX))
    }

    fn frame_bytes(&self, payload_bytes: u64) -> u64 {
        let header_bytes = self.settings.form.header_bytes() as u64;
        let alignment = u64::from(self.settings.alignment);
        payload_bytes.saturating_add(header_bytes).next_multiple_of(alignment)
    }

    /// Sees to it that the tail is open and takes that many bytes of frames.
    fn make_room(&mut self, bytes: u64) -> Result<(), Error<D::Error>> {
        if !self.tail.is_open() {
            if !self.goes_on_in_place() {
                self.check_segments()?;
            }
            self.poisoned = true;
            self.open_tail()?;
            self.poisoned = false;
        }
        let end = self.tail.offset().saturating_add(bytes);
        let full = end > self.settings.segment_bytes && self.tail.position() > 0;
        if full || end > self.settings.file_bytes_max {
            self.check_segments()?;
            self.poisoned = true;
            self.rotate()?;
            self.poisoned = false;
        }
        Ok(())
    }

    fn check_segments(&self) -> Result<(), Error<D::Error>> {
        let limit = u64::from(self.settings.segments_max);
        let found = u64::from(self.segments) + 1;
        if found > limit {
            return Err(Error::Limit { what: Limit::Segments, found, limit });
        }
        Ok(())
    }

    /// Hands everything appended so far to the directory's medium, or its cache.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.poisoned = true;
        self.tail.flush()?;
        self.poisoned = false;
        Ok(())
    }

    /// Makes everything appended so far survive power loss: one write and one sync, or neither if nothing was appended since the last time.
    ///
    /// **Durability.** After `Ok`, all entries up to the returned one. After `Err`, what was durable before, and any part of the rest.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush_and_sync(&mut self) -> Result<Durable, Error<D::Error>> {
        self.check()?;
        self.poisoned = true;
        let synced = self.sync_tail()?;
        if synced && self.settings.mark_after_sync {
            self.append_control(Control::Mark)?;
            self.tail.flush()?;
        }
        self.poisoned = false;
        Ok(Durable::new(self.durable_through))
    }

    /// Makes everything durable, and writes down that the log was closed, unless a full medium has no room for that.
    ///
    /// # Errors
    /// As [`flush_and_sync`](Self::flush_and_sync). The lock is released in any case.
    pub fn close(mut self) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.poisoned = true;
        let open = self.tail.is_open() && !self.tail.closed();
        if open {
            if self.oldest > self.tail.header_oldest() && !self.tail.pruned() {
                self.append_control(Control::Prune { oldest: self.oldest })?;
            }
            // Of marks too, so that the close frame can say that all before it is durable.
            self.tail.demand_sync_of_marks();
        }
        self.sync_tail()?;
        if open {
            self.append_control(Control::Close)?;
            // crash: without the close frame the log ends as it does after any crash
            match self.tail.flush() {
                // Nor is it worth an error: all that was appended is durable.
                Err(error) if error.is_no_space() => return Ok(()),
                flushed => flushed?,
            }
        }
        self.tail.trim()
    }

    /// Flushes, and reads the log while it is open: everything that was appended until now. What the writer knows of the log is not looked for again: nothing is read but
    /// the headers of the segments and their frames, once. `options` are those that [`FixedWalReader::open`] takes, `buffer` is other memory than the writer's.
    ///
    /// ```
    /// use durability_core::ReadMode;
    /// use durability_core::storage::MemoryDirectory;
    /// use durability_core::walog::{FixedWalWriter, WalOptions};
    ///
    /// let (mut memory, mut reading) = ([0; 256], [0; 256]);
    /// let mut log = FixedWalWriter::open(MemoryDirectory::new(), WalOptions::new(), &mut memory)?;
    /// log.append(b"21.5 degrees")?;
    /// let mut entries = log.reader(WalOptions::new(), ReadMode::Strict, &mut reading)?;
    /// assert_eq!(entries.next()?.map(|entry| entry.payload.to_vec()), Some(b"21.5 degrees".to_vec()));
    /// assert!(entries.next()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Self::flush) and [`FixedWalReader::open`].
    pub fn reader<'r>(
        &'r mut self,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'r mut [u8],
    ) -> Result<FixedWalReader<'r, D>, Error<D::Error>>
    where
        D: Clone,
    {
        self.flush()?;
        let known = self.header.map(|tail| Log {
            tail,
            end: None,
            oldest: self.oldest,
            first: (self.first, self.first_id.get()),
            segments: self.segments,
        });
        FixedWalReader::begin(self.dir.clone(), options, mode, buffer, known)
    }

    pub(super) fn fits(&self, control: Control) -> bool {
        let bytes = self.frame_bytes(control.encode().1 as u64);
        self.tail.offset().saturating_add(bytes) <= self.settings.file_bytes_max
    }

    /// Appends a control frame, if the file has room for it.
    pub(super) fn append_control(&mut self, control: Control) -> Result<(), Error<D::Error>> {
        if !self.fits(control) {
            return Ok(());
        }
        let (bytes, length) = control.encode();
        let (flags, codec) = (self.tail.flags(true, false), self.tail.codec());
        let (payload, position) = (bytes.get(..length).unwrap_or_default(), self.tail.position());
        let header = self.tail.sink()?.append_any(codec, flags, position, payload)?;
        self.tail.appended(&header);
        if let Control::Prune { .. } = control {
            self.tail.set_pruned();
        }
        Ok(())
    }

    /// Syncs the tail and, the first time, its name. Tells whether there was anything to sync.
    pub(super) fn sync_tail(&mut self) -> Result<bool, Error<D::Error>> {
        let through = self.last_entry_id();
        if !self.tail.needs_sync() {
            self.durable_through = through;
            return Ok(false);
        }
        self.tail.sync()?;
        if !self.tail.name_synced() {
            // crash: the bytes are durable and the name may be lost with them; nothing was acknowledged yet
            let lock = self.settings.lock_name()?;
            self.dir.sync_dir(self.settings.folder()).on(Operation::SyncDir, &lock)?;
            self.tail.set_name_synced();
        }
        self.tail.set_all_durable();
        self.durable_through = through;
        Ok(true)
    }

    pub(super) fn check(&self) -> Result<(), Error<D::Error>> {
        if !self.poisoned {
            return Ok(());
        }
        let file = match &self.header {
            Some(header) => self.settings.segment_name(header.segment)?,
            None => self.settings.lock_name()?,
        };
        Err(Error::Poisoned { file })
    }

    /// The id of the last entry, durable or not; `None` if there never was one.
    pub const fn last_entry_id(&self) -> Option<EntryId> {
        EntryId::new(self.next_id.get().saturating_sub(1))
    }

    /// The id of the first entry that is there, or the next id of an empty log.
    pub const fn first_entry_id(&self) -> EntryId {
        self.first_id
    }

    /// The id that the next entry gets.
    pub const fn next_entry_id(&self) -> EntryId {
        self.next_id
    }

    /// The last entry that is durable; `None` if none is.
    pub const fn durable_through(&self) -> Option<EntryId> {
        self.durable_through
    }

    /// Bytes of the torn tail that opening found, and repaired; 0 after a clean end.
    pub const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Segments of the log.
    pub const fn segments(&self) -> u32 {
        self.segments
    }

    /// Whether an earlier failure has left the log in doubt: every call that writes fails.
    pub const fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The directory.
    pub const fn directory(&self) -> &D {
        &self.dir
    }
}

impl<D: Directory> Drop for FixedWalWriter<'_, D> {
    fn drop(&mut self) {
        // A courtesy to those who forgot to close: nobody is told whether it worked.
        if !self.poisoned {
            let _ = self.tail.flush();
        }
    }
}

impl<D: Directory> fmt::Debug for FixedWalWriter<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedWalWriter")
            .field("log_id", &self.log_id)
            .field("next_id", &self.next_id)
            .field("durable_through", &self.durable_through)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}
