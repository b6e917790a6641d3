//! The host's file system keeps the `Directory` contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use durability::storage::{FsDirectory, FsOptions};
use durability_core::storage::{Directory, MemoryDirectory};
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

#[test]
fn around_the_cache_the_file_system_keeps_the_contract() {
    let options = FsOptions::new().direct_io(true);
    check_below_temporary_folders(|path| FsDirectory::with_options(path, options).unwrap());
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
