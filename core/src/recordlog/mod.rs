//! A record log: one append-only file of byte records, numbered from 1.
//!
//! [`RecordLogWriter`] appends, [`RecordLogReader`] streams. The file is never rewritten: after a crash the log goes on behind
//! the torn tail, and a *resume* frame there tells readers which bytes are dead (FORMAT.md, "Where a record log ends").
//!
//! ```
//! use durability_core::ReadMode;
//! use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
//! use durability_core::storage::{MemoryDirectory, Name};
//! let dir = MemoryDirectory::new();
//! let path = Name::new("EVENTS.LOG")?;
//! let mut log = RecordLogWriter::create(dir.clone(), path, RecordLogOptions::new())?;
//! log.append(b"hello")?;
//! let durable = log.flush_and_sync()?;
//! assert_eq!(durable.through().map(u64::from), Some(1));
//! log.close()?;
//!
//! let mut reader = RecordLogReader::open(dir, path, ReadMode::Strict, RecordLogOptions::new())?;
//! while let Some(record) = reader.next()? {
//!     assert_eq!(record.payload, b"hello");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Use a write-ahead log instead where old records must go: a record log only grows, up to 4 GiB.

mod options;
mod reader;
mod resume;
mod scan;
mod writer;

pub use options::RecordLogOptions;
pub use reader::{Record, RecordLogReader, RecordLogReport};
pub use writer::RecordLogWriter;
