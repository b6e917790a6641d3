//! A record log in lent memory writes, finds and refuses what one with a heap does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed expectation is what fails a test"
)]

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::{Error, Limit, ReadMode};

/// Lengths of memory that is lent: what does not fill 256 bytes is not used.
const LENT: [usize; 6] = [256, 257, 300, 511, 512, 1000];
const HEADER: usize = 16;

fn path() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

const fn usable(lent: usize) -> usize {
    lent / 256 * 256
}

fn contents(dir: &MemoryDirectory) -> Vec<u8> {
    dir.contents(path()).unwrap()
}

/// Cuts the file short by so many bytes.
fn tear(dir: &MemoryDirectory, bytes: usize) {
    let mut whole = contents(dir);
    whole.truncate(whole.len() - bytes);
    dir.put(path(), whole);
}

/// What a life does with a log, whichever writer it is.
macro_rules! live {
    ($log:expr, $life:expr, $longest:expr) => {{
        let mut log = $log;
        for record in 0..20_usize {
            let bytes = vec![$life; (record * 37) % ($longest + 1)];
            let _id = log.append(&bytes).unwrap();
            if record % 7 == 0 {
                let _durable = log.flush_and_sync().unwrap();
            }
        }
        if $life % 2 == 0 { log.close().unwrap() } else { log.flush().unwrap() }
    }};
}

#[test]
fn it_leaves_the_same_bytes_as_the_writer_with_a_heap() {
    for lent in LENT {
        let longest = usable(lent) - HEADER;
        let (fixed, heap) = (MemoryDirectory::new(), MemoryDirectory::new());
        let own = RecordLogOptions::new()
            .buffer_bytes(u32::try_from(usable(lent)).unwrap())
            .read_bytes(u32::try_from(usable(lent)).unwrap());
        let mut memory = vec![0; lent];
        for life in 0..6_u8 {
            let (dir, options) = (fixed.clone(), RecordLogOptions::new());
            let log = match life {
                0 => RecordLogWriter::create_in(dir, path(), options, &mut memory),
                1 => RecordLogWriter::resume_in(dir, path(), options, &mut memory),
                _ => RecordLogWriter::open_in(dir, path(), options, &mut memory),
            };
            live!(log.unwrap(), life, longest);
            live!(RecordLogWriter::open(heap.clone(), path(), own).unwrap(), life, longest);
            assert!(contents(&fixed) == contents(&heap), "{lent} bytes lent, life {life}");
            tear(&fixed, usize::from(life) * 5);
            tear(&heap, usize::from(life) * 5);
            let mut reader = RecordLogReader::open_in(
                fixed.clone(),
                path(),
                ReadMode::BestEffort,
                RecordLogOptions::new(),
                &mut memory,
            )
            .unwrap();
            let mut found = Vec::new();
            while let Some(record) = reader.next().unwrap() {
                found.push(record.payload.to_vec());
            }
            let mut reader =
                RecordLogReader::open(heap.clone(), path(), ReadMode::BestEffort, own).unwrap();
            assert!(found == reader.collect().unwrap(), "{lent} bytes lent, life {life}");
        }
    }
}

#[test]
fn the_longest_record_that_the_memory_holds_is_taken_and_read_and_no_longer_one() {
    for lent in LENT {
        let longest = usable(lent) - HEADER;
        let (dir, options) = (MemoryDirectory::new(), RecordLogOptions::new());
        let mut memory = vec![0; lent];
        let mut log =
            RecordLogWriter::create_in(dir.clone(), path(), options, &mut memory).unwrap();
        let refused = log.append(&vec![1; longest + 1]);
        let (found, limit) = (longest as u64 + 1, longest as u64);
        assert!(
            matches!(
                refused,
                Err(Error::Limit { what: Limit::RecordBytes, found: f, limit: l }) if (f, l) == (found, limit)
            ),
            "{lent}: {refused:?}"
        );
        let _id = log.append(&vec![2; longest]).unwrap();
        log.close().unwrap();
        let mut reader =
            RecordLogReader::open_in(dir, path(), ReadMode::Strict, options, &mut memory).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().payload, vec![2; longest]);
        assert!(reader.next().unwrap().is_none());
    }
}

#[test]
fn a_limit_of_ones_own_is_kept_in_lent_memory() {
    let options = RecordLogOptions::new().record_bytes_max(10);
    let mut memory = [0; 256];
    let mut log =
        RecordLogWriter::create_in(MemoryDirectory::new(), path(), options, &mut memory).unwrap();
    assert!(matches!(log.append(&[0; 11]), Err(Error::Limit { limit: 10, .. })));
    let _id = log.append(&[0; 10]).unwrap();
}

#[test]
fn a_record_that_the_memory_does_not_hold_is_no_torn_tail() {
    let (dir, options) = (MemoryDirectory::new(), RecordLogOptions::new());
    let mut log = RecordLogWriter::create(dir.clone(), path(), options).unwrap();
    let _id = log.append(&[7; 241]).unwrap();
    log.close().unwrap();
    let before = contents(&dir);
    let mut memory = [0; 256];
    let too_long = |error: Error<MemoryError>| {
        assert!(
            matches!(error, Error::Limit { what: Limit::RecordBytes, found: 241, limit: 240 }),
            "{error}"
        );
    };
    let resumed = RecordLogWriter::resume_in(dir.clone(), path(), options, &mut memory);
    too_long(resumed.err().unwrap());
    let mut reader =
        RecordLogReader::open_in(dir.clone(), path(), ReadMode::BestEffort, options, &mut memory)
            .unwrap();
    too_long(reader.next().err().unwrap());
    assert_eq!(contents(&dir), before);
}

#[test]
fn less_than_256_bytes_are_refused_with_nothing_done() {
    let dir = MemoryDirectory::new();
    for lent in [0, 1, 255] {
        let mut memory = vec![0; lent];
        let options = RecordLogOptions::new();
        let created = RecordLogWriter::create_in(dir.clone(), path(), options, &mut memory);
        let Err(Error::BadOption { option: "buffer_bytes", min: 256, .. }) = created else {
            panic!("{lent} bytes lent: {created:?}");
        };
        assert!(dir.names().is_empty());
    }
}
