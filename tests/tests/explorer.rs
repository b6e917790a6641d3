//! The explorer finds every classic crash bug in a tiny log, and none in the correct one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, missing_docs)] // tests

mod tiny;

use durability_testkit::simulated::{
    Bounds, DiskOptions, DroppedPages, Failure, FaultKind, Statistics, explore, replay,
};
use tiny::{Bug, Oracle, TinyWorkload};

fn disk() -> DiskOptions {
    DiskOptions::new().with_tear_unit(16)
}

fn bounds() -> Bounds {
    Bounds::new(disk()).with_depth(2)
}

const DROPS: [FaultKind; 2] =
    [FaultKind::SyncFailed(DroppedPages::All), FaultKind::SyncFailed(DroppedPages::Alternate)];

fn try_out(workload: &TinyWorkload, bounds: &Bounds) -> Result<Statistics, Box<Failure>> {
    let result = explore(workload, &Oracle::new(), bounds);
    match &result {
        Ok(statistics) => println!("{:?}: fine, {statistics}", workload.bug),
        Err(failure) => println!("{:?}: {failure}\n{}", workload.bug, failure.statistics),
    }
    result
}

/// The bug is found within these bounds; the story replays to the same end.
fn is_found(bug: Bug, bounds: &Bounds, law: &str) -> Box<Failure> {
    is_found_in(&TinyWorkload::new(bug), bounds, law)
}

fn is_found_in(workload: &TinyWorkload, bounds: &Bounds, law: &str) -> Box<Failure> {
    let failure = try_out(workload, bounds).expect_err("the bug was not found");
    assert_eq!(failure.violation.law, law, "{failure}");
    let again = replay(workload, &Oracle::new(), bounds, &failure.replay).unwrap().unwrap();
    assert_eq!(again.violation, failure.violation);
    assert_eq!(again.story, failure.story);
    let fixed = TinyWorkload { bug: Bug::None, ..*workload };
    try_out(&fixed, bounds).expect("the correct log was blamed");
    failure
}

const DURABLE: &str = "durable means durable";
const PREFIX: &str = "recovery shows a prefix";

#[test]
fn a_correct_log_survives_two_crashes_and_every_fault() {
    let statistics =
        try_out(&TinyWorkload::new(Bug::None), &bounds().with_faults(&FaultKind::ALL)).unwrap();
    assert!(statistics.faults > 0 && statistics.by_depth.len() == 2, "{statistics}");
    assert!(!statistics.cut_short);
}

#[test]
fn a_missing_sync_before_a_rename_is_found() {
    is_found(Bug::NoSyncBeforeRename, &bounds(), PREFIX);
}

#[test]
fn a_missing_directory_sync_is_found_after_one_crash() {
    is_found(Bug::NoDirSyncAfterCreate, &bounds().with_depth(1), DURABLE);
}

#[test]
fn an_unsynced_name_of_the_folder_itself_is_found() {
    let workload = TinyWorkload { folder: "wal/", ..TinyWorkload::new(Bug::ForgetsFolder) };
    is_found_in(&workload, &bounds().with_depth(1), DURABLE);
}

#[test]
fn a_retried_sync_is_found_only_by_dropped_pages() {
    is_found(Bug::RetriesFailedSync, &bounds().with_depth(1).with_faults(&DROPS), DURABLE);
    let kind = [FaultKind::SyncFailed(DroppedPages::None), FaultKind::Io];
    try_out(&TinyWorkload::new(Bug::RetriesFailedSync), &bounds().with_depth(1).with_faults(&kind))
        .unwrap();
}

#[test]
fn an_append_behind_a_torn_tail_is_found_only_by_a_second_crash() {
    try_out(&TinyWorkload::new(Bug::AppendsBehindTornTail), &bounds().with_depth(1)).unwrap();
    is_found(Bug::AppendsBehindTornTail, &bounds(), DURABLE);
}

#[test]
fn recovery_from_unsynced_bytes_is_found_by_a_kill_and_then_a_power_cut() {
    let failure = is_found(Bug::TrustsUnsyncedBytes, &bounds(), PREFIX);
    assert!(
        failure.story.contains("process killed") && failure.story.contains("power cut"),
        "{failure}"
    );
    try_out(&TinyWorkload::new(Bug::TrustsUnsyncedBytes), &bounds().without_kill()).unwrap();
}

#[test]
fn a_failed_sync_that_changed_nothing_is_looked_at_too() {
    let workload =
        TinyWorkload { script: &[1], tail: false, ..TinyWorkload::new(Bug::IgnoresFailedSync) };
    is_found_in(&workload, &bounds().with_depth(1).with_faults(&[FaultKind::Io]), DURABLE);
}

#[test]
fn a_recovery_that_refuses_or_panics_is_found() {
    is_found(Bug::RefusesTornTail, &bounds().with_depth(1), "every crash opens again");
    is_found(Bug::PanicsAtTornTail, &bounds().with_depth(1), "no panic");
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    is_found(Bug::AcknowledgesBeforeSync, &bounds().with_depth(1), DURABLE);
}

#[test]
fn a_sync_file_that_is_a_mere_fsync_breaks_even_the_correct_log() {
    let workload = TinyWorkload::new(Bug::None);
    let faults = |disk: DiskOptions| Bounds::new(disk).with_depth(2).with_faults(&DROPS);
    try_out(&workload, &faults(disk())).unwrap();
    let failure = try_out(&workload, &faults(disk().with_naive_sync_file())).unwrap_err();
    assert!(failure.story.contains("sync failed"), "{failure}");
}

#[test]
fn exploring_twice_gives_the_same_figures() {
    let figures = || try_out(&TinyWorkload::new(Bug::None), &bounds()).unwrap();
    assert_eq!(figures(), figures());
}

#[test]
fn a_replay_that_does_not_fit_is_refused() {
    let text = [
        "",
        "sim2:0:1:1 end",
        "sim1:0:1024:64",
        "sim1:0:1024:64 x end",
        "sim1:0:1024:64 999.0.0 end",
    ];
    for text in text {
        assert!(
            replay(&TinyWorkload::new(Bug::None), &Oracle::new(), &bounds(), text).is_err(),
            "{text}"
        );
    }
}
