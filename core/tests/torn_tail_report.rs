//! A torn tail is no error, and no secret either: whoever recovers is told of it, with file, offset and length.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is what fails a test")]

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{TornTail, WalOptions, WalWriter};
use durability_core::{EntryId, Error};

type Result<T> = core::result::Result<T, Error<MemoryError>>;

fn open(dir: &MemoryDirectory) -> WalWriter<u64, MemoryDirectory> {
    WalWriter::open(dir.clone(), WalOptions::new()).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a visitor")]
fn add(sum: &mut u64, _id: EntryId, amount: u64) -> Result<()> {
    *sum += amount;
    Ok(())
}

fn look(dir: &MemoryDirectory, stop: Option<EntryId>) -> Recovered<u64> {
    let options = RecoverOptions::new().stop_at(stop);
    recover_read_only(dir, WalOptions::new(), &options, 0, add).unwrap()
}

/// A log of five entries, synced and torn behind them; a checkpoint covers the first `covered` of them.
fn torn(covered: usize) -> (MemoryDirectory, TornTail) {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    for number in 1..=5 {
        wal.append(&1).unwrap();
        if number == covered {
            publisher.publish(&mut wal, &(number as u64)).unwrap();
        }
    }
    let _durable = wal.flush_and_sync().unwrap();
    drop(wal);
    let file = Name::new("wal/00000001.WAL").unwrap();
    let mut bytes = dir.contents(file).unwrap();
    let offset = bytes.len() as u64;
    bytes.extend([0xA5; 7]);
    dir.put(file, bytes);
    let clean = look(&dir, None);
    let found = clean.report.replay.torn.unwrap();
    assert_eq!(
        (found.file.to_string().as_str(), found.offset, found.bytes),
        ("wal/00000001.WAL", offset, 7)
    );
    (dir, found)
}

#[test]
fn a_torn_tail_is_reported_by_who_looks_and_by_who_opens_whatever_a_checkpoint_covers() {
    for covered in [0, 3, 5] {
        let (dir, found) = torn(covered);
        assert_eq!(look(&dir, None).state, 5, "{covered}");
        assert_eq!(look(&dir, EntryId::new(5)).report.replay.torn, None);
        let mut wal = open(&dir);
        assert_eq!(wal.torn_tail(), Some(&found));
        let recovered = recover_with_wal(&mut wal, &RecoverOptions::new(), 0, add).unwrap();
        assert_eq!((recovered.state, recovered.report.replay.torn), (5, Some(found)), "{covered}");
        wal.close().unwrap();
        // Repaired: the next one finds a clean end.
        assert_eq!(look(&dir, None).report.replay.torn, None);
        assert_eq!(open(&dir).torn_tail(), None);
    }
}
