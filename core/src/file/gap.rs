//! What the bytes may become that a frame lacks, because a crash has cut off the file or left room in their place.
//!
//! A file that is continued in place grows again: it is filled up to where the next frame begins, that frame is written, and a second crash may leave zeros
//! where the file grew. A frame that was given up must not be made whole by any of these: a record, or a resume frame, would come back to life.
//!
//! So the next frame does not stand within the extent that such a frame claims, unless that reaches far beyond it: then all of the
//! next frame, two checksums included, would have to be what the dead frame's payload was at that very place.

use heapless::Vec;

use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES, Header};

use super::frames::Frames;
use super::memory::Buffer;
use super::source::Source;

/// What a file may be filled with, up to the next multiple of the alignment. One cut frame rules out one of them at most.
const FILLS: [u8; 4] = [0x00, 0xFF, 0x55, 0xAA];

/// More than the greatest alignment, and a block of zeros at a time.
const BLOCK: usize = 256;

/// How much room is given up at most, to keep the next frame out of a dead one's extent. Many times the size of a resume frame.
const ROOM_MAX: u64 = 4096;

/// How many dead extents are remembered, the farthest. An honest file has one record and one resume frame that end behind the written bytes.
const CLAIMS: usize = 8;

/// What lies between the end of the file and where the next frame may begin.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) start: u64,
    /// The next frame begins here at the latest, if the file is written up to its end.
    end: u64,
    /// Ends of the payloads that verified headers claim.
    claims: Vec<u64, CLAIMS>,
    allowed: [bool; FILLS.len()],
    zeros_revive: bool,
    /// Bytes that may still be looked at. An honest file has one record and one resume frame that it cuts off.
    budget: u64,
}

impl Gap {
    pub(super) fn new(codec: Codec, file_bytes: u64, record_bytes_max: u32) -> Self {
        let (start, end) =
            (file_bytes, codec.align(codec.align(file_bytes).saturating_add(ROOM_MAX)));
        let budget =
            file_bytes.saturating_add(record_bytes_max.into()).saturating_add(8 * ROOM_MAX);
        let (claims, allowed) = (Vec::new(), [true; FILLS.len()]);
        Self { start, end, claims, allowed, zeros_revive: false, budget }
    }

    /// Remembers to where a dead frame's payload would reach.
    pub(super) fn claim(&mut self, payload_end: u64) {
        if self.claims.push(payload_end).is_err()
            && let Some(nearest) = self.claims.iter_mut().min()
        {
            *nearest = payload_end.max(*nearest);
        }
    }

    /// Where the next frame may begin, behind the written bytes.
    pub(super) fn next_frame(&self, codec: Codec, written_end: u64) -> u64 {
        let next = codec.align(written_end);
        if planted!(ResumedWithinClaim) {
            return next;
        }
        let near = |claim: &&u64| **claim <= next.saturating_add(ROOM_MAX);
        let clear =
            self.claims.iter().filter(near).fold(next, |next, claim| next.max(codec.align(*claim)));
        if self.zeros_revive {
            // There must be something to fill.
            return clear.max(codec.align(self.start.saturating_add(1)));
        }
        clear
    }

    /// What to fill it with.
    pub(super) fn fill(&self) -> u8 {
        let allowed = FILLS.into_iter().zip(self.allowed).find(|(_, allowed)| *allowed);
        allowed.map_or(0, |(fill, _)| fill)
    }

    /// Whether zeros behind the end of the file would make a frame whole that is not: the filling must be durable before anything follows it.
    pub(super) const fn zeros_revive(&self) -> bool {
        self.zeros_revive
    }

    /// Books bytes that are to be looked at. Out of budget, which only a file made for it is, the worst is taken for true.
    fn spend(&mut self, bytes: u64) -> bool {
        let left = self.budget.checked_sub(bytes);
        if left.is_none() {
            let [zeros, ..] = &mut self.allowed;
            (self.zeros_revive, *zeros) = (true, false);
        }
        self.budget = left.unwrap_or(0);
        left.is_some()
    }
}

impl<R, B> Frames<R, B>
where
    B: Buffer,
    R: Source,
{
    /// Finds out what would make the frame at `offset` whole, if the file cuts it off.
    #[cold]
    pub(super) fn judge_cut(&mut self, offset: u64, gap: &mut Gap) -> Result<(), R::Fault> {
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
            gap.claim(payload_end);
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
                // Beyond the gap, only zeros follow by themselves, and only other bytes before them keep the frame dead.
                if let Some(allowed) = gap.allowed.get_mut(index).filter(|_| in_gap || fill == 0) {
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
