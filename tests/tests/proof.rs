//! The workloads of the proof are what they say they are, and can fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::collections::HashSet;

use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory as _, Folder, Name};
use durability_testkit::proof::{Case, Group, Size, families, family};
use durability_testkit::simulated::{
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, Model, PrefixOracle, SimulatedDisk,
    SurvivorLimits, Violation, Workload, explore,
};

#[test]
fn every_family_has_something_to_do_at_every_size_and_a_name_of_its_own() {
    let mut names = HashSet::new();
    for family in families() {
        assert!(names.insert(family.name), "{} twice", family.name);
        for size in [Size::test(), Size::ci(), Size::full()] {
            assert!(family.cases(&size).next().is_some(), "{} at {size:?}", family.name);
        }
    }
}

/// The promise of the ladder of proofs: one crash to six steps, two to four, three to two.
#[test]
fn every_script_is_run_to_the_promised_lengths() {
    let wal = family("wal").unwrap().stages(&Size::ci());
    let extents: Vec<_> = wal.iter().map(|stage| stage.extent().to_owned()).collect();
    for (extent, start, end) in [
        (&extents[0], "1 crash: all", 6),
        (&extents[1], "2 crashes: all", 4),
        (&extents[2], "3 crashes: all", 2),
    ] {
        assert!(extent.starts_with(start), "{extent}");
        assert!(extent.contains(&format!("scripts of {end} steps")), "{extent}");
    }
}

#[test]
fn cases_of_one_group_count_nothing_twice() {
    let cases = || family("wal").unwrap().cases(&Size::test());
    let first = cases().next().unwrap();
    assert!(first.run(u64::MAX).unwrap().distinct > 0);
    let again = first.run(u64::MAX).unwrap();
    assert_eq!((again.distinct, again.crash_points), (0, 0));
    // Another script begins alike: alone it has more to count.
    let alone = cases().nth(1).unwrap().run(u64::MAX).unwrap();
    let mut together = cases();
    let before = together.next().unwrap().run(u64::MAX).unwrap();
    let after = together.next().unwrap().run(u64::MAX).unwrap();
    assert!(before.distinct > 0 && after.distinct > 0 && after.distinct < alone.distinct);
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Nothing;

impl Model for Nothing {
    type Operation = ();
    type Seen = ();
    fn apply(&mut self, (): &()) {}
    fn explains(&self, (): &()) -> bool {
        true
    }
}

/// Writes a byte, and takes its failure for a broken law, or for a failure.
struct Touchy {
    law: bool,
}

impl Workload for Touchy {
    type Operation = ();
    type Seen = ();
    fn run(&self, disk: &SimulatedDisk, _journal: &mut JournalOf<Self>) -> Ended {
        let mut file = disk.create(Name::new("file")?, 0)?.ok_or("taken")?;
        match file.write(&[1]) {
            Err(_) if self.law => {
                Err(Violation { law: "bytes are written", detail: String::new() }.into())
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }
    fn recover(&self, _disk: &SimulatedDisk, _journal: &mut JournalOf<Self>) -> Ended {
        Ok(())
    }
}

#[test]
fn a_law_that_a_workload_checks_itself_holds_after_a_fault_too() {
    let bounds = Bounds::new(DiskOptions::new()).with_faults(&[FaultKind::Io]);
    let oracle = PrefixOracle::<Nothing>::new();
    explore(&Touchy { law: false }, &oracle, &bounds).unwrap();
    let failure = explore(&Touchy { law: true }, &oracle, &bounds).unwrap_err();
    assert_eq!(failure.violation.law, "bytes are written");
    let case = Case::new(Touchy { law: true }, oracle, bounds, &Group::new());
    let broken = case.run(u64::MAX).unwrap_err();
    assert!(case.replay(&broken.failure.replay).unwrap().is_some());
}

fn put(disk: &SimulatedDisk, name: &str, bytes: &[u8]) {
    let mut file = disk.create(Name::new(name).unwrap(), 0).unwrap().unwrap();
    assert_eq!(file.write(bytes).unwrap(), bytes.len());
}

#[test]
fn stale_junk_is_what_a_removed_file_held_there() {
    for (options, expected) in [
        (DiskOptions::new().with_tear_unit(4).with_stale_junk_from(4), true),
        (DiskOptions::new().with_tear_unit(4).with_stale_junk_from(8), false),
        (DiskOptions::new().with_tear_unit(4), false),
    ] {
        let disk = SimulatedDisk::new(options);
        put(&disk, "old", b"ABCDEFGH");
        disk.sync_file(Name::new("old").unwrap()).unwrap();
        disk.remove(Name::new("old").unwrap()).unwrap();
        put(&disk, "new", b"12345678");
        disk.sync_dir(Folder::ROOT).unwrap();
        let states = disk.snapshot().crash_states(&SurvivorLimits::new());
        let left: HashSet<_> = (0..states.len())
            .filter_map(|state| states.disk(state).contents(Name::new("new").unwrap()))
            .collect();
        assert!(left.contains(&b"12345678"[..]));
        assert_eq!(left.contains(&b"1234EFGH"[..]), expected, "{options:?}");
        assert!(!left.contains(&b"ABCD5678"[..]), "{options:?}");
    }
}
