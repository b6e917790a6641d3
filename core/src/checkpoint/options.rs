//! The options of checkpoints, checked once.

use crate::error::Error;
use crate::storage::{Capabilities, StoreError};

const UNIT: u32 = 256;
const ALIGNMENT_MAX: u32 = 256;
/// One chunk is one piece of memory.
const CHUNK_BYTES_MAX: u32 = 16 << 20;
const READ_BYTES_MAX: u32 = 1 << 28;

/// How a checkpoint is written and read.
///
/// The values are checked when a checkpoint is created or opened: one outside of its range is
/// [`Error::BadOption`](crate::Error::BadOption), and nothing is touched.
///
/// ```
/// use durability_core::checkpoint::CheckpointOptions;
/// let small = CheckpointOptions::new().chunk_bytes(1024).checkpoint_bytes_max(1 << 20);
/// # let _ = small;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CheckpointOptions {
    chunk_bytes: u32,
    chunk_bytes_max: u32,
    read_bytes: u32,
    checkpoint_bytes_max: u64,
}

impl CheckpointOptions {
    /// The defaults: they suit a server.
    pub const fn new() -> Self {
        Self {
            chunk_bytes: 1 << 20,
            chunk_bytes_max: CHUNK_BYTES_MAX,
            read_bytes: 1 << 20,
            checkpoint_bytes_max: 1 << 40,
        }
    }

    /// Bytes of a chunk, and so the memory of the writer: 256 to 16 MiB, 1 MiB if not set. The same state gives the same
    /// file only under the same value.
    #[must_use]
    pub const fn chunk_bytes(mut self, bytes: u32) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// The largest chunk that a reader takes, and so its memory: 256 to 16 MiB, 16 MiB if not set.
    #[must_use]
    pub const fn chunk_bytes_max(mut self, bytes: u32) -> Self {
        self.chunk_bytes_max = bytes;
        self
    }

    /// Bytes of one read: 256 to 2^28, 1 MiB if not set.
    #[must_use]
    pub const fn read_bytes(mut self, bytes: u32) -> Self {
        self.read_bytes = bytes;
        self
    }

    /// The largest state in encoded bytes that is written or read, 1 TiB if not set.
    #[must_use]
    pub const fn checkpoint_bytes_max(mut self, bytes: u64) -> Self {
        self.checkpoint_bytes_max = bytes;
        self
    }

    pub(super) fn check<E: StoreError>(
        self,
        capabilities: Capabilities,
    ) -> Result<Checked, Error<E>> {
        let granule = capabilities.write_granule();
        range("write granule", granule, 1, ALIGNMENT_MAX)?;
        if !granule.is_power_of_two() {
            let (found, max) = (u64::from(granule), u64::from(ALIGNMENT_MAX));
            return Err(Error::BadOption { option: "write granule", found, min: 1, max });
        }
        range("chunk_bytes", self.chunk_bytes, UNIT, CHUNK_BYTES_MAX)?;
        range("chunk_bytes_max", self.chunk_bytes_max, UNIT, CHUNK_BYTES_MAX)?;
        range("read_bytes", self.read_bytes, UNIT, READ_BYTES_MAX)?;
        Ok(Checked {
            chunk_bytes: self.chunk_bytes as usize,
            chunk_bytes_max: self.chunk_bytes_max as usize,
            read_bytes: self.read_bytes as usize,
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
    found: u32,
    min: u32,
    max: u32,
) -> Result<(), Error<E>> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(Error::BadOption { option, found: found.into(), min: min.into(), max: max.into() })
}
