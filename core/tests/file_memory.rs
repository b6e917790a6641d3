//! Memory of record logs and checkpoints: bounded by the buffers, whatever the files hold or claim.
//!
//! One test, so that no other allocates beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host
#![allow(clippy::cast_possible_truncation)] // all sizes here are small

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};
use durability_core::{Error, ReadMode};

/// Counts what is allocated.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Checkpoints through buffers that are small beside their states.
const SMALL: CheckpointOptions =
    CheckpointOptions::new().chunk_bytes(64 << 10).read_bytes(64 << 10);

/// The most bytes that were allocated at a time beyond those before, and the number of allocations.
fn measure<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let (before, calls) = (NOW.load(Ordering::Relaxed), CALLS.load(Ordering::Relaxed));
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    (result, peak, CALLS.load(Ordering::Relaxed) - calls)
}

#[test]
fn memory_is_bounded_by_the_buffers() {
    let dir = MemoryDirectory::new();
    let log_path = Name::new("EVENTS.LOG").unwrap();
    let options = RecordLogOptions::new();
    let mut log = RecordLogWriter::create(&dir, log_path, options).unwrap();
    // The file lives in memory too: a first round makes it grow, so that the second finds room.
    for _ in 0..40_000 {
        log.append(&[5; 100]).unwrap();
    }
    log.close().unwrap();

    let (log, peak, _) = measure(|| RecordLogWriter::resume(&dir, log_path, options).unwrap());
    assert!(peak < 600 << 10, "resuming took {peak} bytes");
    drop(log);
    let mut reader = RecordLogReader::open(&dir, log_path, ReadMode::Strict, options).unwrap();
    reader.next().unwrap();
    let (count, _, calls) = measure(|| {
        let mut count = 1;
        while reader.next().unwrap().is_some() {
            count += 1;
        }
        count
    });
    assert_eq!((count, calls), (40_000, 0), "reading allocates nothing");

    // One long record takes its memory while it is shown, and no longer.
    let long_path = Name::new("LONG.LOG").unwrap();
    let mut log = RecordLogWriter::create(&dir, long_path, options).unwrap();
    log.append(&vec![5; 6 << 20]).unwrap();
    for _ in 0..20_000 {
        log.append(&[5; 100]).unwrap();
    }
    log.close().unwrap();
    let before = NOW.load(Ordering::Relaxed);
    let mut reader = RecordLogReader::open(&dir, long_path, ReadMode::Strict, options).unwrap();
    let held = || NOW.load(Ordering::Relaxed) - before;
    assert_eq!(reader.next().unwrap().unwrap().payload.len(), 6 << 20);
    assert!(held() > 6 << 20);
    for _ in 0..15_000 {
        assert!(reader.next().unwrap().is_some());
    }
    assert!(held() < 600 << 10, "{} bytes are kept", held());
    drop(reader);

    let path = Name::new("STATE.CKP").unwrap();
    let write = |writer: &mut CheckpointWriter<&MemoryDirectory>| {
        for n in 0..200_000_u64 {
            writer.put(&(n, "some text")).unwrap();
        }
    };
    let mut writer =
        CheckpointWriter::create(&dir, path, CheckpointMeta::default(), SMALL).unwrap();
    write(&mut writer);
    let bytes = writer.finish().unwrap().bytes();
    assert!(bytes > 2 << 20);
    let ((), peak, _) = measure(|| {
        let mut reader = CheckpointReader::open(&dir, path, SMALL).unwrap();
        for n in 0..200_000_u64 {
            assert_eq!(reader.take::<(u64, String)>().unwrap().0, n);
        }
        let _ = reader.finish().unwrap();
    });
    assert!(peak < 300 << 10, "reading a checkpoint took {peak} bytes");

    // A file of 2 MiB whose state claims to be one string of 1.9 GiB, and of nearly all that is there.
    for claim in [[0x80, 0x80, 0x80, 0x80, 0x07], [0xFF, 0xFF, 0xFF, 0xFF, 0x00]] {
        let path = Name::new("LIES.CKP").unwrap();
        let mut writer =
            CheckpointWriter::replace(&dir, path, CheckpointMeta::default(), SMALL).unwrap();
        writer.write_all(&claim).unwrap();
        writer.write_all(&vec![b'x'; 2 << 20]).unwrap();
        let _ = writer.finish().unwrap();
        let (refused, peak, _) = measure(|| {
            let mut reader = CheckpointReader::open(&dir, path, SMALL).unwrap();
            reader.take::<String>().unwrap_err()
        });
        assert!(matches!(refused, Error::Decode { .. }));
        assert!(peak < 300 << 10, "a claim took {peak} bytes");
    }
    // Preallocated room makes the file long; only verified bytes count.
    let path = Name::new("LIES.CKP").unwrap();
    let mut bytes = dir.contents(path).unwrap();
    bytes.resize(300 << 20, 0);
    bytes[48 + 16..][..5].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x01]);
    let chunk = 48 + 16;
    let header = u32::from_le_bytes(bytes[chunk - 8..chunk - 4].try_into().unwrap());
    let checksum = durability_core::crc32c(header, &bytes[chunk..chunk + (64 << 10)]);
    bytes[chunk - 4..chunk].copy_from_slice(&checksum.to_le_bytes());
    dir.put(path, bytes);
    let (refused, peak, _) = measure(|| {
        let mut reader = CheckpointReader::open(&dir, path, SMALL).unwrap();
        reader.take::<String>().unwrap_err()
    });
    assert!(matches!(refused, Error::Corrupt(_)), "{refused}");
    assert!(peak < 8 << 20, "a claim took {peak} bytes");
}
