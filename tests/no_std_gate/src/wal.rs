//! The write-ahead log without `std`: written, torn, recovered, gone on with.
//!
//! Must never look at more than the public API shows.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::error::Error;

use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalReader, WalWriter};
use durability_core::{Error as LogError, ReadMode};

use crate::check;

const DURABLE: u64 = 900;
const RECORDS: u64 = 1000;
/// Bytes that the crash takes: less than what is not durable, and not a whole number of frames.
const TORN: usize = 1013;

/// Small segments, so that the log rotates; a mark after each sync, as firmware would ask for.
fn options() -> WalOptions {
    WalOptions::new()
        .segment_bytes(16 << 10)
        .buffer_bytes(1 << 10)
        .read_bytes(1 << 10)
        .mark_after_sync(true)
}

pub(crate) fn raw_recovers_and_goes_on() -> Result<(), Box<dyn Error>> {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), options())?;
    for number in 1..=RECORDS {
        wal.append(record(number).as_bytes())?;
        if number == DURABLE {
            let durable = wal.flush_and_sync()?.through().map_or(0, |id| id.get());
            check("durable through", durable, DURABLE)?;
        }
    }
    check("more than one segment", wal.segments().count() > 1, true)?;
    drop(wal); // as a crash of the process does: what was flushed stays
    tear(&dir)?;

    let strict = replay(dir.clone(), ReadMode::Strict).err().ok_or("the torn tail is not seen")?;
    let torn =
        matches!(strict.downcast_ref::<LogError<MemoryError>>(), Some(LogError::TornTail { .. }));
    check("strict reading tells the torn tail", torn, true)?;
    let found = replay(dir.clone(), ReadMode::BestEffort)?;
    check("the durable prefix is there", (DURABLE..RECORDS).contains(&found), true)?;

    let mut wal = RawWalWriter::resume(dir.clone(), options())?;
    check("last after resume", wal.last_entry_id().map_or(0, |id| id.get()), found)?;
    let end = found + 100;
    for number in found + 1..=end {
        check("id after resume", wal.append(record(number).as_bytes())?.get(), number)?;
    }
    wal.close()?;
    check("replayed", replay(dir, ReadMode::Strict)?, end)
}

pub(crate) fn typed_recovers_and_goes_on() -> Result<(), Box<dyn Error>> {
    let dir = MemoryDirectory::new();
    let entry = |number| (number, record(number));
    let mut wal = WalWriter::<(u64, String), _>::open(dir.clone(), options())?;
    for number in 1..DURABLE {
        wal.append(&entry(number))?;
    }
    let _durable = wal.flush_and_sync()?;
    let batch: [(u64, String); 100] = core::array::from_fn(|index| entry(DURABLE + index as u64));
    wal.append_batch(&batch)?;
    drop(wal);
    tear(&dir)?;

    // The batch lost its end, so that nothing of it is there.
    let mut wal = WalWriter::<(u64, String), _>::resume(dir.clone(), options())?;
    check("a torn batch is absent", wal.next_entry_id().get(), DURABLE)?;
    wal.append(&entry(DURABLE))?;
    wal.close()?;
    let shared = alloc::sync::Arc::new(dir);
    let entries = WalReader::<(u64, String), _>::open(shared, options())?.replay()?;
    check("replayed", entries.len() as u64, DURABLE)?;
    for (index, (id, found)) in (1..).zip(&entries) {
        check("id", id.get(), index)?;
        check("entry", *found == entry(index), true)?;
    }
    Ok(())
}

fn record(number: u64) -> String {
    format!("record {number}, written without std")
}

/// Reads the log to its end, checks that it is the beginning of what was written, and counts it.
fn replay(dir: MemoryDirectory, mode: ReadMode) -> Result<u64, Box<dyn Error>> {
    let mut reader = RawWalReader::open(dir, options())?;
    let mut entries = reader.entries(mode)?;
    let mut count = 0;
    while let Some(entry) = entries.next()? {
        count += 1;
        check("id", entry.id.get(), count)?;
        check("record", entry.payload == record(count).as_bytes(), true)?;
    }
    Ok(count)
}

/// Cuts the last bytes of the last segment, and leaves zeros where the file had grown.
fn tear(dir: &MemoryDirectory) -> Result<(), Box<dyn Error>> {
    let files = dir.names();
    let last = files.iter().rfind(|file| file.ends_with(".WAL")).ok_or("no segment")?;
    let name = Name::new(last)?;
    let mut bytes = dir.contents(name).ok_or("the segment is gone")?;
    let kept = bytes.len().checked_sub(TORN).ok_or("the last segment is too short to tear")?;
    bytes.truncate(kept);
    bytes.resize(kept + 512, 0);
    dir.put(name, bytes);
    Ok(())
}
