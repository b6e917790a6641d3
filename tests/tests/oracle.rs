//! The oracle allows what the failure model allows, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)] // tests

extern crate alloc;

use durability_testkit::simulated::{
    Bounds, DiskOptions, Ended, JournalOf, LogModel, LogOperation as Op, LogSeen, PrefixOracle,
    SimulatedDisk, Violation, Workload, explore,
};

/// What a journal may hold.
#[derive(Debug, Clone)]
enum Line {
    Issue(Op<u8>),
    Acknowledge,
    See(u64, &'static [u8]),
}
use Line::{Acknowledge, Issue, See};

/// Tells a journal without touching the disk.
struct Tale(Vec<Line>);

impl Workload for Tale {
    type Operation = Op<u8>;
    type Seen = LogSeen<u8>;
    fn run(&self, _: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        for line in self.0.clone() {
            match line {
                Issue(operation) => drop(journal.issue(operation)),
                Acknowledge => journal.acknowledge(),
                See(first, records) => {
                    journal.recovered(LogSeen { first, records: records.to_vec() });
                }
            }
        }
        Ok(())
    }
    fn recover(&self, _: &SimulatedDisk, _: &mut JournalOf<Self>) -> Ended {
        Ok(())
    }
}

fn judge(lines: &[Line]) -> Result<(), Violation> {
    let bounds = Bounds::new(DiskOptions::new()).with_depth(0);
    let oracle = PrefixOracle::<LogModel<u8>>::new();
    explore(&Tale(lines.to_vec()), &oracle, &bounds).map(drop).map_err(|failure| failure.violation)
}

fn add(record: u8) -> Line {
    Issue(Op::Append(record))
}

#[test]
fn any_prefix_that_covers_the_acknowledged_is_fine() {
    let with = |seen| judge(&[add(1), add(2), Acknowledge, add(3), See(1, seen)]);
    assert!(with(&[1, 2]).is_ok() && with(&[1, 2, 3]).is_ok());
    assert_eq!(with(&[1]).unwrap_err().law, "durable means durable");
    for bad in [&[1, 3][..], &[1, 2, 3, 4], &[2, 1], &[1, 2, 2]] {
        assert_eq!(with(bad).unwrap_err().law, "recovery shows a prefix", "{bad:?}");
    }
}

#[test]
fn a_batch_is_whole_or_absent() {
    let with = |seen| judge(&[add(1), Issue(Op::Batch(vec![2, 3])), See(1, seen)]);
    assert!(with(&[]).is_ok() && with(&[1]).is_ok() && with(&[1, 2, 3]).is_ok());
    assert!(with(&[1, 2]).is_err());
}

#[test]
fn what_was_rolled_back_never_comes_back_and_what_was_shown_stays() {
    assert!(judge(&[add(1), add(2), See(1, &[1]), add(9), See(1, &[1, 9])]).is_ok());
    assert!(judge(&[add(1), add(2), See(1, &[1]), See(1, &[1, 2])]).is_err());
    assert!(judge(&[add(1), add(2), See(1, &[1]), See(1, &[])]).is_err());
}

#[test]
fn a_truncated_suffix_goes_as_a_whole_and_stays_away() {
    let cut = Issue(Op::TruncateSuffix(1));
    let with =
        |seen| judge(&[add(1), add(2), add(3), Acknowledge, cut.clone(), add(9), See(1, seen)]);
    assert!(with(&[1, 2, 3]).is_ok() && with(&[1]).is_ok() && with(&[1, 9]).is_ok());
    assert!(with(&[1, 2]).is_err() && with(&[1, 2, 3, 9]).is_err());
    let done = [add(1), add(2), Acknowledge, cut, Acknowledge, See(1, &[1, 2])];
    assert_eq!(judge(&done).unwrap_err().law, "durable means durable");
}

#[test]
fn a_log_emptied_keeps_its_ids_and_is_emptied_whole() {
    let with = |first, seen| {
        judge(&[add(1), add(2), Acknowledge, Issue(Op::TruncateToEmpty), See(first, seen)])
    };
    assert!(with(1, &[1, 2]).is_ok() && with(3, &[]).is_ok());
    assert!(with(1, &[]).is_err() && with(2, &[2]).is_err());
}

#[test]
fn a_truncated_prefix_may_linger_but_not_return_and_ids_are_kept() {
    let cut = |id| Issue(Op::TruncatePrefix(id));
    let with =
        |first, seen| judge(&[add(1), add(2), add(3), Acknowledge, cut(3), See(first, seen)]);
    assert!(with(1, &[1, 2, 3]).is_ok() && with(2, &[2, 3]).is_ok() && with(3, &[3]).is_ok());
    assert!(with(4, &[]).is_err() && with(1, &[3]).is_err());
    assert!(judge(&[add(1), add(2), cut(2), See(2, &[2]), See(1, &[1, 2])]).is_err());
    assert!(judge(&[add(1), cut(2), See(2, &[]), add(7), See(2, &[7])]).is_ok());
    assert!(judge(&[add(1), cut(2), See(1, &[]), Acknowledge]).is_ok(), "nothing was acknowledged");
}
