//! Laws of the record log, over every truncation, every bit and every crash state of small logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host
#![allow(clippy::cast_possible_truncation)] // all sizes here are small

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::{Error, ReadMode};

type Result<T> = std::result::Result<T, Error<MemoryError>>;
type Writer = RecordLogWriter<MemoryDirectory>;

const HEADER: usize = 32;

fn path() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

fn options() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(256).read_bytes(256)
}

fn put(bytes: &[u8]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    dir.put(path(), bytes.to_vec());
    dir
}

fn contents(dir: &MemoryDirectory) -> Vec<u8> {
    dir.contents(path()).unwrap_or_default()
}

fn read(dir: &MemoryDirectory, mode: ReadMode) -> Result<Vec<Vec<u8>>> {
    RecordLogReader::open(dir.clone(), path(), mode, options())?.collect()
}

/// Record `n`, with the run's epoch in it.
fn record(epoch: u8, n: usize) -> Vec<u8> {
    let bytes = [1, 40, 0, 5, 300, 16, 3][n % 7];
    let mut record = vec![epoch.wrapping_mul(16).wrapping_add(n as u8 + 1); bytes];
    if let Some(last) = record.last_mut() {
        *last = 0x5A;
    }
    record
}

fn append(log: &mut Writer, records: &mut Vec<Vec<u8>>, epoch: u8, count: usize) {
    for n in 0..count {
        let record = record(epoch, n);
        let id = log.append(&record).unwrap();
        records.push(record);
        assert_eq!(id, records.len() as u64, "numbers have no gap");
    }
}

/// A log with a sync after every second record, closed or not.
fn sample(alignment: u32, close: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let dir = MemoryDirectory::new();
    let mut log =
        RecordLogWriter::create(dir.clone(), path(), options().alignment(alignment)).unwrap();
    let mut records = Vec::new();
    for n in 0..7 {
        let record = record(0, n);
        log.append(&record).unwrap();
        records.push(record);
        if n % 2 == 1 {
            assert_eq!(log.flush_and_sync().unwrap().through(), log.last_record());
        }
    }
    if close {
        log.close().unwrap();
    } else {
        let _ = log.flush_and_sync().unwrap();
        drop(log);
    }
    (contents(&dir), records)
}

/// Where the frames of the records begin.
fn offsets(bytes: &[u8]) -> Vec<(usize, usize)> {
    let dir = put(bytes);
    let mut reader = RecordLogReader::open(dir, path(), ReadMode::BestEffort, options()).unwrap();
    let mut places = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        places.push((record.offset as usize, record.payload.len()));
    }
    places
}

#[test]
fn every_truncation_reads_as_the_prefix_that_is_whole() {
    for alignment in [4, 64] {
        let (bytes, records) = sample(alignment, true);
        let places = offsets(&bytes);
        for cut in 0..=bytes.len() {
            let dir = put(&bytes[..cut]);
            let whole = places.iter().filter(|(at, length)| at + 16 + length <= cut).count();
            assert_eq!(read(&dir, ReadMode::BestEffort).unwrap(), records[..whole], "cut at {cut}");
            match read(&dir, ReadMode::Strict) {
                Ok(found) => assert_eq!(found, records[..whole], "cut at {cut}"),
                Err(Error::TornTail { offset, bytes, .. }) => {
                    assert!(offset + bytes <= cut as u64, "cut at {cut}: {offset} + {bytes}");
                }
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn after_every_truncation_the_log_goes_on_and_reads_strictly() {
    for alignment in [4, 64] {
        let (bytes, records) = sample(alignment, true);
        let places = offsets(&bytes);
        for cut in 0..=bytes.len() {
            let dir = put(&bytes[..cut]);
            let whole = places.iter().filter(|(at, length)| at + 16 + length <= cut).count();
            let mut expected = records[..whole].to_vec();
            for epoch in 1..4 {
                let mut log = RecordLogWriter::open(dir.clone(), path(), options()).unwrap();
                assert_eq!(log.last_record().map_or(0, u64::from), expected.len() as u64);
                append(&mut log, &mut expected, epoch, 2);
                drop(log);
                assert_eq!(read(&dir, ReadMode::Strict).unwrap(), expected, "cut at {cut}");
                // Torn once more: the last record is lost, the one before it stays.
                let mut bytes = contents(&dir);
                bytes.truncate(bytes.len() - 18);
                dir.put(path(), bytes);
                expected.pop();
            }
            // Nothing below the cut was changed, unless there was no log yet.
            if cut >= HEADER {
                let kept = places[..whole].last().map_or(HEADER, |(at, length)| at + 16 + length);
                assert_eq!(contents(&dir)[..kept], bytes[..kept]);
            }
        }
    }
}

/// What became of the flips of every bit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Census {
    detected: usize,
    harmless: usize,
    window: usize,
}

fn flip_census(bytes: &[u8], records: &[Vec<u8>], window: usize) -> Census {
    let mut census = Census::default();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let dir = put(&damaged);
        match read(&dir, ReadMode::BestEffort) {
            Err(Error::Corrupt(corruption)) => {
                assert!(corruption.offset <= bit as u64 / 8, "bit {bit}: {corruption}");
                census.detected += 1;
                // Resuming sees it as well, and touches nothing.
                assert!(RecordLogWriter::resume(dir.clone(), path(), options()).is_err());
                assert_eq!(contents(&dir), damaged);
            }
            Ok(found) if found == records => census.harmless += 1,
            Ok(found) => {
                assert!(records.starts_with(&found), "bit {bit}: garbage");
                assert!(bit / 8 >= window, "bit {bit} made the log shorter in silence");
                census.window += 1;
            }
            Err(other) => panic!("bit {bit}: {other}"),
        }
    }
    census
}

#[test]
fn every_flipped_bit_of_a_closed_log_is_detected_or_harmless() {
    let (bytes, records) = sample(4, true);
    let census = flip_census(&bytes, &records, usize::MAX);
    assert_eq!(census.window, 0, "{census:?}");
    // Harmless: the padding behind payloads, and the close frame itself.
    let padding =
        records.iter().map(|record| record.len().next_multiple_of(4) - record.len()).sum::<usize>();
    assert_eq!(census.harmless, (padding + 20) * 8);
}

#[test]
fn flipped_bits_shorten_a_log_only_behind_its_last_synced_frame() {
    let (bytes, records) = sample(4, false);
    // Synced after records 2, 4, 6 and 7: the last frame that says so is record 7's.
    let window = offsets(&bytes)[6].0;
    let census = flip_census(&bytes, &records, window);
    assert!(census.window > 0 && census.window <= (bytes.len() - window) * 8, "{census:?}");
}

#[test]
fn a_mark_after_each_sync_closes_the_window() {
    let dir = MemoryDirectory::new();
    let mut log =
        RecordLogWriter::create(dir.clone(), path(), options().mark_after_sync(true)).unwrap();
    let mut records = Vec::new();
    append(&mut log, &mut records, 0, 3);
    let _ = log.flush_and_sync().unwrap();
    std::mem::forget(log);
    assert_eq!(flip_census(&contents(&dir), &records, usize::MAX).window, 0);
}

#[test]
fn room_behind_the_log_is_neither_records_nor_a_torn_tail() {
    let (bytes, records) = sample(4, false);
    for (fill, room) in [(0x00, 4096), (0xFF, 4096), (0x00, 3), (0xFF, 17)] {
        let mut padded = bytes.clone();
        padded.resize(bytes.len() + room, fill);
        let dir = put(&padded);
        assert_eq!(read(&dir, ReadMode::Strict).unwrap(), records);
        let mut log = RecordLogWriter::resume(dir.clone(), path(), options()).unwrap();
        let mut expected = records.clone();
        append(&mut log, &mut expected, 1, 3);
        log.close().unwrap();
        assert_eq!(read(&dir, ReadMode::Strict).unwrap(), expected);
        assert!(contents(&dir).starts_with(&bytes));
    }
}

#[test]
fn a_zeroed_sector_in_durable_records_is_damage_and_in_unsynced_ones_a_torn_tail() {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), options()).unwrap();
    let mut durable = Vec::new();
    for n in 0..20 {
        durable.push(vec![n + 1; 200]);
        log.append(durable.last().unwrap()).unwrap();
    }
    let _ = log.flush_and_sync().unwrap();
    let synced_end = contents(&dir).len();
    for n in 0..20 {
        log.append(&[n + 101; 200]).unwrap();
    }
    drop(log);
    let bytes = contents(&dir);
    for sector in 0..bytes.len() / 512 {
        let mut torn = bytes.clone();
        torn[sector * 512..][..512].fill(0);
        let dir = put(&torn);
        // The first frame behind the sync vouches for what is before it, if it is there to do so.
        if (sector + 1) * 512 <= synced_end {
            assert!(matches!(read(&dir, ReadMode::BestEffort), Err(Error::Corrupt(_))));
        } else if sector * 512 > synced_end {
            let found = read(&dir, ReadMode::BestEffort).unwrap();
            assert!(found.starts_with(&durable));
            RecordLogWriter::resume(dir, path(), options()).unwrap();
        }
    }
}

#[test]
fn a_resume_frame_inside_the_extent_of_the_torn_record_is_found_and_protected() {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), options()).unwrap();
    let mut expected = vec![b"kept".to_vec()];
    log.append(b"kept").unwrap();
    let _ = log.flush_and_sync().unwrap();
    log.append(&vec![7; 100_000]).unwrap();
    drop(log);
    let mut bytes = contents(&dir);
    bytes.truncate(5001);
    let dir = put(&bytes);
    // All that follows lies below the end that the torn record claims.
    for epoch in 1..4 {
        let mut log = RecordLogWriter::resume(dir.clone(), path(), options()).unwrap();
        append(&mut log, &mut expected, epoch, 2);
        let _ = log.flush_and_sync().unwrap();
        append(&mut log, &mut expected, epoch, 2);
        log.close().unwrap();
    }
    assert_eq!(read(&dir, ReadMode::Strict).unwrap(), expected);
    let bytes = contents(&dir);
    for bit in 5001 * 8..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match read(&put(&damaged), ReadMode::BestEffort) {
            Ok(found) => assert_eq!(found, expected, "bit {bit}"),
            Err(error) => assert!(error.is_corruption(), "bit {bit}: {error}"),
        }
    }
}

#[test]
fn a_fresh_log_exists_once_and_a_missing_one_cannot_be_resumed() {
    let dir = MemoryDirectory::new();
    assert!(matches!(
        RecordLogWriter::resume(dir.clone(), path(), options()),
        Err(Error::Missing { .. })
    ));
    let log = RecordLogWriter::create(dir.clone(), path(), options()).unwrap();
    for second in [
        RecordLogWriter::open(dir.clone(), path(), options()),
        RecordLogWriter::create(dir.clone(), path(), options()),
        RecordLogWriter::resume(dir.clone(), path(), options()),
    ] {
        let Err(Error::Held { file, .. }) = second else { panic!("a second writer got in") };
        assert_eq!(file.as_name().as_str(), "EVENTS.LCK");
    }
    drop(log);
    assert!(matches!(
        RecordLogWriter::create(dir.clone(), path(), options()),
        Err(Error::Exists { .. })
    ));
    RecordLogWriter::open(dir, path(), options()).unwrap();
}

#[test]
fn a_full_medium_poisons_the_writer_and_resuming_goes_on() {
    for bytes_max in 40..600 {
        let dir = MemoryDirectory::with_bytes_max(bytes_max);
        let mut durable = Vec::new();
        let Ok(mut log) = RecordLogWriter::create(dir.clone(), path(), options()) else {
            panic!("32 bytes fit")
        };
        let failed = loop {
            let record = record(0, durable.len());
            let appended = log.append(&record).and_then(|_| log.flush_and_sync().map(drop));
            match appended {
                Ok(()) => durable.push(record),
                Err(error) => break error,
            }
        };
        assert!(failed.is_no_space(), "{failed}");
        assert!(matches!(log.append(b"x"), Err(Error::Poisoned { .. })));
        assert!(matches!(log.flush(), Err(Error::Poisoned { .. })));
        assert!(matches!(log.flush_and_sync(), Err(Error::Poisoned { .. })));
        drop(log);
        assert_eq!(read(&dir, ReadMode::BestEffort).unwrap(), durable);
        // Opening needs no space; appending does.
        let mut log = RecordLogWriter::resume(dir.clone(), path(), options()).unwrap();
        dir.set_bytes_max(u64::MAX);
        append(&mut log, &mut durable, 1, 3);
        log.close().unwrap();
        assert_eq!(read(&dir, ReadMode::Strict).unwrap(), durable);
    }
}

#[test]
fn limits_refuse_without_writing_and_the_writer_goes_on() {
    let dir = MemoryDirectory::new();
    let small = options().record_bytes_max(10);
    let mut log = RecordLogWriter::create(dir.clone(), path(), small).unwrap();
    log.append(&[1; 10]).unwrap();
    assert!(matches!(log.append(&[1; 11]), Err(Error::Limit { found: 11, limit: 10, .. })));
    assert_eq!(log.append(&[2; 10]).unwrap(), 2);
    log.close().unwrap();
    let tiny = options().record_bytes_max(9);
    let refused = RecordLogReader::open(dir.clone(), path(), ReadMode::BestEffort, tiny);
    for _ in 0..2 {
        let mut reader =
            RecordLogReader::open(dir.clone(), path(), ReadMode::BestEffort, tiny).unwrap();
        assert!(matches!(reader.next(), Err(Error::Limit { found: 10, limit: 9, .. })));
        assert!(matches!(reader.next(), Err(Error::Limit { found: 10, limit: 9, .. })));
    }
    drop(refused);
    for bad in [
        options().buffer_bytes(255),
        options().read_bytes(0),
        options().record_bytes_max(0),
        options().record_bytes_max(1 << 28),
        options().alignment(2),
        options().alignment(24),
        options().alignment(512),
    ] {
        assert!(matches!(
            RecordLogWriter::open(dir.clone(), path(), bad),
            Err(Error::BadOption { .. })
        ));
    }
}

#[test]
fn opening_and_closing_again_and_again_adds_nothing() {
    let (bytes, _) = sample(4, true);
    let dir = put(&bytes);
    for _ in 0..5 {
        RecordLogWriter::resume(dir.clone(), path(), options()).unwrap().close().unwrap();
    }
    assert_eq!(contents(&dir), bytes);
}

/// A mark vouches for what was synced; it does not say that the log was closed.
#[test]
fn closing_behind_a_mark_is_written_down_once() {
    let options = options().mark_after_sync(true);
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), options).unwrap();
    log.append(b"one").unwrap();
    let _durable = log.flush_and_sync().unwrap();
    let marked = contents(&dir);
    log.close().unwrap();
    let closed = contents(&dir);
    assert!(closed.len() > marked.len());
    for _ in 0..3 {
        RecordLogWriter::resume(dir.clone(), path(), options).unwrap().close().unwrap();
    }
    assert_eq!(contents(&dir), closed);
}

#[test]
fn what_a_resume_frame_has_settled_stays_settled() {
    // A damaged record in the undetectable window, and half of a synced header behind it: too little to prove anything, until
    // the bytes of the resume frame complete it.
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), options()).unwrap();
    log.append(&[1; 80]).unwrap();
    let _ = log.flush_and_sync().unwrap();
    let flagged = contents(&dir).len();
    log.append(&[2; 80]).unwrap();
    drop(log);
    let mut bytes = contents(&dir);
    bytes[HEADER + 20] ^= 1;
    for cut in 0..16 {
        let dir = put(&bytes[..flagged + cut]);
        let mut log = RecordLogWriter::resume(dir.clone(), path(), options()).unwrap();
        log.append(b"after").unwrap();
        log.close().unwrap();
        assert_eq!(read(&dir, ReadMode::Strict).unwrap(), [b"after"], "cut {cut} bytes in");
    }
}

#[test]
fn a_directory_chosen_at_run_time_serves_as_well() {
    let dir = MemoryDirectory::arc();
    let mut log = RecordLogWriter::create(dir.clone(), path(), options()).unwrap();
    log.append(b"x").unwrap();
    log.close().unwrap();
    let mut reader = RecordLogReader::open(dir, path(), ReadMode::Strict, options()).unwrap();
    assert_eq!(reader.collect().unwrap(), [b"x"]);
}

/// Opening has made durable what there was: from then on a rotten bit in it is damage, as soon as anything is written behind it.
#[test]
fn what_was_there_at_opening_is_never_taken_for_a_torn_tail() {
    for append in [true, false] {
        let dir = MemoryDirectory::new();
        let mut log = RecordLogWriter::create(dir.clone(), path(), options()).unwrap();
        for record in [b"first", b"other"] {
            log.append(record).unwrap();
        }
        let _durable = log.flush_and_sync().unwrap();
        drop(log);
        let end = dir.contents(path()).unwrap().len();
        let mut log = RecordLogWriter::open(dir.clone(), path(), options()).unwrap();
        if append {
            log.append(b"more").unwrap();
            log.flush().unwrap();
            drop(log);
        } else {
            log.close().unwrap();
        }
        let mut bytes = dir.contents(path()).unwrap();
        let last = bytes[..end].iter().rposition(|&byte| byte == b'r').unwrap();
        bytes[last] ^= 1;
        dir.put(path(), bytes);
        let mut reader =
            RecordLogReader::open(&dir, path(), ReadMode::BestEffort, options()).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().payload, b"first");
        assert!(matches!(reader.next(), Err(Error::Corrupt(_))), "appended: {append}");
    }
}
