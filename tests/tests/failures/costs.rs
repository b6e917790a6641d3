//! What it costs, counted at the directory: G10's figures.

use durability_core::ReadMode;
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_testkit::faults::{Event, FaultyDirectory, Operation};

use crate::common::{drain, payload};

type Dir = FaultyDirectory<MemoryDirectory>;

fn operations(trace: &[Event]) -> Vec<Operation> {
    trace.iter().map(|event| event.operation).collect()
}

#[test]
fn a_durable_append_is_one_write_and_one_sync_and_nothing_else() {
    let dir = Dir::new(MemoryDirectory::new());
    let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new()).unwrap();
    let path = Name::new("EVENTS.LOG").unwrap();
    let mut log = RecordLogWriter::open(dir.clone(), path, RecordLogOptions::new()).unwrap();
    for length in [0, 1, 64, 1024, 16 << 10, 200 << 10] {
        let record = vec![1; length];
        dir.counters().start_trace();
        wal.append(&record).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        let trace = dir.counters().take_trace();
        assert_eq!(operations(&trace), [Operation::Write, Operation::SyncData], "{length} bytes");
        // Nothing new: nothing to do.
        dir.counters().start_trace();
        let _durable = wal.flush_and_sync().unwrap();
        assert_eq!(dir.counters().take_trace(), []);
        if length < 60 << 10 {
            dir.counters().start_trace();
            log.append(&record).unwrap();
            let _durable = log.flush_and_sync().unwrap();
            let trace = dir.counters().take_trace();
            assert_eq!(
                operations(&trace),
                [Operation::Write, Operation::SyncData],
                "{length} bytes"
            );
        }
    }
    // However many entries go with it, and in batches too.
    dir.counters().start_trace();
    for id in 1..=100 {
        wal.append(&payload(id)).unwrap();
    }
    wal.append_batch(&[b"a", b"b"]).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    assert_eq!(
        operations(&dir.counters().take_trace()),
        [Operation::Write, Operation::Flush, Operation::SyncData]
    );
}

#[test]
fn a_flush_is_one_write_and_appending_within_the_buffer_none() {
    let dir = Dir::new(MemoryDirectory::new());
    let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new()).unwrap();
    dir.counters().start_trace();
    for id in 1..=100 {
        wal.append(&payload(id)).unwrap();
    }
    assert_eq!(dir.counters().take_trace(), []);
    dir.counters().start_trace();
    wal.flush().unwrap();
    assert_eq!(operations(&dir.counters().take_trace()), [Operation::Write, Operation::Flush]);
}

#[test]
fn replay_reads_in_blocks_of_64_kib_or_more() {
    let dir = Dir::new(MemoryDirectory::new());
    let path = Name::new("EVENTS.LOG").unwrap();
    let mut wal =
        RawWalWriter::open(dir.clone(), WalOptions::new().segment_bytes(1 << 20)).unwrap();
    let mut log = RecordLogWriter::open(dir.clone(), path, RecordLogOptions::new()).unwrap();
    for _ in 0..30_000 {
        wal.append(&[7; 64]).unwrap();
        log.append(&[7; 64]).unwrap();
    }
    wal.close().unwrap();
    log.close().unwrap();
    dir.counters().reset();
    dir.counters().start_trace();
    let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
    let headers = dir.counters().of(Operation::Read);
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    let mut count = 0;
    while entries.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 30_000);
    let segments = 3;
    assert_eq!(headers, segments);
    let counts = dir.counters().counts();
    let trace = dir.counters().take_trace();
    let reads = trace.iter().filter(|event| event.operation == Operation::Read).skip(3);
    // What is left of a block is kept, so that the room for the next read is a little less.
    assert!(
        reads.clone().all(|event| event.bytes >= (64 << 10)),
        "{:?}",
        reads.min_by_key(|event| event.bytes)
    );
    let bytes = 30_000 * 80 + 3 * 72;
    assert!(counts.of(Operation::Read) <= headers + bytes / (64 << 10) + 3 * 2, "{counts:?}");
    assert!(counts.bytes_read <= bytes + 3 * (72 + 200), "{counts:?}");

    dir.counters().reset();
    let mut reader =
        RecordLogReader::open(dir.clone(), path, ReadMode::Strict, RecordLogOptions::new())
            .unwrap();
    assert_eq!(reader.for_each(|_| ()).unwrap().records, 30_000);
    let counts = dir.counters().counts();
    assert!(counts.of(Operation::Read) <= bytes / (64 << 10) + 3, "{counts:?}");
}

#[test]
fn opening_a_log_of_a_hundred_sealed_segments_reads_headers_and_the_last_segment_only() {
    let options = || WalOptions::new().segment_bytes(4096).buffer_bytes(4096);
    let dir = Dir::new(MemoryDirectory::new());
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    let mut appended = 0_u64;
    while wal.segments().count() <= 100 {
        wal.append(&[3; 100]).unwrap();
        appended += 1;
    }
    let _durable = wal.flush_and_sync().unwrap();
    drop(wal);
    let counters = dir.counters();

    counters.reset();
    counters.start_trace();
    let wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    assert_eq!((wal.entry_count(), wal.segments().count()), (appended, 101));
    let counts = counters.counts();
    let tail_bytes = 72 + 120;
    // Had the log been closed, its end would have told all.
    let look_for_close = 72 + 24 + 20;
    let opens = 101 + 1 + 1;
    assert_eq!(counts.of(Operation::Open), opens, "every header, the tail's end, and the tail");
    assert!(counts.of(Operation::Read) <= 101 + 3 + 2, "{counts:?}");
    assert!(counts.bytes_read <= 101 * 72 + tail_bytes + look_for_close, "{counts:?}");
    assert_eq!((counts.of(Operation::SyncFile), counts.of(Operation::SyncDir)), (1, 1));
    assert_eq!(counts.of(Operation::Write), 0, "a clean end needs no repair");
    drop(wal);

    counters.reset();
    let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
    let counts = counters.counts();
    assert_eq!((counts.of(Operation::Read), counts.bytes_read), (101, 101 * 72));
    // From an id on, the segments before it are not opened.
    counters.reset();
    let from = durability_core::EntryId::new(appended - 10).unwrap();
    let mut entries = reader.range(ReadMode::Strict, from..).unwrap();
    while entries.next().unwrap().is_some() {}
    drop(entries);
    assert!(counters.of(Operation::Open) <= 2);
    assert_eq!(drain(&mut reader, ReadMode::Strict).unwrap().0.len() as u64, appended);
}

#[test]
fn publishing_prunes_by_headers_and_never_reads_the_entries_back() {
    use durability_core::publish::{CheckpointPublisher, PublishOptions};
    use durability_core::walog::WalWriter;
    let dir = Dir::new(MemoryDirectory::new());
    let mut wal =
        WalWriter::<u64, _>::open(dir.clone(), WalOptions::new().segment_bytes(4096)).unwrap();
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    for entry in 0..5000 {
        wal.append(&entry).unwrap();
    }
    dir.counters().reset();
    publisher.publish(&mut wal, &1_u64).unwrap();
    assert_eq!(dir.counters().counts().bytes_read, 0);
    assert_eq!(wal.segments().count(), 1);
}
