//! A log whose commits run apart from its writer survives every crash, wherever staging and commits are.
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod families;

use families::survives;

#[test]
fn every_interleaving_of_staging_with_a_commit_survives_crashes() {
    let sum = survives("staged");
    assert!(sum.distinct > 5_000 && sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

#[test]
fn and_a_fault_at_every_operation_before() {
    let sum = survives("staged-faults");
    assert!(sum.distinct > 300 && sum.faults > 300, "{sum}");
}
