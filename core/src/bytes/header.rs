//! The headers of the three kinds of file: FORMAT.md, "Headers".

use core::ops::Range;

use super::crc::Crc;
use super::field::{get_u8, get_u16, get_u32, get_u64, is_blank, put};
use super::frame::Form;

/// The version that this code writes, and the newest that it reads.
pub(crate) const VERSION: u16 = 1;

const MAGIC: Range<usize> = 0..8;
const VERSION_AT: Range<usize> = MAGIC.end..10;
const ALIGNMENT: Range<usize> = VERSION_AT.end..11;
const FORM: Range<usize> = ALIGNMENT.end..12;
const FEATURES: Range<usize> = FORM.end..16;
const LOG_ID: Range<usize> = FEATURES.end..24;

/// Smallest and largest frame alignment, as powers of two.
const ALIGNMENT_LOG2: core::ops::RangeInclusive<u8> = 2..=8;

/// What the first bytes of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded<H> {
    /// A header of this version.
    Header(H),
    /// Nothing was written, or too little of it: blank bytes or none.
    Blank,
    /// The checksum does not hold.
    Bad,
    /// A verifying header of a later version, another frame form, or with an unknown feature.
    Newer(Newer),
}

/// What a header asks for that this version does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newer {
    pub(crate) version: u16,
    pub(crate) form: u8,
    pub(crate) features: u32,
}

/// A header of `N` bytes.
pub(crate) trait FileHeader<const N: usize>: Sized {
    const MAGIC: [u8; 8];
    /// Whether frames of the compact form may follow.
    const COMPACT: bool = false;

    fn common(&self) -> Common;
    fn encode_own(&self, bytes: &mut [u8; N]);
    fn decode_own(common: Common, bytes: &[u8; N]) -> Self;

    fn encode(&self, crc: Crc) -> [u8; N] {
        let common = self.common();
        let mut bytes = [0; N];
        put(&mut bytes, MAGIC, &Self::MAGIC);
        put(&mut bytes, VERSION_AT, &VERSION.to_le_bytes());
        put(&mut bytes, ALIGNMENT, &[common.alignment_log2()]);
        put(&mut bytes, FORM, &[u8::from(common.form == Form::Compact)]);
        put(&mut bytes, LOG_ID, &common.log_id.to_le_bytes());
        self.encode_own(&mut bytes);
        let checksum = crc.update(0, bytes.get(..checksum_at::<N>().start).unwrap_or_default());
        put(&mut bytes, checksum_at::<N>(), &checksum.to_le_bytes());
        bytes
    }

    /// Judges the first bytes of a file, of which there may be fewer than a header has.
    fn decode(crc: Crc, bytes: &[u8]) -> Decoded<Self> {
        let Some(bytes) = bytes.first_chunk::<N>() else {
            return if is_blank(bytes) { Decoded::Blank } else { Decoded::Bad };
        };
        match Common::decode(crc, bytes, Self::MAGIC, Self::COMPACT) {
            Decoded::Header(common) => Decoded::Header(Self::decode_own(common, bytes)),
            Decoded::Blank => Decoded::Blank,
            Decoded::Bad => Decoded::Bad,
            Decoded::Newer(newer) => Decoded::Newer(newer),
        }
    }
}

const fn checksum_at<const N: usize>() -> Range<usize> {
    N.saturating_sub(4)..N
}

/// The fields that all headers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Common {
    /// A power of two from 4 to 256.
    pub(crate) alignment: u32,
    /// The form of the frames that follow. A ready mark's is the full one, whatever is to follow: it says nothing of frames.
    pub(crate) form: Form,
    pub(crate) log_id: u64,
}

impl Common {
    /// Judges a whole header, and takes out of it what all have. Apart, as the kinds of header differ in no more than their length here.
    #[inline(never)]
    fn decode(crc: Crc, bytes: &[u8], magic: [u8; 8], compact: bool) -> Decoded<Self> {
        if is_blank(bytes) {
            return Decoded::Blank;
        }
        let (Some((checked, checksum)), Some(head)) =
            (bytes.split_last_chunk::<4>(), bytes.first_chunk::<{ LOG_ID.end }>())
        else {
            return Decoded::Bad;
        };
        let verifies = u32::from_le_bytes(*checksum) == crc.update(0, checked);
        if !head.starts_with(&magic) || !(verifies || planted!(FileHeaderUnchecked)) {
            return Decoded::Bad;
        }
        let (version, form) = (get_u16(head, VERSION_AT), get_u8(head, FORM));
        let features = get_u32(head, FEATURES);
        let frames = match form {
            0 => Some(Form::Full),
            1 if compact => Some(Form::Compact),
            _ => None,
        };
        let Some(form) = frames.filter(|_| version <= VERSION && features == 0) else {
            return Decoded::Newer(Newer { version, form, features });
        };
        let alignment_log2 = get_u8(head, ALIGNMENT);
        if version == 0 || !ALIGNMENT_LOG2.contains(&alignment_log2) {
            return Decoded::Bad;
        }
        let alignment = 1_u32.checked_shl(u32::from(alignment_log2)).unwrap_or(4);
        Decoded::Header(Self { alignment, form, log_id: get_u64(head, LOG_ID) })
    }

    fn alignment_log2(self) -> u8 {
        u8::try_from(self.alignment.trailing_zeros()).unwrap_or(0)
    }
}

/// The header of a WAL segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) common: Common,
    pub(crate) segment: u32,
    pub(crate) oldest: u32,
    pub(crate) first_id: u64,
    pub(crate) created_ms: u64,
    pub(crate) previous: Option<Previous>,
    pub(crate) origin: Origin,
}

/// Why a segment was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The one before was full, old, torn, or cannot be appended to.
    Sequence,
    /// All entries from its first id on were taken back.
    Truncation,
}

/// Where the previous segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) segment: u32,
    pub(crate) end: u64,
    pub(crate) checksum: u32,
}

pub(crate) const SEGMENT_HEADER_BYTES: usize = 72;
const SEGMENT: Range<usize> = LOG_ID.end..28;
const OLDEST: Range<usize> = SEGMENT.end..32;
const FIRST_ID: Range<usize> = OLDEST.end..40;
const CREATED: Range<usize> = FIRST_ID.end..48;
const PREVIOUS: Range<usize> = CREATED.end..52;
const PREVIOUS_CHECKSUM: Range<usize> = PREVIOUS.end..56;
const PREVIOUS_END: Range<usize> = PREVIOUS_CHECKSUM.end..64;
const ORIGIN: Range<usize> = PREVIOUS_END.end..68;
const _: () = assert!(ORIGIN.end + 4 == SEGMENT_HEADER_BYTES);

impl FileHeader<SEGMENT_HEADER_BYTES> for SegmentHeader {
    const MAGIC: [u8; 8] = *b"\x89DWAL\r\n\x1a";
    const COMPACT: bool = true;

    fn common(&self) -> Common {
        self.common
    }

    fn encode_own(&self, bytes: &mut [u8; SEGMENT_HEADER_BYTES]) {
        put(bytes, SEGMENT, &self.segment.to_le_bytes());
        put(bytes, OLDEST, &self.oldest.to_le_bytes());
        put(bytes, FIRST_ID, &self.first_id.to_le_bytes());
        put(bytes, CREATED, &self.created_ms.to_le_bytes());
        if let Some(previous) = self.previous {
            put(bytes, PREVIOUS, &previous.segment.to_le_bytes());
            put(bytes, PREVIOUS_CHECKSUM, &previous.checksum.to_le_bytes());
            put(bytes, PREVIOUS_END, &previous.end.to_le_bytes());
        }
        put(bytes, ORIGIN, &u32::from(self.origin == Origin::Truncation).to_le_bytes());
    }

    fn decode_own(common: Common, bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Self {
        let previous = Previous {
            segment: get_u32(bytes, PREVIOUS),
            end: get_u64(bytes, PREVIOUS_END),
            checksum: get_u32(bytes, PREVIOUS_CHECKSUM),
        };
        Self {
            common,
            segment: get_u32(bytes, SEGMENT),
            oldest: get_u32(bytes, OLDEST),
            first_id: get_u64(bytes, FIRST_ID),
            created_ms: get_u64(bytes, CREATED),
            previous: (previous.segment != 0).then_some(previous),
            origin: match get_u32(bytes, ORIGIN) {
                1 => Origin::Truncation,
                _ => Origin::Sequence,
            },
        }
    }
}

/// What stands in the place of the header of a segment that was made ready and has not been begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadyMark {
    pub(crate) common: Common,
    pub(crate) segment: u32,
}

pub(crate) const READY_MARK_BYTES: usize = 32;
const _: () = assert!(SEGMENT.end + 4 == READY_MARK_BYTES);
// The header takes the mark's place, all of it.
const _: () = assert!(READY_MARK_BYTES <= SEGMENT_HEADER_BYTES);

impl FileHeader<READY_MARK_BYTES> for ReadyMark {
    const MAGIC: [u8; 8] = *b"\x89DNXT\r\n\x1a";

    fn common(&self) -> Common {
        self.common
    }

    fn encode_own(&self, bytes: &mut [u8; READY_MARK_BYTES]) {
        put(bytes, SEGMENT, &self.segment.to_le_bytes());
    }

    fn decode_own(common: Common, bytes: &[u8; READY_MARK_BYTES]) -> Self {
        Self { common, segment: get_u32(bytes, SEGMENT) }
    }
}

/// The salt of a WAL segment's frames. It can be had without the segment's own header.
pub(crate) fn segment_salt(crc: Crc, log_id: u64, segment: u32) -> u32 {
    let log_id = if planted!(SaltWithoutLogId) { 0 } else { log_id };
    let segment = if planted!(SaltWithoutSegment) { 0 } else { segment };
    crc.update(crc.update(0, &log_id.to_le_bytes()), &segment.to_le_bytes())
}

/// The header of a record log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordLogHeader {
    pub(crate) common: Common,
}

pub(crate) const RECORD_LOG_HEADER_BYTES: usize = 32;

impl FileHeader<RECORD_LOG_HEADER_BYTES> for RecordLogHeader {
    const MAGIC: [u8; 8] = *b"\x89DLOG\r\n\x1a";

    fn common(&self) -> Common {
        self.common
    }

    fn encode_own(&self, _bytes: &mut [u8; RECORD_LOG_HEADER_BYTES]) {}

    fn decode_own(common: Common, _bytes: &[u8; RECORD_LOG_HEADER_BYTES]) -> Self {
        Self { common }
    }
}

/// The header of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckpointHeader {
    pub(crate) common: Common,
    pub(crate) last_id: u64,
    pub(crate) tag: u32,
    pub(crate) chunk_bytes: u32,
    /// The log's tail segment when the checkpoint was begun; 0 if unknown.
    pub(crate) segment: u32,
}

pub(crate) const CHECKPOINT_HEADER_BYTES: usize = 48;
const LAST_ID: Range<usize> = LOG_ID.end..32;
const TAG: Range<usize> = LAST_ID.end..36;
const CHUNK_BYTES: Range<usize> = TAG.end..40;
const TAIL_SEGMENT: Range<usize> = CHUNK_BYTES.end..44;
const _: () = assert!(TAIL_SEGMENT.end + 4 == CHECKPOINT_HEADER_BYTES);

impl FileHeader<CHECKPOINT_HEADER_BYTES> for CheckpointHeader {
    const MAGIC: [u8; 8] = *b"\x89DCKP\r\n\x1a";

    fn common(&self) -> Common {
        self.common
    }

    fn encode_own(&self, bytes: &mut [u8; CHECKPOINT_HEADER_BYTES]) {
        put(bytes, LAST_ID, &self.last_id.to_le_bytes());
        put(bytes, TAG, &self.tag.to_le_bytes());
        put(bytes, CHUNK_BYTES, &self.chunk_bytes.to_le_bytes());
        put(bytes, TAIL_SEGMENT, &self.segment.to_le_bytes());
    }

    fn decode_own(common: Common, bytes: &[u8; CHECKPOINT_HEADER_BYTES]) -> Self {
        Self {
            common,
            last_id: get_u64(bytes, LAST_ID),
            tag: get_u32(bytes, TAG),
            chunk_bytes: get_u32(bytes, CHUNK_BYTES),
            segment: get_u32(bytes, TAIL_SEGMENT),
        }
    }
}

/// The salt of a file whose header must be there to read it: the header's own checksum.
pub(crate) fn header_salt<const N: usize>(bytes: &[u8; N]) -> u32 {
    get_u32(bytes, checksum_at::<N>())
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may stop")]
mod tests {
    use super::*;

    fn segment() -> SegmentHeader {
        SegmentHeader {
            common: Common { alignment: 16, form: Form::Compact, log_id: 0x0123_4567_89AB_CDEF },
            segment: 31,
            oldest: 3,
            first_id: 77,
            created_ms: 5,
            previous: Some(Previous { segment: 30, end: 4096, checksum: 0xDEAD_BEEF }),
            origin: Origin::Truncation,
        }
    }

    #[test]
    fn headers_survive_the_round_trip() {
        let crc = Crc::detect();
        let header = segment();
        assert_eq!(SegmentHeader::decode(crc, &header.encode(crc)), Decoded::Header(header));
        let common = Common { form: Form::Full, ..header.common };
        let header = CheckpointHeader { common, last_id: 9, tag: 4, chunk_bytes: 512, segment: 3 };
        assert_eq!(CheckpointHeader::decode(crc, &header.encode(crc)), Decoded::Header(header));
        let mark = ReadyMark { common, segment: 31 };
        assert_eq!(ReadyMark::decode(crc, &mark.encode(crc)), Decoded::Header(mark));
        assert_eq!(SegmentHeader::decode(crc, &mark.encode(crc)), Decoded::Bad);
        let header = RecordLogHeader { common };
        assert_eq!(RecordLogHeader::decode(crc, &header.encode(crc)), Decoded::Header(header));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let crc = Crc::detect();
        let bytes = segment().encode(crc);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(crc, &bytes), Decoded::Bad, "bit {bit}");
        }
        assert_eq!(SegmentHeader::decode(crc, &bytes[..71]), Decoded::Bad);
        assert_eq!(SegmentHeader::decode(crc, &[0; 40]), Decoded::Blank);
        assert_eq!(SegmentHeader::decode(crc, &[0xFF; 72]), Decoded::Blank);
    }

    #[test]
    fn a_newer_version_is_refused_by_number_and_not_as_damage() {
        let crc = Crc::detect();
        for (at, value) in [(8, 2_u8), (11, 2), (11, 255), (12, 1)] {
            let mut bytes = segment().encode(crc);
            bytes[at] = value;
            let checksum = crc.update(0, &bytes[..68]);
            bytes[68..].copy_from_slice(&checksum.to_le_bytes());
            assert!(matches!(SegmentHeader::decode(crc, &bytes), Decoded::Newer(_)), "byte {at}");
        }
    }

    #[test]
    fn the_compact_form_is_of_segments_only() {
        let crc = Crc::detect();
        let common = segment().common;
        let log = RecordLogHeader { common }.encode(crc);
        assert!(matches!(RecordLogHeader::decode(crc, &log), Decoded::Newer(_)));
        let mark = ReadyMark { common, segment: 31 }.encode(crc);
        assert!(matches!(ReadyMark::decode(crc, &mark), Decoded::Newer(_)));
    }

    #[test]
    fn a_version_or_an_alignment_that_never_was_is_damage() {
        let crc = Crc::detect();
        for (at, value) in [(8, 0_u8), (10, 1), (10, 9)] {
            let mut bytes = segment().encode(crc);
            bytes[at] = value;
            let checksum = crc.update(0, &bytes[..68]);
            bytes[68..].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(SegmentHeader::decode(crc, &bytes), Decoded::Bad, "byte {at}");
        }
    }

    #[test]
    fn the_tables_in_the_document_are_the_ranges_here() {
        use crate::vectors::document::table_must_be;
        table_must_be(
            "## Headers",
            &[
                ("magic", MAGIC),
                ("version", VERSION_AT),
                ("alignment", ALIGNMENT),
                ("frame form", FORM),
                ("features", FEATURES),
                ("log id", LOG_ID),
            ],
        );
        let checksum = checksum_at::<SEGMENT_HEADER_BYTES>();
        table_must_be(
            "### WAL segment header, 72 bytes",
            &[
                ("segment", SEGMENT),
                ("oldest", OLDEST),
                ("first id", FIRST_ID),
                ("created", CREATED),
                ("previous", PREVIOUS),
                ("previous checksum", PREVIOUS_CHECKSUM),
                ("previous end", PREVIOUS_END),
                ("origin", ORIGIN),
                ("checksum", checksum),
            ],
        );
        let checksum = checksum_at::<READY_MARK_BYTES>();
        table_must_be("### Ready mark, 32 bytes", &[("segment", SEGMENT), ("checksum", checksum)]);
        let checksum = checksum_at::<RECORD_LOG_HEADER_BYTES>();
        table_must_be(
            "### Record log header, 32 bytes",
            &[("reserved", LOG_ID.end..checksum.start), ("checksum", checksum)],
        );
        let checksum = checksum_at::<CHECKPOINT_HEADER_BYTES>();
        table_must_be(
            "### Checkpoint header, 48 bytes",
            &[
                ("last id", LAST_ID),
                ("tag", TAG),
                ("chunk bytes", CHUNK_BYTES),
                ("segment", TAIL_SEGMENT),
                ("checksum", checksum),
            ],
        );
    }
}
