//! Ranges of ids: of a batch, and of a segment.

use core::iter::FusedIterator;

use crate::EntryId;

use super::chain::Segment;

/// The ids of a batch, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EntryIds {
    next: u64,
    count: u32,
}

impl EntryIds {
    pub(crate) const fn new(first: EntryId, count: u32) -> Self {
        Self { next: first.get(), count }
    }

    /// The ids from one to another, both among them; none if the second is lower. No more than 2^32 - 1 of them.
    pub fn between(first: EntryId, last: EntryId) -> Self {
        let count = last.get().saturating_add(1).saturating_sub(first.get());
        Self::new(first, u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The first id that is left; `None` if none is.
    pub const fn first(&self) -> Option<EntryId> {
        if self.count == 0 { None } else { EntryId::new(self.next) }
    }

    /// The last id; `None` if none is left.
    pub fn last(&self) -> Option<EntryId> {
        let ahead = self.count.checked_sub(1)?;
        EntryId::new(self.next.saturating_add(u64::from(ahead)))
    }
}

impl Iterator for EntryIds {
    type Item = EntryId;

    fn next(&mut self) -> Option<EntryId> {
        let id = self.first()?;
        self.next = self.next.saturating_add(1);
        self.count = self.count.saturating_sub(1);
        Some(id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for EntryIds {}
impl FusedIterator for EntryIds {}

/// A segment of a log, and the entries that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SegmentRange {
    segment: u32,
    first: EntryId,
    count: u64,
    sealed: bool,
}

impl SegmentRange {
    pub(crate) fn all(chain: &[Segment], next_id: EntryId) -> impl Iterator<Item = Self> + '_ {
        let ends = chain.iter().skip(1).map(|successor| successor.first_id);
        chain.iter().zip(ends.chain([next_id.get()])).map(|(segment, end)| Self {
            segment: segment.number,
            first: EntryId::new(segment.first_id).unwrap_or(EntryId::FIRST),
            count: end.saturating_sub(segment.first_id),
            sealed: segment.sealed.is_some(),
        })
    }

    /// The segment's number, which its file is named for.
    pub const fn segment(&self) -> u32 {
        self.segment
    }

    /// The first entry that it holds, or will hold.
    pub const fn first_id(&self) -> EntryId {
        self.first
    }

    /// The last entry; `None` if it is empty.
    pub fn last_id(&self) -> Option<EntryId> {
        let ahead = self.count.checked_sub(1)?;
        EntryId::new(self.first.get().saturating_add(ahead))
    }

    /// How many entries it holds.
    pub const fn entry_count(&self) -> u64 {
        self.count
    }

    /// Whether it is sealed; the tail is not.
    pub const fn is_sealed(&self) -> bool {
        self.sealed
    }
}
