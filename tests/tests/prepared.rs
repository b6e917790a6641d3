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
use durability_core::storage::{Directory, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{Preparation, Prepared, RawWalReader, RawWalWriter, Step, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
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

/// All files but the lock.
fn segments_of(dir: &MemoryDirectory) -> Vec<String> {
    dir.names().into_iter().filter(|name| name != "wal/LOCK").collect()
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
    assert_eq!(zeros.len() as u64, SEGMENT_BYTES);
    let (mark, zeros) = zeros.split_at(32);
    assert!(mark.starts_with(b"\x89DNXT\r\n\x1a"));
    assert!(zeros.iter().all(|&byte| byte == 0));
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
    assert_eq!(segments_of(&memory), [segment(1)]);
    // Dropped without being closed, the same.
    let mut wal = RawWalWriter::open(memory.clone(), small()).unwrap();
    assert!(wal.prepare_now().unwrap());
    drop(wal);
    assert_eq!(segments_of(&memory), [segment(1)]);
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
        assert!((5..99).contains(&failed), "{failed} of {fault:?}");
    }
}

#[test]
fn opening_after_a_kill_reads_nothing_of_a_segment_that_was_only_made_ready() {
    let (memory, _, mut wal) = counted(options());
    wal.append(&[7; 1000]).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    assert!(wal.prepare_now().unwrap());
    let killed = common::disk(&common::image(&memory));
    let dir = FaultyDirectory::new(killed.clone());
    let counters = dir.counters();
    let reading = cost(&counters, || {
        assert_eq!(
            RawWalReader::open(dir.clone(), options()).unwrap().log_id(),
            Some(wal.log_id())
        );
    });
    assert!(reading.bytes_read < 500, "{reading:?}");
    let opening = cost(&counters, || {
        assert_eq!(RawWalWriter::open(dir, options()).unwrap().entry_count(), 1);
    });
    assert!(opening.bytes_read < 2000, "{opening:?}");
    assert_eq!(segments_of(&killed), [segment(1)]);
}

#[test]
fn a_read_that_is_interrupted_is_made_again_also_in_front_of_a_segment_that_is_ready() {
    let (memory, _, mut wal) = counted(small());
    wal.append(&payload(1)).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    assert!(wal.prepare_now().unwrap());
    let killed = common::image(&memory);
    for nth in 1.. {
        let dir = FaultyDirectory::new(common::disk(&killed));
        let counters = dir.counters();
        counters.fail_nth(Operation::Read, nth, Fault::Interrupted);
        let mut reader = RawWalReader::open(dir, small()).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        assert_eq!(entries.next().unwrap().unwrap().payload, payload(1));
        assert!(entries.next().unwrap().is_none());
        if counters.fired() == 0 {
            assert!(nth > 4, "{nth}");
            break;
        }
    }
}

#[test]
fn who_closes_a_log_gives_its_room_back() {
    for count in [1, 10] {
        let (_, counters, mut wal) = counted(options());
        for id in 1..=count {
            wal.append(&payload(id)).unwrap();
        }
        let close = cost(&counters, || wal.close().unwrap());
        assert_eq!(close.of(Operation::Trim), 1, "{close:?}");
    }
}

/// A log whose first segment was pruned and kept, to be used again.
fn pruned() -> (MemoryDirectory, Counters, RawWalWriter<Counted>) {
    let (memory, counters, mut wal) = counted(small().recycle(true));
    assert!(wal.prepare_now().unwrap());
    append_across(&mut wal);
    append_across(&mut wal);
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    (memory, counters, wal)
}

#[test]
fn a_pruned_segment_is_zeroed_under_its_old_name_and_then_gets_its_new_one() {
    let (memory, counters, mut wal) = pruned();
    let old = segment(1);
    assert!(memory.names().contains(&old));
    counters.start_trace();
    assert!(wal.prepare_now().unwrap());
    let trace = counters.take_trace();
    let changes = trace.iter().filter(|event| event.operation.changes());
    let changes: Vec<_> = changes.map(|event| (event.operation, event.name.clone())).collect();
    let new = segment(wal.prepared_segment().unwrap());
    let expected = [
        (Operation::Reopen, old.clone()),
        (Operation::Write, old.clone()),
        (Operation::SyncData, old.clone()),
        (Operation::Write, old.clone()),
        (Operation::SyncData, old.clone()),
        (Operation::Rename, old),
        (Operation::SyncDir, "wal".to_owned()),
        (Operation::Reopen, new),
    ];
    assert_eq!(changes, expected);
    let first = wal.first_entry_id().get();
    append_across(&mut wal);
    let last = wal.last_entry_id().unwrap().get();
    wal.close().unwrap();
    assert_eq!(entries(memory, small()).unwrap(), common::expected(first..=last));
}

/// Another log could not be opened after a crash between the rename of a recycled segment and its first header.
#[test]
fn a_crash_between_the_renaming_of_a_recycled_segment_and_its_first_header_opens() {
    let (memory, _, mut wal) = pruned();
    let (first, last) = (wal.first_entry_id().get(), wal.last_entry_id().unwrap().get());
    let mut preparation = wal.prepare().unwrap().unwrap();
    let new = segment(preparation.segment().unwrap());
    let mut images = vec![common::image(&memory)];
    while let Step::Working = preparation.step().unwrap() {
        images.push(common::image(&memory));
    }
    images.push(common::image(&memory));
    // Any old name with any new one, and one content under both.
    let contents =
        |name: &str| images.iter().map(|image| image.get(name).cloned()).collect::<Vec<_>>();
    let before = images.first().unwrap().clone();
    for old_content in contents(&segment(1)) {
        for new_content in contents(&new) {
            let mut image = before.clone();
            image.remove(&segment(1));
            image.extend(old_content.clone().map(|content| (segment(1), content)));
            image.extend(new_content.map(|content| (new.clone(), content)));
            let dir = common::disk(&image);
            assert_eq!(entries(dir.clone(), small()).unwrap(), expected(first..=last));
            let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
            wal.append(&payload(last + 1)).unwrap();
            append_across(&mut wal);
            let last = wal.last_entry_id().unwrap().get();
            wal.close().unwrap();
            assert_eq!(entries(dir, small()).unwrap(), expected(first..=last));
        }
    }
}

/// Segments of several blocks, so that a reader is in the middle of one for long.
fn long() -> WalOptions {
    common::small().segment_bytes(2 << 10).preallocate(true).recycle(true)
}

/// What a reader shows that was opened before a segment was pruned, stops after `before` entries, and goes on after so many steps of using the segment's file
/// again.
fn read_beside(
    before: usize,
    steps: usize,
    tail: bool,
) -> Result<Vec<common::Entry>, Error<MemoryError>> {
    let (memory, _, mut wal) = counted(long());
    assert!(wal.prepare_now().unwrap());
    if tail {
        for id in 1..=40 {
            wal.append(&payload(id)).unwrap();
        }
    } else {
        append_across(&mut wal);
    }
    let _durable = wal.flush_and_sync().unwrap();
    let mut reader = RawWalReader::open(memory, long()).unwrap();
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    let mut seen = Vec::new();
    for _ in 0..before {
        let entry = entries.next().unwrap().unwrap();
        seen.push((entry.id.get(), entry.payload.to_vec()));
    }
    append_across(&mut wal);
    append_across(&mut wal);
    let second = wal.segments().nth(1).unwrap();
    wal.truncate_prefix(second.first_id()).unwrap();
    let mut preparation = wal.prepare().unwrap().unwrap();
    for _ in 0..steps {
        if let Step::Ready(prepared) = preparation.step().unwrap() {
            wal.install(prepared);
            // It becomes the tail, and has other entries.
            append_across(&mut wal);
            append_across(&mut wal);
            wal.flush().unwrap();
            break;
        }
    }
    while let Some(entry) = entries.next()? {
        seen.push((entry.id.get(), entry.payload.to_vec()));
    }
    Ok(seen)
}

#[test]
fn a_reader_of_a_segment_that_is_used_again_misses_it_and_never_calls_it_damaged_or_ended() {
    for tail in [false, true] {
        let all = read_beside(0, 0, tail).unwrap();
        let acknowledged = 40;
        assert!(all.len() >= acknowledged);
        for before in 0..40 {
            for steps in 0..8 {
                match read_beside(before, steps, tail) {
                    Ok(seen) => assert!(
                        seen.len() >= acknowledged && all.starts_with(&seen),
                        "{before} entries, {steps} steps: {} of {}",
                        seen.len(),
                        all.len()
                    ),
                    Err(Error::Missing { file }) => assert_eq!(file.as_name().as_str(), segment(1)),
                    Err(error) => panic!("{before} entries, {steps} steps: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_tail_without_room_gives_way_to_the_segment_that_is_ready() {
    let (memory, counters, mut wal) = counted(options());
    assert!(!wal.begin_prepared().unwrap());
    assert!(wal.prepare_now().unwrap());
    let prepared = wal.prepared_segment().unwrap();
    // Nothing is in the first segment, and its header is durable.
    let begin = cost(&counters, || assert!(wal.begin_prepared().unwrap()));
    assert_eq!((begin.syncs(), begin.of(Operation::Create)), (0, 0));
    assert_eq!((wal.tail_segment(), wal.prepared_segment()), (prepared, None));
    wal.append(&payload(1)).unwrap();
    assert!(wal.prepare_now().unwrap());
    let begin = cost(&counters, || assert!(wal.begin_prepared().unwrap()));
    assert_eq!((begin.of(Operation::SyncData), begin.of(Operation::SyncDir)), (1, 0));
    assert_eq!(wal.durable_through(), EntryId::new(1));
    wal.close().unwrap();
    // Closed, opened and gone on with.
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    assert!(wal.prepare_now().unwrap() && wal.begin_prepared().unwrap());
    wal.append(&payload(2)).unwrap();
    wal.close().unwrap();
    assert_eq!(entries(memory, options()).unwrap(), expected(1..=2));
}
