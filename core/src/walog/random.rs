//! Random access: entries by their ids, and one segment at a time, without reading what lies far from them.
//!
//! Must never show an entry that a replay by the same reader would not have shown: what stands in front of a mark was verified when the mark was made.

use alloc::vec::Vec;

use crate::EntryId;
use crate::error::Error;
use crate::file::frames::Cursor;
use crate::file::source::Source;
use crate::mode::ReadMode;
use crate::storage::{Directory, ReadFile, StoreError};

use super::chain::Segment;
use super::discover::{discover, open_segment};
use super::found::{RawEntry, TornTail};
use super::headless::Purpose;
use super::index::{Index, Mark, STRIDE_BYTES_MAX};
use super::raw_reader::{RawWalReader, ReplayReport};
use super::segment::SegmentReader;

/// The segment that an entry was read from last.
#[derive(Debug)]
pub(super) struct Access<R: Source> {
    segment: Segment,
    reader: SegmentReader<R>,
    /// The entry at which the reader stands, counted from 1; none if it stands at none.
    at: Option<u32>,
}

impl<D: Directory> RawWalReader<D> {
    /// The entry of that id, lent; `None` if the log ends before it.
    ///
    /// What is read to find it is kept: of each block of what was passed ([`WalOptions::read_bytes`](super::WalOptions::read_bytes), but no more than 64 KiB) the place
    /// of one frame, 8 bytes, and no more than 512 KiB in all, those of the segments that were asked for last; and one block, so that a second entry nearby
    /// costs no read, or few. The first entry that is asked for in
    /// a segment costs reading that segment from its beginning; later ones cost what lies between them and the frame before whose place is known.
    ///
    /// It shows what [`range`](Self::range) would show first: an entry behind damage in the same segment is not shown, however intact it is, and the error is that of
    /// the damage. What stood in front of a known place was verified when it was passed, and is not read again: damage that
    /// comes after that is found by what reads it.
    ///
    /// **Durability.** The entry is written. It survives power loss if it is at or before [`sealed_through`](Self::sealed_through), or at or before what the
    /// writer says ([`RawWalWriter::durable_through`](super::RawWalWriter::durable_through)). What was written to the tail since this reader was opened is found;
    /// what is in segments begun since is not, before [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// [`Error::Gap`] if the entry was pruned, or never was; otherwise as [`Entries::next`](super::Entries::next).
    pub fn read(
        &mut self,
        mode: ReadMode,
        id: EntryId,
    ) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        self.check_first(id)?;
        let Some(segment) = self.segment_of(id) else { return Ok(None) };
        let behind = id.get().saturating_sub(segment.first_id).saturating_add(1);
        let Ok(position) = u32::try_from(behind) else { return Ok(None) };
        if self.tail_is_empty && segment.sealed.is_none() {
            return Ok(None);
        }
        let mut access = self.access(&segment)?;
        let found = access.find(&mut self.index, position);
        if !matches!(found, Ok(true)) {
            access.leave();
        }
        let access = self.access.insert(access);
        if found? {
            let entry = access.reader.entry();
            let (payload, offset) = (entry.payload, entry.offset);
            return Ok(Some(RawEntry { id, payload, segment: segment.number, offset }));
        }
        match access.reader.torn_tail() {
            Some(TornTail { file, offset, bytes }) if mode == ReadMode::Strict => {
                let last = access.reader.cursor().position;
                let last_id = segment.first_id.saturating_add(last.into()).saturating_sub(1);
                Err(Error::TornTail { file, offset, bytes, last_id: EntryId::new(last_id) })
            }
            _ => Ok(None),
        }
    }

    /// Looks at the directory again: segments that a writer has begun or pruned since. The places that are known in those that stay are kept.
    ///
    /// # Errors
    /// As [`open`](Self::open); then the reader is as it was.
    pub fn refresh(&mut self) -> Result<(), Error<D::Error>> {
        let found = discover(&self.dir, &self.settings, Purpose::Read, &mut self.buffer)?;
        let same_log = self.log_id == found.log_id;
        let of = |chain: &[Segment], number: u32| {
            let index = chain.binary_search_by_key(&number, |segment| segment.number).ok()?;
            chain.get(index).copied()
        };
        let kept = |number: u32| {
            let (old, new) = (of(&self.chain, number)?, of(&found.chain, number)?);
            (same_log && old.first_id == new.first_id).then_some(new)
        };
        // Of a segment that was cut, or repaired, places may be known behind its end: they are never asked for.
        self.index.keep(|number| kept(number).is_some());
        self.access = self.access.take_if(|access| {
            // What is held of a tail may be older than what the file has.
            access.segment.sealed.is_some() && kept(access.segment.number) == Some(access.segment)
        });
        self.tail_is_empty &= self.chain.last() == found.chain.last();
        (self.log_id, self.chain) = (found.log_id, found.chain);
        Ok(())
    }

    /// The last entry of the sealed segments: it, and all before it, survives power loss. `None` if there is none.
    pub fn sealed_through(&self) -> Option<EntryId> {
        let tail = self.chain.last()?;
        EntryId::new(tail.first_id.saturating_sub(1)).filter(|&id| id >= self.first_entry_id())
    }

    /// The numbers of all segments, oldest first; the last is the tail's.
    pub fn segment_numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.chain.iter().map(|segment| segment.number)
    }

    /// Reads one segment to its end and verifies all of it, with memory of its own.
    ///
    /// A log is whole if each of its segments is, in whatever order they are looked at, or many at a time: each also verifies that it ends where and as its
    /// successor says. The report is about this segment alone.
    ///
    /// # Errors
    /// [`Error::Missing`] if the log has no such segment; otherwise as [`Entries::next`](super::Entries::next).
    pub fn verify_segment(
        &self,
        mode: ReadMode,
        number: u32,
    ) -> Result<ReplayReport, Error<D::Error>> {
        let segment = self.chain.iter().find(|segment| segment.number == number);
        let Some(segment) = segment else {
            return Err(Error::Missing { file: self.settings.segment_name(number)? });
        };
        let mut report = ReplayReport { segments: 1, ..ReplayReport::default() };
        if !(self.tail_is_empty && segment.sealed.is_none()) {
            let mut reader =
                open_segment(&self.dir, &self.settings, self.log_id, segment, Vec::new())?;
            while reader.advance()? {}
            report.entries = reader.cursor().position.into();
            report.torn = reader.torn_tail();
        }
        let last = segment.first_id.saturating_add(report.entries).saturating_sub(1);
        report.last_id = EntryId::new(last);
        match report.torn {
            Some(TornTail { file, offset, bytes }) if mode == ReadMode::Strict => {
                Err(Error::TornTail { file, offset, bytes, last_id: report.last_id })
            }
            _ => Ok(report),
        }
    }

    /// Entries before the first were pruned, or never were.
    pub(super) fn check_first(&self, id: EntryId) -> Result<(), Error<D::Error>> {
        let first = self.first_entry_id();
        if id < first && !planted!(GapLetThrough) {
            let last = EntryId::new(first.get().saturating_sub(1));
            return Err(Error::Gap { needed: id, first: Some(first), last });
        }
        Ok(())
    }

    /// The segment that has the entry, or would have it.
    fn segment_of(&self, id: EntryId) -> Option<Segment> {
        let behind = self.chain.partition_point(|segment| segment.first_id <= id.get());
        self.chain.get(behind.saturating_sub(1)).copied()
    }

    /// The segment, open: the one that was read from last, if it is that.
    fn access(&mut self, segment: &Segment) -> Result<Access<D::Reader>, Error<D::Error>> {
        let mut buffer = Vec::new();
        if let Some(access) = self.access.take() {
            if access.segment == *segment {
                return Ok(access);
            }
            buffer = access.reader.into_buffer();
        }
        let mut settings = self.settings.clone();
        // Reading more at once than lies between two marks would read what is not asked for.
        settings.read_bytes = settings.read_bytes.min(STRIDE_BYTES_MAX as usize);
        let reader = open_segment(&self.dir, &settings, self.log_id, segment, buffer)?;
        Ok(Access { segment: *segment, reader, at: None })
    }
}

impl<R> Access<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    /// Goes to the entry that is the `position`th of the segment; `false` if the segment ends before it.
    fn find(&mut self, index: &mut Index, position: u32) -> Result<bool, Error<R::Error>> {
        if self.at == Some(position) {
            return Ok(true);
        }
        if !self.segment.keeps_places() {
            self.leave();
        }
        let held = self.at.is_some();
        let found = self.seek(index, position);
        if matches!(found, Ok(true)) || !held || self.segment.sealed.is_some() {
            return found;
        }
        // A writer beside this reader may have worked on since what is held was read.
        self.leave();
        self.seek(index, position)
    }

    /// Stands nowhere, and holds nothing.
    fn leave(&mut self) {
        self.reader.forget();
        self.at = None;
    }

    fn seek(&mut self, index: &mut Index, position: u32) -> Result<bool, Error<R::Error>> {
        let number = self.segment.number;
        let mark = index.before(number, position);
        let near = self.at.filter(|&at| at < position && at >= mark.map_or(0, |mark| mark.before));
        self.at = None;
        if near.is_none() {
            let mut found = go_to(&mut self.reader, index, number, mark)?;
            if mark.is_none() {
                found = self.reader.advance()?;
            }
            if !found {
                return Ok(false);
            }
        } else if !self.reader.advance()? {
            return Ok(false);
        }
        let keeps = self.segment.keeps_places();
        let mut next_mark = if keeps { index.next_offset(number) } else { u64::MAX };
        loop {
            let (offset, at) = (self.reader.entry_offset(), self.reader.cursor().position);
            if offset >= next_mark {
                next_mark = index.add(number, offset, at.saturating_sub(1));
            }
            if at >= position {
                self.at = Some(at);
                return Ok(at == position);
            }
            if !self.reader.advance()? {
                return Ok(false);
            }
        }
    }
}

/// Goes to a mark: whether the reader stands at its entry. If that is not there any more, the marks are forgotten, and it stands in front of the first frame,
/// as it does without a mark.
pub(super) fn go_to<R>(
    reader: &mut SegmentReader<R>,
    index: &mut Index,
    segment: u32,
    mark: Option<Mark>,
) -> Result<bool, Error<R::Error>>
where
    R: ReadFile,
    R::Error: StoreError,
{
    let Some(Mark { offset, before }) = mark else {
        reader.go_to(None);
        return Ok(false);
    };
    let offset = u64::from(offset);
    reader.go_to(Some(Cursor { offset, position: before, checksum: 0 }));
    if matches!(reader.advance(), Ok(true)) && reader.entry_offset() == offset {
        return Ok(true);
    }
    // Whatever is wrong here: what it is, and whether it is the first that is wrong, the way from the beginning tells.
    index.forget(segment);
    reader.forget();
    reader.go_to(None);
    reader.advance()
}
