//! A writer killed with SIGKILL on a real directory: acknowledged entries are there, what is there is a prefix, and its lock is gone.
//!
//! What a kill leaves is what the system has; what power loss leaves is the simulated disk's business.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{drain, id};
use durability::storage::{FsDirectory, FsOptions};
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability::{EntryId, Error, ReadMode};

const FOLDER: &str = "DURABILITY_KILL_FOLDER";
const ROUND: &str = "DURABILITY_KILL_ROUND";
const ROUNDS: u64 = 20;

fn options(round: u64) -> WalOptions {
    let options =
        WalOptions::new().segment_bytes(16 << 10).buffer_bytes(1 << 10).read_bytes(4 << 10);
    options.preallocate(!round.is_multiple_of(3)).mark_after_sync(round % 4 == 2)
}

/// In every second life that has room, appends go around the system's cache.
fn files(round: u64) -> FsOptions {
    FsOptions::new().direct_io(round % 3 == 1)
}

/// Entry `id`, whichever life wrote it.
fn payload(id: u64) -> Vec<u8> {
    let length = usize::try_from(id * 31 % 200).unwrap() + 8;
    id.to_le_bytes().into_iter().cycle().take(length).collect()
}

fn say(word: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    // The harness may have begun the line.
    writeln!(out, "\n{word} {number}")
        .and_then(|()| out.flush())
        .expect("the parent listens until the kill");
}

/// The writer: appends, syncs and says so, rotates, prunes, for ever.
#[test]
#[ignore = "run by another test as a process of its own"]
fn helper_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let round = std::env::var(ROUND).unwrap().parse().unwrap();
    let dir = FsDirectory::with_options(folder, files(round)).unwrap();
    let mut wal = RawWalWriter::open(dir, options(round)).unwrap();
    say("found", wal.last_entry_id().map_or(0, EntryId::get));
    for step in round.. {
        let next = wal.next_entry_id().get();
        match step % 7 {
            2 => {
                let ids = wal.append_batch(&[payload(next), payload(next + 1), payload(next + 2)]);
                assert_eq!(ids.unwrap().last(), EntryId::new(next + 2));
            }
            4 => say("synced", wal.flush_and_sync().unwrap().through().map_or(0, EntryId::get)),
            5 => wal.flush().unwrap(),
            6 if step % 5 == 0 => {
                let before = next.saturating_sub(100).max(1);
                say("prunes", before);
                wal.truncate_prefix(id(before)).unwrap();
                // All of it became durable by the way.
                say("synced", wal.durable_through().map_or(0, EntryId::get));
            }
            _ => assert_eq!(wal.append(&payload(next)).unwrap(), next),
        }
    }
}

struct Writer {
    child: Child,
    output: BufReader<ChildStdout>,
}

/// What the writer has said.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    found: u64,
    synced: u64,
    pruned: u64,
    words: u64,
}

impl Writer {
    fn start(folder: &Path, round: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(FOLDER, folder).env(ROUND, round.to_string());
        command.args([
            "--exact",
            "helper_writes_until_it_is_killed",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Takes in one line; `false` at the end.
    fn listen(&mut self, said: &mut Said) -> bool {
        let mut line = Vec::new();
        if self.output.read_until(b'\n', &mut line).unwrap() == 0 {
            return false;
        }
        // A line that the kill cut short was not said.
        let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
        if let Some((word, number)) = text.and_then(|text| text.split_once(' '))
            && let Ok(number) = number.parse()
        {
            match word {
                "found" => said.found = number,
                "synced" => said.synced = number,
                "prunes" => said.pruned = number,
                _ => return true,
            }
            said.words += 1;
        }
        true
    }
}

#[test]
fn a_killed_writer_loses_nothing_acknowledged_and_leaves_no_lock() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("root");
    let (mut acknowledged, mut pruned, mut recovered) = (0, 0, 0);
    for round in 0..ROUNDS {
        let mut writer = Writer::start(&root, round);
        let mut said = Said::default();
        // A different moment each time, and wherever the writer has come to since it said the last word.
        for _ in 0..=round * 13 % 37 {
            assert!(writer.listen(&mut said), "round {round}: the writer ended early, {said:?}");
            while said.words == 0 {
                assert!(writer.listen(&mut said), "round {round}: the writer ended early");
            }
        }
        assert!(
            said.found >= acknowledged.max(recovered),
            "round {round}: {said:?}, {acknowledged}"
        );

        // As long as it lives, nobody else gets in, and is told who is there.
        let dir = FsDirectory::new(&root).unwrap();
        for result in [
            RawWalWriter::open(dir.clone(), options(round)),
            RawWalWriter::new(dir.clone(), options(round)),
        ] {
            match result {
                Err(error @ Error::Held { holder, .. }) => {
                    assert_eq!(holder, Some(writer.child.id()));
                    assert!(error.to_string().contains(&writer.child.id().to_string()), "{error}");
                }
                other => panic!("round {round}: {:?}", other.map(drop)),
            }
        }

        writer.child.kill().unwrap(); // SIGKILL
        writer.child.wait().unwrap();
        while writer.listen(&mut said) {}
        acknowledged = said.synced.max(acknowledged);
        pruned = said.pruned.max(pruned);

        // Whoever only looks, and then the next writer: the lock is free, and the log a prefix.
        let mut reader = RawWalReader::open(dir.clone(), options(round)).unwrap();
        let (looked, _) = drain(&mut reader, ReadMode::BestEffort).unwrap();
        let dir = FsDirectory::with_options(&root, files(round)).unwrap();
        let mut wal = RawWalWriter::open(dir.clone(), options(round)).unwrap();
        let first = wal.first_entry_id().get();
        let mut reader = wal.reader().unwrap();
        let (found, torn) = drain(&mut reader, ReadMode::Strict).unwrap();
        drop(reader);
        assert!(looked.ends_with(&found) && torn.is_none());
        let last = first + found.len() as u64 - 1;
        assert!(
            last >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {last} recovered"
        );
        assert!(first <= pruned.max(1), "round {round}: pruned before {pruned}, begins at {first}");
        for ((id, bytes), expected) in found.iter().zip(first..) {
            assert_eq!((*id, bytes), (expected, &payload(expected)), "round {round}");
        }
        recovered = last;
        drop(wal);
    }
    assert!(
        acknowledged > 100 && pruned > 1,
        "{acknowledged}, {pruned}: the writers did too little"
    );
}
