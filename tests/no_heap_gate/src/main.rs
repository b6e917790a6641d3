//! The no-heap gate: a program without any allocator that links `durability-core` without its feature `alloc`, and `durability-flash`, logs to flash, loses
//! its power, recovers, and exits 0 only if all went as it must.
//!
//! Must never have a global allocator: whatever asks for one does not link.
#![no_std]
#![no_main]
#![deny(unsafe_code)] // one exception, with its proofs: system.rs of the other gate

mod awaited;
mod chip;
#[path = "../../no_std_gate/src/system.rs"]
mod system;

use core::fmt::Display;

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::Name;
use durability_core::walog::{FixedWalReader, FixedWalWriter, WalOptions};
use durability_core::{EntryId, ReadMode};
use durability_flash::{FlashDirectory, FlashOptions};

use chip::Chip;
use system::{Stream, say};

type Directory = FlashDirectory<Chip, 8>;

const RECORDS: u64 = 2000;
const BUFFER_BYTES: usize = 512;

/// Runs the gate; called by the entry point.
fn run() -> u8 {
    match laws() {
        Ok(()) => {
            let bytes = size_of::<FixedWalWriter<'_, &Directory>>();
            say(
                Stream::Output,
                format_args!("no-heap gate: passed; a writer has {bytes} bytes and what is lent\n"),
            );
            0
        }
        Err(what) => {
            say(Stream::Error, format_args!("no-heap gate: {what}\n"));
            1
        }
    }
}

fn laws() -> Result<(), &'static str> {
    let mut chip = Chip::new();
    for life in 0..3 {
        let dir = mount(chip)?;
        logged(&dir, life).map_err(|error| told("the log", &error))?;
        recorded(&dir, life).map_err(|error| told("the record log", &error))?;
        chip = dir.into_flash();
    }
    let mut chip = Chip::new();
    for life in 0..3 {
        awaited::block_on(awaited::logged(&mut chip, life))
            .map_err(|error| told("the log that is awaited", &error))?;
    }
    Ok(())
}

fn mount(chip: Chip) -> Result<Directory, &'static str> {
    FlashDirectory::mount(chip, FlashOptions::new().slot_blocks(4))
        .map_err(|error| told("mounting", &error))
}

fn told(what: &'static str, error: &dyn Display) -> &'static str {
    say(Stream::Error, format_args!("no-heap gate: {what}: {error}\n"));
    what
}

type Failed = durability_core::Error<durability_flash::FlashError<chip::ChipError>>;

/// What the last life left is there, and more is appended, in segments of which the oldest go.
fn logged(dir: &Directory, life: u64) -> Result<(), Failed> {
    let mut buffer = [0; BUFFER_BYTES];
    let options = || WalOptions::new().compact_frames(true);
    let mut reader = FixedWalReader::open(dir, options(), ReadMode::BestEffort, &mut buffer)?;
    let mut last = None;
    while let Some(entry) = reader.next()? {
        assert_eq!(entry.payload, entry.id.get().to_le_bytes(), "what was appended");
        last = Some(entry.id.get());
    }
    drop(reader);
    assert_eq!(last, (life > 0).then_some(life * RECORDS), "all that was synced");
    let mut wal = FixedWalWriter::open(dir, options(), &mut buffer)?;
    for number in life * RECORDS + 1..=(life + 1) * RECORDS {
        assert_eq!(wal.append(&number.to_le_bytes())?.get(), number, "ids go on");
        if number % 100 == 0 {
            let durable = wal.flush_and_sync()?.through();
            assert_eq!(durable, EntryId::new(number), "what is durable");
            let keep = number.saturating_sub(1000).max(1);
            wal.truncate_prefix(EntryId::new(keep).unwrap_or(EntryId::FIRST))?;
            while dir.prepare().map_err(|_| Failed::Missing { file: name().into() })? {}
        }
    }
    // As a loss of power does: nothing is closed.
    core::mem::forget(wal);
    Ok(())
}

fn name() -> Name<'static> {
    match Name::new("EVENTS.LOG") {
        Ok(name) => name,
        Err(_) => unreachable!("a name"),
    }
}

/// One file of records that grows from life to life.
fn recorded(dir: &Directory, life: u64) -> Result<(), Failed> {
    let mut buffer = [0; BUFFER_BYTES];
    let options = RecordLogOptions::new;
    let mut log = RecordLogWriter::open_in(dir, name(), options(), &mut buffer)?;
    assert_eq!(log.last_record().map_or(0, EntryId::get), life, "one a life");
    log.append(&life.to_le_bytes())?;
    let _durable = log.flush_and_sync()?;
    core::mem::forget(log);
    let mut reader =
        RecordLogReader::open_in(dir, name(), ReadMode::Strict, options(), &mut buffer)?;
    let mut count = 0_u64;
    while let Some(record) = reader.next()? {
        assert_eq!(record.payload, count.to_le_bytes(), "record by record");
        count += 1;
    }
    assert_eq!(count, life + 1, "all of them");
    Ok(())
}
