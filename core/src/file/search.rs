//! The search behind a bad frame: is there proof that what was there had been durable?
//!
//! Linear in the rest of the file, whatever it holds: sixteen bytes judge a candidate, and no payload is read. Of compact frames, eight bytes judge a
//! candidate in vain once in 65,536 times, and then its payload is read, which is short; a file that is made to have more of them has a budget.

use crate::bytes::field::is_blank;
use crate::bytes::frame::{Codec, Decoded, Form, HEADER_BYTES, Header};

use super::frames::Frames;
use super::memory::Buffer;
use super::source::Source;

/// Blank bytes that are passed over at once.
pub(super) const STRIDE: usize = 64;

/// What lies behind a bad frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    /// Where the visitor stopped the search.
    pub(crate) found: Option<u64>,
    /// End of the last byte that is not blank; the start of the search if there is none.
    pub(crate) written_end: u64,
}

impl<R, B> Frames<R, B>
where
    B: Buffer,
    R: Source,
{
    /// Proof that everything before it was durable: a verifying header with the *synced* flag; of a compact frame, all of it.
    ///
    /// `position` is the last one before the bad frame.
    pub(crate) fn search_synced(&mut self, from: u64, position: u32) -> Result<Behind, R::Fault> {
        self.look_behind(from, position, true)
    }

    /// The end of what is written from `from` on, whatever it is.
    pub(crate) fn search_written(&mut self, from: u64) -> Result<u64, R::Fault> {
        Ok(self.look_behind(from, 0, false)?.written_end)
    }

    /// One search for both, since it is long.
    fn look_behind(
        &mut self,
        from: u64,
        position: u32,
        for_proof: bool,
    ) -> Result<Behind, R::Fault> {
        self.search(from, position, |_, _, header| Ok(for_proof && proves(header)))
    }

    /// Whether there is such proof at the first header from `from` on that may follow; no more than a block is read.
    pub(crate) fn is_proof_near(&mut self, from: u64, position: u32) -> Result<bool, R::Fault> {
        let codec = self.codec();
        let from = codec.align(from);
        let bytes = self.at(from, HEADER_BYTES)?;
        let alignment = codec.alignment() as usize;
        let candidates = (0..bytes.len()).step_by(alignment.max(1));
        let mut budget = bytes.len();
        let mut found = candidates.filter_map(|at| {
            let candidate = bytes.get(at..)?;
            let distance = at as u64;
            match codec.judge(from.wrapping_add(distance), position, candidate)? {
                Decoded::Frame(header) if may_follow(&header, position, distance) => {
                    is_vouched_for(codec, &header, candidate, &mut budget).then_some(header)
                }
                _ => None,
            }
        });
        Ok(found.any(|header| proves(&header)))
    }

    /// Visits every header from `from` on that verifies at its offset and may follow `position`, until the visitor says stop.
    ///
    /// A header that verifies vouches for its frame's extent, so the search goes on behind the frame: a payload is never
    /// searched unless its own header is lost. A compact header vouches for nothing, unless its payload verifies.
    pub(crate) fn search(
        &mut self,
        from: u64,
        position: u32,
        mut stop: impl FnMut(&mut Self, u64, &Header) -> Result<bool, R::Fault>,
    ) -> Result<Behind, R::Fault> {
        let codec = self.codec();
        let alignment = u64::from(codec.alignment());
        let leap = blank_leap(alignment);
        // Every byte is looked at, also between two multiples of a wide alignment.
        let stride_bytes = STRIDE.max(codec.alignment() as usize);
        let mut room = None;
        // Payload bytes of compact frames that may still be judged in vain.
        let mut budget = if is_weak(codec) { self.len()? } else { 0 };
        let from = codec.align(from);
        let mut offset = from;
        let mut written_end = from;
        loop {
            let bytes = self.at(offset, stride_bytes)?;
            if bytes.is_empty() {
                return Ok(Behind { found: None, written_end });
            }
            let stride = bytes.get(..stride_bytes).unwrap_or(bytes);
            if is_blank(stride) {
                let fill = stride.first().copied();
                if room.is_some() && room != fill {
                    // Room has one value up to the end of the file: what came before was written.
                    written_end = written_end.max(offset);
                }
                room = fill;
                offset = offset.wrapping_add(leap);
                continue;
            }
            room = None;
            let last = stride.iter().rposition(|&byte| byte != 0 && byte != 0xFF).unwrap_or(0);
            written_end = written_end.max(offset.wrapping_add(last as u64).wrapping_add(1));
            let candidate = codec.judge(offset, position, bytes);
            let Some(Decoded::Frame(header)) = candidate else {
                offset = offset.wrapping_add(alignment);
                continue;
            };
            if !may_follow(&header, position, offset.saturating_sub(from)) {
                offset = offset.wrapping_add(alignment);
                continue;
            }
            if is_weak(codec) {
                // Out of budget, which only a file made for it is, a synced header counts as proof: an error is safer than a shorter log.
                let whole = self.is_whole(offset, &header, &mut budget)?;
                if !whole.unwrap_or(header.flags.synced) {
                    offset = offset.wrapping_add(alignment);
                    continue;
                }
            }
            if stop(self, offset, &header)? {
                return Ok(Behind { found: Some(offset), written_end });
            }
            let frame_end = offset.wrapping_add(codec.frame_bytes(header.payload_bytes.into()));
            written_end = written_end.max(frame_end);
            offset = frame_end;
        }
    }
}

/// Whether a header alone is no proof of anything.
fn is_weak(codec: Codec) -> bool {
    codec.form() == Form::Compact && !planted!(CompactHeaderProves)
}

/// Whether the payload of a candidate verifies, where its header is too little. It may reach no further than the bytes that are there, and be read in vain
/// no more often than the budget allows.
fn is_vouched_for(codec: Codec, header: &Header, candidate: &[u8], budget: &mut usize) -> bool {
    if !is_weak(codec) {
        return true;
    }
    let payload_bytes = header.payload_bytes as usize;
    let payload = candidate.get(codec.header_bytes()..).and_then(|rest| rest.get(..payload_bytes));
    let (Some(payload), Some(left)) = (payload, budget.checked_sub(payload_bytes)) else {
        return false;
    };
    let verifies = codec.verify(header, payload);
    if !verifies {
        *budget = left;
    }
    verifies
}

fn proves(header: &Header) -> bool {
    let proof = header.flags.synced && !planted!(SyncedFlagIgnored);
    proof || planted!(AnyLaterFrameProves)
}

/// Whether a header can be the one of a frame `distance` bytes behind the last that is known: an entry takes sixteen
/// bytes at least. It makes a chance hit in torn data some thousand times rarer. A compact header has no position of its own, and follows always.
pub(super) fn may_follow(header: &Header, position: u32, distance: u64) -> bool {
    let ahead = u64::from(header.position).checked_sub(u64::from(position));
    // The bad frame itself may be an entry, and so is the candidate.
    ahead.is_some_and(|ahead| ahead <= distance / HEADER_BYTES as u64 + 2)
}

/// How far to go in blank bytes: no header begins with eight of them.
pub(super) const fn blank_leap(step: u64) -> u64 {
    let headless = STRIDE as u64 - 8;
    // The step is a power of two: a small machine divides by a kilobyte of code.
    (headless & !step.wrapping_sub(1)) + step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::frame::Flags;

    #[test]
    fn a_leap_over_blank_bytes_goes_as_far_as_no_header_can_begin() {
        for step in (2..=8).map(|log2| 1_u64 << log2) {
            let leap = blank_leap(step);
            assert_eq!(leap % step, 0, "a candidate stands at every {step}");
            // Eight blank bytes at the last place that is passed over, and not at the one behind it.
            let last = leap - step;
            assert!(last == 0 || last + 8 <= STRIDE as u64, "{step}: {leap}");
            assert!(leap + 8 > STRIDE as u64, "{step}: {leap}");
        }
    }

    #[test]
    fn a_header_is_as_far_ahead_as_entries_fit_between() {
        let header = |position| Header {
            payload_bytes: 0,
            flags: Flags::default(),
            position,
            checksum: 0,
            payload_checksum: 0,
        };
        // The bad frame, the candidate, and one for each sixteen bytes.
        for (distance, ahead) in [(0, 2), (15, 2), (16, 3), (160, 12)] {
            assert!(may_follow(&header(100 + ahead), 100, distance));
            assert!(!may_follow(&header(101 + ahead), 100, distance));
            assert!(may_follow(&header(100), 100, distance));
            assert!(!may_follow(&header(99), 100, distance));
        }
    }

    /// What was read in vain is paid for, what verifies is not, and nothing is believed that is not paid for.
    #[test]
    fn a_compact_header_is_vouched_for_by_its_payload_alone() {
        use crate::bytes::crc::Crc;

        let codec = Codec::new(Crc::detect(), 77, 4).with_form(Form::Compact);
        let payload = [5; 20];
        let (head, header) = codec
            .encode_compact(100, Flags::default(), 1, 20, |crc, seed| crc.update(seed, &payload));
        let mut frame = alloc::vec::Vec::from(head);
        frame.extend(payload);
        let mut budget = 20;
        for _ in 0..3 {
            assert!(is_vouched_for(codec, &header, &frame, &mut budget));
            assert_eq!(budget, 20);
        }
        assert!(!is_vouched_for(codec, &header, &frame[..27], &mut budget), "cut off");
        assert_eq!(budget, 20);
        frame[9] ^= 1;
        assert!(!is_vouched_for(codec, &header, &frame, &mut budget));
        assert_eq!(budget, 0);
        frame[9] ^= 1;
        assert!(!is_vouched_for(codec, &header, &frame, &mut budget), "nothing is left for it");
        let full = codec.with_form(Form::Full);
        assert!(is_vouched_for(full, &header, &[], &mut budget), "a full header is proof itself");
    }

    #[test]
    fn near_proof_is_a_synced_header_that_may_follow_and_is_held() {
        use alloc::vec;

        use super::super::window::Window;
        use crate::bytes::crc::Crc;
        use crate::bytes::frame::Codec;
        use crate::storage::{Directory as _, MemoryDirectory, Name, NameBuf};

        // Where it stands, its flag, its position, that of the last one before the blank bytes.
        for (at, synced, position, before, expected) in [
            (64, true, 1, 0, true),
            (64, false, 1, 0, false),
            (64, true, 7, 1, true),
            (64, true, 8, 1, false),
            (64, true, 1, 2, false),
            (66, true, 1, 0, false),
            (0, true, 2, 0, true),
            (0, true, 3, 0, false),
            (240, true, 1, 0, true),
            (256, true, 1, 0, false),
        ] {
            let codec = Codec::new(Crc::detect(), 77, 4);
            let flags = Flags { synced, ..Flags::default() };
            let (head, _) = codec.encode(100 + at, flags, position, 4, |_, seed| seed);
            let mut bytes = vec![0; 1000];
            let place = usize::try_from(100 + at).unwrap();
            bytes.get_mut(place..place + 16).unwrap().copy_from_slice(&head);
            let dir = MemoryDirectory::new();
            let name = Name::new("LOG").unwrap();
            dir.put(name, bytes);
            let reader = dir.open(name).unwrap().unwrap();
            let window = Window::new(reader, NameBuf::from(name), vec![], 256).unwrap();
            let found = Frames::new(window, codec, 0, 100).is_proof_near(99, before).unwrap();
            assert_eq!(found, expected, "at {at}, position {position} behind {before}");
        }
    }
}
