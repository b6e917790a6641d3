//! From which state to begin. Pure: from what was seen to a choice or a refusal.

use alloc::vec::Vec;

use crate::EntryId;
use crate::bytes::id::number;

/// A checkpoint, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) generation: u32,
    pub(super) last_id: Option<EntryId>,
}

/// The log, as far as the plan needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    /// The first entry that is there, or the next id of an empty log.
    pub(super) first: EntryId,
    pub(super) last: Option<EntryId>,
}

/// What to begin from, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Checkpoints that meet the log without a gap, newest first.
    pub(super) checkpoints: Vec<Candidate>,
    /// Whether the log alone is enough.
    pub(super) from_nothing: bool,
}

/// Why there is nothing to begin from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A checkpoint includes entries that the log does not have.
    Ahead(Candidate),
    /// The entry to stop at is not in the log.
    StopBeyond(EntryId),
    /// The oldest checkpoint that meets the log is behind the entry to stop at.
    StopBefore { stop: EntryId, oldest: EntryId },
    /// Entries between the best checkpoint and the log are missing.
    Gap { needed: EntryId },
}

/// Chooses what to begin from. `candidates` are in any order.
pub(super) fn plan(
    candidates: &[Candidate],
    log: Log,
    stop: Option<EntryId>,
) -> Result<Plan, Refusal> {
    let ahead = candidates.iter().find(|candidate| candidate.last_id > log.last);
    if let Some(ahead) = ahead.filter(|_| !planted!(CheckpointAheadUsed)) {
        return Err(Refusal::Ahead(*ahead));
    }
    if let Some(stop) = stop.filter(|&stop| Some(stop) > log.last) {
        return Err(Refusal::StopBeyond(stop));
    }
    let in_time = |candidate: &&Candidate| stop.is_none_or(|stop| candidate.last_id <= Some(stop));
    let mut checkpoints: Vec<Candidate> = candidates.iter().filter(in_time).copied().collect();
    checkpoints.sort_unstable_by_key(|candidate| (candidate.last_id, candidate.generation));
    checkpoints.reverse();
    let best = checkpoints.first().copied();
    let meets = |candidate: &Candidate| number(candidate.last_id) >= log.first.get() - 1;
    checkpoints.retain(meets);
    let from_nothing = log.first == EntryId::FIRST;
    if !checkpoints.is_empty() || from_nothing {
        return Ok(Plan { checkpoints, from_nothing });
    }
    // None that is in time meets the log, so whichever does is behind the entry to stop at.
    let usable = candidates.iter().filter(|candidate| meets(candidate));
    let oldest = usable.filter_map(|candidate| candidate.last_id).min();
    if let (Some(stop), Some(oldest)) = (stop, oldest) {
        return Err(Refusal::StopBefore { stop, oldest });
    }
    let after = number(best.and_then(|best| best.last_id)).saturating_add(1);
    Err(Refusal::Gap { needed: EntryId::new(after).unwrap_or(EntryId::FIRST) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn id(number: u64) -> EntryId {
        EntryId::new(number).unwrap()
    }

    fn at(generation: u32, last: u64) -> Candidate {
        Candidate { generation, last_id: EntryId::new(last) }
    }

    fn log(first: u64, last: u64) -> Log {
        Log { first: id(first), last: EntryId::new(last) }
    }

    #[test]
    fn the_newest_checkpoint_that_meets_the_log_comes_first() {
        let found = plan(&[at(1, 10), at(3, 30), at(2, 20)], log(15, 40), None).unwrap();
        assert_eq!(found.checkpoints, vec![at(3, 30), at(2, 20)]);
        assert!(!found.from_nothing);
        let found = plan(&[at(1, 10)], log(1, 40), Some(id(5))).unwrap();
        assert_eq!((found.checkpoints.len(), found.from_nothing), (0, true));
        assert!(plan(&[], log(1, 0), None).unwrap().from_nothing);
        assert_eq!(plan(&[at(1, 10)], log(11, 10), None).unwrap().checkpoints, vec![at(1, 10)]);
    }

    /// A checkpoint in time whose log is gone does not hide that a later one is usable.
    #[test]
    fn a_stop_before_the_oldest_usable_checkpoint_is_told_from_a_gap() {
        let before = |stop, oldest| Refusal::StopBefore { stop: id(stop), oldest: id(oldest) };
        let refusal = |candidates: &[Candidate], first, stop| {
            plan(candidates, log(first, 17), Some(id(stop))).unwrap_err()
        };
        assert_eq!(refusal(&[at(1, 5), at(2, 16)], 7, 6), before(6, 16));
        assert_eq!(refusal(&[at(1, 12), at(2, 16)], 7, 6), before(6, 12));
        assert_eq!(refusal(&[at(1, 5)], 7, 6), Refusal::Gap { needed: id(6) });
        assert_eq!(refusal(&[at(1, 5), at(2, 9)], 12, 6), Refusal::Gap { needed: id(6) });
    }

    /// Every small combination, against the rule in words.
    #[test]
    fn every_combination_recovers_exactly_when_nothing_is_missing() {
        for first in 1..6 {
            for last in first - 1..6 {
                for (one, two) in (0..7).flat_map(|one| (0..7).map(move |two| (one, two))) {
                    for stop in 0..7 {
                        let candidates = [at(1, one), at(2, two)];
                        let result = plan(&candidates, log(first, last), EntryId::new(stop));
                        let goal = if stop == 0 { last } else { stop };
                        let reachable = first == 1
                            || candidates.iter().any(|candidate| {
                                let base = number(candidate.last_id);
                                base + 1 >= first && base <= goal
                            });
                        let sane = one <= last && two <= last && goal <= last;
                        assert_eq!(
                            result.is_ok(),
                            sane && reachable,
                            "{first} {last} {one} {two} {stop}"
                        );
                    }
                }
            }
        }
    }
}
