//! Publishing and recovery survive every crash: the state is that of a prefix which covers all that was acknowledged, whatever of
//! checkpoint, mark and deletions is left.
//!
//! Atomic replacement of whole files is held to the same: old or new content, whole.
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod families;

use families::survives;

#[test]
fn every_short_script_with_publishing_survives_crashes() {
    let sum = survives("publish");
    assert!(sum.distinct > 15_000 && sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

#[test]
fn publishing_survives_a_fault_and_then_a_crash() {
    let sum = survives("publish-faults");
    assert!(sum.faults > 500, "{sum}");
}

#[test]
fn a_replaced_file_holds_the_old_content_or_the_new_whole() {
    let sum = survives("replace");
    assert!(sum.faults > 100, "{sum}");
}
