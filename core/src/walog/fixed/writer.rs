//! Writes a log of raw records through memory that the caller lends.
//!
//! Must never acknowledge anything after a failed write or sync, and never let a header name an end that is not durable.

use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::Codec;
use crate::bytes::header::{
    Common, FileHeader as _, Origin, Previous, SegmentHeader, segment_salt,
};
use crate::durable::Durable;
use crate::error::{Context as _, Error, Limit, Operation};
use crate::file::sink::Sink;
use crate::storage::{Directory, Locking, StoreError as _};

use super::super::headless::Purpose;
use super::super::ids::EntryIds;
use super::super::options::{Settings, WalOptions};
use super::super::tail::Tail;
use super::walk::{Found, Lent, Log, Seen, Walk};

/// Names in a row that may be taken by what is no file before creating a segment gives up.
const NAMES_TAKEN_MAX: u32 = 16;

/// The writer of a log of raw records, in memory that the caller lends, without a heap.
///
/// It writes the same files as [`RawWalWriter`](super::super::RawWalWriter), and either opens what the other left. A log has one writer at a time.
///
/// **Limits.** Memory is what is lent, and the writer itself. A record, with a header of 16 bytes, must fit what is lent. There are no segments made ready
/// ahead, no commits padded to sectors, no rotation by age, no truncation of the log's end: `RawWalWriter` has them. Opening and pruning read the headers of
/// all segments.
pub struct FixedWalWriter<'b, D: Directory> {
    dir: D,
    settings: Settings,
    log_id: u64,
    tail: Tail<D::Appender, Lent<'b>>,
    /// The tail's header.
    header: Option<SegmentHeader>,
    oldest: u32,
    first_id: EntryId,
    segments: u32,
    /// The highest number that a file ever had.
    highest: u32,
    next_id: EntryId,
    durable_through: Option<EntryId>,
    torn_bytes: u64,
    poisoned: bool,
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
        match found {
            Found { log: Some(log), .. } => wal.adopt(&log)?,
            Found { highest, .. } => wal.begin(highest)?,
        }
        Ok(wal)
    }

    /// The log goes on behind what was found.
    fn adopt(&mut self, log: &Log) -> Result<(), Error<D::Error>> {
        let Log { tail, end, oldest, first, segments } = *log;
        self.log_id = tail.common.log_id;
        self.header = Some(tail);
        (self.oldest, self.segments) = (oldest, segments);
        self.first_id = EntryId::new(first.1).unwrap_or(EntryId::FIRST);
        let next = tail.first_id.saturating_add(u64::from(end.ending.cursor.position));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::FIRST);
        self.durable_through = EntryId::new(next.saturating_sub(1));
        self.torn_bytes = end.ending.torn_bytes;
        self.tail.adopt(&end, tail.oldest);
        // Before anything is created: who tries again and again on a full medium must not leave one more file each time.
        self.delete_dead(&tail)?;
        if self.torn_bytes > 0 {
            // The torn tail is repaired by a new segment that says where this one ends.
            self.begin_segment(self.oldest)?;
            self.tail.flush()?; // crash: the header is there or not; without it, the next open sees the same tail
        }
        Ok(())
    }

    /// Deletes every file that is not of the log.
    fn delete_dead(&self, tail: &SegmentHeader) -> Result<(), Error<D::Error>> {
        let walk = Walk { dir: &self.dir, settings: &self.settings };
        let mut later = walk.above(tail.segment)?;
        while let Some(number) = later {
            self.delete(number)?;
            later = walk.above(number)?;
        }
        // crash: a dead segment that is still there, or comes back, is as dead as before.
        walk.down(tail, self.oldest, |seen| match seen {
            Seen::Dead(number) => self.delete(number),
            Seen::Live(_) => Ok(()),
        })
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

    /// Makes everything durable, and writes down that the log was closed.
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
            self.tail.flush()?; // crash: without the close frame the log ends as it does after any crash
        }
        self.tail.trim()
    }

    /// Deletes the segments that hold only entries before `before`. The tail is never deleted, and segments go whole or not at all.
    ///
    /// **Durability.** A mark is durable before the first file goes, so after a crash the log begins where it did, or later, and has no hole. After `Ok` the
    /// deletions are durable, and everything appended before too.
    ///
    /// # Errors
    /// [`Error::Gap`] if `before` is beyond the next id; [`Error::Poisoned`]; what the directory reports.
    pub fn truncate_prefix(&mut self, before: EntryId) -> Result<(), Error<D::Error>> {
        self.check()?;
        if before > self.next_id {
            let (first, last) = (Some(self.first_id), self.last_entry_id());
            return Err(Error::Gap { needed: before, first, last });
        }
        let Some(tail) = self.header else { return Ok(()) };
        // The last segment that begins at or before it is kept, and all behind it.
        let (mut kept, mut covered) = (None, 0_u32);
        Walk { dir: &self.dir, settings: &self.settings }.down(&tail, self.oldest, |seen| {
            match seen {
                Seen::Live(_) if kept.is_some() => covered = covered.saturating_add(1),
                Seen::Live(header) if header.first_id <= before.get() => kept = Some(header),
                _ => {}
            }
            Ok(())
        })?;
        let Some(kept) = kept.filter(|_| covered > 0) else {
            return self.flush_and_sync().map(drop);
        };
        self.poisoned = true;
        self.open_tail()?;
        self.oldest = kept.segment;
        self.first_id = EntryId::new(kept.first_id).unwrap_or(EntryId::FIRST);
        self.segments = self.segments.saturating_sub(covered);
        let mark = Control::Prune { oldest: self.oldest };
        if self.fits(mark) {
            self.append_control(mark)?;
        } else {
            self.rotate()?; // the new header is the mark
        }
        self.tail.demand_sync();
        self.sync_tail()?; // crash: before it, all segments; after it, deleting goes on at the next open
        let mut next = Walk { dir: &self.dir, settings: &self.settings }.above(0)?;
        while let Some(number) = next.filter(|&number| number < self.oldest) {
            self.delete(number)?; // crash: what is dead may stay, or come back, in any combination
            next = Walk { dir: &self.dir, settings: &self.settings }.above(number)?;
        }
        let lock = self.settings.lock_name()?;
        self.dir.sync_dir(self.settings.folder()).on(Operation::SyncDir, &lock)?;
        self.poisoned = false;
        Ok(())
    }

    /// Whether the tail's file can be opened for appending.
    fn goes_on_in_place(&self) -> bool {
        let same = |header: SegmentHeader| {
            header.common.alignment == self.settings.alignment
                && header.common.form == self.settings.form
        };
        self.settings.reopen && !self.tail.short() && self.header.is_some_and(same)
    }

    /// Opens the tail's file for appending, or begins a new segment where the directory cannot.
    fn open_tail(&mut self) -> Result<(), Error<D::Error>> {
        if self.tail.is_open() {
            return Ok(());
        }
        let Some(header) = self.header.filter(|_| self.goes_on_in_place()) else {
            return self.begin_segment(self.oldest);
        };
        let name = self.settings.segment_name(header.segment)?;
        let file = match self.dir.reopen(name.as_name(), self.tail.offset()) {
            // Program-once storage may find the room used up where a torn write left bytes that read as room.
            Err(error) if error.is_unsupported() => return self.begin_segment(self.oldest),
            reopened => reopened.on(Operation::Reopen, &name)?,
        };
        let file = file.ok_or_else(|| Error::Missing { file: name.clone() })?;
        let sink = Sink::growing(
            file,
            name,
            self.tail.take_buffer(),
            self.settings.buffer_bytes,
            self.settings.granule,
        )?;
        self.tail.attach(self.codec(&header), sink);
        Ok(())
    }

    fn codec(&self, header: &SegmentHeader) -> Codec {
        let crc = Crc::detect();
        let salt = segment_salt(crc, self.log_id, header.segment);
        Codec::new(crc, salt, header.common.alignment).with_form(header.common.form)
    }

    /// Seals the tail where it ends and begins the next segment.
    fn rotate(&mut self) -> Result<(), Error<D::Error>> {
        if self.settings.trims_at(self.tail.offset()) {
            self.tail.trim()?;
        }
        // The outgoing segment becomes durable before a header says that it is sealed: a sealed segment has no torn tail.
        self.tail.demand_sync_of_marks();
        self.sync_tail()?;
        self.begin_segment(self.oldest)
    }

    /// Begins a segment behind the tail, which must be durable up to where it ends. The header waits in the buffer. A log's first has itself for its oldest.
    fn begin_segment(&mut self, oldest: u32) -> Result<(), Error<D::Error>> {
        let mut tries = 0;
        let (number, name, file) = loop {
            let number = self.highest.checked_add(1).ok_or(Error::Limit {
                what: Limit::FileNumbers,
                found: u64::from(self.highest) + 1,
                limit: u64::from(u32::MAX),
            })?;
            let name = self.settings.segment_name(number)?;
            let file = self.dir.create(name.as_name(), 0).on(Operation::Create, &name)?;
            self.highest = number;
            tries += 1;
            match file {
                Some(file) => break (number, name, file),
                None if tries < NAMES_TAKEN_MAX => {}
                None => return Err(Error::Exists { file: name }),
            }
        }; // crash: a blank file, which is an unfinished creation
        let previous = self.header.map(|header| Previous {
            segment: header.segment,
            end: self.tail.offset(),
            checksum: self.tail.checksum(),
        });
        self.oldest = if previous.is_some() { oldest } else { number };
        let header = SegmentHeader {
            common: Common {
                alignment: self.settings.alignment,
                form: self.settings.form,
                log_id: self.log_id,
            },
            segment: number,
            oldest: self.oldest,
            first_id: self.next_id.get(),
            created_ms: 0,
            previous,
            origin: Origin::Sequence,
        };
        let codec = self.codec(&header);
        let buffer = self.tail.take_buffer();
        let (buffer_bytes, granule) = (self.settings.buffer_bytes, self.settings.granule);
        let mut sink = Sink::growing(file, name, buffer, buffer_bytes, granule)?;
        sink.put(&header.encode(codec.crc()))?;
        sink.pad(codec)?;
        self.tail.create(codec, sink, false, self.oldest);
        self.header = Some(header);
        self.segments = self.segments.saturating_add(1);
        Ok(())
    }

    fn delete(&self, number: u32) -> Result<(), Error<D::Error>> {
        let name = self.settings.segment_name(number)?;
        self.dir.remove(name.as_name()).on(Operation::Remove, &name)
    }

    fn fits(&self, control: Control) -> bool {
        let bytes = self.frame_bytes(control.encode().1 as u64);
        self.tail.offset().saturating_add(bytes) <= self.settings.file_bytes_max
    }

    /// Appends a control frame, if the file has room for it.
    fn append_control(&mut self, control: Control) -> Result<(), Error<D::Error>> {
        if !self.fits(control) {
            return Ok(());
        }
        let (bytes, length) = control.encode();
        let (flags, codec) = (self.tail.flags(true, false), self.tail.codec());
        let (payload, position) = (bytes.get(..length).unwrap_or_default(), self.tail.position());
        let header = self.tail.sink()?.append_any(codec, flags, position, payload)?;
        self.tail.appended(&header);
        match control {
            Control::Close => self.tail.set_closed(),
            Control::Prune { .. } => self.tail.set_pruned(),
            _ => {}
        }
        Ok(())
    }

    /// Syncs the tail and, the first time, its name. Tells whether there was anything to sync.
    fn sync_tail(&mut self) -> Result<bool, Error<D::Error>> {
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

    fn check(&self) -> Result<(), Error<D::Error>> {
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
