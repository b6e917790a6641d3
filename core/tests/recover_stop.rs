//! Laws of recovery up to an entry.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};

/// What a crash left of a newer checkpoint does not hide why a state before the oldest one cannot be told.
#[test]
fn a_stop_before_the_oldest_checkpoint_says_so_beside_an_unfinished_one() {
    let dir = MemoryDirectory::new();
    let options = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), options).unwrap();
    let mut publisher =
        CheckpointPublisher::new(dir.clone(), PublishOptions::new().keep(1)).unwrap();
    for _ in 0..20 {
        wal.append(&1).unwrap();
    }
    publisher.publish(&mut wal, &20_u64).unwrap();
    let newest = Name::new("ckp/00000001.CKP").unwrap();
    let mut bytes = dir.contents(newest).unwrap();
    bytes.clear();
    let stop = RecoverOptions::new().stop_at(EntryId::new(15));
    // The file was made, and nothing written.
    for unfinished in [false, true] {
        if unfinished {
            dir.put(Name::new("ckp/00000002.CKP").unwrap(), bytes.clone());
        }
        let found = recover_with_wal(&mut wal, &stop, 0, |sum: &mut u64, _, entry| {
            *sum += entry;
            Ok::<(), Error<MemoryError>>(())
        });
        assert!(
            matches!(found, Err(Error::StopBeforeCheckpoint { .. })),
            "unfinished: {unfinished}: {found:?}"
        );
    }
}
