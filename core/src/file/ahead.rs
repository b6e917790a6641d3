//! Verifies a run of frames ahead of showing them: one tight loop over what the window holds. Pure: from bytes to how far they verify.
//!
//! Must stop at whatever is not a plain frame that follows; what that is, is decided when it is reached.

use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES};

use super::frames::Cursor;

/// What is verified at once: little enough to be still near the CPU when it is shown.
const RUN_BYTES: u64 = 32 << 10;

/// How far frames verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Behind the last frame that verifies.
    pub(crate) verified: u64,
    /// Behind the last of them that ends a batch, or stands alone.
    pub(crate) whole: u64,
}

/// Verifies the frames at the beginning of `held`, which stands at `cursor`, as far as they begin below `end`.
pub(super) fn verify(
    codec: Codec,
    cursor: Cursor,
    record_bytes_max: u32,
    end: u64,
    held: &[u8],
) -> Run {
    let (mut rest, mut offset, mut position) = (held, cursor.offset, cursor.position);
    let mut whole = offset;
    let enough = offset.saturating_add(RUN_BYTES);
    // A batch is verified to its end if that is held: else it would be looked for frame by frame.
    while offset < end && (offset < enough || whole < offset) {
        let Some((head, behind)) = rest.split_first_chunk::<HEADER_BYTES>() else { break };
        let Decoded::Frame(header) = codec.decode(offset, head) else { break };
        let flags = header.flags;
        let expected = position.wrapping_add(u32::from(!flags.control));
        let fits = header.payload_bytes <= record_bytes_max && header.position == expected;
        if !fits || (flags.control && whole < offset) {
            break;
        }
        let frame_bytes = codec.frame_bytes(header.payload_bytes.into());
        let (Some(payload), Some(next)) = (
            behind.get(..header.payload_bytes as usize),
            usize::try_from(frame_bytes).ok().and_then(|bytes| rest.get(bytes..)),
        ) else {
            break;
        };
        if !codec.verify(&header, payload) {
            break;
        }
        (rest, offset, position) = (next, offset.saturating_add(frame_bytes), expected);
        if !flags.more {
            whole = offset;
        }
    }
    Run { verified: offset, whole }
}
