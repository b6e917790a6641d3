//! The gap that a file has when a crash has cut it off between two multiples of the alignment, and what may be put there.
//!
//! A file that is continued in place is filled up to where the next frame begins. The frame that was cut off just there must not be made
//! whole by that: a record or a resume frame that was given up would come back to life.

use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES};
use crate::error::Error;
use crate::storage::{ReadFile, StoreError};

use super::frames::Frames;

/// What a gap may be filled with. One cut frame rules out one of them at most.
const FILLS: [u8; 4] = [0x00, 0xFF, 0x55, 0xAA];

/// The longest gap: below the greatest alignment.
const GAP_BYTES_MAX: usize = 256;

/// From the end of the file to the next multiple of the alignment.
#[derive(Debug)]
pub(super) struct Gap {
    start: u64,
    end: u64,
    allowed: [bool; FILLS.len()],
    /// Payload bytes that may still be read. An honest file has one frame that ends in the gap, and one resume frame.
    budget: u64,
}

impl Gap {
    pub(super) fn new(codec: Codec, file_bytes: u64) -> Self {
        let end = codec.align(file_bytes);
        Self { start: file_bytes, end, allowed: [true; FILLS.len()], budget: file_bytes }
    }

    /// What to fill it with.
    pub(super) fn fill(&self) -> u8 {
        let allowed = FILLS.into_iter().zip(self.allowed).find(|(_, allowed)| *allowed);
        allowed.map_or(0, |(fill, _)| fill)
    }
}

impl<R> Frames<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    /// Crosses out what would make a frame at `offset` whole, if all that it lacks lies in the gap.
    #[inline]
    pub(super) fn cross_out(&mut self, offset: u64, gap: &mut Gap) -> Result<(), Error<R::Error>> {
        if gap.start == gap.end {
            return Ok(());
        }
        self.cross_out_slowly(offset, gap)
    }

    #[cold]
    fn cross_out_slowly(&mut self, offset: u64, gap: &mut Gap) -> Result<(), Error<R::Error>> {
        let codec = self.codec();
        let payload_at = offset.saturating_add(HEADER_BYTES as u64);
        let mut payload_checksum = None;
        for (index, fill) in FILLS.into_iter().enumerate() {
            let mut head = [fill; HEADER_BYTES];
            for (to, from) in head.iter_mut().zip(self.at(offset, HEADER_BYTES)?) {
                *to = *from;
            }
            let Decoded::Frame(header) = codec.decode(offset, &head) else { continue };
            let payload_end = payload_at.saturating_add(header.payload_bytes.into());
            let missing = payload_end.saturating_sub(gap.start);
            if missing == 0 || payload_end > gap.end {
                continue;
            }
            let there = gap.start.saturating_sub(payload_at);
            let checksum = match payload_checksum {
                Some(checksum) if there > 0 => checksum,
                _ => {
                    let Some(budget) = gap.budget.checked_sub(there) else { return Ok(()) };
                    gap.budget = budget;
                    self.checksum(header.checksum, payload_at, there)?
                }
            };
            payload_checksum = Some(checksum);
            let missing = missing.min(header.payload_bytes.into());
            let filled = [fill; GAP_BYTES_MAX];
            let filled = filled.get(..usize::try_from(missing).unwrap_or(0)).unwrap_or_default();
            if codec.crc().update(checksum, filled) == header.payload_checksum
                && let Some(allowed) = gap.allowed.get_mut(index)
            {
                *allowed = false;
            }
        }
        Ok(())
    }
}
