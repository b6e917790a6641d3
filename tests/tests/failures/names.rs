//! Names are data of their folder: synced after creations before anything is acknowledged, and after deletions; and no odd name gets through.

use durability::storage::FsDirectory;
use durability_core::Error;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recordlog::{RecordLogOptions, RecordLogWriter};
use durability_core::storage::{
    Directory, DurableDirectory, DurableError, MemoryDirectory, Name, sync_file, sync_parent_dir,
};
use durability_core::walog::{RawWalWriter, WalOptions, WalWriter};
use durability_testkit::faults::{Event, FaultyDirectory, Operation};

use crate::common::{id, name, payload, small};

type Dir = FaultyDirectory<MemoryDirectory>;

/// What was done, without what cannot matter: reading, locking, listing.
fn changes(trace: &[Event]) -> Vec<(Operation, &str)> {
    let changes = trace.iter().filter(|event| event.operation.changes());
    changes.map(|event| (event.operation, event.name.as_str())).collect()
}

/// The laws of names, over a trace that ends where something was acknowledged.
fn names_are_synced_in_order(trace: &[Event]) {
    let changes = changes(trace);
    for (at, (operation, file)) in changes.iter().enumerate() {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let after = |wanted: Operation, name: &str| changes[at..].contains(&(wanted, name));
        match operation {
            Operation::Create => {
                assert!(after(Operation::SyncData, file), "{file} was not synced: {changes:#?}");
                assert!(
                    after(Operation::SyncDir, folder),
                    "the name of {file} was not synced: {changes:#?}"
                );
            }
            Operation::Remove => {
                assert!(
                    after(Operation::SyncDir, folder),
                    "the removal of {file} was not synced: {changes:#?}"
                );
                // Whatever makes the file superfluous is durable: nothing that was written waits for a sync.
                let mut dirty = None;
                for (operation, file) in &changes[..at] {
                    match operation {
                        Operation::Write => dirty = Some(*file),
                        Operation::SyncData if dirty == Some(file) => dirty = None,
                        _ => {}
                    }
                }
                assert_eq!(dirty, None, "{file} went before {dirty:?} was durable: {changes:#?}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_new_name_is_synced_before_anything_in_it_is_acknowledged_and_only_then() {
    let dir = Dir::new(MemoryDirectory::new());
    let counters = dir.counters();
    counters.start_trace();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    names_are_synced_in_order(&counters.take_trace());
    let mut rotations = 0;
    for number in 1..=60 {
        counters.start_trace();
        wal.append(&payload(number)).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        let trace = counters.take_trace();
        names_are_synced_in_order(&trace);
        let made = trace.iter().any(|event| event.operation == Operation::Create);
        rotations += u32::from(made);
        let synced = trace.iter().filter(|event| event.operation == Operation::SyncDir).count();
        assert_eq!(synced, usize::from(made), "the folder is synced once for each new name");
        let last = trace.last().unwrap();
        assert!(last.operation.is_sync(), "something was written after the last barrier: {last:?}");
    }
    assert!(rotations > 5);
}

#[test]
fn deletions_follow_a_durable_mark_and_are_synced() {
    for cut in 0..4 {
        let dir = Dir::new(MemoryDirectory::new());
        let counters = dir.counters();
        let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
        for number in 1..=30 {
            wal.append(&payload(number)).unwrap();
        }
        counters.start_trace();
        match cut {
            0 => wal.truncate_prefix(id(25)).unwrap(),
            1 => wal.truncate_suffix(id(5)).unwrap(),
            2 => wal.truncate_suffix(id(1)).unwrap(),
            _ => wal.truncate_to_empty().unwrap(),
        }
        let trace = counters.take_trace();
        assert!(trace.iter().filter(|event| event.operation == Operation::Remove).count() > 2);
        // The mark behind a truncation's header is written after the sync and may be lost: it is no reason to wait.
        let mark =
            |event: &&Event| cut == 0 || event.operation != Operation::Write || event.bytes > 24;
        let trace: Vec<Event> = trace.iter().filter(mark).cloned().collect();
        names_are_synced_in_order(&trace);
        let oldest_first: Vec<_> = trace
            .iter()
            .filter(|event| event.operation == Operation::Remove)
            .map(|event| &event.name)
            .collect();
        assert!(oldest_first.is_sorted(), "{oldest_first:?}");
    }
}

#[test]
fn publishing_makes_log_then_checkpoint_then_mark_durable_and_only_then_deletes() {
    let dir = Dir::new(MemoryDirectory::new());
    let counters = dir.counters();
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), small()).unwrap();
    let mut publisher =
        CheckpointPublisher::new(dir.clone(), PublishOptions::new().keep(1)).unwrap();
    for round in 1..=3_u64 {
        for entry in 0..40 {
            wal.append(&(round * 100 + entry)).unwrap();
        }
        counters.start_trace();
        publisher.publish(&mut wal, &round).unwrap();
        let trace = counters.take_trace();
        names_are_synced_in_order(&trace);
        let at = |wanted: Operation, folder: &str| {
            let found = |event: &Event| event.operation == wanted && event.name.starts_with(folder);
            trace.iter().position(found)
        };
        let log = at(Operation::SyncData, "wal").unwrap();
        let created = at(Operation::Create, "ckp").unwrap();
        let checkpoint = at(Operation::SyncData, "ckp").unwrap();
        let named = at(Operation::SyncDir, "ckp").unwrap();
        let deleted = at(Operation::Remove, "wal").unwrap();
        let marked =
            trace[named..].iter().position(|event| event.operation == Operation::SyncData).unwrap()
                + named;
        assert!([log, created, checkpoint, named, marked, deleted].is_sorted(), "{trace:#?}");
        if let Some(older) = at(Operation::Remove, "ckp") {
            assert!(older > marked && round > 1);
        }
    }
}

/// The segments tell which states a truncation took back. With them gone, such a state must not come back under its name.
#[test]
fn a_state_that_was_taken_back_is_gone_for_good_before_the_segments_that_tell() {
    let dir = Dir::new(MemoryDirectory::new());
    let counters = dir.counters();
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), small()).unwrap();
    let mut publisher =
        CheckpointPublisher::new(dir.clone(), PublishOptions::new().keep(3)).unwrap();
    for entry in 0..40 {
        wal.append(&entry).unwrap();
    }
    publisher.publish(&mut wal, &1_u64).unwrap();
    wal.truncate_suffix(id(38)).unwrap();
    for entry in 0..60 {
        wal.append(&entry).unwrap();
    }
    counters.start_trace();
    publisher.publish(&mut wal, &2_u64).unwrap();
    let trace = counters.take_trace();
    let removed = |folder: &str| {
        let found =
            |event: &Event| event.operation == Operation::Remove && event.name.starts_with(folder);
        trace.iter().position(found).unwrap()
    };
    let (state, segment) = (removed("ckp"), removed("wal"));
    let synced = |event: &Event| event.operation == Operation::SyncDir && event.name == "ckp";
    assert!(state < segment && trace[state..segment].iter().any(synced), "{trace:#?}");
}

#[test]
fn opening_makes_the_names_and_the_tail_durable_before_it_reads_them() {
    let dir = Dir::new(MemoryDirectory::new());
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for number in 1..=30 {
        wal.append(&payload(number)).unwrap();
    }
    let tail = wal.segments().last().unwrap().segment();
    drop(wal);
    let counters = dir.counters();
    counters.start_trace();
    let wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    assert_eq!(wal.last_entry_id(), Some(id(30)));
    let trace = counters.take_trace();
    let at = |wanted: Operation| trace.iter().position(|event| event.operation == wanted).unwrap();
    let (names, file) = (at(Operation::SyncDir), at(Operation::SyncFile));
    let tail = crate::common::segment(tail);
    assert_eq!(trace[file].name, tail);
    // Before it, only a look whether the log was closed, which it was not: a list, and two small reads of the tail.
    let (look, opening) = trace.split_at(names);
    let looks: Vec<Operation> = look.iter().map(|event| event.operation).collect();
    let small =
        [Operation::Lock, Operation::List, Operation::Open, Operation::Read, Operation::Length];
    assert!(looks.starts_with(&small) && looks[5..].len() <= 1, "{looks:?}");
    assert!(look.iter().all(|event| event.bytes <= 72), "{look:#?}");
    // Behind it, everything anew.
    let at =
        |wanted: Operation| opening.iter().position(|event| event.operation == wanted).unwrap();
    let (list, file) = (at(Operation::List), at(Operation::SyncFile));
    assert!(0 < list && list < file && file < at(Operation::Read), "{trace:#?}");
    let reads = |event: &&Event| event.operation == Operation::Open && event.name == tail;
    assert_eq!(opening.iter().filter(reads).count(), 2, "its header, and all of it");
    assert_eq!(counters.of(Operation::SyncFile), 1, "the tail only");
}

#[test]
fn a_record_log_and_its_name_are_durable_before_its_first_record_is() {
    let dir = Dir::new(MemoryDirectory::new());
    dir.counters().start_trace();
    let path = Name::new("logs/EVENTS.LOG").unwrap();
    let mut log = RecordLogWriter::create(dir.clone(), path, RecordLogOptions::new()).unwrap();
    log.append(b"x").unwrap();
    let _durable = log.flush_and_sync().unwrap();
    names_are_synced_in_order(&dir.counters().take_trace());
}

fn odd_paths_are_refused<D: Directory + DurableDirectory>(dir: &D) {
    for odd in
        ["", "/", ".", "..", "../x", "/etc/passwd", "a/../../b", "a//b", "a/", "con", "a\0b", "ü"]
    {
        assert!(
            matches!(dir.atomic_write_durable(odd, b"x"), Err(DurableError::Name(_))),
            "{odd:?}"
        );
        assert!(
            matches!(dir.atomic_rename_durable(odd, "a"), Err(DurableError::Name(_))),
            "{odd:?}"
        );
        assert!(
            matches!(dir.atomic_rename_durable("a", odd), Err(DurableError::Name(_))),
            "{odd:?}"
        );
        assert!(matches!(sync_file(dir, odd), Err(DurableError::Name(_))), "{odd:?}");
        assert!(matches!(sync_parent_dir(dir, odd), Err(DurableError::Name(_))), "{odd:?}");
        if !odd.is_empty() {
            let refused = RawWalWriter::open(dir, WalOptions::new().folder(odd)).err();
            assert!(matches!(refused, Some(Error::Name(_))), "{odd:?}: {refused:?}");
            let refused = CheckpointPublisher::new(dir, PublishOptions::new().folder(odd)).err();
            assert!(matches!(refused, Some(Error::Name(_))), "{odd:?}: {refused:?}");
        }
    }
}

#[test]
fn the_empty_path_and_paths_that_lead_out_touch_nothing() {
    let dir = MemoryDirectory::new();
    odd_paths_are_refused(&dir);
    assert!(dir.names().is_empty());
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("b"), "outside").unwrap();
    let dir = FsDirectory::new(scratch.path().join("root")).unwrap();
    odd_paths_are_refused(&dir);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(std::fs::read(scratch.path().join("b")).unwrap(), b"outside");
}

#[test]
fn an_atomic_write_destroys_no_neighbour_whatever_it_is_called() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(scratch.path().join("root")).unwrap();
    // The last is what a crash has left of a write to another file: perhaps somebody is at it just now.
    let others = "durable-tmp-0123456789abcdef-0000000000000001";
    let neighbours = [
        "data.tmp",
        "data.TMP",
        "data~",
        ".data.tmp",
        "data.bak",
        "tmp",
        "durable-tmp-data",
        others,
    ];
    for file in neighbours {
        std::fs::write(dir.path().join(file), file).unwrap();
    }
    for content in ["one", "two"] {
        dir.atomic_write_durable("data", content.as_bytes()).unwrap();
    }
    for file in neighbours {
        assert_eq!(std::fs::read(dir.path().join(file)).unwrap(), file.as_bytes());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), neighbours.len() + 1);
    assert!(dir.open(name("data")).unwrap().is_some());
}
