//! Programs that recover alike share what they have been through: nothing is left out, and nothing counted twice.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)] // tests
#![allow(clippy::std_instead_of_alloc, clippy::cast_possible_truncation)] // of a host

#[allow(dead_code)]
mod tiny;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use durability_core::embedded_io::Write;
use durability_core::storage::{AppendFile, Directory, Folder, Name};
use durability_testkit::simulated::{
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, SimulatedDisk, Statistics, Workload, explore,
    explore_all,
};
use tiny::{Bug, Oracle, TinyWorkload};

/// What recoveries found: files and journal.
type Found = Arc<Mutex<BTreeSet<String>>>;

/// Its first life is its own, its recoveries are those of all.
#[derive(Clone)]
struct Alike {
    first: TinyWorkload,
    shares: bool,
    found: Found,
}

impl Workload for Alike {
    type Operation = <TinyWorkload as Workload>::Operation;
    type Seen = <TinyWorkload as Workload>::Seen;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.first.run(disk, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let contents = |name: &String| disk.contents(Name::new(name).unwrap());
        let files: Vec<_> = disk.names().into_iter().map(|name| (contents(&name), name)).collect();
        let past: Vec<_> =
            journal.entries().iter().map(|entry| (&entry.event, entry.life)).collect();
        let state = format!("{files:?} {past:?}");
        self.found.lock().unwrap().insert(state);
        let second = TinyWorkload { script: vec![1], tail: false, ..self.first.clone() };
        second.recover(disk, journal)
    }

    fn recovers_as(&self) -> Option<u64> {
        self.shares.then_some(self.first.bug as u64)
    }
}

fn bounds() -> Bounds {
    Bounds::new(DiskOptions::new().with_tear_unit(16)).with_depth(2)
}

fn programs(shares: bool) -> (Vec<Alike>, Found) {
    let found = Found::default();
    let scripts = [&[][..], &[1], &[2], &[1, 1], &[2, 1], &[1, 2], &[1, 1, 1], &[3], &[1], &[2, 1]];
    let first = |script: &[u16]| TinyWorkload {
        script: script.to_vec(),
        tail: script.len() % 2 == 1,
        ..TinyWorkload::new(Bug::None)
    };
    let all = scripts.iter().cycle().take(3 * scripts.len());
    let all = all.map(|script| Alike { first: first(script), shares, found: Arc::clone(&found) });
    (all.collect(), found)
}

#[test]
fn sharing_leaves_no_state_out_and_counts_none_twice() {
    for bounds in [bounds(), bounds().with_faults(&FaultKind::ALL).with_fault_lives(2)] {
        let explored = |shares, threads| -> (Statistics, BTreeSet<String>) {
            let (programs, found) = programs(shares);
            let sum = explore_all(programs, &Oracle::new(), &bounds, threads).unwrap();
            (sum, Arc::try_unwrap(found).map(|all| all.into_inner().unwrap()).unwrap_or_default())
        };
        let (alone, all) = explored(false, 1);
        let (together, shared) = explored(true, 1);
        assert_eq!(all, shared);
        assert!(together.distinct * 3 <= alone.distinct, "{together}, alone {alone}");
        assert!(together.lives < alone.lives && together.distinct >= all.len() as u64);
        assert_eq!(together.by_depth.iter().sum::<u64>(), together.distinct);
        for threads in [2, 3] {
            assert_eq!(explored(true, threads), (together.clone(), shared.clone()));
        }
    }
}

#[test]
fn a_bug_of_one_kind_of_recovery_is_not_hidden_by_another_kind() {
    let (mut all, _) = programs(true);
    let late = 25;
    all[late].first.bug = Bug::AppendsBehindTornTail;
    all[late + 1].first.bug = Bug::RefusesTornTail;
    let alone = explore(&all[late], &Oracle::new(), &bounds()).unwrap_err();
    for threads in [1, 2, 3] {
        let failure = explore_all(all.clone(), &Oracle::new(), &bounds(), threads).unwrap_err();
        assert_eq!((failure.number, &failure.story), (Some(late), &alone.story));
    }
}

/// A file of one byte; every recovery counts it down.
struct Countdown(u8, Arc<Mutex<BTreeSet<u8>>>);

impl Workload for Countdown {
    type Operation = ();
    type Seen = ();

    fn run(&self, disk: &SimulatedDisk, _: &mut JournalOf<Self>) -> Ended {
        let mut file = disk.create(Name::new("count")?, 0)?.ok_or("taken")?;
        disk.sync_dir(Folder::ROOT)?;
        file.write(&[self.0])?;
        file.sync_data()?;
        Ok(())
    }

    fn recover(&self, disk: &SimulatedDisk, _: &mut JournalOf<Self>) -> Ended {
        let name = Name::new("count")?;
        let count = disk.contents(name).and_then(|bytes| bytes.first().copied());
        self.1.lock().unwrap().extend(count);
        if let Some(count) = count.filter(|count| *count > 0) {
            let mut file = disk.reopen(name, 0)?.ok_or("gone")?;
            file.write(&[count - 1])?;
            file.sync_data()?;
        }
        Ok(())
    }

    fn recovers_as(&self) -> Option<u64> {
        Some(0)
    }
}

#[test]
fn a_state_met_after_two_crashes_is_gone_on_from_when_it_is_met_after_one() {
    let found = Arc::default();
    let program = |count| Countdown(count, Arc::clone(&found));
    let fine = |_: &JournalOf<Countdown>| Ok(());
    let bounds = Bounds::new(DiskOptions::new().without_junk()).with_depth(2).without_kill();
    let first = explore_all((0..8).map(|_| program(9)), &fine, &bounds, 1).unwrap();
    assert_eq!(*found.lock().unwrap(), BTreeSet::from([0, 8, 9]));
    let both = explore_all([9; 8].into_iter().chain([8]).map(program), &fine, &bounds, 1).unwrap();
    assert_eq!(*found.lock().unwrap(), BTreeSet::from([0, 7, 8, 9]));
    assert_eq!(both.by_depth.iter().sum::<u64>(), both.distinct);
    assert!(both.by_depth[0] > first.by_depth[0] && both.distinct > first.distinct, "{both}");
}
