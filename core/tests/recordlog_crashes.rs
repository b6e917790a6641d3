//! Every crash state of small record logs: each subset of surviving sectors, two and three runs deep.
//!
//! The file's bytes at the last sync are the medium; what a run wrote since survives in any subset of its sectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host
#![allow(clippy::cast_possible_truncation)] // all sizes here are small

use std::collections::BTreeSet;

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::{Error, ReadMode};

fn path() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

fn put(bytes: &[u8]) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    dir.put(path(), bytes.to_vec());
    dir
}

fn contents(dir: &MemoryDirectory) -> Vec<u8> {
    dir.contents(path()).unwrap()
}

/// What a crash may leave between two states of a file.
fn survivors(before: &[u8], after: &[u8], sector: usize, cut: bool) -> BTreeSet<Vec<u8>> {
    let old = |at: usize| before.get(at).copied().unwrap_or(0);
    let changed: Vec<usize> = (0..after.len().div_ceil(sector))
        .filter(|&index| {
            let range = index * sector..((index + 1) * sector).min(after.len());
            range.clone().any(|at| before.get(at) != Some(&after[at]))
        })
        .collect();
    assert!(changed.len() <= 10, "too many sectors: {}", changed.len());
    let mut states = BTreeSet::new();
    for kept in 0..1_u32 << changed.len() {
        let mut state: Vec<u8> = (0..after.len()).map(old).collect();
        for (bit, index) in changed.iter().enumerate() {
            if kept >> bit & 1 == 1 {
                let range = index * sector..((index + 1) * sector).min(after.len());
                state[range.clone()].copy_from_slice(&after[range]);
            }
        }
        if cut {
            // The length may be what the last surviving sector needs.
            let end = changed
                .iter()
                .enumerate()
                .filter(|(bit, _)| kept >> bit & 1 == 1)
                .map(|(_, index)| ((index + 1) * sector).min(after.len()))
                .max();
            state.truncate(end.unwrap_or(0).max(before.len()));
        }
        states.insert(state);
    }
    states
}

#[derive(Clone, Copy)]
struct Plan {
    sector: usize,
    sizes: &'static [usize],
    mark: bool,
    cut: bool,
    /// Runs that crash, one after the other.
    runs: u8,
}

impl Plan {
    fn options(self) -> RecordLogOptions {
        RecordLogOptions::new().buffer_bytes(256).read_bytes(256).mark_after_sync(self.mark)
    }

    /// One run on a durable state: resume, append, maybe sync and append more; then every crash.
    fn run(self, medium: &[u8], acknowledged: &[Vec<u8>], epoch: u8, seen: &mut usize) {
        *seen += 1;
        let dir = put(medium);
        let found =
            RecordLogReader::open(dir.clone(), path(), ReadMode::BestEffort, self.options())
                .and_then(|mut reader| reader.collect())
                .unwrap_or_else(|error| {
                    panic!("epoch {epoch}: a crash was taken for damage: {error}")
                });
        assert!(found.starts_with(acknowledged), "epoch {epoch}: lost {acknowledged:?}, {found:?}");
        if epoch > self.runs {
            return;
        }
        let mut log = RecordLogWriter::resume(dir.clone(), path(), self.options()).unwrap();
        assert_eq!(log.last_record().map_or(0, u64::from), found.len() as u64);
        // What resume has found is durable from here on.
        let mut records = found;
        let record = |n: usize| vec![epoch << 4 | n as u8 | 8; self.sizes[n]];
        for n in 0..2 {
            log.append(&record(n)).unwrap();
        }
        log.flush().unwrap();
        let unsynced = contents(&dir);
        for state in survivors(medium, &unsynced, self.sector, self.cut) {
            self.run(&state, &records, epoch + 1, seen);
        }
        records.push(record(0));
        records.push(record(1));
        let _ = log.flush_and_sync().unwrap();
        // The mark is written after the sync.
        let synced = contents(&dir);
        log.append(&record(2)).unwrap();
        log.flush().unwrap();
        let after = contents(&dir);
        let durable = if self.mark { &unsynced } else { &synced };
        for state in survivors(durable, &after, self.sector, self.cut) {
            self.run(&state, &records, epoch + 1, seen);
        }
        drop(log);
        let closed = put(&after);
        let log = RecordLogWriter::resume(closed.clone(), path(), self.options()).unwrap();
        log.close().unwrap();
        records.push(record(2));
        for state in survivors(&after, &contents(&closed), self.sector, self.cut) {
            self.run(&state, &records, epoch + 1, seen);
        }
    }
}

#[test]
fn no_crash_loses_a_durable_record_or_is_taken_for_damage() {
    let mut seen = 0;
    for sector in [16, 32, 64] {
        for sizes in [&[1, 30, 5][..], &[40, 0, 9]] {
            for (mark, cut) in [(false, false), (false, true), (true, true)] {
                // Three runs deep where sectors are large and so the states few.
                let runs = if sector == 64 { 3 } else { 2 };
                let plan = Plan { sector, sizes, mark, cut, runs };
                let dir = MemoryDirectory::new();
                RecordLogWriter::create(dir.clone(), path(), plan.options()).unwrap();
                plan.run(&contents(&dir), &[], 1, &mut seen);
            }
        }
    }
    assert!(seen > 10_000, "only {seen} states");
    println!("{seen} states");
}

#[test]
fn a_cut_creation_is_made_anew_and_never_taken_for_damage() {
    for alignment in [4, 64, 256] {
        let options = RecordLogOptions::new().alignment(alignment);
        let dir = MemoryDirectory::new();
        drop(RecordLogWriter::create(dir.clone(), path(), options).unwrap());
        let whole = contents(&dir);
        for state in survivors(&[], &whole, 32, false)
            .into_iter()
            .chain((0..whole.len()).map(|cut| whole[..cut].to_vec()))
        {
            let dir = put(&state);
            let mut log = RecordLogWriter::open(dir.clone(), path(), options).unwrap();
            assert_eq!(log.append(b"first").unwrap(), 1);
            log.close().unwrap();
            let mut reader = RecordLogReader::open(dir, path(), ReadMode::Strict, options).unwrap();
            assert_eq!(reader.collect().unwrap(), [b"first"]);
        }
    }
}

#[test]
fn a_lost_header_with_records_behind_it_is_damage_and_not_an_empty_log() {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), path(), RecordLogOptions::new()).unwrap();
    log.append(b"first").unwrap();
    let _ = log.flush_and_sync().unwrap();
    drop(log);
    let mut bytes = contents(&dir);
    bytes[..32].fill(0);
    let dir = put(&bytes);
    assert!(matches!(
        RecordLogWriter::open(dir.clone(), path(), RecordLogOptions::new()),
        Err(Error::Corrupt(_))
    ));
    assert_eq!(contents(&dir), bytes);
}
