//! Every backend keeps the `Directory` contract, in its own form and erased.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::rc::Rc;
use std::sync::Arc;

use durability_core::storage::{Directory, DynDirectory, MemoryDirectory, MemoryError};
use durability_testkit::backends::{FatDirectory, NorDirectory, NorGeometry};
use durability_testkit::conformance::{LAWS, Report, check};
use durability_testkit::faults::FaultyDirectory;

/// 64 KiB of flash, in 16 slots of two blocks.
fn nor(granule: usize) -> NorDirectory {
    NorDirectory::new(NorGeometry { blocks: 32, block_bytes: 2048, granule }, 2).unwrap()
}

/// The laws that asked nothing of a backend.
fn unasked(report: &Report) -> Vec<&'static str> {
    report.not_applicable().map(|(law, _)| law).collect()
}

#[test]
fn memory_keeps_the_contract() {
    let report = check(MemoryDirectory::new);
    assert_eq!(report.verdicts().len(), LAWS.len());
    assert_eq!(unasked(&report), ["reopen_is_as_announced", "rename_is_as_announced"]);
}

#[test]
fn memory_erased_keeps_the_contract() {
    let report = check(MemoryDirectory::arc);
    assert_eq!(unasked(&report), ["reopen_is_as_announced", "rename_is_as_announced"]);
}

#[test]
fn memory_behind_pointers_keeps_the_contract() {
    check(|| Rc::new(MemoryDirectory::new()));
    check(|| Box::new(MemoryDirectory::new()));
    let owner = MemoryDirectory::new();
    assert!(durability_testkit::conformance::laws::create_is_exclusive(&&owner).is_ok());
}

#[test]
fn nor_flash_keeps_the_contract_at_every_granule() {
    for granule in [1, 4, 8, 16, 256] {
        let report = check(|| nor(granule));
        let expected = [
            "reopen_replaces_what_lies_beyond",
            "reopen_is_as_announced",
            "rename_moves_a_file",
            "rename_replaces_the_target",
            "rename_of_nothing_is_an_error",
        ];
        assert_eq!(unasked(&report), expected, "granule {granule}");
    }
}

#[test]
fn nor_flash_erased_keeps_the_contract() {
    check(|| -> Arc<dyn DynDirectory<Error = _>> { Arc::new(nor(16)) });
}

#[test]
fn a_third_party_fat_volume_keeps_the_contract() {
    let report = check(|| FatDirectory::new().unwrap());
    let expected = [
        "flushed_bytes_are_read_beside_the_appender",
        "reopen_is_as_announced",
        "rename_moves_a_file",
        "rename_replaces_the_target",
        "rename_of_nothing_is_an_error",
    ];
    assert_eq!(unasked(&report), expected);
}

#[test]
fn a_third_party_fat_volume_erased_keeps_the_contract() {
    check(|| -> Arc<dyn DynDirectory<Error = _>> { Arc::new(FatDirectory::new().unwrap()) });
}

#[test]
fn the_fault_wrapper_changes_nothing_until_told() {
    check(|| FaultyDirectory::new(MemoryDirectory::new()));
    check(|| FaultyDirectory::new(nor(16)));
}

#[test]
fn the_dyn_form_is_a_directory_like_any_other() {
    fn takes<D: Directory<Error = MemoryError>>(dir: &D) -> bool {
        dir.capabilities().rename()
    }
    assert!(takes(&MemoryDirectory::arc()));
}
