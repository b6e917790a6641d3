//! The write-ahead log without a heap: raw records, in memory that the caller lends.
//!
//! The same files and rules as everywhere else; what needs a table of segments walks from header to header instead.

mod reader;
mod segments;
mod walk;
mod writer;

pub use reader::FixedWalReader;
pub use writer::FixedWalWriter;

use crate::bytes::frame::HEADER_BYTES;
use crate::bytes::header::SEGMENT_HEADER_BYTES;
use crate::error::Error;
use crate::storage::{Capabilities, StoreError};

use super::options::{Settings, WalOptions};

/// The least memory that can be lent.
const BUFFER_BYTES_MIN: usize = 256;

/// Checks options, with buffers of the memory that is lent.
fn settings<E: StoreError>(
    options: &WalOptions,
    capabilities: &Capabilities,
    buffer_bytes: usize,
) -> Result<Settings, Error<E>> {
    let usable = buffer_bytes - buffer_bytes % BUFFER_BYTES_MIN;
    let bytes = u32::try_from(usable).unwrap_or(u32::MAX).min(256 << 20);
    let mut settings: Settings =
        options.clone().buffer_bytes(bytes).read_bytes(bytes).check(capabilities)?;
    let unknown = |option, found| Err(Error::BadOption { option, found, min: 0, max: 0 });
    if settings.preallocate || settings.recycle {
        return unknown("preallocate", 1);
    }
    if settings.commit_alignment > 1 {
        return unknown("commit_alignment", settings.commit_alignment.into());
    }
    if let Some(age) = settings.segment_age_ms_max {
        return unknown("segment_age_ms_max", age);
    }
    // What is appended can be read again in the same memory.
    let longest = u32::try_from(settings.buffer_bytes - HEADER_BYTES).unwrap_or(u32::MAX);
    settings.append_bytes_max = settings.append_bytes_max.min(longest);
    Ok(settings)
}

const _: () = assert!(SEGMENT_HEADER_BYTES <= BUFFER_BYTES_MIN);
