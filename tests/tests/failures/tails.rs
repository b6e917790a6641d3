//! Torn tails: never a lockout, never garbage, never a record that was not appended, and linear to judge.

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::walog::{RawWalWriter, WalOptions, WalReader, WalWriter};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::faults::FaultyDirectory;

use crate::common::format::{Codec, FRAME, SYNCED};
use crate::common::{entries, expected, look, name, payload, segment};

fn options() -> WalOptions {
    WalOptions::new()
}

fn tail() -> String {
    segment(1)
}

/// Entries 1 to `count`, synced together, in one segment.
fn log(count: u64, options: &WalOptions) -> (MemoryDirectory, RawWalWriter<MemoryDirectory>) {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
    for id in 1..=count {
        wal.append(&payload(id)).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
    (dir, wal)
}

fn with_tail(bytes: Vec<u8>) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    dir.put(name(&tail()), bytes);
    dir
}

/// The log holds entries 1 to `last` and torn bytes behind them; it opens, goes on, and stays whole.
fn is_torn_and_goes_on(dir: &MemoryDirectory, last: u64, case: &str) {
    let (found, torn) = look(dir.clone(), options(), ReadMode::BestEffort)
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(found, expected(1..=last), "{case}");
    let torn = torn.unwrap_or_else(|| panic!("{case}: no torn tail in the report"));
    match look(dir.clone(), options(), ReadMode::Strict) {
        Err(Error::TornTail { file, offset, bytes, last_id }) => {
            assert_eq!(
                (file, offset, bytes),
                (torn.file.clone(), torn.offset, torn.bytes),
                "{case}"
            );
            assert_eq!(last_id, EntryId::new(last), "{case}");
        }
        other => panic!("{case}: {other:?}"),
    }
    let before = dir.contents(torn.file.as_name()).unwrap();
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    assert_eq!(wal.torn_tail(), Some(&torn), "{case}");
    for id in last + 1..=last + 3 {
        assert_eq!(wal.append(&payload(id)).unwrap(), id, "{case}");
    }
    wal.close().unwrap();
    assert_eq!(entries(dir.clone(), options()).unwrap(), expected(1..=last + 3), "{case}");
    assert_eq!(dir.contents(torn.file.as_name()).unwrap(), before, "{case}: repair changed a byte");
}

#[test]
fn zeros_behind_the_log_are_room_and_neither_records_nor_a_torn_tail() {
    for (fill, room) in [(0x00, 4096), (0xFF, 4096), (0x00, 1), (0xFF, 15), (0x00, 100_000)] {
        let (dir, wal) = log(3, &options());
        drop(wal);
        let mut bytes = dir.contents(name(&tail())).unwrap();
        bytes.resize(bytes.len() + room, fill);
        let dir = with_tail(bytes);
        let (found, torn) = look(dir.clone(), options(), ReadMode::Strict).unwrap();
        assert_eq!((found, torn), (expected(1..=3), None));
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        assert_eq!(wal.torn_tail(), None);
        wal.append(&payload(4)).unwrap();
        wal.close().unwrap();
        assert_eq!(dir.names(), [tail()], "room needs no repair");
        assert_eq!(entries(dir, options()).unwrap(), expected(1..=4));
    }
}

#[test]
fn a_writer_dropped_without_a_word_loses_nothing_that_was_appended() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), options()).unwrap();
    for entry in 1..=100 {
        wal.append(&entry).unwrap();
    }
    drop(wal);
    let found = WalReader::<u64, _>::open(dir.clone(), options()).unwrap().replay().unwrap();
    assert!(found.iter().all(|(id, entry)| *id == *entry) && found.len() == 100);

    let path = Name::new("EVENTS.LOG").unwrap();
    let mut log = RecordLogWriter::open(dir.clone(), path, RecordLogOptions::new()).unwrap();
    for _ in 0..100 {
        log.append(b"record").unwrap();
    }
    drop(log);
    let mut reader =
        RecordLogReader::open(dir, path, ReadMode::Strict, RecordLogOptions::new()).unwrap();
    assert_eq!(reader.collect().unwrap().len(), 100);
}

#[test]
fn a_lost_page_of_an_unsynced_frame_is_an_ordinary_torn_tail() {
    let (dir, mut wal) = log(3, &options());
    let from = dir.contents(name(&tail())).unwrap().len();
    wal.append(&[0x5A; 3 * 4096]).unwrap();
    wal.append(&payload(5)).unwrap();
    drop(wal);
    let whole = dir.contents(name(&tail())).unwrap();
    for page in 0..whole.len().div_ceil(4096) {
        let lost = (page * 4096).max(from)..whole.len().min((page + 1) * 4096);
        let mut bytes = whole.clone();
        bytes[lost].fill(0);
        // The last page may hold only the end of the frame's payload and the frame behind it: still torn before them.
        is_torn_and_goes_on(&with_tail(bytes), 3, &format!("page {page}"));
    }
}

#[test]
fn a_log_inside_a_torn_payload_neither_blocks_resuming_nor_comes_to_life() {
    for alignment in [4, 8, 64] {
        let options = options().alignment(alignment).log_id(77);
        // The log's own first segment, with synced flags all over it, as a payload: at every place modulo the alignment.
        let (dir, mut wal) = log(3, &options);
        for id in 4..=8 {
            wal.append(&payload(id)).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
        }
        drop(wal);
        let own = dir.contents(name(&tail())).unwrap();
        let codec = Codec::of_segment(&own);
        assert!(codec.frames(&own).iter().filter(|frame| frame.synced()).count() >= 5);
        for shift in 0..alignment as usize {
            let (dir, mut wal) = log(2, &options);
            let mut inner = vec![0x11; shift];
            inner.extend_from_slice(&own);
            inner.extend_from_slice(&[0x22; 300]);
            wal.append(&inner).unwrap();
            drop(wal);
            let whole = dir.contents(name(&tail())).unwrap();
            let (torn_at, inner_at) =
                (codec.frames(&whole)[2].at, codec.frames(&whole)[2].at + FRAME);
            // The record's end is lost; its header is lost; both.
            let mut headless = whole.clone();
            headless[torn_at..inner_at].fill(0);
            let cut = whole.len() - 100;
            for (case, bytes) in [
                ("cut", whole[..cut].to_vec()),
                ("both", headless[..cut].to_vec()),
                ("headless", headless),
            ] {
                is_torn_and_goes_on(&with_tail(bytes), 2, &format!("{case}, {alignment}, {shift}"));
            }
        }
    }
}

#[test]
fn a_frame_verifies_at_its_own_offset_only() {
    // A synced frame of this very log and segment, whose position may well follow, moved by every multiple of the alignment.
    let (dir, mut wal) = log(3, &options());
    wal.append(&payload(4)).unwrap();
    drop(wal);
    let whole = dir.contents(name(&tail())).unwrap();
    let frame = Codec::of_segment(&whole).frames(&whole)[3];
    assert!(frame.synced() && frame.position == 4);
    let bytes_of_frame = whole[frame.bytes()].to_vec();
    for moved in (4..200).step_by(4) {
        let mut bytes = whole[..frame.at].to_vec();
        // Torn bytes, not blank, and behind them the frame as it was.
        bytes.resize(frame.at + moved, 0x77);
        bytes.extend_from_slice(&bytes_of_frame);
        is_torn_and_goes_on(&with_tail(bytes), 3, &format!("moved by {moved}"));
    }
}

#[test]
fn two_torn_writes_in_a_row_take_nothing_that_was_acknowledged() {
    for cut in 1..60 {
        let dir = MemoryDirectory::new();
        let mut last = 0;
        for life in 0..5 {
            let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
            assert_eq!(wal.last_entry_id().map_or(0, EntryId::get), last, "life {life}, cut {cut}");
            last += 1;
            wal.append(&payload(last)).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
            wal.append(&[9; 60]).unwrap();
            drop(wal);
            let tail = dir.names().pop().unwrap();
            let mut bytes = dir.contents(name(&tail)).unwrap();
            bytes.truncate(bytes.len() - cut);
            dir.put(name(&tail), bytes);
        }
        let (found, _) = look(dir, options(), ReadMode::BestEffort).unwrap();
        assert_eq!(found, expected(1..=5), "cut {cut}");
    }
}

#[test]
fn a_record_cut_short_by_bytes_like_those_of_the_gap_behind_it_stays_torn() {
    // A short write may lack no more than the end of a frame; what comes to stand there must not make it whole again.
    let path = Name::new("EVENTS.LOG").unwrap();
    for fill in [0x00, 0xFF, 0x5A] {
        for (alignment, length) in [(4, 300), (16, 304), (256, 496)] {
            for missing in 1..alignment.min(20) as usize {
                let options = RecordLogOptions::new().alignment(alignment);
                let record = [vec![7; length - missing], vec![fill; missing]].concat();
                let dir = MemoryDirectory::new();
                let mut log = RecordLogWriter::create(dir.clone(), path, options).unwrap();
                log.append(b"first").unwrap();
                let _durable = log.flush_and_sync().unwrap();
                log.append(&record).unwrap();
                drop(log);
                let mut bytes = dir.contents(path).unwrap();
                assert!(bytes.ends_with(&record), "without padding");
                bytes.truncate(bytes.len() - missing);
                dir.put(path, bytes);
                let read = || {
                    let mode = ReadMode::BestEffort;
                    RecordLogReader::open(dir.clone(), path, mode, options)?.collect()
                };
                assert_eq!(read().unwrap(), [b"first"]);
                // Three lives, each torn in the same way.
                for life in 1..=3 {
                    let case = format!(
                        "alignment {alignment}, {missing} of {fill:02x} missing, life {life}"
                    );
                    let mut right = read().unwrap_or_else(|error| panic!("{case}: {error}"));
                    let mut log = RecordLogWriter::resume(dir.clone(), path, options)
                        .unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(log.last_record(), EntryId::new(right.len() as u64), "{case}");
                    log.append(b"more").unwrap();
                    right.push(b"more".to_vec());
                    let _durable = log.flush_and_sync().unwrap();
                    log.append(&record).unwrap();
                    drop(log);
                    let mut bytes = dir.contents(path).unwrap();
                    bytes.truncate(bytes.len() - missing);
                    dir.put(path, bytes);
                    let found = read().unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert!(found.starts_with(&right), "{case}");
                }
            }
        }
    }
}

/// A torn record of `length` bytes that is made of frames' look-alikes.
fn look_alikes(length: usize, forge: impl Fn(&Codec, &mut [u8], usize)) -> Vec<u8> {
    let (dir, mut wal) = log(3, &options());
    wal.append(&vec![0x33; length]).unwrap();
    drop(wal);
    let mut bytes = dir.contents(name(&tail())).unwrap();
    let codec = Codec::of_segment(&bytes);
    let torn = codec.frames(&bytes)[3];
    // Its own header is lost, so that every place in it must be judged.
    bytes[torn.at..torn.at + FRAME].fill(0x44);
    for at in (torn.at + FRAME..torn.end - FRAME).step_by(FRAME) {
        forge(&codec, &mut bytes, at);
    }
    bytes
}

#[test]
fn the_bytes_read_to_judge_a_torn_tail_grow_with_the_file_and_no_faster() {
    let forgeries: [(&str, fn(&Codec, &mut [u8], usize)); 4] = [
        ("plain bytes", |_, _, _| ()),
        ("headers of another offset", |codec, bytes, at| {
            let mut apart = vec![0; at + 4 + FRAME];
            codec.forge(&mut apart, at + 4, SYNCED | 1, 5);
            bytes[at..at + FRAME].copy_from_slice(&apart[at + 4..]);
        }),
        ("headers that verify, of empty frames", |codec, bytes, at| codec.forge(bytes, at, 0, 5)),
        ("headers that verify, of frames up to the end", |codec, bytes, at| {
            let rest = (bytes.len() - at - FRAME) as u32;
            codec.forge(bytes, at, rest & (SYNCED - 1), 5);
        }),
    ];
    for (what, forge) in forgeries {
        let mut read = Vec::new();
        // Apart from the first case, forging costs a checksum for each header: smaller is enough to see a square.
        for length in [40_000, 400_000] {
            let bytes = look_alikes(length, forge);
            let file_bytes = bytes.len() as u64;
            let dir = FaultyDirectory::new(with_tail(bytes));
            let options = options().read_bytes(4096);
            let wal = RawWalWriter::open(dir.clone(), options).unwrap();
            assert_eq!(wal.last_entry_id(), EntryId::new(3), "{what}");
            assert!(wal.torn_tail().is_some(), "{what}");
            let counts = dir.counters().counts();
            assert!(counts.bytes_read <= 3 * file_bytes + 8192, "{what}: {counts:?}");
            read.push(counts.bytes_read);
        }
        assert!(read[1] <= 11 * read[0], "{what}: {read:?}");
    }
}
