//! Checkpoints: snapshots of a state, in files that are complete or refused.
//!
//! A checkpoint is a header, chunks with a checksum each, and an end frame that fits them (FORMAT.md). It is written and read
//! as a stream, in the memory of one chunk, as raw bytes ([`CheckpointWriter::write_all`], [`CheckpointReader::read`]) or as postcard-encoded values
//! ([`put`](CheckpointWriter::put), [`take`](CheckpointReader::take)). The same state gives the same bytes.
//!
//! [`CheckpointStore`] keeps checkpoints under generation numbers in a folder, as recovery needs them.
//! [`write_checkpoint`] and [`read_checkpoint`] move a whole value to and from one file.
//!
//! ```
//! use durability_core::EntryId;
//! use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, read_checkpoint, write_checkpoint};
//! use durability_core::storage::{MemoryDirectory, Name};
//! let dir = MemoryDirectory::new();
//! let path = Name::new("STATE.CKP")?;
//! let meta = CheckpointMeta { log_id: 7, last_id: EntryId::new(120), tag: 0, segment: 1 };
//! let state = vec![("ada".to_string(), 36_u32), ("alan".to_string(), 41)];
//! write_checkpoint(&dir, path, meta, CheckpointOptions::new(), &state)?;
//!
//! let (found, back) = read_checkpoint::<Vec<(String, u32)>, _>(&dir, path, CheckpointOptions::new())?;
//! assert_eq!((found, back), (meta, state));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod encode;
mod options;
mod reader;
mod store;
mod stream;
mod tally;
mod whole;
mod writer;

pub use options::CheckpointOptions;
pub use reader::CheckpointReader;
pub use store::CheckpointStore;
pub use whole::{read_checkpoint, replace_checkpoint, write_checkpoint};
pub use writer::CheckpointWriter;

use crate::EntryId;
use crate::storage::{Name, NameBuf};

/// What a checkpoint says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CheckpointMeta {
    /// The log that the state was made of: recovery pairs only what belongs together.
    pub log_id: u64,
    /// The last entry that the state includes; `None` if it includes none.
    pub last_id: Option<EntryId>,
    /// The kind or schema of the state, chosen by the user.
    pub tag: u32,
    /// The log's tail segment when the checkpoint was begun; 0 if unknown. With it, recovery sees that a later truncation took back
    /// entries that the state includes.
    pub segment: u32,
}

/// A checkpoint that is complete: written and durable, or read to its end.
#[must_use = "it is the proof that the checkpoint counts"]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CheckpointSummary {
    file: NameBuf,
    meta: CheckpointMeta,
    bytes: u64,
    chunks: u32,
}

impl CheckpointSummary {
    /// The file.
    pub fn path(&self) -> Name<'_> {
        self.file.as_name()
    }

    /// What its header says.
    pub const fn meta(&self) -> CheckpointMeta {
        self.meta
    }

    /// Bytes of the state, as encoded.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Chunks that hold them.
    pub const fn chunks(&self) -> u32 {
        self.chunks
    }
}
