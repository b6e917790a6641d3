//! The typed log: any serde type, through postcard, over the raw one.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::RangeBounds;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::EntryId;
use crate::durable::Durable;
use crate::error::Error;
use crate::mode::ReadMode;
use crate::storage::Directory;

use super::hooks::Hooks;
use super::{
    EntryIds, RawEntry, RawWalReader, RawWalWriter, ReplayReport, SegmentRange, TornTail,
    WalOptions,
};

/// Writes a log of entries of type `E`.
///
/// **Durability.** [`append`](Self::append) buffers, [`flush`](Self::flush) makes entries survive the process, [`flush_and_sync`](Self::flush_and_sync)
/// makes them survive power loss. After a failed write, flush, sync or create the writer is poisoned; opening the log again is the way on. A dropped writer
/// flushes what it can; [`close`](Self::close) tells.
///
/// ```
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{WalOptions, WalReader, WalWriter};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// enum Order { Place { item: String, count: u32 }, Cancel(u64) }
///
/// let dir = MemoryDirectory::new();
/// let mut wal = WalWriter::open(dir.clone(), WalOptions::new())?;
/// wal.append(&Order::Place { item: "book".into(), count: 2 })?;
/// wal.append_batch(&[Order::Cancel(7), Order::Cancel(8)])?;
/// let durable = wal.flush_and_sync()?;
/// assert_eq!(durable.through().map(u64::from), Some(3));
/// wal.close()?;
///
/// let entries = WalReader::<Order, _>::open(dir, WalOptions::new())?.replay()?;
/// assert_eq!(entries[2].1, Order::Cancel(8));
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub struct WalWriter<E, D: Directory, H: Hooks = ()> {
    raw: RawWalWriter<D, H>,
    entry: PhantomData<fn(&E)>,
}

impl<E: Serialize, D: Directory> WalWriter<E, D> {
    /// Makes a new log.
    ///
    /// **Durability.** After `Ok` the empty log survives power loss.
    ///
    /// # Errors
    /// [`Error::Exists`] if there are segments already; otherwise as [`open`](Self::open).
    pub fn new(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        Self::new_with(dir, options, ())
    }

    /// Goes on with a log after a crash or a clean end; in an empty directory it begins one.
    ///
    /// The tail and the names are made durable before they are looked at, so what was found survives any later crash. A torn tail is repaired by
    /// beginning a new segment that says where the old one ends; no byte is changed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn resume(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        Self::open_with(dir, options, ())
    }

    /// Opens a log, whatever state it is in: new, closed, or left by a crash.
    ///
    /// # Errors
    /// - [`Error::Held`]: another writer has it.
    /// - [`Error::Corrupt`], [`Error::Newer`], [`Error::NewerFrame`]: it cannot be trusted, or read, by this version. Nothing was changed.
    /// - [`Error::Limit`], [`Error::BadOption`], [`Error::Name`]: the options do not fit.
    /// - [`Error::Store`]: the directory failed.
    pub fn open(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        Self::open_with(dir, options, ())
    }
}

impl<E: Serialize, D: Directory, H: Hooks> WalWriter<E, D, H> {
    /// [`new`](WalWriter::new), with hooks.
    ///
    /// # Errors
    /// As [`new`](WalWriter::new).
    pub fn new_with(dir: D, options: WalOptions, hooks: H) -> Result<Self, Error<D::Error>> {
        Ok(Self::from_raw(RawWalWriter::new_with(dir, options, hooks)?))
    }

    /// [`open`](WalWriter::open), with hooks.
    ///
    /// # Errors
    /// As [`open`](WalWriter::open).
    pub fn open_with(dir: D, options: WalOptions, hooks: H) -> Result<Self, Error<D::Error>> {
        Ok(Self::from_raw(RawWalWriter::open_with(dir, options, hooks)?))
    }

    /// The typed form of a raw writer.
    pub const fn from_raw(raw: RawWalWriter<D, H>) -> Self {
        Self { raw, entry: PhantomData }
    }

    /// The raw writer below.
    pub const fn raw(&self) -> &RawWalWriter<D, H> {
        &self.raw
    }

    /// The raw writer below, to append raw records.
    pub const fn raw_mut(&mut self) -> &mut RawWalWriter<D, H> {
        &mut self.raw
    }

    /// Appends an entry to the buffer and returns its id.
    ///
    /// **Durability.** None yet; see [`flush`](Self::flush) and [`flush_and_sync`](Self::flush_and_sync).
    ///
    /// # Errors
    /// Without effect: [`Error::Limit`], [`Error::Encode`] (unless the entry is larger than the buffer and encodes differently the second
    /// time). Otherwise [`Error::Poisoned`] and what the directory reports.
    #[inline]
    pub fn append(&mut self, entry: &E) -> Result<EntryId, Error<D::Error>> {
        self.raw.append_typed(entry)
    }

    /// Appends entries that are all visible after a crash or none, flushes once, and returns their ids.
    ///
    /// # Errors
    /// As [`append`](Self::append); a batch too large is [`Error::Limit`], without effect.
    pub fn append_batch<'a, I>(&mut self, entries: I) -> Result<EntryIds, Error<D::Error>>
    where
        E: 'a,
        I: IntoIterator<Item = &'a E>,
        I::IntoIter: Clone,
    {
        self.raw.append_batch_typed(entries.into_iter())
    }

    /// Hands everything to the system: it survives the end of the process, not power loss.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        self.raw.flush()
    }

    /// Makes everything survive power loss, and says up to which entry.
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports. After any error it is open what survives beyond the last `Ok`.
    pub fn flush_and_sync(&mut self) -> Result<Durable, Error<D::Error>> {
        self.raw.flush_and_sync()
    }

    /// Makes everything durable and closes the log.
    ///
    /// # Errors
    /// As [`flush_and_sync`](Self::flush_and_sync).
    pub fn close(self) -> Result<(), Error<D::Error>> {
        self.raw.close()
    }

    /// The id of the last entry; `None` before the first. It survives that the entry is pruned.
    pub fn last_entry_id(&self) -> Option<EntryId> {
        self.raw.last_entry_id()
    }

    /// The id that the next entry will have.
    pub const fn next_entry_id(&self) -> EntryId {
        self.raw.next_entry_id()
    }

    /// The first entry that is still there, or, in an empty log, the next id.
    pub fn first_entry_id(&self) -> EntryId {
        self.raw.first_entry_id()
    }

    /// How many entries are there.
    pub fn entry_count(&self) -> u64 {
        self.raw.entry_count()
    }

    /// The last entry that is known to survive power loss.
    pub const fn durable_through(&self) -> Option<EntryId> {
        self.raw.durable_through()
    }

    /// The torn tail that opening found, and repaired; `None` after a clean end.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.raw.torn_tail()
    }

    /// The log's segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = SegmentRange> + '_ {
        self.raw.segments()
    }

    /// Deletes the segments that hold only entries before `before`; see [`RawWalWriter::truncate_prefix`].
    ///
    /// # Errors
    /// As [`RawWalWriter::truncate_prefix`].
    pub fn truncate_prefix(&mut self, before: EntryId) -> Result<(), Error<D::Error>> {
        self.raw.truncate_prefix(before)
    }

    /// Deletes entry `from` and all after it; see [`RawWalWriter::truncate_suffix`].
    ///
    /// # Errors
    /// As [`RawWalWriter::truncate_suffix`].
    pub fn truncate_suffix(&mut self, from: EntryId) -> Result<(), Error<D::Error>> {
        self.raw.truncate_suffix(from)
    }

    /// Deletes all entries and keeps counting; see [`RawWalWriter::truncate_to_empty`].
    ///
    /// # Errors
    /// As [`RawWalWriter::truncate_to_empty`].
    pub fn truncate_to_empty(&mut self) -> Result<(), Error<D::Error>> {
        self.raw.truncate_to_empty()
    }

    /// Flushes, and opens a reader of the same log. It sees what was appended until now.
    ///
    /// # Errors
    /// As [`flush`](Self::flush) and [`WalReader::open`]. A directory that cannot read a file while it is being written
    /// ([`Capabilities::read_while_appending`](crate::storage::Capabilities::read_while_appending)) reports that.
    pub fn reader(&mut self) -> Result<WalReader<E, &D>, Error<D::Error>> {
        Ok(WalReader { raw: self.raw.reader()?, mode: ReadMode::Strict, entry: PhantomData })
    }

    /// The directory.
    pub const fn directory(&self) -> &D {
        self.raw.directory()
    }

    /// The hooks.
    pub const fn hooks(&self) -> &H {
        self.raw.hooks()
    }
}

/// Reads a log of entries of type `E`. See [`RawWalReader`] for what it sees.
///
/// Strict by default: a torn tail is an error, after all entries before it. [`best_effort`](Self::best_effort) takes it as the end.
pub struct WalReader<E, D: Directory> {
    raw: RawWalReader<D>,
    mode: ReadMode,
    entry: PhantomData<fn() -> E>,
}

impl<E: DeserializeOwned, D: Directory> WalReader<E, D> {
    /// Opens a log for reading; one without segments is empty.
    ///
    /// # Errors
    /// As [`RawWalReader::open`].
    pub fn open(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        let raw = RawWalReader::open(dir, options)?;
        Ok(Self { raw, mode: ReadMode::Strict, entry: PhantomData })
    }

    /// Takes a torn tail as the end of the log.
    #[must_use]
    pub fn best_effort(mut self) -> Self {
        self.mode = ReadMode::BestEffort;
        self
    }

    /// Sets how a torn tail is taken.
    #[must_use]
    pub fn with_mode(mut self, mode: ReadMode) -> Self {
        self.mode = mode;
        self
    }

    /// The raw reader below.
    pub const fn raw(&self) -> &RawWalReader<D> {
        &self.raw
    }

    /// The first entry, or, in an empty log, the next id.
    pub fn first_entry_id(&self) -> EntryId {
        self.raw.first_entry_id()
    }

    /// Follows the log from entry `from` on, instead of reading what there is of it now.
    pub fn follow(self, from: EntryId, reach: super::Reach) -> super::Follower<E, D> {
        super::Follower::from_raw(self.raw.follow(from, reach))
    }

    /// The id of the last entry, found by reading the tail; `None` if there never was one.
    ///
    /// # Errors
    /// As [`RawWalReader::scan_last_entry_id`].
    pub fn scan_last_entry_id(&mut self) -> Result<Option<EntryId>, Error<D::Error>> {
        self.raw.scan_last_entry_id()
    }

    /// The entry of that id; `None` if the log ends before it. See [`RawWalReader::read`] for what it costs and what it says of damage.
    ///
    /// ```
    /// use durability_core::EntryId;
    /// use durability_core::storage::{MemoryDirectory, MemoryError};
    /// use durability_core::walog::{WalOptions, WalReader, WalWriter};
    ///
    /// let dir = MemoryDirectory::new();
    /// let mut wal = WalWriter::open(dir.clone(), WalOptions::new())?;
    /// let id = wal.append(&"seven".to_owned())?;
    /// wal.flush()?;
    /// let mut reader = WalReader::<String, _>::open(dir, WalOptions::new())?;
    /// assert_eq!(reader.read(id)?.as_deref(), Some("seven"));
    /// assert_eq!(reader.read(EntryId::LAST)?, None);
    /// # Ok::<(), durability_core::Error<MemoryError>>(())
    /// ```
    ///
    /// # Errors
    /// As [`RawWalReader::read`]; [`Error::Decode`] for an entry of another type.
    pub fn read(&mut self, id: EntryId) -> Result<Option<E>, Error<D::Error>> {
        let Some(entry) = self.raw.read(self.mode, id)? else { return Ok(None) };
        let (segment, offset) = (entry.segment, entry.offset);
        match decode(&entry) {
            Ok(decoded) => Ok(Some(decoded)),
            Err(source) => {
                let (file, entry_id) = (self.raw.segment_name(segment)?, Some(id));
                Err(Error::Decode { file, offset, entry_id, source })
            }
        }
    }

    /// Looks at the directory again; see [`RawWalReader::refresh`].
    ///
    /// # Errors
    /// As [`RawWalReader::refresh`].
    pub fn refresh(&mut self) -> Result<(), Error<D::Error>> {
        self.raw.refresh()
    }

    /// All entries, collected. Memory grows with the log: see [`replay_each`](Self::replay_each).
    ///
    /// # Errors
    /// As [`replay_each`](Self::replay_each).
    pub fn replay(&mut self) -> Result<Vec<(EntryId, E)>, Error<D::Error>> {
        self.replay_range(..)
    }

    /// All entries from `first` on, collected.
    ///
    /// # Errors
    /// As [`replay_each_in`](Self::replay_each_in).
    pub fn replay_from(&mut self, first: EntryId) -> Result<Vec<(EntryId, E)>, Error<D::Error>> {
        self.replay_range(first..)
    }

    /// The entries of a range of ids, collected.
    ///
    /// # Errors
    /// As [`replay_each_in`](Self::replay_each_in).
    pub fn replay_range(
        &mut self,
        range: impl RangeBounds<EntryId>,
    ) -> Result<Vec<(EntryId, E)>, Error<D::Error>> {
        let mut entries = Vec::new();
        self.replay_each_in(range, |id, entry| {
            entries.push((id, entry));
            Ok::<(), Error<D::Error>>(())
        })?;
        Ok(entries)
    }

    /// Calls `each` with every entry, oldest first, and reports what was found.
    ///
    /// # Errors
    /// What `each` returns; [`Error::Corrupt`]; [`Error::TornTail`] in strict mode; [`Error::Decode`] for an entry of another type; what
    /// the directory reports.
    pub fn replay_each<X: From<Error<D::Error>>>(
        &mut self,
        each: impl FnMut(EntryId, E) -> Result<(), X>,
    ) -> Result<ReplayReport, X> {
        self.replay_each_in(.., each)
    }

    /// [`replay_each`](Self::replay_each) over a range of ids.
    ///
    /// # Errors
    /// As [`replay_each`](Self::replay_each), and [`Error::Gap`] if entries of the range's beginning are not there.
    pub fn replay_each_in<X: From<Error<D::Error>>>(
        &mut self,
        range: impl RangeBounds<EntryId>,
        mut each: impl FnMut(EntryId, E) -> Result<(), X>,
    ) -> Result<ReplayReport, X> {
        let mut entries = self.raw.range(self.mode, range)?;
        while let Some(entry) = entries.next()? {
            let (id, segment, offset) = (entry.id, entry.segment, entry.offset);
            match decode(&entry) {
                Ok(decoded) => each(id, decoded)?,
                Err(source) => {
                    let entry_id = Some(id);
                    let file = entries.segment_name(segment)?;
                    return Err(Error::Decode { file, offset, entry_id, source }.into());
                }
            }
        }
        Ok(entries.report().clone())
    }
}

/// Decodes an entry's payload, all of it.
pub(super) fn decode<E: DeserializeOwned>(
    entry: &RawEntry<'_>,
) -> Result<E, Option<postcard::Error>> {
    let (value, rest) = postcard::take_from_bytes(entry.payload).map_err(Some)?;
    if rest.is_empty() { Ok(value) } else { Err(None) }
}

impl<E, D: Directory, H: Hooks> fmt::Debug for WalWriter<E, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WalWriter").field(&self.raw).finish()
    }
}

impl<E, D: Directory> fmt::Debug for WalReader<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WalReader").field(&self.raw).field(&self.mode).finish()
    }
}
