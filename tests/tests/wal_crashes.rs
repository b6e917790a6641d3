//! The write-ahead log survives every crash that the failure model allows, in every short workload.
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod families;

use families::survives;

#[test]
fn the_log_survives_two_crashes_in_every_short_workload() {
    let sum = survives("wal");
    assert!(sum.distinct > 10_000 && sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

#[test]
fn the_log_survives_on_preallocated_room() {
    survives("wal-preallocated");
}

#[test]
fn the_log_survives_on_flash_that_tears_clean_or_to_junk() {
    survives("wal-flash");
}

#[test]
fn the_log_survives_a_fault_and_then_a_crash() {
    let sum = survives("wal-faults");
    assert!(sum.faults > 500, "{sum}");
}
