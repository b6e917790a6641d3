//! Laws of compact frames: what they cost, what their short headers must not be trusted with, and logs that have both forms. The laws of all logs are run on
//! them, too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    RawFollower, RawWalReader, RawWalWriter, Reach, WalOptions, WalReader, WalWriter,
};
use durability_core::{EntryId, Error, ReadMode, crc32c};

#[path = "follow.rs"]
mod follow;
#[path = "random.rs"]
mod random;
#[path = "staged.rs"]
mod staged;
#[path = "wal.rs"]
mod wal;
#[path = "wal_tail.rs"]
mod wal_tail;

const LOG_ID: u64 = 7;

fn full() -> WalOptions {
    WalOptions::new().segment_bytes(1 << 16).buffer_bytes(256).read_bytes(256).log_id(LOG_ID)
}

fn compact() -> WalOptions {
    full().compact_frames(true)
}

fn segment(number: u32) -> String {
    format!("wal/{number:08X}.WAL")
}

fn contents(dir: &MemoryDirectory, number: u32) -> Vec<u8> {
    dir.contents(Name::new(&segment(number)).unwrap()).unwrap()
}

fn put(dir: &MemoryDirectory, number: u32, bytes: Vec<u8>) {
    dir.put(Name::new(&segment(number)).unwrap(), bytes);
}

fn open(dir: &MemoryDirectory, options: WalOptions) -> RawWalWriter<MemoryDirectory> {
    RawWalWriter::open(dir.clone(), options).unwrap()
}

fn replay(dir: &MemoryDirectory, options: WalOptions) -> Result<Vec<Vec<u8>>, Error<MemoryError>> {
    let mut reader = RawWalReader::open(dir.clone(), options)?;
    let mut entries = reader.entries(ReadMode::BestEffort)?;
    let mut all = Vec::new();
    while let Some(entry) = entries.next()? {
        assert_eq!(entry.id.get(), all.len() as u64 + 1);
        all.push(entry.payload.to_vec());
    }
    Ok(all)
}

#[test]
fn a_record_that_is_synced_costs_its_own_bytes_and_eight() {
    for (payload_bytes, frame_bytes) in [(32, 40), (256, 264), (0, 8), (1, 12)] {
        for (options, more) in [(compact(), 0), (full(), 8)] {
            let dir = MemoryDirectory::new();
            let mut wal = open(&dir, options);
            for _ in 0..100 {
                wal.append(&vec![7; payload_bytes]).unwrap();
                let _durable = wal.flush_and_sync().unwrap();
            }
            assert_eq!(contents(&dir, 1).len(), 72 + 100 * (frame_bytes + more));
        }
    }
}

#[test]
fn a_log_may_have_both_forms_and_every_reader_reads_both() {
    let dir = MemoryDirectory::new();
    let mut expected = Vec::new();
    for round in 0..5_u8 {
        let options = if round % 2 == 0 { full() } else { compact() };
        let mut wal = open(&dir, options);
        assert_eq!(wal.entry_count(), expected.len() as u64);
        for number in 0..4 {
            expected.push(vec![number; 10 * usize::from(round)]);
            wal.append(expected.last().unwrap()).unwrap();
        }
        assert_eq!(wal.tail_segment(), u32::from(round) + 1, "the tail is of the other form");
        if round == 2 {
            drop(wal);
        } else {
            wal.close().unwrap();
        }
        assert_eq!(contents(&dir, u32::from(round) + 1)[11], round % 2);
        for options in [full(), compact()] {
            assert_eq!(replay(&dir, options).unwrap(), expected);
        }
    }
    for round in 0..5_u8 {
        assert_eq!(contents(&dir, u32::from(round) + 1)[11], round % 2, "what is there stays");
    }
}

#[test]
fn a_closed_log_goes_on_in_the_same_file() {
    let dir = MemoryDirectory::new();
    for number in 1..=5_u64 {
        let mut wal = open(&dir, compact());
        assert_eq!(wal.durable_through(), EntryId::new(number - 1));
        wal.append(b"once more").unwrap();
        assert_eq!(wal.tail_segment(), 1);
        wal.close().unwrap();
    }
    assert_eq!(replay(&dir, compact()).unwrap().len(), 5);
}

#[test]
fn a_longer_record_than_the_form_can_hold_is_refused_and_one_of_an_older_segment_is_read() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, full());
    wal.append(&vec![1; 20_000]).unwrap();
    wal.close().unwrap();
    let mut wal = open(&dir, compact());
    for too_long in [8190, 8191, 1 << 20] {
        let refused = wal.append(&vec![2; too_long]);
        assert!(matches!(refused, Err(Error::Limit { limit: 8189, .. })), "{too_long}");
        let refused = wal.append_batch(&[vec![2; 3], vec![2; too_long]]);
        assert!(matches!(refused, Err(Error::Limit { limit: 8189, .. })), "{too_long}");
    }
    wal.append(&[3; 8189]).unwrap();
    wal.close().unwrap();
    assert_eq!(replay(&dir, compact()).unwrap(), [vec![1; 20_000], vec![3; 8189]]);
    let mut typed = WalWriter::<Vec<u8>, _>::open(dir.clone(), compact()).unwrap();
    assert!(matches!(typed.append(&vec![4; 8188]), Err(Error::Limit { limit: 8189, .. })));
    typed.append(&vec![4; 8187]).unwrap();
    drop(typed);
    let asked = RawWalWriter::open(dir.clone(), compact().record_bytes_max(8190));
    assert!(matches!(
        asked,
        Err(Error::BadOption { option: "record_bytes_max", found: 8190, max: 8189, .. })
    ));
    assert!(RawWalWriter::open(dir, compact().record_bytes_max(8189)).is_ok());
}

/// A header of 8 bytes that verifies at an offset of segment 1 and says *synced*, of a payload that does not verify.
fn look_alike(offset: u64, payload_bytes: u16) -> [u8; 8] {
    let salt = crc32c(crc32c(0, &LOG_ID.to_le_bytes()), &1_u32.to_le_bytes());
    let word = (payload_bytes + 1) | 1 << 13;
    let checksum = crc32c(salt ^ u32::try_from(offset).unwrap(), &word.to_le_bytes());
    let first = u32::from(word) | (checksum & 0xFFFF_0000);
    let mut bytes = [0x5A; 8];
    bytes[..4].copy_from_slice(&first.to_le_bytes());
    bytes
}

/// One in 65,536 places of a torn record reads as a header, by chance. Were it proof, the log would be locked.
#[test]
fn a_header_alone_proves_nothing() {
    for torn_bytes in [1, 60, 100] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, compact());
        wal.append(b"kept").unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        let mut record = vec![0x33; 200];
        let begin = wal.tail_bytes() + 8;
        for (at, payload_bytes) in [(40, 4), (60, 0), (80, 100), (120, 8189)] {
            let head = look_alike(begin + at, payload_bytes);
            record[usize::try_from(at).unwrap()..][..8].copy_from_slice(&head);
        }
        wal.append(&record).unwrap();
        drop(wal);
        let mut bytes = contents(&dir, 1);
        bytes.truncate(bytes.len() - torn_bytes);
        put(&dir, 1, bytes);
        assert_eq!(replay(&dir, compact()).unwrap(), [b"kept".to_vec()]);
        let mut follower =
            RawFollower::new(dir.clone(), compact(), EntryId::FIRST, Reach::Written).unwrap();
        assert!(follower.next().unwrap().is_some());
        for _ in 0..100 {
            assert!(follower.next().unwrap().is_none());
        }
        let mut wal = open(&dir, compact());
        assert!(wal.torn_tail().is_some_and(|torn| torn.bytes > 90), "{:?}", wal.torn_tail());
        wal.append(b"after").unwrap();
        wal.close().unwrap();
        assert_eq!(replay(&dir, compact()).unwrap(), [b"kept".to_vec(), b"after".to_vec()]);
    }
}

/// The claim of a header does not hide what lies within it: a damaged length ends nowhere in particular.
#[test]
fn what_was_durable_is_damaged_whatever_extent_its_header_claims() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, compact());
    for number in 0..6_u8 {
        wal.append(&[number; 30]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    drop(wal);
    let bytes = contents(&dir, 1);
    for payload_bytes in [0, 1, 30, 100, 150, 8189] {
        let mut damaged = bytes.clone();
        damaged[72..80].copy_from_slice(&look_alike(72, payload_bytes));
        put(&dir, 1, damaged);
        assert!(replay(&dir, compact()).is_err_and(|error| error.is_corruption()));
        assert!(
            RawWalWriter::open(dir.clone(), compact()).is_err_and(|error| error.is_corruption())
        );
    }
}

#[test]
fn a_follower_is_shown_a_record_of_one_byte_that_ends_the_file() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, compact());
    let mut follower =
        RawFollower::new(dir.clone(), compact(), EntryId::FIRST, Reach::Written).unwrap();
    for number in 0..20_u8 {
        assert!(follower.next().unwrap().is_none());
        wal.append(&[number]).unwrap();
        wal.flush().unwrap();
        assert_eq!(
            follower.next().unwrap().map(|entry| entry.payload.to_vec()),
            Some(vec![number])
        );
    }
}

/// A frame at the place of another says nothing of how many precede it: a reader that went by places of a tail would show an entry under another's id.
#[test]
fn a_tail_that_goes_back_shows_no_entry_under_the_id_of_another() {
    let log = |merged: bool| {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, compact());
        if merged {
            wal.append(&[0; 24]).unwrap();
        } else {
            wal.append(&[0; 8]).unwrap();
            wal.append(&[1; 8]).unwrap();
        }
        for number in 2..200_u8 {
            wal.append(&[number; 8]).unwrap();
        }
        wal.flush().unwrap();
        contents(&dir, 1)
    };
    let dir = MemoryDirectory::new();
    put(&dir, 1, log(false));
    let mut reader = RawWalReader::open(dir.clone(), compact()).unwrap();
    let id = |number| EntryId::new(number).unwrap();
    for number in 1..=200 {
        assert!(reader.read(ReadMode::Strict, id(number)).unwrap().is_some());
    }
    put(&dir, 1, log(true));
    reader.refresh().unwrap();
    for number in [150_u8, 3, 199, 77, 78, 198] {
        let found = reader.read(ReadMode::Strict, id(number.into())).unwrap().unwrap();
        assert_eq!(found.payload, [number; 8], "{number}");
        let mut range = reader.range(ReadMode::Strict, id(number.into())..).unwrap();
        assert_eq!(range.next().unwrap().unwrap().payload, [number; 8], "{number}");
    }
}

#[test]
fn commits_end_with_a_sector_and_prepared_segments_are_taken() {
    let dir = MemoryDirectory::new();
    let options = || compact().segment_bytes(4096).commit_alignment(512).preallocate(true);
    let mut wal = open(&dir, options());
    let mut expected = Vec::new();
    for length in (0..1200).step_by(37) {
        expected.push(vec![7; length]);
        wal.append(expected.last().unwrap()).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        assert_eq!(wal.tail_bytes() % 512, 0, "{length}");
        let _made = wal.prepare_now().unwrap();
    }
    wal.close().unwrap();
    assert_eq!(replay(&dir, options()).unwrap(), expected);
}

/// A record log and a checkpoint keep the full form, and the segments behind a damaged header are searched for either.
#[test]
fn synced_frames_of_either_form_tell_a_damaged_header_from_an_unfinished_segment() {
    for options in [full(), compact()] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, full());
        wal.append(b"in the first segment").unwrap();
        wal.close().unwrap();
        // A segment of its own, whatever the form.
        let mut wal = open(&dir, options.clone().alignment(8));
        wal.append(b"one").unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        let unfinished = contents(&dir, 2);
        wal.append(b"two").unwrap();
        wal.flush().unwrap();
        drop(wal);
        for (mut bytes, proof) in [(contents(&dir, 2), true), (unfinished, false)] {
            bytes[30] ^= 1;
            put(&dir, 2, bytes);
            let found = replay(&dir, options.clone());
            assert_eq!(found.is_ok(), !proof);
            assert_eq!(RawWalWriter::open(dir.clone(), options.clone()).is_ok(), !proof);
        }
    }
}

#[test]
fn typed_entries_and_batches_are_what_they_were() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<String, _>::open(dir.clone(), compact()).unwrap();
    let texts: Vec<String> = (0..40).map(|number| "x".repeat(number * 11)).collect();
    for text in &texts {
        wal.append(text).unwrap();
    }
    wal.append_batch(&texts).unwrap();
    wal.close().unwrap();
    let mut reader = WalReader::<String, _>::open(dir, compact()).unwrap();
    let found: Vec<String> = reader.replay().unwrap().into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, [texts.clone(), texts].concat());
}

/// A log whose next frame stands at `offset` of its only segment, and then this record: what is before it, and its frame.
fn frame_at(offset: usize, record: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, compact().segment_bytes(1 << 30));
    let mut left = offset - 72;
    while left > 0 {
        let frame_bytes = if left < 8200 { left } else { 4096 };
        wal.append(&vec![1; frame_bytes - 8]).unwrap();
        left -= frame_bytes;
    }
    wal.append(record).unwrap();
    drop(wal);
    let mut bytes = contents(&dir, 1);
    let frame = bytes.split_off(offset);
    (bytes, frame)
}

/// Sixteen bits of a header are the same in many places; the checksum of its payload goes on from all of the header's.
#[test]
fn a_frame_verifies_in_no_other_place_though_its_header_does() {
    let record = [9; 20];
    let salt = crc32c(crc32c(0, &LOG_ID.to_le_bytes()), &1_u32.to_le_bytes());
    let check = |offset: u32| crc32c(salt ^ offset, &21_u16.to_le_bytes()) >> 16;
    let same = (100..4 << 20).step_by(4).find(|&offset| check(offset) == check(88)).unwrap();
    let (_, frame) = frame_at(88, &record);
    let (before, there) = frame_at(same as usize, &record);
    assert_eq!(frame[..4], there[..4], "the header verifies");
    let shown = |frame: &[u8]| {
        let dir = MemoryDirectory::new();
        put(&dir, 1, [&before, frame].concat());
        replay(&dir, compact()).unwrap().last().unwrap().clone()
    };
    assert_eq!(shown(&there), record);
    assert_ne!(shown(&frame), record, "the frame does not");
}
