//! What a follower answers beside entries: how far it follows, and whether what it has shown is still there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is what fails a test")]

use durability_core::storage::MemoryDirectory;
use durability_core::walog::{RawFollower, RawWalWriter, Reach, WalOptions};
use durability_core::{EntryId, Error};

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256)
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

#[test]
fn a_follower_says_how_far_it_follows() {
    for reach in [Reach::Written, Reach::Durable] {
        let dir = MemoryDirectory::new();
        let follower = RawFollower::new(dir, options(), id(1), reach).unwrap();
        assert_eq!(follower.reach(), reach);
    }
}

/// Asked, and not by way of a next entry, which there is none of.
#[test]
fn whoever_asks_whether_what_was_shown_is_still_there_is_told() {
    for cut in 1..=11 {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        for number in 1..=10_u8 {
            wal.append(&[number; 60]).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        let mut follower = RawFollower::new(dir, options(), id(1), Reach::Written).unwrap();
        for number in 1..=10 {
            assert_eq!(follower.next().unwrap().unwrap().id, number);
        }
        follower.check().unwrap();
        assert!(follower.entry().is_none(), "nothing is shown after that");
        wal.truncate_suffix(id(cut)).unwrap();
        for _ in 0..2 {
            match follower.check() {
                Ok(()) => assert_eq!(cut, 11, "nothing was cut"),
                Err(Error::TakenBack { from, through }) => {
                    assert_eq!((from.get(), through.get()), (cut, 10));
                }
                Err(other) => panic!("{cut}: {other}"),
            }
        }
    }
}
