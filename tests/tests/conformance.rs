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
use durability_flash::{FlashDirectory, FlashOptions};
use durability_testkit::backends::{FatDirectory, NorChip};
use durability_testkit::conformance::{LAWS, Report, check};
use durability_testkit::faults::FaultyDirectory;

/// 64 KiB of flash, in 16 slots of two blocks. The suite wants directories that own what they stand on.
fn nor<const READ: usize, const GRANULE: usize>()
-> &'static FlashDirectory<NorChip<READ, GRANULE, 2048>, 16> {
    let dir = FlashDirectory::mount(NorChip::new(32), FlashOptions::new()).unwrap();
    Box::leak(Box::new(dir))
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

fn flash_keeps_the_contract<const READ: usize, const GRANULE: usize>() {
    let report = check(nor::<READ, GRANULE>);
    let expected = [
        "reopen_replaces_what_lies_beyond",
        "reopen_is_as_announced",
        "a_lock_excludes",
        "a_lock_ends_with_its_guard",
        "locks_of_other_names_are_free",
        "rename_moves_a_file",
        "rename_replaces_the_target",
        "rename_of_nothing_is_an_error",
    ];
    assert_eq!(unasked(&report), expected, "granule {GRANULE}");
}

#[test]
fn nor_flash_keeps_the_contract_at_every_granule() {
    flash_keeps_the_contract::<1, 1>();
    flash_keeps_the_contract::<1, 4>();
    flash_keeps_the_contract::<4, 4>();
    flash_keeps_the_contract::<1, 8>();
    flash_keeps_the_contract::<8, 16>();
    flash_keeps_the_contract::<4, 32>();
    flash_keeps_the_contract::<1, 256>();
    flash_keeps_the_contract::<256, 256>();
}

#[test]
fn nor_flash_that_is_never_reopened_keeps_the_contract() {
    let report = check(|| {
        let options = FlashOptions::new().never_reopen().name_bytes_max(60).slot_blocks(3);
        let dir = FlashDirectory::<_, 12>::mount(NorChip::<4, 8, 1024>::new(40), options);
        &*Box::leak(Box::new(dir.unwrap()))
    });
    assert!(unasked(&report).contains(&"reopen_continues_at_the_end"));
}

#[test]
fn nor_flash_behind_a_pointer_keeps_the_contract() {
    check(|| Rc::new(nor::<1, 16>()));
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
    check(|| FaultyDirectory::new(nor::<1, 16>()));
}

#[test]
fn the_dyn_form_is_a_directory_like_any_other() {
    fn takes<D: Directory<Error = MemoryError>>(dir: &D) -> bool {
        dir.capabilities().rename()
    }
    assert!(takes(&MemoryDirectory::arc()));
}
