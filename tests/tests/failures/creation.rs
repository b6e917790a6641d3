//! A segment that a crash left between its creation and its header holds nothing, and is passed over.

use durability_core::storage::MemoryDirectory;
use durability_core::walog::RawWalWriter;
use durability_core::{EntryId, ReadMode};

use crate::common::{Image, disk, entries, expected, image, look, payload, segment, small};

/// Entries 1 to 9 over several segments, each synced, not closed.
fn log() -> (Image, u32) {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for id in 1..=9 {
        wal.append(&payload(id)).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    let last = wal.segments().last().unwrap().segment();
    drop(wal);
    (image(&dir), last)
}

/// What may stand in a file whose header never became durable: nothing, part of it, room, or junk in its place.
fn unfinished(header: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    all.extend((1..72).step_by(7).map(|cut| header[..cut].to_vec()));
    for fill in [0x00, 0xFF, 0xA5] {
        all.push(vec![fill; 72]);
        all.push([&header[..16], &[fill; 56][..]].concat());
        all.push([&[fill; 16][..], &header[16..72]].concat());
    }
    all.push(vec![0; 256]);
    all.push(vec![0xFF; 256]);
    all
}

#[test]
fn an_unfinished_segment_behind_the_tail_holds_nothing_and_is_passed_over() {
    let (files, last) = log();
    // The header that a repair would write there.
    let mut torn = files.clone();
    torn.get_mut(&segment(last)).unwrap().extend_from_slice(&[0x66; 20]);
    let dir = disk(&torn);
    drop(RawWalWriter::open(dir.clone(), small()).unwrap());
    let header = image(&dir)[&segment(last + 1)].clone();
    for (case, bytes) in unfinished(&header).into_iter().enumerate() {
        for further in [false, true] {
            let mut files = files.clone();
            files.insert(segment(last + 1), bytes.clone());
            if further {
                files.insert(segment(last + 5), bytes.clone());
            }
            let dir = disk(&files);
            assert_eq!(entries(dir.clone(), small()).unwrap(), expected(1..=9), "case {case}");
            let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
            for id in 10..=15 {
                assert_eq!(wal.append(&payload(id)).unwrap(), id, "case {case}");
            }
            let highest = wal.segments().last().unwrap().segment();
            wal.close().unwrap();
            assert!(highest > last + if further { 5 } else { 1 }, "a number was used twice");
            assert_eq!(entries(dir, small()).unwrap(), expected(1..=15), "case {case}");
        }
    }
}

#[test]
fn an_unfinished_first_segment_is_an_empty_log_and_begins_anew() {
    let dir = MemoryDirectory::new();
    drop(RawWalWriter::open(dir.clone(), small()).unwrap());
    let header = image(&dir)[&segment(1)].clone();
    for (case, bytes) in unfinished(&header).into_iter().enumerate() {
        let dir = disk(&Image::from([(segment(1), bytes)]));
        assert_eq!(look(dir.clone(), small(), ReadMode::BestEffort).unwrap().0, [], "case {case}");
        let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
        assert_eq!(wal.append(&payload(1)).unwrap(), 1);
        wal.close().unwrap();
        assert_eq!(entries(dir.clone(), small()).unwrap(), expected(1..=1), "case {case}");
        let wal = RawWalWriter::open(dir, small()).unwrap();
        assert_eq!(wal.last_entry_id(), EntryId::new(1));
    }
}

#[test]
fn a_segment_that_comes_back_after_its_removal_stays_dead() {
    // Every file that the log ever had, put back beside what it became.
    let dir = MemoryDirectory::new();
    let mut ever = Image::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    for round in 0..4 {
        for _ in 0..6 {
            let next = wal.next_entry_id().get();
            wal.append(&payload(next)).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        ever.extend(image(&dir));
        let next = wal.next_entry_id().get();
        match round {
            0 => wal.truncate_prefix(EntryId::new(next - 2).unwrap()).unwrap(),
            1 => wal.truncate_suffix(EntryId::new(next - 2).unwrap()).unwrap(),
            2 => wal.truncate_to_empty().unwrap(),
            _ => {}
        }
    }
    wal.close().unwrap();
    let now = image(&dir);
    let right = entries(dir, small()).unwrap();
    assert!(right.len() == 6 && ever.len() > now.len() + 3);
    ever.retain(|file, _| !now.contains_key(file));
    for (file, bytes) in &ever {
        for all in [false, true] {
            let mut files = now.clone();
            files.insert(file.clone(), bytes.clone());
            if all {
                files.extend(ever.clone());
            }
            let dir = disk(&files);
            assert_eq!(entries(dir.clone(), small()).unwrap(), right, "{file} came back");
            drop(RawWalWriter::open(dir.clone(), small()).unwrap());
            assert_eq!(image(&dir).keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
        }
    }
}
