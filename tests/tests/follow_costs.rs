//! What following a log costs: allocations, reads and memory, counted.
//!
//! No times: these hold on every machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host

use durability::storage::FsDirectory;
use durability_core::EntryId;
use durability_core::storage::{Directory, MemoryDirectory};
use durability_core::walog::{RawFollower, RawWalWriter, Reach, WalOptions};
use durability_testkit::allocations::{CountingAllocator, allocations};
use durability_testkit::faults::{FaultyDirectory, Operation};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn follow<D: Directory>(dir: D, options: WalOptions, reach: Reach) -> RawFollower<D> {
    RawFollower::new(dir, options, EntryId::FIRST, reach).unwrap()
}

#[test]
fn a_followed_entry_allocates_nothing_and_neither_does_a_look_for_nothing() {
    for reach in [Reach::Written, Reach::Durable] {
        let dir = MemoryDirectory::new();
        let options = WalOptions::new().mark_after_sync(true);
        let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
        let mut follower = follow(&dir, options, reach);
        let mut next = 1;
        let mut round = |count: u64| {
            for _ in 0..count {
                wal.append(&[7; 200]).unwrap();
            }
            let _durable = wal.flush_and_sync().unwrap();
            let ((), cost) = allocations(|| {
                while let Some(entry) = follower.next().unwrap() {
                    assert_eq!(entry.id, next);
                    next += 1;
                }
                for _ in 0..3 {
                    assert!(follower.next().unwrap().is_none());
                }
            });
            cost.calls
        };
        round(1);
        for count in [1, 10, 10_000, 1] {
            assert_eq!(round(count), 0, "{reach:?}");
        }
        assert_eq!(next, 10_014);
    }
}

#[test]
fn looks_for_nothing_read_sixteen_bytes_and_seldom_list_the_folder() {
    for (reach, preallocate) in [(Reach::Written, false), (Reach::Durable, true)] {
        let dir = FaultyDirectory::new(MemoryDirectory::new());
        let counters = dir.counters();
        let options = WalOptions::new().preallocate(preallocate).segment_bytes(64 << 10);
        let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
        for _ in 0..2_000 {
            wal.append(&[7; 100]).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        wal.append(&[7; 100]).unwrap();
        wal.flush().unwrap();
        let mut follower = follow(dir, options, reach);
        while follower.next().unwrap().is_some() {}
        for _ in 0..64 {
            assert!(follower.next().unwrap().is_none());
        }
        let before = counters.counts();
        for _ in 0..1_024 {
            assert!(follower.next().unwrap().is_none());
        }
        let cost = counters.counts().since(&before);
        assert_eq!(cost.of(Operation::List), 32, "{cost:?}");
        // The next segment's name, and now and then this one's.
        assert!(cost.of(Operation::Open) <= 1_024 + 64, "{cost:?}");
        // At intervals that double, what is not proved durable is read again.
        assert!(cost.bytes_read < 1_024 * 16 + 32 * 72 + 5 * (256 << 10), "{cost:?}");
        // Who knows that there is nothing does not even ask.
        let before = counters.counts();
        let last = wal.last_entry_id().unwrap();
        assert!(reach == Reach::Durable || follower.next_through(last).unwrap().is_none());
        assert!(reach == Reach::Written || follower.next_through(last).unwrap().is_some());
        assert!(follower.next_through(last).unwrap().is_none());
        assert!(counters.counts().since(&before).bytes_read < 300 << 10);
    }
}

#[test]
fn each_byte_of_a_growing_batch_is_looked_at_twice_and_not_once_for_each_look() {
    let dir = FaultyDirectory::new(MemoryDirectory::new());
    let counters = dir.counters();
    let options = WalOptions::new().buffer_bytes(4 << 10).read_bytes(4 << 10);
    let mut wal = RawWalWriter::open(dir.inner().clone(), options.clone()).unwrap();
    wal.append_batch(&vec![[7; 1_000]; 4_000]).unwrap();
    wal.close().unwrap();
    let name = durability_core::storage::Name::new("wal/00000001.WAL").unwrap();
    let bytes = dir.inner().contents(name).unwrap();
    dir.inner().remove(name).unwrap();
    let mut file = dir.inner().create(name, 0).unwrap().unwrap();
    let mut follower = follow(dir, options, Reach::Written);
    let mut shown = 0;
    for piece in bytes.chunks(4 << 10) {
        durability_core::embedded_io::Write::write_all(&mut file, piece).unwrap();
        while follower.next().unwrap().is_some() {
            shown += 1;
        }
    }
    assert_eq!(shown, 4_000);
    let read = counters.counts().bytes_read;
    assert!(read < 4 * bytes.len() as u64, "{read} of {}", bytes.len());
}

#[test]
fn memory_does_not_grow_with_the_log_and_every_byte_is_read_about_once() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = FaultyDirectory::new(FsDirectory::new(scratch.path()).unwrap());
    let counters = dir.counters();
    let options = WalOptions::new().segment_bytes(1 << 20);
    let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
    let count = 48_u64 << 10;
    for _ in 0..count {
        wal.append(&[7; 1_000]).unwrap();
    }
    wal.close().unwrap();
    for reach in [Reach::Written, Reach::Durable] {
        let before = counters.counts();
        let (shown, cost) = allocations(|| {
            let mut follower = follow(dir.clone(), options.clone(), reach);
            let mut shown = 0;
            while follower.next().unwrap().is_some() {
                shown += 1;
            }
            shown
        });
        assert_eq!(shown, count);
        // A window grows to sixteen blocks of 256 KiB at most, whatever is in the log.
        assert!(cost.bytes_peak < 17 * (256 << 10), "{cost:?}");
        let read = counters.counts().since(&before).bytes_read;
        let written = 1_016 * count;
        assert!(read < written + written / 10, "{read} of {written}");
    }
}
