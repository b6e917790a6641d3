//! A directory through a pointer is the same directory: every operation arrives, as it was asked for.
#![allow(
    clippy::needless_borrow,
    clippy::needless_borrows_for_generic_args,
    reason = "the borrow is what is tested"
)]
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test runs on a host and fails by panicking"
)]

use std::rc::Rc;
use std::sync::Arc;

use durability::storage::FsDirectory;
use durability_core::embedded_io::{Read as _, Seek as _, SeekFrom, Write as _};
use durability_core::storage::{
    AppendFile as _, Directory, DurableDirectory as _, DynDirectory, Folder, MemoryDirectory,
    MemoryError, Name, ReadFile as _,
};
use durability_testkit::faults::{Event, Fault, FaultError, FaultyDirectory, Operation};

type Traced = FaultyDirectory<MemoryDirectory>;
type Failed = FaultError<MemoryError>;

fn name(text: &str) -> Name<'_> {
    Name::new(text).unwrap()
}

/// Asks for everything that a directory and its files can do.
fn everything<D: Directory + ?Sized>(dir: &D) {
    let (one, two) = (name("a/one"), name("b/two"));
    let mut file = dir.create(one, 64).unwrap().unwrap();
    file.write(b"some bytes").unwrap();
    file.flush().unwrap();
    file.sync_data().unwrap();
    file.trim().unwrap();
    assert_eq!(file.position(), 10);
    drop(file);
    drop(dir.reopen(one, 10).unwrap().unwrap());
    let mut file = dir.open(one).unwrap().unwrap();
    let mut bytes = [0; 3];
    assert_eq!(file.len().unwrap(), 10);
    assert_eq!(file.read_at(1, &mut bytes).unwrap(), 3);
    assert_eq!(file.seek(SeekFrom::Start(2)).unwrap(), 2);
    assert_eq!(file.read(&mut bytes).unwrap(), 3);
    drop(file);
    let mut names = 0;
    dir.list(Folder::new("a").unwrap(), &mut |_| names += 1).unwrap();
    assert_eq!(names, 1);
    dir.sync_file(one).unwrap();
    dir.sync_dir(Folder::new("a").unwrap()).unwrap();
    dir.rename(one, two).unwrap();
    let _lock = dir.lock(name("a/LOCK")).unwrap();
    dir.remove(two).unwrap();
    assert!(dir.capabilities().rename());
    assert_ne!(dir.nonce(), dir.nonce());
}

fn trace(run: impl FnOnce(Traced)) -> Vec<Event> {
    let dir = FaultyDirectory::new(MemoryDirectory::new());
    let counters = dir.counters();
    counters.start_trace();
    run(dir);
    counters.take_trace()
}

#[test]
fn every_operation_goes_through_every_pointer() {
    let direct = trace(|dir| everything(&dir));
    for operation in Operation::ALL {
        assert!(direct.iter().any(|event| event.operation == operation), "{operation:?}");
    }
    assert_eq!(trace(|dir| everything(&&dir)), direct);
    assert_eq!(trace(|dir| everything(&Rc::new(dir))), direct);
    assert_eq!(trace(|dir| everything(&Arc::new(dir))), direct);
    let erased = |dir| Arc::new(dir) as Arc<dyn DynDirectory<Error = Failed>>;
    assert_eq!(trace(|dir| everything(&*erased(dir))), direct);
    assert_eq!(trace(|dir| everything(&erased(dir))), direct);
}

#[test]
fn a_path_goes_through_every_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(folder.path()).unwrap();
    let path = dir.file_path(name("a/one"));
    assert!(path.as_ref().is_some_and(|path| path.contains("one")), "{path:?}");
    assert_eq!((&dir).file_path(name("a/one")), path);
    let erased: Arc<dyn DynDirectory<Error = _>> = Arc::new(dir);
    assert_eq!(erased.file_path(name("a/one")), path);
}

/// The new name first: at no moment may only the removal of the old one be durable.
#[test]
fn a_durable_rename_syncs_the_new_folder_and_then_the_old_one() {
    for (to, expected) in [("a/two", &["a"][..]), ("b/two", &["b", "a"])] {
        let events = trace(|dir| {
            dir.create(name("a/one"), 0).unwrap().unwrap().write_all(b"content").unwrap();
            dir.atomic_rename_durable("a/one", to).unwrap();
        });
        let synced = events.iter().filter(|event| event.operation == Operation::SyncDir);
        assert_eq!(synced.map(|event| event.name.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn an_interrupted_write_of_a_whole_file_is_tried_again() {
    let dir = FaultyDirectory::new(MemoryDirectory::new());
    dir.counters().fail_nth(Operation::Write, 1, Fault::Interrupted);
    dir.atomic_write_durable("state", b"content").unwrap();
    assert_eq!(dir.counters().fired(), 1);
    assert_eq!(dir.inner().contents(name("state")).unwrap(), b"content");
}
