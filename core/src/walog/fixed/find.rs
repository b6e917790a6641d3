//! What there is of a log: the tail, the chain below it, and what lies above. FORMAT.md, "Where a WAL ends", rules 1, 2 and 6.
//!
//! Must never change anything, but for deleting what is dead when it is all judged, and never take for an end what nobody has read.

use crate::bytes::header::SegmentHeader;
use crate::error::{CorruptionKind, Limit, Operation};
use crate::file::frames::Frames;
use crate::file::source::Keeping;
use crate::file::window::Window;
use crate::storage::Directory;

use super::super::headless::{self, Purpose};
use super::super::options::Reading;
use super::super::segment::End;
use super::account::{Failed, is_damage};
use super::ahead::Ahead;
use super::walk::{File, Kept, Lent, Seen, Walk};

/// What there is of a log.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The highest number of any segment's file; 0 without one.
    pub(super) highest: u32,
    /// The header of the log's last segment; `None` if there is no log, and what follows says nothing then.
    pub(super) tail: Option<SegmentHeader>,
    /// The end of the tail, if that was read.
    pub(super) end: Option<End>,
    /// The oldest live segment, by header and prune frames.
    pub(super) oldest: u32,
    /// The first segment of the chain.
    pub(super) first: u32,
    /// Its first id.
    pub(super) first_id: u64,
    /// Segments of the chain.
    pub(super) segments: u32,
}

impl Found {
    /// Whether every number from the first segment's to the tail's is one of the log.
    pub(super) fn is_dense(&self) -> bool {
        let tail = self.tail.as_ref().map_or(0, |tail| tail.segment);
        tail.checked_sub(self.first) == self.segments.checked_sub(1)
    }
}

impl<D: Directory> Walk<'_, D> {
    /// Judges all that there is of the log. `buffer` is memory to read with.
    #[inline(never)]
    pub(super) fn find(
        &self,
        purpose: Purpose,
        buffer: Lent<'_>,
        found: &mut Found,
    ) -> Result<(), Failed> {
        if purpose == Purpose::Write {
            // A name that only a cache has must not become part of what is built upon.
            self.sync_dir()?;
        }
        self.tail(purpose, found)?;
        let Some(tail) = &found.tail else { return self.check_unfinished_only(buffer) };
        let (number, log_id) = (tail.segment, tail.common.log_id);
        found.oldest = tail.oldest;
        let mut next = self.above(number)?;
        while let Some(later) = next {
            self.check_unfinished(log_id, later, buffer)?;
            next = self.above(later)?;
        }
        if purpose == Purpose::Read {
            match self.chain(found) {
                Ok(()) => return Ok(()),
                // Segments that are missing, or no part of it, may have been pruned since the tail began: its prune frames tell.
                Err(failed) => self.account.forget_if(failed, is_damage)?,
            }
        }
        self.scan(buffer, found)?;
        self.chain(found)?;
        found.oldest = found.oldest.min(number);
        match &found.tail {
            // Before anything is created: who tries again and again on a full medium must not leave one more file each time.
            Some(tail) if purpose == Purpose::Write => self.delete_dead(tail, found.oldest),
            _ => Ok(()),
        }
    }

    /// Finds the first segment of the chain, its first id, and how many there are.
    #[inline(never)]
    fn chain(&self, found: &mut Found) -> Result<(), Failed> {
        let Found { tail: Some(tail), oldest, first, first_id, segments, .. } = found else {
            return Ok(());
        };
        *segments = 0;
        // No header can be newer than the tail; a mark above it is nonsense, and must not hide the tail.
        self.down(tail, (*oldest).min(tail.segment), &mut |seen| {
            if let Seen::Live(header) = seen {
                (*first, *first_id) = (header.segment, header.first_id);
                *segments = segments.saturating_add(1);
            }
        })
    }

    /// Reads the header of the highest segment that has one which verifies. Apart, so that its stack is not needed for what follows.
    #[inline(never)]
    fn tail(&self, purpose: Purpose, found: &mut Found) -> Result<(), Failed> {
        let mut ahead = Ahead::default();
        let count = self.look(u32::MAX, &mut ahead)?;
        // No more files than a log can leave: what follows takes a look at all names for each.
        let limit = self.settings.segments_max.saturating_mul(2).saturating_add(16);
        self.account.at_most(Limit::Segments, count as usize, limit)?;
        found.highest = ahead.highest();
        let mut bound = u32::MAX;
        while let Some(number) = self.next_down(bound, &mut ahead)? {
            if purpose == Purpose::Write {
                // What is read from here on is what the medium has.
                let file = File::Segment(number);
                let synced = self.dir.sync_file(self.name(file)?.as_name());
                self.on(synced, Operation::Sync, file)?;
            }
            self.header(number, &mut found.tail)?;
            if let Some(header) = &found.tail {
                return self.check(number, header);
            }
            bound = number.saturating_sub(1);
        }
        Ok(())
    }

    /// Reads the tail to its end. What is opened is large: apart, so that it is not on the stack of the rest.
    #[inline(never)]
    fn scan(&self, buffer: Lent<'_>, found: &mut Found) -> Result<(), Failed> {
        let Some(tail) = &found.tail else { return Ok(()) };
        let mut opened = None;
        self.open(tail, None, buffer, &mut opened)?;
        let Some(reader) = &mut opened else { return Ok(()) };
        while self.advance(reader)? {}
        let end = reader.tail_end();
        let (offset, limit) = (end.ending.cursor.offset, u64::from(u32::MAX));
        if offset > limit {
            return Err(self.account.limit(Limit::FileBytes, offset, limit));
        }
        found.oldest = tail.oldest.max(end.marks.oldest);
        found.end = Some(end);
        Ok(())
    }

    /// Deletes every file that is not of the log, lowest first.
    #[inline(never)]
    fn delete_dead(&self, tail: &SegmentHeader, oldest: u32) -> Result<(), Failed> {
        let mut last = 0;
        loop {
            // The walk comes by the lowest last.
            let mut lowest = 0;
            self.down(tail, oldest, &mut |seen| {
                if let Seen::Dead(number) = seen
                    && number > last
                {
                    lowest = number;
                }
            })?;
            if lowest == 0 {
                break;
            }
            self.delete(lowest)?; // crash: a dead segment that is still there, or comes back, is as dead as before.
            last = lowest;
        }
        self.delete_between(tail.segment, u64::MAX)
    }

    /// The frames of a segment whose header cannot be read.
    fn headless<'b>(
        &self,
        log_id: u64,
        number: u32,
        buffer: Lent<'b>,
    ) -> Result<Frames<Kept<D>, Lent<'b>>, Failed> {
        let file = self.open_file(number)?;
        let Reading { read_bytes, record_bytes_max } = self.settings.reading;
        let window = Window::over(Keeping::new(file), (), buffer, read_bytes);
        Ok(headless::frames(window, record_bytes_max, log_id, number))
    }

    /// A segment behind the tail whose header does not verify: damage if a frame in it proves that it was synced.
    #[inline(never)]
    fn check_unfinished(&self, log_id: u64, number: u32, buffer: Lent<'_>) -> Result<(), Failed> {
        let mut frames = self.headless(log_id, number, buffer)?;
        let judged = headless::judge_unfinished(&mut frames, log_id, number);
        if judged.map_err(|_| self.take_over(number, frames.source()))? {
            return Ok(());
        }
        Err(self.broken(number, CorruptionKind::FileHeader))
    }

    /// No header verifies: rule 6.
    #[inline(never)]
    fn check_unfinished_only(&self, buffer: Lent<'_>) -> Result<(), Failed> {
        let mut last = 0;
        while let Some(number) = self.above(last)? {
            let mut frames = self.headless(0, number, &mut *buffer)?;
            // The header was written with its padding, and may have been torn with it.
            let header_bytes = self.settings.header_bytes() as u64;
            let written_end = frames.search_written(header_bytes);
            let written_end = written_end.map_err(|_| self.take_over(number, frames.source()))?;
            if written_end > header_bytes || (last == 0 && number != 1) {
                return Err(self.broken(number, CorruptionKind::FileHeader));
            }
            last = number;
        }
        Ok(())
    }
}
