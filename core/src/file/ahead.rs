//! Verifies a run of frames ahead of showing them: one tight loop over what the window holds. Pure: from bytes to how far they verify.
//!
//! Of frames of the full form only. Must stop at whatever is not a plain frame that follows; what that is, is decided when it is reached.

use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES};

use super::frames::Cursor;

/// What is verified at once: little enough to be still near the CPU when it is shown.
const RUN_BYTES: u64 = 32 << 10;

/// How far frames verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Behind the last frame that verifies; it says nothing of that frame's checksum.
    pub(crate) verified: Cursor,
    /// Behind the last of them that ends a batch, or stands alone.
    pub(crate) whole: u64,
}

impl Run {
    /// A run that has not begun.
    pub(super) const fn at(cursor: Cursor) -> Self {
        Self { verified: cursor, whole: cursor.offset }
    }

    /// Whether a batch has begun and not ended.
    pub(super) const fn is_open(self) -> bool {
        self.whole < self.verified.offset
    }

    /// Goes on with the frames at the beginning of `bytes`, which stands where the run has got to, as far as they begin below `end`.
    pub(super) fn extend(
        self,
        codec: Codec,
        record_bytes_max: u32,
        end: u64,
        mut bytes: &[u8],
    ) -> Self {
        let (Cursor { mut offset, mut position, checksum }, mut whole) =
            (self.verified, self.whole);
        let enough = offset.saturating_add(RUN_BYTES);
        // A batch is verified to its end if that is held: else it would be looked for frame by frame.
        while offset < end && (offset < enough || whole < offset) {
            let Some((head, behind)) = bytes.split_first_chunk::<HEADER_BYTES>() else { break };
            let Decoded::Frame(header) = codec.decode(offset, head) else { break };
            let flags = header.flags;
            let expected = position.wrapping_add(u32::from(!flags.control));
            let fits = header.payload_bytes <= record_bytes_max && header.position == expected;
            if !fits || (flags.control && whole < offset) {
                break;
            }
            let frame_bytes = codec.full_frame_bytes(header.payload_bytes.into());
            let (Some(payload), Some(next)) = (
                behind.get(..header.payload_bytes as usize),
                usize::try_from(frame_bytes).ok().and_then(|count| bytes.get(count..)),
            ) else {
                break;
            };
            if !codec.verify(&header, payload) {
                break;
            }
            (bytes, offset, position) = (next, offset.saturating_add(frame_bytes), expected);
            if !flags.more {
                whole = offset;
            }
        }
        Self { verified: Cursor { offset, position, checksum }, whole }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may stop")]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::bytes::crc::Crc;
    use crate::bytes::frame::Flags;

    const FIRST: u64 = 72;
    const FRAME_BYTES: u64 = 32;

    fn codec() -> Codec {
        Codec::new(Crc::detect(), 0x0BAD_5EED, 4)
    }

    fn plain() -> Flags {
        Flags::default()
    }

    fn more() -> Flags {
        Flags { more: true, ..plain() }
    }

    fn control() -> Flags {
        Flags { control: true, ..plain() }
    }

    /// Frames of 13 bytes, which makes 32 with header and padding.
    fn file(frames: &[Flags]) -> Vec<u8> {
        let (mut bytes, mut position) = (Vec::new(), 0);
        for &flags in frames {
            position += u32::from(!flags.control);
            let payload = [7; 13];
            let offset = FIRST + bytes.len() as u64;
            let encoded =
                codec().encode(offset, flags, position, 13, |crc, seed| crc.update(seed, &payload));
            bytes.extend_from_slice(&encoded.0);
            bytes.extend_from_slice(&payload);
            bytes.extend_from_slice(&[0; 3]);
        }
        bytes
    }

    fn verified(bytes: &[u8], record_bytes_max: u32, end: u64) -> (u64, u64) {
        let cursor = Cursor { offset: FIRST, position: 0, checksum: 0 };
        let run = Run::at(cursor).extend(codec(), record_bytes_max, end, bytes);
        ((run.verified.offset - FIRST) / FRAME_BYTES, (run.whole - FIRST) / FRAME_BYTES)
    }

    fn frames_of(bytes: &[u8]) -> (u64, u64) {
        verified(bytes, 100, u64::MAX)
    }

    #[test]
    fn a_run_reaches_to_what_is_held() {
        let bytes = file(&[plain(), control(), plain(), plain()]);
        assert_eq!(frames_of(&bytes), (4, 4));
        for held in 0..bytes.len() {
            let whole = held as u64 / FRAME_BYTES;
            assert_eq!(frames_of(&bytes[..held]), (whole, whole), "{held} bytes");
        }
    }

    #[test]
    fn a_run_ends_before_a_frame_with_any_bit_flipped() {
        let mut bytes = file(&[plain(), plain(), plain()]);
        for bit in (8 * 32)..(8 * (32 + 16 + 13)) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(frames_of(&bytes), (1, 1), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_batch_is_whole_with_its_last_frame_only() {
        assert_eq!(frames_of(&file(&[plain(), more(), more()])), (3, 1));
        assert_eq!(frames_of(&file(&[plain(), more(), more(), plain()])), (4, 4));
        assert_eq!(frames_of(&file(&[more(), more(), plain(), more()])), (4, 3));
    }

    #[test]
    fn a_control_frame_ends_a_run_within_a_batch() {
        assert_eq!(frames_of(&file(&[plain(), more(), control(), plain()])), (2, 1));
    }

    #[test]
    fn a_run_ends_before_a_record_above_the_limit_and_where_it_was_told() {
        let bytes = file(&[plain(); 4]);
        assert_eq!(verified(&bytes, 13, u64::MAX), (4, 4));
        assert_eq!(verified(&bytes, 12, u64::MAX), (0, 0));
        assert_eq!(verified(&bytes, 13, FIRST + 2 * FRAME_BYTES), (2, 2));
        assert_eq!(verified(&bytes, 13, FIRST + 2 * FRAME_BYTES + 1), (3, 3));
    }

    #[test]
    fn a_run_ends_before_a_frame_that_does_not_follow() {
        let bytes = file(&[plain(), plain()]);
        for position in [1, u32::MAX] {
            let cursor = Cursor { offset: FIRST, position, checksum: 0 };
            assert_eq!(Run::at(cursor).extend(codec(), 100, u64::MAX, &bytes), Run::at(cursor));
        }
    }

    #[test]
    fn a_run_goes_on_where_more_is_held() {
        let bytes = file(&[more(), more(), plain(), plain()]);
        let cursor = Cursor { offset: FIRST, position: 0, checksum: 0 };
        for held in 0..bytes.len() {
            let run = Run::at(cursor).extend(codec(), 100, u64::MAX, &bytes[..held]);
            assert_eq!(run.is_open(), (32..96).contains(&held), "{held} bytes");
            let at = usize::try_from(run.verified.offset - FIRST).unwrap();
            let run = run.extend(codec(), 100, u64::MAX, &bytes[at..]);
            assert_eq!((run.verified.position, run.whole), (4, FIRST + 4 * FRAME_BYTES));
        }
    }

    #[test]
    fn a_run_is_short_unless_a_batch_is_long() {
        let many = 3 * RUN_BYTES / FRAME_BYTES;
        let mut flags = alloc::vec![plain(); usize::try_from(many).unwrap()];
        assert_eq!(frames_of(&file(&flags)).0, many / 3);
        let last = flags.len() - 1;
        flags[..last].fill(more());
        assert_eq!(frames_of(&file(&flags)), (many, many));
    }
}
