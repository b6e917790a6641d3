//! Damage to what was acknowledged: an error that names file, offset and entry, in both modes; never a shorter log in silence.

use durability_core::storage::MemoryDirectory;
use durability_core::walog::{RawWalWriter, WalOptions};
use durability_core::{Corruption, CorruptionKind, EntryId, Error, ReadMode};

use crate::common::format::{Codec, FRAME, SEGMENT_HEADER};
use crate::common::{Image, disk, expected, image, look, payload, segment, small};

/// Entries 1 to `count`, each synced on its own, the writer dropped without closing.
fn synced_each(count: u64, options: &WalOptions) -> Image {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
    for id in 1..=count {
        wal.append(&payload(id)).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    drop(wal);
    image(&dir)
}

fn flip(files: &Image, file: &str, bit: usize) -> Image {
    let mut files = files.clone();
    files.get_mut(file).unwrap()[bit / 8] ^= 1 << (bit % 8);
    files
}

/// Reading says so in both modes, opening for writing too, and nothing is changed.
fn damage(files: &Image, options: &WalOptions) -> Corruption {
    let dir = disk(files);
    let mut found = Vec::new();
    for mode in [ReadMode::Strict, ReadMode::BestEffort] {
        match look(dir.clone(), options.clone(), mode) {
            Err(Error::Corrupt(corruption)) => found.push(corruption),
            other => panic!("{mode:?}: {other:?}"),
        }
    }
    // What a close frame vouches for, opening believes unless it is asked not to.
    match RawWalWriter::open(dir.clone(), options.clone().scan_at_open(true)) {
        Err(Error::Corrupt(corruption)) => found.push(corruption),
        other => panic!("opened: {other:?}"),
    }
    assert_eq!(image(&dir), *files, "a damaged log was changed");
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    found.remove(0)
}

/// FORMAT.md, "Where a WAL ends", rule 5: whatever wrote it, an entry twice or one left out is never shown.
#[test]
fn a_frame_that_verifies_out_of_its_turn_is_damage_in_any_place() {
    let options = WalOptions::new();
    let files = synced_each(10, &options);
    let bytes = &files[&segment(1)];
    let codec = Codec::of_segment(bytes);
    let frames = codec.frames(bytes);
    for index in [1, 4, 9] {
        let frame = frames[index];
        for position in [frame.position - 1, frame.position + 1, frame.position + 1000] {
            let mut files = files.clone();
            let bytes = files.get_mut(&segment(1)).unwrap();
            bytes[frame.at + 4..frame.at + 8].copy_from_slice(&position.to_le_bytes());
            codec.seal(bytes, frame.at);
            let found = damage(&files, &options);
            assert_eq!(found.offset, frame.at as u64, "{position} as {}", frame.position);
            assert!(matches!(found.kind, CorruptionKind::Position { .. }), "{found:?}");
        }
    }
}

#[test]
fn one_bit_in_a_length_field_is_an_error_with_file_offset_and_entry_in_both_modes() {
    let options = WalOptions::new();
    let files = synced_each(10, &options);
    let bytes = &files[&segment(1)];
    let fourth = Codec::of_segment(bytes).frames(bytes)[3];
    for bit in 0..32 {
        let found = damage(&flip(&files, &segment(1), fourth.at * 8 + bit), &options);
        assert_eq!(found.file.to_string(), segment(1));
        assert_eq!((found.offset, found.entry_id), (fourth.at as u64, EntryId::new(4)));
        assert_eq!(found.kind, CorruptionKind::FrameHeader);
    }
}

#[test]
fn a_synced_record_that_something_vouches_for_is_never_cut_off_by_reopening() {
    let marked = WalOptions::new().mark_after_sync(true);
    for (options, last) in [(marked, 3), (WalOptions::new(), 2)] {
        // Behind the damaged entry there is the mark of its sync, or the entry that was synced next.
        let files = synced_each(3, &options);
        let bytes = &files[&segment(1)];
        let entries = Codec::of_segment(bytes).frames(bytes);
        let frame =
            entries.iter().find(|frame| !frame.control() && frame.position == last).unwrap();
        for bit in frame.bytes().start * 8..frame.bytes().end * 8 {
            let found = damage(&flip(&files, &segment(1), bit), &options);
            assert_eq!(found.entry_id, EntryId::new(last.into()));
            assert_eq!(found.offset, frame.at as u64);
        }
    }
}

#[test]
fn what_nothing_vouches_for_yet_is_cut_off_and_reported_and_that_is_the_last_sync_alone() {
    let options = WalOptions::new();
    let files = synced_each(3, &options);
    let bytes = &files[&segment(1)];
    let frame = Codec::of_segment(bytes).frames(bytes)[2];
    for bit in frame.bytes().start * 8..frame.bytes().end * 8 {
        let dir = disk(&flip(&files, &segment(1), bit));
        let (found, torn) = look(dir.clone(), options.clone(), ReadMode::BestEffort).unwrap();
        assert_eq!(found, expected(1..=2), "bit {bit}");
        let torn = torn.expect("a torn tail in the report");
        assert_eq!((torn.file.to_string(), torn.offset), (segment(1), frame.at as u64));
        assert!(matches!(
            look(dir.clone(), options.clone(), ReadMode::Strict),
            Err(Error::TornTail { .. })
        ));
        let wal = RawWalWriter::open(dir, options.clone()).unwrap();
        assert_eq!((wal.last_entry_id(), wal.torn_tail()), (EntryId::new(2), Some(&torn)));
    }
}

#[test]
fn no_bit_of_a_header_changes_an_id() {
    for close in [false, true] {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
        for id in 1..=12 {
            wal.append(&payload(id)).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
        }
        if close {
            wal.close().unwrap();
        }
        let files = image(&dir);
        assert!(files.len() > 2);
        for file in files.keys() {
            for bit in 0..SEGMENT_HEADER * 8 {
                let found = damage(&flip(&files, file, bit), &small());
                assert_eq!((found.file.to_string(), found.offset), (file.clone(), 0), "bit {bit}");
            }
        }
    }
}

#[test]
fn a_header_that_nothing_vouches_for_ends_the_log_before_it_and_changes_no_id() {
    // A tail with one entry that was synced and nothing behind it: GUARANTEES.md, "The window", 3.
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    while wal.segments().count() < 3 {
        let next = wal.next_entry_id().get();
        wal.append(&payload(next)).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    let tail = wal.segments().last().unwrap();
    let (number, kept) = (tail.segment(), tail.first_id().get() - 1);
    assert_eq!(tail.entry_count(), 1);
    drop(wal);
    let files = image(&dir);
    for bit in 0..SEGMENT_HEADER * 8 {
        let dir = disk(&flip(&files, &segment(number), bit));
        let (found, _) = look(dir.clone(), small(), ReadMode::BestEffort).unwrap();
        assert_eq!(found, expected(1..=kept), "bit {bit}");
        let mut wal = RawWalWriter::open(dir, small()).unwrap();
        assert_eq!(wal.append(b"next").unwrap(), kept + 1);
    }
}

#[test]
fn a_missing_segment_is_a_hole_and_names_itself() {
    let files = synced_each(30, &small());
    let count = u32::try_from(files.len()).unwrap();
    for number in 1..count {
        let mut files = files.clone();
        files.remove(&segment(number));
        let found = damage(&files, &small());
        assert_eq!(found.kind, CorruptionKind::Hole { segment: number });
        assert_eq!(found.file.to_string(), segment(number));
    }
}

#[test]
fn a_damaged_sealed_segment_is_found_when_it_is_read_and_no_later() {
    // Opening reads headers and the tail; the rest is judged as it is read, before an entry of it is shown.
    let files = synced_each(30, &small());
    let bytes = &files[&segment(2)];
    let codec = Codec::of_segment(bytes);
    let first = files[&segment(1)].clone();
    let before = Codec::of_segment(&first).frames(&first).len() as u64;
    for (index, frame) in codec.frames(bytes).iter().enumerate() {
        for at in [frame.at, frame.at + FRAME] {
            let dir = disk(&flip(&files, &segment(2), at * 8));
            let mut wal = RawWalWriter::open(dir, small()).unwrap();
            assert_eq!(wal.last_entry_id(), EntryId::new(30));
            let mut reader = wal.reader().unwrap();
            let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
            for id in 1..=before + index as u64 {
                let entry = entries.next().unwrap().unwrap();
                assert_eq!((entry.id.get(), entry.payload), (id, &payload(id)[..]));
            }
            let Err(Error::Corrupt(found)) = entries.next() else { panic!("frame {index}") };
            assert_eq!((found.file.to_string(), found.offset), (segment(2), frame.at as u64));
            assert_eq!(found.entry_id, EntryId::new(before + index as u64 + 1));
            assert!(entries.next().unwrap().is_none(), "nothing follows an error");
        }
    }
}
