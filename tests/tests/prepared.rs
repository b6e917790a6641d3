//! Laws of segments that are made ready before they are needed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    missing_docs,
    reason = "a test runs on a host and fails by panicking"
)]

mod common;

use common::{entries, expected, payload, segment};
use durability::storage::FsDirectory;
use durability_core::storage::{Directory, MemoryDirectory, Name};
use durability_core::walog::{Preparation, Prepared, RawWalWriter, Step, WalOptions};
use durability_core::{EntryId, Error};
use durability_testkit::allocations::{Allocations, CountingAllocator, allocations};
use durability_testkit::faults::{Counters, Counts, Fault, FaultyDirectory, Operation};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

type Counted = FaultyDirectory<MemoryDirectory>;

const SEGMENT_BYTES: u64 = 100 << 10;

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(SEGMENT_BYTES).preallocate(true)
}

/// Segments of some entries each.
fn small() -> WalOptions {
    common::small().preallocate(true)
}

fn counted(options: WalOptions) -> (MemoryDirectory, Counters, RawWalWriter<Counted>) {
    let memory = MemoryDirectory::new();
    let dir = FaultyDirectory::new(memory.clone());
    let counters = dir.counters();
    (memory, counters, RawWalWriter::open(dir, options).unwrap())
}

fn cost(counters: &Counters, work: impl FnOnce()) -> Counts {
    let before = counters.counts();
    work();
    counters.counts().since(&before)
}

fn only(expected: &[(Operation, u64)], cost: &Counts) {
    for operation in Operation::ALL {
        let expected = expected.iter().find(|each| each.0 == operation).map_or(0, |each| each.1);
        assert_eq!(cost.of(operation), expected, "{operation:?} in {cost:?}");
    }
}

fn finish<D: Directory>(mut preparation: Preparation<D>) -> Prepared<D> {
    loop {
        if let Step::Ready(prepared) = preparation.step().unwrap() {
            return prepared;
        }
    }
}

/// Appends until the tail is another segment; how many.
fn append_across<D: Directory>(wal: &mut RawWalWriter<D>) -> u64 {
    let tail = wal.tail_segment();
    let mut count = 0;
    while wal.tail_segment() == tail {
        let next = wal.next_entry_id().get();
        wal.append(&payload(next)).unwrap();
        count += 1;
    }
    count
}

#[test]
fn a_rotation_into_a_prepared_segment_is_one_write_and_one_data_sync() {
    let (_, counters, mut wal) = counted(options());
    for _ in 0..5 {
        assert!(wal.prepare_now().unwrap());
        let prepared = wal.prepared_segment().unwrap();
        let mut last = Counts::default();
        while wal.tail_segment() != prepared {
            last = cost(&counters, || {
                wal.append(&[7; 1000]).unwrap();
            });
        }
        only(&[(Operation::Write, 1), (Operation::SyncData, 1)], &last);
        // The first durable append in a new segment is like all others.
        let first = cost(&counters, || {
            let _durable = wal.flush_and_sync().unwrap();
        });
        only(&[(Operation::Write, 1), (Operation::SyncData, 1)], &first);
    }
}

#[test]
fn a_stream_of_durable_appends_costs_one_sync_each_and_one_for_each_rotation() {
    let (_, counters, mut wal) = counted(options());
    let _durable = wal.flush_and_sync().unwrap();
    assert!(wal.prepare_now().unwrap());
    let mut preparing = Counts::default();
    let mut rotations = 0;
    let all = cost(&counters, || {
        for _ in 0..1000 {
            let tail = wal.tail_segment();
            wal.append(&[7; 1000]).unwrap();
            let _durable = wal.flush_and_sync().unwrap();
            if wal.tail_segment() != tail {
                rotations += 1;
                let this = cost(&counters, || assert!(wal.prepare_now().unwrap()));
                assert_eq!((this.of(Operation::SyncData), this.of(Operation::SyncDir)), (1, 1));
                preparing = this;
            }
        }
    });
    assert!(rotations > 8);
    assert_eq!(all.of(Operation::SyncData), 1000 + rotations);
    assert_eq!(all.of(Operation::SyncDir), rotations);
    assert_eq!(all.of(Operation::Write), 1000 + rotations * preparing.of(Operation::Write));
    assert_eq!(all.of(Operation::Trim), 0);
}

#[test]
fn a_rotation_into_a_prepared_segment_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(folder.path()).unwrap();
    let mut wal = RawWalWriter::open(dir, options()).unwrap();
    for _ in 0..3 {
        assert!(wal.prepare_now().unwrap());
        let prepared = wal.prepared_segment().unwrap();
        let ((), spent) = allocations(|| {
            while wal.tail_segment() != prepared {
                wal.append(&[7; 1000]).unwrap();
                let _durable = wal.flush_and_sync().unwrap();
            }
        });
        assert_eq!(spent, Allocations::default());
    }
}

#[test]
fn what_is_prepared_is_zeros_of_the_segments_size_and_is_written_over() {
    let (memory, _, mut wal) = counted(options());
    let preparation = wal.prepare().unwrap().unwrap();
    let number = preparation.segment().unwrap();
    wal.install(finish(preparation));
    assert_eq!(wal.prepared_segment(), Some(number));
    let name = segment(number);
    let zeros = memory.contents(Name::new(&name).unwrap()).unwrap();
    assert!(zeros.len() as u64 == SEGMENT_BYTES && zeros.iter().all(|&byte| byte == 0));
    let count = append_across(&mut wal);
    assert_eq!((wal.tail_segment(), wal.prepared_segment()), (number, None));
    wal.close().unwrap();
    assert_eq!(entries(memory, options()).unwrap(), expected(1..=count));
}

#[test]
fn a_preparation_that_is_late_serves_the_next_rotation() {
    let (memory, counters, mut wal) = counted(small());
    let preparation = wal.prepare().unwrap().unwrap();
    let number = preparation.segment().unwrap();
    // Nothing waits for it, and nothing is filled in its place.
    let early = cost(&counters, || {
        append_across(&mut wal);
    });
    assert!(early.bytes_written < 1000, "{early:?}");
    assert!(wal.tail_segment() < number);
    wal.install(finish(preparation));
    append_across(&mut wal);
    assert_eq!(wal.tail_segment(), number);
    let last = wal.last_entry_id().unwrap().get();
    wal.close().unwrap();
    assert_eq!(entries(memory, small()).unwrap(), expected(1..=last));
}

#[test]
fn what_the_log_has_gone_beyond_is_removed_and_never_used() {
    let (memory, _, mut wal) = counted(small());
    let preparation = wal.prepare().unwrap().unwrap();
    let number = preparation.segment().unwrap();
    let prepared = finish(preparation);
    for _ in 0..3 {
        append_across(&mut wal);
    }
    assert!(wal.tail_segment() > number);
    assert!(wal.prepare().unwrap().is_none(), "one is still there");
    wal.install(prepared);
    assert_eq!(wal.prepared_segment(), None);
    assert!(!memory.names().contains(&segment(number)));
    append_across(&mut wal);
    assert!(wal.segments().all(|each| each.segment() != number));
    let last = wal.last_entry_id().unwrap().get();
    wal.close().unwrap();
    assert_eq!(entries(memory, small()).unwrap(), expected(1..=last));
}

#[test]
fn a_preparation_keeps_others_out_of_the_log_as_its_writer_does() {
    let (memory, _, mut wal) = counted(small());
    let preparation = wal.prepare().unwrap().unwrap();
    wal.close().unwrap();
    let held = RawWalWriter::open(memory.clone(), small());
    assert!(matches!(held, Err(Error::Held { .. })));
    let prepared = finish(preparation);
    let held = RawWalWriter::open(memory.clone(), small());
    assert!(matches!(held, Err(Error::Held { .. })));
    let name = segment(prepared.segment());
    assert!(memory.names().contains(&name));
    drop(prepared);
    assert!(!memory.names().contains(&name));
    assert!(RawWalWriter::open(memory, small()).is_ok());
}

#[test]
fn what_was_prepared_for_another_log_is_removed_and_never_used() {
    let (_, _, mut one) = counted(small());
    let (other_memory, _, mut other) = counted(small());
    let foreign = finish(other.prepare().unwrap().unwrap());
    let _own = one.prepare().unwrap().unwrap();
    let name = segment(foreign.segment());
    one.install(foreign);
    assert_eq!(one.prepared_segment(), None);
    assert!(!other_memory.names().contains(&name));
}

#[test]
fn nothing_is_prepared_twice_and_nothing_unused_is_left_behind() {
    let (memory, _, mut wal) = counted(small());
    let preparation = wal.prepare().unwrap().unwrap();
    assert!(wal.prepare().unwrap().is_none());
    drop(preparation);
    assert!(wal.prepare_now().unwrap());
    assert!(wal.prepare().unwrap().is_none());
    wal.append(&payload(1)).unwrap();
    wal.close().unwrap();
    let segments = memory.names().into_iter().filter(|name| name.ends_with(".WAL"));
    assert_eq!(segments.collect::<Vec<_>>(), [segment(1)]);
    // Dropped without being closed, the same.
    let mut wal = RawWalWriter::open(memory.clone(), small()).unwrap();
    assert!(wal.prepare_now().unwrap());
    drop(wal);
    let segments = memory.names().into_iter().filter(|name| name.ends_with(".WAL"));
    assert_eq!(segments.collect::<Vec<_>>(), [segment(1)]);
}

#[test]
fn truncations_leave_what_is_being_prepared_alone_and_use_what_is_ready() {
    let (memory, _, mut wal) = counted(small());
    for _ in 0..3 {
        append_across(&mut wal);
    }
    let preparation = wal.prepare().unwrap().unwrap();
    let number = preparation.segment().unwrap();
    let mut preparation = preparation;
    assert!(matches!(preparation.step().unwrap(), Step::Working));
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    assert!(memory.names().contains(&segment(number)));
    wal.install(finish(preparation));
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    let last = wal.last_entry_id().unwrap();
    wal.truncate_suffix(last).unwrap();
    assert_eq!((wal.tail_segment(), wal.prepared_segment()), (number, None));
    assert!(wal.prepare_now().unwrap());
    let ready = wal.prepared_segment();
    wal.append(&payload(last.get())).unwrap();
    wal.truncate_to_empty().unwrap();
    assert_eq!(Some(wal.tail_segment()), ready);
    assert_eq!(wal.next_entry_id(), EntryId::new(last.get() + 1).unwrap());
    wal.append(&payload(last.get() + 1)).unwrap();
    wal.close().unwrap();
    let left = last.get() + 1..=last.get() + 1;
    assert_eq!(entries(memory, small()).unwrap(), expected(left));
}

#[test]
fn without_preallocation_the_next_name_is_ready_and_no_byte_is_written() {
    let (memory, counters, mut wal) = counted(common::small());
    let ahead = cost(&counters, || assert!(wal.prepare_now().unwrap()));
    assert_eq!((ahead.of(Operation::Write), ahead.of(Operation::SyncDir)), (0, 1));
    let rotation = cost(&counters, || {
        append_across(&mut wal);
        let _durable = wal.flush_and_sync().unwrap();
    });
    assert_eq!((rotation.of(Operation::Create), rotation.of(Operation::SyncDir)), (0, 0));
    let last = wal.last_entry_id().unwrap().get();
    wal.close().unwrap();
    assert_eq!(entries(memory, common::small()).unwrap(), expected(1..=last));
}

#[test]
fn whatever_fails_in_a_preparation_costs_the_log_nothing() {
    let fails = |nth: u64, fault: Fault| {
        let (memory, counters, mut wal) = counted(small());
        append_across(&mut wal);
        let mut preparation = wal.prepare().unwrap().unwrap();
        let number = preparation.segment().unwrap();
        counters.fail_nth_of_all(nth, fault);
        let error = loop {
            match preparation.step() {
                Ok(Step::Working) => {}
                Ok(_) => return false,
                Err(error) => break error,
            }
        };
        assert!(!matches!(error, Error::Poisoned { .. }));
        assert!(matches!(preparation.step(), Err(Error::Poisoned { .. })));
        assert!(!memory.names().contains(&segment(number)), "{error}");
        drop(preparation);
        // Not even its number is used again.
        append_across(&mut wal);
        append_across(&mut wal);
        assert!(wal.segments().all(|each| each.segment() != number));
        assert!(wal.prepare_now().unwrap());
        append_across(&mut wal);
        let last = wal.last_entry_id().unwrap().get();
        wal.close().unwrap();
        assert_eq!(entries(memory, small()).unwrap(), expected(1..=last));
        true
    };
    for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::IoAfter] {
        let failed = (1..100).take_while(|&nth| fails(nth, fault)).count();
        assert!(failed >= 5 && failed < 99, "{failed} of {fault:?}");
    }
}
