//! Hostile and damaged files: no panic, no garbage, and what can be opened can be gone on with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, read_checkpoint, write_checkpoint,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::{Error, ReadMode};
use proptest::prelude::*;

fn path() -> Name<'static> {
    Name::new("FILE.BIN").unwrap()
}

fn put(bytes: &[u8]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    dir.put(path(), bytes.to_vec());
    dir
}

fn log_options() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(256).read_bytes(256).record_bytes_max(2000)
}

fn checkpoint_options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

fn log_of(records: &[Vec<u8>], sync_every: usize) -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), log_options()).unwrap();
    for (n, record) in records.iter().enumerate() {
        log.append(record).unwrap();
        if n % sync_every == 0 {
            let _ = log.flush_and_sync().unwrap();
        }
    }
    drop(log);
    dir.contents(path()).unwrap()
}

/// One way to spoil a file.
#[derive(Debug, Clone)]
enum Spoil {
    Flip(prop::sample::Index, u8),
    Zero(prop::sample::Index, usize),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, usize),
    Append(Vec<u8>),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        (any::<prop::sample::Index>(), 1..=255_u8).prop_map(|(at, by)| Spoil::Flip(at, by)),
        (any::<prop::sample::Index>(), 1..600_usize).prop_map(|(at, count)| Spoil::Zero(at, count)),
        any::<prop::sample::Index>().prop_map(Spoil::Cut),
        (any::<prop::sample::Index>(), 1..600_usize)
            .prop_map(|(at, count)| Spoil::Repeat(at, count)),
        prop::collection::vec(any::<u8>(), 0..600).prop_map(Spoil::Append),
    ]
}

fn apply(bytes: &mut Vec<u8>, spoils: &[Spoil]) {
    for spoil in spoils {
        if let Spoil::Append(more) = spoil {
            bytes.extend_from_slice(more);
            continue;
        }
        if bytes.is_empty() {
            continue;
        }
        let length = bytes.len();
        match spoil {
            Spoil::Flip(at, by) => bytes[at.index(length)] ^= by,
            Spoil::Zero(at, count) => {
                let at = at.index(length);
                bytes[at..length.min(at + count)].fill(0);
            }
            Spoil::Cut(at) => bytes.truncate(at.index(length)),
            Spoil::Repeat(at, count) => {
                let at = at.index(length);
                let piece = bytes[at..length.min(at + count)].to_vec();
                bytes.extend_from_slice(&piece);
            }
            Spoil::Append(_) => {}
        }
    }
}

/// Strict reading implies best effort, asking again changes nothing, and resuming agrees with reading.
fn laws_of_any_log(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let read = |mode| {
        let mut reader = RecordLogReader::open(put(bytes), path(), mode, log_options())?;
        let first = reader.collect();
        if let Err(error) = &first {
            assert_eq!(reader.next().unwrap_err().to_string(), error.to_string());
        } else {
            assert!(reader.next().unwrap().is_none());
        }
        first
    };
    let found = read(ReadMode::BestEffort);
    if let Ok(strict) = read(ReadMode::Strict) {
        assert_eq!(&strict, found.as_ref().unwrap());
    }
    let dir = put(bytes);
    let resumed = RecordLogWriter::resume(dir.clone(), path(), log_options());
    let Ok(mut expected) = found else {
        assert!(resumed.is_err());
        assert_eq!(dir.contents(path()).unwrap(), bytes);
        return None;
    };
    let kept = expected.clone();
    let mut log = resumed.unwrap();
    for record in [&b"more"[..], &[0; 300], b""] {
        log.append(record).unwrap();
        expected.push(record.to_vec());
    }
    log.close().unwrap();
    let mut reader = RecordLogReader::open(dir, path(), ReadMode::Strict, log_options()).unwrap();
    assert_eq!(reader.collect().unwrap(), expected);
    Some(kept)
}

/// A type with lengths, strings, tags and options in it.
type Any =
    (Option<String>, Vec<(u64, char)>, std::collections::BTreeMap<u8, Vec<i16>>, Result<f32, bool>);

proptest! {
    #[test]
    fn any_bytes_are_a_log_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        laws_of_any_log(&bytes);
    }

    #[test]
    fn a_spoiled_log_is_a_prefix_or_an_error(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..12),
        sync_every in 1..6_usize,
        spoils in prop::collection::vec(spoil(), 1..4),
    ) {
        let mut bytes = log_of(&records, sync_every);
        apply(&mut bytes, &spoils);
        if let Some(found) = laws_of_any_log(&bytes) {
            prop_assert!(records.starts_with(&found));
        }
    }

    #[test]
    fn a_log_inside_of_a_torn_record_stays_a_payload(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..6),
        keep in 4..64_usize,
    ) {
        // The whole file of another log, as a record; cut short behind all of it.
        let inner = log_of(&records, 1);
        let outer = vec![b"first".to_vec(), [inner, vec![1; keep]].concat()];
        let mut bytes = log_of(&outer, 100);
        bytes.truncate(bytes.len() - keep);
        prop_assert_eq!(laws_of_any_log(&bytes), Some(outer[..1].to_vec()));
    }

    #[test]
    fn any_bytes_are_a_checkpoint_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read_checkpoint::<Vec<String>, _>(put(&bytes), path(), checkpoint_options());
    }

    #[test]
    fn a_spoiled_checkpoint_is_whole_or_refused(
        state in prop::collection::vec(".{0,80}", 0..20),
        spoils in prop::collection::vec(spoil(), 1..4),
    ) {
        let dir = MemoryDirectory::new();
        let meta = CheckpointMeta::default();
        let _ = write_checkpoint(&dir, path(), meta, checkpoint_options(), &state).unwrap();
        let mut bytes = dir.contents(path()).unwrap();
        apply(&mut bytes, &spoils);
        match read_checkpoint::<Vec<String>, _>(put(&bytes), path(), checkpoint_options()) {
            Ok((_, found)) => prop_assert_eq!(found, state),
            Err(Error::Corrupt(_) | Error::Unfinished { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn any_verified_state_is_of_its_type_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        // A checkpoint that verifies and holds anything: the decoder is what meets the hostile bytes.
        let dir = MemoryDirectory::new();
        let mut writer = durability_core::checkpoint::CheckpointWriter::create(
            &dir, path(), CheckpointMeta::default(), checkpoint_options(),
        ).unwrap();
        writer.write_all(&bytes).unwrap();
        let _ = writer.finish().unwrap();
        let streamed = CheckpointReader::open(&dir, path(), checkpoint_options()).unwrap().take::<Any>();
        match (streamed, postcard::take_from_bytes::<Any>(&bytes)) {
            (Ok(found), Ok((expected, _))) => prop_assert_eq!(format!("{found:?}"), format!("{expected:?}")),
            (Err(Error::Decode { source: Some(_), .. }), Err(_)) => {}
            (found, expected) => prop_assert!(false, "{found:?}, {expected:?}"),
        }
    }
}
