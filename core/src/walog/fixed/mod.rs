//! The write-ahead log without a heap: raw records, in memory that the caller lends.
//!
//! The same files and rules as everywhere else; what needs a table of segments walks from header to header instead.

mod account;
mod ahead;
mod find;
mod reader;
mod segments;
mod tail;
mod walk;
mod writer;

pub use reader::FixedWalReader;
pub use writer::FixedWalWriter;

use crate::bytes::frame::{Form, HEADER_BYTES};
use crate::bytes::header::SEGMENT_HEADER_BYTES;
use crate::error::Error;
use crate::storage::{Capabilities, Folder, FolderBuf, NameBuf, NameError, StoreError};

use super::name::{EXTENSION, LOCK, numbered};
use super::options::{Reading, WalOptions, file_bytes_max, trims_at};
use account::File;

/// The least memory that can be lent.
const BUFFER_BYTES_MIN: usize = 256;

/// The options after their check, as far as a log without a heap needs them for long.
#[derive(Debug)]
struct Settings {
    folder: Option<FolderBuf>,
    segment_bytes: u32,
    file_bytes_max: u32,
    segments_max: u32,
    batch_bytes_max: u32,
    batch_entries_max: u32,
    /// The longest record that is appended.
    append_bytes_max: u32,
    /// What of the memory is used, and the longest record that is read.
    reading: Reading,
    alignment: u32,
    form: Form,
    reopen: bool,
    mark_after_sync: bool,
}

/// Checks options, with buffers of the memory that is lent. The result goes to its place at once, which spares stack.
#[inline(never)]
fn settings<E: StoreError>(
    options: &WalOptions,
    capabilities: &Capabilities,
    memory_bytes: usize,
    settings: &mut Settings,
) -> Result<(), Error<E>> {
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
    *settings = Settings {
        folder: options.checked_folder()?,
        segment_bytes: small(options.full_at(capabilities)),
        // Frames end at multiples of the alignment: so nothing is refused that fits, and a sum that is cut off at 32 bits never does.
        file_bytes_max: small(file_bytes_max(capabilities)) & alignment.wrapping_neg(),
        segments_max: options.segments_max,
        batch_bytes_max: small(options.batch_bytes_max),
        batch_entries_max: options.batch_entries_max,
        append_bytes_max: options.longest_appended().min(longest),
        reading: Reading { read_bytes: buffer_bytes, record_bytes_max: options.longest_read() },
        alignment,
        form: options.form(),
        reopen: capabilities.reopen(),
        mark_after_sync: options.mark_after_sync,
    };
    Ok(())
}

impl Settings {
    /// Before the check.
    const NONE: Self = Self {
        folder: None,
        segment_bytes: 0,
        file_bytes_max: 0,
        segments_max: 0,
        batch_bytes_max: 0,
        batch_entries_max: 0,
        append_bytes_max: 0,
        reading: Reading { read_bytes: 0, record_bytes_max: 0 },
        alignment: 0,
        form: Form::Full,
        reopen: false,
        mark_after_sync: false,
    };

    fn folder(&self) -> Folder<'_> {
        self.folder.as_ref().map_or(Folder::WAL, FolderBuf::as_folder)
    }

    /// The name of a file. The check has tried the longest one.
    #[inline(never)]
    fn name(&self, file: File) -> Result<NameBuf, NameError> {
        let folder = self.folder();
        match file {
            File::Lock => NameBuf::join(folder, LOCK),
            File::Segment(number) => numbered(folder, number, EXTENSION),
        }
    }

    /// Bytes of a frame, with its padding. A payload is no longer than its limit, and the alignment a power of two.
    #[inline(never)]
    fn frame_bytes(&self, payload_bytes: usize) -> usize {
        let mask = (self.alignment as usize).wrapping_sub(1);
        payload_bytes.saturating_add(self.form.header_bytes()).saturating_add(mask) & !mask
    }

    /// Bytes of a segment's header, with its padding.
    fn header_bytes(&self) -> usize {
        let mask = (self.alignment as usize).wrapping_sub(1);
        SEGMENT_HEADER_BYTES.wrapping_add(mask) & !mask
    }

    /// See [`trims_at`].
    fn trims_at(&self, end: u32) -> bool {
        trims_at(self.segment_bytes.into(), end.into())
    }
}

/// A number that was checked to have 32 bits.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const _: () = assert!(SEGMENT_HEADER_BYTES <= BUFFER_BYTES_MIN);
