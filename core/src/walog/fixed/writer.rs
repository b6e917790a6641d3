//! Writes a log of raw records through memory that the caller lends.
//!
//! Must never acknowledge anything after a failed write or sync, and never let a header name an end that is not durable.

use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::header::SegmentHeader;
use crate::durable::Durable;
use crate::error::{Error, Limit};
use crate::file::source::Trouble;
use crate::storage::Directory;

use super::super::headless::Purpose;
use super::super::ids::EntryIds;
use super::super::options::WalOptions;
use super::account::{Account, Failed, is_no_space, told};
use super::find::Found;
use super::tail::Tail;
use super::walk::{File, Walk};
use super::{Settings, small};

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
    pub(super) tail: Tail<'b, D::Appender>,
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
    /// A call has failed, or is at work: dropped then, nothing more is written.
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
        let mut settings = Settings::NONE;
        super::settings(&options, &dir.capabilities(), buffer.len(), &mut settings)?;
        let lock = told(&settings, |account| {
            let walk = Walk { dir: &dir, settings: &settings, account };
            let lock = walk.lock()?;
            walk.find(Purpose::Write, buffer, &mut found)?;
            Ok(lock)
        })?;
        Self::resume(dir, settings, lock, &options, &found, buffer)
    }

    /// What an action comes to: its result, or the error of which it gave the account.
    #[inline]
    pub(super) fn told<T>(
        &mut self,
        action: impl FnOnce(&mut Self, &Account<D::Error>) -> Result<T, Failed>,
    ) -> Result<T, Error<D::Error>> {
        let account = Account::new();
        action(self, &account).map_err(|failed| account.tell(failed, &self.settings))
    }

    /// Goes on with what was found. Apart, so that the stack of the one is not needed for the other.
    #[inline(never)]
    fn resume(
        dir: D,
        settings: Settings,
        lock: D::Lock,
        options: &WalOptions,
        found: &Found,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let first_id = options.first_id;
        let usable = settings.reading.read_bytes;
        let mut wal = Self {
            dir,
            settings,
            log_id: 0,
            tail: Tail::absent(buffer.get_mut(..usable).unwrap_or_default()),
            oldest: 0,
            first: 0,
            first_id,
            segments: 0,
            highest: found.highest,
            next_id: first_id,
            durable_through: EntryId::new(first_id.get().saturating_sub(1)),
            torn_bytes: 0,
            poisoned: true,
            _lock: lock,
        };
        wal.told(|wal, account| match &found.tail {
            Some(tail) => wal.adopt(tail, found, account),
            None => wal.begin(options.log_id, account),
        })?;
        wal.poisoned = false;
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
        (self.oldest, self.segments) = (found.oldest, found.segments);
        self.first = found.first;
        self.first_id = EntryId::new(found.first_id).unwrap_or(EntryId::FIRST);
        let next = tail.first_id.saturating_add(u64::from(end.ending.cursor.position));
        self.next_id = EntryId::new(next).unwrap_or(EntryId::FIRST);
        self.durable_through = EntryId::new(next.saturating_sub(1));
        self.torn_bytes = end.ending.torn_bytes;
        self.tail.adopt(tail, end, &self.settings);
        if self.torn_bytes > 0 {
            // The torn tail is repaired by a new segment that says where this one ends.
            self.begin_segment(account)?;
            self.flush_tail(account)?; // crash: the header is there or not; without it, the next open sees the same tail
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
        self.begin_segment(account)?;
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
        self.told(|wal, account| {
            let id = wal.next_id;
            wal.append_all(&[payload], account)?;
            Ok(id)
        })
    }

    /// Appends records that are all visible after a crash or none. All of them stand in one segment. An empty batch does nothing.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_batch(&mut self, payloads: &[&[u8]]) -> Result<EntryIds, Error<D::Error>> {
        self.told(|wal, account| {
            let first = wal.next_id;
            Ok(EntryIds::new(first, wal.append_all(payloads, account)?))
        })
    }

    #[inline(never)]
    fn append_all(
        &mut self,
        payloads: &[&[u8]],
        account: &Account<D::Error>,
    ) -> Result<u32, Failed> {
        self.check(account)?;
        let mut bytes = 0_usize;
        for payload in payloads {
            account.at_most(Limit::RecordBytes, payload.len(), self.settings.append_bytes_max)?;
            bytes = bytes.saturating_add(self.settings.frame_bytes(payload.len()));
        }
        let count = payloads.len();
        account.at_most(Limit::BatchEntries, count, self.settings.batch_entries_max)?;
        account.at_most(Limit::BatchBytes, bytes, self.settings.batch_bytes_max)?;
        let whole = bytes.saturating_add(self.settings.header_bytes());
        account.at_most(Limit::FileBytes, whole, self.settings.file_bytes_max)?;
        let Some(last) = count.checked_sub(1) else { return Ok(0) };
        self.make_room(small(bytes as u64), account)?;
        self.poisoned = true;
        for (index, payload) in payloads.iter().enumerate() {
            self.append_frame(self.tail.flags(false, index < last), payload, account)?;
        }
        let count = small(count as u64);
        let next = self.next_id.get().saturating_add(count.into());
        self.next_id = EntryId::new(next).unwrap_or(EntryId::LAST);
        self.poisoned = false;
        Ok(count)
    }

    /// Sees to it that the tail is open and takes that many bytes of frames.
    fn make_room(&mut self, bytes: u32, account: &Account<D::Error>) -> Result<(), Failed> {
        if !self.tail.is_open() {
            if !self.tail.goes_on_in_place(&self.settings) {
                self.check_segments(account)?;
            }
            self.poisoned = true;
            self.open_tail(account)?;
            self.poisoned = false;
        }
        let end = self.tail.offset().saturating_add(bytes);
        let full = end > self.settings.segment_bytes && self.tail.position > 0;
        if full || end > self.settings.file_bytes_max {
            self.check_segments(account)?;
            self.poisoned = true;
            self.rotate(account)?;
            self.poisoned = false;
        }
        Ok(())
    }

    fn check_segments(&self, account: &Account<D::Error>) -> Result<(), Failed> {
        let found = (self.segments as usize).saturating_add(1);
        account.at_most(Limit::Segments, found, self.settings.segments_max)
    }

    /// Hands everything appended so far to the directory's medium, or its cache.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        self.told(|wal, account| {
            wal.check(account)?;
            wal.poisoned = true;
            wal.flush_tail(account)?;
            wal.poisoned = false;
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
        self.told(Self::make_durable)?;
        Ok(Durable::new(self.durable_through))
    }

    #[inline(never)]
    pub(super) fn make_durable(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        self.check(account)?;
        self.poisoned = true;
        let synced = self.sync_tail(account)?;
        if synced && self.settings.mark_after_sync {
            self.append_control(Control::Mark, account)?;
            self.flush_tail(account)?;
        }
        self.poisoned = false;
        Ok(())
    }

    /// Makes everything durable, and writes down that the log was closed, unless a full medium has no room for that.
    ///
    /// # Errors
    /// As [`flush_and_sync`](Self::flush_and_sync). The lock is released in any case.
    pub fn close(mut self) -> Result<(), Error<D::Error>> {
        self.told(|wal, account| {
            wal.check(account)?;
            wal.poisoned = true;
            let open = wal.tail.is_open() && !wal.tail.closed;
            if open {
                if wal.oldest > wal.tail.header_oldest && !wal.tail.pruned {
                    wal.append_control(Control::Prune { oldest: wal.oldest }, account)?;
                }
                // Of marks too, so that the close frame can say that all before it is durable.
                wal.tail.demand_sync_of_marks();
            }
            wal.sync_tail(account)?;
            if open {
                wal.append_control(Control::Close, account)?;
                // crash: without the close frame the log ends as it does after any crash
                if let Err(failed) = wal.flush_tail(account) {
                    // Nor is it worth an error that the medium is full: all that was appended is durable.
                    return account.forget_if(failed, is_no_space);
                }
            }
            wal.trim(account)
        })
    }

    /// Appends a control frame, if the file has room for it: whether it had.
    pub(super) fn append_control(
        &mut self,
        control: Control,
        account: &Account<D::Error>,
    ) -> Result<bool, Failed> {
        let (bytes, length) = control.encode();
        let payload = bytes.get(..length).unwrap_or_default();
        let frame_bytes = small(self.settings.frame_bytes(length) as u64);
        if self.tail.offset().saturating_add(frame_bytes) > self.settings.file_bytes_max {
            return Ok(false);
        }
        self.append_frame(self.tail.flags(true, false), payload, account)?;
        self.tail.pruned = matches!(control, Control::Prune { .. });
        Ok(true)
    }

    /// Syncs the tail and, the first time, its name. Tells whether there was anything to sync.
    #[inline(never)]
    pub(super) fn sync_tail(&mut self, account: &Account<D::Error>) -> Result<bool, Failed> {
        let through = self.last_entry_id();
        if !self.tail.needs_sync {
            self.durable_through = through;
            return Ok(false);
        }
        self.sync_file(account)?;
        if !self.tail.name_synced {
            // crash: the bytes are durable and the name may be lost with them; nothing was acknowledged yet
            self.walk(account).sync_dir()?;
            self.tail.name_synced = true;
        }
        self.tail.set_all_durable();
        self.durable_through = through;
        Ok(true)
    }

    #[inline]
    pub(super) fn check(&self, account: &Account<D::Error>) -> Result<(), Failed> {
        let poisoned = self.poisoned && !planted!(FixedPoisonForgotten);
        if poisoned { Err(self.poison(account)) } else { Ok(()) }
    }

    /// That an earlier call has failed.
    #[cold]
    #[inline(never)]
    pub(super) fn poison(&self, account: &Account<D::Error>) -> Failed {
        let number = self.tail.number;
        let file = if number > 0 { File::Segment(number) } else { File::Lock };
        account.give(file, Trouble::Poisoned)
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
            let _ = self.flush_tail(&Account::new());
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
