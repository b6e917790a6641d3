//! The options of a record log, checked once.

use crate::bytes::frame::{HEADER_BYTES, PAYLOAD_BYTES_MAX};
use crate::error::Error;
use crate::storage::{Capabilities, StoreError};

/// Frame alignments that a header can express.
const ALIGNMENT_MIN: u32 = 4;
const ALIGNMENT_MAX: u32 = 256;
/// The buffer is whole granules of any backend.
const BUFFER_UNIT: u32 = 256;
const BUFFER_BYTES_MAX: u32 = 1 << 28;

/// How a record log is written and read.
///
/// The values are checked when a log is created, resumed or opened: one outside of its range is
/// [`Error::BadOption`](crate::Error::BadOption), and nothing is touched.
///
/// ```
/// use durability_core::recordlog::RecordLogOptions;
/// let small = RecordLogOptions::new().buffer_bytes(512).record_bytes_max(4096).mark_after_sync(true);
/// # let _ = small;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLogOptions {
    buffer_bytes: u32,
    read_bytes: u32,
    record_bytes_max: u32,
    alignment: Option<u32>,
    mark_after_sync: bool,
}

impl RecordLogOptions {
    /// The defaults: they suit a server.
    pub const fn new() -> Self {
        Self {
            buffer_bytes: 64 << 10,
            read_bytes: 256 << 10,
            record_bytes_max: 16 << 20,
            alignment: None,
            mark_after_sync: false,
        }
    }

    /// Bytes of the buffer in front of the file: 256 to 2^28, rounded up to a multiple of 256; 64 KiB if not set. Longer
    /// records go past it.
    #[must_use]
    pub const fn buffer_bytes(mut self, bytes: u32) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Bytes of one read: 256 to 2^28, 256 KiB if not set. A longer record is read whole.
    #[must_use]
    pub const fn read_bytes(mut self, bytes: u32) -> Self {
        self.read_bytes = bytes;
        self
    }

    /// The longest record that is written or read: 1 to 2^28 - 1 bytes, 16 MiB if not set. It bounds the memory
    /// of a reader.
    #[must_use]
    pub const fn record_bytes_max(mut self, bytes: u32) -> Self {
        self.record_bytes_max = bytes;
        self
    }

    /// Frames begin at multiples of this: a power of two, from 4 (or the backend's write granule, if that is more) to 256. The
    /// least of them if not set. Only a new log takes it; an existing one keeps its own.
    #[must_use]
    pub const fn alignment(mut self, bytes: u32) -> Self {
        self.alignment = Some(bytes);
        self
    }

    /// Whether every sync is followed by a small frame that vouches for it; off if not set.
    ///
    /// Damage to a durable record is told apart from a torn tail by a later frame that was written after the sync. Between a
    /// sync and the next append there is none: a rotten bit in the records of the *last* sync would then be taken for a
    /// torn tail. The mark closes this window, for one more `write` after each sync; it is not synced itself.
    #[must_use]
    pub const fn mark_after_sync(mut self, mark: bool) -> Self {
        self.mark_after_sync = mark;
        self
    }

    /// Checks everything against the ranges and the backend.
    pub(super) fn check<E: StoreError>(
        self,
        capabilities: Capabilities,
    ) -> Result<Checked, Error<E>> {
        let granule = capabilities.write_granule();
        power_of_two("write granule", granule, 1, ALIGNMENT_MAX)?;
        let alignment_min = granule.max(ALIGNMENT_MIN);
        let alignment = self.alignment.unwrap_or(alignment_min);
        power_of_two("alignment", alignment, alignment_min, ALIGNMENT_MAX)?;
        let buffer = self.buffer_bytes;
        range("buffer_bytes", buffer, BUFFER_UNIT, BUFFER_BYTES_MAX)?;
        range("read_bytes", self.read_bytes, BUFFER_UNIT, BUFFER_BYTES_MAX)?;
        let record_bytes_max = self.record_bytes_max;
        range("record_bytes_max", record_bytes_max, 1, PAYLOAD_BYTES_MAX)?;
        Ok(Checked {
            buffer_bytes: buffer.next_multiple_of(BUFFER_UNIT) as usize,
            read_bytes: self.read_bytes as usize,
            record_bytes_max,
            alignment,
            granule,
            file_bytes_max: capabilities.file_bytes_max().min(1 << 32),
            mark_after_sync: self.mark_after_sync,
        })
    }
}

impl Default for RecordLogOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Options that hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub(super) buffer_bytes: usize,
    pub(super) read_bytes: usize,
    pub(super) record_bytes_max: u32,
    pub(super) alignment: u32,
    pub(super) granule: u32,
    pub(super) file_bytes_max: u64,
    pub(super) mark_after_sync: bool,
}

impl Checked {
    /// With buffers of memory that is lent, in which a record that is appended can be read again.
    pub(super) fn lent<E: StoreError>(self, bytes: usize) -> Result<Self, Error<E>> {
        let usable = bytes - bytes % BUFFER_UNIT as usize;
        let found = u32::try_from(usable).unwrap_or(u32::MAX);
        range("buffer_bytes", found, BUFFER_UNIT, u32::MAX)?;
        let longest = u32::try_from(usable.saturating_sub(HEADER_BYTES)).unwrap_or(u32::MAX);
        let record_bytes_max = self.record_bytes_max.min(longest);
        Ok(Self { buffer_bytes: usable, read_bytes: usable, record_bytes_max, ..self })
    }

    /// An existing log has an alignment of its own; frames must still be whole granules.
    pub(super) fn check_existing<E: StoreError>(&self, alignment: u32) -> Result<(), Error<E>> {
        power_of_two("alignment", alignment, self.granule, ALIGNMENT_MAX)
    }
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

fn power_of_two<E: StoreError>(
    option: &'static str,
    found: u32,
    min: u32,
    max: u32,
) -> Result<(), Error<E>> {
    range(option, found, min, max)?;
    if found.is_power_of_two() {
        return Ok(());
    }
    Err(Error::BadOption { option, found: found.into(), min: min.into(), max: max.into() })
}
