//! Frames that verify and that no writer puts there: told as what they are by whoever reads or follows.

use alloc::vec::Vec;

use super::{RawFollower, RawWalReader, RawWalWriter, Reach, WalOptions};
use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags};
use crate::bytes::header::segment_salt;
use crate::error::{CorruptionKind, Error};
use crate::storage::{MemoryDirectory, MemoryError, Name};
use crate::{EntryId, ReadMode};

const PLAIN: Flags = Flags { synced: false, control: false, more: false };

fn options() -> WalOptions {
    WalOptions::new().log_id(7).alignment(4).buffer_bytes(256).read_bytes(256)
}

/// A log of these frames: flags, position, payload.
fn crafted(frames: &[(Flags, u32, Vec<u8>)]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    drop(RawWalWriter::open(dir.clone(), options()).unwrap());
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut bytes = dir.contents(name).unwrap();
    let crc = Crc::detect();
    let codec = Codec::new(crc, segment_salt(crc, 7, 1), 4);
    for (flags, position, payload) in frames {
        let length = u32::try_from(payload.len()).unwrap();
        let (head, _) = codec.encode(bytes.len() as u64, *flags, *position, length, |crc, seed| {
            crc.update(seed, payload)
        });
        bytes.extend(head);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    dir.put(name, bytes);
    dir
}

/// What everyone who reads such a log comes to: how many entries, and the error.
fn found(dir: &MemoryDirectory) -> Vec<(u32, Option<Error<MemoryError>>)> {
    let mut found = Vec::new();
    for mode in [ReadMode::Strict, ReadMode::BestEffort] {
        let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
        let mut entries = reader.entries(mode).unwrap();
        let mut count = 0;
        let error = loop {
            match entries.next() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        found.push((count, error));
    }
    for reach in [Reach::Written, Reach::Durable] {
        let mut follower = RawFollower::new(dir.clone(), options(), EntryId::FIRST, reach).unwrap();
        let (mut count, mut nothing) = (0, 0);
        let error = loop {
            match follower.next() {
                Ok(Some(_)) => count += 1,
                Ok(None) if nothing == 70 => break None,
                Ok(None) => nothing += 1,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = &error {
            let again = follower.next().map(drop).unwrap_err();
            assert_eq!(alloc::format!("{error}"), alloc::format!("{again}"), "asked again");
        }
        found.push((count, error));
    }
    found
}

fn control(payload: &[u8]) -> (Flags, u32, Vec<u8>) {
    (Flags { control: true, synced: true, ..PLAIN }, 1, payload.to_vec())
}

fn of(control: Control) -> Vec<u8> {
    let (bytes, length) = control.encode();
    bytes[..length].to_vec()
}

#[test]
fn what_a_control_frame_may_not_say_is_damage_or_of_a_later_version() {
    let one = || (PLAIN, 1, b"one!".to_vec());
    // The last one tells that all before it is durable.
    let last = (Flags { synced: true, ..PLAIN }, 2, b"two!".to_vec());
    let frame = |payload: &[u8]| crafted(&[one(), control(payload), last.clone()]);
    let close = of(Control::Close);
    for says in [
        of(Control::Resume { dead_from: 72 }),
        of(Control::End { chunks: 1, bytes: 2, chain: 3 }),
        [close.as_slice(), &[0]].concat(),
    ] {
        for (count, error) in found(&frame(&says)) {
            assert_eq!(count, 1);
            let Some(Error::Corrupt(found)) = error else { panic!("{says:?}: {error:?}") };
            assert_eq!(found.kind, CorruptionKind::Control, "{says:?}");
        }
    }
    for (count, error) in found(&frame(&[77])) {
        assert!(matches!(error, Some(Error::NewerFrame { .. })), "{error:?}");
        assert_eq!(count, 1);
    }
    // Marks, and what an older reader may pass over. Nothing proves that the last entry is durable.
    for says in [close, of(Control::Mark), of(Control::Prune { oldest: 1 }), alloc::vec![200, 1]] {
        for (index, (count, error)) in found(&frame(&says)).into_iter().enumerate() {
            assert!(error.is_none(), "{says:?}: {error:?}");
            assert_eq!(count, if index == 3 { 1 } else { 2 }, "{says:?}");
        }
    }
}

#[test]
fn a_control_frame_within_a_batch_is_damage() {
    let more = Flags { more: true, ..PLAIN };
    let dir = crafted(&[
        (more, 1, b"one!".to_vec()),
        (Flags { control: true, ..PLAIN }, 1, of(Control::Mark)),
        (PLAIN, 2, b"two!".to_vec()),
    ]);
    for (count, error) in found(&dir) {
        assert_eq!(count, 0);
        let Some(Error::Corrupt(found)) = error else { panic!("{error:?}") };
        assert_eq!(found.kind, CorruptionKind::Control);
    }
}

/// A segment of the same log and number, whose frames all verify, and which is not the one that its successor has sealed.
#[test]
fn a_sealed_segment_that_is_not_as_its_successor_says_is_damage() {
    let options = || options().segment_bytes(256);
    let log = |fill: u8, records: &[usize]| {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        for &bytes in records {
            wal.append(&alloc::vec![fill; bytes]).unwrap();
        }
        assert_eq!(wal.tail_segment(), 1);
        wal.append(&[9; 200]).unwrap();
        assert_eq!(wal.tail_segment(), 2);
        wal.append(b"last").unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        drop(wal);
        dir
    };
    let name = Name::new("wal/00000001.WAL").unwrap();
    let whole = log(1, &[40, 40]);
    // One entry less, in as many bytes; one that is shorter; one that is longer; and as many of as many bytes, with other bytes in them.
    for (records, expected) in [
        (&[96][..], "entries"),
        (&[40, 30][..], "end"),
        (&[40, 60][..], "end"),
        (&[40, 40][..], "checksum"),
    ] {
        let other = log(2, records);
        let dir = MemoryDirectory::new();
        for file in whole.names() {
            let file = Name::new(&file).unwrap();
            dir.put(file, whole.contents(file).unwrap());
        }
        dir.put(name, other.contents(name).unwrap());
        for (_, error) in found(&dir) {
            let Some(Error::Corrupt(found)) = error else { panic!("{records:?}: {error:?}") };
            let told = match found.kind {
                CorruptionKind::SealedEnd { .. } | CorruptionKind::Absent { .. } => "end",
                CorruptionKind::SealedEntries { .. } => "entries",
                CorruptionKind::SealedChecksum { .. } => "checksum",
                other => panic!("{records:?}: {other:?}"),
            };
            assert_eq!(told, expected, "{records:?}");
        }
    }
}
