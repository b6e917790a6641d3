//! A full disk: it reads, it opens, and a repair needs no more than one header.

use std::collections::BTreeMap;

use durability_core::ReadMode;
use durability_core::storage::MemoryDirectory;
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_testkit::simulated::{
    DiskOptions, Fault, FaultKind, Operation, OperationKind, SimulatedDisk, SurvivorLimits,
};

use crate::common::{entries, expected, image, look, name, payload, small};

/// Nine entries in several segments, and a tenth that is torn, or not there.
fn log(torn: bool) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for id in 1..=9 {
        wal.append(&payload(id)).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
    if torn {
        wal.append(&payload(10)).unwrap();
    }
    drop(wal);
    if torn {
        let tail = dir.names().pop().unwrap();
        let mut bytes = dir.contents(name(&tail)).unwrap();
        bytes.truncate(bytes.len() - 5);
        dir.put(name(&tail), bytes);
    }
    dir
}

fn used(dir: &MemoryDirectory) -> u64 {
    image(dir).values().map(|bytes| bytes.len() as u64).sum()
}

#[test]
fn a_full_disk_still_opens() {
    let dir = log(false);
    dir.set_bytes_max(used(&dir));
    assert_eq!(entries(dir.clone(), small()).unwrap(), expected(1..=9));
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    let mut reader = wal.reader().unwrap();
    assert_eq!(crate::common::drain(&mut reader, ReadMode::Strict).unwrap().0, expected(1..=9));
    drop(reader);
    // There is nothing to write yet; the first append that must reach the medium says what is wrong.
    wal.append(&payload(10)).unwrap();
    assert!(wal.flush_and_sync().unwrap_err().is_no_space());
    drop(wal);
    // Once there is room, it goes on where it was.
    dir.set_bytes_max(u64::MAX);
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    assert_eq!(wal.append(&payload(10)).unwrap(), 10);
    wal.close().unwrap();
    assert_eq!(entries(dir, small()).unwrap(), expected(1..=10));
}

#[test]
fn a_torn_tail_on_a_full_disk_reads_and_needs_one_header_to_open() {
    for room in 0..=100 {
        let dir = log(true);
        let before = image(&dir);
        dir.set_bytes_max(used(&dir) + room);
        let (found, torn) = look(dir.clone(), small(), ReadMode::BestEffort).unwrap();
        assert!(found == expected(1..=9) && torn.is_some());
        match RawWalWriter::open(dir.clone(), small()) {
            Ok(wal) => assert!(room >= 72 && wal.last_entry_id().is_some_and(|last| last == 9)),
            Err(error) => {
                assert!(room < 72 && error.is_no_space(), "{room}: {error}");
                // Nothing was changed but for a new file without a header.
                let mut after = image(&dir);
                after.retain(|file, bytes| before.contains_key(file) || !bytes.is_empty());
                assert_eq!(after, before);
            }
        }
        dir.set_bytes_max(u64::MAX);
        let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
        assert_eq!(wal.append(&payload(10)).unwrap(), 10);
        wal.close().unwrap();
        assert_eq!(entries(dir, small()).unwrap(), expected(1..=10));
    }
}

#[test]
fn pruning_on_a_full_disk_gives_room_once_its_mark_fits() {
    // A mark is a frame of 24 bytes; with the rest of the segment free it needs no new file.
    let dir = log(false);
    dir.set_bytes_max(used(&dir) + 24);
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    assert!(wal.first_entry_id().get() > 1);
    for id in 10..=13 {
        assert_eq!(wal.append(&payload(id)).unwrap(), id);
    }
    wal.close().unwrap();
}

#[test]
fn closing_on_a_full_disk_says_that_all_is_durable() {
    let dir = log(false);
    // No room for any close frame, for a part of it, for a plain one, for the one with the list.
    for room in [0, 10, 20, 100, 4096] {
        let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
        let id = wal.append(&payload(wal.next_entry_id().get())).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        dir.set_bytes_max(used(&dir) + room);
        wal.close().unwrap();
        dir.set_bytes_max(u64::MAX);
        assert_eq!(entries(dir.clone(), small()).unwrap(), expected(1..=id.get()), "{room}");
    }
}

/// The disk has room for half of the close frame.
#[test]
fn what_a_full_disk_took_of_a_close_frame_is_taken_back() {
    let life = |disk: &SimulatedDisk| {
        let mut wal = RawWalWriter::open(disk, small()).unwrap();
        for id in 1..=9 {
            wal.append(&payload(id)).unwrap();
        }
        wal.close()
    };
    let whole = SimulatedDisk::new(DiskOptions::new().with_reserve());
    life(&whole).unwrap();
    let operations = whole.operations();
    let written = |operation: &Operation| matches!(operation.kind, OperationKind::Write { .. });
    let at = operations.iter().rposition(written).unwrap() as u64;
    let mut ends = BTreeMap::new();
    for operation in &operations {
        if let OperationKind::Write { at, length } = operation.kind {
            ends.insert(operation.name.to_string(), at + length);
        }
    }
    let disk = SimulatedDisk::new(DiskOptions::new().with_reserve());
    disk.set_bytes_max(ends.values().sum::<u64>() - 1);
    disk.inject(Fault { at, kind: FaultKind::ShortWrite });
    life(&disk).unwrap();
    let refused = disk.operations().into_iter().any(|operation| operation.error.is_some());
    assert!(refused, "half of the frame was written, and the rest found no room");
    let mut reader = RawWalReader::open(&disk, small()).unwrap();
    let (found, _) = crate::common::drain(&mut reader, ReadMode::Strict).unwrap();
    assert_eq!(found, expected(1..=9));
    // Opening changes nothing, so a disk that is still full opens.
    let before = disk.operations().len();
    drop(RawWalWriter::open(&disk, small()).unwrap());
    let after = disk.operations();
    assert!(!after[before..].iter().any(written), "{after:?}");
}

#[test]
fn preallocation_that_finds_no_room_locks_nobody_out() {
    // A simulated disk refuses what does not fit, reserved room included; only the header does.
    let options = || WalOptions::new().segment_bytes(4096).buffer_bytes(256).preallocate(true);
    let disk = SimulatedDisk::new(DiskOptions::new().with_reserve().with_tear_unit(16));
    let mut wal = RawWalWriter::open(&disk, options()).unwrap();
    wal.append(&payload(1)).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    wal.append(&payload(2)).unwrap();
    wal.flush().unwrap();
    let states = disk.snapshot().crash_states(&SurvivorLimits::new());
    drop(wal);
    let mut torn = 0;
    for state in 0..states.len() {
        let disk = states.disk(state);
        disk.set_bytes_max(4096 + 72);
        let wal = RawWalWriter::open(&disk, options())
            .unwrap_or_else(|error| panic!("{error}, {:?}", states.choice(state)));
        torn += u32::from(wal.torn_tail().is_some());
        assert!(wal.last_entry_id().is_some());
    }
    assert!(torn > 0, "no state had a torn tail");
}
