//! The simulated disk does what the failure model says, all of it and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // tests

extern crate alloc;

use alloc::collections::BTreeSet;

use durability_core::embedded_io::{Read, Write};
use durability_core::storage::{AppendFile, Directory, Folder, Locking, Name, ReadFile};
use durability_testkit::simulated::{
    Coverage, DiskOptions, DroppedPages, Fault, FaultKind, SimulatedAppender, SimulatedDisk,
    SimulatedError, SurvivorLimits,
};

fn name(text: &str) -> Name<'_> {
    Name::new(text).unwrap()
}

fn small() -> DiskOptions {
    DiskOptions::new().with_tear_unit(16).without_junk()
}

fn create(disk: &SimulatedDisk, file: &str) -> SimulatedAppender {
    disk.create(name(file), 0).unwrap().unwrap()
}

/// A file whose name is durable.
fn named(disk: &SimulatedDisk, file: &str) -> SimulatedAppender {
    let made = create(disk, file);
    disk.sync_dir(name(file).folder()).unwrap();
    made
}

fn after_power_cut(disk: &SimulatedDisk) -> Vec<SimulatedDisk> {
    let states = disk.snapshot().crash_states(&SurvivorLimits::new());
    assert_eq!(states.coverage(), Coverage::Exhaustive);
    (0..states.len()).map(|state| states.disk(state)).collect()
}

/// What a power cut can leave in a file; `None` where it is gone.
fn contents(disk: &SimulatedDisk, file: &str) -> BTreeSet<Option<Vec<u8>>> {
    after_power_cut(disk).iter().map(|disk| disk.contents(name(file))).collect()
}

fn names(disk: &SimulatedDisk) -> BTreeSet<Vec<String>> {
    after_power_cut(disk).iter().map(SimulatedDisk::names).collect()
}

fn set(all: &[&[&str]]) -> BTreeSet<Vec<String>> {
    all.iter().map(|names| names.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn unsynced_units_and_the_length_survive_in_every_combination() {
    let disk = SimulatedDisk::new(small());
    named(&disk, "a").write(&[7; 48]).unwrap();
    let mut expected = BTreeSet::new();
    for units in 0..=3_usize {
        for kept in 0..1_u32 << units {
            let byte = |at: usize| if kept >> (at / 16) & 1 == 1 { 7 } else { 0 };
            expected.insert(Some((0..units * 16).map(byte).collect()));
        }
    }
    assert_eq!(contents(&disk, "a"), expected);
}

#[test]
fn junk_may_replace_what_was_being_written_and_nothing_else() {
    let disk = SimulatedDisk::new(DiskOptions::new().with_tear_unit(16));
    let mut file = named(&disk, "a");
    file.write(&[7; 10]).unwrap();
    file.sync_data().unwrap();
    file.write(&[9; 4]).unwrap();
    let all = contents(&disk, "a");
    assert!(all.iter().flatten().all(|bytes| bytes[..10] == [7; 10]), "{all:?}");
    let tails: BTreeSet<_> = all.iter().flatten().map(|bytes| bytes[10..].to_vec()).collect();
    assert_eq!(tails.len(), 4, "absent, zeros, written, junk: {tails:?}");
    assert!([vec![], vec![0; 4], vec![9; 4]].iter().all(|tail| tails.contains(tail)));
}

#[test]
fn a_unit_written_twice_may_keep_the_first_write_only() {
    let disk = SimulatedDisk::new(small());
    let mut file = named(&disk, "a");
    file.write(&[1; 4]).unwrap();
    file.write(&[2; 4]).unwrap();
    let expected = [
        vec![],
        vec![0; 4],
        vec![1; 4],
        vec![0; 8],
        [[1; 4], [0; 4]].concat(),
        [[1; 4], [2; 4]].concat(),
    ];
    assert_eq!(contents(&disk, "a"), expected.into_iter().map(Some).collect());
}

#[test]
fn an_overwrite_may_leave_the_old_bytes() {
    let disk = SimulatedDisk::new(small());
    let mut file = named(&disk, "a");
    file.write(&[1; 20]).unwrap();
    file.sync_data().unwrap();
    disk.reopen(name("a"), 16).unwrap().unwrap().write(&[2; 4]).unwrap();
    let all = contents(&disk, "a");
    let tails: BTreeSet<_> = all.iter().flatten().map(|bytes| bytes[16..].to_vec()).collect();
    assert_eq!(tails, [vec![1; 4], vec![2; 4], vec![0; 4]].into());
}

#[test]
fn data_syncs_leave_the_name_open_and_folder_syncs_the_data() {
    let disk = SimulatedDisk::new(small());
    let mut file = create(&disk, "a");
    file.write(&[1; 4]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [None, Some(vec![1; 4])].into());
    file.write(&[2; 4]).unwrap();
    disk.sync_dir(Folder::ROOT).unwrap();
    assert!(contents(&disk, "a").len() > 1 && !contents(&disk, "a").contains(&None));
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a").len(), 1);
}

#[test]
fn names_are_kept_or_lost_each_on_its_own() {
    let disk = SimulatedDisk::new(small());
    create(&disk, "a");
    create(&disk, "b");
    assert_eq!(names(&disk), set(&[&[], &["a"], &["b"], &["a", "b"]]));
    disk.sync_dir(Folder::ROOT).unwrap();
    disk.remove(name("a")).unwrap();
    assert_eq!(names(&disk), set(&[&["b"], &["a", "b"]]));
}

#[test]
fn a_name_that_was_removed_and_made_again_may_be_either_file() {
    let disk = SimulatedDisk::new(small());
    let mut file = named(&disk, "a");
    file.write(&[1]).unwrap();
    file.sync_data().unwrap();
    disk.remove(name("a")).unwrap();
    let mut file = create(&disk, "a");
    file.write(&[2]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [None, Some(vec![1]), Some(vec![2])].into());
}

#[test]
fn a_file_in_a_lost_folder_is_gone_and_syncing_the_folder_keeps_both() {
    let disk = SimulatedDisk::new(small());
    create(&disk, "wal/a");
    create(&disk, "b");
    disk.sync_folder_alone(Folder::new("wal").unwrap()).unwrap();
    assert_eq!(names(&disk), set(&[&[], &["b"], &["wal/a"], &["b", "wal/a"]]));
    disk.sync_dir(Folder::new("wal").unwrap()).unwrap();
    assert_eq!(names(&disk), set(&[&["wal/a"], &["b", "wal/a"]]));
}

#[test]
fn a_rename_is_whole_or_absent_unless_it_may_keep_the_old_name() {
    for (options, expected) in [
        (small(), set(&[&["b"], &["a", "b"]])),
        (small().with_rename_keeping_old_name(), set(&[&["b"], &["a", "b"]])),
    ] {
        let disk = SimulatedDisk::new(options);
        for (file, byte) in [("a", 1), ("b", 2)] {
            let mut file = named(&disk, file);
            file.write(&[byte]).unwrap();
            file.sync_data().unwrap();
        }
        disk.rename(name("a"), name("b")).unwrap();
        assert_eq!(names(&disk), expected);
        assert_eq!(contents(&disk, "b"), [Some(vec![1]), Some(vec![2])].into());
        let half = after_power_cut(&disk).into_iter().filter(|disk| {
            disk.contents(name("a")).is_some() && disk.contents(name("b")) == Some(vec![1])
        });
        assert_eq!(half.count(), usize::from(options != small()));
        disk.sync_dir(Folder::ROOT).unwrap();
        assert_eq!(names(&disk), set(&[&["b"]]));
    }
}

#[test]
fn reserved_room_is_a_length_ahead_of_its_data() {
    let disk = SimulatedDisk::new(small().with_reserve().with_blank(0xFF));
    let mut file = disk.create(name("a"), 32).unwrap().unwrap();
    disk.sync_dir(Folder::ROOT).unwrap();
    assert_eq!(contents(&disk, "a"), [Some(vec![]), Some(vec![0xFF; 32])].into());
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [Some(vec![0xFF; 32])].into());
    file.write(&[1; 16]).unwrap();
    assert!(contents(&disk, "a").iter().flatten().all(|bytes| bytes.len() == 32));
}

#[test]
fn trimmed_room_may_come_back_until_a_sync() {
    let disk = SimulatedDisk::new(small().with_reserve());
    let mut file = disk.create(name("a"), 48).unwrap().unwrap();
    disk.sync_dir(Folder::ROOT).unwrap();
    file.write(&[1; 16]).unwrap();
    file.sync_data().unwrap();
    file.trim().unwrap();
    let (short, long) = (vec![1; 16], [[1; 16], [0; 16], [0; 16]].concat());
    assert_eq!(disk.contents(name("a")), Some(short.clone()));
    assert_eq!(contents(&disk, "a"), [Some(short.clone()), Some(long)].into());
    file.sync_data().unwrap();
    assert_eq!(contents(&disk, "a"), [Some(short)].into());
}

#[test]
fn pages_dropped_by_a_failed_sync_show_until_sync_file_and_are_never_written() {
    let disk = SimulatedDisk::new(small());
    let mut file = named(&disk, "a");
    file.write(&[1; 16]).unwrap();
    disk.inject(Fault {
        at: disk.operation_count(),
        kind: FaultKind::SyncFailed(DroppedPages::All),
    });
    assert_eq!(file.sync_data(), Err(SimulatedError::SyncFailed));
    assert!(disk.fault_struck());
    assert_eq!(file.sync_data(), Ok(()));
    assert_eq!(disk.contents(name("a")), Some(vec![1; 16]));
    assert_eq!(disk.snapshot().killed().contents(name("a")), Some(vec![1; 16]));
    assert_eq!(contents(&disk, "a"), [Some(vec![0; 16])].into());
    disk.sync_file(name("a")).unwrap();
    assert_eq!(disk.contents(name("a")), Some(vec![0; 16]));
}

#[test]
fn a_failed_sync_may_drop_some_pages_or_none() {
    for (dropped, left) in [
        (DroppedPages::None, [5; 48]),
        (DroppedPages::Alternate, {
            let mut bytes = [0; 48];
            bytes[16..32].fill(5);
            bytes
        }),
    ] {
        let disk = SimulatedDisk::new(small());
        let mut file = named(&disk, "a");
        file.write(&[5; 48]).unwrap();
        disk.inject(Fault { at: disk.operation_count(), kind: FaultKind::SyncFailed(dropped) });
        file.sync_data().unwrap_err();
        file.sync_data().unwrap();
        assert_eq!(contents(&disk, "a"), [Some(left.to_vec())].into());
    }
}

#[test]
fn a_killed_process_leaves_its_cache_and_no_lock() {
    let disk = SimulatedDisk::new(small());
    let lock = disk.lock(name("LOCK")).unwrap();
    assert!(matches!(lock, Locking::Acquired(_)));
    assert!(matches!(disk.lock(name("LOCK")).unwrap(), Locking::Held { .. }));
    create(&disk, "a").write(&[1; 4]).unwrap();
    let next = disk.snapshot().killed();
    assert!(matches!(next.lock(name("LOCK")).unwrap(), Locking::Acquired(_)));
    assert_eq!(next.contents(name("a")), Some(vec![1; 4]));
    assert_eq!(contents(&next, "a"), contents(&disk, "a"));
    next.sync_file(name("a")).unwrap();
    next.sync_dir(Folder::ROOT).unwrap();
    assert_eq!(contents(&next, "a"), [Some(vec![1; 4])].into());
    drop(lock);
    assert!(matches!(disk.lock(name("LOCK")).unwrap(), Locking::Acquired(_)));
}

#[test]
fn write_behind_dies_with_the_process_unless_flushed() {
    let disk = SimulatedDisk::new(small().with_write_behind());
    let mut file = create(&disk, "a");
    file.write(&[1; 4]).unwrap();
    assert_eq!(file.position(), 4);
    assert_eq!(disk.snapshot().killed().contents(name("a")), Some(vec![]));
    file.flush().unwrap();
    file.write(&[2; 4]).unwrap();
    drop(file);
    assert_eq!(disk.snapshot().killed().contents(name("a")), Some(vec![1; 4]));
}

#[test]
fn a_fault_strikes_its_operation_once() {
    let disk = SimulatedDisk::new(small());
    let mut file = named(&disk, "a");
    let mut strike = |kind, data: &[u8]| {
        disk.inject(Fault { at: disk.operation_count(), kind });
        let result = file.write(data);
        assert!(disk.fault_struck());
        (result, disk.contents(name("a")).unwrap().len())
    };
    assert_eq!(strike(FaultKind::Io, &[1; 4]), (Err(SimulatedError::Io), 0));
    assert_eq!(strike(FaultKind::Interrupted, &[1; 4]), (Err(SimulatedError::Interrupted), 0));
    assert_eq!(strike(FaultKind::NoSpace, &[1; 4]), (Err(SimulatedError::NoSpace), 0));
    assert_eq!(strike(FaultKind::ShortWrite, &[1; 4]), (Ok(2), 2));
    assert_eq!(strike(FaultKind::IoAfterEffect, &[1; 4]), (Err(SimulatedError::Io), 6));
    assert_eq!(strike(FaultKind::PowerOff, &[1; 4]), (Err(SimulatedError::PowerOff), 6));
    assert_eq!(disk.open(name("a")).unwrap_err(), SimulatedError::PowerOff);
}

#[test]
fn callers_that_break_the_contract_are_told() {
    let flash = small().with_write_granule(8).with_program_once().without_read_while_appending();
    let disk = SimulatedDisk::new(flash.without_rename());
    let mut file = named(&disk, "a");
    assert!(matches!(file.write(&[1; 4]), Err(SimulatedError::Misaligned { granule: 8, .. })));
    file.write(&[1; 16]).unwrap();
    assert_eq!(disk.open(name("a")).unwrap_err(), SimulatedError::Busy);
    assert!(matches!(disk.reopen(name("a"), 4), Err(SimulatedError::Misaligned { .. })));
    let mut again = disk.reopen(name("a"), 8).unwrap().unwrap();
    assert_eq!(again.write(&[2; 8]), Err(SimulatedError::ProgrammedTwice { at: 8 }));
    assert_eq!(disk.rename(name("a"), name("b")), Err(SimulatedError::Unsupported));
    drop((file, again));
    assert!(disk.open(name("a")).unwrap().is_some());
}

#[test]
fn a_full_disk_refuses_growth_and_reads_on() {
    let disk = SimulatedDisk::new(small().with_bytes_max(8).with_read_bytes_max(3));
    let mut file = create(&disk, "a");
    file.write(&[1; 8]).unwrap();
    assert_eq!(file.write(&[1]), Err(SimulatedError::NoSpace));
    let mut reader = disk.open(name("a")).unwrap().unwrap();
    assert_eq!((reader.len().unwrap(), reader.read(&mut [0; 8]).unwrap()), (8, 3));
    disk.set_bytes_max(9);
    assert_eq!(file.write(&[1]), Ok(1));
}

#[test]
fn nonces_differ_across_crashes() {
    let disk = SimulatedDisk::new(small());
    let first = disk.nonce();
    create(&disk, "a");
    for next in after_power_cut(&disk).into_iter().chain([disk.snapshot().killed()]) {
        assert_ne!(next.nonce(), first);
    }
}

#[test]
fn beyond_the_limit_the_states_are_sampled_and_say_so() {
    let disk = SimulatedDisk::new(small());
    named(&disk, "a").write(&[7; 16 * 40]).unwrap();
    let limits = SurvivorLimits::new().with_samples(10);
    let states = disk.snapshot().crash_states(&limits);
    assert_eq!(states.coverage(), Coverage::Sampled);
    let all: BTreeSet<_> =
        (0..states.len()).map(|state| states.disk(state).contents(name("a")).unwrap()).collect();
    assert_eq!(all.len(), states.len(), "each state once");
    let mut all_but_first = vec![7; 640];
    all_but_first[..16].fill(0);
    let mut only_last = vec![0; 640];
    only_last[624..].fill(7);
    for wanted in [vec![], vec![0; 640], vec![7; 640], vec![7; 320], all_but_first, only_last] {
        assert!(all.contains(&wanted), "{} bytes", wanted.len());
    }
    let again = disk.snapshot().crash_states(&limits);
    let hashes = |of: &durability_testkit::simulated::CrashStates| {
        (0..of.len()).map(|at| of.hash(at)).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&states), hashes(&again));
}

#[test]
fn samples_hold_every_moment_and_more_random_ones_on_demand() {
    let disk = SimulatedDisk::new(small());
    let (mut a, mut b) = (named(&disk, "a"), named(&disk, "b"));
    for _ in 0..20 {
        a.write(&[1; 16]).unwrap();
        b.write(&[2; 16]).unwrap();
    }
    let sampled = |samples, seed| {
        let limits = SurvivorLimits::new().with_samples(samples).with_seed(seed);
        let states = disk.snapshot().crash_states(&limits);
        assert_eq!(states.coverage(), Coverage::Sampled);
        let view = |disk: SimulatedDisk| (disk.contents(name("a")), disk.contents(name("b")));
        (0..states.len()).map(|state| view(states.disk(state))).collect::<BTreeSet<_>>()
    };
    let without = sampled(0, 0);
    for moment in 0..=20 {
        assert!(without.contains(&(Some(vec![1; moment * 16]), Some(vec![2; moment * 16]))));
    }
    assert!(sampled(50, 0).len() > without.len() + 40);
    assert_ne!(sampled(50, 0), sampled(50, 1));
}

/// A few hundred operations without a pattern, over few names, on a disk that is looked at after each.
#[test]
fn what_runs_and_what_is_durable_are_always_among_the_states() {
    let view = |disk: &SimulatedDisk| {
        let names = disk.names();
        names
            .iter()
            .map(|file| (file.clone(), disk.contents(name(file)).unwrap()))
            .collect::<Vec<_>>()
    };
    for seed in 0..40_u64 {
        let mut disk = SimulatedDisk::new(small());
        let mut random = seed;
        let mut below = |bound: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        let files = ["a", "b", "w/a", "w/b"];
        for step in 0..25_u8 {
            let file = name(files[below(4).try_into().unwrap_or(0)]);
            match below(8) {
                0 | 1 => drop(disk.create(file, 0).unwrap()),
                2..=4 => {
                    let length = disk.contents(file).map_or(0, |bytes| bytes.len() as u64);
                    if let Some(mut appender) = disk.reopen(file, length).unwrap() {
                        appender.write(&vec![step; usize::try_from(below(20)).unwrap()]).unwrap();
                    }
                }
                5 => disk.remove(file).unwrap(),
                6 => drop(disk.sync_file(file)),
                _ => disk.sync_dir(file.folder()).unwrap(),
            }
            let states =
                disk.snapshot().crash_states(&SurvivorLimits::new().with_exhaustive_max(256));
            let all: BTreeSet<_> =
                (0..states.len()).map(|state| view(&states.disk(state))).collect();
            assert!(all.contains(&view(&disk)), "seed {seed}, step {step}: everything may survive");
            assert!(states.coverage() == Coverage::Sampled || all.len() <= states.len());
            let settled = disk.snapshot().killed();
            for file in settled.names() {
                settled.sync_file(name(&file)).unwrap();
            }
            settled.sync_dir(Folder::new("w").unwrap()).unwrap();
            settled.sync_dir(Folder::ROOT).unwrap();
            let only = settled.snapshot().crash_states(&SurvivorLimits::new());
            assert_eq!(only.len(), 1, "seed {seed}, step {step}: all is synced");
            assert_eq!(view(&only.disk(0)), view(&disk));
            if below(6) == 0 {
                let state = below(states.len() as u64);
                disk = states.disk(usize::try_from(state).unwrap());
            }
        }
    }
}
