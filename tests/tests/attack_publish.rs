//! Publishing and recovery: shared folders, older states, full disks, changed tags.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)] // tests

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};

type Wal = WalWriter<u64, MemoryDirectory>;
type Failed = Error<MemoryError>;

fn small() -> WalOptions {
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256)
}

fn open(dir: &MemoryDirectory, folder: &str) -> Wal {
    WalWriter::open(dir.clone(), small().folder(folder)).unwrap()
}

fn append(wal: &mut Wal, count: u64) -> u64 {
    for _ in 0..count {
        wal.append(&1).unwrap();
    }
    wal.last_entry_id().map_or(0, EntryId::get)
}

fn recover(wal: &mut Wal, options: &RecoverOptions) -> Result<Recovered<u64>, Failed> {
    recover_with_wal(wal, options, 0, |sum, _, entry| {
        *sum += entry;
        Ok(())
    })
}

#[test]
fn two_logs_that_share_a_folder_of_checkpoints_lose_nothing() {
    let dir = MemoryDirectory::new();
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    let (mut one, mut two) = (open(&dir, "one"), open(&dir, "two"));
    let state = append(&mut one, 10);
    publisher.publish(&mut one, &state).unwrap();
    for _ in 0..3 {
        let state = append(&mut two, 10);
        // Refused, or without harm to the first.
        let _result = publisher.publish(&mut two, &state);
    }
    let recovered = recover(&mut one, &RecoverOptions::new());
    assert!(recovered.as_ref().is_ok_and(|found| found.state == 10), "{recovered:?}");
}

#[test]
fn publishing_an_older_state_loses_no_newer_one() {
    for keep in 1..=2 {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, "wal");
        let mut publisher =
            CheckpointPublisher::new(dir.clone(), PublishOptions::new().keep(keep)).unwrap();
        let state = append(&mut wal, 20);
        publisher.publish(&mut wal, &state).unwrap();
        for older in [None, EntryId::new(3), EntryId::new(4)] {
            let number = older.map_or(0, EntryId::get);
            // Refused, or without harm.
            let _result = publisher.publish_with(&mut wal, older, |writer| writer.put(&number));
        }
        let recovered = recover(&mut wal, &RecoverOptions::new());
        assert!(recovered.as_ref().is_ok_and(|found| found.state == 20), "{recovered:?}");
    }
}

#[test]
fn a_state_of_a_new_schema_can_be_recovered_after_its_first_publication() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, "wal");
    for tag in [0, 0, 1] {
        let options = PublishOptions::new().tag(tag);
        let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
        let state = append(&mut wal, 10);
        publisher.publish(&mut wal, &state).unwrap();
    }
    let recovered = recover(&mut wal, &RecoverOptions::new().tag(1));
    assert!(recovered.as_ref().is_ok_and(|found| found.state == 30), "{recovered:?}");
    // With the old tag it must not go back in time in silence.
    let old = recover(&mut wal, &RecoverOptions::new());
    assert!(matches!(old, Err(Error::CheckpointTag { .. })), "{old:?}");
}

#[test]
fn a_crash_in_the_first_publication_of_a_new_schema_locks_nobody_out() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, "wal");
    for tag in [0, 0, 1] {
        let options = PublishOptions::new().tag(tag);
        let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
        let state = append(&mut wal, 10);
        if tag == 1 {
            // What a crash leaves of the checkpoint: its header.
            let other = MemoryDirectory::new();
            let mut foreign: Wal =
                WalWriter::open(other.clone(), small().log_id(wal.raw().log_id())).unwrap();
            append(&mut foreign, 30);
            let options = PublishOptions::new().tag(1);
            let mut publisher = CheckpointPublisher::new(other.clone(), options).unwrap();
            publisher.publish(&mut foreign, &30_u64).unwrap();
            let bytes = other.contents(Name::new("ckp/00000001.CKP").unwrap()).unwrap();
            dir.put(Name::new("ckp/00000003.CKP").unwrap(), bytes[..48].to_vec());
        } else {
            publisher.publish(&mut wal, &state).unwrap();
        }
    }
    let recovered = recover(&mut wal, &RecoverOptions::new());
    assert!(recovered.as_ref().is_ok_and(|found| found.state == 30), "{recovered:?}");
}

#[test]
fn publishing_again_and_again_on_a_full_disk_leaves_nothing_behind() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, "wal");
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    let state = append(&mut wal, 10);
    publisher.publish(&mut wal, &state).unwrap();
    append(&mut wal, 10);
    let _ = wal.flush_and_sync().unwrap();
    let used: usize = sizes(&dir);
    dir.set_bytes_max(used as u64 + 100_000);
    let large = vec![7_u8; 200_000];
    for _ in 0..5 {
        assert!(publisher.publish(&mut wal, &large).is_err());
    }
    assert_eq!(sizes(&dir), used, "{:?}", dir.names());
    append(&mut wal, 10);
    assert!(
        wal.flush_and_sync().is_ok(),
        "the room that a failed checkpoint took is the log's again"
    );
}

fn sizes(dir: &MemoryDirectory) -> usize {
    let bytes = |name: &String| dir.contents(Name::new(name).unwrap()).unwrap().len();
    dir.names().iter().map(bytes).sum()
}

#[test]
fn a_recovery_that_only_looks_reports_the_torn_tail() {
    for published in [false, true] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, "wal");
        let state = append(&mut wal, 1);
        if published {
            let mut publisher =
                CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
            publisher.publish(&mut wal, &state).unwrap();
        }
        wal.close().unwrap();
        let name = Name::new("wal/00000001.WAL").unwrap();
        let mut bytes = dir.contents(name).unwrap();
        bytes.extend_from_slice(&[9; 30]);
        dir.put(name, bytes);
        let options = RecoverOptions::new();
        let found = recover_read_only(dir, small(), &options, 0, |sum, _, entry: u64| {
            *sum += entry;
            Ok::<(), Failed>(())
        })
        .unwrap();
        assert_eq!(found.state, 1);
        assert!(found.report.replay.torn.is_some(), "published {published}: {:?}", found.report);
    }
}

#[test]
fn a_checkpoint_of_entries_that_were_truncated_is_never_taken_for_the_state() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, "wal");
    let options = PublishOptions::new().prune(false);
    let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
    let state = append(&mut wal, 10);
    publisher.publish(&mut wal, &state).unwrap();
    wal.truncate_suffix(EntryId::new(6).unwrap()).unwrap();
    for _ in 0..10 {
        wal.append(&100).unwrap();
    }
    let recovered = recover(&mut wal, &RecoverOptions::new());
    assert!(!recovered.as_ref().is_ok_and(|found| found.state != 1005), "{recovered:?}");
}

#[test]
fn what_crashes_left_of_checkpoints_makes_room_for_the_next() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, "wal");
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    publisher.publish(&mut wal, &0_u64).unwrap();
    let whole = dir.contents(Name::new("ckp/00000001.CKP").unwrap()).unwrap();
    for left in ["ckp/00000002.CKP", "ckp/00000003.CKP"] {
        dir.put(Name::new(left).unwrap(), whole[..50].to_vec());
    }
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    let made = publisher.publish(&mut wal, &0_u64).unwrap();
    let files: Vec<_> = dir.names().into_iter().filter(|file| file.starts_with("ckp/")).collect();
    assert_eq!(
        files,
        ["ckp/00000001.CKP".to_owned(), format!("ckp/{:08X}.CKP", made.generation())]
    );
}
