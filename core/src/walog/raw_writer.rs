//! The writer of a log of raw records: appending and barriers.
//!
//! Must never change a byte that it wrote, acknowledge anything after a failure, or allocate in an append.

use alloc::vec::Vec;
use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::frame::{Codec, Form, Header};
use crate::bytes::header::Origin;
use crate::durable::Durable;
use crate::error::{Context as _, Error, Operation};
use crate::storage::{Directory, NameBuf};

use super::chain::{self, Segment};
use super::found::TornTail;
use super::hooks::{Event, Hooks};
use super::ids::EntryIds;
use super::options::{FlushPolicy, Settings};
use super::tail::Tail;
use super::upcoming::Upcoming;

/// Writes a log of raw byte records. [`WalWriter`](super::WalWriter) is its typed form; the two can be used on the same log.
///
/// **Durability.** [`append`](Self::append) buffers, [`flush`](Self::flush) makes entries survive the process,
/// [`flush_and_sync`](Self::flush_and_sync) makes them survive power loss. After a failed write, flush, sync or create the writer is poisoned: every later
/// call fails, and opening the log again is the way on.
///
/// Dropping a writer flushes what is buffered, as far as that succeeds, and releases the lock; [`close`](Self::close) tells whether it did.
///
/// ```
/// use durability_core::ReadMode;
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
/// let dir = MemoryDirectory::new();
/// let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new())?;
/// wal.append(b"first")?;
/// let durable = wal.flush_and_sync()?;
/// assert_eq!(durable.through().map(u64::from), Some(1));
///
/// let mut reader = RawWalReader::open(dir, WalOptions::new())?;
/// let mut entries = reader.entries(ReadMode::Strict)?;
/// while let Some(entry) = entries.next()? {
///     assert_eq!(entry.payload, b"first");
/// }
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub struct RawWalWriter<D: Directory, H: Hooks = ()> {
    pub(super) dir: D,
    pub(super) settings: Settings,
    pub(super) hooks: H,
    pub(super) log_id: u64,
    /// The log's segments; the last is the tail.
    pub(super) chain: Vec<Segment>,
    pub(super) tail: Tail<D::Appender>,
    /// The oldest live segment, as the next header will say.
    pub(super) oldest: u32,
    /// The highest number that a segment's file ever had, as far as is known.
    pub(super) highest: u32,
    pub(super) next_id: EntryId,
    pub(super) durable_through: Option<EntryId>,
    pub(super) unflushed_entries: u32,
    pub(super) torn_tail: Option<TornTail>,
    pub(super) poisoned: bool,
    /// The last field: it holds the lock.
    pub(super) upcoming: Upcoming<D>,
}

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// The id of the last entry, durable or not; `None` before the first. It survives that the entry is pruned.
    pub fn last_entry_id(&self) -> Option<EntryId> {
        EntryId::new(self.next_id.get().saturating_sub(1))
    }

    /// The id that the next entry will have.
    pub const fn next_entry_id(&self) -> EntryId {
        self.next_id
    }

    /// The first entry that is still there, or, in an empty log, the next id.
    pub fn first_entry_id(&self) -> EntryId {
        let first = self.chain.first().and_then(|segment| EntryId::new(segment.first_id));
        first.unwrap_or(self.next_id)
    }

    /// How many entries are there.
    pub fn entry_count(&self) -> u64 {
        self.next_id.get().saturating_sub(self.first_entry_id().get())
    }

    /// The last entry that is known to survive power loss.
    pub const fn durable_through(&self) -> Option<EntryId> {
        self.durable_through
    }

    /// [`durable_through`](Self::durable_through), as a proof.
    pub const fn durable(&self) -> Durable {
        Durable::new(self.durable_through)
    }

    /// Whether an earlier failure has left the log in doubt: every call that writes fails.
    pub const fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The torn tail that opening found, and repaired; `None` after a clean end.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.torn_tail.as_ref()
    }

    /// The number of the tail segment.
    pub fn tail_segment(&self) -> u32 {
        self.chain.last().map_or(0, |segment| segment.number)
    }

    /// Bytes of the tail segment so far, what is buffered included.
    pub fn tail_bytes(&self) -> u64 {
        self.tail.offset()
    }

    /// Bytes that the tail segment may have.
    pub const fn segment_bytes(&self) -> u64 {
        self.settings.segment_bytes
    }

    /// Whether a truncation after `segment` was begun took back entry `id`, as far as the segments that are there tell.
    pub(crate) fn was_truncated(&self, id: EntryId, segment: u32) -> bool {
        chain::was_truncated(&self.chain, id, segment)
    }

    /// Whether a segment tells of a truncation.
    pub(crate) fn tells_of_truncations(&self) -> bool {
        self.chain.iter().any(|segment| segment.origin == Origin::Truncation)
    }

    /// The id that the log got when it was made.
    pub const fn log_id(&self) -> u64 {
        self.log_id
    }

    /// The directory.
    pub const fn directory(&self) -> &D {
        &self.dir
    }

    /// The hooks.
    pub const fn hooks(&self) -> &H {
        &self.hooks
    }

    /// The hooks, to change them.
    pub const fn hooks_mut(&mut self) -> &mut H {
        &mut self.hooks
    }

    /// Appends a record to the buffer.
    ///
    /// **Durability.** None yet. After `Err` of any kind but [`Error::Limit`] the record may or may not survive, and the writer is
    /// poisoned.
    ///
    /// # Errors
    /// [`Error::Limit`] for a record that is too large, without effect; [`Error::Poisoned`]; what the directory reports if the buffer had
    /// to be written out or the segment rotated.
    #[inline]
    pub fn append(&mut self, payload: &[u8]) -> Result<EntryId, Error<D::Error>> {
        let payload_bytes = self.check_record(payload.len() as u64)?;
        self.check()?;
        if !self.has_plain_room(self.frame_bytes(payload_bytes)) {
            return self.append_slowly(payload);
        }
        self.poisoned = true;
        let id = self.append_full_entry(payload, false)?;
        self.policy()?;
        self.poisoned = false;
        Ok(id)
    }

    /// [`append`](Self::append), of a record that was checked, where there may be more to do, or the frame is a compact one.
    #[inline(never)]
    fn append_slowly(&mut self, payload: &[u8]) -> Result<EntryId, Error<D::Error>> {
        self.poisoned = true;
        self.make_room(self.frame_bytes(payload.len() as u64))?;
        let id = self.append_entry(payload, false)?;
        self.policy()?;
        self.poisoned = false;
        Ok(id)
    }

    /// Appends records that are all visible after a crash or none, and flushes once.
    ///
    /// All of them stand in one segment. An empty batch does nothing.
    ///
    /// # Errors
    /// [`Error::Limit`] for a batch or record that is too large, without effect; otherwise as [`append`](Self::append).
    pub fn append_batch<P: AsRef<[u8]>>(
        &mut self,
        payloads: &[P],
    ) -> Result<EntryIds, Error<D::Error>> {
        self.check()?;
        let mut bytes = 0_u64;
        for payload in payloads {
            let payload_bytes = self.check_record(payload.as_ref().len() as u64)?;
            bytes = bytes.saturating_add(self.frame_bytes(payload_bytes));
        }
        let count = self.check_batch(payloads.len() as u64, bytes)?;
        let ids = EntryIds::new(self.next_id, count);
        if count == 0 {
            return Ok(ids);
        }
        self.poisoned = true;
        self.make_room(bytes)?;
        for (index, payload) in payloads.iter().enumerate() {
            self.append_entry(payload.as_ref(), index.saturating_add(1) < payloads.len())?;
        }
        self.poisoned = false;
        self.flush()?;
        Ok(ids)
    }

    /// Hands everything appended so far to the system: it survives the end of the process, not power loss.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.poisoned = true;
        self.tail.flush()?;
        self.unflushed_entries = 0;
        self.poisoned = false;
        let through = self.last_entry_id();
        self.hooks.on(Event::Flushed { through });
        Ok(())
    }

    /// Makes everything appended so far survive power loss: one write and one data sync, or neither if nothing was appended since the
    /// last time. The first in a new segment syncs the folder too, unless the segment was [prepared](Self::prepare).
    ///
    /// **Durability.** After `Ok`, all entries up to the returned one. After `Err`, what was durable before, and any part of the rest.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports, which poisons the writer.
    pub fn flush_and_sync(&mut self) -> Result<Durable, Error<D::Error>> {
        self.check()?;
        if planted!(AcknowledgedUnsynced) {
            self.flush()?;
            return Ok(Durable::new(self.last_entry_id()));
        }
        self.poisoned = true;
        let synced = self.sync_tail()?;
        if synced && self.settings.mark_after_sync {
            self.append_mark()?;
        }
        self.poisoned = false;
        Ok(Durable::new(self.durable_through))
    }

    /// Makes everything durable, writes down that the log was closed, gives back reserved room and releases the lock, once no
    /// [`Preparation`](super::Preparation) holds it any more. A segment that was [prepared](Self::prepared_segment) and not needed is removed, as far as that
    /// succeeds.
    ///
    /// Where a full medium has no room to write down that the log was closed, that is left out, and what the medium took of it is cut off again
    /// where the directory can: the next open reads the last segment, as after a crash.
    ///
    /// # Errors
    /// As [`flush_and_sync`](Self::flush_and_sync). The lock is released in any case.
    pub fn close(mut self) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.poisoned = true;
        if self.tail.is_open() && !self.tail.closed() {
            if self.close_list().is_none() {
                self.repeat_prune_mark()?;
            }
            // Of marks too, so that the close frame can say that all before it is durable: the next open relies on that.
            self.tail.demand_sync_of_marks();
        }
        if !planted!(CloseUnsynced) {
            self.sync_tail()?;
        }
        if self.tail.is_open() && !self.tail.closed() {
            let end = self.tail.offset();
            self.append_close()?;
            // crash: without the close frame the log ends as it does after any crash
            match self.tail.flush() {
                // Nor is it worth an error: all that was appended is durable.
                Err(error) if error.is_no_space() => {
                    self.cut_off_close_frame(end);
                    return Ok(());
                }
                flushed => flushed?,
            }
        }
        self.tail.trim()?;
        self.poisoned = false;
        Ok(())
    }

    /// Flushes, and opens a reader of the same log. It sees what was appended until now.
    ///
    /// # Errors
    /// As [`flush`](Self::flush) and [`RawWalReader::open`](super::RawWalReader::open).
    pub fn reader(&mut self) -> Result<super::RawWalReader<&D>, Error<D::Error>> {
        self.flush()?;
        let (settings, chain) = (&self.settings, &self.chain[..]);
        let tail_is_empty = self.tail.position() == 0;
        Ok(super::RawWalReader::beside(&self.dir, settings, self.log_id, chain, tail_is_empty))
    }

    #[inline]
    pub(super) fn check(&self) -> Result<(), Error<D::Error>> {
        if self.poisoned { Err(self.refusal()) } else { Ok(()) }
    }

    #[cold]
    fn refusal(&self) -> Error<D::Error> {
        self.tail_name().map_or_else(|error| error, |file| Error::Poisoned { file })
    }

    pub(super) fn tail_name(&self) -> Result<NameBuf, Error<D::Error>> {
        match self.chain.last() {
            Some(segment) => self.settings.segment_name(segment.number),
            None => self.settings.lock_name(),
        }
    }

    #[inline]
    pub(super) fn codec(&self) -> Codec {
        self.tail.codec()
    }

    #[inline]
    pub(super) fn append_entry(
        &mut self,
        payload: &[u8],
        more: bool,
    ) -> Result<EntryId, Error<D::Error>> {
        match self.settings.form {
            Form::Full => self.append_full_entry(payload, more),
            Form::Compact => self.append_compact_entry(payload, more),
        }
    }

    /// [`append_entry`](Self::append_entry), in a full frame.
    #[inline]
    fn append_full_entry(
        &mut self,
        payload: &[u8],
        more: bool,
    ) -> Result<EntryId, Error<D::Error>> {
        let flags = self.tail.flags(false, more);
        let position = self.tail.position().saturating_add(1);
        let codec = self.codec();
        let header = self.tail.sink()?.append(codec, flags, position, payload)?;
        Ok(self.appended(&header))
    }

    /// [`append_entry`](Self::append_entry), in a compact frame.
    #[inline(never)]
    fn append_compact_entry(
        &mut self,
        payload: &[u8],
        more: bool,
    ) -> Result<EntryId, Error<D::Error>> {
        let flags = self.tail.flags(false, more);
        let position = self.tail.position().saturating_add(1);
        let codec = self.codec();
        let header = self.tail.sink()?.append_any(codec, flags, position, payload)?;
        Ok(self.appended(&header))
    }

    /// Books an entry whose frame is in the buffer.
    #[inline]
    pub(super) fn appended(&mut self, header: &Header) -> EntryId {
        self.tail.appended(header);
        let id = self.next_id;
        self.next_id = EntryId::new(id.get().wrapping_add(1)).unwrap_or(EntryId::LAST);
        self.unflushed_entries = self.unflushed_entries.saturating_add(1);
        self.hooks.on(Event::Appended { id, bytes: header.payload_bytes });
        id
    }

    pub(super) fn append_control(&mut self, control: Control) -> Result<(), Error<D::Error>> {
        let (bytes, length) = control.encode();
        self.append_control_payload(bytes.get(..length).unwrap_or_default())?;
        match control {
            Control::Close => self.tail.set_closed(),
            Control::Prune { .. } => self.tail.set_pruned(),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn append_control_payload(&mut self, payload: &[u8]) -> Result<(), Error<D::Error>> {
        let flags = self.tail.flags(true, false);
        let (codec, position) = (self.codec(), self.tail.position());
        let header = self.tail.sink()?.append_any(codec, flags, position, payload)?;
        self.tail.appended(&header);
        Ok(())
    }

    /// The close frame, if there is room for it.
    fn append_close(&mut self) -> Result<(), Error<D::Error>> {
        if let Some(list) = self.close_list() {
            return self.append_close_list(&list);
        }
        let bytes = self.frame_bytes(Control::Close.encode().1 as u64);
        if self.fits_file(bytes) { self.append_control(Control::Close) } else { Ok(()) }
    }

    /// Where the log begins later than the tail's header says, says so again where opening a closed log looks.
    fn repeat_prune_mark(&mut self) -> Result<(), Error<D::Error>> {
        let mark = Control::Prune { oldest: self.oldest };
        let bytes = self.frame_bytes(mark.encode().1 as u64);
        let needed = self.oldest > self.tail.header_oldest() && !self.tail.pruned();
        if needed && self.fits_file(bytes) {
            self.append_control(mark)?;
        }
        Ok(())
    }

    /// A carrier of the *synced* flag, handed to the system and not synced itself.
    pub(super) fn append_mark(&mut self) -> Result<(), Error<D::Error>> {
        let bytes = self.frame_bytes(Control::Mark.encode().1 as u64);
        if self.fits_file(bytes) {
            self.append_control(Control::Mark)?;
            self.tail.flush()?;
        }
        Ok(())
    }

    #[inline]
    pub(super) fn policy(&mut self) -> Result<(), Error<D::Error>> {
        if self.flush_is_due() {
            self.poisoned = false;
            self.flush()?;
        }
        Ok(())
    }

    /// Whether the policy wants a flush now.
    #[inline]
    pub(super) fn flush_is_due(&self) -> bool {
        match self.settings.flush_policy {
            FlushPolicy::Manual => false,
            FlushPolicy::EveryAppend => true,
            FlushPolicy::EveryEntries(count) => self.unflushed_entries >= count,
            FlushPolicy::EveryBytes(bytes) => self.tail.buffered() >= bytes as usize,
        }
    }

    /// Syncs the tail and, the first time, its name. Tells whether there was anything to sync.
    pub(super) fn sync_tail(&mut self) -> Result<bool, Error<D::Error>> {
        let through = self.last_entry_id();
        if !self.tail.needs_sync() {
            self.durable_through = through;
            return Ok(false);
        }
        self.pad_commit()?;
        self.hooks.on(Event::Syncing);
        self.tail.sync()?;
        if !self.tail.name_synced() && !planted!(NewNameUnsynced) {
            // crash: the bytes are durable and the name may be lost with them; nothing was acknowledged yet
            let lock = self.settings.lock_name()?;
            self.dir.sync_dir(self.settings.folder()).on(Operation::SyncDir, &lock)?;
            self.tail.set_name_synced();
        }
        self.tail.set_all_durable();
        self.unflushed_entries = 0;
        self.durable_through = through;
        self.hooks.on(Event::Synced { through });
        Ok(true)
    }
}

impl<D: Directory, H: Hooks> fmt::Debug for RawWalWriter<D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawWalWriter")
            .field("log_id", &self.log_id)
            .field("next_id", &self.next_id)
            .field("durable_through", &self.durable_through)
            .field("segments", &self.chain)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl<D: Directory, H: Hooks> Drop for RawWalWriter<D, H> {
    fn drop(&mut self) {
        // Best effort, like any buffered writer: `close` is the way to know.
        if !self.poisoned && self.tail.is_open() && !self.tail.is_lent() {
            let _ignored = self.tail.flush();
        }
        // The file of a dead segment; the next open would delete it.
        if let Some(spare) = self.upcoming.give_spare() {
            let name = self.settings.segment_name::<D::Error>(spare);
            let _ignored = name.map(|name| self.dir.remove(name.as_name()));
        }
    }
}
