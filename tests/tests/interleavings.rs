//! Two openers, and readers beside a writer: every interleaving of their operations with up to three switches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unnecessary_wraps,
    reason = "a test runs on a host, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::recover::{RecoverOptions, recover_read_only, recover_with_wal};
use durability_core::storage::{MemoryDirectory, Name, StoreError};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalWriter};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::faults::FaultyDirectory;
use durability_testkit::interleaved::{Program, interleave};

type Dir<'d> = FaultyDirectory<&'d MemoryDirectory>;
/// What was acknowledged: at each id, its payload.
type Acknowledged = Mutex<BTreeMap<u64, Vec<u8>>>;

const SWITCHES: usize = 3;

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256)
}

fn payload(who: u8, number: u8) -> Vec<u8> {
    vec![who, number, who, number, 7]
}

/// Opens the log if it is free, appends, syncs twice, across a rotation, and closes it.
fn write(dir: Dir<'_>, who: u8, acknowledged: &Acknowledged) {
    let mut wal = match RawWalWriter::open(dir, options()) {
        Ok(wal) => wal,
        Err(Error::Held { .. }) => return,
        Err(error) => panic!("writer {who}: {error}"),
    };
    for round in 0..2 {
        let mut new = Vec::new();
        for number in 0..2 {
            let payload = payload(who, round * 2 + number);
            new.push((wal.append(&payload).unwrap().get(), payload));
        }
        let durable = wal.flush_and_sync().unwrap();
        assert_eq!(durable.through().map(EntryId::get), new.last().map(|(id, _)| *id));
        lock(acknowledged).extend(new);
    }
    wal.close().unwrap();
}

fn lock(acknowledged: &Acknowledged) -> std::sync::MutexGuard<'_, BTreeMap<u64, Vec<u8>>> {
    acknowledged.lock().unwrap()
}

/// The whole log, by id.
fn contents<D: durability_core::storage::Directory>(
    dir: D,
    mode: ReadMode,
) -> Result<BTreeMap<u64, Vec<u8>>, Error<D::Error>> {
    let mut reader = RawWalReader::open(dir, options())?;
    let mut entries = reader.entries(mode)?;
    let mut found = BTreeMap::new();
    while let Some(entry) = entries.next()? {
        found.insert(entry.id.get(), entry.payload.to_vec());
    }
    Ok(found)
}

#[test]
fn of_two_writers_one_is_refused_and_neither_loses_what_it_acknowledged() {
    let runs = interleave(SWITCHES, |run| {
        let (dir, acknowledged) = (MemoryDirectory::new(), Acknowledged::default());
        let program = |who| -> Program<'_> {
            let (dir, acknowledged) = (&dir, &acknowledged);
            Box::new(move |counters| {
                write(FaultyDirectory::with_counters(dir, counters), who, acknowledged);
            })
        };
        run.go(vec![program(1), program(2)]);
        let acknowledged = acknowledged.into_inner().unwrap();
        // Nothing is given away twice, so what was acknowledged is all that there is.
        assert!(acknowledged.len() == 4 || acknowledged.len() == 8, "{acknowledged:?}");
        let found = contents(&dir, ReadMode::Strict).unwrap();
        assert_eq!(found, acknowledged, "{:?}", run.schedule());
    });
    println!("{runs:?}");
    assert!(runs.runs > 2_000, "{runs:?}");
}

/// A reader that finds what a writer is just about to change may be told to try again; it is never told of damage, nor shown other entries.
fn is_a_race<E: StoreError>(error: &Error<E>) -> bool {
    matches!(error, Error::Missing { .. } | Error::Gap { .. } | Error::CheckpointAhead { .. })
}

#[test]
fn a_reader_beside_a_writer_sees_a_prefix_with_all_that_was_acknowledged_before() {
    for mode in [ReadMode::Strict, ReadMode::BestEffort] {
        let runs = interleave(SWITCHES, |run| {
            let (dir, acknowledged) = (MemoryDirectory::new(), Acknowledged::default());
            let (shared, known) = (&dir, &acknowledged);
            let reader: Program<'_> = Box::new(move |counters| {
                let before = lock(known).clone();
                let dir = FaultyDirectory::with_counters(shared, counters);
                match contents(&dir, mode) {
                    Ok(found) => {
                        assert!(found.len() >= before.len(), "{found:?}, not {before:?}");
                        for (at, (id, payload)) in found.iter().enumerate() {
                            assert_eq!(*id, at as u64 + 1);
                            assert_eq!(*payload, self::payload(1, u8::try_from(at).unwrap()));
                        }
                    }
                    Err(Error::TornTail { .. }) if mode == ReadMode::Strict => {}
                    Err(Error::Missing { .. }) if before.is_empty() => {}
                    Err(error) => panic!("{error}"),
                }
            });
            let writer: Program<'_> = Box::new(move |counters| {
                write(FaultyDirectory::with_counters(shared, counters), 1, known);
            });
            run.go(vec![writer, reader]);
        });
        println!("{runs:?}");
        assert!(runs.runs > 2_000, "{runs:?}");
    }
}

type State = Vec<u64>;

fn push<E: StoreError>(state: &mut State, at: EntryId, entry: u64) -> Result<(), Error<E>> {
    assert_eq!(at, entry, "each entry is its own id here");
    state.push(entry);
    Ok(())
}

/// Recovers, appends, publishes and prunes.
fn publish(dir: Dir<'_>, durable: &Mutex<u64>) {
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), options()).unwrap();
    let recovered = recover_with_wal(&mut wal, &RecoverOptions::new(), State::new(), push);
    let mut state = recovered.unwrap().state;
    let mut publisher = CheckpointPublisher::new(dir, PublishOptions::new().keep(1)).unwrap();
    for _round in 0..2 {
        for _number in 0..6 {
            let id = wal.next_entry_id();
            assert_eq!(wal.append(&id.get()).unwrap(), id);
            state.push(id.get());
        }
        publisher.publish(&mut wal, &state).unwrap();
        *durable.lock().unwrap() = state.len() as u64;
    }
    wal.close().unwrap();
}

#[test]
fn a_recovery_beside_a_publisher_shows_a_state_that_there_was_or_asks_to_try_again() {
    let mut tried_again = 0;
    let runs = interleave(2, |run| {
        let (dir, durable, races) = (MemoryDirectory::new(), Mutex::new(0), Mutex::new(0));
        let (shared, known, seen) = (&dir, &durable, &races);
        let reader: Program<'_> = Box::new(move |counters| {
            let before = *known.lock().unwrap();
            let dir = FaultyDirectory::with_counters(shared, counters);
            let options = RecoverOptions::new();
            match recover_read_only(&dir, self::options(), &options, State::new(), push) {
                Ok(found) => {
                    assert!(found.state.len() as u64 >= before, "{found:?}, not {before}");
                    assert_eq!(found.state, (1..=found.state.len() as u64).collect::<State>());
                }
                Err(error) if is_a_race(&error) => *seen.lock().unwrap() += 1,
                Err(error) => panic!("{error}"),
            }
        });
        let writer: Program<'_> = Box::new(move |counters| {
            publish(FaultyDirectory::with_counters(shared, counters), known);
        });
        run.go(vec![writer, reader]);
        tried_again += races.into_inner().unwrap();
    });
    println!("{runs:?}, {tried_again} asked to try again");
    assert!(runs.runs > 2_000, "{runs:?}");
    assert!(tried_again < runs.runs / 2, "{tried_again} of {runs:?}");
}

#[test]
fn of_two_writers_of_a_record_log_one_is_refused_and_neither_loses_what_it_acknowledged() {
    let name = Name::new("EVENTS.LOG").unwrap();
    let small = RecordLogOptions::new().buffer_bytes(256).read_bytes(256);
    let runs = interleave(SWITCHES, |run| {
        let (dir, acknowledged) = (MemoryDirectory::new(), Acknowledged::default());
        let program = |who| -> Program<'_> {
            let (dir, acknowledged) = (&dir, &acknowledged);
            Box::new(move |counters| {
                let dir = FaultyDirectory::with_counters(dir, counters);
                let mut log = match RecordLogWriter::open(&dir, name, small) {
                    Ok(log) => log,
                    Err(Error::Held { .. }) => return,
                    Err(error) => panic!("writer {who}: {error}"),
                };
                for number in 0..2 {
                    let payload = payload(who, number);
                    let id = log.append(&payload).unwrap();
                    let _durable = log.flush_and_sync().unwrap();
                    lock(acknowledged).insert(id.get(), payload);
                }
                log.close().unwrap();
            })
        };
        run.go(vec![program(1), program(2)]);
        let mut found = BTreeMap::new();
        let mut reader = RecordLogReader::open(&dir, name, ReadMode::Strict, small).unwrap();
        while let Some(record) = reader.next().unwrap() {
            found.insert(record.id.get(), record.payload.to_vec());
        }
        assert_eq!(found, acknowledged.into_inner().unwrap(), "{:?}", run.schedule());
    });
    println!("{runs:?}");
    assert!(runs.runs > 2_000, "{runs:?}");
}
