//! Failure is final: a writer that failed acknowledges nothing more, gives no id twice, and leaves a log that opens.

use durability_core::storage::{MemoryDirectory, MemoryError};
use durability_core::walog::{FlushPolicy, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::faults::{Counters, Fault, FaultError, FaultyDirectory, Operation};

use crate::common::{Entry, entries, id, look, payload, small};

type Dir = FaultyDirectory<MemoryDirectory>;
type Wal = RawWalWriter<Dir>;
type Failed = Error<FaultError<MemoryError>>;

const FAULTS: [Fault; 4] = [Fault::Io, Fault::IoAfter, Fault::NoSpace, Fault::ShortWrite];

/// Appends, batches, syncs, rotations and both truncations; `acknowledged` follows.
fn work(wal: &mut Wal, acknowledged: &mut u64) -> Result<(), Failed> {
    for step in 1..=24_u64 {
        let next = wal.next_entry_id().get();
        match step % 8 {
            3 => {
                wal.append_batch(&[payload(next), payload(next + 1)])?;
            }
            5 => wal.flush()?,
            6 => {
                let before = id(next.saturating_sub(4).max(1));
                wal.truncate_prefix(before)?;
            }
            7 => *acknowledged = wal.flush_and_sync()?.through().map_or(0, EntryId::get),
            _ => assert_eq!(wal.append(&payload(next))?, next),
        }
    }
    Ok(())
}

/// Everything that a careless caller could go on with. Nothing of it may work, or touch the medium.
fn is_poisoned(wal: &mut Wal, counters: &Counters, case: &str) {
    let before = counters.counts();
    let next = wal.next_entry_id();
    for refused in [
        wal.append(b"x").map(drop),
        wal.append_batch(&[b"x"]).map(drop),
        wal.flush(),
        wal.flush_and_sync().map(drop),
        wal.truncate_prefix(next),
        wal.truncate_suffix(id(1)),
        wal.truncate_to_empty(),
        wal.reader().map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Poisoned { .. })), "{case}: {refused:?}");
    }
    assert_eq!(
        counters.counts().since(&before).total(),
        0,
        "{case}: a poisoned writer did something"
    );
}

/// What is there after all: a part of what was appended, with what was acknowledged, and the log goes on.
fn opens_again(
    dir: &MemoryDirectory,
    options: &WalOptions,
    acknowledged: u64,
    issued: u64,
    case: &str,
) {
    let mut wal = RawWalWriter::open(dir.clone(), options.clone())
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let last = wal.last_entry_id().map_or(0, EntryId::get);
    assert!(
        (acknowledged..=issued).contains(&last),
        "{case}: {acknowledged} <= {last} <= {issued}"
    );
    for _ in 0..3 {
        let next = wal.next_entry_id().get();
        wal.append(&payload(next)).unwrap();
    }
    let first = wal.first_entry_id().get();
    wal.close().unwrap();
    let found =
        entries(dir.clone(), options.clone()).unwrap_or_else(|error| panic!("{case}: {error}"));
    // An id that was given twice would show here as a gap, or as the wrong payload.
    let right: Vec<Entry> = (first..=last + 3).map(|id| (id, payload(id))).collect();
    assert_eq!(found, right, "{case}");
}

/// Runs the work once for each operation of this kind that it does, each time with that one failing.
fn fail_each(operation: Operation, options: &WalOptions) -> u64 {
    let mut failures = 0;
    for fault in FAULTS {
        for nth in 1.. {
            let dir = Dir::new(MemoryDirectory::new());
            let counters = dir.counters();
            let mut wal = Wal::open(dir.clone(), options.clone()).unwrap();
            counters.fail_nth(operation, nth, fault);
            let mut acknowledged = 0;
            let worked = work(&mut wal, &mut acknowledged);
            if counters.fired() == 0 {
                worked.unwrap();
                break;
            }
            failures += 1;
            let case = format!("{operation:?} {nth}, {fault:?}");
            match worked {
                Err(Error::Store { file, .. }) => {
                    assert!(file.to_string().starts_with("wal/"), "{case}");
                }
                other => panic!("{case}: {other:?}"),
            }
            let issued = wal.last_entry_id().map_or(0, EntryId::get) + 2;
            is_poisoned(&mut wal, &counters, &case);
            let before = counters.counts();
            drop(wal);
            assert_eq!(counters.counts().since(&before).of(Operation::Write), 0, "{case}: dropped");
            opens_again(dir.inner(), options, acknowledged, issued, &case);
        }
    }
    failures
}

#[test]
fn a_failed_sync_poisons_for_good_also_at_rotation_and_on_preallocated_room() {
    for options in [small(), small().preallocate(true), small().mark_after_sync(true)] {
        assert!(fail_each(Operation::SyncData, &options) >= 20);
        assert!(fail_each(Operation::SyncDir, &options) >= 8);
    }
}

#[test]
fn a_failed_write_flush_or_create_never_reuses_an_id_and_the_log_opens_again() {
    for policy in [FlushPolicy::Manual, FlushPolicy::EveryAppend, FlushPolicy::EveryEntries(2)] {
        let options = small().flush_policy(policy);
        for operation in [Operation::Write, Operation::Flush, Operation::Create, Operation::Remove]
        {
            assert!(fail_each(operation, &options) >= 4, "{operation:?}");
        }
    }
}

#[test]
fn an_interrupted_operation_is_made_again_and_nobody_notices() {
    for operation in [Operation::Write, Operation::Read] {
        let dir = Dir::new(MemoryDirectory::new());
        for nth in 1..200 {
            dir.counters().fail_nth(operation, nth * 2, Fault::Interrupted);
        }
        let mut wal = Wal::open(dir.clone(), small()).unwrap();
        let mut acknowledged = 0;
        work(&mut wal, &mut acknowledged).unwrap();
        wal.close().unwrap();
        let (found, _) = look(dir.clone(), small(), ReadMode::Strict).unwrap();
        assert!(found.iter().all(|(id, bytes)| *bytes == payload(*id)));
        assert!(dir.counters().fired() > 3);
    }
}

#[test]
fn a_failure_while_opening_changes_no_entry_and_opening_again_works() {
    // A torn tail, so that opening writes too.
    let make = || {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
        for id in 1..=9 {
            wal.append(&payload(id)).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        wal.append(&payload(10)).unwrap();
        drop(wal);
        let tail = dir.names().pop().unwrap();
        let mut bytes = dir.contents(crate::common::name(&tail)).unwrap();
        bytes.truncate(bytes.len() - 5);
        dir.put(crate::common::name(&tail), bytes);
        dir
    };
    for fault in FAULTS {
        for nth in 1.. {
            let dir = Dir::new(make());
            dir.counters().fail_nth_of_all(nth, fault);
            let opened = Wal::open(dir.clone(), small());
            if dir.counters().fired() == 0 {
                opened.unwrap();
                break;
            }
            drop(opened);
            dir.counters().heal();
            opens_again(dir.inner(), &small(), 9, 9, &format!("operation {nth}, {fault:?}"));
        }
    }
}
