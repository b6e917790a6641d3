//! The compact frame, with a header of 8 bytes: FORMAT.md, "Compact frames".
//!
//! Must never be trusted for its header alone, whose check has 16 bits: whoever needs proof verifies the payload, too.

use core::ops::Range;

use super::crc::Crc;
use super::field::{get_u32, is_blank};
use super::frame::{Codec, Decoded, Flags, Header, SetSynced};

/// Bytes of a frame's header.
pub(crate) const HEADER_BYTES: usize = 8;
/// The longest payload that the length field can express. One value more is left, which bytes that read `FF` have.
pub(crate) const PAYLOAD_BYTES_MAX: u32 = LENGTH_MASK - 2;

const WORD: Range<usize> = 0..2;
const HEADER_CHECK: Range<usize> = WORD.end..4;
const PAYLOAD_CHECKSUM: Range<usize> = HEADER_CHECK.end..8;
const _: () = assert!(PAYLOAD_CHECKSUM.end == HEADER_BYTES);
/// Word and check, as they are loaded.
const FIRST: Range<usize> = WORD.start..HEADER_CHECK.end;

/// The length of the payload, and 1: room that reads `00` has no length.
const LENGTH_MASK: u32 = (1 << 13) - 1;
const SYNCED: u32 = 1 << 13;
const CONTROL: u32 = 1 << 14;
const MORE: u32 = 1 << 15;
const WORD_MASK: u32 = (1 << 16) - 1;

const fn flags(word: u32) -> Flags {
    Flags { synced: word & SYNCED != 0, control: word & CONTROL != 0, more: word & MORE != 0 }
}

/// What the checksum of the payload goes on from: all of the header's, not only the half that is stored.
#[inline]
fn seed(checksum: u32) -> u32 {
    if planted!(CompactPayloadHalfSeeded) { checksum & !WORD_MASK } else { checksum }
}

impl Codec {
    /// The checksum of a header's word: its upper half is the check, all of it seeds the checksum of the payload.
    #[inline]
    fn header_checksum(self, offset: u64, word: u32) -> u32 {
        let [low, high, ..] = word.to_le_bytes();
        self.crc.update(self.seed(offset), &[low, high])
    }

    /// The header of a compact frame at `offset`. `position` is not in it: that follows from the frames before.
    #[inline]
    pub(crate) fn encode_compact(
        self,
        offset: u64,
        flags: Flags,
        position: u32,
        payload_bytes: u32,
        checksum_payload: impl FnOnce(Crc, u32) -> u32,
    ) -> ([u8; HEADER_BYTES], Header) {
        let word = (payload_bytes.wrapping_add(1) & LENGTH_MASK)
            | if flags.synced { SYNCED } else { 0 }
            | if flags.control { CONTROL } else { 0 }
            | if flags.more { MORE } else { 0 };
        let checksum = self.header_checksum(offset, word);
        let payload_checksum = checksum_payload(self.crc, seed(checksum));
        let first = word | (checksum & !WORD_MASK);
        let bytes = u64::from(payload_checksum) << 32 | u64::from(first);
        let header =
            Header { payload_bytes, flags, position, checksum: seed(checksum), payload_checksum };
        (bytes.to_le_bytes(), header)
    }

    /// Judges eight bytes at `offset`, which `before` entries precede.
    #[inline]
    pub(crate) fn decode_compact(
        self,
        offset: u64,
        before: u32,
        bytes: [u8; HEADER_BYTES],
    ) -> Decoded {
        let first = get_u32(&bytes, FIRST);
        let checksum = self.header_checksum(offset, first);
        let (length, flags) = (first & LENGTH_MASK, flags(first));
        let never = length == 0 || length == LENGTH_MASK || (flags.control && flags.more);
        if never || (checksum ^ first) & !WORD_MASK != 0 {
            return if is_blank(&bytes) { Decoded::Blank } else { Decoded::Bad };
        }
        Decoded::Frame(Header {
            payload_bytes: length.wrapping_sub(1),
            flags,
            position: before.wrapping_add(u32::from(!flags.control)),
            checksum: seed(checksum),
            payload_checksum: get_u32(&bytes, PAYLOAD_CHECKSUM),
        })
    }

    /// [`set_synced`](Self::set_synced), of a compact frame.
    pub(super) fn set_synced_compact(self, offset: u64, bytes: &mut [u8]) -> Option<SetSynced> {
        let (head, rest) = bytes.split_first_chunk_mut::<HEADER_BYTES>()?;
        let Decoded::Frame(header) = self.decode_compact(offset, 0, *head) else { return None };
        let payload = rest.get(..usize::try_from(header.payload_bytes).ok()?)?;
        if header.flags.synced {
            return None;
        }
        let flags = Flags { synced: true, ..header.flags };
        let (encoded, header) = self.encode_compact(
            offset,
            flags,
            header.position,
            header.payload_bytes,
            |crc, seed| crc.update(seed, payload),
        );
        *head = encoded;
        let frame_bytes = self.frame_bytes(u64::from(header.payload_bytes));
        Some(SetSynced { frame_bytes, payload_checksum: header.payload_checksum })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may stop")]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use alloc::vec;

    use super::super::frame::Form;
    use super::*;

    const SALT: u32 = 0x1234_5678;

    fn codec() -> Codec {
        Codec::new(Crc::detect(), SALT, 4).with_form(Form::Compact)
    }

    fn sample(offset: u64) -> [u8; 8] {
        let flags = Flags { synced: true, ..Flags::default() };
        codec().encode_compact(offset, flags, 9, 5, |crc, seed| crc.update(seed, b"hello")).0
    }

    fn is_frame(codec: Codec, offset: u64, head: [u8; 8], payload: &[u8]) -> bool {
        match codec.decode_compact(offset, 0, head) {
            Decoded::Frame(header) => {
                header.payload_bytes as usize == payload.len() && codec.verify(&header, payload)
            }
            _ => false,
        }
    }

    #[test]
    fn what_is_encoded_decodes_with_the_position_that_it_is_given() {
        let bytes = sample(80);
        let Decoded::Frame(header) = codec().decode_compact(80, 8, bytes) else {
            panic!("no frame")
        };
        assert_eq!((header.position, header.payload_bytes), (9, 5));
        assert!(header.flags.synced && !header.flags.control && !header.flags.more);
        assert!(codec().verify(&header, b"hello"));
        let control = Flags { control: true, ..Flags::default() };
        let (bytes, _) = codec().encode_compact(80, control, 8, 5, |_, seed| seed);
        let Decoded::Frame(header) = codec().decode_compact(80, 8, bytes) else {
            panic!("no frame")
        };
        assert_eq!(header.position, 8);
    }

    /// A change of the word is a change of the check, whichever it is: the checksum is linear, so the differences tell all.
    #[test]
    fn no_change_of_the_word_alone_goes_unseen() {
        let crc = Crc::detect();
        let zero = crc.update(SALT, &[0, 0]);
        let mut seen = vec![false; 1 << 16];
        for change in 0..=u16::MAX {
            let check = (crc.update(SALT, &change.to_le_bytes()) ^ zero) >> 16;
            let place = &mut seen[check as usize];
            assert!(!*place, "two changes change the check alike: {change:04X}");
            *place = true;
            // The code has distance 5: up to four bits of word and check may flip at once.
            assert!(change == 0 || change.count_ones() + check.count_ones() >= 5, "{change:04X}");
        }
    }

    #[test]
    fn every_change_of_up_to_four_bits_of_word_and_check_is_seen() {
        let bytes = sample(80);
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let seen = |flips: u32| {
            let mut bytes = bytes;
            bytes[..4].copy_from_slice(&(word ^ flips).to_le_bytes());
            assert_eq!(codec().decode_compact(80, 8, bytes), Decoded::Bad, "{flips:08X}");
        };
        for a in 0..32 {
            seen(1 << a);
            for b in 0..a {
                seen(1 << a | 1 << b);
                for c in 0..b {
                    seen(1 << a | 1 << b | 1 << c);
                    for d in 0..c {
                        seen(1 << a | 1 << b | 1 << c | 1 << d);
                    }
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_seen() {
        for bit in 0..8 * (8 + 5) {
            let (mut bytes, mut payload) = (sample(80), *b"hello");
            match bit / 8 {
                at @ 0..8 => bytes[at] ^= 1 << (bit % 8),
                at => payload[at - 8] ^= 1 << (bit % 8),
            }
            assert!(!is_frame(codec(), 80, bytes, &payload), "bit {bit}");
        }
    }

    /// A header alone verifies at one place in 65,536, by chance. With its payload, at its own only: the whole checksum of the header seeds the payload's.
    #[test]
    fn a_frame_verifies_at_its_own_offset_and_under_its_own_salt_only() {
        let bytes = sample(80);
        assert!(is_frame(codec(), 80, bytes, b"hello"));
        let mut headers = 0;
        for offset in (0..1 << 20).filter(|&offset| offset != 80) {
            headers += u32::from(codec().decode_compact(offset, 0, bytes) != Decoded::Bad);
            assert!(!is_frame(codec(), offset, bytes, b"hello"), "{offset}");
        }
        assert!(headers > 0, "the check has 16 bits");
        for change in 1..1 << 20 {
            let other = Codec::new(Crc::detect(), SALT ^ change, 4).with_form(Form::Compact);
            assert!(!is_frame(other, 80, bytes, b"hello"), "{change}");
        }
    }

    #[test]
    fn blank_bytes_are_no_frame_under_any_salt() {
        // All checks that there are: one of them is the one that the bytes have.
        for fill in [0x00_u8, 0xFF] {
            let mut matched = false;
            for offset in 0..1 << 20 {
                matched |= codec().header_checksum(offset, u32::from_le_bytes([fill; 4])) >> 16
                    == u32::from(u16::from_le_bytes([fill; 2]));
                assert_eq!(codec().decode_compact(offset, 0, [fill; 8]), Decoded::Blank);
            }
            assert!(matched, "the check alone would not have told");
        }
    }

    #[test]
    fn what_no_writer_writes_is_no_frame_though_its_check_holds() {
        let decoded = |word: u16| {
            let checksum = codec().header_checksum(80, word.into());
            let first = u32::from(word) | (checksum & !WORD_MASK);
            let mut bytes = [7; 8];
            bytes[..4].copy_from_slice(&first.to_le_bytes());
            codec().decode_compact(80, 8, bytes)
        };
        for word in 0..=u16::MAX {
            let (length, both) = (word & 0x1FFF, word >> 14 == 3);
            let expected = length != 0 && length != 0x1FFF && !both;
            assert_eq!(matches!(decoded(word), Decoded::Frame(_)), expected, "{word:04X}");
        }
    }

    #[test]
    fn the_flag_is_set_as_if_the_frame_had_been_written_with_it() {
        for (payload, alignment) in [(&b"hello"[..], 4), (b"", 4), (b"hello", 32)] {
            let codec = Codec::new(Crc::detect(), SALT, alignment).with_form(Form::Compact);
            let length = u32::try_from(payload.len()).unwrap_or(0);
            let encoded = |flags| {
                let sum = |crc: Crc, seed| crc.update(seed, payload);
                codec.encode_compact(96, flags, 3, length, sum)
            };
            let plain = Flags { more: true, ..Flags::default() };
            let synced = Flags { synced: true, ..plain };
            let mut bytes = encoded(plain).0.to_vec();
            bytes.extend_from_slice(payload);
            let set = codec.set_synced(96, &mut bytes);
            let (head, header) = encoded(synced);
            let frame_bytes = codec.frame_bytes(payload.len() as u64);
            let payload_checksum = header.payload_checksum;
            assert_eq!(set, Some(SetSynced { frame_bytes, payload_checksum }));
            assert_eq!(bytes[..8], head);
            assert_eq!(codec.set_synced(96, &mut bytes), None, "it has it");
            assert_eq!(codec.set_synced(100, &mut bytes), None, "it is no frame there");
        }
    }

    #[test]
    fn the_table_in_the_document_is_the_ranges_here() {
        crate::vectors::document::table_must_be(
            "### Compact frames",
            &[
                ("word", WORD),
                ("header check", HEADER_CHECK),
                ("payload checksum", PAYLOAD_CHECKSUM),
            ],
        );
    }
}
