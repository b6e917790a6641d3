//! Laws of the write-ahead log that nobody had tried to break: limits, races, full disks, lying inputs.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)] // tests

use core::cell::Cell;

use durability_core::storage::{Directory, MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalWriter};
use durability_core::{EntryId, Error, Limit, ReadMode};

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn small() -> WalOptions {
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256)
}

fn payloads<D: Directory>(dir: D) -> Vec<Vec<u8>> {
    let mut reader = RawWalReader::open(dir, small()).unwrap();
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        all.push(entry.payload.to_vec());
    }
    all
}

#[test]
fn a_truncation_that_has_nothing_to_do_makes_the_rest_durable_all_the_same() {
    let mut wal = RawWalWriter::open(MemoryDirectory::new(), WalOptions::new()).unwrap();
    wal.append(b"one").unwrap();
    wal.truncate_suffix(id(2)).unwrap();
    assert_eq!(wal.durable_through(), Some(id(1)), "all that is left is durable");
    wal.append(b"two").unwrap();
    wal.truncate_prefix(id(1)).unwrap();
    assert_eq!(wal.durable_through(), Some(id(2)), "everything appended before, too");
}

#[test]
fn a_log_whose_last_padding_is_missing_goes_on() {
    for bytes in 1..=8_usize {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new()).unwrap();
        wal.append(&vec![7; bytes]).unwrap();
        drop(wal);
        let name = Name::new("wal/00000001.WAL").unwrap();
        let whole = dir.contents(name).unwrap();
        for cut in 72 + 16 + bytes..=whole.len() {
            dir.put(name, whole[..cut].to_vec());
            let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new()).unwrap();
            assert_eq!(wal.entry_count(), 1);
            wal.append(b"next").unwrap_or_else(|error| panic!("{bytes} bytes, cut {cut}: {error}"));
            wal.close().unwrap();
            assert_eq!(payloads(dir.clone()).len(), 2);
            for file in dir.names() {
                dir.remove(Name::new(&file).unwrap()).unwrap();
            }
        }
    }
}

#[test]
fn a_crash_at_the_limit_of_segments_locks_nobody_out() {
    let dir = MemoryDirectory::new();
    let options = || small().segments_max(2);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    for _ in 0..4 {
        wal.append(&[7; 8]).unwrap();
    }
    let _ = wal.flush_and_sync().unwrap();
    assert_eq!(wal.segments().count(), 2);
    drop(wal);
    // A torn frame.
    let name = Name::new("wal/00000002.WAL").unwrap();
    let mut bytes = dir.contents(name).unwrap();
    bytes.extend_from_slice(&[9; 11]);
    dir.put(name, bytes);
    let mut wal = RawWalWriter::open(dir.clone(), options()).expect("every crash opens again");
    assert_eq!(wal.entry_count(), 4);
    wal.truncate_prefix(id(3)).unwrap();
    wal.append(&[7; 8]).unwrap();
    wal.close().unwrap();
}

#[test]
fn an_unfinished_segment_at_the_limit_of_segments_locks_nobody_out() {
    let dir = MemoryDirectory::new();
    let options = || small().segments_max(2);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    for _ in 0..4 {
        wal.append(&[7; 8]).unwrap();
    }
    wal.close().unwrap();
    // What a crash in an earlier rotation left, and a crash of the sweep brought back.
    dir.put(Name::new("wal/00000003.WAL").unwrap(), Vec::new());
    let wal = RawWalWriter::open(dir, options()).expect("every crash opens again");
    assert_eq!(wal.entry_count(), 4);
}

#[test]
fn at_the_limit_of_segments_a_log_can_be_truncated() {
    for operation in 0..3 {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), small().segments_max(2)).unwrap();
        for _ in 0..4 {
            wal.append(&[7; 8]).unwrap();
        }
        let result = match operation {
            0 => wal.truncate_suffix(id(2)),
            1 => wal.truncate_to_empty(),
            _ => wal.truncate_prefix(id(3)),
        };
        result.unwrap_or_else(|error| panic!("operation {operation}: {error}"));
    }
}

#[test]
fn a_refusal_for_too_many_segments_has_no_effect() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small().segments_max(2)).unwrap();
    let error = loop {
        match wal.append(&[7; 8]) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Limit { what: Limit::Segments, .. }), "{error}");
    // `append`: "after `Err` of any kind but `Error::Limit` [...] the writer is poisoned".
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    wal.append(&[7; 8]).unwrap();
}

#[test]
fn trying_again_on_a_full_disk_leaves_nothing_behind() {
    for torn in [false, true] {
        let dir = MemoryDirectory::new();
        if torn {
            let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
            wal.append(&[7; 8]).unwrap();
            wal.close().unwrap();
            let name = Name::new("wal/00000001.WAL").unwrap();
            let mut bytes = dir.contents(name).unwrap();
            bytes.extend_from_slice(&[9; 11]);
            dir.put(name, bytes);
        }
        dir.set_bytes_max(0);
        for _ in 0..20 {
            assert!(RawWalWriter::open(dir.clone(), small().segments_max(8)).is_err());
        }
        assert!(dir.names().len() <= 3, "torn {torn}: {:?}", dir.names());
        dir.set_bytes_max(u64::MAX);
        let wal = RawWalWriter::open(dir.clone(), small().segments_max(8)).unwrap();
        assert_eq!(wal.entry_count(), u64::from(torn));
    }
}

#[test]
fn the_greatest_first_id_is_one_that_a_log_can_go_on_from() {
    let dir = MemoryDirectory::new();
    let first = id(u64::MAX >> 1);
    let mut wal = RawWalWriter::open(dir.clone(), small().first_id(first)).unwrap();
    for _ in 0..5 {
        wal.append(&[7; 8]).unwrap();
    }
    wal.close().unwrap();
    assert_eq!(payloads(dir.clone()).len(), 5);
    assert_eq!(RawWalWriter::open(dir, small()).unwrap().entry_count(), 5);
}

#[test]
fn a_segment_of_another_log_never_makes_this_one_vanish() {
    let (dir, other) = (MemoryDirectory::new(), MemoryDirectory::new());
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for _ in 0..6 {
        wal.append(&[7; 8]).unwrap();
    }
    wal.close().unwrap();
    let mut foreign = RawWalWriter::open(other.clone(), small().log_id(99)).unwrap();
    // Segment 9 of the other log, with nothing before it.
    for _ in 0..8 {
        foreign.append(&[8; 8]).unwrap();
        foreign.truncate_to_empty().unwrap();
    }
    foreign.close().unwrap();
    let names = other.names();
    let name = Name::new(names.last().unwrap()).unwrap();
    dir.put(name, other.contents(name).unwrap());
    let before = dir.names();
    let opened = RawWalWriter::open(dir.clone(), small());
    assert!(matches!(opened, Err(Error::Corrupt(_))), "{opened:?}, left {:?}", dir.names());
    assert_eq!(dir.names(), before, "nothing was changed");
}

#[test]
fn a_stray_file_of_the_last_number_is_named_and_everything_stays_readable() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    wal.append(&[7; 8]).unwrap();
    wal.close().unwrap();
    // No crash leaves it: a log would have to use up all numbers first.
    dir.put(Name::new("wal/FFFFFFFF.WAL").unwrap(), Vec::new());
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    let refused = (0..5).find_map(|_| wal.append(&[7; 8]).err()).unwrap();
    assert!(matches!(refused, Error::Limit { what: Limit::FileNumbers, .. }), "{refused}");
    drop(wal);
    assert!(!payloads(dir.clone()).is_empty());
    // Opening has swept it away.
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for _ in 0..5 {
        wal.append(&[7; 8]).unwrap();
    }
    wal.close().unwrap();
    assert!(payloads(dir).len() >= 6);
}

/// Grows after it was measured for the first time.
struct Growing(Cell<u32>);

impl serde::Serialize for Growing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set(self.0.get() + 1);
        serializer.serialize_bytes(&vec![7; if self.0.get() > 1 { 180 } else { 10 }])
    }
}

#[test]
fn an_entry_that_grows_between_passes_never_locks_the_log() {
    let options = || small().record_bytes_max(100);
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<Growing, _>::open(dir.clone(), options()).unwrap();
    let refused = wal.append_batch(&[Growing(Cell::new(0)), Growing(Cell::new(0))]);
    drop(wal);
    let opened = WalWriter::<Growing, _>::open(dir, options());
    assert!(refused.is_err() && opened.is_ok(), "{refused:?}, then {:?}", opened.err());
}

/// Its clone gives fewer than itself.
struct Lying<'a>(core::slice::Iter<'a, u8>);

impl Clone for Lying<'_> {
    fn clone(&self) -> Self {
        Self(self.0.as_slice()[..2].iter())
    }
}

impl<'a> Iterator for Lying<'a> {
    type Item = &'a u8;
    fn next(&mut self) -> Option<&'a u8> {
        self.0.next()
    }
}

#[test]
fn a_batch_whose_iterator_lies_is_refused_and_absent() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<u8, _>::open(dir.clone(), WalOptions::new()).unwrap();
    let result = wal.append_batch(Lying([1, 2, 3, 4].iter()));
    assert!(result.is_err(), "{result:?}, but {:?}", wal.last_entry_id());
    drop(wal);
    assert_eq!(payloads(dir).len(), 0);
}
