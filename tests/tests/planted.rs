//! Planted bugs are where they are said to be, each once, and nowhere in an ordinary build.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of every source file below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// The bugs that the switch names.
fn bugs() -> Vec<String> {
    let switch = fs::read_to_string(root().join("core/src/planted.rs")).unwrap();
    let list = switch.split_once("bugs! {\n").unwrap().1.split_once("\n    }").unwrap().0;
    let lines = list.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    lines.map(|line| line.trim_end_matches(',').to_owned()).collect()
}

/// The names between an opening and a closing text, with how often each is there.
fn names(texts: &[String], open: &str, close: char) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for text in texts {
        for (at, _) in text.match_indices(open) {
            let name = text[at + open.len()..].split(close).next().unwrap_or_default().trim();
            *found.entry(name.to_owned()).or_default() += 1;
        }
    }
    found
}

#[test]
fn every_planted_bug_has_one_site_and_one_row_in_the_table() {
    let right: BTreeMap<String, u32> = bugs().into_iter().map(|bug| (bug, 1)).collect();
    assert!(right.len() >= 20, "{right:?}");
    let crates = ["core/src", "std/src", "flash/src"].map(|folder| sources(&root().join(folder)));
    let crates = crates.concat();
    assert_eq!(names(&crates, "planted!(", ')'), right);
    let table = fs::read_to_string(root().join("tests/src/bin/mutants/table.rs")).unwrap();
    let mut rows = names(&[table], "Bug::", ',');
    rows.retain(|name, _| name.chars().all(char::is_alphanumeric) && name != "ALL");
    assert_eq!(rows, right);
}

/// This program holds the core as any user's does. None of the names are in it, nor the variable that plants a bug.
#[cfg(not(durability_mutants))]
#[test]
fn an_ordinary_build_holds_nothing_of_a_planted_bug() {
    use durability_core::storage::{DurableDirectory as _, MemoryDirectory};
    MemoryDirectory::new().atomic_write_durable("file", b"the core is linked").unwrap();
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let program = String::from_utf8_lossy(&program);
    let holds = |text: &str| program.contains(text);
    assert!(holds("durability_core"), "names that are there are found");
    let variable = ["DURABILITY", "PLANTED"].join("_");
    for name in bugs().into_iter().chain([variable]) {
        assert!(!holds(&name), "{name}");
    }
}
