//! Laws of the end of a record log, found by fuzzing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::{EntryId, ReadMode};

fn name() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

fn options(alignment: u32) -> RecordLogOptions {
    RecordLogOptions::new().alignment(alignment).buffer_bytes(256).read_bytes(256)
}

fn records(dir: &MemoryDirectory) -> Vec<Vec<u8>> {
    RecordLogReader::open(dir, name(), ReadMode::Strict, options(4)).unwrap().collect().unwrap()
}

/// Cuts a log off at every byte from `from` on, resumes it, and demands the records that resuming found, and the new one.
fn cut_everywhere(whole: &[u8], from: usize, alignment: u32) {
    for cut in from..=whole.len() {
        let torn = MemoryDirectory::new();
        torn.put(name(), whole[..cut].to_vec());
        let mut log = RecordLogWriter::resume(&torn, name(), options(alignment)).unwrap();
        let found = log.last_record().map_or(0, EntryId::get);
        log.append(b"after").unwrap();
        log.close().unwrap();
        let records = records(&torn);
        assert_eq!(records.len() as u64, found + 1, "alignment {alignment}, cut at {cut}");
        assert_eq!(records.last().unwrap(), b"after");
    }
}

/// A frame whose last bytes are those that a gap is filled with must not come back to life when the gap is filled.
#[test]
fn no_filling_of_a_gap_makes_a_torn_record_whole() {
    for alignment in [4, 16] {
        for fill in [0x00, 0xFF, 0x55, 0xAA] {
            for length in 0..17 {
                let dir = MemoryDirectory::new();
                let mut log = RecordLogWriter::create(&dir, name(), options(alignment)).unwrap();
                log.append(b"one").unwrap();
                log.append(&[b"a", &vec![fill; length][..]].concat()).unwrap();
                drop(log);
                cut_everywhere(&dir.contents(name()).unwrap(), 32, alignment);
            }
        }
    }
}

/// The bytes of a resume frame end with zeros in every log below 16 MiB.
#[test]
fn no_filling_of_a_gap_makes_a_torn_resume_frame_whole() {
    for alignment in [4, 8, 64, 256] {
        let dir = MemoryDirectory::new();
        let mut log = RecordLogWriter::create(&dir, name(), options(alignment)).unwrap();
        log.append(b"one").unwrap();
        log.append(b"torn").unwrap();
        drop(log);
        let mut bytes = dir.contents(name()).unwrap();
        bytes.truncate(bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count() - 1);
        let from = bytes.len();
        dir.put(name(), bytes);
        let log = RecordLogWriter::resume(&dir, name(), options(alignment)).unwrap();
        drop(log);
        cut_everywhere(&dir.contents(name()).unwrap(), from, alignment);
    }
}

/// A record whose last bytes are those that a resume frame begins with, cut off within them, perhaps with zeros where the file grew: the resume frame must
/// not stand where it would complete the record.
#[test]
fn no_resume_frame_makes_a_torn_record_whole() {
    for alignment in [4, 8] {
        for (head, tail) in (0..9).flat_map(|head| (1..9).map(move |tail| (head, tail))) {
            let dir = MemoryDirectory::new();
            let mut log = RecordLogWriter::create(&dir, name(), options(alignment)).unwrap();
            log.append(b"one").unwrap();
            // Length 8, flags, and the position behind one record.
            let begin = [8, 0, 0, 0x30, 1, 0, 0, 0];
            log.append(&[&vec![b'a'; head][..], &begin[..tail]].concat()).unwrap();
            drop(log);
            let whole = dir.contents(name()).unwrap();
            for zeros in [0, 1, 5, 30] {
                for cut in 32..=whole.len() {
                    let torn = MemoryDirectory::new();
                    let bytes = [&whole[..cut], &vec![0; zeros][..]].concat();
                    torn.put(name(), bytes);
                    let mut log =
                        RecordLogWriter::resume(&torn, name(), options(alignment)).unwrap();
                    let found = log.last_record().map_or(0, EntryId::get);
                    log.append(b"after").unwrap();
                    log.close().unwrap();
                    let records = records(&torn);
                    assert_eq!(records.len() as u64, found + 1, "{head} {tail} {zeros} {cut}");
                    assert_eq!(records.last().unwrap(), b"after");
                }
            }
        }
    }
}

/// A record whose last bytes are zeros, cut off within them; then a second crash leaves zeros where the file grew. Resuming said that the
/// record is not there, so it never is again.
#[test]
fn what_resuming_gave_up_does_not_come_back_with_zeros() {
    for length in [1, 3, 20, 600] {
        let dir = MemoryDirectory::new();
        let mut log = RecordLogWriter::create(&dir, name(), options(4)).unwrap();
        log.append(b"one").unwrap();
        log.append(&[b"a", &vec![0; length][..]].concat()).unwrap();
        drop(log);
        let whole = dir.contents(name()).unwrap();
        for cut in 32..=whole.len() {
            dir.put(name(), whole[..cut].to_vec());
            let log = RecordLogWriter::resume(&dir, name(), options(4)).unwrap();
            let found = log.last_record();
            // What resuming has handed to the directory is taken for durable, what waits in the buffer is not.
            let mut bytes = dir.contents(name()).unwrap();
            drop(log);
            bytes.resize(bytes.len() + 700, 0);
            dir.put(name(), bytes);
            let log = RecordLogWriter::resume(&dir, name(), options(4)).unwrap();
            assert_eq!(log.last_record(), found, "{length} zeros, cut at {cut}");
        }
    }
}
