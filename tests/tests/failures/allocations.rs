//! An allocator that counts what each thread asks for, and the laws of memory that need it.
//!
//! Must never allocate on its own account.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use durability_core::ReadMode;
use durability_core::storage::MemoryDirectory;
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalReader, WalWriter};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static NOW: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn more(bytes: usize) {
    let now = NOW.get() + bytes as i64;
    CALLS.set(CALLS.get() + 1);
    NOW.set(now);
    PEAK.set(PEAK.get().max(now));
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells without destructors, which allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.set(NOW.get() - layout.size() as i64);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the work returns, and the most bytes that this thread held at a time beyond those before.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

/// How often this thread allocates.
fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

#[test]
fn appending_flushing_and_replaying_allocate_nothing_after_opening() {
    // The files live in memory as well: a first log makes room that a second one, of the same bytes, is written into.
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new()).unwrap();
    for _ in 0..20_000 {
        wal.append(&[1; 100]).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
    wal.append(&[1; 100]).unwrap();
    // Within the buffer nothing reaches the file.
    let count = allocations_of(|| {
        for _ in 0..1000 {
            wal.append(&[1; 100]).unwrap();
        }
    });
    assert_eq!(count, 0, "appending");
    // A flush and a sync write into the file, which may grow: once, for its own memory.
    let count = allocations_of(|| {
        wal.flush().unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    });
    assert!(count <= 1, "flushing: {count}");
    wal.close().unwrap();

    let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    entries.next().unwrap();
    let count = allocations_of(|| {
        for _ in 0..21_000 {
            assert_eq!(entries.next().unwrap().unwrap().payload, [1; 100]);
        }
        assert!(entries.next().unwrap().is_none());
    });
    assert_eq!(count, 0, "replaying");
}

#[test]
fn typed_entries_are_encoded_in_place() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<(u64, [u8; 32]), _>::open(dir.clone(), WalOptions::new()).unwrap();
    wal.append(&(0, [0; 32])).unwrap();
    let count = allocations_of(|| {
        for number in 1..1000 {
            wal.append(&(number, [7; 32])).unwrap();
        }
    });
    assert_eq!(count, 0, "appending");
    wal.close().unwrap();
    let mut reader = WalReader::<(u64, [u8; 32]), _>::open(dir, WalOptions::new()).unwrap();
    let (report, peak) =
        peak_of(|| reader.replay_each::<durability_core::Error<_>>(|_, _| Ok(())).unwrap());
    assert_eq!(report.entries, 1000);
    assert!(peak < 300 << 10, "{peak}");
}

#[test]
fn memory_of_opening_and_replaying_does_not_grow_with_the_log() {
    let options =
        || WalOptions::new().segment_bytes(64 << 10).buffer_bytes(16 << 10).read_bytes(16 << 10);
    let mut peaks = Vec::new();
    for count in [10_000, 100_000] {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        for _ in 0..count {
            wal.append(&[5; 60]).unwrap();
        }
        wal.close().unwrap();
        let segments = dir.names().len();
        let (wal, opening) = peak_of(|| RawWalWriter::open(dir.clone(), options()).unwrap());
        drop(wal);
        let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
        let (found, replaying) = peak_of(|| {
            let mut entries = reader.entries(ReadMode::Strict).unwrap();
            let mut found = 0;
            while entries.next().unwrap().is_some() {
                found += 1;
            }
            found
        });
        assert_eq!(found, count);
        // Both lists of segments may have grown by doubling; the directory copies names to list them.
        assert!(opening < (24 << 10) + segments * 600, "{opening} for {segments} segments");
        assert!(replaying < 20 << 10, "{replaying}");
        peaks.push(replaying);
    }
    assert_eq!(peaks[0], peaks[1]);
}
