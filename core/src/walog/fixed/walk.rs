//! Finds a log's segments without keeping a table of them: FORMAT.md, "Where a WAL ends", rules 1, 2 and 6.
//!
//! Must come to the same verdicts as the chain that is built with a table, and never change anything.

use crate::bytes::crc::Crc;
use crate::bytes::header::{Decoded, FileHeader as _, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{Context as _, Corruption, CorruptionKind, Error, Limit, Operation};
use crate::file::frames::Frames;
use crate::file::window::read_at;
use crate::storage::{Directory, NameBuf, StoreError};

use super::super::chain::{self, Broken, Sealed, Segment};
use super::super::headless::{self, Purpose, headless};
use super::super::name::{EXTENSION, parse};
use super::super::options::Settings;
use super::super::segment::{self, End, SegmentReader};

/// Memory that is lent for the time of a call.
pub(super) type Lent<'b> = &'b mut [u8];

/// A directory, and the options of the log on it.
#[derive(Debug)]
pub(super) struct Walk<'d, D> {
    pub(super) dir: &'d D,
    pub(super) settings: &'d Settings,
}

/// What there is of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The highest number of any segment's file; 0 without one.
    pub(super) highest: u32,
    pub(super) log: Option<Log>,
}

/// A log that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    pub(super) tail: SegmentHeader,
    /// The end of the tail, if that was read.
    pub(super) end: Option<End>,
    /// The oldest live segment, by header and prune frames.
    pub(super) oldest: u32,
    /// The first segment of the chain, and its first id.
    pub(super) first: (u32, u64),
    /// Segments of the chain.
    pub(super) segments: u32,
}

impl Log {
    /// Whether every number from the first segment's to the tail's is one of the log.
    fn is_dense(&self) -> bool {
        self.tail.segment.checked_sub(self.first.0) == self.segments.checked_sub(1)
    }
}

/// The first segment of a chain, with its first id, and how many there are.
type Chain = ((u32, u64), u32);

/// A file that a walk comes by, from the tail downwards.
pub(super) enum Seen {
    /// A segment of the log.
    Live(SegmentHeader),
    /// What is left of another.
    Dead(u32),
}

/// The highest numbers of those that are to come, in ascending order.
type Ahead = heapless::Vec<u32, 16>;

/// Puts a number into its place, if it is one of the highest.
fn keep_highest(ahead: &mut Ahead, number: u32) {
    if ahead.is_full() {
        if ahead.first().is_none_or(|&lowest| lowest >= number) {
            return;
        }
        ahead.remove(0);
    }
    let place = ahead.iter().position(|&other| other >= number).unwrap_or(ahead.len());
    let _fits = ahead.insert(place, number);
}

impl<D: Directory> Walk<'_, D> {
    /// The highest number of a segment's file below `bound`.
    pub(super) fn below(&self, bound: u64) -> Result<Option<u32>, Error<D::Error>> {
        let mut highest = None;
        self.list(&mut |number| {
            if u64::from(number) < bound {
                highest = highest.max(Some(number));
            }
        })?;
        Ok(highest)
    }

    /// The highest number of a segment's file below `bound`, out of what one look at all names has found, as long as that lasts.
    fn next_below(&self, bound: u32, ahead: &mut Ahead) -> Result<Option<u32>, Error<D::Error>> {
        if ahead.is_empty() {
            self.list(&mut |number| {
                if number < bound {
                    keep_highest(ahead, number);
                }
            })?;
        }
        Ok(ahead.pop())
    }

    /// The lowest number of a segment's file above `bound`.
    pub(super) fn above(&self, bound: u32) -> Result<Option<u32>, Error<D::Error>> {
        let mut lowest: Option<u32> = None;
        self.list(&mut |number| {
            if number > bound {
                lowest = Some(lowest.map_or(number, |found| found.min(number)));
            }
        })?;
        Ok(lowest)
    }

    fn list(&self, each: &mut dyn FnMut(u32)) -> Result<(), Error<D::Error>> {
        let listed = self.dir.list(self.settings.folder(), &mut |file| {
            if let Some(number) = parse(file, EXTENSION) {
                each(number);
            }
        });
        listed.on(Operation::List, &self.settings.lock_name()?)
    }

    /// A segment's header; `None` if it does not verify.
    pub(super) fn header(&self, number: u32) -> Result<Option<SegmentHeader>, Error<D::Error>> {
        let (mut file, name) = headless::open(self.dir, self.settings, number)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let count = read_at(&mut file, &name, 0, &mut bytes)?;
        match SegmentHeader::decode(Crc::detect(), bytes.get(..count).unwrap_or_default()) {
            Decoded::Header(header) => Ok(Some(header)),
            Decoded::Blank | Decoded::Bad => Ok(None),
            Decoded::Newer(newer) => Err(Error::Newer {
                file: name,
                version: newer.version,
                form: newer.form,
                features: newer.features,
            }),
        }
    }

    /// The header of a segment of the log.
    pub(super) fn live(&self, number: u32) -> Result<SegmentHeader, Error<D::Error>> {
        self.header(number)?.ok_or_else(|| self.broken(number, CorruptionKind::FileHeader))
    }

    /// Judges all that there is of the log. `buffer` is memory to read with.
    pub(super) fn find(
        &self,
        purpose: Purpose,
        buffer: Lent<'_>,
    ) -> Result<Found, Error<D::Error>> {
        if purpose == Purpose::Write {
            // A name that only a cache has must not become part of what is built upon.
            self.dir
                .sync_dir(self.settings.folder())
                .on(Operation::SyncDir, &self.settings.lock_name()?)?;
        }
        self.check_count()?;
        let highest = self.below(u64::MAX)?.unwrap_or(0);
        let Some(tail) = self.tail(purpose)? else {
            self.check_unfinished_only(buffer)?;
            return Ok(Found { highest, log: None });
        };
        let number = tail.segment;
        let log_id = tail.common.log_id;
        let mut next = self.above(number)?;
        while let Some(later) = next {
            self.check_unfinished(log_id, later, buffer)?;
            next = self.above(later)?;
        }
        if purpose == Purpose::Read {
            match self.chain(&tail, tail.oldest) {
                // Segments that are missing may have been pruned since the tail began: its prune frames tell.
                Err(Error::Corrupt(Corruption {
                    kind: CorruptionKind::Hole { .. } | CorruptionKind::FileHeader,
                    ..
                })) => {}
                chain => {
                    let (first, segments) = chain?;
                    let (end, oldest) = (None, tail.oldest);
                    let log = Some(Log { tail, end, oldest, first, segments });
                    return Ok(Found { highest, log });
                }
            }
        }
        let end = self.scan(&tail, buffer)?;
        let oldest = tail.oldest.max(end.marks.oldest);
        let (first, segments) = self.chain(&tail, oldest)?;
        let log = Log { tail, end: Some(end), oldest: oldest.min(number), first, segments };
        Ok(Found { highest, log: Some(log) })
    }

    /// The first segment of the chain, with its first id, and how many there are.
    fn chain(&self, tail: &SegmentHeader, oldest: u32) -> Result<Chain, Error<D::Error>> {
        let (mut first, mut segments) = ((tail.segment, tail.first_id), 0_u32);
        // No header can be newer than the tail; a mark above it is nonsense, and must not hide the tail.
        self.down(tail, oldest.min(tail.segment), |seen| {
            if let Seen::Live(header) = seen {
                first = (header.segment, header.first_id);
                segments = segments.saturating_add(1);
            }
            Ok(())
        })?;
        Ok((first, segments))
    }

    /// Whether there are no more files than a log can leave: what follows takes a look at all names for each.
    fn check_count(&self) -> Result<(), Error<D::Error>> {
        let limit = u64::from(self.settings.segments_max).saturating_mul(2).saturating_add(16);
        let mut found = 0_u64;
        self.list(&mut |_| found = found.saturating_add(1))?;
        if found > limit {
            return Err(Error::Limit { what: Limit::Segments, found, limit });
        }
        Ok(())
    }

    /// The highest segment whose header verifies.
    fn tail(&self, purpose: Purpose) -> Result<Option<SegmentHeader>, Error<D::Error>> {
        let mut next = self.below(u64::MAX)?;
        while let Some(number) = next {
            if purpose == Purpose::Write {
                // What is read from here on is what the medium has.
                let name = self.settings.segment_name(number)?;
                self.dir.sync_file(name.as_name()).on(Operation::Sync, &name)?;
            }
            if let Some(header) = self.header(number)? {
                chain::check(number, &header).map_err(|broken| self.damaged(broken))?;
                return Ok(Some(header));
            }
            next = self.below(number.into())?;
        }
        Ok(None)
    }

    /// Reads the tail to its end.
    pub(super) fn scan(
        &self,
        tail: &SegmentHeader,
        buffer: Lent<'_>,
    ) -> Result<End, Error<D::Error>> {
        let mut reader = self.open(tail, None, buffer)?;
        while reader.advance()? {}
        Ok(reader.tail_end())
    }

    /// Opens a segment of the log.
    pub(super) fn open<'b>(
        &self,
        header: &SegmentHeader,
        sealed: Option<Sealed>,
        buffer: Lent<'b>,
    ) -> Result<SegmentReader<D::Reader, Lent<'b>>, Error<D::Error>> {
        let (file, name) = headless::open(self.dir, self.settings, header.segment)?;
        let segment = segment_of(header, sealed);
        let log_id = header.common.log_id;
        let frames = segment::frames(file, name, buffer, self.settings, log_id, &segment)?;
        Ok(SegmentReader::new(frames, &segment, false))
    }

    /// Visits every file from the tail downwards, and checks that the chain is whole.
    pub(super) fn down(
        &self,
        tail: &SegmentHeader,
        oldest: u32,
        mut visit: impl FnMut(Seen) -> Result<(), Error<D::Error>>,
    ) -> Result<(), Error<D::Error>> {
        visit(Seen::Live(*tail))?;
        let mut successor = *tail;
        let mut expected = self.link(&successor, oldest)?;
        let mut ahead = Ahead::new();
        let mut next = self.next_below(tail.segment, &mut ahead)?;
        while let Some(number) = next {
            if let Some(hole) = expected.filter(|&expected| expected > number) {
                return Err(self.broken(hole, CorruptionKind::Hole { segment: hole }));
            }
            let header = self.header(number)?;
            if let Some(header) = &header {
                // A stray segment of another log could make all others look dead.
                let (wanted, found) = (tail.common.log_id, header.common.log_id);
                if found != wanted {
                    let kind = CorruptionKind::LogId { expected: wanted, found };
                    return Err(self.broken(number, kind));
                }
                chain::check(number, header).map_err(|broken| self.damaged(broken))?;
            }
            if expected == Some(number) {
                let header =
                    header.ok_or_else(|| self.broken(number, CorruptionKind::FileHeader))?;
                self.sealed(&header, &successor)?;
                visit(Seen::Live(header))?;
                successor = header;
                expected = self.link(&successor, oldest)?;
            } else {
                visit(Seen::Dead(number))?;
            }
            next = self.next_below(number, &mut ahead)?;
        }
        match expected {
            Some(hole) => Err(self.broken(hole, CorruptionKind::Hole { segment: hole })),
            None => Ok(()),
        }
    }

    /// The number of the segment before one, if that is part of the log.
    fn link(&self, header: &SegmentHeader, oldest: u32) -> Result<Option<u32>, Error<D::Error>> {
        let Some(previous) = header.previous.filter(|previous| previous.segment >= oldest) else {
            return Ok(None);
        };
        if previous.segment >= header.segment {
            return Err(self.broken(header.segment, CorruptionKind::Chain));
        }
        Ok(Some(previous.segment))
    }

    /// Where a segment ends, by its successor's word.
    pub(super) fn sealed(
        &self,
        header: &SegmentHeader,
        successor: &SegmentHeader,
    ) -> Result<Option<Sealed>, Error<D::Error>> {
        let entries = successor.first_id.checked_sub(header.first_id);
        let entries = entries.and_then(|count| u32::try_from(count).ok());
        let entries = entries.ok_or_else(|| self.broken(header.segment, CorruptionKind::Chain))?;
        Ok(successor.previous.map(|previous| Sealed {
            end: previous.end,
            checksum: previous.checksum,
            entries,
        }))
    }

    /// The segment of the log that follows one; `None` behind the tail.
    pub(super) fn successor(
        &self,
        number: u32,
        log: &Log,
    ) -> Result<Option<SegmentHeader>, Error<D::Error>> {
        let mut header = log.tail;
        if number >= header.segment {
            return Ok(None);
        }
        // Where no number is missing, it is the next one. Elsewhere only the way down from the tail tells which file is of the log.
        if log.is_dense() {
            header = self.live(number.saturating_add(1))?;
        }
        while let Some(previous) = header.previous {
            if previous.segment == number {
                return Ok(Some(header));
            }
            if previous.segment < number {
                break;
            }
            header = self.live(previous.segment)?;
        }
        Err(self.broken(number, CorruptionKind::Chain))
    }

    /// A segment behind the tail whose header does not verify: damage if a frame in it proves that it was synced.
    fn check_unfinished(
        &self,
        log_id: u64,
        number: u32,
        buffer: Lent<'_>,
    ) -> Result<(), Error<D::Error>> {
        let mut frames = headless(self.dir, self.settings, log_id, number, buffer)?;
        headless::judge_unfinished(&mut frames, log_id, number)?
            .then_some(())
            .ok_or_else(|| self.broken(number, CorruptionKind::FileHeader))
    }

    /// No header verifies: rule 6.
    fn check_unfinished_only(&self, buffer: Lent<'_>) -> Result<(), Error<D::Error>> {
        let mut next = self.above(0)?;
        let mut expected = Some(1);
        while let Some(number) = next {
            let mut frames: Frames<_, Lent<'_>> =
                headless(self.dir, self.settings, 0, number, &mut *buffer)?;
            // The header was written with its padding, and may have been torn with it.
            let header_bytes = self.settings.header_bytes;
            let behind = frames.search(header_bytes, 0, |_, _, _| Ok(false))?;
            if behind.written_end > header_bytes || expected.is_some_and(|first| number != first) {
                return Err(self.broken(number, CorruptionKind::FileHeader));
            }
            expected = None;
            next = self.above(number)?;
        }
        Ok(())
    }

    fn damaged(&self, broken: Broken) -> Error<D::Error> {
        self.broken(broken.segment, broken.kind)
    }

    pub(super) fn broken(&self, number: u32, kind: CorruptionKind) -> Error<D::Error> {
        corrupt(self.settings.segment_name(number), kind)
    }
}

fn corrupt<E: StoreError>(name: Result<NameBuf, Error<E>>, kind: CorruptionKind) -> Error<E> {
    match name {
        Ok(file) => Corruption { file, offset: 0, entry_id: None, kind }.into(),
        Err(error) => error,
    }
}

/// A segment, as its header has it.
pub(super) fn segment_of(header: &SegmentHeader, sealed: Option<Sealed>) -> Segment {
    Segment {
        number: header.segment,
        alignment: header.common.alignment,
        form: header.common.form,
        first_id: header.first_id,
        created_ms: header.created_ms,
        origin: header.origin,
        sealed,
        listed: false,
    }
}
