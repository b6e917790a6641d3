//! Followers beside a writer that appends, batches, rotates, prunes, truncates and comes back: every interleaving with few switches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use durability_core::storage::{Directory, MemoryDirectory, StoreError};
use durability_core::walog::{RawFollower, RawWalReader, RawWalWriter, Reach, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::faults::FaultyDirectory;
use durability_testkit::interleaved::{Interleavings, Program, interleave};

type Dir<'d> = FaultyDirectory<&'d MemoryDirectory>;
type Writer<'d> = RawWalWriter<Dir<'d>>;
type Log = BTreeMap<u64, Vec<u8>>;

/// Looks for nothing after which there is nothing: the folder is listed at the latest after 32.
const QUIET: u32 = 70;

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(160).buffer_bytes(256).read_bytes(256)
}

fn open(dir: Dir<'_>) -> Writer<'_> {
    RawWalWriter::open(dir, options()).unwrap()
}

/// Entries whose payload says in which round they were appended.
fn append(wal: &mut Writer<'_>, round: u8, count: u8) {
    for _ in 0..count {
        let payload = [round, wal.next_entry_id().get().to_le_bytes()[0], 9];
        wal.append(&payload).unwrap();
    }
}

fn contents(dir: &MemoryDirectory) -> Log {
    let mut reader = RawWalReader::open(dir, options()).unwrap();
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    let mut found = Log::new();
    while let Some(entry) = entries.next().unwrap() {
        found.insert(entry.id.get(), entry.payload.to_vec());
    }
    found
}

/// What a follower has shown, and why it stopped.
#[derive(Debug, Default)]
struct Seen {
    shown: Vec<(u64, Vec<u8>)>,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    TakenBack { from: u64, through: u64 },
    Gap { needed: u64 },
}

impl Seen {
    /// Looks until that many looks in a row have found nothing.
    fn follow<D: Directory>(&mut self, follower: &mut RawFollower<D>, quiet: u32) {
        let mut nothing = 0;
        while nothing < quiet && self.end.is_none() {
            match follower.next() {
                Ok(Some(entry)) => {
                    self.shown.push((entry.id.get(), entry.payload.to_vec()));
                    nothing = 0;
                }
                Ok(None) => nothing += 1,
                Err(error) => self.end = Some(end(&error)),
            }
        }
    }

    /// Every entry in order, each once, and nothing that was taken back without saying so.
    fn check(&self, log: &Log, from: u64, reach: Reach) {
        let ids: Vec<u64> = self.shown.iter().map(|(id, _)| *id).collect();
        let last = from + ids.len() as u64 - 1;
        assert_eq!(ids, (from..=last).collect::<Vec<_>>());
        let valid = match self.end {
            Some(End::TakenBack { from: taken, through }) => {
                assert_eq!(through, last);
                // It may tell of entries before the first that this follower was to show.
                assert!(taken <= last, "{taken}");
                taken
            }
            Some(End::Gap { needed }) => {
                assert_eq!(needed, last + 1);
                assert!(log.keys().next().is_none_or(|first| *first > needed), "{needed} {log:?}");
                last + 1
            }
            None => {
                let newest = log.keys().next_back().copied().unwrap_or(0).max(from - 1);
                // The log was closed, so all of it is durable for whoever asks.
                assert_eq!(last, newest, "{reach:?}");
                last + 1
            }
        };
        for (id, payload) in self.shown.iter().filter(|(id, _)| *id < valid) {
            // What was pruned behind the reader is not there to compare.
            assert!(log.get(id).is_none_or(|found| found == payload), "{id} {log:?}");
        }
    }
}

fn end<E: StoreError>(error: &Error<E>) -> End {
    match error {
        Error::TakenBack { from, through } => {
            End::TakenBack { from: from.get(), through: through.get() }
        }
        Error::Gap { needed, .. } => End::Gap { needed: needed.get() },
        error => panic!("{error}"),
    }
}

/// How the followers of all runs have ended.
#[derive(Debug, Default)]
struct Ends {
    whole: u64,
    taken_back: u64,
    gaps: u64,
}

/// Runs a writer beside a follower that looks a few times, and then to the end.
fn beside(
    switches: usize,
    (from, reach, looks): (u64, Reach, u32),
    write: impl Fn(Dir<'_>) + Sync,
) -> (Interleavings, Ends) {
    let mut ends = Ends::default();
    let runs = interleave(switches, |run| {
        let (dir, result) = (MemoryDirectory::new(), Mutex::new(None));
        let (shared, seen, write) = (&dir, &result, &write);
        let reader: Program<'_> = Box::new(move |counters| {
            let wrapped = FaultyDirectory::with_counters(shared, counters.clone());
            let mut follower = RawFollower::new(wrapped, options(), id(from), reach).unwrap();
            let mut found = Seen::default();
            for _ in 0..looks {
                found.follow(&mut follower, 1);
            }
            // What is looked at later is no part of the race.
            counters.before_each(|_| ());
            *seen.lock().unwrap() = Some((follower, found));
        });
        let writer: Program<'_> = Box::new(move |counters| {
            write(FaultyDirectory::with_counters(shared, counters));
        });
        run.go(vec![writer, reader]);
        let (mut follower, mut found) = result.into_inner().unwrap().unwrap();
        found.follow(&mut follower, QUIET);
        let log = contents(&dir);
        let context = format!("schedule {:?}, {found:?}, {log:?}", run.schedule());
        let checked = std::panic::catch_unwind(|| found.check(&log, from, reach));
        assert!(checked.is_ok(), "{context}");
        match found.end {
            None => ends.whole += 1,
            Some(End::TakenBack { .. }) => ends.taken_back += 1,
            Some(End::Gap { .. }) => ends.gaps += 1,
        }
    });
    println!("{reach:?} from {from}: {runs:?}, {ends:?}");
    (runs, ends)
}

const BOTH: [Reach; 2] = [Reach::Written, Reach::Durable];

#[test]
fn beside_a_writer_that_appends_batches_and_rotates_every_entry_is_shown_once_and_in_order() {
    for (reach, from) in [(Reach::Written, 1), (Reach::Durable, 1), (Reach::Written, 4)] {
        let (runs, ends) = beside(3, (from, reach, 3), |dir| {
            let mut wal = open(dir);
            append(&mut wal, 1, 2);
            wal.flush().unwrap();
            wal.append_batch(&[[7; 3], [8; 3], [9; 3]]).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
            append(&mut wal, 2, 2);
            wal.close().unwrap();
        });
        assert!(runs.runs > 2_000, "{runs:?}");
        assert_eq!(ends.whole, runs.runs);
    }
}

#[test]
fn beside_a_writer_that_comes_back_nothing_is_lost_or_shown_twice() {
    for reach in BOTH {
        let (runs, ends) = beside(2, (1, reach, 4), |dir| {
            for round in 0..3 {
                let mut wal = open(dir.clone());
                append(&mut wal, round, 2);
                wal.flush().unwrap();
                // Dropped, as a process that dies drops it.
            }
            let mut wal = open(dir);
            append(&mut wal, 3, 1);
            wal.close().unwrap();
        });
        assert!(runs.runs > 2_000, "{runs:?}");
        assert_eq!(ends.whole, runs.runs);
    }
}

#[test]
fn beside_a_writer_that_prunes_a_follower_sees_all_or_is_told_of_the_gap() {
    for (reach, from) in [(Reach::Written, 1), (Reach::Durable, 1), (Reach::Written, 6)] {
        let (runs, ends) = beside(2, (from, reach, 4), |dir| {
            let mut wal = open(dir);
            for round in 0..3 {
                append(&mut wal, round, 4);
                let _durable = wal.flush_and_sync().unwrap();
                let before = wal.next_entry_id();
                wal.truncate_prefix(before).unwrap();
            }
            wal.close().unwrap();
        });
        assert!(runs.runs > 500, "{runs:?}");
        assert_eq!(ends.taken_back, 0);
        assert!(ends.gaps > 0 && ends.whole > 0, "{ends:?}");
    }
}

#[test]
fn beside_a_writer_that_truncates_no_follower_keeps_what_was_taken_back() {
    for (reach, from) in [(Reach::Written, 1), (Reach::Durable, 1), (Reach::Written, 3)] {
        let (runs, ends) = beside(2, (from, reach, 4), |dir| {
            let mut wal = open(dir);
            append(&mut wal, 0, 6);
            let _durable = wal.flush_and_sync().unwrap();
            wal.truncate_suffix(id(5)).unwrap();
            append(&mut wal, 1, 4);
            wal.flush().unwrap();
            wal.truncate_suffix(id(2)).unwrap();
            append(&mut wal, 2, 6);
            wal.close().unwrap();
        });
        assert!(runs.runs > 1_000, "{runs:?}");
        assert_eq!(ends.gaps, 0);
        assert!(ends.taken_back > 0 && ends.whole > 0, "{ends:?}");
    }
}

#[test]
fn beside_a_writer_that_empties_the_log_no_follower_goes_on_as_if_nothing_was() {
    for reach in BOTH {
        let (runs, ends) = beside(2, (1, reach, 4), |dir| {
            let mut wal = open(dir);
            append(&mut wal, 0, 5);
            wal.flush().unwrap();
            wal.truncate_to_empty().unwrap();
            append(&mut wal, 1, 3);
            wal.close().unwrap();
        });
        assert!(runs.runs > 500, "{runs:?}");
        assert_eq!(ends.whole, 0);
        // Nothing proves the entries durable before they are gone.
        let shown = if reach == Reach::Written { 100 } else { 0 };
        assert!(ends.taken_back >= shown && ends.gaps > 0, "{ends:?}");
    }
}
