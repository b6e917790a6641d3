//! The example of a broken store: its bug is found and told as the README has it, and the corrected store has none.
#![allow(clippy::unwrap_used, missing_docs)] // tests

#[allow(dead_code)]
#[path = "../examples/broken_store.rs"]
mod broken_store;

#[test]
fn the_broken_store_is_found_out_and_its_story_is_the_one_of_the_readme() {
    let failure = broken_store::crash_it(false).unwrap_err();
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```text\n").unwrap();
    let (told, _) = rest.split_once("\n```").unwrap();
    assert_eq!(failure.to_string(), told);
}

#[test]
fn the_fixed_store_survives_everything() {
    let statistics = broken_store::crash_it(true).unwrap();
    assert!(statistics.by_depth.len() == 2 && !statistics.cut_short, "{statistics}");
}
