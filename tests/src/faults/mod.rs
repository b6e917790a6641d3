//! A directory that counts what is done to it, and fails where it is told to.
//!
//! Must never change what a backend does as long as no fault is due.
//!
//! [`FaultyDirectory`] wraps any `Directory`; its [`Counters`] are a handle of their own, so that a test keeps them while
//! a log owns the directory.
//!
//! ```
//! use durability_core::embedded_io::Write as _;
//! use durability_core::storage::{AppendFile as _, Directory, MemoryDirectory, Name, StoreError as _};
//! use durability_testkit::faults::{Fault, FaultyDirectory, Operation};
//!
//! let dir = FaultyDirectory::new(MemoryDirectory::new());
//! let counters = dir.counters();
//! let mut file = dir.create(Name::new("wal/00000001.WAL")?, 0)?.ok_or("taken")?;
//!
//! // What does one durable append cost?
//! let before = counters.counts();
//! file.write(b"record")?;
//! file.sync_data()?;
//! let cost = counters.counts().since(&before);
//! assert_eq!((cost.of(Operation::Write), cost.of(Operation::SyncData)), (1, 1));
//! assert_eq!((cost.total(), cost.bytes_written), (2, 6));
//!
//! // What if the second write from here on finds the medium full?
//! counters.fail_nth(Operation::Write, 2, Fault::NoSpace);
//! file.write(b"record")?;
//! assert!(file.write(b"record").is_err_and(|error| error.is_no_space()));
//! assert_eq!(counters.fired(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod counters;
mod directory;
mod error;
mod operation;

pub use counters::Counters;
pub use directory::{FaultyAppender, FaultyDirectory, FaultyReader};
pub use error::FaultError;
pub use operation::{Counts, Event, Fault, Operation};
