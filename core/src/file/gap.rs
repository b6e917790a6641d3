//! Going on behind a file that ends within a unit of the alignment: what the gap is filled with.
//!
//! A write that was cut short may lack no more than the last few bytes of a frame. Must never fill the gap with just these: the frame would be
//! whole again, behind the back of whoever has found it torn.

use crate::bytes::frame::{Decoded, HEADER_BYTES};
use crate::error::Error;
use crate::storage::{ReadFile, StoreError};

use super::behind::RESUME_BYTES;
use super::frames::Frames;

/// The widest alignment, and so the largest gap.
const GAP_BYTES_MAX: usize = 256;

impl<R> Frames<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    /// The byte to fill the file with from its end to `end`, where the frame at `bad` is torn: neither this frame nor an earlier
    /// resume frame becomes whole by it.
    pub(crate) fn gap_fill(&mut self, bad: u64, end: u64) -> Result<u8, Error<R::Error>> {
        let file_end = self.len()?;
        let step = u64::from(self.codec().alignment());
        // A resume frame that the file's end cuts begins less than its length before.
        let resume_bytes = (HEADER_BYTES as u64).saturating_add(RESUME_BYTES.into());
        let from = file_end.saturating_add(1).saturating_sub(resume_bytes);
        let mut at = self.codec().align(from).max(bad.saturating_add(step));
        let mut whole = self.is_whole_with(bad, end, 0)?;
        while !whole && at < file_end {
            whole = self.is_whole_with(at, end, 0)?;
            at = at.saturating_add(step);
        }
        // What is whole with the one is not with the other: the checksums see to that.
        Ok(if whole { 0xFF } else { 0 })
    }

    /// Whether the frame at `at` ends within the gap, and is whole if the gap is filled with that byte.
    fn is_whole_with(&mut self, at: u64, end: u64, fill: u8) -> Result<bool, Error<R::Error>> {
        let (codec, file_end) = (self.codec(), self.len()?);
        let mut head = [fill; HEADER_BYTES];
        for (to, from) in head.iter_mut().zip(self.at(at, HEADER_BYTES)?) {
            *to = *from;
        }
        let Decoded::Frame(header) = codec.decode(at, &head) else { return Ok(false) };
        let mut offset = at.saturating_add(HEADER_BYTES as u64);
        let payload_end = offset.saturating_add(header.payload_bytes.into());
        if payload_end <= file_end || payload_end > end {
            return Ok(false);
        }
        let mut checksum = header.checksum;
        while offset < file_end {
            let bytes = self.at(offset, 1)?;
            if bytes.is_empty() {
                break;
            }
            checksum = codec.crc().update(checksum, bytes);
            offset = offset.saturating_add(bytes.len() as u64);
        }
        let missing = usize::try_from(payload_end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let gap = [fill; GAP_BYTES_MAX];
        let filled = codec.crc().update(checksum, gap.get(..missing).unwrap_or_default());
        Ok(filled == header.payload_checksum)
    }
}
