//! The explorer finds every classic crash bug in a tiny log, and none in the correct one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, missing_docs)] // tests

mod tiny;

use durability_testkit::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, Failure, FaultKind, SimulatedDisk, Statistics,
    SurvivorLimits, Workload, explore, explore_all, replay,
};
use tiny::{Bug, Oracle, TinyLog, TinyWorkload};

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
    let fixed = TinyWorkload { bug: Bug::None, ..workload.clone() };
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
    let failure =
        is_found(Bug::RetriesFailedSync, &bounds().with_depth(1).with_faults(&DROPS), DURABLE);
    assert!(failure.story.contains("the failed sync dropped"), "{failure}"); // no error says so
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
        TinyWorkload { script: vec![1], tail: false, ..TinyWorkload::new(Bug::IgnoresFailedSync) };
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
fn a_crash_in_the_recovery_of_a_recovery_is_found_only_by_three_crashes() {
    let workload =
        TinyWorkload { script: vec![1], ..TinyWorkload::new(Bug::HurriesAfterTwoCrashes) };
    try_out(&workload, &bounds()).unwrap();
    let few = SurvivorLimits::new().with_exhaustive_max(8).with_samples(2);
    for bounds in [bounds().with_depth(3), bounds().with_depth(3).with_survivors_from_crash(2, few)]
    {
        let failure = is_found_in(&workload, &bounds, DURABLE);
        assert_eq!(failure.story.matches("\n  == ").count(), 4, "{failure}");
    }
}

#[test]
fn states_are_counted_once_at_the_fewest_crashes_and_limits_hold_from_their_crash_on() {
    let workload = TinyWorkload { script: vec![1], ..TinyWorkload::new(Bug::None) };
    let few = SurvivorLimits::new().with_exhaustive_max(2).with_samples(1);
    let count = |bounds: Bounds| {
        let statistics = try_out(&workload, &bounds).unwrap();
        assert_eq!(statistics.by_depth.iter().sum::<u64>(), statistics.distinct);
        statistics.by_depth
    };
    let (one, two, three) =
        (count(bounds().with_depth(1)), count(bounds()), count(bounds().with_depth(3)));
    assert_eq!((&three[..2], &two[..1]), (&two[..], &one[..]));
    let fewer = count(bounds().with_depth(3).with_survivors_from_crash(3, few));
    assert_eq!(fewer[..2], three[..2]);
    assert!(fewer[2] < three[2], "{fewer:?}, with all survivors {three:?}");
}

/// How often a fault can strike in one life of a workload.
fn possible_faults(live: impl Fn(&SimulatedDisk) -> Ended) -> u64 {
    let disk = SimulatedDisk::new(disk());
    live(&disk).unwrap();
    let faults = disk.operations().into_iter().map(|operation| {
        FaultKind::ALL.iter().filter(|kind| kind.applies_to(operation.kind)).count() as u64
    });
    faults.sum()
}

#[test]
fn every_kind_of_fault_strikes_every_operation_of_the_first_run_and_of_recoveries() {
    let workload = TinyWorkload { script: vec![1], ..TinyWorkload::new(Bug::None) };
    let bounds = bounds().with_depth(1).without_kill().with_faults(&FaultKind::ALL);
    let first = possible_faults(|disk| {
        let mut log = TinyLog::open(disk, "", Bug::None)?.0;
        log.append(0)?;
        log.sync()?;
        Ok(log.append(0xFF)?)
    });
    let one = try_out(&workload, &bounds).unwrap();
    assert_eq!(one.faults, first);
    let two = try_out(&workload, &bounds.with_fault_lives(2)).unwrap();
    // Recoveries do about as much as the first run, and there are many.
    assert!(two.faults > first * one.distinct / 2, "{two}");
}

#[test]
fn a_read_error_taken_for_the_end_is_found_only_by_a_fault_in_a_recovery() {
    let io = bounds().with_depth(1).with_faults(&[FaultKind::Io]);
    try_out(&TinyWorkload::new(Bug::TakesReadErrorForTheEnd), &io).unwrap();
    is_found(Bug::TakesReadErrorForTheEnd, &io.with_fault_lives(2), DURABLE);
}

#[test]
fn an_interruption_and_a_power_failure_in_mid_operation_find_bugs_of_their_own() {
    let with = |kind| bounds().with_depth(1).with_faults(&[kind]);
    try_out(&TinyWorkload::new(Bug::TakesInterruptedForWritten), &with(FaultKind::Io)).unwrap();
    is_found(Bug::TakesInterruptedForWritten, &with(FaultKind::Interrupted), PREFIX);
    is_found(Bug::IgnoresFailedSync, &with(FaultKind::PowerOff), DURABLE);
}

#[test]
fn exploring_twice_gives_the_same_figures() {
    let figures = || try_out(&TinyWorkload::new(Bug::None), &bounds()).unwrap();
    assert_eq!(figures(), figures());
}

/// A program with more in it than the bug needs.
fn verbose(bug: Bug) -> TinyWorkload {
    TinyWorkload { script: vec![2, 1, 2], ..TinyWorkload::new(bug) }
}

#[test]
fn a_failure_is_shrunk_to_the_smallest_program_and_the_fewest_losses() {
    let failure = is_found_in(&verbose(Bug::NoDirSyncAfterCreate), &bounds(), DURABLE);
    assert_eq!(failure.program, "append 1, sync");
    let story = "\
life 0, the first run:
      1  create log
  asked for #1: Append(0)
      2  write log, 11 bytes at 0
      3  sync data of log
  acknowledged through #1
  == power cut after 4 operations; survived: nothing; lost: name log
life 1, recovery:
      1  create log
  recovery said LogSeen { first: 1, records: [] }
  == durable means durable: lost 1 of the 1 operations acknowledged since the last recovery: \
it showed LogSeen { first: 1, records: [] }
";
    assert_eq!(failure.story, story);
}

/// What a failure is shrunk to: how many crashes, faults and lost pieces.
fn shrunk(bug: Bug, bounds: &Bounds) -> (String, usize, bool, usize) {
    let failure = try_out(&verbose(bug), bounds).expect_err("the bug was not found");
    let crashes = failure.story.matches("  == ").count() - 1;
    let lost = failure.story.lines().filter_map(|line| line.split_once("; lost: "));
    let lost = lost.filter(|(_, lost)| *lost != "nothing");
    let lost = lost.map(|(_, lost)| lost.split(", ").count()).sum();
    let faulted = failure.story.contains("injected") || failure.story.contains("the power is off");
    (failure.program, crashes, faulted, lost)
}

#[test]
fn a_failure_is_shrunk_to_what_its_bug_needs_and_no_more() {
    let all = bounds().with_faults(&FaultKind::ALL);
    let program = |text: &str| text.to_owned();
    // Without these numbers of crashes, faults and losses the bug does not show: see the laws above.
    let append = || program("append 1");
    let synced = || program("append 1, sync");
    assert_eq!(shrunk(Bug::AcknowledgesBeforeSync, &all), (synced(), 1, false, 1));
    assert_eq!(shrunk(Bug::RefusesTornTail, &all), (append(), 1, false, 1));
    assert_eq!(shrunk(Bug::PanicsAtTornTail, &all), (append(), 1, false, 1));
    assert_eq!(shrunk(Bug::TrustsUnsyncedBytes, &all), (append(), 2, false, 1));
    assert_eq!(shrunk(Bug::AppendsBehindTornTail, &all), (synced(), 2, false, 1));
    assert_eq!(shrunk(Bug::RetriesFailedSync, &all), (synced(), 1, true, 0));
    let (_, crashes, faulted, lost) = shrunk(Bug::NoSyncBeforeRename, &all);
    assert_eq!((crashes, faulted, lost), (2, false, 2));
}

#[test]
fn shrinking_finds_the_same_again_and_stays_within_its_budget() {
    let fail = |lives| {
        let bounds = bounds().with_shrinking_up_to(lives);
        let failure = try_out(&verbose(Bug::NoSyncBeforeRename), &bounds).unwrap_err();
        (failure.to_string(), failure.program)
    };
    let program = |lives| fail(lives).1;
    assert_eq!(fail(50_000), fail(50_000));
    assert_eq!(program(0), verbose(Bug::NoSyncBeforeRename).describe());
    assert!(program(50_000).len() < program(0).len());
}

#[test]
fn the_line_replays_on_the_smaller_program_too() {
    let failure = try_out(&verbose(Bug::NoSyncBeforeRename), &bounds()).unwrap_err();
    let (head, rest) = failure.replay.split_once(" less:").expect("it was shrunk");
    let (_, rest) = rest.split_once(' ').unwrap();
    let smaller = TinyWorkload { script: vec![1], ..verbose(Bug::NoSyncBeforeRename) };
    assert_eq!(failure.program, smaller.describe());
    let again = replay(&smaller, &Oracle::new(), &bounds(), &format!("{head} {rest}"));
    assert_eq!(again.unwrap().unwrap().story, failure.story);
}

#[test]
fn a_failure_fits_on_a_page() {
    let long = TinyWorkload { script: vec![90], ..TinyWorkload::new(Bug::AcknowledgesBeforeSync) };
    let unshrunk = bounds().with_depth(1).with_shrinking_up_to(0);
    let failure = try_out(&long, &unshrunk).unwrap_err();
    assert!(failure.story.lines().count() > 100, "{}", failure.story);
    let text = failure.to_string();
    assert!(text.lines().count() <= 60, "{text}");
    assert!(text.contains(" lines more ") && text.contains(&failure.replay), "{text}");
    assert!(text.contains("life 0, the first run") && text.contains("life 1, recovery"), "{text}");
}

fn try_all(programs: &[TinyWorkload], threads: usize) -> Result<Statistics, Box<Failure>> {
    explore_all(programs.iter().cloned(), &Oracle::new(), &bounds(), threads)
}

#[test]
fn many_threads_find_what_one_finds() {
    let mut programs = vec![TinyWorkload::new(Bug::None); 12];
    for (at, program) in programs.iter_mut().enumerate() {
        program.script = vec![1 + at as u16 % 3; 1 + at % 2];
    }
    let mut one_by_one = Statistics::default();
    for program in &programs {
        one_by_one.add(&explore(program, &Oracle::new(), &bounds()).unwrap());
    }
    // The later ones are found sooner.
    programs.extend(programs.clone());
    programs[13] = verbose(Bug::NoSyncBeforeRename);
    programs[14].bug = Bug::AcknowledgesBeforeSync;
    programs[15].bug = Bug::PanicsAtTornTail;
    let one_thread = try_all(&programs, 1).unwrap_err();
    let alone = explore(&programs[13], &Oracle::new(), &bounds()).unwrap_err();
    for threads in [0, 3] {
        assert_eq!(try_all(&programs[..12], threads).unwrap(), one_by_one);
        let failure = try_all(&programs, threads).unwrap_err();
        assert_eq!(failure.number, Some(13));
        assert_eq!((&failure.replay, &failure.story), (&alone.replay, &alone.story));
        assert_eq!(failure.statistics, one_thread.statistics);
        assert_eq!(failure.to_string(), one_thread.to_string());
    }
}

#[test]
fn a_replay_that_does_not_fit_is_refused() {
    let text = [
        "",
        "sim2:0:1:1 end",
        "sim1:0:1:1+0:1 end",
        "sim1:0:1:1 less:0,77 end",
        "sim1:0:1:1 less: end",
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
