//! Publishing: what the kept checkpoints are good for, and how far the log is pruned.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)] // tests

use durability_core::checkpoint::{CheckpointOptions, CheckpointStore};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_with_wal};
use durability_core::storage::{Directory as _, Folder, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};

type Wal = WalWriter<u64, MemoryDirectory>;
type Failed = Error<MemoryError>;

fn open(dir: &MemoryDirectory) -> Wal {
    let options = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
    WalWriter::open(dir.clone(), options).unwrap()
}

fn append(wal: &mut Wal, value: u64, count: u64) -> u64 {
    for _ in 0..count {
        wal.append(&value).unwrap();
    }
    value * count
}

fn recover(wal: &mut Wal) -> Result<Recovered<u64>, Failed> {
    recover_with_wal(wal, &RecoverOptions::new(), 0, |sum, _, entry| {
        *sum += entry;
        Ok(())
    })
}

fn rot(dir: &MemoryDirectory, file: &str) {
    let name = Name::new(file).unwrap();
    let mut bytes = dir.contents(name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    dir.put(name, bytes);
}

/// Entries 6 to 10 are taken back after a checkpoint of them: whatever is damaged later, that state is never the log's again.
#[test]
fn a_state_that_was_taken_back_stays_so_when_the_log_is_pruned() {
    let mut wrong = Vec::new();
    for more in 1..20 {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir);
        let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
        let state = append(&mut wal, 1, 4);
        publisher.publish(&mut wal, &state).unwrap();
        let state = append(&mut wal, 1, 6) + state;
        publisher.publish(&mut wal, &state).unwrap();
        wal.truncate_suffix(EntryId::new(6).unwrap()).unwrap();
        let state = 5 + append(&mut wal, 100, more);
        publisher.publish(&mut wal, &state).unwrap();
        let intact = recover(&mut wal).unwrap();
        assert_eq!(intact.state, state);
        rot(&dir, "ckp/00000003.CKP");
        match recover(&mut wal) {
            Ok(found) if found.state == state => {}
            other => wrong.push((
                more,
                wal.first_entry_id().get(),
                other.map(|found| found.state).map_err(|error| error.to_string()),
            )),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Two are kept so that either can be damaged: one that a truncation has taken back is none of them.
#[test]
fn a_stale_checkpoint_does_not_take_the_place_of_one_that_can_stand_in() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    let state = append(&mut wal, 1, 8);
    publisher.publish(&mut wal, &state).unwrap();
    let state = append(&mut wal, 1, 8) + state;
    publisher.publish(&mut wal, &state).unwrap();
    wal.truncate_suffix(EntryId::new(11).unwrap()).unwrap();
    let state = 10 + append(&mut wal, 100, 20);
    publisher.publish(&mut wal, &state).unwrap();
    rot(&dir, "ckp/00000003.CKP");
    let found = recover(&mut wal);
    assert!(found.as_ref().is_ok_and(|found| found.state == state), "{found:?}");
}

/// A checkpoint that somebody has removed holds back no pruning for ever.
#[test]
fn a_checkpoint_that_is_gone_does_not_keep_the_log_from_being_pruned() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    for _ in 0..2 {
        append(&mut wal, 1, 10);
        publisher.publish(&mut wal, &1_u64).unwrap();
    }
    // An operator, or another store of the same folder, keeps the newest only.
    let mut other = CheckpointStore::new(dir.clone(), Folder::new("ckp").unwrap()).unwrap();
    other.remove_older(1, CheckpointOptions::new()).unwrap();
    for _ in 0..5 {
        append(&mut wal, 1, 10);
        publisher.publish(&mut wal, &1_u64).unwrap();
    }
    let segments = wal.segments().count();
    assert!(segments <= 8, "{segments} segments, the first entry {}", wal.first_entry_id());
}

/// One to three and back, with and without a new publisher in between: the log reaches back to the oldest kept one, and each can stand in.
#[test]
fn keep_may_change_between_runs() {
    for anew in [false, true] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir);
        let mut sum = 0;
        for keep in [1, 3, 3, 3, 3, 1, 1, 2, 3, 3, 1] {
            let options = PublishOptions::new().keep(keep);
            let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
            for _ in 0..if anew { 1 } else { 2 } {
                sum += append(&mut wal, 1, 7);
                publisher.publish(&mut wal, &sum).unwrap();
            }
            let store = CheckpointStore::new(dir.clone(), Folder::new("ckp").unwrap()).unwrap();
            let generations = store.list().unwrap();
            for kept in (1..=generations.len()).rev() {
                // All newer than the kept one are gone.
                let saved: Vec<_> = generations[kept..]
                    .iter()
                    .map(|generation| {
                        let path = store.path(*generation).unwrap();
                        let bytes = dir.contents(path.as_name()).unwrap();
                        dir.remove(path.as_name()).unwrap();
                        (path, bytes)
                    })
                    .collect();
                assert_eq!(recover(&mut wal).unwrap().state, sum, "keep {keep}");
                for (path, bytes) in saved {
                    dir.put(path.as_name(), bytes);
                }
            }
        }
    }
}
