//! The records of a slot, to bytes and back: FORMAT.md, "Records". Pure.
//!
//! Must never take a record for valid whose checksum does not cover all that is believed of it.

use core::ops::Range;

use durability_core::crc32c;

use crate::layout::Layout;

/// The version of the layout of a region.
pub(crate) const VERSION: u8 = 1;
/// Bytes of a wear record and of a ready record.
pub(crate) const SLOT_RECORD_BYTES: usize = 24;
/// Bytes of a file header before the name.
pub(crate) const HEADER_BYTES: usize = 16;

const MAGIC: Range<usize> = 0..3;
const VERSION_AT: usize = MAGIC.end;
const CRC: Range<usize> = VERSION_AT + 1..8;
const COVERED: usize = CRC.end;

const ERASES: Range<usize> = COVERED..12;
const NEXT_FILE: Range<usize> = ERASES.end..16;
const SLOT_BYTES: Range<usize> = NEXT_FILE.end..20;
const SLOT: Range<usize> = SLOT_BYTES.end..22;
const GRANULE_LOG2: usize = SLOT.end;
const NAME_BYTES_MAX: usize = GRANULE_LOG2 + 1;
const _: () = assert!(NAME_BYTES_MAX + 1 == SLOT_RECORD_BYTES);

const SEQUENCE: Range<usize> = COVERED..12;
const NAME_BYTES: usize = SEQUENCE.end;
const _: () = assert!(NAME_BYTES + 4 == HEADER_BYTES); // three zero bytes follow

/// Which of a slot's two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first block has been erased.
    Wear,
    /// All blocks have been erased.
    Ready,
}

impl Kind {
    const fn magic(self) -> [u8; 3] {
        match self {
            Self::Wear => *b"DFW",
            Self::Ready => *b"DFR",
        }
    }
}

/// A wear record or a ready record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotRecord {
    /// How often the slot has been erased.
    pub(crate) erases: u32,
    /// The sequence number of the next file, at that time.
    pub(crate) next_file: u32,
}

/// What stands where a record should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded<T> {
    Valid(T),
    /// A record of another version of this layout.
    Version(u8),
    /// A record of a region of another shape: its slot bytes, slot, granule and longest name.
    Shape(Shape),
    Invalid,
}

/// What a record says of the region that it was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Bytes in a slot.
    pub slot_bytes: u32,
    /// The slot's number.
    pub slot: u16,
    /// Bytes in the smallest unit of programming, as a power of two.
    pub granule_log2: u8,
    /// Bytes in the longest name.
    pub name_bytes_max: u8,
}

impl Shape {
    pub(crate) fn new(layout: &Layout, slot: usize) -> Self {
        Self {
            slot_bytes: layout.slot_bytes,
            slot: u16::try_from(slot).unwrap_or(u16::MAX),
            granule_log2: u8::try_from(layout.granule.trailing_zeros()).unwrap_or(u8::MAX),
            name_bytes_max: layout.name_bytes_max,
        }
    }
}

impl SlotRecord {
    pub(crate) fn encode(self, kind: Kind, shape: Shape) -> [u8; SLOT_RECORD_BYTES] {
        let mut bytes = [0; SLOT_RECORD_BYTES];
        put(&mut bytes, MAGIC, kind.magic());
        put(&mut bytes, VERSION_AT..VERSION_AT + 1, [VERSION]);
        put(&mut bytes, ERASES, self.erases.to_le_bytes());
        put(&mut bytes, NEXT_FILE, self.next_file.to_le_bytes());
        put(&mut bytes, SLOT_BYTES, shape.slot_bytes.to_le_bytes());
        put(&mut bytes, SLOT, shape.slot.to_le_bytes());
        put(&mut bytes, GRANULE_LOG2..NAME_BYTES_MAX, [shape.granule_log2]);
        put(&mut bytes, NAME_BYTES_MAX..SLOT_RECORD_BYTES, [shape.name_bytes_max]);
        let crc = checksum(&bytes, &[]);
        put(&mut bytes, CRC, crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(
        bytes: &[u8; SLOT_RECORD_BYTES],
        kind: Kind,
        shape: Shape,
    ) -> Decoded<Self> {
        if take(bytes, MAGIC) != kind.magic()
            || (u32::from_le_bytes(take(bytes, CRC)) != checksum(bytes, &[])
                && !planted!(FlashRecordUnchecked))
        {
            return Decoded::Invalid;
        }
        let [version] = take(bytes, VERSION_AT..VERSION_AT + 1);
        if version != VERSION {
            return Decoded::Version(version);
        }
        let [granule_log2] = take(bytes, GRANULE_LOG2..NAME_BYTES_MAX);
        let [name_bytes_max] = take(bytes, NAME_BYTES_MAX..SLOT_RECORD_BYTES);
        let found = Shape {
            slot_bytes: u32::from_le_bytes(take(bytes, SLOT_BYTES)),
            slot: u16::from_le_bytes(take(bytes, SLOT)),
            granule_log2,
            name_bytes_max,
        };
        if found != shape {
            return Decoded::Shape(found);
        }
        Decoded::Valid(Self {
            erases: u32::from_le_bytes(take(bytes, ERASES)),
            next_file: u32::from_le_bytes(take(bytes, NEXT_FILE)),
        })
    }
}

/// The fixed part of a file header; the name follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// Counts the files of the region, so that no two of them are ever the same.
    pub(crate) sequence: u32,
    pub(crate) name_bytes: u8,
}

impl FileHeader {
    pub(crate) fn encode(sequence: u32, name: &[u8]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, MAGIC, *b"DFF");
        put(&mut bytes, VERSION_AT..VERSION_AT + 1, [VERSION]);
        put(&mut bytes, SEQUENCE, sequence.to_le_bytes());
        put(&mut bytes, NAME_BYTES..NAME_BYTES + 1, [u8::try_from(name.len()).unwrap_or(u8::MAX)]);
        let crc = checksum(&bytes, name);
        put(&mut bytes, CRC, crc.to_le_bytes());
        bytes
    }

    /// The header's fields, not yet verified: the name has to be read first.
    pub(crate) fn peek(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let [version] = take(bytes, VERSION_AT..VERSION_AT + 1);
        let [name_bytes] = take(bytes, NAME_BYTES..NAME_BYTES + 1);
        let sequence = u32::from_le_bytes(take(bytes, SEQUENCE));
        let plausible = take(bytes, MAGIC) == *b"DFF" && version == VERSION && name_bytes > 0;
        plausible.then_some(Self { sequence, name_bytes })
    }

    /// Whether the checksum covers header and name.
    pub(crate) fn verifies(bytes: &[u8; HEADER_BYTES], name: &[u8]) -> bool {
        u32::from_le_bytes(take(bytes, CRC)) == checksum(bytes, name)
            || planted!(FlashHeaderUnchecked)
    }
}

/// All but the checksum itself.
fn checksum(bytes: &[u8], name: &[u8]) -> u32 {
    let head = crc32c(0, bytes.get(..CRC.start).unwrap_or_default());
    crc32c(crc32c(head, bytes.get(COVERED..).unwrap_or_default()), name)
}

fn put<const N: usize>(bytes: &mut [u8], range: Range<usize>, value: [u8; N]) {
    for (to, from) in bytes.iter_mut().skip(range.start).zip(value) {
        *to = from;
    }
}

fn take<const N: usize>(bytes: &[u8], range: Range<usize>) -> [u8; N] {
    let mut value = [0; N];
    for (to, from) in value.iter_mut().zip(bytes.iter().skip(range.start)) {
        *to = *from;
    }
    value
}
