//! FORMAT.md once more, for judging and forging files: headers and frames, found and sealed without the core's code.
//!
//! Must never decide where a log ends: it only says what stands where.

use durability_core::crc32c;

/// Bytes of a frame's header.
pub(crate) const FRAME: usize = 16;
/// Bytes of a compact frame's header.
pub(crate) const COMPACT_FRAME: usize = 8;
/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 72;
/// Bytes of a record log's header.
pub(crate) const LOG_HEADER: usize = 32;
/// Bytes of a checkpoint's header.
pub(crate) const CHECKPOINT_HEADER: usize = 48;

pub(crate) const SYNCED: u32 = 1 << 28;
pub(crate) const CONTROL: u32 = 1 << 29;
pub(crate) const MORE: u32 = 1 << 30;

/// A frame whose header verifies; of compact frames, one that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) at: usize,
    pub(crate) length: usize,
    pub(crate) position: u32,
    pub(crate) flags: u32,
    /// The payload verifies too.
    pub(crate) whole: bool,
    /// Where the next frame begins.
    pub(crate) end: usize,
    /// Bytes of its header.
    pub(crate) header: usize,
}

impl Frame {
    pub(crate) const fn synced(&self) -> bool {
        self.flags & SYNCED != 0
    }
    pub(crate) const fn control(&self) -> bool {
        self.flags & CONTROL != 0
    }
    pub(crate) const fn more(&self) -> bool {
        self.flags & MORE != 0
    }
    /// Header and payload, without the padding.
    pub(crate) const fn bytes(&self) -> core::ops::Range<usize> {
        self.at..self.at + self.header + self.length
    }
    /// What must verify for the frame to say anything.
    pub(crate) const fn says(&self) -> core::ops::Range<usize> {
        let length = if self.header == FRAME { 0 } else { self.length };
        self.at..self.at + self.header + length
    }
}

/// How the frames of one file are checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codec {
    pub(crate) salt: u32,
    pub(crate) alignment: usize,
    pub(crate) first: usize,
    pub(crate) compact: bool,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// The log id of any file.
pub(crate) fn log_id(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes"))
}

fn alignment(bytes: &[u8]) -> usize {
    1 << bytes[10]
}

/// Whether a header of `length` bytes verifies.
pub(crate) fn header_verifies(bytes: &[u8], length: usize) -> bool {
    bytes.len() >= length && crc32c(0, &bytes[..length - 4]) == word(bytes, length - 4)
}

/// Makes a header verify again after a change.
pub(crate) fn seal_header(bytes: &mut [u8], length: usize) {
    let checksum = crc32c(0, &bytes[..length - 4]);
    put(bytes, length - 4, checksum);
}

impl Codec {
    /// Of a WAL segment; its header need not be whole.
    pub(crate) fn segment(log_id: u64, number: u32, alignment: usize) -> Self {
        let salt = crc32c(crc32c(0, &log_id.to_le_bytes()), &number.to_le_bytes());
        Self { salt, alignment, first: SEGMENT_HEADER.next_multiple_of(alignment), compact: false }
    }

    /// Of a WAL segment with a whole header.
    pub(crate) fn of_segment(bytes: &[u8]) -> Self {
        let full = Self::segment(log_id(bytes), word(bytes, 24), alignment(bytes));
        Self { compact: bytes[11] == 1, ..full }
    }

    /// Of a record log or a checkpoint, whose header has `length` bytes.
    pub(crate) fn of_file(bytes: &[u8], length: usize) -> Self {
        let alignment = alignment(bytes);
        Self {
            salt: word(bytes, length - 4),
            alignment,
            first: length.next_multiple_of(alignment),
            compact: false,
        }
    }

    fn offset(at: usize) -> u32 {
        u32::try_from(at).unwrap()
    }

    /// The frame whose header verifies at `at`.
    pub(crate) fn frame(&self, bytes: &[u8], at: usize) -> Option<Frame> {
        let head = bytes.get(at..at + FRAME)?;
        let checksum = crc32c(self.salt ^ Self::offset(at), &head[..8]);
        let blank = head[..8] == [0; 8] || head[..8] == [0xFF; 8];
        if blank || checksum != word(head, 8) {
            return None;
        }
        let (flags, length) = (word(head, 0) >> 28 << 28, word(head, 0) & (SYNCED - 1));
        let length = usize::try_from(length).expect("28 bits");
        let payload = bytes.get(at + FRAME..at + FRAME + length);
        let whole = payload.is_some_and(|payload| crc32c(checksum, payload) == word(head, 12));
        let end = (at + FRAME + length).next_multiple_of(self.alignment);
        Some(Frame { at, length, position: word(head, 4), flags, whole, end, header: FRAME })
    }

    /// The compact frame that verifies at `at`, behind so many entries.
    fn compact_frame(&self, bytes: &[u8], at: usize, before: u32) -> Option<Frame> {
        let head = bytes.get(at..at + COMPACT_FRAME)?;
        let first = word(head, 0) & 0xFFFF;
        let flags = first >> 13 << 28;
        let length = usize::try_from(first & 8191).ok()?.checked_sub(1).filter(|&n| n < 8190)?;
        let checksum = crc32c(self.salt ^ Self::offset(at), &head[..2]);
        let payload = bytes.get(at + COMPACT_FRAME..at + COMPACT_FRAME + length)?;
        let control = flags & CONTROL != 0;
        let possible = !(control && flags & MORE != 0);
        let verifies =
            checksum >> 16 == word(head, 0) >> 16 && crc32c(checksum, payload) == word(head, 4);
        let end = (at + COMPACT_FRAME + length).next_multiple_of(self.alignment);
        let position = before + u32::from(!control);
        let (whole, header) = (true, COMPACT_FRAME);
        (possible && verifies).then_some(Frame { at, length, position, flags, whole, end, header })
    }

    /// The frames from the first on, as long as they are whole.
    pub(crate) fn frames(&self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut at = self.first;
        let mut before = 0;
        let next = |at, before| {
            if self.compact {
                return self.compact_frame(bytes, at, before);
            }
            self.frame(bytes, at).filter(|frame| frame.whole)
        };
        while let Some(frame) = next(at, before) {
            (at, before) = (frame.end, frame.position);
            frames.push(frame);
        }
        frames
    }

    /// Writes a header that verifies at `at`, over whatever stands there, and vouches for no payload but an empty one.
    pub(crate) fn forge(&self, bytes: &mut [u8], at: usize, word: u32, position: u32) {
        put(bytes, at, word);
        put(bytes, at + 4, position);
        let checksum = crc32c(self.salt ^ Self::offset(at), &bytes[at..at + 8]);
        put(bytes, at + 8, checksum);
        put(bytes, at + 12, checksum);
    }

    /// Makes the frame at `at` verify again, as far as its payload is there.
    pub(crate) fn seal(&self, bytes: &mut [u8], at: usize) {
        let checksum = crc32c(self.salt ^ Self::offset(at), &bytes[at..at + 8]);
        put(bytes, at + 8, checksum);
        let length = usize::try_from(word(bytes, at) & (SYNCED - 1)).expect("28 bits");
        if let Some(payload) = bytes.get(at + FRAME..at + FRAME + length) {
            let checksum = crc32c(checksum, payload);
            put(bytes, at + 12, checksum);
        }
    }
}
