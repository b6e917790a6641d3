//! What the end frame says of the chunks: their number, their bytes, and a checksum over their checksums.

use crate::bytes::control::Control;
use crate::bytes::crc::Crc;

/// The chunks so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) chunks: u32,
    pub(super) bytes: u64,
    chain: u32,
}

impl Tally {
    /// Counts a chunk in.
    pub(super) fn add(&mut self, crc: Crc, payload_bytes: usize, payload_checksum: u32) {
        self.chunks = self.chunks.saturating_add(1);
        self.bytes = self.bytes.saturating_add(payload_bytes as u64);
        self.chain = crc.update(self.chain, &payload_checksum.to_le_bytes());
    }

    pub(super) const fn end(self) -> Control {
        Control::End { chunks: self.chunks, bytes: self.bytes, chain: self.chain }
    }
}
