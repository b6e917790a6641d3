//! What the bytes may become that a file lacks when a crash has cut it off within a frame.
//!
//! A file that is continued in place grows again: it is filled up to where the next frame begins, and a second crash may leave zeros
//! where it grew. A frame that was given up must not be made whole by either: a record, or a resume frame, would come back to life.

use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES, Header};
use crate::error::Error;
use crate::storage::{ReadFile, StoreError};

use super::frames::Frames;

/// What a file may be filled with, up to the next multiple of the alignment. One cut frame rules out one of them at most.
const FILLS: [u8; 4] = [0x00, 0xFF, 0x55, 0xAA];

/// More than the greatest alignment, and a block of zeros at a time.
const BLOCK: usize = 256;

/// The end of the file, and the next multiple of the alignment.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) start: u64,
    end: u64,
    allowed: [bool; FILLS.len()],
    zeros_revive: bool,
    /// Bytes that may still be looked at. An honest file has one record and one resume frame that it cuts off.
    budget: u64,
}

impl Gap {
    pub(super) fn new(codec: Codec, file_bytes: u64, record_bytes_max: u32) -> Self {
        let (start, end) = (file_bytes, codec.align(file_bytes));
        let budget = file_bytes.saturating_add(record_bytes_max.into()).saturating_add(64);
        Self { start, end, allowed: [true; FILLS.len()], zeros_revive: false, budget }
    }

    /// What to fill it with.
    pub(super) fn fill(&self) -> u8 {
        let allowed = FILLS.into_iter().zip(self.allowed).find(|(_, allowed)| *allowed);
        allowed.map_or(0, |(fill, _)| fill)
    }

    /// Whether zeros behind the end of the file would make a frame whole that is not.
    pub(super) const fn zeros_revive(&self) -> bool {
        self.zeros_revive
    }

    /// Books bytes that are to be looked at. Out of budget, which only a file made for it is, the worst is taken for true.
    fn spend(&mut self, bytes: u64) -> bool {
        match self.budget.checked_sub(bytes) {
            Some(budget) => self.budget = budget,
            None => self.zeros_revive = true,
        }
        !self.zeros_revive
    }
}

impl<R> Frames<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    /// Finds out what would make the frame at `offset` whole, if the file cuts it off.
    #[cold]
    pub(super) fn judge_cut(&mut self, offset: u64, gap: &mut Gap) -> Result<(), Error<R::Error>> {
        let mut there = [0; HEADER_BYTES];
        let bytes = self.at(offset, HEADER_BYTES)?;
        let there_bytes = bytes.len().min(HEADER_BYTES);
        for (to, from) in there.iter_mut().zip(bytes) {
            *to = *from;
        }
        let payload_at = offset.saturating_add(HEADER_BYTES as u64);
        let payload_there = gap.start.saturating_sub(payload_at);
        let mut seed = None;
        for (index, fill) in FILLS.into_iter().enumerate() {
            let mut head = there;
            head.get_mut(there_bytes..).unwrap_or_default().fill(fill);
            let Decoded::Frame(header) = self.codec().decode(offset, &head) else { continue };
            let payload_end = payload_at.saturating_add(header.payload_bytes.into());
            let in_gap = payload_end <= gap.end;
            if payload_end <= gap.start && there_bytes == HEADER_BYTES || !(in_gap || fill == 0) {
                continue;
            }
            let missing = u64::from(header.payload_bytes).saturating_sub(payload_there);
            let checksum = match seed {
                // The header is whole, so it is the same under every fill.
                Some(checksum) if there_bytes == HEADER_BYTES => checksum,
                _ if gap.spend(payload_there) => {
                    self.checksum(header.checksum, payload_at, payload_there)?
                }
                _ => return Ok(()),
            };
            seed = Some(checksum);
            if !gap.spend(missing) {
                return Ok(());
            }
            if self.is_completed_by(fill, missing, checksum, &header) {
                gap.zeros_revive |= fill == 0;
                if let Some(allowed) = gap.allowed.get_mut(index).filter(|_| in_gap) {
                    *allowed = false;
                }
            }
        }
        Ok(())
    }

    fn is_completed_by(&self, fill: u8, missing: u64, mut checksum: u32, header: &Header) -> bool {
        let (crc, block) = (self.codec().crc(), [fill; BLOCK]);
        let mut left = usize::try_from(missing).unwrap_or(usize::MAX);
        while left > 0 {
            let count = left.min(BLOCK);
            checksum = crc.update(checksum, block.get(..count).unwrap_or_default());
            left = left.saturating_sub(count);
        }
        checksum == header.payload_checksum
    }
}
