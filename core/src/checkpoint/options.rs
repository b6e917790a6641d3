//! The options of checkpoints, checked once.

use crate::error::Error;
use crate::storage::{Capabilities, StoreError};

const UNIT: usize = 256;
const ALIGNMENT_MAX: u32 = 256;
/// One chunk is one piece of memory.
const CHUNK_BYTES_MAX: usize = 16 << 20;
const READ_BYTES_MAX: usize = 1 << 28;

/// How a checkpoint is written and read.
///
/// The values are checked when a checkpoint is created or opened: one outside of its range is
/// [`Error::BadOption`](crate::Error::BadOption), and nothing is touched.
///
/// ```
/// use durability_core::checkpoint::CheckpointOptions;
/// let small = CheckpointOptions::new().with_chunk_bytes(1024).with_checkpoint_bytes_max(1 << 20);
/// # let _ = small;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointOptions {
    chunk_bytes: usize,
    chunk_bytes_max: usize,
    read_bytes: usize,
    checkpoint_bytes_max: u64,
}

impl CheckpointOptions {
    /// The defaults: they suit a server.
    pub const fn new() -> Self {
        Self {
            chunk_bytes: 64 << 10,
            chunk_bytes_max: CHUNK_BYTES_MAX,
            read_bytes: 64 << 10,
            checkpoint_bytes_max: 1 << 40,
        }
    }

    /// Bytes of a chunk, and so the memory of the writer: 256 to 16 MiB, 64 KiB if not set. The same state gives the same
    /// file only under the same value.
    #[must_use]
    pub const fn with_chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// The largest chunk that a reader takes, and so its memory: 256 to 16 MiB, 16 MiB if not set.
    #[must_use]
    pub const fn with_chunk_bytes_max(mut self, bytes: usize) -> Self {
        self.chunk_bytes_max = bytes;
        self
    }

    /// Bytes of one read: 256 to 2^28, 64 KiB if not set.
    #[must_use]
    pub const fn with_read_bytes(mut self, bytes: usize) -> Self {
        self.read_bytes = bytes;
        self
    }

    /// The largest state in encoded bytes that is written or read, 1 TiB if not set.
    #[must_use]
    pub const fn with_checkpoint_bytes_max(mut self, bytes: u64) -> Self {
        self.checkpoint_bytes_max = bytes;
        self
    }

    pub(super) fn check<E: StoreError>(
        self,
        capabilities: Capabilities,
    ) -> Result<Checked, Error<E>> {
        let granule = capabilities.write_granule();
        range("write granule", granule as usize, 1, ALIGNMENT_MAX as usize)?;
        if !granule.is_power_of_two() {
            let (found, max) = (u64::from(granule), u64::from(ALIGNMENT_MAX));
            return Err(Error::BadOption { option: "write granule", found, min: 1, max });
        }
        range("chunk_bytes", self.chunk_bytes, UNIT, CHUNK_BYTES_MAX)?;
        range("chunk_bytes_max", self.chunk_bytes_max, UNIT, CHUNK_BYTES_MAX)?;
        range("read_bytes", self.read_bytes, UNIT, READ_BYTES_MAX)?;
        Ok(Checked {
            chunk_bytes: self.chunk_bytes,
            chunk_bytes_max: self.chunk_bytes_max,
            read_bytes: self.read_bytes,
            checkpoint_bytes_max: self.checkpoint_bytes_max,
            file_bytes_max: capabilities.file_bytes_max(),
            alignment: granule.max(4),
            granule,
        })
    }
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Options that hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub(super) chunk_bytes: usize,
    pub(super) chunk_bytes_max: usize,
    pub(super) read_bytes: usize,
    pub(super) checkpoint_bytes_max: u64,
    pub(super) file_bytes_max: u64,
    pub(super) alignment: u32,
    pub(super) granule: u32,
}

fn range<E: StoreError>(
    option: &'static str,
    found: usize,
    min: usize,
    max: usize,
) -> Result<(), Error<E>> {
    if (min..=max).contains(&found) {
        Ok(())
    } else {
        let (found, min, max) = (found as u64, min as u64, max as u64);
        Err(Error::BadOption { option, found, min, max })
    }
}
