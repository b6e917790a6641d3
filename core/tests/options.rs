//! Options: each that is set holds, whatever is set with it.
#![allow(clippy::unwrap_used, reason = "a failed expectation is what fails a test")]

use durability_core::checkpoint::{CheckpointOptions, CheckpointReader};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error, Limit};

type Wal = WalWriter<u64, MemoryDirectory>;

/// Ten entries in several segments, published after each of them as said.
fn published(options: &PublishOptions) -> (MemoryDirectory, Wal) {
    let dir = MemoryDirectory::new();
    let mut wal = Wal::open(dir.clone(), WalOptions::new().segment_bytes(128)).unwrap();
    let mut publisher = CheckpointPublisher::new(dir.clone(), options.clone()).unwrap();
    for number in 1..=10_u32 {
        let id = wal.append(&1).unwrap();
        let told = publisher.publish(&mut wal, &u64::from(number)).unwrap();
        assert_eq!((told.generation(), told.last_id()), (number, Some(id)));
        assert_eq!(told.bytes(), 1, "a small number takes one byte");
    }
    (dir, wal)
}

/// All of them at once: none takes another back.
fn all() -> PublishOptions {
    let checkpoint = CheckpointOptions::new().chunk_bytes(256).checkpoint_bytes_max(1);
    PublishOptions::new().folder("snapshots").checkpoint(checkpoint).tag(7).keep(3).prune(false)
}

#[test]
fn publishing_holds_to_every_option() {
    let (dir, mut wal) = published(&all());
    let files = dir.names();
    let kept: Vec<_> = files.iter().filter(|file| file.starts_with("snapshots/")).collect();
    assert_eq!(
        kept,
        ["snapshots/00000008.CKP", "snapshots/00000009.CKP", "snapshots/0000000A.CKP"]
    );
    assert!(!files.iter().any(|file| file.starts_with("ckp/")), "{files:?}");
    assert_eq!(wal.first_entry_id(), EntryId::FIRST, "nothing was pruned");
    let path = Name::new("snapshots/0000000A.CKP").unwrap();
    let reader = CheckpointReader::open(&dir, path, CheckpointOptions::new()).unwrap();
    assert_eq!(reader.meta().tag, 7);
    // A state of two bytes is more than the checkpoint may have.
    let mut publisher = CheckpointPublisher::new(dir, all()).unwrap();
    let refused = publisher.publish(&mut wal, &300_u64);
    assert!(
        matches!(refused, Err(Error::Limit { what: Limit::CheckpointBytes, .. })),
        "{refused:?}"
    );
}

#[test]
fn recovery_holds_to_every_option() {
    let (_, mut wal) = published(&all());
    let mut recover = |options: &RecoverOptions| {
        recover_with_wal(&mut wal, options, 0, |sum: &mut u64, _, amount| {
            *sum += amount;
            Ok::<(), Error<MemoryError>>(())
        })
    };
    let checkpoint = CheckpointOptions::new().checkpoint_bytes_max(1);
    let options = RecoverOptions::new().folder("snapshots").checkpoint(checkpoint).tag(7);
    let found = recover(&options).unwrap();
    assert_eq!((found.state, found.report.checkpoint), (10, Some(10)));
    let found = recover(&options.clone().stop_at(EntryId::new(9))).unwrap();
    assert_eq!((found.state, found.report.checkpoint), (9, Some(9)));
    let refused = recover(&options.clone().tag(8));
    assert!(
        matches!(refused, Err(Error::CheckpointTag { expected: 8, found: 7, .. })),
        "{refused:?}"
    );
    let refused = recover(&options.checkpoint(CheckpointOptions::new().checkpoint_bytes_max(0)));
    assert!(
        matches!(refused, Err(Error::Limit { what: Limit::CheckpointBytes, .. })),
        "{refused:?}"
    );
}

#[test]
fn what_was_published_says_how_long_it_is() {
    let dir = MemoryDirectory::new();
    let mut wal = Wal::open(dir.clone(), WalOptions::new()).unwrap();
    let mut publisher = CheckpointPublisher::new(dir, PublishOptions::new()).unwrap();
    for (state, bytes) in [(1_u64, 1), (300, 2), (70_000, 3)] {
        assert_eq!(publisher.publish(&mut wal, &state).unwrap().bytes(), bytes);
    }
}
