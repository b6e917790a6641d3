//! Which segments make up the log: FORMAT.md, "Where a WAL ends", rules 1 and 2. Pure: from headers to a verdict.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(feature = "alloc")]
use crate::EntryId;
use crate::bytes::frame::Form;
use crate::bytes::header::{Origin, SegmentHeader};
use crate::error::CorruptionKind;

#[cfg(feature = "alloc")]
/// A segment's file and what its first bytes are; `None` if they do not verify.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    pub(crate) number: u32,
    pub(crate) header: Option<SegmentHeader>,
}

/// A segment of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) alignment: u32,
    pub(crate) form: Form,
    pub(crate) first_id: u64,
    pub(crate) created_ms: u64,
    pub(crate) origin: Origin,
    /// Where it ends, by its successor's word; `None` for the tail.
    pub(crate) sealed: Option<Sealed>,
    /// All of this is from the list that closing left: nobody has read its header yet.
    pub(crate) listed: bool,
}

impl Segment {
    /// Whether a place in it, once passed, can be gone to without passing what lies before it again. A compact frame does not say how many entries precede it; a
    /// tail may lose what a failed sync covered and get other frames in its place.
    pub(crate) fn keeps_places(&self) -> bool {
        self.sealed.is_some() || self.form == Form::Full || planted!(CompactTailIndexed)
    }
}

/// Where a sealed segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) end: u64,
    pub(crate) checksum: u32,
    pub(crate) entries: u32,
}

/// Which segment is damaged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) segment: u32,
    pub(crate) kind: CorruptionKind,
}

#[cfg(feature = "alloc")]
/// The tail: the highest segment whose header verifies. `observed` is sorted by number.
pub(crate) fn tail(observed: &[Observed]) -> Option<(u32, SegmentHeader)> {
    observed.iter().rev().find_map(|seen| Some((seen.number, seen.header?)))
}

#[cfg(feature = "alloc")]
/// Whether a truncation after `segment` was begun took back entry `id`.
pub(crate) fn was_truncated(chain: &[Segment], id: EntryId, segment: u32) -> bool {
    let mut cuts = chain.iter().filter(|begun| begun.origin == Origin::Truncation);
    cuts.any(|cut| cut.number > segment && cut.first_id <= id.get())
}

#[cfg(feature = "alloc")]
/// The segments from the oldest live one to the tail.
pub(crate) fn chain(observed: &[Observed], oldest: u32) -> Result<Vec<Segment>, Broken> {
    let mut chain = Vec::new();
    let Some((mut number, mut header)) = tail(observed) else { return Ok(chain) };
    let (tail_number, log_id) = (number, header.common.log_id);
    // A stray segment of another log could make all others look dead. Nothing may be built, or deleted, on such ground.
    for (seen, header) in observed.iter().filter_map(|seen| Some((seen, seen.header?))) {
        if header.common.log_id != log_id {
            let kind = CorruptionKind::LogId { expected: log_id, found: header.common.log_id };
            return Err(Broken { segment: seen.number, kind });
        }
        check(seen.number, &header)?;
    }
    // No header can be newer than the tail; a mark above it is nonsense, and must not hide the tail.
    let oldest = oldest.min(tail_number);
    let mut sealed = None;
    loop {
        chain.push(Segment {
            number,
            alignment: header.common.alignment,
            form: header.common.form,
            first_id: header.first_id,
            created_ms: header.created_ms,
            origin: header.origin,
            sealed,
            listed: false,
        });
        let Some(previous) = header.previous else { break };
        if previous.segment < oldest {
            break;
        }
        let broken = |kind| Broken { segment: number, kind };
        // Numbers only go down, so the walk ends whatever the headers say.
        if previous.segment >= number {
            return Err(broken(CorruptionKind::Chain));
        }
        let successor = header;
        number = previous.segment;
        let found = observed.binary_search_by_key(&number, |seen| seen.number);
        let Some(seen) = found.ok().and_then(|index| observed.get(index)) else {
            let kind = CorruptionKind::Hole { segment: number };
            return Err(Broken { segment: number, kind });
        };
        header = seen.header.ok_or(Broken { segment: number, kind: CorruptionKind::FileHeader })?;
        let entries = successor.first_id.checked_sub(header.first_id);
        let entries = entries
            .and_then(|count| u32::try_from(count).ok())
            .ok_or(Broken { segment: number, kind: CorruptionKind::Chain })?;
        sealed = Some(Sealed { end: previous.end, checksum: previous.checksum, entries });
    }
    chain.reverse();
    Ok(chain)
}

pub(crate) fn check(number: u32, header: &SegmentHeader) -> Result<(), Broken> {
    let broken = |kind| Err(Broken { segment: number, kind });
    if header.segment != number {
        let kind = CorruptionKind::SegmentNumber { expected: number, found: header.segment };
        return broken(kind);
    }
    // A log may begin at any id that the options allow, and goes on from there.
    let no_room_for_ids = header.first_id > u64::MAX - u64::from(u32::MAX);
    if header.first_id == 0 || no_room_for_ids || header.oldest > number {
        return broken(CorruptionKind::Chain);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::header::{Common, Previous};
    use alloc::vec;

    fn header(segment: u32, first_id: u64, previous: u32) -> SegmentHeader {
        SegmentHeader {
            common: Common { alignment: 4, form: Form::Full, log_id: 5 },
            segment,
            oldest: 1,
            first_id,
            created_ms: 0,
            origin: Origin::Sequence,
            previous: (previous != 0).then_some(Previous {
                segment: previous,
                end: 100,
                checksum: 9,
            }),
        }
    }

    fn seen(segment: u32, first_id: u64, previous: u32) -> Observed {
        Observed { number: segment, header: Some(header(segment, first_id, previous)) }
    }

    fn numbers(observed: &[Observed], oldest: u32) -> Result<Vec<u32>, CorruptionKind> {
        let chain = chain(observed, oldest).map_err(|broken| broken.kind)?;
        Ok(chain.iter().map(|segment| segment.number).collect())
    }

    #[test]
    fn the_chain_skips_what_no_successor_names() {
        let unfinished = Observed { number: 2, header: None };
        let log = [seen(1, 1, 0), unfinished, seen(3, 10, 1), seen(4, 20, 3)];
        assert_eq!(numbers(&log, 1), Ok(vec![1, 3, 4]));
        // A suffix truncation: segment 5 follows 3, and 4 is dead.
        let log = [seen(1, 1, 0), seen(3, 10, 1), seen(4, 20, 3), seen(5, 12, 3)];
        assert_eq!(numbers(&log, 1), Ok(vec![1, 3, 5]));
        let newest = [seen(1, 1, 0), unfinished];
        assert_eq!(numbers(&newest, 1), Ok(vec![1]));
    }

    #[test]
    fn a_missing_segment_is_pruned_below_the_mark_and_a_hole_above_it() {
        let log = [seen(3, 10, 2), seen(4, 20, 3)];
        assert_eq!(numbers(&log, 3), Ok(vec![3, 4]));
        assert_eq!(numbers(&log, 2), Err(CorruptionKind::Hole { segment: 2 }));
        assert_eq!(numbers(&[seen(4, 20, 3)], 9), Ok(vec![4]));
    }

    /// Each of them alone; and the last first id that leaves room for a segment's entries is one.
    #[test]
    fn a_header_that_contradicts_itself_is_damage() {
        let last = u64::MAX - u64::from(u32::MAX);
        let alone = |first_id, oldest| {
            let header = SegmentHeader { oldest, ..header(3, first_id, 0) };
            numbers(&[Observed { number: 3, header: Some(header) }], 1)
        };
        for (first_id, oldest) in [(1, 1), (1, 3), (last, 1)] {
            assert_eq!(alone(first_id, oldest), Ok(vec![3]), "{first_id}, {oldest}");
        }
        for (first_id, oldest) in [(0, 1), (last + 1, 1), (u64::MAX, 1), (1, 4)] {
            assert_eq!(alone(first_id, oldest), Err(CorruptionKind::Chain), "{first_id}, {oldest}");
        }
    }

    #[test]
    fn headers_that_contradict_each_other_are_damage() {
        assert_eq!(numbers(&[seen(1, 20, 0), seen(2, 10, 1)], 1), Err(CorruptionKind::Chain));
        assert_eq!(numbers(&[seen(2, 10, 2)], 1), Err(CorruptionKind::Chain));
        assert_eq!(numbers(&[seen(2, 10, 7)], 1), Err(CorruptionKind::Chain));
        let bad = Observed { number: 1, header: None };
        assert_eq!(numbers(&[bad, seen(2, 10, 1)], 1), Err(CorruptionKind::FileHeader));
        let mut foreign = seen(1, 1, 0);
        foreign.header.as_mut().unwrap().common.log_id = 6;
        assert!(matches!(
            numbers(&[foreign, seen(2, 10, 1)], 1),
            Err(CorruptionKind::LogId { .. })
        ));
        // A stray first segment of another log, with a higher number: the chain would be it alone.
        let mut stray = seen(2, 1, 0);
        stray.header.as_mut().unwrap().common.log_id = 6;
        assert!(matches!(numbers(&[seen(1, 1, 0), stray], 1), Err(CorruptionKind::LogId { .. })));
        let swapped = Observed { number: 1, header: Some(header(2, 1, 0)) };
        assert!(matches!(numbers(&[swapped], 1), Err(CorruptionKind::SegmentNumber { .. })));
    }
}
