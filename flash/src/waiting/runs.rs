//! A list of runs of flash, each with what it reads as, in memory that is lent: what waits to be done, and what was read ahead.
//!
//! Must never change the order of its runs, nor drop one to make room for another.

use core::iter::from_fn;

use crate::layout::small;

/// What a run reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes, which are kept.
    Bytes,
    /// Zeros.
    Zeros,
    /// What is erased.
    Blank,
}

/// A run of flash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) kind: Kind,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    bytes: &'a [u8],
}

/// Bytes that a run takes beside its own.
pub(crate) const RUN_BYTES: usize = 8;
/// Runs begin at multiples of this in the memory.
const ALIGNMENT: usize = 4;
const KIND_SHIFT: u32 = 30;
const LENGTH_MAX: u32 = (1 << KIND_SHIFT) - 1;

/// Bytes of memory that a run of so many bytes takes.
pub(crate) const fn run_bytes(bytes: usize) -> usize {
    RUN_BYTES + bytes.next_multiple_of(ALIGNMENT)
}

/// Runs, in the order in which they came.
pub(crate) struct Runs<'m> {
    memory: &'m mut [u8],
    begin: usize,
    end: usize,
}

impl<'a> Run<'a> {
    /// What is kept of it.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) const fn end(&self) -> u32 {
        self.offset.saturating_add(self.length)
    }

    const fn holds(&self, offset: u32) -> bool {
        self.offset <= offset && offset < self.end()
    }

    /// Puts what it has of a place into `buffer`.
    fn lay_over(&self, offset: u32, buffer: &mut [u8]) {
        let skip = self.offset.saturating_sub(offset) as usize;
        let from = offset.saturating_sub(self.offset) as usize;
        let rest = self.length.saturating_sub(small(from)) as usize;
        let Some(to) = buffer.get_mut(skip..) else { return };
        let count = to.len().min(rest);
        let to = to.get_mut(..count).unwrap_or_default();
        match self.kind {
            Kind::Blank => to.fill(0xFF),
            Kind::Zeros => to.fill(0),
            Kind::Bytes => {
                for (to, from) in to.iter_mut().zip(self.bytes.iter().skip(from)) {
                    *to = *from;
                }
            }
        }
    }
}

impl<'m> Runs<'m> {
    pub(crate) const fn new(memory: &'m mut [u8]) -> Self {
        Self { memory, begin: 0, end: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.begin >= self.end
    }

    /// Bytes that there is memory for, runs included.
    pub(crate) const fn capacity(&self) -> usize {
        self.memory.len()
    }

    pub(crate) const fn clear(&mut self) {
        (self.begin, self.end) = (0, 0);
    }

    /// Where the runs so far end.
    pub(crate) const fn mark(&self) -> usize {
        self.end
    }

    /// Drops the runs that came after a mark.
    pub(crate) fn cut(&mut self, mark: usize) {
        self.end = self.end.min(mark).max(self.begin);
    }

    /// Room for the bytes of one more run.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.end.saturating_add(RUN_BYTES)..).unwrap_or_default()
    }

    /// Adds a run, whose bytes stand in [`spare`](Self::spare) if it has any; whether there was room for it.
    pub(crate) fn push(&mut self, kind: Kind, offset: u32, length: u32) -> bool {
        let kept = if kind == Kind::Bytes { length as usize } else { 0 };
        let end = self.end.saturating_add(run_bytes(kept));
        let Some(head) = self.memory.get_mut(self.end..end) else { return false };
        if length > LENGTH_MAX {
            return false;
        }
        let length = length | (kind as u32) << KIND_SHIFT;
        let fields = offset.to_le_bytes().into_iter().chain(length.to_le_bytes());
        for (to, from) in head.iter_mut().zip(fields) {
            *to = from;
        }
        self.end = end;
        true
    }

    /// Adds a run of these bytes; whether there was room for it.
    pub(crate) fn push_bytes(&mut self, offset: u32, bytes: &[u8]) -> bool {
        let Some(place) = self.spare().get_mut(..bytes.len()) else { return false };
        place.copy_from_slice(bytes);
        self.push(Kind::Bytes, offset, small(bytes.len()))
    }

    /// The oldest run.
    pub(crate) fn first(&self) -> Option<Run<'_>> {
        self.at(self.begin).map(|(run, _)| run)
    }

    /// Lets the second run overtake the oldest.
    #[cfg(durability_mutants)]
    pub(crate) fn overtake(&mut self) {
        let second = self.at(self.begin).map_or(self.end, |(_, next)| next);
        if let Some((_, third)) = self.at(second)
            && let Some(both) = self.memory.get_mut(self.begin..third)
        {
            both.rotate_left(second.saturating_sub(self.begin));
        }
    }

    /// Forgets the oldest run.
    pub(crate) fn drop_first(&mut self) {
        let next = self.at(self.begin).map_or(self.end, |(_, next)| next);
        self.begin = next;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Puts what the runs have of a place into `buffer`, later ones over earlier ones.
    pub(crate) fn lay_over(&self, offset: u32, buffer: &mut [u8]) {
        let end = offset.saturating_add(small(buffer.len()));
        self.iter()
            .filter(|run| run.offset < end && offset < run.end())
            .for_each(|run| run.lay_over(offset, buffer));
    }

    /// The first place of a range that no run has.
    pub(crate) fn missing(&self, offset: u32, length: u32) -> Option<u32> {
        let end = offset.saturating_add(length);
        let mut at = offset;
        while at < end {
            match self.iter().filter(|run| run.holds(at)).map(|run| run.end()).max() {
                Some(next) => at = next,
                None => return Some(at),
            }
        }
        None
    }

    fn iter(&self) -> impl Iterator<Item = Run<'_>> {
        let mut next = self.begin;
        from_fn(move || {
            let (run, behind) = self.at(next)?;
            next = behind;
            Some(run)
        })
    }

    /// The run at a place in the memory, and where the next one is.
    fn at(&self, place: usize) -> Option<(Run<'_>, usize)> {
        let held = self.memory.get(place..self.end)?;
        let (offset, rest) = held.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (offset, fields) = (u32::from_le_bytes(*offset), u32::from_le_bytes(*length));
        let kind = match fields >> KIND_SHIFT {
            0 => Kind::Bytes,
            1 => Kind::Zeros,
            _ => Kind::Blank,
        };
        let length = fields & LENGTH_MAX;
        let kept = if kind == Kind::Bytes { length as usize } else { 0 };
        let bytes = rest.get(..kept)?;
        Some((Run { kind, offset, length, bytes }, place.saturating_add(run_bytes(kept))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Runs};

    #[test]
    fn later_runs_lie_over_earlier_ones_and_what_none_has_stays() {
        let mut memory = [0; 64];
        let mut runs = Runs::new(&mut memory);
        assert!(runs.push_bytes(10, &[1, 2, 3, 4, 5]));
        assert!(runs.push(Kind::Blank, 12, 2));
        assert!(runs.push(Kind::Zeros, 13, 3));
        let mut found = [9; 10];
        runs.lay_over(8, &mut found);
        assert_eq!(found, [9, 9, 1, 2, 0xFF, 0, 0, 0, 9, 9]);
        let mut found = [9; 2];
        runs.lay_over(11, &mut found);
        assert_eq!(found, [2, 0xFF]);
        assert_eq!(runs.missing(10, 6), None);
        assert_eq!(runs.missing(11, 6), Some(16));
        assert_eq!(runs.missing(9, 1), Some(9));
        assert_eq!(runs.missing(20, 0), None);
    }

    #[test]
    fn runs_come_out_as_they_went_in_and_give_their_memory_back_at_the_end() {
        let mut memory = [0; 40];
        let mut runs = Runs::new(&mut memory);
        assert!(runs.push_bytes(1, &[7; 9]) && runs.push(Kind::Blank, 2, 4096));
        assert!(!runs.push_bytes(3, &[8; 5]), "there is no room for it");
        let first = runs.first().map(|run| (run.kind, run.offset, run.length, run.bytes()[0]));
        assert_eq!(first, Some((Kind::Bytes, 1, 9, 7)));
        runs.drop_first();
        assert_eq!(runs.first().map(|run| (run.kind, run.offset)), Some((Kind::Blank, 2)));
        assert!(!runs.push_bytes(3, &[8; 5]), "memory is not moved");
        runs.drop_first();
        assert!(runs.is_empty() && runs.push_bytes(3, &[8; 32]));
    }

    #[test]
    fn what_came_after_a_mark_can_be_dropped() {
        let mut memory = [0; 40];
        let mut runs = Runs::new(&mut memory);
        assert!(runs.push(Kind::Zeros, 4, 4));
        let mark = runs.mark();
        assert!(runs.push(Kind::Zeros, 8, 4));
        runs.cut(mark);
        assert_eq!((runs.missing(4, 4), runs.missing(8, 4)), (None, Some(8)));
    }
}
