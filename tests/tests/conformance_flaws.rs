//! The conformance suite can fail: every planted flaw is caught by the law that it names, and every law catches one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::collections::BTreeSet;

use durability_core::storage::MemoryDirectory;
use durability_testkit::conformance::flawed::{Flaw, Flawed};
use durability_testkit::conformance::{LAWS, Report, examine};

fn with(flaw: Flaw) -> Report {
    match flaw {
        Flaw::UnsupportedIsMislabelled => examine(|| Flawed::mislabelled(MemoryDirectory::new())),
        _ => examine(|| Flawed::new(MemoryDirectory::new(), flaw)),
    }
}

#[test]
fn every_flaw_is_caught_by_the_law_that_it_names() {
    let missed: Vec<_> = Flaw::ALL
        .iter()
        .filter(|flaw| !with(**flaw).broken().any(|broken| broken.law == flaw.law()))
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn every_law_catches_a_flaw() {
    let caught: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.law()).collect();
    let idle: Vec<_> = LAWS.iter().filter(|law| !caught.contains(*law)).collect();
    assert!(idle.is_empty(), "no flaw is planted for {idle:?}");
}

#[test]
fn the_wrapper_without_a_flaw_keeps_every_law() {
    let report = examine(|| Flawed::flawless(MemoryDirectory::new()));
    assert!(report.is_clean(), "{report}");
}

#[test]
#[should_panic(expected = "law `nonces_differ` is broken")]
fn check_panics_with_the_name_of_the_broken_law() {
    durability_testkit::conformance::check(|| {
        Flawed::new(MemoryDirectory::new(), Flaw::NonceRepeats)
    });
}
