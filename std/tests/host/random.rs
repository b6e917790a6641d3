//! Random access beside a log that threads share, and verification in threads.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "patterns, not numbers"
)]

use std::fs;
use std::num::NonZero;

use durability::shared::{RawSharedWal, SharedOptions, SharedWal};
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability::{EntryId, ReadMode, verify};

use crate::common::scratch;

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

#[test]
fn an_entry_of_a_shared_log_is_read_before_it_is_durable_and_the_log_says_which_are() {
    let (_scratch, dir) = scratch();
    let options = WalOptions::new().segment_bytes(256 << 10).preallocate(true);
    let wal = RawSharedWal::open(dir, options, SharedOptions::new()).unwrap();
    wal.append_durable(&[1; 100]).unwrap();
    let _written = wal.append(&[2; 100]).unwrap();
    let mut reader = wal.reader().unwrap();
    assert_eq!(reader.read(ReadMode::Strict, id(2)).unwrap().unwrap().payload, [2; 100]);
    assert_eq!((wal.durable_through(), wal.last_entry_id()), (Some(id(1)), Some(id(2))));
    for number in 3..=10_000 {
        let _written = wal.append(&[number as u8; 100]).unwrap();
        if number % 500 == 0 {
            // What was in the tail when it was looked at last needs a flush alone; what is in new segments a look.
            wal.flush().unwrap();
            reader.refresh().unwrap();
            for number in [number, 1, number / 2, number - 1] {
                let found = reader.read(ReadMode::Strict, id(number)).unwrap().unwrap();
                assert_eq!(found.payload, [number as u8; 100], "{number}");
            }
            assert!(reader.sealed_through() <= wal.durable_through());
        }
    }
    assert!(reader.sealed_through() > Some(id(5_000)));
    wal.close().unwrap();
}

#[test]
fn what_is_flushed_into_room_that_was_read_as_blank_is_found() {
    let (_scratch, dir) = scratch();
    let options = || WalOptions::new().segment_bytes(8 << 10).preallocate(true);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    // The first segment gets no room.
    wal.append(b"first").unwrap();
    wal.truncate_to_empty().unwrap();
    let mut reader = RawWalReader::open(dir, options()).unwrap();
    for number in 2..200 {
        if number % 2 == 0 {
            assert_eq!(reader.read(ReadMode::Strict, id(number)).unwrap(), None);
        }
        wal.append(&[number as u8; 10]).unwrap();
        wal.flush().unwrap();
        let found = reader.read(ReadMode::Strict, id(number)).unwrap().unwrap();
        assert_eq!(found.payload, [number as u8; 10]);
    }
}

#[test]
fn of_a_batch_that_was_cut_since_it_was_read_whole_nothing_is_shown() {
    let (scratch, dir) = scratch();
    let options = || WalOptions::new().read_bytes(256);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    wal.append(b"alone").unwrap();
    wal.append_batch(&[[5; 90]; 6]).unwrap();
    let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
    assert!(reader.read(ReadMode::Strict, id(7)).unwrap().is_some());
    assert_eq!(reader.read(ReadMode::Strict, id(8)).unwrap(), None);
    let path = scratch.path().join("root/wal/00000001.WAL");
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let whole = file.metadata().unwrap().len();
    for cut in [3, 100, 250, 500] {
        file.set_len(whole - cut).unwrap();
        for number in [2, 4, 7, 1, 3] {
            let found = reader.read(ReadMode::BestEffort, id(number)).unwrap();
            assert_eq!(found.is_some(), number == 1, "{number} with {cut} bytes less");
            let by_another = RawWalReader::open(dir.clone(), options()).unwrap();
            let strict = reader.read(ReadMode::Strict, id(number)).map(|_| ());
            let by_another = { by_another }.read(ReadMode::Strict, id(number)).map(|_| ());
            let text = |said: Result<(), durability::Error<_>>| said.map_err(|e| e.to_string());
            assert_eq!(text(strict), text(by_another));
        }
    }
}

#[test]
fn a_typed_entry_of_a_shared_log_is_read_by_its_id() {
    let (_scratch, dir) = scratch();
    let wal = SharedWal::<String>::open(dir, WalOptions::new(), SharedOptions::new()).unwrap();
    let last = wal.append_batch(&["a".to_owned(), "b".to_owned()]).unwrap().unwrap();
    let mut reader = wal.reader().unwrap();
    assert_eq!(reader.read(id(2)).unwrap().as_deref(), Some("b"));
    assert_eq!(reader.read(id(1)).unwrap().as_deref(), Some("a"));
    assert_eq!(reader.read(id(3)).unwrap(), None);
    assert_eq!(last.wait().unwrap().through(), Some(id(2)));
    wal.close().unwrap();
}

#[test]
fn a_log_verified_in_threads_is_what_a_replay_says_whichever_segments_are_damaged() {
    let (scratch, dir) = scratch();
    let options = || WalOptions::new().segment_bytes(16 << 10);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    for number in 0..2_000 {
        wal.append(&[number as u8; 90]).unwrap();
    }
    wal.close().unwrap();
    let mut names: Vec<_> = fs::read_dir(scratch.path().join("root/wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "WAL"))
        .collect();
    names.sort();
    assert!(names.len() > 10);
    let replay = || {
        let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        loop {
            match entries.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(entries.report().clone()),
                Err(error) => return Err(error.to_string()),
            }
        }
    };
    for damaged in [&[][..], &[3], &[9, 4], &[0, 1, 2], &[11, 10, 5, 7]] {
        for &index in damaged {
            let mut bytes = fs::read(&names[index]).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&names[index], bytes).unwrap();
        }
        let replayed = replay();
        assert_eq!(replayed.is_err(), !damaged.is_empty());
        for threads in [1, 2, 3, 100] {
            let threads = NonZero::new(threads).unwrap();
            let verified = verify(dir.clone(), options(), ReadMode::Strict, threads);
            assert_eq!(verified.map_err(|error| error.to_string()), replayed, "{threads} threads");
        }
        for &index in damaged {
            let mut bytes = fs::read(&names[index]).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&names[index], bytes).unwrap();
        }
    }
}
