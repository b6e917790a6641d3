//! The record log survives every crash that the failure model allows, in every short workload, names and faults included.
//!
//! The core's own test of that name goes three crashes deep over one file's bytes; this one has the whole disk.
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod families;

use families::survives;

#[test]
fn every_short_script_survives_crashes_and_tears_at_any_byte() {
    let sum = survives("recordlog");
    assert!(sum.distinct > 50_000 && sum.by_depth.len() == 2 && sum.sampled > 0, "{sum}");
}

#[test]
fn every_short_script_survives_a_fault_and_then_a_crash() {
    let sum = survives("recordlog-faults");
    assert!(sum.faults > 5_000, "{sum}");
}
