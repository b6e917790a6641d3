//! Laws of torn records that end with many zeros: more than the room that is given up to stay clear of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::{EntryId, ReadMode};

fn name() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

fn options() -> RecordLogOptions {
    RecordLogOptions::new().alignment(4)
}

/// A log of one record, and a second one that ends with `zeros` zeros.
fn whole(zeros: usize) -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(&dir, name(), options()).unwrap();
    log.append(b"one").unwrap();
    log.append(&[b"a", &vec![0; zeros][..]].concat()).unwrap();
    drop(log);
    dir.contents(name()).unwrap()
}

/// As `what_resuming_gave_up_does_not_come_back_with_zeros`, with the end of the torn record farther away than the next frame is moved for it.
#[test]
fn what_resuming_gave_up_does_not_come_back_with_many_zeros() {
    for zeros in [5000, 9000] {
        let whole = whole(zeros);
        for cut in [68, 69, 70, 71, 72, 100, 133, 600] {
            let dir = MemoryDirectory::new();
            dir.put(name(), whole[..cut].to_vec());
            let log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
            let found = log.last_record();
            // What resuming has handed to the directory is taken for durable, what waits in the buffer is not.
            let mut bytes = dir.contents(name()).unwrap();
            drop(log);
            bytes.resize(whole.len() + 700, 0);
            dir.put(name(), bytes);
            let log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
            assert_eq!(log.last_record(), found, "{zeros} zeros, cut at {cut}");
        }
    }
}

/// The same, and a frame of the lost run is kept behind the zeros: what is read then is no prefix of what any run has appended.
#[test]
fn a_dead_record_of_many_zeros_and_a_later_frame_never_make_a_log_together() {
    let whole = whole(8191);
    let cut = 100;
    let dir = MemoryDirectory::new();
    dir.put(name(), whole[..cut].to_vec());
    let mut log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
    assert_eq!(log.last_record().map(EntryId::get), Some(1));
    let durable = dir.contents(name()).unwrap();
    // The second record of this run ends where the dead one was to end.
    let resume_and_header = 24 + 16;
    log.append(&vec![b'b'; whole.len() - durable.len() - resume_and_header]).unwrap();
    log.append(b"third").unwrap();
    log.flush().unwrap();
    let mut bytes = dir.contents(name()).unwrap();
    drop(log);
    // The crash keeps the last sector of what was not synced, and zeros before it.
    bytes[durable.len()..whole.len()].fill(0);
    let dir = MemoryDirectory::new();
    dir.put(name(), bytes);
    let mut log = RecordLogReader::open(&dir, name(), ReadMode::BestEffort, options()).unwrap();
    let lengths: Vec<_> = log.collect().unwrap().iter().map(Vec::len).collect();
    assert_eq!(
        lengths,
        [3],
        "appended: 3, then 8192 that was given up, or 3, {}, 5",
        whole.len() - durable.len() - 40
    );
}

/// The filling stays what it is when it is met again: it is no room.
#[test]
fn opening_again_and_again_keeps_dead_records_dead() {
    for zeros in [1, 3, 20, 600, 4000, 4090, 4100, 9000] {
        let whole = whole(zeros);
        for cut in 52..whole.len().min(120) {
            for kept_zeros in [0, 1, 5, 4096, 5000] {
                let mut bytes = whole[..cut].to_vec();
                bytes.resize((cut + kept_zeros).min(whole.len() - 1).max(cut), 0);
                let dir = MemoryDirectory::new();
                dir.put(name(), bytes);
                let mut found = None;
                for round in 0..3 {
                    let log = RecordLogWriter::resume(&dir, name(), options()).unwrap();
                    let now = log.last_record();
                    assert_eq!(
                        *found.get_or_insert(now),
                        now,
                        "{zeros} zeros, cut {cut}+{kept_zeros}, round {round}"
                    );
                    let mut bytes = dir.contents(name()).unwrap();
                    drop(log);
                    if round > 0 {
                        bytes.resize(bytes.len().max(whole.len()) + 700, 0);
                    }
                    dir.put(name(), bytes);
                }
            }
        }
    }
}
