//! Typed entries into frames, through postcard: in place where they fit the buffer, streamed where they do not.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use crate::EntryId;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, Form};
use crate::error::Error;
use crate::storage::Directory;

use super::hooks::Hooks;
use super::raw_writer::RawWalWriter;

/// Writes into a slice.
struct Place<'a> {
    place: &'a mut [u8],
    filled: usize,
}

impl Flavor for Place<'_> {
    type Output = usize;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        let to = self.place.get_mut(self.filled);
        *to.ok_or(postcard::Error::SerializeBufferFull)? = byte;
        self.filled = self.filled.wrapping_add(1);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        let end = self.filled.saturating_add(bytes.len());
        let to = self.place.get_mut(self.filled..end);
        to.ok_or(postcard::Error::SerializeBufferFull)?.copy_from_slice(bytes);
        self.filled = end;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.filled)
    }
}

/// Hands the bytes on in pieces.
struct Pieces<F> {
    take: F,
    piece: [u8; 128],
    filled: usize,
}

impl<F: FnMut(&[u8]) -> postcard::Result<()>> Pieces<F> {
    const fn new(take: F) -> Self {
        Self { take, piece: [0; 128], filled: 0 }
    }

    fn hand_on(&mut self) -> postcard::Result<()> {
        (self.take)(self.piece.get(..self.filled).unwrap_or_default())?;
        self.filled = 0;
        Ok(())
    }
}

impl<F: FnMut(&[u8]) -> postcard::Result<()>> Flavor for Pieces<F> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.filled == self.piece.len() {
            self.hand_on()?;
        }
        if let Some(to) = self.piece.get_mut(self.filled) {
            *to = byte;
            self.filled = self.filled.saturating_add(1);
        }
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.hand_on()?;
        (self.take)(bytes)
    }

    fn finalize(mut self) -> postcard::Result<()> {
        self.hand_on()
    }
}

/// Encodes without keeping anything.
fn pass<T: Serialize + ?Sized>(
    value: &T,
    take: impl FnMut(&[u8]) -> postcard::Result<()>,
) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Pieces::new(take))
}

fn encoded_bytes<T: Serialize + ?Sized>(value: &T) -> postcard::Result<u64> {
    let mut count = 0_u64;
    pass(value, |bytes| {
        count = count.saturating_add(bytes.len() as u64);
        Ok(())
    })?;
    Ok(count)
}

/// Two encodings of one entry differ: nothing can be framed.
const UNSTEADY: postcard::Error = postcard::Error::SerdeSerCustom;

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// Appends an encoded entry.
    #[inline]
    pub(super) fn append_typed<T: Serialize + ?Sized>(
        &mut self,
        entry: &T,
    ) -> Result<EntryId, Error<D::Error>> {
        self.check()?;
        if self.tail.is_open()
            && let Some(payload_bytes) = self.encode_in_place(entry)?
        {
            let frame_bytes = self.frame_bytes(self.check_record(payload_bytes as u64)?);
            if self.has_room(frame_bytes) {
                self.poisoned = true;
                let id = self.frame_in_place(payload_bytes, false)?;
                self.policy()?;
                self.poisoned = false;
                return Ok(id);
            }
        }
        self.append_typed_slowly(entry)
    }

    #[cold]
    fn append_typed_slowly<T: Serialize + ?Sized>(
        &mut self,
        entry: &T,
    ) -> Result<EntryId, Error<D::Error>> {
        let payload_bytes = encoded_bytes(entry).map_err(|source| Error::Encode { source })?;
        self.check_record(payload_bytes)?;
        self.poisoned = true;
        self.make_room(self.frame_bytes(payload_bytes))?;
        let id = self.append_encoded(entry, payload_bytes, false)?;
        self.policy()?;
        self.poisoned = false;
        Ok(id)
    }

    /// Appends encoded entries as a batch and flushes.
    pub(super) fn append_batch_typed<'a, T, I>(
        &mut self,
        entries: I,
    ) -> Result<super::EntryIds, Error<D::Error>>
    where
        T: Serialize + 'a + ?Sized,
        I: Iterator<Item = &'a T> + Clone,
    {
        self.check()?;
        let (mut count, mut bytes) = (0_u64, 0_u64);
        for entry in entries.clone() {
            let payload_bytes = encoded_bytes(entry).map_err(|source| Error::Encode { source })?;
            self.check_record(payload_bytes)?;
            bytes = bytes.saturating_add(self.frame_bytes(payload_bytes));
            count = count.saturating_add(1);
        }
        let ids = super::EntryIds::new(self.next_entry_id(), self.check_batch(count, bytes)?);
        if count == 0 {
            return Ok(ids);
        }
        self.poisoned = true;
        self.make_room(bytes)?;
        let unsteady = || Error::Encode { source: UNSTEADY };
        let mut entries = entries.peekable();
        while let Some(entry) = entries.next() {
            let payload_bytes = encoded_bytes(entry).map_err(|source| Error::Encode { source })?;
            count = count.saturating_sub(1);
            let last = entries.peek().is_none();
            bytes = bytes.checked_sub(self.frame_bytes(payload_bytes)).ok_or_else(unsteady)?;
            // What the iterator's clone and the first encoding said is not so. Without a last frame, the batch does not exist.
            if last != (count == 0) || payload_bytes > self.settings.append_bytes_max.into() {
                return Err(unsteady());
            }
            self.append_encoded(entry, payload_bytes, !last)?;
        }
        if count != 0 {
            return Err(unsteady());
        }
        self.poisoned = false;
        self.flush()?;
        Ok(ids)
    }

    /// Puts the payload behind room for a header; `None` if it does not fit the buffer.
    #[inline]
    fn encode_in_place<T: Serialize + ?Sized>(
        &mut self,
        entry: &T,
    ) -> Result<Option<usize>, Error<D::Error>> {
        let header_bytes = self.codec().header_bytes();
        let spare = self.tail.sink()?.spare();
        let Some(place) = spare.get_mut(header_bytes..) else { return Ok(None) };
        match postcard::serialize_with_flavor(entry, Place { place, filled: 0 }) {
            Ok(payload_bytes) => Ok(Some(payload_bytes)),
            Err(postcard::Error::SerializeBufferFull) => Ok(None),
            Err(source) => Err(Error::Encode { source }),
        }
    }

    /// Makes a frame of what [`encode_in_place`](Self::encode_in_place) put there.
    #[inline]
    fn frame_in_place(
        &mut self,
        payload_bytes: usize,
        more: bool,
    ) -> Result<EntryId, Error<D::Error>> {
        let flags = self.tail.flags(false, more);
        let (codec, position) = (self.codec(), self.tail.position().saturating_add(1));
        if codec.form() == Form::Compact {
            return self.compact_frame_in_place(codec, flags, position, payload_bytes);
        }
        let header = self.tail.sink()?.append_in_place(codec, flags, position, payload_bytes)?;
        Ok(self.appended(&header))
    }

    #[inline(never)]
    fn compact_frame_in_place(
        &mut self,
        codec: Codec,
        flags: Flags,
        position: u32,
        payload_bytes: usize,
    ) -> Result<EntryId, Error<D::Error>> {
        let sink = self.tail.sink()?;
        let header = sink.append_compact_in_place(codec, flags, position, payload_bytes)?;
        Ok(self.appended(&header))
    }

    /// Appends a frame whose payload's length is known.
    fn append_encoded<T: Serialize + ?Sized>(
        &mut self,
        entry: &T,
        payload_bytes: u64,
        more: bool,
    ) -> Result<EntryId, Error<D::Error>> {
        let unsteady = || Error::Encode { source: UNSTEADY };
        let frame_bytes = self.frame_bytes(payload_bytes);
        let sink = self.tail.sink()?;
        if (sink.spare().len() as u64) < frame_bytes {
            sink.make_spare(usize::try_from(frame_bytes).unwrap_or(usize::MAX))?;
        }
        if frame_bytes <= self.tail.sink()?.spare().len() as u64 {
            let encoded = self.encode_in_place(entry)?.ok_or_else(unsteady)?;
            if encoded as u64 != payload_bytes {
                return Err(unsteady());
            }
            return self.frame_in_place(encoded, more);
        }
        let payload_bytes = u32::try_from(payload_bytes).map_err(|_| unsteady())?;
        self.stream(entry, payload_bytes, more)
    }

    /// A payload larger than the buffer: one pass for its checksum, one for its bytes.
    fn stream<T: Serialize + ?Sized>(
        &mut self,
        entry: &T,
        payload_bytes: u32,
        more: bool,
    ) -> Result<EntryId, Error<D::Error>> {
        let encode = |source| Error::Encode { source };
        let flags = self.tail.flags(false, more);
        let (codec, position) = (self.codec(), self.tail.position().saturating_add(1));
        let offset = self.tail.offset();
        let mut result = Ok(());
        let checksum_payload = |crc: Crc, seed| {
            let mut checksum = seed;
            result = pass(entry, |bytes| {
                checksum = crc.update(checksum, bytes);
                Ok(())
            });
            checksum
        };
        let (head, header) =
            codec.encode_head(offset, flags, position, payload_bytes, checksum_payload);
        result.map_err(encode)?;
        let sink = self.tail.sink()?;
        sink.put(head.as_slice())?;
        let (mut checksum, mut count) = (header.checksum, 0_u64);
        let mut failed = None;
        let passed = pass(entry, |bytes| {
            checksum = codec.crc().update(checksum, bytes);
            count = count.saturating_add(bytes.len() as u64);
            sink.put(bytes).map_err(|error| {
                failed = Some(error);
                UNSTEADY
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        passed.map_err(encode)?;
        if count != u64::from(payload_bytes) || checksum != header.payload_checksum {
            return Err(Error::Encode { source: UNSTEADY });
        }
        sink.pad(codec)?;
        Ok(self.appended(&header))
    }
}
