//! Checkpoint and log must meet: ahead, apart, and beyond the point to stop at are errors, never another state.

use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointStore};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability_core::storage::{Folder, MemoryDirectory, MemoryError};
use durability_core::walog::{WalOptions, WalReader, WalWriter};
use durability_core::{EntryId, Error};
use durability_testkit::faults::{Fault, FaultyDirectory, Operation};

use crate::common::{disk, id, image, small};

type State = Vec<u64>;
type Wal = WalWriter<u64, MemoryDirectory>;

fn push(state: &mut State, at: EntryId, entry: u64) -> Result<(), Error<MemoryError>> {
    assert_eq!(at, entry, "each entry is its own id here");
    state.push(entry);
    Ok(())
}

/// Through the writer and without it: both must say the same.
fn recover(
    dir: &MemoryDirectory,
    wal: &WalOptions,
    options: &RecoverOptions,
) -> Result<Recovered<State>, Error<MemoryError>> {
    let looked = recover_read_only(dir.clone(), wal.clone(), options, State::new(), push);
    let mut writer = Wal::open(dir.clone(), wal.clone())?;
    let recovered = recover_with_wal(&mut writer, options, State::new(), push);
    match (&looked, &recovered) {
        (Ok(looked), Ok(recovered)) => assert_eq!(looked.state, recovered.state),
        (Err(looked), Err(recovered)) => assert_eq!(looked.to_string(), recovered.to_string()),
        _ => panic!("read only: {looked:?}, through the writer: {recovered:?}"),
    }
    recovered
}

fn latest(dir: &MemoryDirectory) -> Result<Recovered<State>, Error<MemoryError>> {
    recover(dir, &small(), &RecoverOptions::new())
}

fn append(wal: &mut Wal, count: u64) {
    for _ in 0..count {
        let next = wal.next_entry_id();
        assert_eq!(wal.append(&next.get()).unwrap(), next);
    }
}

/// A checkpoint of entries 1 to `last`, as a program without a publisher could write it.
fn checkpoint(dir: &MemoryDirectory, log_id: u64, last: u64) {
    let store = CheckpointStore::new(dir.clone(), Folder::new("ckp").unwrap()).unwrap();
    let meta = CheckpointMeta { log_id, last_id: EntryId::new(last), tag: 0, segment: 0 };
    let (_, mut writer) = store.create(meta, CheckpointOptions::new()).unwrap();
    writer.put(&(1..=last).collect::<State>()).unwrap();
    let _durable = writer.finish().unwrap();
}

#[test]
fn a_checkpoint_ahead_of_the_log_is_an_error_and_later_appends_are_not_swallowed() {
    let dir = MemoryDirectory::new();
    let mut wal = Wal::open(dir.clone(), small()).unwrap();
    append(&mut wal, 50);
    let _durable = wal.flush_and_sync().unwrap();
    let log_id = wal.raw().log_id();
    // The power goes while 51 to 100 are buffered; what is there is the log up to 50, and the checkpoint.
    let durable = disk(&image(&dir));
    append(&mut wal, 50);
    drop(wal);
    checkpoint(&durable, log_id, 100);
    for last in [50, 60] {
        match latest(&durable) {
            Err(Error::CheckpointAhead { file, checkpoint, last: found }) => {
                assert_eq!(file.to_string(), "ckp/00000001.CKP");
                assert_eq!((checkpoint, found), (id(100), EntryId::new(last)));
            }
            other => panic!("{other:?}"),
        }
        let mut wal = Wal::open(durable.clone(), small()).unwrap();
        append(&mut wal, 10);
        wal.close().unwrap();
    }
}

#[test]
fn a_publisher_writes_no_checkpoint_before_the_log_is_durable() {
    for operation in [Operation::Write, Operation::SyncData] {
        let dir = FaultyDirectory::new(MemoryDirectory::new());
        let mut wal = WalWriter::<u64, _>::open(dir.clone(), small()).unwrap();
        let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
        wal.append(&1).unwrap();
        dir.counters().fail_nth(operation, 1, Fault::Io);
        assert!(matches!(publisher.publish(&mut wal, &vec![1_u64]), Err(Error::Store { .. })));
        assert!(matches!(publisher.publish(&mut wal, &vec![1_u64]), Err(Error::Poisoned { .. })));
        assert_eq!(dir.inner().names(), ["wal/00000001.WAL"]);
    }
}

#[test]
fn a_gap_between_checkpoint_and_log_is_an_error_and_never_an_empty_state() {
    for entries in [0, 5] {
        let dir = MemoryDirectory::new();
        let options = small().first_id(id(11));
        let mut wal = Wal::open(dir.clone(), options.clone()).unwrap();
        append(&mut wal, entries);
        let log_id = wal.raw().log_id();
        wal.close().unwrap();
        for (last, needed) in [(0, 1), (9, 10)] {
            if last > 0 {
                checkpoint(&dir, log_id, last);
            }
            match recover(&dir, &options, &RecoverOptions::new()) {
                Err(Error::Gap { needed: found, .. }) => assert_eq!(found, needed),
                other => panic!("{entries} entries, checkpoint at {last}: {other:?}"),
            }
        }
        // A checkpoint at 10 closes the gap.
        checkpoint(&dir, log_id, 10);
        let whole = recover(&dir, &options, &RecoverOptions::new()).unwrap();
        assert_eq!(whole.state, (1..=10 + entries).collect::<State>());
    }
}

/// Twenty entries, published at 10, and perhaps pruned there.
fn published(prune: bool) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut wal = Wal::open(dir.clone(), small().segment_bytes(128)).unwrap();
    let options = PublishOptions::new().prune(prune);
    let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
    append(&mut wal, 10);
    publisher.publish(&mut wal, &(1..=10).collect::<State>()).unwrap();
    append(&mut wal, 10);
    wal.close().unwrap();
    dir
}

#[test]
fn each_kept_checkpoint_can_stand_in_for_the_newer_ones() {
    for keep in 1..=3 {
        let dir = MemoryDirectory::new();
        let mut wal = Wal::open(dir.clone(), small().segment_bytes(128)).unwrap();
        let options = PublishOptions::new().keep(keep);
        let mut publisher = CheckpointPublisher::new(dir.clone(), options.clone()).unwrap();
        for round in 1..=5 {
            append(&mut wal, 10);
            publisher.publish(&mut wal, &(1..=round * 10).collect::<State>()).unwrap();
            // Whoever publishes next may be another process.
            if round % 2 == 0 {
                publisher = CheckpointPublisher::new(dir.clone(), options.clone()).unwrap();
            }
        }
        append(&mut wal, 3);
        wal.close().unwrap();
        let mut files = image(&dir);
        let checkpoints: Vec<_> =
            files.keys().filter(|file| file.starts_with("ckp")).cloned().collect();
        assert_eq!(checkpoints.len(), keep as usize);
        for damaged in checkpoints.iter().skip(1).rev() {
            *files.get_mut(damaged).unwrap().last_mut().unwrap() ^= 1;
            let whole = latest(&disk(&files)).unwrap();
            assert_eq!(whole.state, (1..=53).collect::<State>(), "{keep} kept, {damaged} damaged");
        }
        // What no kept checkpoint needs is gone.
        let first = wal_first(&files);
        assert!(first > 10 * (5 - u64::from(keep)) && first <= 10 * (6 - u64::from(keep)) + 1);
    }
}

fn wal_first(files: &crate::common::Image) -> u64 {
    Wal::open(disk(files), small()).unwrap().first_entry_id().get()
}

#[test]
fn a_replay_that_begins_before_the_first_entry_left_is_an_error_and_never_a_shorter_one() {
    let dir = published(true);
    let first = Wal::open(dir.clone(), small()).unwrap().first_entry_id();
    assert!(first > id(1));
    for from in 1..first.get() {
        let mut reader = WalReader::<u64, _>::open(dir.clone(), small()).unwrap();
        match reader.replay_from(id(from)) {
            Err(Error::Gap { needed, first: found, .. }) => {
                assert_eq!((needed, found), (id(from), Some(first)));
            }
            other => panic!("from {from}: {other:?}"),
        }
    }
    let mut reader = WalReader::<u64, _>::open(dir, small()).unwrap();
    assert_eq!(reader.replay_from(first).unwrap()[0].0, first);
}

#[test]
fn stopping_before_the_oldest_checkpoint_is_an_error_or_the_exact_state() {
    for stop in 1..=21 {
        let options = RecoverOptions::new().stop_at(EntryId::new(stop));
        let exact: State = (1..=stop).collect();
        // With all segments there, every state can be had again.
        match recover(&published(false), &small(), &options) {
            Ok(found) => assert_eq!((found.state, found.last_id), (exact.clone(), Some(id(stop)))),
            Err(Error::Gap { needed, .. }) => assert_eq!((needed, stop), (id(21), 21)),
            Err(other) => panic!("stop at {stop}: {other}"),
        }
        match recover(&published(true), &small(), &options) {
            Ok(found) => assert_eq!((found.state, stop >= 10), (exact, true)),
            Err(Error::StopBeforeCheckpoint { stop: found, oldest }) => {
                assert_eq!((found, oldest, stop < 10), (id(stop), id(10), true));
            }
            Err(Error::Gap { needed, .. }) => assert_eq!((needed, stop), (id(21), 21)),
            Err(other) => panic!("stop at {stop}: {other}"),
        }
    }
}

#[test]
fn a_log_cut_off_below_its_checkpoint_is_an_error_though_the_log_alone_cannot_tell() {
    let mut files = image(&published(true));
    let last = files.keys().rfind(|file| file.starts_with("wal")).unwrap().clone();
    let first = files.keys().find(|file| file.starts_with("wal")).unwrap().clone();
    // All of the log is gone, or all but its beginning.
    let mut nothing = files.clone();
    nothing.retain(|file, _| file.starts_with("ckp"));
    assert!(matches!(latest(&disk(&nothing)), Err(Error::CheckpointAhead { last: None, .. })));
    assert!(first < last);
    files.retain(|file, _| file.starts_with("ckp") || *file == first);
    match latest(&disk(&files)) {
        Ok(found) => assert!(found.state.len() >= 10, "below the checkpoint: {found:?}"),
        Err(Error::CheckpointAhead { .. } | Error::Gap { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_checkpoint_of_another_log_or_another_schema_is_refused() {
    let dir = published(true);
    checkpoint(&dir, 0xDEAD, 15);
    assert!(latest(&dir).unwrap_err().is_corruption());
    let tagged = RecoverOptions::new().tag(1);
    match recover(&published(true), &small(), &tagged) {
        Err(Error::CheckpointTag { expected, found, .. }) => assert_eq!((expected, found), (1, 0)),
        other => panic!("{other:?}"),
    }
}
