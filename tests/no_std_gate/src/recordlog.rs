//! The record log without `std`: written, torn, gone on with in the same file.
//!
//! Must never look at more than the public API shows.

use alloc::boxed::Box;
use core::error::Error;

use durability_core::ReadMode;
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{MemoryDirectory, Name};

use crate::check;

pub(crate) fn a_torn_record_log_goes_on() -> Result<(), Box<dyn Error>> {
    let (dir, options) = (MemoryDirectory::new(), RecordLogOptions::new());
    let path = Name::new("EVENTS.LOG")?;
    let mut log = RecordLogWriter::create(&dir, path, options)?;
    for record in [b"one", b"two"] {
        log.append(record)?;
    }
    drop(log);
    let mut bytes = dir.contents(path).ok_or("the log is not there")?;
    bytes.truncate(bytes.len().saturating_sub(2));
    dir.put(path, bytes);

    let mut log = RecordLogWriter::resume(&dir, path, options)?;
    check("number after resume", log.append(b"new")?.get(), 2)?;
    log.close()?;
    let mut reader = RecordLogReader::open(&dir, path, ReadMode::Strict, options)?;
    check("records", reader.collect()? == [b"one", b"new"], true)?;
    check("dead bytes are told", reader.report().dead_bytes > 0, true)
}
