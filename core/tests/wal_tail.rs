//! Laws of the end of a write-ahead log, found by fuzzing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::storage::{MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{Error, ReadMode};

const SEGMENT: &str = "wal/00000001.WAL";

/// These laws are run on compact frames as well, as a part of `compact.rs`.
fn is_compact() -> bool {
    module_path!().starts_with("compact")
}

fn options(alignment: u32) -> WalOptions {
    WalOptions::new().alignment(alignment).compact_frames(is_compact())
}

fn count(dir: &MemoryDirectory) -> u64 {
    let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    while entries.next().unwrap().is_some() {}
    entries.report().entries
}

/// Padding is written and covered by no checksum: a crash may take some of it and leave all of the payload.
#[test]
fn a_log_cut_within_padding_goes_on() {
    for alignment in [4, 8, 16, 64, 256] {
        let dir = MemoryDirectory::new();
        let name = Name::new(SEGMENT).unwrap();
        let mut wal = RawWalWriter::new(dir.clone(), options(alignment)).unwrap();
        wal.append(b"one").unwrap();
        wal.append(b"2").unwrap();
        drop(wal);
        let whole = dir.contents(name).unwrap();
        for cut in 72..=whole.len() {
            let torn = MemoryDirectory::new();
            torn.put(name, whole[..cut].to_vec());
            let mut wal = RawWalWriter::open(torn.clone(), options(alignment)).unwrap();
            let before = wal.entry_count();
            let appended = wal.append(b"after");
            assert!(appended.is_ok(), "alignment {alignment}, cut at {cut}: {appended:?}");
            wal.close().unwrap();
            assert_eq!(count(&torn), before + 1, "alignment {alignment}, cut at {cut}");
        }
    }
}

/// Whatever byte is left of a torn frame, it is seen.
#[test]
fn every_byte_of_a_torn_tail_is_seen_at_every_alignment() {
    for alignment in [4, 8, 16, 64, 128, 256] {
        let dir = MemoryDirectory::new();
        let name = Name::new(SEGMENT).unwrap();
        let mut wal = RawWalWriter::new(dir.clone(), options(alignment)).unwrap();
        wal.append(b"one").unwrap();
        drop(wal);
        let whole = dir.contents(name).unwrap();
        for behind in 0..600 {
            let mut bytes = whole.clone();
            bytes.resize(whole.len() + 700, 0);
            bytes[whole.len() + behind] = 0xA5;
            dir.put(name, bytes);
            let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
            let mut entries = reader.entries(ReadMode::Strict).unwrap();
            assert!(entries.next().unwrap().is_some());
            let end = entries.next();
            let torn =
                matches!(end, Err(Error::TornTail { bytes, .. }) if bytes == behind as u64 + 1);
            assert!(torn, "alignment {alignment}, {behind} bytes behind the end: {end:?}");
        }
    }
}

/// A torn record says how long it was to be, and nothing holds the reader to that.
#[test]
fn a_torn_record_above_the_limit_is_a_torn_tail() {
    let dir = MemoryDirectory::new();
    let name = Name::new(SEGMENT).unwrap();
    let mut wal = RawWalWriter::new(dir.clone(), options(4)).unwrap();
    wal.append(b"one").unwrap();
    wal.append(&[7; 5000]).unwrap();
    drop(wal);
    let whole = dir.contents(name).unwrap();
    let small = || options(4).record_bytes_max(1000).buffer_bytes(256).read_bytes(256);
    let opened = RawWalWriter::open(dir.clone(), small());
    assert!(matches!(opened, Err(Error::Limit { found: 5000, limit: 1000, .. })));
    for zeros in [0, 6000] {
        let torn = MemoryDirectory::new();
        let mut bytes = whole[..whole.len() - 1000].to_vec();
        bytes.resize(bytes.len() + zeros, 0);
        torn.put(name, bytes);
        let mut wal = RawWalWriter::open(torn.clone(), small()).unwrap();
        assert_eq!(wal.append(b"two").unwrap(), 2);
        wal.close().unwrap();
        assert_eq!(count(&torn), 2);
    }
}
