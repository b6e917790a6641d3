//! The write-ahead log survives every crash that the failure model allows, in every short workload.
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod families;

use families::survives;

#[test]
fn the_log_survives_two_crashes_in_every_short_workload() {
    let sum = survives("wal");
    assert!(sum.distinct > 5_000 && sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

#[test]
fn the_log_survives_whatever_its_options() {
    let sum = survives("wal-options");
    assert!(sum.distinct > 20_000 && sum.by_depth.len() == 2, "{sum}");
}

#[test]
fn the_log_survives_on_every_kind_of_disk() {
    let sum = survives("wal-backends");
    assert!(sum.distinct > 20_000 && sum.by_depth.len() == 2, "{sum}");
}

#[test]
fn the_log_survives_a_fault_and_then_a_crash() {
    let sum = survives("wal-faults");
    assert!(sum.faults > 5_000, "{sum}");
}

#[test]
fn a_full_disk_opens_and_goes_on_when_there_is_room() {
    let sum = survives("wal-full");
    assert!(sum.distinct > 5_000, "{sum}");
}

#[test]
fn logs_in_one_directory_survive_each_for_itself() {
    let sum = survives("fleet");
    assert!(sum.distinct > 2_000 && sum.faults > 100, "{sum}");
}

/// Segments are made ready in steps, at once, and out of pruned ones, while everything else goes on.
#[test]
fn the_log_survives_crashes_with_segments_made_ready_ahead() {
    let sum = survives("wal-prepared");
    assert!(sum.distinct > 10_000, "{sum}");
}

/// A preparation that fails costs the log nothing.
#[test]
fn the_log_survives_faults_in_preparations_and_then_a_crash() {
    let sum = survives("wal-prepared-faults");
    assert!(sum.distinct > 10_000, "{sum}");
}
