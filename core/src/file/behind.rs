//! What lies behind a bad frame of a file that is *continued in place* after a crash, as record logs are.
//!
//! There the dead bytes of one run are followed by the frames of the next, so the extent that a dead header claims may reach
//! far into frames that live: a record of 1 MiB, torn after 4 KiB, has the resume frame and all that follows inside
//! of it. So, unlike [`search`](super::search), nothing is passed over unread:
//!
//! - every multiple of the alignment is a candidate;
//! - a *resume* frame counts if header and payload verify and it names the bad frame. It settles the matter, whatever lies before
//!   it: whoever wrote it had searched all of that, and what is written behind it must never be locked out;
//! - without one, a *synced* header is proof of damage, but inside the extent of another header that verifies (the place where a
//!   payload may imitate frames) its payload must verify too.
//!
//! Must never be taken in by a resume frame whose header survived a crash and whose payload did not.

use crate::bytes::control::Control;
use crate::bytes::field::is_blank;
use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES, Header};

use super::frames::{Bad, Cursor, Frames};
use super::gap::Gap;
use super::memory::Buffer;
use super::search::{STRIDE, blank_leap, may_follow};
use super::source::Source;

/// Bytes in the payload of a resume frame.
pub(crate) const RESUME_BYTES: u32 = 8;

/// What lies behind a bad frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InPlace {
    /// A resume frame takes the log up again; the cursor stands behind it.
    Resumed {
        /// From the bad frame to the resume frame.
        dead_bytes: u64,
    },
    /// What was at the bad frame had been durable.
    Damaged,
    /// Nothing: the log ends at the bad frame.
    End {
        /// Behind the last byte that is not room: the bad frame's offset if there is none.
        written_end: u64,
        /// Where the next frame may begin: clear of what the dead ones claim.
        next_frame: u64,
        /// What to fill the file with up to there.
        fill: u8,
        /// Zeros behind the end of the file would make a frame whole that is not: the filling must be durable before anything follows it.
        zeros_revive: bool,
    },
}

/// What a candidate tells.
enum Candidate {
    /// The resume frame.
    Resume,
    /// A whole frame: go on behind it.
    Frame,
    /// A header that verifies; its payload may be anything.
    Header,
    /// No frame.
    Nothing,
}

/// The state of one search.
struct Place {
    bad: Bad,
    position: u32,
    /// Below this, candidates lie inside of a frame whose header verifies.
    covered: u64,
    /// There is proof that what is at the bad frame had been durable.
    damaged: bool,
    /// Payload bytes that may still be judged in vain. Honest files never use it up; hostile ones make the search no more
    /// than linear.
    budget: u64,
}

impl<R, B> Frames<R, B>
where
    B: Buffer,
    R: Source,
{
    /// Decides what a bad frame is.
    pub(crate) fn behind(&mut self, bad: Bad) -> Result<InPlace, R::Fault> {
        let step = u64::from(self.codec().alignment());
        let mut place = Place {
            bad,
            position: self.cursor().position,
            covered: bad.search_from,
            damaged: false,
            budget: self.len()?,
        };
        let mut gap = Gap::new(self.codec(), self.len()?, self.record_bytes_max());
        self.judge_cut(bad.offset, &mut gap)?;
        let mut offset = bad.offset.saturating_add(step);
        loop {
            let codec = self.codec();
            let bytes = self.at(offset, STRIDE)?;
            if bytes.is_empty() && place.damaged {
                return Ok(InPlace::Damaged);
            }
            if bytes.is_empty() {
                let written_end = self.written_end(bad.offset)?;
                let next_frame = gap.next_frame(codec, written_end);
                let (fill, zeros_revive) = (gap.fill(), gap.zeros_revive());
                return Ok(InPlace::End { written_end, next_frame, fill, zeros_revive });
            }
            if is_blank(bytes.get(..STRIDE).unwrap_or(bytes)) {
                offset = offset.saturating_add(blank_leap(step));
                continue;
            }
            let header = plausible(codec, bytes, offset, &place);
            let is_cut = header.map_or(bytes.len() < HEADER_BYTES, |header| {
                let end = offset.saturating_add(codec.frame_bytes(header.payload_bytes.into()));
                end > gap.start
            });
            if is_cut {
                self.judge_cut(offset, &mut gap)?;
            }
            let Some(header) = header else {
                offset = offset.saturating_add(step);
                continue;
            };
            let payload_at = offset.saturating_add(HEADER_BYTES as u64);
            gap.claim(payload_at.saturating_add(header.payload_bytes.into()));
            let frame_end = offset.saturating_add(codec.frame_bytes(header.payload_bytes.into()));
            match self.judge(offset, &header, &mut place)? {
                Candidate::Resume => {
                    self.set_cursor(Cursor {
                        offset: frame_end,
                        position: header.position,
                        checksum: header.payload_checksum,
                    });
                    let dead_bytes = offset.saturating_sub(bad.offset);
                    return Ok(InPlace::Resumed { dead_bytes });
                }
                Candidate::Frame => {
                    place.covered = frame_end;
                    offset = frame_end;
                }
                Candidate::Header => {
                    place.covered = place.covered.max(frame_end);
                    offset = offset.saturating_add(step);
                }
                Candidate::Nothing => offset = offset.saturating_add(step),
            }
        }
    }

    fn judge(
        &mut self,
        offset: u64,
        header: &Header,
        place: &mut Place,
    ) -> Result<Candidate, R::Fault> {
        let resume_like = header.flags.control && header.payload_bytes == RESUME_BYTES;
        if resume_like {
            // Written behind a torn tail, so its own payload may be torn: a header alone says nothing.
            let payload = self.payload(offset, RESUME_BYTES as usize);
            if payload.is_empty() || !self.codec().verify(header, payload) {
                return Ok(Candidate::Nothing);
            }
            let control = Control::decode(payload);
            if let Ok(Control::Resume { dead_from }) = control
                && u64::from(dead_from) == place.bad.offset
                && header.position == place.position
                && !planted!(ResumeFrameIgnored)
            {
                return Ok(Candidate::Resume);
            }
        }
        let whole = if resume_like {
            Some(true)
        } else if offset < place.covered {
            self.is_whole(offset, header, &mut place.budget)?
        } else {
            None
        };
        if whole == Some(false) {
            return Ok(Candidate::Nothing);
        }
        place.damaged |= header.flags.synced;
        Ok(if whole == Some(true) { Candidate::Frame } else { Candidate::Header })
    }

    /// Whether a payload verifies; it is read in pieces, however long it is. `None` if too many were read in vain.
    pub(super) fn is_whole(
        &mut self,
        offset: u64,
        header: &Header,
        budget: &mut u64,
    ) -> Result<Option<bool>, R::Fault> {
        let left = u64::from(header.payload_bytes);
        let at = offset.saturating_add(self.codec().header_bytes() as u64);
        if at.saturating_add(left) > self.len()? {
            return Ok(Some(false));
        }
        let Some(rest) = budget.checked_sub(left) else {
            // Only a file made for it gets here. A synced header counts as proof then, since an error is safer than a shorter log; but nothing
            // is passed over on the word of a header.
            return Ok(None);
        };
        let whole = self.checksum(header.checksum, at, left)? == header.payload_checksum;
        if !whole && !planted!(SearchQuadratic) {
            *budget = rest;
        }
        Ok(Some(whole))
    }
}

fn plausible(codec: Codec, bytes: &[u8], offset: u64, place: &Place) -> Option<Header> {
    match codec.decode(offset, bytes.first_chunk::<HEADER_BYTES>()?) {
        Decoded::Frame(header) => {
            let distance = offset.saturating_sub(place.bad.offset);
            may_follow(&header, place.position, distance).then_some(header)
        }
        _ => None,
    }
}
