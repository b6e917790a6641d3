//! The key-value store from the shell: codes, outputs, checkpoints, the lock, and kills.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use durability::storage::FsDirectory;
use durability::walog::{WalOptions, WalWriter};

use crate::program::{Done, program, run};

fn store(dir: &Path, arguments: &[&str]) -> Done {
    Done::of(&program("kv_store").arg(dir).args(arguments).output().unwrap())
}

fn set(dir: &Path, key: &str, value: &str) {
    let done = store(dir, &["set", key, value]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

fn list(dir: &Path) -> BTreeMap<String, String> {
    let done = store(dir, &["list"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let pair = |line: &str| line.split_once('\t').map(|(key, value)| (key.into(), value.into()));
    done.out.lines().map(|line| pair(line).unwrap()).collect()
}

fn stats(dir: &Path) -> BTreeMap<String, String> {
    let done = store(dir, &["stats"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let pair = |line: &str| line.split_once("  ").map(|(k, v)| (k.trim().into(), v.trim().into()));
    done.out.lines().map(|line| pair(line).unwrap()).collect()
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("store");
    (scratch, dir)
}

#[test]
fn what_was_set_is_there_and_what_was_deleted_is_not() {
    let (_scratch, dir) = scratch();
    assert_eq!(store(&dir, &["set", "b", "two words"]).out, "durable, as entry 1\n");
    set(&dir, "a", "1");
    set(&dir, "a", "2");
    let done = store(&dir, &["get", "a"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "2\n"));
    assert_eq!(store(&dir, &["list"]).out, "a\t2\nb\ttwo words\n");
    assert_eq!(store(&dir, &["delete", "a"]).code, Some(0));
    for command in ["get", "delete"] {
        let done = store(&dir, &[command, "a"]);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{done:?}");
        assert!(done.err.contains("no such key"), "{}", done.err);
    }
    let stats = stats(&dir);
    assert_eq!((stats["keys"].as_str(), stats["last id"].as_str()), ("1", "4"));
    assert_eq!((stats["checkpoint"].as_str(), stats["torn tail"].as_str()), ("none", "none"));
}

#[test]
fn usage_and_a_missing_store_are_code_2_and_make_nothing() {
    let (_scratch, dir) = scratch();
    let wrong: [&[&str]; 6] =
        [&[], &["set", "a"], &["get"], &["list", "a"], &["nonsense"], &["get", "a", "b"]];
    for arguments in wrong {
        let done = store(&dir, arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(done.err.contains("usage: kv_store"), "{}", done.err);
    }
    assert_eq!(run::<&str>("kv_store", &[]).code, Some(2));
    for arguments in [&["get", "a"][..], &["delete", "a"], &["list"], &["stats"]] {
        let done = store(&dir, arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(done.err.contains("there is no store"), "{}", done.err);
    }
    assert!(!dir.exists());
}

#[test]
fn a_second_writer_is_told_who_has_the_lock_and_a_look_needs_none() {
    let (_scratch, dir) = scratch();
    set(&dir, "a", "1");
    let directory = FsDirectory::new(&dir).unwrap();
    let first = WalWriter::<u32, _>::open(directory, WalOptions::new()).unwrap();
    let done = store(&dir, &["set", "a", "2"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.contains(&format!("held by process {}", process::id())), "{}", done.err);
    assert_eq!(stats(&dir)["last id"], "1");
    drop(first);
    assert_eq!(list(&dir)["a"], "1");
}

#[test]
fn a_checkpoint_takes_the_place_of_old_segments_and_a_torn_tail_is_reported_once() {
    let (_scratch, dir) = scratch();
    let value = "x".repeat(800);
    let mut expected = BTreeMap::new();
    for number in 0..36 {
        let key = format!("key {}", number % 10);
        let value = format!("{number} {value}");
        set(&dir, &key, &value);
        expected.insert(key, value);
    }
    let before = stats(&dir);
    assert_eq!(before["checkpoint"], "generation 1, up to entry 32");
    assert_eq!(before["last id"], "36");
    assert!(before["entries"].parse::<u64>().unwrap() < 36, "{before:?}");

    let tail = fs::read_dir(dir.join("wal")).unwrap().map(|entry| entry.unwrap().path());
    let tail = tail.filter(|path| path.extension().is_some_and(|wal| wal == "WAL")).max().unwrap();
    OpenOptions::new().append(true).open(&tail).unwrap().write_all(&[0xA5; 7]).unwrap();
    let name = tail.file_name().unwrap().to_str().unwrap();
    assert_eq!(stats(&dir)["torn tail"], format!("7 bytes in wal/{name}"));
    assert_eq!(list(&dir), expected);
    assert_eq!(stats(&dir)["torn tail"], "none");
}

#[test]
fn every_acknowledged_set_survives_kills_of_the_sets_after_it() {
    let (_scratch, dir) = scratch();
    let mut expected = BTreeMap::new();
    set(&dir, "key 0", "0");
    expected.insert("key 0".to_owned(), "0".to_owned());
    for round in 1..=12 {
        let key = format!("key {}", round % 7);
        let mut command = program("kv_store");
        command.arg(&dir).args(["set", &key, &format!("killed in round {round}")]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if round % 2 == 0 {
            // Not before it holds the lock, or has ended: so that the kill finds it at work.
            let lock = dir.join("wal/LOCK");
            let pid = child.id().to_string();
            while !fs::read_to_string(&lock).unwrap().contains(&pid)
                && child.try_wait().unwrap().is_none()
            {
                std::thread::yield_now();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let found = list(&dir);
        let killed = format!("killed in round {round}");
        if found.get(&key) == Some(&killed) {
            expected.insert(key, killed);
        }
        assert_eq!(found, expected, "round {round}");
        let (key, value) = (format!("key {}", (round + 3) % 7), round.to_string());
        set(&dir, &key, &value);
        expected.insert(key, value);
        assert_eq!(list(&dir), expected, "round {round}");
    }
}
