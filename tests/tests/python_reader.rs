//! FORMAT.md is enough: a reader in Python, written from it, finds the same records as the Rust readers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    unreachable_pub,
    dead_code,
    reason = "a test runs on a host and fails by panicking; not every test needs all of the stories"
)]

mod stories;

use std::path::{Path, PathBuf};
use std::process::Command;

use durability::publish::{CheckpointPublisher, PublishOptions};
use durability::storage::FsDirectory;
use durability::walog::WalWriter;
use durability_core::EntryId;
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::walog::{RawWalWriter, Step, WalOptions};

use stories::{STORIES, names_with, shown_checkpoint, shown_wal};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/durability_reader.py")
}

/// Whether there is a Python to run; without one the test says so and proves nothing.
fn python_is_there() -> bool {
    let found = Command::new("python3").arg("--version").output();
    let there = found.is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: python3 is not installed");
    }
    there
}

/// What the reader prints of these folders and files.
fn printed(paths: &[PathBuf]) -> String {
    let output = Command::new("python3").arg(script()).args(paths).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{paths:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Copies a directory in memory to a real one.
fn export(dir: &MemoryDirectory, to: &Path) {
    for file in dir.names() {
        let path = to.join(&file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, dir.contents(Name::new(&file).unwrap()).unwrap()).unwrap();
    }
}

/// The log's folder and the checkpoints of a directory.
fn readable(root: &Path, dir: &MemoryDirectory) -> Vec<PathBuf> {
    let mut paths = vec![root.join("wal")];
    paths.extend(names_with(dir, "CKP").iter().map(|file| root.join(file)));
    paths
}

#[test]
fn python_reads_every_story_as_rust_does() {
    if !python_is_there() {
        return;
    }
    for story in &STORIES {
        let dir = MemoryDirectory::new();
        (story.write)(&dir);
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("wal")).unwrap();
        export(&dir, scratch.path());
        let mut expected = shown_wal(&dir);
        for file in names_with(&dir, "CKP") {
            expected += &shown_checkpoint(&dir, Name::new(&file).unwrap());
        }
        assert_eq!(printed(&readable(scratch.path(), &dir)), expected, "{}", story.name);
    }
}

#[test]
fn python_reads_a_log_beside_segments_that_are_being_made_ready_as_rust_does() {
    if !python_is_there() {
        return;
    }
    let options = WalOptions::new().segment_bytes(512).preallocate(true).recycle(true);
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options).unwrap();
    assert!(wal.prepare_now().unwrap());
    while wal.segments().count() < 3 {
        wal.append(b"an entry of some length").unwrap();
    }
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    let mut preparation = wal.prepare().unwrap().unwrap();
    loop {
        let scratch = tempfile::tempdir().unwrap();
        export(&dir, scratch.path());
        let expected = shown_wal(&dir);
        assert!(!expected.is_empty());
        assert_eq!(printed(&readable(scratch.path(), &dir)), expected);
        if let Step::Ready(_) = preparation.step().unwrap() {
            break;
        }
    }
}

/// A log on a real file system with all that can happen to one, and the checkpoints that were published on the way.
#[test]
fn python_reads_a_real_log_and_its_checkpoints_as_rust_does() {
    if !python_is_there() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(scratch.path()).unwrap();
    let options = || stories::options().segment_bytes(1000).preallocate(true);
    let mut wal = WalWriter::<String, _>::open(dir.clone(), options()).unwrap();
    let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
    let mut state = Vec::new();
    for number in 0..200 {
        state.push(format!("entry {number}"));
        wal.append(&state[number]).unwrap();
        if number == 100 {
            let _ = publisher.publish(&mut wal, &state).unwrap();
        }
    }
    wal.append_batch(&["a".to_owned(), "b".to_owned(), "c".to_owned()]).unwrap();
    wal.truncate_suffix(EntryId::new(202).unwrap()).unwrap();
    let _ =
        publisher.publish_with(&mut wal, EntryId::new(150), |writer| writer.put(&state)).unwrap();
    for number in 0..20 {
        wal.append(&format!("after {number}")).unwrap();
    }
    drop(wal);

    // The machine stops: the end of the last segment turns into junk.
    let mut segments: Vec<PathBuf> = std::fs::read_dir(scratch.path().join("wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "WAL"))
        .collect();
    segments.sort();
    let last = segments.last().unwrap();
    let mut bytes = std::fs::read(last).unwrap();
    let written = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[written - 8..=written].fill(0xA5);
    std::fs::write(last, bytes).unwrap();

    let found = shown_wal(&dir);
    assert!(segments.len() > 1 && found.contains("torn"), "the log has what it must:\n{found}");
    let checkpoints = ["ckp/00000001.CKP", "ckp/00000002.CKP"];
    let mut paths = vec![scratch.path().join("wal")];
    paths.extend(checkpoints.map(|file| scratch.path().join(file)));
    let rust: String =
        checkpoints.map(|file| shown_checkpoint(&dir, Name::new(file).unwrap())).concat();
    assert_eq!(printed(&paths), found + &rust);
}

#[test]
fn the_reader_is_sixty_lines_of_code_at_most() {
    let script = std::fs::read_to_string(script()).unwrap();
    let (_, behind) = script.split_once("\"\"\"").unwrap();
    let (_, code) = behind.split_once("\"\"\"").unwrap();
    let lines =
        code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert!(lines.count() <= 60);
}
