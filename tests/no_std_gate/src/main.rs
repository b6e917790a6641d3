//! The `no_std` gate: a program without the standard library, a C library or an operating system's allocator, that
//! links `durability-core`, uses it, and exits 0 only if all went as it must.
//!
//! Must never depend on anything but `durability-core`. A dependency of that crate that drags `std` in makes this fail to
//! build, with its name; one that calls into a C library makes it fail to link.
#![no_std]
#![no_main]
#![deny(unsafe_code)] // one exception, with its proofs: system.rs

extern crate alloc;

mod system;

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt::Display;

use durability_core::embedded_io::{Read, Write};
use durability_core::storage::{AppendFile, Directory, MemoryDirectory, Name, ReadFile};

use system::{Stream, say};

/// Runs the gate; called by the entry point.
fn run() -> u8 {
    match write_and_read_back() {
        Ok(()) => {
            say(
                Stream::Output,
                format_args!("no_std gate: passed, {} bytes of heap\n", system::heap_used()),
            );
            0
        }
        Err(error) => {
            say(Stream::Error, format_args!("no_std gate: {error}\n"));
            1
        }
    }
}

fn write_and_read_back() -> Result<(), Box<dyn Error>> {
    const RECORD: &[u8] = b"written without std\n";
    const RECORDS: usize = 1000;

    let dir = MemoryDirectory::arc();
    let name = Name::new("wal/00000001.WAL")?;
    let mut appender = dir.create(name, 0)?.ok_or("a new directory has the name already")?;
    let mut checksum = 0;
    for _ in 0..RECORDS {
        let mut rest = RECORD;
        while !rest.is_empty() {
            let written = appender.write(rest)?;
            rest = rest.get(written..).filter(|_| written > 0).ok_or("a write of nothing")?;
        }
        checksum = durability_core::crc32c(checksum, RECORD);
    }
    appender.sync_data()?;
    dir.sync_dir(name.folder())?;
    drop(appender);

    let mut reader = dir.open(name)?.ok_or("the file that was written is not there")?;
    check("length", reader.len()?, (RECORD.len() * RECORDS) as u64)?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 333];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            count => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    check("bytes read", bytes.len(), RECORD.len() * RECORDS)?;
    check("checksum", durability_core::crc32c(0, &bytes), checksum)
}

fn check<T: PartialEq + Display + Copy>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), Box<dyn Error>> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected}, found {found}").into())
}
