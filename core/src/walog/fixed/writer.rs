//! Writes a log of raw records through memory that the caller lends.
//!
//! Must never acknowledge anything after a failed write or sync, and never let a header name an end that is not durable.

use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::frame::Flags;
use crate::bytes::header::SegmentHeader;
use crate::durable::Durable;
use crate::error::{Error, Limit};
use crate::storage::Directory;

use super::super::headless::Purpose;
use super::super::ids::EntryIds;
use super::super::options::WalOptions;
use super::super::tail::Tail;
use super::account::{Account, Failed, Told as _, told};
use super::find::Found;
use super::walk::{File, Lent, Walk};
use super::{Beginning, Settings};

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
    /// The first segment.
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
    #[inline(never)]
    pub fn open(
        dir: D,
        options: WalOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let mut found = Found::default();
        let (settings, beginning) = super::settings(&options, &dir.capabilities(), buffer.len())?;
        let lock = told(|account| {
            let walk = Walk { dir: &dir, settings: &settings, account };
            let lock = walk.lock()?;
            walk.find(Purpose::Write, buffer, &mut found)?;
            Ok(lock)
        })?;
        Self::resume(dir, settings, lock, beginning, &found, buffer)
    }

    /// Goes on with what was found. Apart, so that the stack of the one is not needed for the other.
    #[inline(never)]
    fn resume(
        dir: D,
        settings: Settings,
        lock: D::Lock,
        beginning: Beginning,
        found: &Found,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let first_id = beginning.first_id;
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
        told(|account| match &found.tail {
            Some(tail) => wal.adopt(tail, found, account),
            None => wal.begin(beginning.log_id, account),
        })?;
        Ok(wal)
    }

    /// The log goes on behind what was found.
    #[inline(never)]
    fn adopt(
        &mut self,
        tail: &SegmentHeader,
        found: &Found,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        // Whoever is to write has had the tail read.
        let Some(end) = &found.end else { return Err(self.poison(account)) };
        self.log_id = tail.common.log_id;
        self.header = Some(*tail);
        (self.oldest, self.segments) = (found.oldest, found.segments);
        self.first = found.first;
        self.first_id = EntryId::new(found.first_id).unwrap_or(EntryId::FIRST);
        let next = tail.first_id.saturating_add(u64::from(end.ending.cursor.position));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::FIRST);
        self.durable_through = EntryId::new(next.saturating_sub(1));
        self.torn_bytes = end.ending.torn_bytes;
        self.tail.adopt(end, tail.oldest);
        // Before anything is created: who tries again and again on a full medium must not leave one more file each time.
        self.delete_dead(tail, account)?;
        if self.torn_bytes > 0 {
            // The torn tail is repaired by a new segment that says where this one ends.
            self.begin_segment(self.oldest, account)?;
            self.tail.flush().to(account)?; // crash: the header is there or not; without it, the next open sees the same tail
        }
        Ok(())
    }

    /// Makes the first segment. Nothing may stand in it before its header is durable: there is no other segment to tell the log's id.
    #[inline(never)]
    fn begin(&mut self, log_id: Option<u64>, account: &Account<D::Error>) -> Result<(), Failed> {
        let before = self.highest;
        // Segment 1 stays until there is another: without it, what is left would look like the rest of a log.
        self.walk(account).delete_between(1, u64::MAX)?;
        self.log_id = log_id.unwrap_or_else(|| self.dir.nonce());
        self.begin_segment(0, account)?;
        self.sync_tail(account)?; // crash: before it, a header that is torn and nothing behind it; the next open begins anew
        if before > 0 {
            self.walk(account).delete(1)?;
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
        told(|account| {
            let id = self.next_id;
            self.append_all(&[payload], account)?;
            Ok(id)
        })
    }

    /// Appends records that are all visible after a crash or none. All of them stand in one segment. An empty batch does nothing.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_batch(&mut self, payloads: &[&[u8]]) -> Result<EntryIds, Error<D::Error>> {
        told(|account| {
            let first = self.next_id;
            Ok(EntryIds::new(first, self.append_all(payloads, account)?))
        })
    }

    #[inline(never)]
    fn append_all(
        &mut self,
        payloads: &[&[u8]],
        account: &Account<D::Error>,
    ) -> Result<u32, Failed> {
        self.check(account)?;
        let mut bytes = 0_u64;
        for payload in payloads {
            let (found, limit) = (payload.len() as u64, self.settings.append_bytes_max);
            account.at_most(Limit::RecordBytes, found, limit.into())?;
            bytes = bytes.saturating_add(self.frame_bytes(found));
        }
        let count = self.check_batch(payloads.len() as u64, bytes, account)?;
        if count == 0 {
            return Ok(count);
        }
        self.make_room(bytes, account)?;
        self.poisoned = true;
        for (index, payload) in payloads.iter().enumerate() {
            let more = index.saturating_add(1) < payloads.len();
            let position = self.tail.position().saturating_add(1);
            self.append_frame(self.tail.flags(false, more), position, payload, account)?;
        }
        let next = self.next_id.get().saturating_add(u64::from(count));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::LAST);
        self.poisoned = false;
        Ok(count)
    }

    fn append_frame(
        &mut self,
        flags: Flags,
        position: u32,
        payload: &[u8],
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        let codec = self.tail.codec();
        let sink = self.tail.sink().to(account)?;
        let header = sink.append_any(codec, flags, position, payload).to(account)?;
        self.tail.appended(&header);
        Ok(())
    }

    fn check_batch(
        &self,
        entries: u64,
        bytes: u64,
        account: &Account<D::Error>,
    ) -> Result<u32, Failed> {
        let settings = &self.settings;
        account.at_most(Limit::BatchEntries, entries, settings.batch_entries_max.into())?;
        account.at_most(Limit::BatchBytes, bytes, settings.batch_bytes_max.into())?;
        let whole = bytes.saturating_add(settings.header_bytes.into());
        account.at_most(Limit::FileBytes, whole, settings.file_bytes_max.into())?;
        Ok(u32::try_from(entries).unwrap_or(u32::MAX))
    }

    /// A payload is no longer than its limit, and the alignment a power of two.
    fn frame_bytes(&self, payload_bytes: u64) -> u64 {
        let mask = u64::from(self.settings.alignment.wrapping_sub(1));
        let header_bytes = self.settings.form.header_bytes() as u64;
        payload_bytes.saturating_add(header_bytes).saturating_add(mask) & !mask
    }

    /// Sees to it that the tail is open and takes that many bytes of frames.
    fn make_room(&mut self, bytes: u64, account: &Account<D::Error>) -> Result<(), Failed> {
        if !self.tail.is_open() {
            if !self.goes_on_in_place() {
                self.check_segments(account)?;
            }
            self.poisoned = true;
            self.open_tail(account)?;
            self.poisoned = false;
        }
        let end = self.tail.offset().saturating_add(bytes);
        let full = end > u64::from(self.settings.segment_bytes) && self.tail.position() > 0;
        if full || end > u64::from(self.settings.file_bytes_max) {
            self.check_segments(account)?;
            self.poisoned = true;
            self.rotate(account)?;
            self.poisoned = false;
        }
        Ok(())
    }

    fn check_segments(&self, account: &Account<D::Error>) -> Result<(), Failed> {
        let found = u64::from(self.segments) + 1;
        account.at_most(Limit::Segments, found, self.settings.segments_max.into())
    }

    /// Hands everything appended so far to the directory's medium, or its cache.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        told(|account| {
            self.check(account)?;
            self.poisoned = true;
            self.tail.flush().to(account)?;
            self.poisoned = false;
            Ok(())
        })
    }

    /// Makes everything appended so far survive power loss: one write and one sync, or neither if nothing was appended since the last time.
    ///
    /// **Durability.** After `Ok`, all entries up to the returned one. After `Err`, what was durable before, and any part of the rest.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush_and_sync(&mut self) -> Result<Durable, Error<D::Error>> {
        told(|account| self.make_durable(account))?;
        Ok(Durable::new(self.durable_through))
    }

    #[inline(never)]
    pub(super) fn make_durable(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        self.check(account)?;
        self.poisoned = true;
        let synced = self.sync_tail(account)?;
        if synced && self.settings.mark_after_sync {
            self.append_control(Control::Mark, account)?;
            self.tail.flush().to(account)?;
        }
        self.poisoned = false;
        Ok(())
    }

    /// Makes everything durable, and writes down that the log was closed, unless a full medium has no room for that.
    ///
    /// # Errors
    /// As [`flush_and_sync`](Self::flush_and_sync). The lock is released in any case.
    pub fn close(mut self) -> Result<(), Error<D::Error>> {
        told(|account| {
            self.check(account)?;
            self.poisoned = true;
            let open = self.tail.is_open() && !self.tail.closed();
            if open {
                if self.oldest > self.tail.header_oldest() && !self.tail.pruned() {
                    self.append_control(Control::Prune { oldest: self.oldest }, account)?;
                }
                // Of marks too, so that the close frame can say that all before it is durable.
                self.tail.demand_sync_of_marks();
            }
            self.sync_tail(account)?;
            if open {
                self.append_control(Control::Close, account)?;
                // crash: without the close frame the log ends as it does after any crash
                match self.tail.flush() {
                    // Nor is it worth an error: all that was appended is durable.
                    Err(error) if error.is_no_space() => return Ok(()),
                    flushed => flushed.to(account)?,
                }
            }
            self.tail.trim().to(account)
        })
    }

    pub(super) fn fits(&self, control: Control) -> bool {
        let bytes = self.frame_bytes(control.encode().1 as u64);
        self.tail.offset().saturating_add(bytes) <= u64::from(self.settings.file_bytes_max)
    }

    /// Appends a control frame, if the file has room for it.
    pub(super) fn append_control(
        &mut self,
        control: Control,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        if !self.fits(control) {
            return Ok(());
        }
        let (bytes, length) = control.encode();
        let payload = bytes.get(..length).unwrap_or_default();
        let flags = self.tail.flags(true, false);
        self.append_frame(flags, self.tail.position(), payload, account)?;
        if let Control::Prune { .. } = control {
            self.tail.set_pruned();
        }
        Ok(())
    }

    /// Syncs the tail and, the first time, its name. Tells whether there was anything to sync.
    #[inline(never)]
    pub(super) fn sync_tail(&mut self, account: &Account<D::Error>) -> Result<bool, Failed> {
        let through = self.last_entry_id();
        if !self.tail.needs_sync() {
            self.durable_through = through;
            return Ok(false);
        }
        self.tail.sync().to(account)?;
        if !self.tail.name_synced() {
            // crash: the bytes are durable and the name may be lost with them; nothing was acknowledged yet
            self.walk(account).sync_dir()?;
            self.tail.set_name_synced();
        }
        self.tail.set_all_durable();
        self.durable_through = through;
        Ok(true)
    }

    #[inline]
    pub(super) fn check(&self, account: &Account<D::Error>) -> Result<(), Failed> {
        if self.poisoned { Err(self.poison(account)) } else { Ok(()) }
    }

    /// That an earlier call has failed.
    #[cold]
    #[inline(never)]
    fn poison(&self, account: &Account<D::Error>) -> Failed {
        let file = self.header.as_ref().map_or(File::Lock, |tail| File::Segment(tail.segment));
        match self.walk(account).name(file) {
            Ok(file) => account.give(Error::Poisoned { file }),
            Err(failed) => failed,
        }
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
