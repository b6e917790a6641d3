//! The limit is the caller's, and on the caller's records: what the library writes into a log beside them is not counted.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is what fails a test")]

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, WalOptions, WalWriter};
use durability_core::{EntryId, ReadMode};

#[test]
fn a_record_log_of_one_byte_records_goes_on_behind_a_torn_tail() {
    let dir = MemoryDirectory::new();
    let path = Name::new("LOG").unwrap();
    let options = RecordLogOptions::new().record_bytes_max(1).mark_after_sync(true);
    let mut log = RecordLogWriter::create(dir.clone(), path, options).unwrap();
    for _ in 0..3 {
        log.append(b"x").unwrap();
        let _durable = log.flush_and_sync().unwrap();
    }
    drop(log);
    let mut bytes = dir.contents(path).unwrap();
    bytes.extend([7; 5]);
    dir.put(path, bytes);
    for _ in 0..2 {
        let mut log = RecordLogWriter::open(dir.clone(), path, options).unwrap();
        log.append(b"y").unwrap();
        log.close().unwrap();
    }
    let mut reader = RecordLogReader::open(&dir, path, ReadMode::Strict, options).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        found.extend_from_slice(record.payload);
    }
    assert_eq!(found, b"xxxyy");
}

#[test]
fn a_log_of_one_byte_records_takes_marks_truncations_and_checkpoints() {
    let dir = MemoryDirectory::new();
    let options = || WalOptions::new().record_bytes_max(1).segment_bytes(128).mark_after_sync(true);
    let mut sum = 0;
    for life in 0..4_u64 {
        let mut wal = WalWriter::<u8, _>::open(dir.clone(), options()).unwrap();
        for _ in 0..10 {
            wal.append(&1).unwrap();
        }
        sum += 10;
        let _durable = wal.flush_and_sync().unwrap();
        if life == 2 {
            wal.truncate_suffix(wal.last_entry_id().unwrap()).unwrap();
            sum -= 1;
        }
        let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
        publisher.publish(&mut wal, &sum).unwrap();
        let last = wal.last_entry_id().map(EntryId::get);
        assert_eq!(last, Some(sum));
        wal.close().unwrap();
        // An open log is scanned when it is opened, a closed one is not: who reads it meets what is between the entries.
        let mut reader = RawWalReader::open(&dir, options()).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        while entries.next().unwrap().is_some() {}
        assert_eq!(entries.report().last_id.map(EntryId::get), Some(sum));
    }
}
