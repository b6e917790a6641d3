//! The frames of the baselines that write to one file: as long as the library's, with as much of a checksum.

use crc32c::{crc32c, crc32c_append};

const HEADER_BYTES: usize = 16;

/// Frames on their way into a file.
#[derive(Debug, Default)]
pub struct Framed {
    bytes: Vec<u8>,
    next_id: u64,
}

impl Framed {
    /// How long the frame of a record is.
    pub fn frame_bytes(record_bytes: usize) -> usize {
        (HEADER_BYTES + record_bytes).next_multiple_of(4)
    }

    /// Puts a record behind the others.
    #[inline]
    pub fn push(&mut self, record: &[u8]) {
        self.next_id += 1;
        let mut header = [0_u8; HEADER_BYTES];
        header[..4].copy_from_slice(&(record.len() as u32).to_le_bytes());
        header[4..12].copy_from_slice(&self.next_id.to_le_bytes());
        let checksum = crc32c_append(crc32c(&header[..12]), record);
        header[12..].copy_from_slice(&checksum.to_le_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(record);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The frames since the last [`clear`](Self::clear).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Fills up to a multiple of that many bytes.
    pub fn pad(&mut self, multiple: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(multiple), 0);
    }

    /// Begins anew, with the next record's number.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Gives the frames away, and goes on in an emptied buffer.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let taken = std::mem::replace(&mut self.bytes, spare);
        self.bytes.clear();
        taken
    }
}
