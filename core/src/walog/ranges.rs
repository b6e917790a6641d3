//! What options may be, and the first value that is not.
//!
//! Without formatting, and without an error for each: on a small machine that is a kilobyte of code.

use crate::bytes::frame::{Form, HEADER_BYTES};
use crate::error::Error;
use crate::storage::StoreError;

/// What an option may be.
pub(super) struct Range {
    option: &'static str,
    min: u64,
    max: u64,
}

impl Range {
    const fn new(option: &'static str, min: u64, max: u64) -> Self {
        Self { option, min, max }
    }

    const fn up_to(option: &'static str, max: u32) -> Self {
        Self::new(option, 1, max as u64)
    }
}

pub(super) static SEGMENT_BYTES: Range = Range::new("segment_bytes", 128, u32::MAX as u64);
pub(super) static BUFFER_BYTES: Range = Range::new("buffer_bytes", 256, 256 << 20);
pub(super) static READ_BYTES: Range = Range::new("read_bytes", 256, 256 << 20);
pub(super) static FULL_RECORD_BYTES: Range =
    Range::up_to("record_bytes_max", Form::Full.payload_bytes_max());
pub(super) static COMPACT_RECORD_BYTES: Range =
    Range::up_to("record_bytes_max", Form::Compact.payload_bytes_max());
pub(super) static BATCH_BYTES: Range = Range::new("batch_bytes_max", HEADER_BYTES as u64, 2 << 30);
pub(super) static BATCH_ENTRIES: Range = Range::up_to("batch_entries_max", u32::MAX);
pub(super) static SEGMENTS: Range = Range::up_to("segments_max", u32::MAX);
pub(super) static FLUSH_POLICY: Range = Range::up_to("flush_policy", u32::MAX);
/// Ids must not run out within the life of anything.
pub(super) static FIRST_ID: Range = Range::new("first_id", 1, u64::MAX >> 1);

/// The first value that is none that its option may have. It is an error at the end of all: an error for each would be another kilobyte of code on a small machine.
pub(super) struct Bad {
    first: Option<(Range, u64)>,
}

impl Bad {
    pub(super) const fn none() -> Self {
        Self { first: None }
    }

    #[inline(never)]
    pub(super) fn unless_in(&mut self, range: &'static Range, found: u64) {
        let Range { option, min, max } = *range;
        self.unless(found >= min && found <= max, Range { option, min, max }, found);
    }

    #[inline(never)]
    pub(super) fn unless_power_of_two(
        &mut self,
        option: &'static str,
        found: u32,
        min: u32,
        max: u32,
    ) {
        let fits = found & found.wrapping_sub(1) == 0 && found >= min && found <= max;
        self.unless(fits, Range::new(option, min.into(), max.into()), found.into());
    }

    fn unless(&mut self, fits: bool, range: Range, found: u64) {
        if !fits && self.first.is_none() {
            self.first = Some((range, found));
        }
    }

    pub(super) fn end<E: StoreError>(self) -> Result<(), Error<E>> {
        match self.first {
            None => Ok(()),
            Some((Range { option, min, max }, found)) => {
                Err(Error::BadOption { option, found, min, max })
            }
        }
    }
}
