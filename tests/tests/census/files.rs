//! The census of record logs and checkpoints.

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, read_checkpoint, write_checkpoint,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::{EntryId, Error, ReadMode};

use crate::common::format::{CHECKPOINT_HEADER, Codec};
use crate::common::payload;
use crate::predict::{File, Prediction};
use crate::{Census, Outcome, case, damages};

fn path() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

fn options() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(256).read_bytes(256)
}

fn put(bytes: Option<&[u8]>) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    if let Some(bytes) = bytes {
        dir.put(path(), bytes.to_vec());
    }
    dir
}

fn append(log: &mut RecordLogWriter<MemoryDirectory>, count: u64) {
    for _ in 0..count {
        let next = log.last_record().map_or(1, |last| last.get() + 1);
        log.append(&payload(next)).unwrap();
        let _durable = log.flush_and_sync().unwrap();
    }
}

/// A record log, all of it durable.
fn record_log(options: RecordLogOptions, close: bool, torn: bool) -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), options).unwrap();
    append(&mut log, 4);
    if torn {
        log.append(&[0x5A; 100]).unwrap();
        drop(log);
        let mut bytes = dir.contents(path()).unwrap();
        bytes.truncate(bytes.len() - 40);
        dir.put(path(), bytes);
        log = RecordLogWriter::resume(dir.clone(), path(), options).unwrap();
        append(&mut log, 3);
    }
    if close {
        log.close().unwrap();
    } else {
        drop(log);
    }
    dir.contents(path()).unwrap()
}

type Read = Result<(Vec<Vec<u8>>, u64), Error<MemoryError>>;

fn read(dir: &MemoryDirectory, mode: ReadMode) -> Read {
    let mut reader = RecordLogReader::open(dir.clone(), path(), mode, options())?;
    let records = reader.collect()?;
    Ok((records, reader.report().torn_bytes))
}

fn judge_log(
    right: &[Vec<u8>],
    damaged: Option<&[u8]>,
    prediction: Prediction,
    case: &str,
) -> Outcome {
    let dir = put(damaged);
    let (lenient, strict) = (read(&dir, ReadMode::BestEffort), read(&dir, ReadMode::Strict));
    if damaged.is_none() {
        assert!(matches!(lenient, Err(Error::Missing { .. })));
        return Outcome::Detected;
    }
    assert_eq!(dir.contents(path()).as_deref(), damaged, "{case}: a reader changed something");
    let resumed = RecordLogWriter::resume(dir.clone(), path(), options());
    let (entries, torn) = match prediction {
        Prediction::Detected => {
            for result in [lenient, strict, resumed.map(|_| (Vec::new(), 0))] {
                assert!(result.is_err_and(|error| error.is_corruption()), "{case}");
            }
            assert_eq!(dir.contents(path()).as_deref(), damaged, "{case}: refused, and changed");
            return Outcome::Detected;
        }
        // No header, and nothing behind it: an unfinished creation.
        Prediction::WithoutFile => {
            (0, damaged.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)))
        }
        Prediction::Shows { entries, torn_at } => (entries as usize, torn_at.is_some()),
    };
    let (found, torn_bytes) = lenient.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(found, right[..entries], "{case}");
    assert_eq!(torn_bytes > 0, torn, "{case}");
    match strict {
        Ok((found, _)) => assert!(!torn && found == right[..entries], "{case}"),
        // A creation that was cut short is told in strict mode, whatever is there of it.
        Err(Error::TornTail { .. }) => {
            assert!(torn || prediction == Prediction::WithoutFile, "{case}");
        }
        Err(other) => panic!("{case}: {other}"),
    }
    let mut log = resumed.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(log.last_record(), EntryId::new(entries as u64), "{case}");
    log.append(b"next").unwrap();
    log.close().unwrap();
    let (after, _) = read(&dir, ReadMode::Strict).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(after.len(), entries + 1, "{case}");
    if entries == right.len() { Outcome::Harmless } else { Outcome::Window }
}

#[test]
fn every_damage_to_a_record_log_is_detected_harmless_or_in_the_window() {
    let marks = options().mark_after_sync(true);
    for (name, bytes) in [
        ("record log", record_log(options(), false, false)),
        ("record log, closed", record_log(options(), true, false)),
        ("record log, marks", record_log(marks, false, false)),
        ("record log, alignment 32", record_log(options().alignment(32), false, false)),
        ("record log, resumed", record_log(options(), false, true)),
        ("record log, resumed, closed", record_log(options(), true, true)),
    ] {
        let (right, _) = read(&put(Some(&bytes)), ReadMode::Strict).unwrap();
        let file = File::record_log(&bytes);
        assert_eq!(file.entries() as usize, right.len());
        let mut census = Census::default();
        damages::each(&bytes, |kind, damaged| {
            let changed =
                damaged.and_then(|damaged| damaged.iter().zip(&bytes).position(|(a, b)| a != b));
            let length = damaged.map(<[u8]>::len);
            let case = case(format_args!("{name}, {kind}, from {changed:?}, {length:?} bytes"));
            census.add(kind, judge_log(&right, damaged, file.predict(damaged), &case));
        });
        println!("{name}: {} bytes{census}", bytes.len());
        if name.contains("marks") || name.contains("closed") {
            assert_eq!(census.of_kind("flipped bits", Outcome::Window), 0, "{name}");
        }
    }
}

#[test]
fn every_damage_to_a_checkpoint_is_detected_or_harmless() {
    let state: Vec<String> = (0..40).map(|number| format!("item {number}")).collect();
    let dir = MemoryDirectory::new();
    let meta = CheckpointMeta { log_id: 7, last_id: EntryId::new(9), tag: 3, segment: 0 };
    let small = CheckpointOptions::new().chunk_bytes(256).read_bytes(256);
    let _written = write_checkpoint(&dir, path(), meta, small, &state).unwrap();
    let bytes = dir.contents(path()).unwrap();
    let frames = Codec::of_file(&bytes, CHECKPOINT_HEADER).frames(&bytes);
    let counts = |at: usize| {
        at < CHECKPOINT_HEADER || frames.iter().any(|frame| frame.bytes().contains(&at))
    };
    let mut census = Census::default();
    damages::each(&bytes, |kind, damaged| {
        let case = case(format_args!("checkpoint, {kind}"));
        let dir = put(damaged);
        let touched = damaged.is_none_or(|damaged| {
            (0..bytes.len()).any(|at| counts(at) && damaged.get(at) != Some(&bytes[at]))
        });
        match read_checkpoint::<Vec<String>, _>(&dir, path(), small) {
            Ok(found) => {
                assert!(found == (meta, state.clone()) && !touched, "{case}");
                census.add(kind, Outcome::Harmless);
            }
            Err(Error::Corrupt(_) | Error::Unfinished { .. } | Error::Missing { .. }) => {
                assert!(touched, "{case}: nothing that counts was touched");
                census.add(kind, Outcome::Detected);
            }
            Err(other) => panic!("{case}: {other}"),
        }
    });
    println!("checkpoint: {} bytes{census}", bytes.len());
    assert_eq!(census.of(Outcome::Window), 0);
}
