//! Reads a log of raw records, oldest first, each lent in place.
//!
//! Must never change anything, and never show an entry that does not verify.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Bound, RangeBounds};

use crate::EntryId;
use crate::error::Error;
use crate::mode::ReadMode;
use crate::storage::{Directory, NameBuf};

use super::SegmentRange;
use super::chain::{self, Segment};
use super::discover::{discover, open_segment};
use super::found::{RawEntry, TornTail};
use super::headless::Purpose;
use super::index::Index;
use super::options::{Settings, WalOptions};
use super::random::{self, Access};
use super::segment::SegmentReader;

/// Reads a log of raw byte records. [`WalReader`](super::WalReader) is its typed form.
///
/// A reader takes no lock and changes nothing: it sees the segments that were there when it was opened, and their entries as far as they had
/// been flushed. What it shows is written, not necessarily durable: what must survive a later power loss is what
/// [`RawWalWriter::open`](super::RawWalWriter::open) found. A reader beside a writer that prunes may meet [`Error::Missing`]; open it again.
///
/// **Limits.** Memory is one block ([`WalOptions::read_bytes`]), or the largest record if that is larger, or up to 16
/// blocks for a batch that is longer than one; and some 80 bytes for each segment. [`read`](Self::read) takes a block of at most 64 KiB, and an index of
/// at most 512 KiB, more.
pub struct RawWalReader<D: Directory> {
    pub(super) dir: D,
    pub(super) settings: Settings,
    pub(super) log_id: u64,
    pub(super) chain: Vec<Segment>,
    pub(super) tail_is_empty: bool,
    pub(super) buffer: Vec<u8>,
    pub(super) index: Index,
    /// Where [`read`](Self::read) has read last.
    pub(super) access: Option<Access<D::Reader>>,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ReplayReport {
    /// Entries shown.
    pub entries: u64,
    /// The last entry of the log, as far as it was read.
    pub last_id: Option<EntryId>,
    /// Segments read to their end.
    pub segments: u32,
    /// The torn tail, if the end of the log was reached and has one.
    pub torn: Option<TornTail>,
}

impl<D: Directory> RawWalReader<D> {
    /// Opens a log for reading; one without segments is empty.
    ///
    /// Reads the headers of all segments, and the tail only if segments are missing that its marks may have pruned.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Newer`], [`Error::Limit`], [`Error::BadOption`], [`Error::Name`], and what the directory reports.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    pub fn open(dir: D, options: WalOptions) -> Result<Self, Error<D::Error>> {
        let settings = options.check(&dir.capabilities())?;
        let mut buffer = Vec::new();
        let found = discover(&dir, &settings, Purpose::Read, &mut buffer)?;
        let (log_id, chain) = (found.log_id, found.chain);
        let index = Index::new(settings.read_bytes);
        let (tail_is_empty, access) = (false, None);
        Ok(Self { dir, settings, log_id, chain, tail_is_empty, buffer, index, access })
    }

    /// A reader beside the writer that knows the log. A tail without entries is not opened: it may be open for appending.
    pub(super) fn beside(
        dir: D,
        settings: &Settings,
        log_id: u64,
        chain: &[Segment],
        tail_is_empty: bool,
    ) -> Self {
        let (settings, chain) = (settings.clone(), chain.to_vec());
        let (buffer, index, access) = (Vec::new(), Index::new(settings.read_bytes), None);
        Self { dir, settings, log_id, chain, tail_is_empty, buffer, index, access }
    }

    /// The directory.
    pub const fn directory(&self) -> &D {
        &self.dir
    }

    /// The id of the last entry, found by reading the tail; `None` if there never was one.
    ///
    /// # Errors
    /// As [`Entries::next`]; a torn tail is none.
    pub fn scan_last_entry_id(&mut self) -> Result<Option<EntryId>, Error<D::Error>> {
        let Some(tail) = self.chain.last() else {
            return Ok(EntryId::new(self.settings.first_id.get().saturating_sub(1)));
        };
        let first = EntryId::new(tail.first_id).unwrap_or(EntryId::FIRST);
        let mut entries = self.range(ReadMode::BestEffort, first..)?;
        while entries.next()?.is_some() {}
        Ok(entries.report.last_id)
    }

    /// Whether a truncation after `segment` was begun took back entry `id`.
    pub(crate) fn was_truncated(&self, id: EntryId, segment: u32) -> bool {
        chain::was_truncated(&self.chain, id, segment)
    }

    /// The id of the log; `None` if there is none.
    pub fn log_id(&self) -> Option<u64> {
        (!self.chain.is_empty()).then_some(self.log_id)
    }

    /// The id of the first entry, or, in an empty log, of the next one.
    pub fn first_entry_id(&self) -> EntryId {
        let first = self.chain.first().and_then(|segment| EntryId::new(segment.first_id));
        first.unwrap_or(self.settings.first_id)
    }

    /// The file of a segment, for messages.
    pub(super) fn segment_name(&self, number: u32) -> Result<NameBuf, Error<D::Error>> {
        self.settings.segment_name(number)
    }

    /// The sealed segments, oldest first. How far the tail reaches is known once it has been read.
    pub fn sealed_segments(&self) -> impl Iterator<Item = SegmentRange> + '_ {
        SegmentRange::all(&self.chain, EntryId::FIRST).filter(SegmentRange::is_sealed)
    }

    /// Follows the log from entry `from` on, instead of reading what there is of it now.
    pub fn follow(self, from: EntryId, reach: super::Reach) -> super::RawFollower<D> {
        super::RawFollower::beside(self.dir, self.settings, from, reach)
    }

    /// All entries, oldest first.
    ///
    /// # Errors
    /// None now; see [`Entries::next`].
    pub fn entries(&mut self, mode: ReadMode) -> Result<Entries<'_, D>, Error<D::Error>> {
        self.range(mode, ..)
    }

    /// The entries of a range of ids.
    ///
    /// The segment that it begins in is read from the last place in front of it that this reader [knows](Self::read), or else from its beginning.
    ///
    /// # Errors
    /// [`Error::Gap`] if the range begins before the first entry: those entries were pruned, or never were.
    pub fn range(
        &mut self,
        mode: ReadMode,
        range: impl RangeBounds<EntryId>,
    ) -> Result<Entries<'_, D>, Error<D::Error>> {
        let first = self.first_entry_id();
        let start = match range.start_bound() {
            Bound::Unbounded => first,
            Bound::Included(&id) => id,
            Bound::Excluded(&id) => EntryId::new(id.get().saturating_add(1)).unwrap_or(id),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => u64::MAX,
            Bound::Included(id) => id.get(),
            Bound::Excluded(id) => id.get().saturating_sub(1),
        };
        self.check_first(start)?;
        let index = self.chain.iter().rposition(|segment| segment.first_id <= start.get());
        let index = index.unwrap_or(0);
        let done = end < start.get();
        Ok(Entries {
            reader: self,
            current: None,
            index,
            next_mark: u64::MAX,
            start,
            end,
            mode,
            done,
            report: ReplayReport::default(),
        })
    }
}

/// Entries of a log, one after the other. Not an [`Iterator`], since each entry is lent until the next call.
pub struct Entries<'r, D: Directory> {
    reader: &'r mut RawWalReader<D>,
    current: Option<SegmentReader<D::Reader>>,
    /// The segment after the current one.
    index: usize,
    /// From which offset on in the current one the next place may be kept, while entries before the range are passed.
    next_mark: u64,
    start: EntryId,
    end: u64,
    mode: ReadMode,
    done: bool,
    report: ReplayReport,
}

impl<D: Directory> Entries<'_, D> {
    /// The next entry, or `None` at the end of the range or the log.
    ///
    /// After an error or `None` there are no more entries.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damage; [`Error::TornTail`] in strict mode; [`Error::Gap`] if the log ends before the range begins;
    /// [`Error::Limit`] for a record above the limit; what the directory reports.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "the entry is lent, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        if self.done {
            return Ok(None);
        }
        let verified = self.current.as_mut().is_some_and(SegmentReader::advance_verified);
        if !verified || self.is_before_start() {
            self.done = true;
            if !self.advance()? {
                return Ok(None);
            }
            self.done = false;
        }
        let Some(current) = &self.current else { return Ok(None) };
        let entry = current.entry();
        self.report.entries = self.report.entries.wrapping_add(1);
        self.report.last_id = Some(entry.id);
        self.done = entry.id.get() >= self.end;
        let segment = current.number();
        Ok(Some(RawEntry { id: entry.id, payload: entry.payload, segment, offset: entry.offset }))
    }

    /// What was found so far.
    pub const fn report(&self) -> &ReplayReport {
        &self.report
    }

    /// The file of a segment, for messages.
    pub(super) fn segment_name(&self, number: u32) -> Result<NameBuf, Error<D::Error>> {
        self.reader.settings.segment_name(number)
    }

    /// Whether the entry that was gone to lies before the range.
    #[inline]
    fn is_before_start(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.entry_id() < self.start)
    }

    #[inline(never)]
    fn advance(&mut self) -> Result<bool, Error<D::Error>> {
        loop {
            if let Some(current) = &mut self.current {
                while current.advance()? {
                    if current.entry_id() >= self.start {
                        return Ok(true);
                    }
                    if current.entry_offset() >= self.next_mark {
                        let (offset, at) = (current.entry_offset(), current.cursor().position);
                        let segment = self.reader.chain.get(self.index.wrapping_sub(1));
                        let number = segment.map_or(0, |segment| segment.number);
                        let before = at.saturating_sub(1);
                        self.next_mark = self.reader.index.add(number, offset, before);
                    }
                }
                self.finish_segment()?;
            }
            if !self.open_next()? {
                return Ok(false);
            }
        }
    }

    #[cold]
    fn open_next(&mut self) -> Result<bool, Error<D::Error>> {
        let Some(segment) = self.reader.chain.get(self.index).copied() else {
            return self.end_of_log().map(|()| false);
        };
        if self.reader.tail_is_empty && segment.sealed.is_none() {
            self.index = self.index.saturating_add(1);
            self.report.last_id = EntryId::new(segment.first_id.saturating_sub(1));
            return self.end_of_log().map(|()| false);
        }
        let buffer = core::mem::take(&mut self.reader.buffer);
        let reader = &self.reader;
        let opened = open_segment(&reader.dir, &reader.settings, reader.log_id, &segment, buffer);
        let mut opened = opened?;
        self.go_near(&segment, &mut opened)?;
        self.current = Some(opened);
        self.index = self.index.saturating_add(1);
        Ok(true)
    }

    /// Goes to the last entry that is known to stand before the range, in the segment in which that begins.
    fn go_near(
        &mut self,
        segment: &Segment,
        opened: &mut SegmentReader<D::Reader>,
    ) -> Result<(), Error<D::Error>> {
        let ahead = self.start.get().checked_sub(segment.first_id).filter(|&ahead| ahead > 0);
        let Some(position) = ahead.and_then(|ahead| u32::try_from(ahead).ok()) else {
            return Ok(());
        };
        if !segment.keeps_places() {
            return Ok(());
        }
        let index = &mut self.reader.index;
        let mark = index.before(segment.number, position);
        random::go_to(opened, index, segment.number, mark)?;
        self.next_mark = index.next_offset(segment.number);
        Ok(())
    }

    fn finish_segment(&mut self) -> Result<(), Error<D::Error>> {
        let Some(segment) = self.reader.chain.get(self.index.wrapping_sub(1)) else {
            return Ok(());
        };
        let Some(current) = self.current.take() else { return Ok(()) };
        self.report.segments = self.report.segments.saturating_add(1);
        let position = u64::from(current.cursor().position);
        self.report.last_id =
            EntryId::new(segment.first_id.saturating_add(position).saturating_sub(1));
        let torn = current.torn_tail();
        self.reader.buffer = current.into_buffer();
        self.report.torn.clone_from(&torn);
        match torn {
            Some(TornTail { file, offset, bytes }) if self.mode == ReadMode::Strict => {
                Err(Error::TornTail { file, offset, bytes, last_id: self.report.last_id })
            }
            _ => Ok(()),
        }
    }

    /// A range that begins beyond the next id asks for what is not there.
    fn end_of_log(&self) -> Result<(), Error<D::Error>> {
        let last = self.report.last_id;
        let next = last.map_or(self.reader.first_entry_id().get(), |id| id.get().saturating_add(1));
        if self.start.get() > next {
            let first = Some(self.reader.first_entry_id());
            return Err(Error::Gap { needed: self.start, first, last });
        }
        Ok(())
    }
}

impl<D: Directory> Drop for Entries<'_, D> {
    fn drop(&mut self) {
        if let Some(current) = self.current.take() {
            self.reader.buffer = current.into_buffer();
        }
    }
}

impl<D: Directory> fmt::Debug for RawWalReader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawWalReader")
            .field("log_id", &self.log_id)
            .field("segments", &self.chain)
            .finish_non_exhaustive()
    }
}

impl<D: Directory> fmt::Debug for Entries<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("report", &self.report).finish_non_exhaustive()
    }
}
