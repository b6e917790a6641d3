//! Formats last: files that earlier versions wrote are read for ever, and files of later versions are refused by name.
//!
//! `golden/v1` has one folder for each story, with `expected.txt` beside the files. It was written by version 1 of the formats and never changes.
//! A new story is added with `DURABILITY_GOLDEN=write cargo test -p durability-testkit --test golden -- --ignored`, which writes
//! only what is not there.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    unreachable_pub,
    reason = "a test runs on a host and fails by panicking"
)]

mod stories;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointStore,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::recover::{RecoverOptions, recover_read_only, recover_with_wal};
use durability_core::storage::{Folder, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalWriter};
use durability_core::{Error, ReadMode, crc32c};

use stories::{STORIES, Story, options, shown};

const EXPECTED: &str = "expected.txt";

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(version)
}

/// All files below a folder, by their names relative to it.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let listed =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in listed.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

/// A directory in memory with a story's committed files, and what they must be read as.
fn load(story: &Story) -> (MemoryDirectory, String) {
    let mut files = files(&golden("v1").join(story.name));
    let expected = String::from_utf8(files.remove(EXPECTED).unwrap()).unwrap();
    (directory(&files), expected)
}

fn directory(files: &BTreeMap<String, Vec<u8>>) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    for (name, bytes) in files {
        dir.put(Name::new(name).unwrap(), bytes.clone());
    }
    dir
}

fn contents(dir: &MemoryDirectory) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = dir.contents(Name::new(&name).unwrap()).unwrap();
        (name, bytes)
    };
    dir.names().into_iter().map(read).collect()
}

#[test]
fn what_version_1_wrote_is_read_and_not_changed_by_reading() {
    for story in &STORIES {
        let (dir, expected) = load(story);
        let before = contents(&dir);
        assert_eq!(shown(&dir), expected, "{}", story.name);
        assert_eq!(contents(&dir), before, "{}: reading changed something", story.name);
    }
}

#[test]
fn every_folder_of_golden_files_has_its_story() {
    let mut folders: Vec<String> = fs::read_dir(golden("v1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut names: Vec<&str> = STORIES.iter().map(|story| story.name).collect();
    names.sort_unstable();
    assert_eq!(folders, names);
}

#[test]
fn the_same_story_gives_the_same_bytes_as_ever() {
    for story in &STORIES {
        let (committed, _) = load(story);
        let today = MemoryDirectory::new();
        (story.write)(&today);
        assert_eq!(today.names(), committed.names(), "{}", story.name);
        for (name, bytes) in contents(&committed) {
            let found = today.contents(Name::new(&name).unwrap()).unwrap();
            assert!(found == bytes, "{}: {name} is written with other bytes now", story.name);
        }
    }
}

#[test]
fn what_version_1_wrote_goes_on() {
    for story in STORIES.iter().filter(|story| story.name.starts_with("wal")) {
        let (dir, expected) = load(story);
        let entries = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("torn")).map(str::to_owned).collect()
        };
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        let id = wal.append(&[0xAB]).unwrap();
        wal.close().unwrap();
        let mut all = entries(&expected);
        all.push(format!("{id} ab"));
        assert_eq!(shown(&dir).lines().collect::<Vec<_>>(), all, "{}", story.name);
    }
    let story = STORIES.iter().find(|story| story.name == "record-log").unwrap();
    let (dir, expected) = load(story);
    let path = Name::new("EVENTS.LOG").unwrap();
    let mut log = RecordLogWriter::resume(&dir, path, RecordLogOptions::new()).unwrap();
    let id = log.append(&[0xAB]).unwrap();
    log.close().unwrap();
    let (before, _torn) = expected.split_once("torn").unwrap();
    assert_eq!(shown(&dir), format!("{before}{id} ab\n"));
}

/// One file of every kind, whole, of a version that there is not yet. Written by setting the version in a file of version 1 and
/// sealing its header again.
type Newer = (&'static str, usize, fn(&MemoryDirectory));

const NEWER: [Newer; 3] = [
    ("wal/00000001.WAL", 72, |dir| {
        let mut wal = RawWalWriter::new(dir.clone(), options()).unwrap();
        wal.append(b"from the future").unwrap();
        wal.close().unwrap();
    }),
    ("EVENTS.LOG", 32, |dir| {
        let path = Name::new("EVENTS.LOG").unwrap();
        let mut log = RecordLogWriter::create(dir, path, RecordLogOptions::new()).unwrap();
        log.append(b"from the future").unwrap();
        log.close().unwrap();
    }),
    ("ckp/00000001.CKP", 48, |dir| {
        let store = CheckpointStore::new(dir, Folder::new("ckp").unwrap()).unwrap();
        let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
        let (_, mut writer) = store.create(meta, options).unwrap();
        writer.write_all(b"from the future").unwrap();
        let _ = writer.finish().unwrap();
    }),
];

fn write_newer() -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    for (file, header_bytes, write) in NEWER {
        write(&dir);
        let name = Name::new(file).unwrap();
        let mut bytes = dir.contents(name).unwrap();
        bytes[8] = 2;
        let checksum = crc32c(0, &bytes[..header_bytes - 4]);
        bytes[header_bytes - 4..header_bytes].copy_from_slice(&checksum.to_le_bytes());
        dir.put(name, bytes);
    }
    dir
}

fn is_newer<T>(result: Result<T, Error<MemoryError>>, file: &str) -> bool {
    match result {
        Err(Error::Newer { file: found, version: 2, form: 0, features: 0 }) => {
            found.as_name().as_str() == file
        }
        _ => false,
    }
}

#[test]
fn a_file_of_version_2_is_refused_by_name_and_nothing_is_changed() {
    let files = files(&golden("v2"));
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["EVENTS.LOG", "ckp/00000001.CKP", "wal/00000001.WAL"]
    );
    let dir = directory(&files);

    let wal = "wal/00000001.WAL";
    assert!(is_newer(RawWalReader::open(dir.clone(), WalOptions::new()), wal));
    assert!(is_newer(RawWalWriter::open(dir.clone(), WalOptions::new()), wal));
    assert!(is_newer(RawWalWriter::resume(dir.clone(), WalOptions::new()), wal));

    let (log, options) = (Name::new("EVENTS.LOG").unwrap(), RecordLogOptions::new());
    for mode in [ReadMode::Strict, ReadMode::BestEffort] {
        assert!(is_newer(RecordLogReader::open(&dir, log, mode, options), log.as_str()));
    }
    assert!(is_newer(RecordLogWriter::open(&dir, log, options), log.as_str()));
    assert!(is_newer(RecordLogWriter::resume(&dir, log, options), log.as_str()));

    let (checkpoint, options) = (Name::new("ckp/00000001.CKP").unwrap(), CheckpointOptions::new());
    assert!(is_newer(CheckpointReader::open(&dir, checkpoint, options), checkpoint.as_str()));
    assert_eq!(contents(&dir), files);
}

/// A checkpoint of a later version is no damaged one: an older one must not stand in for it.
#[test]
fn a_checkpoint_of_version_2_stops_recovery() {
    let file = "ckp/00000001.CKP";
    let newer = files(&golden("v2")).remove(file).unwrap();
    let dir = MemoryDirectory::new();
    dir.put(Name::new(file).unwrap(), newer.clone());
    let mut wal = WalWriter::<u32, _>::open(dir.clone(), options()).unwrap();
    wal.append(&7).unwrap();
    let apply = |sum: &mut u32, _, entry: u32| {
        *sum += entry;
        Ok::<(), Error<MemoryError>>(())
    };
    let recovered = recover_with_wal(&mut wal, &RecoverOptions::new(), 0, apply);
    assert!(is_newer(recovered, file));
    let read = recover_read_only(dir.clone(), options(), &RecoverOptions::new(), 0, apply);
    assert!(is_newer(read, file));
    assert_eq!(dir.contents(Name::new(file).unwrap()), Some(newer));
}

/// Writes the golden files that are not there. What is there was written by an earlier version, and stays.
#[test]
#[ignore = "writes golden files"]
fn write_missing_golden_files() {
    assert_eq!(
        std::env::var("DURABILITY_GOLDEN").as_deref(),
        Ok("write"),
        "see the top of this file"
    );
    for story in &STORIES {
        let dir = MemoryDirectory::new();
        (story.write)(&dir);
        let mut files = contents(&dir);
        files.insert(EXPECTED.to_owned(), shown(&dir).into_bytes());
        write_missing(&golden("v1").join(story.name), &files);
    }
    write_missing(&golden("v2"), &contents(&write_newer()));
}

fn write_missing(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    if folder.exists() {
        return;
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
