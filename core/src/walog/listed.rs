//! The close frame that lists the segments of its log: FORMAT.md, "A log that was closed".
//!
//! It spares the next open the headers of all segments. Must never be believed unless it is *synced* and the files are those that it lists, nor say anything
//! of a segment that its header does not say.

use alloc::vec::Vec;

use crate::bytes::control::{CLOSE_LIST, Control};
use crate::bytes::crc::Crc;
use crate::bytes::frame::HEADER_BYTES;
use crate::bytes::header::{
    Common, Decoded, FileHeader as _, Previous, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::error::Error;
use crate::file::memory::no_memory;
use crate::storage::Directory;

use super::chain::{Observed, Segment};
use super::hooks::Hooks;
use super::options::Settings;
use super::raw_writer::RawWalWriter;

/// The kind, and how many headers follow.
const HEAD_BYTES: usize = 8;
/// The frame's length, last in it, so that it can be found from its end.
const LENGTH_BYTES: usize = 4;
/// Half of this much a list may take of any segment, so that small logs behave as large ones do.
const LIST_BYTES_ALWAYS: u64 = 1024;
/// A frame that lists one segment: a plain close frame never ends as if it were as long.
const FRAME_BYTES_MIN: usize = HEADER_BYTES + HEAD_BYTES + SEGMENT_HEADER_BYTES + LENGTH_BYTES;

/// How long the close frame is that ends with these bytes, if it is one with a list, and not too long to be looked at: it fits a buffer, and the limit of records.
pub(super) fn frame_bytes(end: &[u8], settings: &Settings) -> Option<usize> {
    let bytes = usize::try_from(u32::from_le_bytes(*end.last_chunk::<LENGTH_BYTES>()?)).ok()?;
    (FRAME_BYTES_MIN..=frame_bytes_max(settings)).contains(&bytes).then_some(bytes)
}

fn frame_bytes_max(settings: &Settings) -> usize {
    let record = usize::try_from(settings.record_bytes_max).unwrap_or(usize::MAX);
    settings.buffer_bytes.min(record.saturating_add(HEADER_BYTES))
}

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// The payload of a close frame that lists the segments before the tail; `None` if there are none, or too many, or opening would not look at it.
    pub(super) fn close_list(&self) -> Option<Vec<u8>> {
        let list = self.list().filter(|_| super::closed::is_looked_for(&self.settings))?;
        let bytes = self.frame_bytes(list.len() as u64);
        // Closing and opening a log must not be what fills its segments, of any but the smallest.
        let segment = self.settings.segment_bytes;
        let share = (segment / 32).max(segment.min(LIST_BYTES_ALWAYS) / 2);
        let max = (frame_bytes_max(&self.settings) as u64).min(share);
        (bytes <= max && self.fits_file(bytes)).then_some(list)
    }

    fn list(&self) -> Option<Vec<u8>> {
        let (_tail, sealed) = self.chain.split_last().filter(|(_, sealed)| !sealed.is_empty())?;
        let headers = sealed.len().checked_mul(SEGMENT_HEADER_BYTES)?;
        let bytes = self.frame_bytes(headers.checked_add(HEAD_BYTES + LENGTH_BYTES)? as u64);
        encode(sealed, self.log_id, usize::try_from(bytes).ok()?)
    }

    /// Puts the close frame that opening found into the buffer again.
    pub(super) fn append_close_again(&mut self) -> Result<(), Error<D::Error>> {
        if !self.chain.first().is_some_and(|segment| segment.listed) {
            return self.append_control(Control::Close);
        }
        let list = self
            .list()
            .ok_or_else(|| no_memory(self.chain.len().saturating_mul(SEGMENT_HEADER_BYTES)))?;
        self.append_close_list(&list)
    }

    /// Puts a close frame with a list into the buffer.
    pub(super) fn append_close_list(&mut self, payload: &[u8]) -> Result<(), Error<D::Error>> {
        self.append_control_payload(payload)?;
        self.tail.set_closed();
        Ok(())
    }
}

/// The payload of a frame of that many bytes; `None` without memory for it.
pub(super) fn encode(sealed: &[Segment], log_id: u64, frame_bytes: usize) -> Option<Vec<u8>> {
    let length = frame_bytes.checked_sub(HEADER_BYTES)?;
    let mut payload = Vec::new();
    payload.try_reserve_exact(length).ok()?;
    payload.extend_from_slice(&[CLOSE_LIST, 0, 0, 0]);
    payload.extend_from_slice(&u32::try_from(sealed.len()).ok()?.to_le_bytes());
    let oldest = sealed.first()?.number;
    let mut previous = None;
    for segment in sealed {
        let Segment { number, alignment, form, first_id, created_ms, origin, .. } = *segment;
        let common = Common { alignment, form, log_id };
        let header = SegmentHeader {
            common,
            segment: number,
            oldest,
            first_id,
            created_ms,
            previous,
            origin,
        };
        payload.extend_from_slice(&header.encode(Crc::detect()));
        let end = segment.sealed?;
        previous = Some(Previous { segment: number, end: end.end, checksum: end.checksum });
    }
    payload.resize(length.checked_sub(LENGTH_BYTES)?, 0);
    payload.extend_from_slice(&u32::try_from(frame_bytes).ok()?.to_le_bytes());
    Some(payload)
}

/// The segments that a verified payload lists.
pub(super) fn decode(payload: &[u8]) -> Option<Vec<Observed>> {
    let (head, rest) = payload.split_first_chunk::<HEAD_BYTES>()?;
    let [CLOSE_LIST, 0, 0, 0, count @ ..] = *head else { return None };
    let count = usize::try_from(u32::from_le_bytes(count)).ok()?;
    let (headers, _) = rest.as_chunks::<SEGMENT_HEADER_BYTES>();
    let headers = headers.get(..count)?;
    let mut observed = Vec::new();
    observed.try_reserve_exact(count.saturating_add(1)).ok()?;
    for bytes in headers {
        let Decoded::Header(header) = SegmentHeader::decode(Crc::detect(), bytes) else {
            return None;
        };
        observed.push(Observed { number: header.segment, header: Some(header) });
    }
    Some(observed)
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop"
)]
mod tests {
    use crate::bytes::crc::Crc;
    use crate::bytes::frame::{Codec, Decoded, HEADER_BYTES};
    use crate::bytes::header::segment_salt;
    use crate::storage::{MemoryDirectory, Name};
    use crate::walog::{RawWalWriter, WalOptions};

    /// The writer goes on by writing the frame again: other bytes must not take the place of those that are there.
    #[test]
    fn a_list_that_this_writer_would_write_otherwise_is_not_believed() {
        let options = WalOptions::new().alignment(256).segment_bytes(4096).log_id(5);
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
        for _ in 0..5 {
            wal.append(&[7; 1000]).unwrap();
        }
        assert_eq!(wal.tail_segment(), 2);
        wal.close().unwrap();
        let tail = Name::new("wal/00000002.WAL").unwrap();
        let mut bytes = dir.contents(tail).unwrap();
        let at = bytes.len() - 256;
        let crc = Crc::detect();
        let codec = Codec::new(crc, segment_salt(crc, 5, 2), 256);
        let head = bytes[at..].first_chunk().unwrap();
        let Decoded::Frame(header) = codec.decode(at as u64, head) else { panic!("no frame") };
        // As it is, and then with a byte in place of one of the zeros, under checksums that hold.
        for changed in [0, 1] {
            bytes[at + 150] = changed;
            let payload = bytes[at + HEADER_BYTES..].to_vec();
            let (head, _) = codec.encode(
                at as u64,
                header.flags,
                header.position,
                header.payload_bytes,
                |crc, seed| crc.update(seed, &payload),
            );
            bytes[at..at + HEADER_BYTES].copy_from_slice(&head);
            dir.put(tail, bytes.clone());
            let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
            assert_eq!(wal.chain[0].listed, changed == 0);
            wal.append(b"more").unwrap();
            let _durable = wal.flush_and_sync().unwrap();
            assert!(dir.contents(tail).unwrap().starts_with(&bytes), "{changed}");
        }
    }
}
