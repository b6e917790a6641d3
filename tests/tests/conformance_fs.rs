//! The host's file system keeps the `Directory` contract.
//!
//! Until `durability` is among the dependencies only the harness is here. The tests to come are
//! `check_below_temporary_folders(|path| FsDirectory::new(path).unwrap())` and the same on `FsDirectory::arc`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::path::Path;

use durability_core::storage::Directory;
use durability_testkit::conformance::{Report, check};

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
fn the_harness_gives_every_law_a_folder_of_its_own() {
    use durability_core::storage::MemoryDirectory;
    use durability_testkit::conformance::LAWS;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    let seen = RefCell::new(BTreeSet::new());
    check_below_temporary_folders(|path| {
        assert_eq!(path.read_dir().unwrap().count(), 0);
        assert!(seen.borrow_mut().insert(path.to_path_buf()));
        MemoryDirectory::new()
    });
    assert_eq!(seen.borrow().len(), LAWS.len());
}
