//! Valid frames in the wrong place: of another offset, segment, log, file or time. None of them may ever verify.

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, read_checkpoint, write_checkpoint,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::walog::{RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};

use crate::common::format::{CHECKPOINT_HEADER, Codec, LOG_HEADER, SEGMENT_HEADER};
use crate::common::{Image, disk, expected, image, look, segment};

/// Segments of three entries of one size, so that frames of all of them stand at the same offsets.
fn options(log_id: u64) -> WalOptions {
    WalOptions::new().segment_bytes(160).buffer_bytes(256).read_bytes(256).log_id(log_id)
}

fn log(log_id: u64, fill: u8) -> Image {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options(log_id)).unwrap();
    for id in 1..=9_u8 {
        wal.append(&[fill, id, 0, 0, 0, 0, 0, 0]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    wal.close().unwrap();
    image(&dir)
}

fn all_of(fill: u8, found: &[(u64, Vec<u8>)]) -> bool {
    found.iter().all(|(id, payload)| payload[0] == fill && u64::from(payload[1]) == *id)
}

/// Bytes of each entry's frame in [`log`]: 16 of header, 8 of payload.
const ENTRY: usize = 24;

/// Where the three entries of each segment stand: by the lengths of what was appended, and no checksum.
fn places() -> [usize; 3] {
    [0, 1, 2].map(|entry| SEGMENT_HEADER + entry * ENTRY)
}

#[test]
fn frames_of_another_segment_or_log_at_their_own_offset_never_verify() {
    let (own, other) = (log(1, 0xAA), log(2, 0xBB));
    assert!(own.len() == 3 && own.values().zip(other.values()).all(|(a, b)| a.len() == b.len()));
    for (file, bytes) in &own {
        for foreign in own.iter().chain(&other).filter(|(_, foreign)| *foreign != bytes) {
            for at in places() {
                // One frame, or this and all that follow, put in the place of the segment's own.
                for end in [at + ENTRY, bytes.len()] {
                    if end > foreign.1.len() {
                        continue;
                    }
                    let mut mixed = bytes.clone();
                    mixed[at..end].copy_from_slice(&foreign.1[at..end]);
                    let mut files = own.clone();
                    files.insert(file.clone(), mixed);
                    match look(disk(&files), options(1), ReadMode::BestEffort) {
                        Ok((found, _)) => {
                            assert!(all_of(0xAA, &found), "{file} at {at}: {found:?}");
                            assert!(found.len() >= 6, "only the tail may be cut short");
                        }
                        Err(error) => assert!(error.is_corruption(), "{error}"),
                    }
                }
            }
        }
    }
}

/// An older log, or an older segment of the same one, lies where the new one has written less: as in recycled blocks.
#[test]
fn room_that_holds_yesterdays_frames_is_no_part_of_todays_log() {
    let older = &log(1, 0xAA);
    // Segments of three entries: the third one holds the seventh entry, and no more yet.
    let today = |log_id, length: usize| {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options(log_id)).unwrap();
        for id in 1..=7_u8 {
            let length = if id == 7 { length } else { 8 };
            wal.append(&[0xCC, id, 0, 0, 0, 0, 0, 0][..length]).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
        }
        drop(wal);
        image(&dir)
    };
    // What is left begins where today's last frame ends, or in the middle of it.
    for length in [8, 4] {
        // Of the same segment of another log; of other segments of this one.
        for (log_id, number) in [(3, 3), (1, 1), (1, 2)] {
            let case = format!("{length} bytes, segment {number} in the room of log {log_id}");
            let mut files = today(log_id, length);
            let bytes = files.get_mut(&segment(3)).unwrap();
            let end = bytes.len();
            bytes.extend_from_slice(&older[&segment(number)][end..]);
            let dir = disk(&files);
            let (found, _) = look(dir.clone(), options(log_id), ReadMode::BestEffort).unwrap();
            assert!(found.len() == 7 && all_of(0xCC, &found), "{case}: {found:?}");
            let mut wal = RawWalWriter::open(dir.clone(), options(log_id)).unwrap();
            assert_eq!(wal.append(&[0xCC, 8, 0, 0]).unwrap(), 8, "{case}");
            wal.close().unwrap();
            let (found, _) = look(dir, options(log_id), ReadMode::Strict).unwrap();
            assert!(found.len() == 8 && all_of(0xCC, &found), "{case}: {found:?}");
        }
    }
}

#[test]
fn a_log_made_anew_after_its_files_were_removed_shows_nothing_of_the_old_one() {
    let dir = MemoryDirectory::new();
    let mut ids = Vec::new();
    for fill in 0..3 {
        for file in dir.names() {
            durability_core::storage::Directory::remove(&dir, crate::common::name(&file)).unwrap();
        }
        let mut wal = RawWalWriter::new(dir.clone(), WalOptions::new()).unwrap();
        ids.push(wal.log_id());
        assert_eq!(wal.append(&[fill, 1]).unwrap(), 1);
        wal.close().unwrap();
        assert!(all_of(fill, &look(dir.clone(), WalOptions::new(), ReadMode::Strict).unwrap().0));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "every new log has an id of its own");
}

#[test]
fn swapped_renamed_and_foreign_segments_are_errors() {
    let (own, other) = (log(1, 0xAA), log(2, 0xBB));
    let mut cases = Vec::new();
    for one in 1..=3 {
        for two in (1..=5).filter(|two| *two != one) {
            let mut swapped = own.clone();
            let (first, second) = (own[&segment(one)].clone(), own.get(&segment(two)).cloned());
            swapped.insert(segment(two), first.clone());
            match second {
                Some(second) => drop(swapped.insert(segment(one), second)),
                None => drop(swapped.remove(&segment(one))),
            }
            cases.push((format!("{one} and {two} swapped"), swapped));
            let mut copied = own.clone();
            copied.insert(segment(two), first);
            cases.push((format!("{one} copied to {two}"), copied));
        }
        for two in 1..=5 {
            let mut foreign = own.clone();
            foreign.insert(segment(two), other[&segment(one)].clone());
            cases.push((format!("{one} of another log as {two}"), foreign));
        }
    }
    for (case, files) in cases {
        let dir = disk(&files);
        for mode in [ReadMode::Strict, ReadMode::BestEffort] {
            let Err(Error::Corrupt(found)) = look(dir.clone(), options(1), mode) else {
                panic!("{case} was not seen")
            };
            assert!(found.file.to_string().starts_with("wal/"), "{case}: {found}");
        }
        let scanned = RawWalWriter::open(dir.clone(), options(1).scan_at_open(true));
        assert!(scanned.is_err(), "{case}");
        drop(scanned);
        // Where all files are there, opening a closed log does not look into each; reading does.
        if let Ok(mut wal) = RawWalWriter::open(dir.clone(), options(1)) {
            let mut reader = wal.reader().unwrap();
            let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
            let read = loop {
                match entries.next() {
                    Ok(Some(_)) => {}
                    end => break end.map(drop),
                }
            };
            assert!(matches!(read, Err(Error::Corrupt(_))), "{case}: {read:?}");
        }
        assert_eq!(image(&dir), files, "{case}: something was changed");
    }
}

/// Replaces what lies from `at` on, up to the shorter one's end.
fn graft(bytes: &[u8], other: &[u8], at: usize) -> Vec<u8> {
    let end = bytes.len().min(other.len());
    [&bytes[..at], &other[at..end], &bytes[end..]].concat()
}

#[test]
fn frames_of_another_record_log_or_checkpoint_never_verify() {
    let path = Name::new("EVENTS.LOG").unwrap();
    let record_log = |fill: u8| {
        let dir = MemoryDirectory::new();
        for salt in 0..fill {
            // Another nonce for each log.
            let _used = durability_core::storage::Directory::nonce(&dir).wrapping_add(salt.into());
        }
        let mut log = RecordLogWriter::create(dir.clone(), path, RecordLogOptions::new()).unwrap();
        for number in 0..6 {
            log.append(&[fill, number, 0, 0]).unwrap();
            let _durable = log.flush_and_sync().unwrap();
        }
        log.close().unwrap();
        dir.contents(path).unwrap()
    };
    let (own, other) = (record_log(1), record_log(2));
    for frame in Codec::of_file(&own, LOG_HEADER).frames(&own) {
        let dir = MemoryDirectory::new();
        dir.put(path, graft(&own, &other, frame.at));
        let open = RecordLogReader::open(dir, path, ReadMode::BestEffort, RecordLogOptions::new());
        if let Ok(found) = open.unwrap().collect() {
            assert!(found.iter().all(|record| record[0] == 1), "at {}: {found:?}", frame.at);
        }
    }

    let checkpoint = |tag: u32, fill: u8| {
        let dir = MemoryDirectory::new();
        let meta = CheckpointMeta { log_id: 5, last_id: EntryId::new(9), tag, segment: 0 };
        let options = CheckpointOptions::new().chunk_bytes(256);
        let _written = write_checkpoint(&dir, path, meta, options, &vec![fill; 1000]).unwrap();
        dir.contents(path).unwrap()
    };
    let (own, other) = (checkpoint(1, 0xAA), checkpoint(2, 0xBB));
    for frame in Codec::of_file(&own, CHECKPOINT_HEADER).frames(&own) {
        let dir = MemoryDirectory::new();
        dir.put(path, graft(&own, &other, frame.at));
        let found = read_checkpoint::<Vec<u8>, _>(&dir, path, CheckpointOptions::new());
        assert!(matches!(found, Err(Error::Corrupt(_) | Error::Unfinished { .. })), "{found:?}");
    }
}

#[test]
fn a_segment_put_back_as_it_was_is_an_error_unless_it_is_the_tail() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options(1)).unwrap();
    let mut past: Vec<Image> = Vec::new();
    for id in 1..=9 {
        wal.append(&crate::common::payload(id)[..4]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        past.push(image(&dir));
    }
    wal.close().unwrap();
    let now = image(&dir);
    let right: Vec<_> =
        expected(1..=9).into_iter().map(|(id, payload)| (id, payload[..4].to_vec())).collect();
    let tail = now.keys().next_back().unwrap().clone();
    for then in &past {
        for (file, bytes) in then {
            let mut files = now.clone();
            files.insert(file.clone(), bytes.clone());
            match look(disk(&files), options(1), ReadMode::BestEffort) {
                // The tail alone may be an older one: GUARANTEES.md, "The window", 5.
                Ok((found, _)) if *file == tail => assert!(right.starts_with(&found)),
                Ok((found, _)) => {
                    assert!(found == right && *bytes == now[file], "{file}: {found:?}");
                }
                Err(error) => assert!(error.is_corruption() && *bytes != now[file], "{error}"),
            }
        }
    }
    assert!(now[&tail].len() > SEGMENT_HEADER);
}
