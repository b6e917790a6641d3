//! The write-ahead log without a heap: raw records, in memory that the caller lends.
//!
//! The same files and rules as everywhere else; what needs a table of segments walks from header to header instead.

mod account;
mod ahead;
mod find;
mod reader;
mod segments;
mod walk;
mod writer;

pub use reader::FixedWalReader;
pub use writer::FixedWalWriter;

use crate::EntryId;
use crate::bytes::frame::{Form, HEADER_BYTES};
use crate::bytes::header::SEGMENT_HEADER_BYTES;
use crate::error::Error;
use crate::storage::{Capabilities, FolderBuf, StoreError};

use super::options::{Reading, WalOptions, file_bytes_max, header_bytes};

/// The least memory that can be lent.
const BUFFER_BYTES_MIN: usize = 256;

/// The options after their check, as far as a log without a heap needs them for long.
#[derive(Debug)]
struct Settings {
    folder: FolderBuf,
    segment_bytes: u32,
    file_bytes_max: u32,
    header_bytes: u32,
    segments_max: u32,
    batch_bytes_max: u32,
    batch_entries_max: u32,
    /// The longest record that is appended.
    append_bytes_max: u32,
    reading: Reading,
    /// Bytes of the memory that are used.
    buffer_bytes: usize,
    granule: u32,
    alignment: u32,
    form: Form,
    reopen: bool,
    mark_after_sync: bool,
}

/// What a log begins with.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    first_id: EntryId,
    log_id: Option<u64>,
}

/// Checks options, with buffers of the memory that is lent.
#[inline(never)]
fn settings<E: StoreError>(
    options: &WalOptions,
    capabilities: &Capabilities,
    memory_bytes: usize,
) -> Result<(Settings, Beginning), Error<E>> {
    let usable = memory_bytes & !(BUFFER_BYTES_MIN - 1);
    let bytes = u32::try_from(usable).unwrap_or(u32::MAX).min(256 << 20);
    options.check_ranges(capabilities, [bytes; 2])?;
    let without_heap = if options.preallocate {
        Some(("preallocate", 1))
    } else if options.commit_alignment > 1 {
        Some(("commit_alignment", options.commit_alignment.into()))
    } else {
        options.segment_age_ms_max.map(|age| ("segment_age_ms_max", age))
    };
    if let Some((option, found)) = without_heap {
        return Err(Error::BadOption { option, found, min: 0, max: 0 });
    }
    let alignment = options.aligned_to(capabilities);
    let buffer_bytes = bytes as usize;
    // What is appended can be read again in the same memory.
    let longest = small(buffer_bytes.wrapping_sub(HEADER_BYTES) as u64);
    let settings = Settings {
        folder: options.checked_folder()?,
        segment_bytes: small(options.full_at(capabilities)),
        file_bytes_max: small(file_bytes_max(capabilities)),
        header_bytes: small(header_bytes(alignment)),
        segments_max: options.segments_max,
        batch_bytes_max: small(options.batch_bytes_max),
        batch_entries_max: options.batch_entries_max,
        append_bytes_max: options.longest_appended().min(longest),
        reading: Reading { read_bytes: buffer_bytes, record_bytes_max: options.longest_read() },
        buffer_bytes,
        granule: capabilities.write_granule(),
        alignment,
        form: options.form(),
        reopen: capabilities.reopen(),
        mark_after_sync: options.mark_after_sync,
    };
    Ok((settings, Beginning { first_id: options.first_id, log_id: options.log_id }))
}

/// A number that was checked to have 32 bits.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const _: () = assert!(SEGMENT_HEADER_BYTES <= BUFFER_BYTES_MIN);
