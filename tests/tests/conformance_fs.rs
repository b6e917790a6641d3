//! The host's file system keeps the `Directory` contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use durability::storage::{
    Capabilities, Directory, Folder, FsAppender, FsDirectory, FsError, FsLock, FsOptions, FsReader,
    Locking, MemoryDirectory, Name,
};
use durability_testkit::conformance::{LAWS, Report, check};

/// Runs the suite on directories below temporary folders, which live until it ends.
fn check_below_temporary_folders<D: Directory>(open: impl Fn(&Path) -> D) -> Report {
    let mut folders = Vec::new();
    check(|| {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        folders.push(folder);
        dir
    })
}

#[test]
fn the_file_system_keeps_the_contract() {
    let report = check_below_temporary_folders(|path| FsDirectory::new(path).unwrap());
    let unasked: Vec<_> = report.not_applicable().map(|(law, _)| law).collect();
    assert_eq!(unasked, ["reopen_is_as_announced", "rename_is_as_announced"]);
}

/// Every file gets room, in which appends go around the cache; counts those that do.
struct Roomy {
    inner: FsDirectory,
    direct: Rc<Cell<u32>>,
}

const ROOM_BYTES: u64 = 64 << 10;

impl Roomy {
    fn counted(&self, file: Option<FsAppender>) -> Option<FsAppender> {
        let direct = file.as_ref().is_some_and(FsAppender::is_direct);
        self.direct.set(self.direct.get() + u32::from(direct));
        file
    }
}

impl Directory for Roomy {
    type Error = FsError;
    type Reader = FsReader;
    type Appender = FsAppender;
    type Lock = FsLock;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn open(&self, name: Name<'_>) -> Result<Option<FsReader>, FsError> {
        self.inner.open(name)
    }
    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<FsAppender>, FsError> {
        Ok(self.counted(self.inner.create(name, reserve.max(ROOM_BYTES))?))
    }
    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<FsAppender>, FsError> {
        Ok(self.counted(self.inner.reopen(name, at)?))
    }
    fn remove(&self, name: Name<'_>) -> Result<(), FsError> {
        self.inner.remove(name)
    }
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), FsError> {
        self.inner.list(folder, each)
    }
    fn sync_file(&self, name: Name<'_>) -> Result<(), FsError> {
        self.inner.sync_file(name)
    }
    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), FsError> {
        self.inner.sync_dir(folder)
    }
    fn lock(&self, name: Name<'_>) -> Result<Locking<FsLock>, FsError> {
        self.inner.lock(name)
    }
    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }
    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), FsError> {
        self.inner.rename(from, to)
    }
}

#[test]
fn around_the_cache_the_file_system_keeps_the_contract() {
    let options = FsOptions::new().direct_io(true);
    let direct = Rc::new(Cell::new(0));
    check_below_temporary_folders(|path| {
        let inner = FsDirectory::with_options(path, options).unwrap();
        Roomy { inner, direct: Rc::clone(&direct) }
    });
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::with_options(scratch.path(), options).unwrap();
    let here = dir.create(Name::new("a").unwrap(), ROOM_BYTES).unwrap().unwrap().is_direct();
    assert!(!here || direct.get() > 50, "only {} files", direct.get());
}

#[test]
fn the_file_system_erased_keeps_the_contract() {
    check_below_temporary_folders(|path| FsDirectory::arc(path).unwrap());
}

#[test]
fn the_harness_gives_every_law_a_folder_of_its_own() {
    let seen = RefCell::new(BTreeSet::new());
    check_below_temporary_folders(|path| {
        assert_eq!(path.read_dir().unwrap().count(), 0);
        assert!(seen.borrow_mut().insert(path.to_path_buf()));
        MemoryDirectory::new()
    });
    assert_eq!(seen.borrow().len(), LAWS.len());
}
