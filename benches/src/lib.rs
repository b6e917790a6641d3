//! What the benchmarks share: the records, the log under test, and a log written by hand to hold it against.
//!
//! Must never favour a side: both get the same records, the same folder, the same syncs, and nothing that only one of them
//! knows.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::missing_errors_doc,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "runs on a host with sizes that are known, and is never published"
)]

mod discard;
mod log;
#[cfg(unix)]
mod logs;
mod metered;
mod ours;
mod plain;
mod plain_checkpoint;
mod plain_reader;
mod plain_writer;
mod records;
#[cfg(unix)]
pub mod run;
mod scratch;
mod stopwatch;
mod tally;
mod workload;

pub use discard::{Discard, Discarded};
pub use log::{Committer, Kind, Log, Plan};
#[cfg(unix)]
pub use logs::{Framed, Group, Library, Mutexed, Pwrite, Stream, Streamed, ZEROS_PIECE_BYTES};
pub use metered::{Meter, Metered, MeteredAppender};
pub use ours::Ours;
pub use plain::Plain;
pub use plain_reader::{PlainReader, drop_cached};
pub use plain_writer::PlainWriter;
pub use records::Records;
pub use scratch::Scratch;
pub use stopwatch::{Stopwatch, Time};
pub use tally::{Counts, Tally};
pub use workload::{Failure, Setup, Workload};

/// The sizes of the records that are measured.
pub const RECORD_BYTES: [usize; 4] = [64, 256, 1 << 10, 16 << 10];
