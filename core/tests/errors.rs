//! Errors: each says which file, where and what, and is of its own kind alone.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    reason = "a failed expectation is what fails a test"
)]

use std::collections::BTreeSet;

use durability_core::embedded_io::{Error as _, ErrorKind};
use durability_core::storage::{MemoryError, Name, NameBuf};
use durability_core::{Corruption, CorruptionKind, EntryId, Error, Limit, Operation, ReadMode};

type Failed = Error<MemoryError>;

const OPERATIONS: [Operation; 13] = [
    Operation::Open,
    Operation::Create,
    Operation::Reopen,
    Operation::Read,
    Operation::Write,
    Operation::Flush,
    Operation::Sync,
    Operation::SyncDir,
    Operation::Remove,
    Operation::Rename,
    Operation::List,
    Operation::Lock,
    Operation::Trim,
];

const LIMITS: [Limit; 9] = [
    Limit::RecordBytes,
    Limit::BatchBytes,
    Limit::BatchEntries,
    Limit::FileBytes,
    Limit::Segments,
    Limit::FileNumbers,
    Limit::EntryIds,
    Limit::CheckpointBytes,
    Limit::Memory,
];

fn file() -> NameBuf {
    Name::new("wal/00000001.WAL").unwrap().into()
}

fn store(source: MemoryError) -> Failed {
    Error::Store { operation: Operation::SyncDir, file: file(), source }
}

fn corrupt() -> Failed {
    let (entry_id, kind) = (EntryId::new(7), CorruptionKind::FrameHeader);
    // The type is open to new fields: it is made by reading, and here by changing one that was.
    let mut corruption = damaged();
    (corruption.offset, corruption.entry_id, corruption.kind) = (72, entry_id, kind);
    Error::Corrupt(corruption)
}

/// What is said of bytes that are no record log.
fn damaged() -> Corruption {
    use durability_core::recordlog::{RecordLogOptions, RecordLogReader};
    use durability_core::storage::MemoryDirectory;
    let dir = MemoryDirectory::new();
    dir.put(file().as_name(), vec![7; 4096]);
    let options = RecordLogOptions::new();
    match RecordLogReader::open(&dir, file().as_name(), ReadMode::Strict, options) {
        Err(Error::Corrupt(corruption)) => corruption,
        other => unreachable!("{other:?}"),
    }
}

fn decode(entry_id: Option<EntryId>, source: Option<postcard::Error>) -> Failed {
    Error::Decode { file: file(), offset: 72, entry_id, source }
}

#[test]
fn an_error_says_which_file_where_and_what() {
    let at = |error: Failed| error.to_string();
    for (text, expected) in [
        (
            at(store(MemoryError::NoSpace)),
            "cannot sync the folder of wal/00000001.WAL: no space left in the memory directory",
        ),
        (
            at(corrupt()),
            "wal/00000001.WAL is damaged at 72 (entry 7): a frame's header does not verify",
        ),
        (
            at(Error::TornTail { file: file(), offset: 96, bytes: 5, last_id: EntryId::new(3) }),
            "wal/00000001.WAL has a torn tail of 5 bytes at 96; the last whole entry is 3",
        ),
        (
            at(Error::Gap { needed: EntryId::FIRST, first: EntryId::new(4), last: None }),
            "entry 1 is needed, but the log holds 4 to none",
        ),
        (
            at(Error::Held { file: file(), holder: Some(42) }),
            "wal/00000001.WAL is held by process 42",
        ),
        (
            at(Error::Held { file: file(), holder: None }),
            "wal/00000001.WAL is held by another writer",
        ),
        (
            at(decode(EntryId::new(2), None)),
            "wal/00000001.WAL: the bytes at 72 (entry 2) are not of the type asked for: bytes are left over",
        ),
        (
            at(Error::Limit { what: Limit::RecordBytes, found: 9, limit: 8 }),
            "the size of the record in bytes is 9, the limit is 8",
        ),
    ] {
        assert_eq!(text, expected);
    }
    let reason = postcard::Error::DeserializeUnexpectedEnd;
    let text = at(decode(None, Some(reason.clone())));
    assert!(
        text.ends_with(&format!("(entry none) are not of the type asked for: {reason}")),
        "{text}"
    );
}

#[test]
fn no_two_operations_and_no_two_limits_are_told_in_the_same_words() {
    let operations: BTreeSet<String> = OPERATIONS.iter().map(ToString::to_string).collect();
    let limits: BTreeSet<String> = LIMITS.iter().map(ToString::to_string).collect();
    assert_eq!((operations.len(), limits.len()), (OPERATIONS.len(), LIMITS.len()));
}

#[test]
fn an_error_is_of_its_own_kind_alone() {
    for (error, expected) in [
        (store(MemoryError::NoSpace), [true, false, false]),
        (corrupt(), [false, true, false]),
        (store(MemoryError::Unsupported), [false, false, true]),
        (store(MemoryError::NotFound), [false, false, false]),
        (Error::Exists { file: file() }, [false, false, false]),
    ] {
        let found = [error.is_no_space(), error.is_corruption(), error.is_unsupported()];
        assert_eq!(found, expected, "{error}");
    }
}

/// Whoever sees a checkpoint as a stream of `embedded_io` knows no more of an error than this.
#[test]
fn an_error_keeps_its_kind_when_it_goes_through_a_stream() {
    let offset = 72;
    for (error, kind) in [
        (store(MemoryError::NoSpace), ErrorKind::OutOfMemory),
        (Error::NoProgress { file: file(), offset }, ErrorKind::WriteZero),
        (corrupt(), ErrorKind::InvalidData),
        (Error::Unfinished { file: file(), offset }, ErrorKind::InvalidData),
        (decode(None, None), ErrorKind::InvalidData),
        (Error::Newer { file: file(), version: 2, form: 0, features: 0 }, ErrorKind::Unsupported),
        (Error::NewerFrame { file: file(), offset }, ErrorKind::Unsupported),
        (Error::Exists { file: file() }, ErrorKind::AlreadyExists),
        (Error::Missing { file: file() }, ErrorKind::NotFound),
        (Error::BadOption { option: "keep", found: 0, min: 1, max: 9 }, ErrorKind::InvalidInput),
        (Error::Poisoned { file: file() }, ErrorKind::Other),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
    }
}
