//! A sparse index of what was read of a log's segments: where, some bytes apart, a frame begins, and how many entries stand in front of it.
//!
//! Must never grow with the log: marks are bounded, and those of the segment that was not asked for longest go first.

use alloc::vec::Vec;

/// Bytes between two marks, at least: those of a read, but no more than that.
pub(super) const STRIDE_BYTES_MAX: u32 = 64 << 10;
/// Marks that are kept at most: as many as 4 GiB have, in 512 KiB of memory.
const MARKS_MAX: usize = 65_536;

/// A frame of an entry that was reached from the beginning of its segment, everything in front of it verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Where it begins. Files are shorter than 4 GiB.
    pub(super) offset: u32,
    /// The entries of the segment in front of it.
    pub(super) before: u32,
}

/// The marks of some segments.
#[derive(Debug)]
pub(super) struct Index {
    stride_bytes: u64,
    segments: Vec<SegmentMarks>,
    marks: usize,
    clock: u64,
}

#[derive(Debug)]
struct SegmentMarks {
    segment: u32,
    /// When it was asked for last.
    used: u64,
    /// In order.
    marks: Vec<Mark>,
}

impl Index {
    /// An index for a log that is read in blocks of so many bytes.
    pub(super) fn new(read_bytes: usize) -> Self {
        let stride_bytes = u64::from(STRIDE_BYTES_MAX).min(read_bytes as u64);
        Self { stride_bytes, segments: Vec::new(), marks: 0, clock: 0 }
    }

    /// The last mark at or in front of the entry that is the `position`th of its segment, counted from 1.
    pub(super) fn before(&mut self, segment: u32, position: u32) -> Option<Mark> {
        let marks = &self.of(segment)?.marks;
        let index = marks.partition_point(|mark| mark.before < position).checked_sub(1)?;
        marks.get(index).copied()
    }

    /// From which offset on a segment has no marks, but could have one.
    pub(super) fn next_offset(&mut self, segment: u32) -> u64 {
        let last = self.of(segment).and_then(|found| found.marks.last());
        let last = last.map_or(0, |mark| u64::from(mark.offset));
        last.saturating_add(self.stride_bytes)
    }

    /// Adds a mark behind all others of its segment, and says from where on the next may be. Without memory for it, or room, there is none.
    #[cold]
    pub(super) fn add(&mut self, segment: u32, offset: u64, before: u32) -> u64 {
        let next = offset.saturating_add(self.stride_bytes);
        let Ok(offset) = u32::try_from(offset) else { return u64::MAX };
        if self.marks >= MARKS_MAX && !self.make_room(segment) {
            return u64::MAX;
        }
        if self.of(segment).is_none() {
            if self.segments.try_reserve(1).is_err() {
                return u64::MAX;
            }
            self.segments.push(SegmentMarks { segment, used: self.clock, marks: Vec::new() });
        }
        if let Some(found) = self.of(segment)
            && found.marks.last().is_none_or(|last| last.offset < offset)
            && found.marks.try_reserve(1).is_ok()
        {
            found.marks.push(Mark { offset, before });
            self.marks = self.marks.saturating_add(1);
        }
        next
    }

    /// Forgets a segment.
    pub(super) fn forget(&mut self, segment: u32) {
        self.keep(|found| found != segment);
    }

    /// Forgets the segments for which `keep` does not say so.
    pub(super) fn keep(&mut self, keep: impl Fn(u32) -> bool) {
        self.segments.retain(|found| keep(found.segment));
        self.marks = self.segments.iter().map(|found| found.marks.len()).sum();
    }

    fn of(&mut self, segment: u32) -> Option<&mut SegmentMarks> {
        self.clock = self.clock.wrapping_add(1);
        let found = self.segments.iter_mut().find(|found| found.segment == segment)?;
        found.used = self.clock;
        Some(found)
    }

    /// Drops the marks of the segment that was not asked for longest, if there is another than this one.
    fn make_room(&mut self, segment: u32) -> bool {
        let others = self.segments.iter().filter(|found| found.segment != segment);
        let Some(oldest) = others.min_by_key(|found| found.used).map(|found| found.segment) else {
            return false;
        };
        self.forget(oldest);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation, reason = "small numbers")]

    use super::*;

    const STRIDE: u64 = STRIDE_BYTES_MAX as u64;

    #[test]
    fn the_last_mark_that_does_not_pass_an_entry_is_found() {
        let mut index = Index::new(256 << 10);
        assert_eq!(index.before(1, u32::MAX), None);
        assert_eq!(index.next_offset(1), STRIDE);
        assert_eq!(index.add(1, STRIDE + 8, 100), 2 * STRIDE + 8);
        index.add(1, 3 * STRIDE, 250);
        let mark = |offset: u64, before| Some(Mark { offset: offset as u32, before });
        for (position, expected) in [
            (1, None),
            (100, None),
            (101, mark(STRIDE + 8, 100)),
            (250, mark(STRIDE + 8, 100)),
            (251, mark(3 * STRIDE, 250)),
            (u32::MAX, mark(3 * STRIDE, 250)),
        ] {
            assert_eq!(index.before(1, position), expected, "{position}");
            assert_eq!(index.before(2, position), None);
        }
        assert_eq!(index.next_offset(1), 4 * STRIDE);
        index.add(2, STRIDE, 7);
        index.forget(1);
        assert_eq!((index.before(1, 251), index.marks), (None, 1));
        assert_eq!(index.before(2, 8), mark(STRIDE, 7));
    }

    #[test]
    fn marks_are_bounded_and_those_that_were_not_asked_for_go_first() {
        let mut index = Index::new(256 << 10);
        let each = MARKS_MAX as u64 / 4;
        for segment in 1..=4 {
            for mark in 1..=each {
                index.add(segment, mark * STRIDE, mark as u32);
            }
        }
        assert_eq!(index.marks, MARKS_MAX);
        assert!(index.before(1, 2).is_some());
        index.add(5, STRIDE, 1);
        assert_eq!(index.before(2, u32::MAX), None, "segment 2 was not asked for longest");
        for segment in [1, 3, 4, 5] {
            assert!(index.before(segment, u32::MAX).is_some(), "{segment}");
        }
        // One segment alone, of the greatest size.
        let mut index = Index::new(256 << 10);
        let mut next = STRIDE;
        while next < u64::from(u32::MAX) {
            next = index.add(1, next, 1);
        }
        assert!(index.marks <= MARKS_MAX && index.marks * 8 <= 512 << 10);
        assert_eq!(index.add(1, u64::from(u32::MAX) + 1, 1), u64::MAX);
    }
}
