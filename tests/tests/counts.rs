//! Laws of cost: what an operation asks of the allocator and of the directory, counted.
//!
//! No times: these hold on every machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host

use durability::storage::FsDirectory;
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalReader, WalWriter};
use durability_core::{EntryId, Error, ReadMode, crc32c};
use durability_testkit::allocations::{Allocations, CountingAllocator, allocations};
use durability_testkit::faults::{Counters, Counts, Event, FaultyDirectory, Operation};
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

type Counted = FaultyDirectory<MemoryDirectory>;

const SIZES: [usize; 5] = [0, 64, 256, 1 << 10, 16 << 10];
const FRAME_HEADER_BYTES: u64 = 16;

fn counted() -> (Counted, Counters) {
    let dir = FaultyDirectory::new(MemoryDirectory::new());
    let counters = dir.counters();
    (dir, counters)
}

fn cost<T>(counters: &Counters, work: impl FnOnce() -> T) -> Counts {
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

/// A log of that many sealed segments, ten records of 100 bytes in each, and two in the tail.
fn log_of_segments(sealed: usize) -> (Counted, Counters) {
    log_of_segments_of(100, sealed)
}

/// The same, of records of that many bytes.
fn log_of_segments_of(record: usize, sealed: usize) -> (Counted, Counters) {
    let (dir, counters) = counted();
    let mut wal = RawWalWriter::new(dir.clone(), segments_of(record)).unwrap();
    for _ in 0..sealed * 10 + 2 {
        wal.append(&vec![7; record]).unwrap();
    }
    assert_eq!(wal.segments().count(), sealed + 1);
    wal.close().unwrap();
    (dir, counters)
}

fn segments() -> WalOptions {
    segments_of(100)
}

fn segments_of(record: usize) -> WalOptions {
    WalOptions::new().segment_bytes(72 + 10 * (16 + record as u64))
}

#[test]
fn an_append_touches_nothing_and_a_flush_is_one_write() {
    for size in SIZES {
        let (dir, counters) = counted();
        let mut wal = RawWalWriter::new(dir, WalOptions::new()).unwrap();
        only(&[], &cost(&counters, || wal.append(&vec![7; size]).unwrap()));
        only(&[], &cost(&counters, || wal.append(&vec![7; size]).unwrap()));
        let flush = cost(&counters, || wal.flush().unwrap());
        only(&[(Operation::Write, 1), (Operation::Flush, 1)], &flush);
        assert_eq!(flush.bytes_written, 2 * (FRAME_HEADER_BYTES + size as u64));
        let again = cost(&counters, || wal.flush().unwrap());
        only(&[(Operation::Flush, 1)], &again);
    }
}

#[test]
fn a_durable_append_is_one_write_and_one_data_sync() {
    for size in SIZES {
        let (dir, counters) = counted();
        let mut wal = RawWalWriter::new(dir, WalOptions::new()).unwrap();
        for _ in 0..10 {
            let durable = cost(&counters, || {
                wal.append(&vec![7; size]).unwrap();
                let _ = wal.flush_and_sync().unwrap();
            });
            only(&[(Operation::Write, 1), (Operation::SyncData, 1)], &durable);
            assert_eq!(durable.bytes_written, FRAME_HEADER_BYTES + size as u64);
        }
        only(&[], &cost(&counters, || wal.flush_and_sync().unwrap()));
    }
}

#[test]
fn a_typed_durable_append_costs_the_same() {
    let (dir, counters) = counted();
    let mut wal = WalWriter::<(u64, String), _>::new(dir, WalOptions::new()).unwrap();
    for number in 0..10 {
        let durable = cost(&counters, || {
            wal.append(&(number, "text".into())).unwrap();
            let _ = wal.flush_and_sync().unwrap();
        });
        only(&[(Operation::Write, 1), (Operation::SyncData, 1)], &durable);
    }
}

/// The bytes between two places that a reader keeps: a read block, but no more than 64 KiB.
fn stride(read_bytes: u32) -> u64 {
    u64::from(read_bytes.min(64 << 10))
}

#[test]
fn an_entry_read_by_its_id_costs_no_more_than_lies_between_it_and_a_known_place() {
    for read_bytes in [1 << 10, 16 << 10, 64 << 10, 256 << 10] {
        let (dir, counters) = counted();
        let options = || WalOptions::new().segment_bytes(1 << 20).read_bytes(read_bytes);
        let mut wal = RawWalWriter::new(dir.clone(), options()).unwrap();
        for _ in 0..10_000 {
            wal.append(&[7; 284]).unwrap();
        }
        wal.close().unwrap();
        let last = |segment: u64| EntryId::new(segment * 3_494).unwrap();
        let mut reader = RawWalReader::open(dir, options()).unwrap();
        let first = cost(&counters, || {
            assert!(reader.read(ReadMode::Strict, last(1)).unwrap().is_some());
        });
        assert!(first.bytes_read > 900 << 10, "a segment of which nothing is known is read");
        assert!(first.bytes_read < 1100 << 10, "{first:?}");
        // The same segment, near and far; what is held costs nothing.
        let again = cost(&counters, || assert!(reader.read(ReadMode::Strict, last(1)).is_ok()));
        only(&[], &again);
        let mut most = 0;
        for number in (1..=3_494).rev().step_by(97).chain((1..=3_494).step_by(83)) {
            let id = EntryId::new(number).unwrap();
            let near = cost(&counters, || {
                assert_eq!(reader.read(ReadMode::Strict, id).unwrap().unwrap().id, id);
            });
            assert_eq!(near.of(Operation::Open), 0, "{number}: the file is open");
            most = most.max(near.bytes_read);
            let limit = stride(read_bytes) + u64::from(read_bytes.min(64 << 10));
            assert!(near.bytes_read <= limit, "{number}: {near:?} is more than {limit}");
        }
        assert!(most > 0, "this proves nothing");
        // Another segment, and back: one file is opened, and none read from its beginning.
        assert!(reader.read(ReadMode::Strict, last(2)).unwrap().is_some());
        let back = cost(&counters, || assert!(reader.read(ReadMode::Strict, last(1)).is_ok()));
        assert_eq!(back.of(Operation::Open), 1);
        assert!(back.bytes_read <= 2 * stride(read_bytes), "{back:?}");
        // A range that begins there reads what it is asked for.
        let range = cost(&counters, || {
            let range = last(2)..=last(2);
            let mut entries = reader.range(ReadMode::Strict, range).unwrap();
            assert_eq!(entries.next().unwrap().unwrap().id, last(2));
        });
        assert!(range.bytes_read <= stride(read_bytes) + u64::from(read_bytes), "{range:?}");
    }
}

#[test]
fn a_batch_is_one_write() {
    let (dir, counters) = counted();
    let mut wal = RawWalWriter::new(dir, WalOptions::new()).unwrap();
    let batch = vec![[7; 1000]; 100];
    let whole = cost(&counters, || wal.append_batch(&batch).unwrap());
    only(&[(Operation::Write, 1), (Operation::Flush, 1)], &whole);
    assert_eq!(whole.bytes_written, 100 * 1016);
}

#[test]
fn a_full_buffer_is_written_whole() {
    let (dir, counters) = counted();
    let mut wal = RawWalWriter::new(dir, WalOptions::new()).unwrap();
    counters.start_trace();
    for _ in 0..16 << 10 {
        wal.append(&[7; 1000]).unwrap();
    }
    wal.flush().unwrap();
    let trace = counters.take_trace();
    let writes: Vec<u64> = of(&trace, Operation::Write).map(|event| event.bytes).collect();
    assert_eq!(writes.iter().sum::<u64>(), (16 << 10) * 1016);
    let (_, full) = writes.split_last().unwrap();
    assert!(full.iter().all(|&bytes| bytes > (1 << 20) - 1016), "{full:?}");
}

#[test]
fn a_rotation_is_one_write_two_syncs_and_a_new_file() {
    let (dir, counters) = counted();
    let mut wal = RawWalWriter::new(dir, segments()).unwrap();
    for _ in 0..20 {
        wal.append(&[7; 100]).unwrap();
    }
    let rotating = cost(&counters, || wal.append(&[7; 100]).unwrap());
    // The outgoing segment and its name, which had not been needed before.
    only(
        &[
            (Operation::Write, 1),
            (Operation::SyncData, 1),
            (Operation::SyncDir, 1),
            (Operation::Create, 1),
        ],
        &rotating,
    );
}

#[test]
fn replay_reads_every_byte_once_in_large_blocks() {
    for size in [64, 1 << 10, 16 << 10] {
        let (dir, counters) = counted();
        let mut wal = RawWalWriter::new(dir.clone(), WalOptions::new()).unwrap();
        for _ in 0..(8 << 20) / size {
            wal.append(&vec![7; size]).unwrap();
        }
        wal.close().unwrap();
        let mut reader = RawWalReader::open(dir, WalOptions::new()).unwrap();
        let replay = cost(&counters, || {
            let mut entries = reader.entries(ReadMode::Strict).unwrap();
            while entries.next().unwrap().is_some() {}
        });
        // The header was read when the log was opened.
        assert_eq!(replay.bytes_read, counters.counts().bytes_written - 72);
        // The last read finds the end.
        let reads = replay.of(Operation::Read) - 1;
        assert!(reads * (200 << 10) <= replay.bytes_read, "{reads} of {}", replay.bytes_read);
    }
}

#[test]
fn a_batch_of_up_to_sixteen_blocks_is_read_once() {
    for payload_bytes in [1000, 16 << 10, 40_000] {
        let (dir, counters) = counted();
        let mut wal = RawWalWriter::new(dir.clone(), WalOptions::new()).unwrap();
        for _ in 0..5 {
            wal.append_batch(&vec![vec![7; payload_bytes]; 100]).unwrap();
        }
        wal.close().unwrap();
        let mut reader = RawWalReader::open(dir, WalOptions::new()).unwrap();
        let replay = cost(&counters, || {
            let mut entries = reader.entries(ReadMode::Strict).unwrap();
            while entries.next().unwrap().is_some() {}
        });
        assert_eq!(replay.bytes_read, counters.counts().bytes_written - 72, "{payload_bytes}");
    }
}

#[test]
fn opening_to_read_reads_the_headers() {
    let (dir, counters) = log_of_segments(100);
    counters.start_trace();
    let read = cost(&counters, || RawWalReader::open(dir.clone(), segments()).unwrap());
    assert_eq!((read.of(Operation::List), read.of(Operation::Open)), (1, 101));
    assert_eq!(read.bytes_read, 101 * 72);
    assert_eq!(read.syncs() + read.of(Operation::Write), 0);
    let trace = counters.take_trace();
    assert!(of(&trace, Operation::Read).all(|event| event.bytes == 72));
}

/// A close frame, and a prune frame in front of it.
const CLOSE_BYTES: u64 = 20;
const LAST_BYTES: u64 = 24 + CLOSE_BYTES;
/// A close frame that lists segments, without these.
const LIST_BYTES: u64 = 28;

#[test]
fn opening_a_closed_log_opens_the_last_segment_alone_and_reads_its_end() {
    for (record, sealed) in [(4000, 0), (4000, 1), (4000, 10), (20_000, 80)] {
        let (dir, counters) = log_of_segments_of(record, sealed);
        let mut wal = None;
        let open = cost(&counters, || {
            wal = Some(RawWalWriter::open(dir.clone(), segments_of(record)).unwrap());
        });
        let list = if sealed > 0 { LIST_BYTES + 72 * sealed as u64 } else { 0 };
        let reads = if sealed > 0 { 3 } else { 2 };
        let expected = [
            (Operation::Lock, 1),
            (Operation::List, 1),
            (Operation::Open, 1),
            (Operation::Length, 1),
            (Operation::Read, reads),
        ];
        only(&expected, &open);
        assert_eq!(open.bytes_read, 72 + LAST_BYTES + list);
        let mut wal = wal.unwrap();
        assert_eq!(wal.entry_count(), sealed as u64 * 10 + 2);
        assert_eq!(wal.segments().count(), sealed + 1);
        only(&[(Operation::Reopen, 1)], &cost(&counters, || wal.append(&[7; 100]).unwrap()));
        let durable = cost(&counters, || wal.flush_and_sync().unwrap());
        only(&[(Operation::Write, 1), (Operation::SyncData, 1)], &durable);
        let close = if sealed > 0 { list } else { CLOSE_BYTES };
        assert_eq!(durable.bytes_written, close + 116, "the close frame goes with it");
    }
}

#[test]
fn a_log_that_goes_on_is_pruned_and_padded_is_opened_by_its_last_segment_alone_each_time() {
    for (alignment, unit) in [(4, 1), (16, 1), (256, 1), (4, 512), (256, 4096)] {
        let options = segments_of(4000).alignment(alignment).commit_alignment(unit);
        let (dir, counters) = counted();
        let mut last = 0;
        for turn in 0..8 {
            let mut wal = None;
            let open = cost(&counters, || {
                wal = Some(RawWalWriter::open(dir.clone(), options.clone()).unwrap());
            });
            let opened = u64::from(turn > 0);
            assert_eq!((open.of(Operation::Open), open.of(Operation::SyncFile)), (opened, 0));
            let mut wal = wal.unwrap();
            assert_eq!(wal.last_entry_id().map_or(0, EntryId::get), last);
            for _ in 0..25 {
                wal.append(&[7; 4000]).unwrap();
            }
            if turn % 3 == 2 {
                wal.truncate_prefix(EntryId::new(last - 20).unwrap()).unwrap();
            }
            last += 25;
            wal.close().unwrap();
        }
    }
}

/// The list would take too much of a segment.
#[test]
fn opening_a_closed_log_of_many_small_segments_reads_their_headers() {
    let (dir, counters) = log_of_segments(100);
    let open = cost(&counters, || {
        let wal = RawWalWriter::open(dir.clone(), segments()).unwrap();
        assert_eq!(wal.entry_count(), 1002);
    });
    assert_eq!((open.of(Operation::Open), open.syncs()), (101, 0));
    assert_eq!(open.bytes_read, 101 * 72 + LAST_BYTES);
}

#[test]
fn closing_a_log_that_is_durable_is_one_write() {
    for sealed in [0, 1] {
        let (dir, counters) = log_of_segments_of(4000, sealed);
        let mut wal = RawWalWriter::open(dir, segments_of(4000)).unwrap();
        wal.append(b"more").unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        let close = cost(&counters, || wal.close().unwrap());
        let bytes = if sealed > 0 { LIST_BYTES + 72 } else { CLOSE_BYTES };
        assert_eq!((close.syncs(), close.of(Operation::Write), close.bytes_written), (0, 1, bytes));
    }
}

#[test]
fn opening_a_closed_log_costs_the_same_whatever_the_last_segment_holds() {
    let open = |records: usize| {
        let (dir, counters) = counted();
        let mut wal = RawWalWriter::new(dir.clone(), WalOptions::new()).unwrap();
        for _ in 0..records {
            wal.append(&[7; 1000]).unwrap();
        }
        wal.close().unwrap();
        cost(&counters, || drop(RawWalWriter::open(dir, WalOptions::new()).unwrap()))
    };
    assert_eq!(open(10), open(20_000));
}

#[test]
fn opening_a_pruned_and_closed_log_reads_no_more() {
    let (dir, counters) = log_of_segments(20);
    let mut wal = RawWalWriter::open(dir.clone(), segments()).unwrap();
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    wal.append(&[7; 100]).unwrap();
    let (first, next) = (wal.first_entry_id(), wal.next_entry_id());
    wal.close().unwrap();
    let open = cost(&counters, || {
        let wal = RawWalWriter::open(dir, segments()).unwrap();
        assert_eq!((wal.first_entry_id(), wal.next_entry_id()), (first, next));
    });
    assert_eq!((open.bytes_read, open.syncs()), (72 + LAST_BYTES, 0));
}

#[test]
fn opening_after_a_kill_syncs_and_reads_the_last_segment_once() {
    let (dir, counters) = log_of_segments(100);
    let mut wal = RawWalWriter::open(dir.clone(), segments()).unwrap();
    wal.append(&[7; 100]).unwrap();
    drop(wal);
    let tail = "wal/00000065.WAL";
    counters.start_trace();
    let open = cost(&counters, || drop(RawWalWriter::open(dir.clone(), segments()).unwrap()));
    let trace = counters.take_trace();
    assert_eq!((open.of(Operation::SyncFile), open.of(Operation::SyncDir)), (1, 1));
    assert_eq!(open.of(Operation::Write), 0);
    assert!(of(&trace, Operation::SyncFile).all(|event| event.name == tail));
    let headers = 101 * 72;
    let look_for_close = 72 + LAST_BYTES;
    let frames = 3 * 116 + CLOSE_BYTES;
    assert_eq!(open.bytes_read, headers + look_for_close + frames);
    let large = of(&trace, Operation::Read).filter(|event| event.bytes > 72);
    assert!(large.into_iter().all(|event| event.name == tail));
}

fn of(trace: &[Event], operation: Operation) -> impl Iterator<Item = &Event> {
    trace.iter().filter(move |event| event.operation == operation)
}

#[test]
fn appends_flushes_and_syncs_allocate_nothing() {
    for size in SIZES {
        let record = vec![7; size];
        let (_folder, dir) = on_disk();
        let mut wal = RawWalWriter::new(dir, WalOptions::new()).unwrap();
        let none = spent(|| {
            for _ in 0..200 {
                wal.append(&record).unwrap();
            }
            wal.flush().unwrap();
            let _ = wal.flush_and_sync().unwrap();
            wal.append_batch(&[&record, &record]).unwrap();
        });
        assert_eq!(none, Allocations::default(), "records of {size} bytes");
    }
}

#[test]
fn typed_appends_allocate_nothing() {
    let (_folder, dir) = on_disk();
    let mut wal = WalWriter::<(u64, String), _>::new(dir, WalOptions::new()).unwrap();
    let entry = (7, "text".repeat(50));
    let none = spent(|| {
        for _ in 0..10_000 {
            wal.append(&entry).unwrap();
        }
        let _ = wal.flush_and_sync().unwrap();
        wal.append_batch([&entry, &entry]).unwrap();
    });
    assert_eq!(none, Allocations::default());
}

#[test]
fn going_on_with_a_log_allocates_with_the_file_and_not_with_its_entries() {
    let (_folder, dir) = on_disk();
    RawWalWriter::new(dir.clone(), WalOptions::new()).unwrap().close().unwrap();
    let mut wal = RawWalWriter::resume(dir, WalOptions::new()).unwrap();
    let first = spent(|| assert!(wal.append(&[7; 100]).is_ok()));
    assert!(first.bytes_peak < 1000, "the buffer came with opening, the file's name comes now");
    let none = spent(|| assert!(wal.append(&[7; 100]).is_ok()));
    assert_eq!(none, Allocations::default());
}

fn spent(work: impl FnOnce()) -> Allocations {
    allocations(work).1
}

/// A real folder: the directory in memory allocates for what is written to it.
fn on_disk() -> (TempDir, FsDirectory) {
    let folder = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(folder.path()).unwrap();
    (folder, dir)
}

#[test]
fn a_replayed_record_allocates_nothing() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), segments()).unwrap();
    for _ in 0..100 {
        wal.append(&[7; 100]).unwrap();
    }
    wal.append_batch(&[[7; 100]; 8]).unwrap();
    wal.close().unwrap();
    let mut reader = RawWalReader::open(dir, segments()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    // The first record brings the buffer with it.
    entries.next().unwrap().unwrap();
    let none = spent(|| {
        for _ in 0..9 {
            entries.next().unwrap().unwrap();
        }
    });
    assert_eq!(none, Allocations::default(), "within a segment");
    let (count, names) = allocations(|| {
        let mut count = 10;
        while entries.next().unwrap().is_some() {
            count += 1;
        }
        count
    });
    assert_eq!((count, names.calls), (108, 10), "a name for each file that is opened");
}

#[test]
fn entries_that_are_given_up_early_leave_their_memory_to_the_next() {
    let (dir, _) = log_of_segments(3);
    let mut reader = RawWalReader::open(dir, segments()).unwrap();
    let mut look = || {
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        entries.next().unwrap().unwrap();
    };
    let block = spent(&mut look).bytes_peak;
    let again = spent(look).bytes_peak;
    assert!(block > 100_000 && again < 1000, "{block}, then {again}");
}

#[test]
fn a_typed_replay_of_plain_numbers_allocates_nothing_for_each() {
    let replay = |entries: u64| {
        let dir = MemoryDirectory::new();
        let mut wal = WalWriter::<(u64, u32), _>::new(dir.clone(), WalOptions::new()).unwrap();
        for number in 0..entries {
            wal.append(&(number, 1)).unwrap();
        }
        wal.close().unwrap();
        let mut reader = WalReader::<(u64, u32), _>::open(dir, WalOptions::new()).unwrap();
        allocations(|| reader.replay_each(|_, _| Ok::<_, Error<MemoryError>>(())).unwrap()).1
    };
    assert_eq!(replay(10), replay(1000));
}

#[test]
fn memory_of_replay_and_resume_does_not_depend_on_the_log() {
    let peak = |records: usize| {
        let dir = MemoryDirectory::new();
        let options = WalOptions::new().segment_bytes(u64::from(u32::MAX));
        let mut wal = RawWalWriter::new(dir.clone(), options.clone()).unwrap();
        for _ in 0..records {
            wal.append(&[7; 1000]).unwrap();
        }
        drop(wal);
        let replay = spent(|| {
            let mut reader = RawWalReader::open(dir.clone(), options.clone()).unwrap();
            let mut entries = reader.entries(ReadMode::Strict).unwrap();
            while entries.next().unwrap().is_some() {}
        });
        let resume = spent(|| drop(RawWalWriter::resume(dir.clone(), options.clone()).unwrap()));
        (replay.bytes_peak, resume.bytes_peak)
    };
    let (small, large) = (peak(2_000), peak(32_000));
    assert_eq!(small, large);
    assert!(large.0 < 1 << 20 && large.1 < 2 << 20, "{large:?}");
}

/// A segment whose last record is torn: its header is lost, and its payload imitates frames, each of which verifies where it
/// stands and does not prove that anything was durable.
fn torn_record_of_look_alikes(bytes: usize) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), WalOptions::new().log_id(7)).unwrap();
    wal.append(b"whole").unwrap();
    wal.flush().unwrap();
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut file = dir.contents(name).unwrap();
    drop(wal);
    let salt = crc32c(crc32c(0, &7_u64.to_le_bytes()), &1_u32.to_le_bytes());
    file.extend_from_slice(&[0xA5; 16]);
    let end = file.len() + bytes;
    let mut position = 2_u32;
    while file.len() < end {
        let offset = u32::try_from(file.len()).unwrap();
        // A payload of no bytes: as many headers as there is room for.
        let fields = [[0; 4], position.to_le_bytes()].concat();
        let checksum = crc32c(salt ^ offset, &fields);
        file.extend_from_slice(&fields);
        file.extend_from_slice(&checksum.to_le_bytes());
        file.extend_from_slice(&[0x5A; 4]);
        position += 1;
    }
    dir.put(name, file);
    dir
}

#[test]
fn a_torn_record_of_look_alikes_is_read_as_often_however_long_it_is() {
    for bytes in [100 << 10, 1 << 20, 4 << 20] {
        let dir = FaultyDirectory::new(torn_record_of_look_alikes(bytes));
        let counters = dir.counters();
        let resume = cost(&counters, || {
            let wal = RawWalWriter::resume(dir, WalOptions::new()).unwrap();
            assert_eq!(wal.entry_count(), 1);
        });
        assert!(resume.bytes_read < 2 * bytes as u64 + 1000, "{} of {bytes}", resume.bytes_read);
    }
}
