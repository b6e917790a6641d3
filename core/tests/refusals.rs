//! What publishing and recovery refuse, and what they say of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a failed expectation is what fails a test"
)]

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, WalOptions, WalWriter};
use durability_core::{EntryId, Error};

type Wal = WalWriter<u64, MemoryDirectory>;
type Failed = Error<MemoryError>;

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

/// A log of ones, in small segments.
fn log(dir: &MemoryDirectory, entries: u64) -> Wal {
    let options = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
    let mut wal = Wal::open(dir.clone(), options).unwrap();
    for _ in 0..entries {
        wal.append(&1).unwrap();
    }
    wal
}

fn publisher(dir: &MemoryDirectory) -> CheckpointPublisher<MemoryDirectory> {
    CheckpointPublisher::new(dir.clone(), PublishOptions::new().keep(1)).unwrap()
}

fn recover(wal: &mut Wal, stop: Option<EntryId>) -> Result<Recovered<u64>, Failed> {
    recover_with_wal(wal, &RecoverOptions::new().stop_at(stop), 0, |sum, _, entry| {
        *sum += entry;
        Ok(())
    })
}

#[test]
fn a_state_is_published_up_to_the_last_entry_and_not_beyond() {
    let dir = MemoryDirectory::new();
    let mut wal = log(&dir, 5);
    let mut publisher = publisher(&dir);
    for last in [4, 5] {
        let found = publisher.publish_with(&mut wal, Some(id(last)), |writer| writer.put(&last));
        assert_eq!(found.unwrap().last_id(), Some(id(last)));
        let recovered = recover(&mut wal, None).unwrap();
        assert_eq!((recovered.state, recovered.last_id), (5, Some(id(5))));
    }
    match publisher.publish_with(&mut wal, Some(id(6)), |writer| writer.put(&6_u64)) {
        Err(Error::Gap { needed, last, .. }) => assert_eq!((needed, last), (id(6), Some(id(5)))),
        other => panic!("{other:?}"),
    }
}

/// The log does not reach back, so nothing can stand for the checkpoint: then what is wrong with it is what must be known.
#[test]
fn damage_to_the_only_checkpoint_is_told_as_damage() {
    let dir = MemoryDirectory::new();
    let mut wal = log(&dir, 20);
    publisher(&dir).publish(&mut wal, &20_u64).unwrap();
    assert!(wal.first_entry_id() > EntryId::FIRST, "the log was pruned");
    let path = Name::new("ckp/00000001.CKP").unwrap();
    let whole = dir.contents(path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        dir.put(path, bytes);
        match recover(&mut wal, None) {
            Err(Error::Corrupt(damage)) => assert_eq!(damage.file.as_name(), path),
            // A bit in what makes the end frame an end frame, or in the version.
            Err(Error::Unfinished { file, .. } | Error::Newer { file, .. }) => {
                assert_eq!(file.as_name(), path, "at {at}");
            }
            // Padding says nothing.
            Ok(found) => assert_eq!((found.state, bytes_of_padding(&whole, at)), (20, true)),
            other => panic!("at {at}: {other:?}"),
        }
    }
}

/// Between a payload of one byte and the next frame.
fn bytes_of_padding(file: &[u8], at: usize) -> bool {
    (65..68).contains(&at) && file[at] == 0
}

#[test]
fn a_gap_says_what_the_log_holds() {
    for (entries, expected) in [(5, (Some(id(1)), Some(id(5)))), (0, (None, None))] {
        let dir = MemoryDirectory::new();
        let mut wal = log(&dir, entries);
        match recover(&mut wal, Some(id(9))) {
            Err(Error::Gap { needed, first, last }) => {
                assert_eq!((needed, (first, last)), (id(9), expected));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Twice as many segments as appends may make, and 16 more: what crashes and repairs leave locks nobody out.
#[test]
fn a_folder_of_more_segments_than_a_log_can_leave_is_refused() {
    let options = || WalOptions::new().segments_max(2);
    for count in 1..=25_u64 {
        let dir = MemoryDirectory::new();
        for number in 1..=count {
            dir.put(Name::new(&format!("wal/{number:08X}.WAL")).unwrap(), Vec::new());
        }
        match RawWalReader::open(dir, options()) {
            Err(Error::Limit { found, limit, .. }) => {
                assert_eq!((found, limit), (count, 20));
                assert!(count > 20, "{count}");
            }
            opened => assert!(count <= 20, "{count}: {opened:?}"),
        }
    }
}
