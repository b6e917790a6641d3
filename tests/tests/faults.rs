//! The fault wrapper counts what is asked of it, and fails exactly where it is told to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use durability_core::embedded_io::{
    Error as _, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _,
};
use durability_core::storage::{
    AppendFile as _, Directory, Folder, MemoryDirectory, Name, ReadFile as _, StoreError as _,
};
use durability_flash::{FlashDirectory, FlashOptions};
use durability_testkit::backends::NorChip;
use durability_testkit::faults::{Counters, Fault, FaultyDirectory, Operation};

fn name(text: &'static str) -> Name<'static> {
    Name::new(text).unwrap()
}

fn memory() -> (FaultyDirectory<MemoryDirectory>, Counters) {
    let dir = FaultyDirectory::new(MemoryDirectory::new());
    let counters = dir.counters();
    (dir, counters)
}

#[test]
fn every_operation_is_counted_once() {
    let (dir, counters) = memory();
    let mut file = dir.create(name("wal/A"), 0).unwrap().unwrap();
    file.write(&[1; 10]).unwrap();
    file.flush().unwrap();
    file.sync_data().unwrap();
    file.trim().unwrap();
    drop(file);
    dir.reopen(name("wal/A"), 10).unwrap().unwrap();
    let mut reader = dir.open(name("wal/A")).unwrap().unwrap();
    reader.read(&mut [0; 4]).unwrap();
    reader.read_at(4, &mut [0; 100]).unwrap();
    reader.seek(SeekFrom::Start(0)).unwrap();
    reader.len().unwrap();
    dir.list(Folder::ROOT, &mut |_| {}).unwrap();
    dir.sync_file(name("wal/A")).unwrap();
    dir.sync_dir(Folder::ROOT).unwrap();
    drop(dir.lock(name("LOCK")).unwrap());
    dir.rename(name("wal/A"), name("wal/B")).unwrap();
    dir.remove(name("wal/B")).unwrap();
    let counts = counters.counts();
    for operation in Operation::ALL {
        let expected = if operation == Operation::Read { 2 } else { 1 };
        assert_eq!(counts.of(operation), expected, "{operation:?}");
    }
    assert_eq!(counts.total(), 17);
    assert_eq!(counts.syncs(), 3);
    assert_eq!((counts.bytes_written, counts.bytes_read), (10, 10));
    counters.reset();
    assert_eq!(counters.counts().total(), 0);
}

#[test]
fn a_fault_strikes_the_ordered_operation_and_no_other() {
    for nth in 1..=5 {
        let (dir, counters) = memory();
        let mut file = dir.create(name("A"), 0).unwrap().unwrap();
        counters.fail_nth(Operation::Write, nth, Fault::Io);
        let failed: Vec<bool> = (0..5).map(|_| file.write(&[1; 8]).is_err()).collect();
        let expected: Vec<bool> = (1..=5).map(|index| index == nth).collect();
        assert_eq!(failed, expected);
        assert_eq!(counters.fired(), 1);
        assert_eq!(dir.inner().contents(name("A")).unwrap().len(), 32);
    }
}

#[test]
fn an_order_over_all_operations_counts_every_kind() {
    let (dir, counters) = memory();
    counters.fail_nth_of_all(3, Fault::Io);
    let mut file = dir.create(name("A"), 0).unwrap().unwrap();
    file.write(&[1; 8]).unwrap();
    assert!(file.sync_data().is_err());
    assert!(file.sync_data().is_ok());
}

#[test]
fn a_lasting_fault_ends_when_it_is_healed() {
    let (dir, counters) = memory();
    let mut file = dir.create(name("A"), 0).unwrap().unwrap();
    counters.fail_from(Operation::Write, 2, Fault::NoSpace);
    assert!(file.write(&[1; 8]).is_ok());
    for _ in 0..3 {
        assert!(file.write(&[1; 8]).is_err_and(|error| error.is_no_space()));
    }
    assert!(dir.open(name("A")).is_ok());
    counters.heal();
    assert!(file.write(&[1; 8]).is_ok());
    counters.fail_all_from(1, Fault::Io);
    assert!(dir.open(name("A")).is_err());
    assert!(file.sync_data().is_err());
}

#[test]
fn a_short_write_stores_whole_granules_and_then_fails() {
    let chip = NorChip::<1, 16, 2048>::new(8);
    let flash = FlashDirectory::<_, 4>::mount(chip, FlashOptions::new()).unwrap();
    let dir = FaultyDirectory::new(&flash);
    let mut file = dir.create(name("A"), 0).unwrap().unwrap();
    dir.counters().fail_nth(Operation::Write, 1, Fault::ShortWrite);
    assert_eq!(file.write(&[1; 80]).unwrap(), 32);
    assert_eq!(file.position(), 32);
    assert!(file.write(&[1; 48]).is_err());
    assert_eq!(file.position(), 32);

    let mut file = dir.create(name("B"), 0).unwrap().unwrap();
    dir.counters().fail_nth(Operation::Write, 1, Fault::ShortWrite);
    assert!(file.write(&[1; 16]).is_err(), "half of one granule is nothing");
}

#[test]
fn an_interruption_does_nothing_and_says_so() {
    let (dir, counters) = memory();
    dir.inner().put(name("A"), vec![5; 8]);
    let mut reader = dir.open(name("A")).unwrap().unwrap();
    counters.fail_nth(Operation::Read, 1, Fault::Interrupted);
    let error = reader.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let mut buffer = [0; 8];
    assert_eq!(reader.read(&mut buffer).unwrap(), 8);
    assert_eq!(buffer, [5; 8]);
}

#[test]
fn a_fault_after_the_operation_leaves_it_done() {
    let (dir, counters) = memory();
    dir.inner().put(name("A"), vec![5; 8]);
    counters.fail_nth(Operation::Remove, 1, Fault::IoAfter);
    assert!(dir.remove(name("A")).is_err());
    assert!(dir.inner().names().is_empty());
}

#[test]
fn the_trace_tells_operations_in_order_with_their_files() {
    let (dir, counters) = memory();
    let mut file = dir.create(name("wal/A"), 0).unwrap().unwrap();
    counters.start_trace();
    counters.fail_nth(Operation::SyncDir, 1, Fault::Io);
    file.write(&[1; 3]).unwrap();
    file.sync_data().unwrap();
    assert!(dir.sync_dir(Folder::new("wal").unwrap()).is_err());
    let trace: Vec<_> = counters
        .take_trace()
        .into_iter()
        .map(|event| (event.operation, event.name, event.bytes, event.fault))
        .collect();
    let expected = [
        (Operation::Write, "wal/A".to_owned(), 3, None),
        (Operation::SyncData, "wal/A".to_owned(), 0, None),
        (Operation::SyncDir, "wal".to_owned(), 0, Some(Fault::Io)),
    ];
    assert_eq!(trace, expected);
    assert!(counters.take_trace().is_empty());
}

#[test]
fn backend_errors_keep_their_meaning() {
    type Error = <FaultyDirectory<MemoryDirectory> as Directory>::Error;
    let dir = FaultyDirectory::new(MemoryDirectory::with_bytes_max(4));
    let mut file = dir.create(name("A"), 0).unwrap().unwrap();
    assert!(file.write(&[1; 8]).is_err_and(|error| error.is_no_space()));
    assert!(Error::unsupported().is_unsupported());
}
