//! Where a reader that follows goes on, once the log's segments were looked at. Pure: from headers to a decision.
//!
//! Must never lead on where what was shown may not be what the log holds.

use crate::EntryId;
use crate::bytes::header::SegmentHeader;

use super::super::chain::{Observed, Sealed, Segment};

/// What the reader has shown, and what it needs next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// The first entry that it has shown, or is to show.
    pub(super) first: EntryId,
    /// The last entry that it has shown.
    pub(super) last: Option<EntryId>,
    pub(super) next: EntryId,
}

impl Shown {
    /// Goes to an entry; false if it is not the one that is wanted next.
    #[inline]
    pub(super) fn show(&mut self, id: EntryId) -> bool {
        if id < self.next {
            return false;
        }
        if self.last.is_none() {
            self.first = id;
        }
        self.last = Some(id);
        self.next = EntryId::new(id.get().saturating_add(1)).unwrap_or(EntryId::LAST);
        true
    }

    /// Whether an entry was shown from there on.
    pub(super) fn reaches(&self, first_id: u64) -> bool {
        self.last.is_some_and(|last| last.get() >= first_id)
    }
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// There is nothing yet.
    Wait,
    /// The reader is in the tail.
    Stay,
    /// The reader's segment is sealed, and that one follows.
    Seal { sealed: Sealed, successor: u32 },
    /// Begin in that segment of the chain.
    Enter(usize),
    /// Entries from there on were taken back after they had been shown, as far as can be told.
    TakenBack(EntryId),
    /// The next entry is not there any more.
    Gap { first: EntryId, last: Option<EntryId> },
}

/// Decides where a reader in the segment `here` goes on in the log.
pub(super) fn route(
    chain: &[Segment],
    observed: &[Observed],
    here: Option<&Segment>,
    shown: Shown,
) -> Route {
    let Some(first) = chain.first() else { return Route::Wait };
    let Some(here) = here else { return enter(chain, shown) };
    let above = chain.iter().position(|segment| segment.number > here.number);
    let cut = above.and_then(|index| chain.get(index));
    if let Some(cut) = cut
        && shown.reaches(cut.first_id)
    {
        // All that was shown came from segments up to this one.
        return Route::TakenBack(id(cut.first_id));
    }
    let index = chain.iter().position(|segment| segment.number == here.number);
    let same = index.and_then(|index| chain.get(index)).filter(|found| is_same(found, here));
    match (same, cut) {
        (Some(Segment { sealed: Some(sealed), .. }), Some(cut)) => {
            Route::Seal { sealed: *sealed, successor: cut.number }
        }
        (Some(_), _) => Route::Stay,
        // The segment is gone and was the last, or another one has its number.
        (None, _) if index.is_some() || cut.is_none() => {
            if shown.reaches(here.first_id) {
                Route::TakenBack(id(here.first_id))
            } else {
                enter(chain, shown)
            }
        }
        (None, Some(cut)) => match link(observed, cut, here) {
            Some(sealed) => Route::Seal { sealed, successor: cut.number },
            None if shown.last.is_none() || cut.number != first.number => enter(chain, shown),
            None if cut.first_id > shown.next.get() => gap(chain),
            // What lay between is pruned, and with it what could tell whether anything was taken back.
            None => Route::TakenBack(shown.first),
        },
        (None, None) => enter(chain, shown),
    }
}

/// Where `here` ends, if `successor` follows it directly.
pub(super) fn sealed_by(successor: &SegmentHeader, here: &Segment) -> Option<Sealed> {
    let previous = successor.previous.filter(|previous| previous.segment == here.number)?;
    let entries = u32::try_from(successor.first_id.checked_sub(here.first_id)?).ok()?;
    Some(Sealed { end: previous.end, checksum: previous.checksum, entries })
}

fn link(observed: &[Observed], cut: &Segment, here: &Segment) -> Option<Sealed> {
    let seen = observed.iter().find(|seen| seen.number == cut.number)?;
    sealed_by(&seen.header?, here)
}

fn enter(chain: &[Segment], shown: Shown) -> Route {
    let index = chain.iter().rposition(|segment| segment.first_id <= shown.next.get());
    index.map_or_else(|| gap(chain), Route::Enter)
}

fn gap(chain: &[Segment]) -> Route {
    let first = chain.first().map_or(EntryId::FIRST, |segment| id(segment.first_id));
    let last = chain.last().and_then(|tail| EntryId::new(tail.first_id.saturating_sub(1)));
    Route::Gap { first, last }
}

/// Whether both are the same segment, and not another of the same number.
pub(super) fn is_same(found: &Segment, here: &Segment) -> bool {
    let identity = |segment: &Segment| {
        (segment.number, segment.first_id, segment.alignment, segment.created_ms, segment.origin)
    };
    identity(found) == identity(here) && found.form == here.form
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap_or(EntryId::FIRST)
}
