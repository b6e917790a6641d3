//! The frame: FORMAT.md, "Frames". Encoding, and decoding to a verdict. The compact form is in `compact.rs`.

use core::ops::Range;

use super::compact;
use super::crc::Crc;
use super::field::{get_u32, is_blank};

/// Bytes of a frame's header, in the full form: the longest.
pub(crate) const HEADER_BYTES: usize = 16;
/// The longest payload that the length field can express.
pub(crate) const PAYLOAD_BYTES_MAX: u32 = LENGTH_MASK;

const WORD: Range<usize> = 0..4;
const POSITION: Range<usize> = WORD.end..8;
const HEADER_CHECKSUM: Range<usize> = POSITION.end..12;
const PAYLOAD_CHECKSUM: Range<usize> = HEADER_CHECKSUM.end..16;
const _: () = assert!(PAYLOAD_CHECKSUM.end == HEADER_BYTES);
// As `encode` puts them together.
const _: () = assert!(WORD.end == POSITION.start && POSITION.end == HEADER_CHECKSUM.start);
const _: () = assert!(HEADER_CHECKSUM.end == PAYLOAD_CHECKSUM.start);

const LENGTH_MASK: u32 = (1 << 28) - 1;
const SYNCED: u32 = 1 << 28;
const CONTROL: u32 = 1 << 29;
const MORE: u32 = 1 << 30;
const RESERVED: u32 = 1 << 31;

/// The form of a file's frames. Its number in the file's header is not what it is here: here, it is how long a frame's header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Form {
    /// Form 0: headers of 16 bytes, which say how many entries precede the frame.
    Full = 16,
    /// Form 1: headers of 8 bytes, of segments only.
    Compact = 8,
}
const _: () = assert!(Form::Full.header_bytes() == HEADER_BYTES);

impl Form {
    #[expect(clippy::as_conversions, reason = "the header's length is what the form is")]
    pub(crate) const fn header_bytes(self) -> usize {
        self as usize
    }

    /// The longest payload.
    pub(crate) const fn payload_bytes_max(self) -> u32 {
        match self {
            Self::Full => PAYLOAD_BYTES_MAX,
            Self::Compact => compact::PAYLOAD_BYTES_MAX,
        }
    }
}

/// A frame's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    pub(crate) synced: bool,
    pub(crate) control: bool,
    pub(crate) more: bool,
}

/// A frame's header whose checksum holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) payload_bytes: u32,
    pub(crate) flags: Flags,
    pub(crate) position: u32,
    pub(crate) checksum: u32,
    pub(crate) payload_checksum: u32,
}

/// What a header says that was verified before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) payload_bytes: u32,
    pub(crate) flags: Flags,
    pub(crate) payload_checksum: u32,
}

impl Fields {
    /// Judges nothing.
    #[inline]
    pub(crate) fn of(bytes: &[u8; HEADER_BYTES]) -> Self {
        let word = get_u32(bytes, WORD);
        Self {
            payload_bytes: word & LENGTH_MASK,
            flags: Flags::of(word),
            payload_checksum: get_u32(bytes, PAYLOAD_CHECKSUM),
        }
    }
}

impl Flags {
    #[inline]
    const fn of(word: u32) -> Self {
        Self { synced: word & SYNCED != 0, control: word & CONTROL != 0, more: word & MORE != 0 }
    }
}

/// What the bytes of a header are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A frame's header; the payload is still to be judged.
    Frame(Header),
    /// Room that was never written.
    Blank,
    /// The checksum does not hold, or the fields contradict each other.
    Bad,
    /// The checksum holds and the reserved bit is set: written by a later version.
    Newer,
}

/// The bytes of a frame's header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; HEADER_BYTES],
    count: usize,
}

impl Head {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }
}

/// A frame that has got the *synced* flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetSynced {
    pub(crate) frame_bytes: u64,
    pub(crate) payload_checksum: u32,
}

/// What the frames of one file have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codec {
    pub(super) crc: Crc,
    form: Form,
    salt: u32,
    alignment: u32,
}

impl Codec {
    /// `alignment` is a power of two. The form is the full one.
    pub(crate) const fn new(crc: Crc, salt: u32, alignment: u32) -> Self {
        Self { crc, form: Form::Full, salt, alignment }
    }

    /// The same for frames of another form.
    pub(crate) const fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    #[inline]
    pub(crate) const fn form(self) -> Form {
        self.form
    }

    /// Bytes of a frame's header.
    #[inline]
    pub(crate) const fn header_bytes(self) -> usize {
        self.form.header_bytes()
    }

    pub(crate) const fn alignment(self) -> u32 {
        self.alignment
    }

    pub(crate) const fn crc(self) -> Crc {
        self.crc
    }

    /// The next multiple of the alignment.
    #[inline]
    pub(crate) const fn align(self, bytes: u64) -> u64 {
        let mask = self.mask();
        bytes.wrapping_add(mask) & !mask
    }

    #[expect(clippy::as_conversions, reason = "u32 to u64 in a const fn")]
    const fn mask(self) -> u64 {
        (self.alignment as u64).wrapping_sub(1)
    }

    /// [`frame_bytes`](Self::frame_bytes), in the full form.
    #[inline]
    pub(crate) const fn full_frame_bytes(self, payload_bytes: u64) -> u64 {
        self.align(payload_bytes.wrapping_add(16))
    }

    /// Bytes of a whole frame: header, payload, padding.
    #[inline]
    #[expect(clippy::as_conversions, reason = "usize to u64 in a const fn")]
    pub(crate) const fn frame_bytes(self, payload_bytes: u64) -> u64 {
        self.align(payload_bytes.wrapping_add(self.form.header_bytes() as u64))
    }

    #[inline]
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "frames start below 4 GiB; the low half is the definition"
    )]
    pub(super) fn seed(self, offset: u64) -> u32 {
        self.salt ^ if planted!(SaltWithoutOffset) { 0 } else { offset as u32 }
    }

    /// The header of a frame at `offset`, in either form: the bytes, and how many of them count.
    pub(crate) fn encode_head(
        self,
        offset: u64,
        flags: Flags,
        position: u32,
        payload_bytes: u32,
        checksum_payload: impl FnOnce(Crc, u32) -> u32,
    ) -> (Head, Header) {
        match self.form {
            Form::Full => {
                let (bytes, header) =
                    self.encode(offset, flags, position, payload_bytes, checksum_payload);
                (Head { bytes, count: HEADER_BYTES }, header)
            }
            Form::Compact => {
                let (short, header) =
                    self.encode_compact(offset, flags, position, payload_bytes, checksum_payload);
                let mut bytes = [0; HEADER_BYTES];
                for (to, from) in bytes.iter_mut().zip(short) {
                    *to = from;
                }
                (Head { bytes, count: compact::HEADER_BYTES }, header)
            }
        }
    }

    /// Judges the header that `bytes` begin with, in either form; `None` if they are too few. `before` entries precede it: a compact header does not say how
    /// many.
    #[inline(never)]
    pub(crate) fn judge(self, offset: u64, before: u32, bytes: &[u8]) -> Option<Decoded> {
        match self.form {
            Form::Full => bytes.first_chunk().map(|head| self.decode(offset, head)),
            Form::Compact => {
                bytes.first_chunk().map(|head| self.decode_compact(offset, before, *head))
            }
        }
    }

    /// The header of a frame at `offset` in the full form, its payload given in two parts.
    #[inline]
    pub(crate) fn encode(
        self,
        offset: u64,
        flags: Flags,
        position: u32,
        payload_bytes: u32,
        checksum_payload: impl FnOnce(Crc, u32) -> u32,
    ) -> ([u8; HEADER_BYTES], Header) {
        let word = (payload_bytes & LENGTH_MASK)
            | if flags.synced { SYNCED } else { 0 }
            | if flags.control { CONTROL } else { 0 }
            | if flags.more { MORE } else { 0 };
        // Put together in registers: fields stored one by one and loaded as a whole stall the CPU, twice a frame.
        let fields = pair(word, position);
        let checksum = self.crc.update(self.seed(offset), &fields.to_le_bytes());
        let payload_checksum = checksum_payload(self.crc, checksum);
        let checksums = pair(checksum, payload_checksum);
        let bytes = (u128::from(checksums) << 64 | u128::from(fields)).to_le_bytes();
        (bytes, Header { payload_bytes, flags, position, checksum, payload_checksum })
    }

    /// Sets the *synced* flag of the frame that begins these bytes, and tells its new payload checksum; `None` if it has the flag, or is no frame.
    pub(crate) fn set_synced(self, offset: u64, bytes: &mut [u8]) -> Option<SetSynced> {
        if self.form == Form::Compact {
            return self.set_synced_compact(offset, bytes);
        }
        let (head, rest) = bytes.split_first_chunk_mut::<HEADER_BYTES>()?;
        let Decoded::Frame(header) = self.decode(offset, head) else { return None };
        let payload = rest.get(..usize::try_from(header.payload_bytes).ok()?)?;
        let flags = Flags { synced: true, ..header.flags };
        if flags == header.flags {
            return None;
        }
        let (encoded, header) =
            self.encode(offset, flags, header.position, header.payload_bytes, |crc, seed| {
                crc.update(seed, payload)
            });
        *head = encoded;
        let frame_bytes = self.frame_bytes(u64::from(header.payload_bytes));
        Some(SetSynced { frame_bytes, payload_checksum: header.payload_checksum })
    }

    /// Judges sixteen bytes at `offset`, in the full form.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a third of a replay's instructions, and the compiler is of two minds"
    )]
    pub(crate) fn decode(self, offset: u64, bytes: &[u8; HEADER_BYTES]) -> Decoded {
        let word = get_u32(bytes, WORD);
        let position = get_u32(bytes, POSITION);
        let checksum = get_u32(bytes, HEADER_CHECKSUM);
        let (checked, _) = bytes.split_at(8);
        let verifies = self.crc.update(self.seed(offset), checked) == checksum;
        if !(verifies || planted!(HeaderUnchecked)) || is_blank_word(word, position) {
            return if is_blank(bytes) { Decoded::Blank } else { Decoded::Bad };
        }
        if word & RESERVED != 0 {
            return Decoded::Newer;
        }
        let flags = Flags::of(word);
        if (flags.control && flags.more) || (!flags.control && position == 0) {
            return Decoded::Bad;
        }
        Decoded::Frame(Header {
            payload_bytes: word & LENGTH_MASK,
            flags,
            position,
            checksum,
            payload_checksum: get_u32(bytes, PAYLOAD_CHECKSUM),
        })
    }

    /// Whether a payload is the one that the header was written for.
    #[inline]
    pub(crate) fn verify(self, header: &Header, payload: &[u8]) -> bool {
        self.crc.update(header.checksum, payload) == header.payload_checksum
    }
}

/// Two fields side by side, the first in the lower half: its bytes come first.
#[inline]
fn pair(first: u32, second: u32) -> u64 {
    u64::from(second) << 32 | u64::from(first)
}

/// Erased or zeroed room must never verify, whatever its checksum happens to be.
const fn is_blank_word(word: u32, position: u32) -> bool {
    (word == 0 && position == 0) || (word == u32::MAX && position == u32::MAX)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may stop")]
mod tests {
    use super::*;

    fn codec() -> Codec {
        Codec::new(Crc::detect(), 0x1234_5678, 4)
    }

    fn sample(offset: u64) -> [u8; 16] {
        let flags = Flags { synced: true, ..Flags::default() };
        codec().encode(offset, flags, 9, 5, |crc, seed| crc.update(seed, b"hello")).0
    }

    #[test]
    fn what_is_encoded_decodes_at_its_own_offset_only() {
        let bytes = sample(80);
        let Decoded::Frame(header) = codec().decode(80, &bytes) else { panic!("no frame") };
        assert_eq!((header.position, header.payload_bytes), (9, 5));
        assert!(header.flags.synced && !header.flags.control && !header.flags.more);
        assert!(codec().verify(&header, b"hello"));
        assert!(!codec().verify(&header, b"hellp"));
        for offset in (0..4096).filter(|&offset| offset != 80) {
            assert_eq!(codec().decode(offset, &bytes), Decoded::Bad);
        }
        let other = Codec::new(Crc::detect(), 0x1234_5679, 4);
        assert_eq!(other.decode(80, &bytes), Decoded::Bad);
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        for bit in 0..128 {
            let mut bytes = sample(80);
            bytes[bit / 8] ^= 1 << (bit % 8);
            match codec().decode(80, &bytes) {
                Decoded::Bad => {}
                Decoded::Frame(header) => assert!(!codec().verify(&header, b"hello"), "bit {bit}"),
                other => panic!("bit {bit}: {other:?}"),
            }
        }
    }

    #[test]
    fn blank_bytes_are_no_frame_under_any_salt() {
        // The one salt under which eight zero bytes have the checksum 0, and the one for FF.
        let crc = Crc::detect();
        for fill in [0x00_u8, 0xFF] {
            let target = u32::from_le_bytes([fill; 4]);
            let salt = invert(crc, target, [fill; 8]);
            let codec = Codec::new(crc, salt, 4);
            assert_eq!(crc.update(salt, &[fill; 8]), target, "the salt was solved for");
            assert_eq!(codec.decode(0, &[fill; 16]), Decoded::Blank);
        }
    }

    /// The seed under which `bytes` have the checksum `target`: a CRC is affine in its seed.
    fn invert(crc: Crc, target: u32, bytes: [u8; 8]) -> u32 {
        let base = crc.update(0, &bytes);
        let mut rows: alloc::vec::Vec<(u32, u32)> =
            (0..32).map(|bit| (crc.update(1 << bit, &bytes) ^ base, 1 << bit)).collect();
        let (mut rest, mut seed) = (target ^ base, 0);
        for bit in (0..32).rev() {
            let pivot = rows.iter().position(|(image, _)| image >> bit == 1).unwrap();
            let (image, source) = rows.swap_remove(pivot);
            for row in rows.iter_mut().filter(|row| (row.0 >> bit) & 1 == 1) {
                *row = (row.0 ^ image, row.1 ^ source);
            }
            if (rest >> bit) & 1 == 1 {
                rest ^= image;
                seed ^= source;
            }
        }
        seed
    }

    #[test]
    fn a_verifying_reserved_bit_is_a_newer_format() {
        let mut bytes = sample(80);
        bytes[3] |= 0x80;
        let checksum = Crc::detect().update(0x1234_5678 ^ 0x50, &bytes[..8]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(codec().decode(80, &bytes), Decoded::Newer);
    }

    #[test]
    fn what_no_writer_writes_is_no_frame_though_its_checksum_holds() {
        let decoded = |control, more, position| {
            let flags = Flags { control, more, ..Flags::default() };
            let (bytes, header) = codec().encode(80, flags, position, 5, |_, seed| seed);
            (codec().decode(80, &bytes), header)
        };
        for (control, more, position) in [(true, true, 1), (false, false, 0), (false, true, 0)] {
            assert_eq!(decoded(control, more, position).0, Decoded::Bad);
        }
        // As far as they go, the highest position is one.
        for (control, more, position) in
            [(true, false, 0), (false, true, 1), (false, false, u32::MAX), (true, false, u32::MAX)]
        {
            let (found, header) = decoded(control, more, position);
            assert_eq!(found, Decoded::Frame(header));
        }
    }

    #[test]
    fn the_table_in_the_document_is_the_ranges_here() {
        crate::vectors::document::table_must_be(
            "## Frames",
            &[
                ("word", WORD),
                ("position", POSITION),
                ("header checksum", HEADER_CHECKSUM),
                ("payload checksum", PAYLOAD_CHECKSUM),
            ],
        );
    }
}
