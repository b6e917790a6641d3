//! What control frames say: FORMAT.md, "Frames", the table of kinds.

use core::ops::Range;

use super::field::{get_u32, get_u64, put};

/// The longest control payload of this version.
pub(crate) const CONTROL_BYTES_MAX: usize = 20;

/// The kind of a frame that only fills room: older readers skip it, like any kind from 128 up.
pub(crate) const PAD: u8 = 128;

/// The kind of a close frame that lists the segments before the tail: whoever does not look for it there skips it.
pub(crate) const CLOSE_LIST: u8 = 129;

const KIND: Range<usize> = 0..1;
const FIRST: Range<usize> = 4..8;
const SECOND: Range<usize> = FIRST.end..16;
const THIRD: Range<usize> = SECOND.end..CONTROL_BYTES_MAX;

/// What a control frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Close,
    Prune {
        oldest: u32,
    },
    Checkpoint {
        generation: u32,
        last_id: u64,
    },
    Mark,
    Resume {
        dead_from: u32,
    },
    End {
        chunks: u32,
        bytes: u64,
        chain: u32,
    },
    /// A kind from 128 up: a pad, a close frame with a list, or one that this version does not know.
    Ignored,
}

/// Why a control payload cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadControl {
    /// A kind below 128 that this version does not know.
    Newer(u8),
    /// The payload has not the length of its kind.
    Length,
}

impl Control {
    /// The payload, and how many bytes of it count.
    pub(crate) fn encode(self) -> ([u8; CONTROL_BYTES_MAX], usize) {
        let mut bytes = [0; CONTROL_BYTES_MAX];
        let (kind, length) = match self {
            Self::Close => (1, KIND.end),
            Self::Prune { oldest } => {
                put(&mut bytes, FIRST, &oldest.to_le_bytes());
                (2, FIRST.end)
            }
            Self::Checkpoint { generation, last_id } => {
                put(&mut bytes, FIRST, &generation.to_le_bytes());
                put(&mut bytes, FIRST.end..SECOND.end, &last_id.to_le_bytes());
                (3, SECOND.end)
            }
            Self::Mark | Self::Ignored => (4, KIND.end),
            Self::Resume { dead_from } => {
                put(&mut bytes, FIRST, &dead_from.to_le_bytes());
                (5, FIRST.end)
            }
            Self::End { chunks, bytes: total, chain } => {
                put(&mut bytes, FIRST, &chunks.to_le_bytes());
                put(&mut bytes, SECOND, &total.to_le_bytes());
                put(&mut bytes, THIRD, &chain.to_le_bytes());
                (6, THIRD.end)
            }
        };
        put(&mut bytes, KIND, &[kind]);
        (bytes, length)
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, BadControl> {
        let mut bytes = [0; CONTROL_BYTES_MAX];
        for (to, from) in bytes.iter_mut().zip(payload) {
            *to = *from;
        }
        let first = get_u32(&bytes, FIRST);
        let (control, length) = match payload.first() {
            None => return Err(BadControl::Length),
            Some(1) => (Self::Close, KIND.end),
            Some(2) => (Self::Prune { oldest: first }, FIRST.end),
            Some(3) => {
                let last_id = get_u64(&bytes, SECOND);
                (Self::Checkpoint { generation: first, last_id }, SECOND.end)
            }
            Some(4) => (Self::Mark, KIND.end),
            Some(5) => (Self::Resume { dead_from: first }, FIRST.end),
            Some(6) => {
                let (total, chain) = (get_u64(&bytes, SECOND), get_u32(&bytes, THIRD));
                (Self::End { chunks: first, bytes: total, chain }, THIRD.end)
            }
            Some(128..) => return Ok(Self::Ignored),
            Some(&kind) => return Err(BadControl::Newer(kind)),
        };
        if payload.len() == length { Ok(control) } else { Err(BadControl::Length) }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may stop")]
mod tests {
    use super::*;

    #[test]
    fn controls_survive_the_round_trip_and_nothing_else_decodes() {
        for control in [
            Control::Close,
            Control::Prune { oldest: 7 },
            Control::Checkpoint { generation: 3, last_id: 1 << 40 },
            Control::Mark,
            Control::Resume { dead_from: 4096 },
            Control::End { chunks: 2, bytes: 1 << 33, chain: 0xABCD },
        ] {
            let (bytes, length) = control.encode();
            assert_eq!(Control::decode(&bytes[..length]), Ok(control));
            assert_eq!(Control::decode(&bytes[..length - 1]), Err(BadControl::Length));
        }
        assert_eq!(Control::decode(&[99]), Err(BadControl::Newer(99)));
        assert_eq!(Control::decode(&[200, 1, 2]), Ok(Control::Ignored));
        assert_eq!(Control::decode(&[PAD]), Ok(Control::Ignored));
    }
}
