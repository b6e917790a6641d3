//! Which writes a crash leaves: all before the last flush, and any of the sectors written since.
//!
//! Must never let a write survive that came after the crash, nor lose one that a flush has covered; unless the flushes
//! are to be taken for lies, which is what the controls are for.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use super::device::Entry;
use super::image::SECTOR_BYTES;
use super::random::Random;

/// What is left of a write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Keep {
    All,
    /// These of its sectors.
    Sectors(Vec<bool>),
}

/// One crash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Crash {
    /// Everything before this is durable.
    pub(crate) durable: usize,
    /// The position in the log at which it happens.
    pub(crate) at: usize,
    /// What survives of the writes in between, by their positions.
    pub(crate) keep: Vec<(usize, Keep)>,
}

/// How the survivors are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    None,
    All,
    Prefix,
    AllButOne,
    OnlyOne,
    HalfOfTheSectors,
    HalfOfTheBlocks,
    FewWrites,
    MostWrites,
    Torn,
}

const CHOICES: [Choice; 10] = [
    Choice::None,
    Choice::Torn,
    Choice::AllButOne,
    Choice::HalfOfTheSectors,
    Choice::Prefix,
    Choice::OnlyOne,
    Choice::HalfOfTheBlocks,
    Choice::MostWrites,
    Choice::FewWrites,
    Choice::All,
];
/// Sectors in what file systems write at once.
const BLOCK_SECTORS: usize = 8;
/// How often each stretch between flushes is tried before it is taken to hold no more states.
const ROUNDS_MAX: usize = 4 * CHOICES.len();

/// Whether flushes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushes {
    Honest,
    /// As if the disk had lied about every one.
    Ignored,
}

/// Different crashes of one log, from a position on, in the order of what is durable.
pub(crate) fn crashes(
    log: &[Entry],
    from: usize,
    flushes: Flushes,
    count: usize,
    random: &mut Random,
) -> Vec<Crash> {
    let mut stretches = stretches(log, from, flushes);
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    for _round in 0..ROUNDS_MAX {
        // None is preferred where not all can be had.
        shuffle(&mut stretches, random);
        for stretch in &stretches {
            if found.len() == count {
                break;
            }
            let choice = random.pick(&CHOICES);
            let crash = choose(log, stretch, choice, random);
            if known.insert(identity(log, &crash)) {
                found.push(crash);
            }
        }
    }
    found.sort_by_key(|crash| (crash.durable, crash.at));
    found
}

/// Fisher and Yates's.
fn shuffle(stretches: &mut [Range<usize>], random: &mut Random) {
    for last in (1..stretches.len()).rev() {
        stretches.swap(last, random.below(last + 1));
    }
}

/// The parts of the log between flushes in which anything happened, from the one on that holds a position.
fn stretches(log: &[Entry], first: usize, flushes: Flushes) -> Vec<Range<usize>> {
    let mut ends: Vec<usize> = Vec::new();
    if flushes == Flushes::Honest {
        let flushes = log.iter().enumerate().filter(|(_, entry)| matches!(entry, Entry::Flush));
        ends.extend(flushes.map(|(at, _)| at));
    }
    ends.push(log.len());
    let mut from = 0;
    let mut found = Vec::new();
    for end in ends {
        let stretch = from..end;
        from = end;
        let flush = |entry: &Entry| matches!(entry, Entry::Flush);
        if end > first && !log[stretch.clone()].iter().all(flush) {
            found.push(stretch);
        }
    }
    found
}

/// The positions of the writes.
pub(crate) fn writes(log: &[Entry], range: &Range<usize>) -> Vec<usize> {
    range.clone().filter(|at| matches!(log[*at], Entry::Write { .. })).collect()
}

/// What makes two crashes the same: the surviving bytes' origin, and what was known.
fn identity(log: &[Entry], crash: &Crash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (crash.durable, &crash.keep).hash(&mut hasher);
    let told = log[..crash.at].iter().rposition(|entry| matches!(entry, Entry::Told { .. }));
    told.hash(&mut hasher);
    hasher.finish()
}

fn choose(log: &[Entry], stretch: &Range<usize>, choice: Choice, random: &mut Random) -> Crash {
    // Late is strict about what was acknowledged, early about what was issued.
    let early = choice == Choice::Prefix || random.one_in(4);
    let length = if early { 1 + random.below(stretch.len()) } else { stretch.len() };
    let at = stretch.start + length;
    let writes = writes(log, &(stretch.start..at));
    let one = random.below(writes.len().max(1));
    let mut keep = Vec::new();
    for (index, position) in writes.into_iter().enumerate() {
        let Entry::Write { bytes, .. } = &log[position] else { continue };
        let sectors = choice.sectors(bytes.len().div_ceil(SECTOR_BYTES), index.cmp(&one), random);
        if sectors.iter().all(|kept| *kept) {
            keep.push((position, Keep::All));
        } else if sectors.contains(&true) {
            keep.push((position, Keep::Sectors(sectors)));
        }
    }
    Crash { durable: stretch.start, at, keep }
}

impl Choice {
    /// Which sectors of a write survive, told where it stands to the one that was drawn.
    #[expect(clippy::match_same_arms, reason = "one choice after the other")]
    fn sectors(self, count: usize, to_the_one: Ordering, random: &mut Random) -> Vec<bool> {
        let drawn = random.below(count.max(1));
        let all = vec![true; count];
        let none = vec![false; count];
        match (self, to_the_one) {
            (Self::All | Self::Prefix, _) | (Self::Torn, Ordering::Less) => all,
            (Self::None, _) | (Self::Torn, Ordering::Greater) => none,
            (Self::Torn, Ordering::Equal) => (0..count).map(|sector| sector < drawn).collect(),
            // The whole write, or one of its sectors.
            (Self::AllButOne, Ordering::Equal) if random.one_in(2) => none,
            (Self::AllButOne, Ordering::Equal) => {
                (0..count).map(|sector| sector != drawn).collect()
            }
            (Self::AllButOne, _) => all,
            (Self::OnlyOne, Ordering::Equal) if random.one_in(2) => all,
            (Self::OnlyOne, Ordering::Equal) => (0..count).map(|sector| sector == drawn).collect(),
            (Self::OnlyOne, _) => none,
            (Self::HalfOfTheSectors, _) => half(count, 1, random),
            (Self::HalfOfTheBlocks, _) => half(count, BLOCK_SECTORS, random),
            (Self::FewWrites, _) => vec![random.one_in(4); count],
            (Self::MostWrites, _) => vec![!random.one_in(4); count],
        }
    }
}

/// Each piece of that many sectors survives or not.
fn half(count: usize, piece: usize, random: &mut Random) -> Vec<bool> {
    let pieces: Vec<bool> = (0..count.div_ceil(piece)).map(|_| random.one_in(2)).collect();
    (0..count).map(|sector| pieces[sector / piece]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `w` is a write of three sectors, `f` a flush, `t` something told.
    fn log(of: &str) -> Vec<Entry> {
        let entry = |(at, what)| match what {
            'w' => Entry::Write { offset: at as u64 * 4096, bytes: vec![1; 1536].into() },
            'f' => Entry::Flush,
            _ => Entry::Told { story: 0, events: at },
        };
        of.chars().enumerate().map(entry).collect()
    }

    fn of(log: &[Entry], from: usize, flushes: Flushes, count: usize) -> Vec<Crash> {
        crashes(log, from, flushes, count, &mut Random::new(7))
    }

    #[test]
    fn what_a_flush_covers_is_durable_and_what_comes_after_the_crash_is_not_there() {
        let log = log("twwftwwwfwtf");
        let found = of(&log, 0, Flushes::Honest, 1000);
        assert!(found.len() > 30, "{}", found.len());
        for crash in &found {
            let flush = log[..crash.at].iter().rposition(|entry| matches!(entry, Entry::Flush));
            assert_eq!(crash.durable, flush.unwrap_or_default());
            for (position, _) in &crash.keep {
                assert!((crash.durable..crash.at).contains(position));
                assert!(matches!(log[*position], Entry::Write { .. }));
            }
        }
    }

    #[test]
    fn a_lying_disk_may_have_lost_everything() {
        let found = of(&log("wfwftwwf"), 0, Flushes::Ignored, 1000);
        assert!(found.iter().all(|crash| crash.durable == 0));
        assert!(found.iter().any(|crash| crash.at == 8 && crash.keep.is_empty()));
    }

    #[test]
    fn few_writes_are_tried_in_every_combination() {
        let log = log("tww");
        let found = of(&log, 0, Flushes::Honest, 1000);
        for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
            let kept = |at| (at, Keep::All);
            let wanted: Vec<_> =
                [first.then(|| kept(1)), second.then(|| kept(2))].into_iter().flatten().collect();
            assert!(found.iter().any(|crash| crash.keep == wanted), "{wanted:?}");
        }
        let torn = |crash: &Crash| matches!(crash.keep[..], [(_, Keep::Sectors(_)), ..]);
        assert!(found.iter().any(torn));
    }

    #[test]
    fn no_crash_comes_twice_and_none_before_the_position_of_interest() {
        let log = log("wwfwftwfwtwf");
        let found = of(&log, 5, Flushes::Honest, 1000);
        let different: HashSet<u64> = found.iter().map(|crash| identity(&log, crash)).collect();
        assert_eq!(different.len(), found.len());
        assert!(found.iter().all(|crash| crash.at > 4));
        assert!(found.is_sorted_by_key(|crash| crash.durable));
    }

    #[test]
    fn what_is_told_behind_the_last_flush_is_judged_too() {
        let log = log("twft");
        assert!(of(&log, 0, Flushes::Honest, 1000).iter().any(|crash| crash.at == 4));
    }
}
