//! Publishing and recovery survive every crash: the state is that of a prefix which covers all that was acknowledged, whatever of
//! checkpoint, mark and deletions is left.
//!
//! Checkpoints by themselves, atomic replacement of whole files and the segment index are held to the same.
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod families;

use families::survives;

#[test]
fn every_short_script_with_publishing_survives_crashes() {
    let sum = survives("publish");
    assert!(sum.distinct > 20_000 && sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

#[test]
fn publishing_survives_a_fault_and_then_a_crash() {
    let sum = survives("publish-faults");
    assert!(sum.faults > 5_000, "{sum}");
}

#[test]
fn a_replaced_file_holds_the_old_content_or_the_new_whole() {
    let sum = survives("replace");
    assert!(sum.faults > 500 && sum.by_depth.len() == 2, "{sum}");
}

#[test]
fn the_newest_whole_checkpoint_is_the_one_finished_last() {
    let sum = survives("checkpoints");
    assert!(sum.distinct > 5_000 && sum.faults > 100, "{sum}");
}

#[test]
fn an_index_recovers_to_what_its_log_says() {
    let sum = survives("index");
    assert!(sum.distinct > 1_000 && sum.faults > 500, "{sum}");
}
