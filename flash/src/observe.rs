//! What a slot holds: what is read of it, and what follows from that. FORMAT.md, "What a slot holds".
//!
//! Must never change a byte, nor take what merely looks erased for erased.

use durability_core::crc32c;
use embedded_storage::nor_flash::NorFlash;

use crate::FlashError;
use crate::layout::{TOMBSTONES, small};
use crate::options::{NO_NAME, NameBytes};
use crate::record::{
    Decoded, FileHeader, HEADER_BYTES, Kind, SLOT_RECORD_BYTES, Shape, SlotRecord, VERSION,
};
use crate::region::{Region, Tried};

/// What a slot can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A file is in it.
    File,
    /// All of it is erased, and nothing was programmed since.
    Ready,
    /// Its first block is erased, and holds the wear record; the others have to be erased.
    Begun,
    /// All of it has to be erased.
    Dirty,
}

/// A file header that verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundHeader {
    pub(crate) header: FileHeader,
    pub(crate) name_crc: u32,
}

/// What was read of a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    pub(crate) wear: Option<SlotRecord>,
    pub(crate) ready: Option<SlotRecord>,
    /// The first copy of the file header that verifies.
    pub(crate) header: Option<FoundHeader>,
    /// Nothing is where file headers go.
    pub(crate) headers_blank: bool,
    /// Bits that are programmed where tombstones go.
    pub(crate) tombstone_bits: u32,
}

impl Observed {
    /// A tombstone is there. One bit alone is no tombstone: rot is one bit, and a tombstone that is torn so is programmed again, in
    /// the granule that is still blank.
    pub(crate) const fn is_buried(&self) -> bool {
        self.tombstone_bits >= TOMBSTONES
    }

    /// The first block was erased since the ready record was programmed, and nothing but the wear record was programmed there since.
    fn is_begun(&self) -> bool {
        let newer = |wear: SlotRecord| self.ready.is_none_or(|ready| ready.erases < wear.erases);
        self.headers_blank && self.wear.is_some_and(newer)
    }

    pub(crate) fn state(&self) -> State {
        if self.header.is_some() && !self.is_buried() {
            State::File
        } else if self.is_begun() && !planted!(FlashBegunTakenForReady) {
            State::Begun
        } else if self.headers_blank
            && self.tombstone_bits == 0
            && (self.ready.is_some() || planted!(FlashBlankTakenForErased))
        {
            State::Ready
        } else {
            State::Dirty
        }
    }

    /// Whether a torn erase of the first block could leave something that looks like a file, or ready, without a tombstone.
    pub(crate) const fn must_be_buried(&self) -> bool {
        (self.header.is_some() || self.ready.is_some()) && !self.is_buried()
    }

    pub(crate) fn erases(&self) -> Option<u32> {
        let (wear, ready) = (self.wear.map(|each| each.erases), self.ready.map(|each| each.erases));
        wear.max(ready)
    }

    /// The sequence number of the next file, as far as this slot knows.
    pub(crate) fn next_file(&self) -> u32 {
        let records = self.wear.iter().chain(&self.ready).map(|each| each.next_file);
        let file = self.header.map(|found| found.header.sequence.saturating_add(1));
        records.chain(file).max().unwrap_or(1)
    }
}

impl<F: NorFlash, const SLOTS: usize> Region<F, SLOTS> {
    /// Reads all that tells what a slot holds.
    pub(crate) fn observe(&mut self, slot: usize) -> Tried<Observed> {
        let mut name = NO_NAME;
        let wear = self.slot_record(slot, 0, Kind::Wear)?;
        let ready = self.slot_record(slot, self.layout.ready(), Kind::Ready)?;
        let header = self.header(slot, &mut name)?.map(|header| {
            let name = name.get(..header.name_bytes.into()).unwrap_or_default();
            FoundHeader { header, name_crc: crc32c(0, name) }
        });
        let [from, _] = self.layout.headers();
        let headers_blank =
            header.is_none() && self.zero_bits(slot, from, self.layout.data())? == 0;
        let (from, end) = (self.layout.tombstones(), self.layout.slot_bytes);
        let tombstone_bits = self.zero_bits(slot, from, end)?;
        Ok(Observed { wear, ready, header, headers_blank, tombstone_bits })
    }

    fn slot_record(&mut self, slot: usize, at: u32, kind: Kind) -> Tried<Option<SlotRecord>> {
        let mut bytes = [0; SLOT_RECORD_BYTES];
        self.read(slot, at, &mut bytes)?;
        let expected = Shape::new(&self.layout, slot);
        match SlotRecord::decode(&bytes, kind, expected) {
            Decoded::Valid(record) => Ok(Some(record)),
            Decoded::Invalid => Ok(None),
            Decoded::Version(found) => {
                Err(self.fails(FlashError::Version { slot, found, known: VERSION }))
            }
            Decoded::Shape(found) => {
                Err(self.fails(FlashError::OtherShape { slot, expected, found }))
            }
        }
    }

    /// The file header of which a copy verifies; its name is then in the buffer.
    fn header(&mut self, slot: usize, name: &mut NameBytes) -> Tried<Option<FileHeader>> {
        for copy in self.layout.headers() {
            let mut bytes = [0; HEADER_BYTES];
            self.read(slot, copy, &mut bytes)?;
            let Some(header) = FileHeader::peek(&bytes) else { continue };
            if header.name_bytes > self.layout.name_bytes_max {
                continue;
            }
            let name = name.get_mut(..header.name_bytes.into()).unwrap_or_default();
            self.read(slot, copy.saturating_add(small(HEADER_BYTES)), name)?;
            if FileHeader::verifies(&bytes, name) {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// The name of the file in a slot.
    pub(crate) fn name<'a>(
        &mut self,
        slot: usize,
        buffer: &'a mut NameBytes,
    ) -> Tried<Option<&'a [u8]>> {
        let header = self.header(slot, buffer)?;
        Ok(header.and_then(|header| buffer.get(..header.name_bytes.into())))
    }

    /// How many bits are programmed within a slot.
    pub(crate) fn zero_bits(&mut self, slot: usize, from: u32, end: u32) -> Tried<u32> {
        let (mut at, mut bits) = (from, 0_u32);
        let mut buffer = [0; 32];
        while at < end {
            let count = buffer.len().min((end - at) as usize);
            let buffer = buffer.get_mut(..count).unwrap_or_default();
            self.read(slot, at, buffer)?;
            bits = bits.saturating_add(buffer.iter().map(|byte| byte.count_zeros()).sum());
            at = at.saturating_add(small(count));
        }
        Ok(bits)
    }
}
