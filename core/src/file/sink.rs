//! Frames on their way into one file: a fixed buffer, whole granules, and no second chance after a failure.
//!
//! Must never write a granule twice, never acknowledge anything after a failed call, never allocate after it was made (but for one frame that is larger
//! than the buffer and must not be written yet).

use embedded_io::{Error as _, ErrorKind};

use crate::bytes::compact;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, Form, HEADER_BYTES, Header};
use crate::error::{Context as _, Error, Operation};
use crate::storage::{AppendFile, NameBuf, StoreError};

use super::memory::{Buffer, Own, grow, reserve};

/// A file, and the buffer in front of it.
pub(crate) type Lent<A, B = Own> = (A, B);

/// A buffer in front of a file.
#[derive(Debug)]
pub(crate) struct Sink<A, B = Own> {
    /// Absent while it is lent.
    file: Option<A>,
    name: NameBuf,
    /// Where the buffer begins in the file: asking the file may cost a call for every frame.
    base: u64,
    buffer: B,
    /// How long the buffer may become: reserved when it was made, and touched only as far as it is used.
    buffer_bytes: usize,
    filled: usize,
    granule: usize,
    poisoned: bool,
}

/// What of a buffer that grows is touched at first: an opened log may never need more.
const FIRST_BYTES: usize = 16 << 10;

impl<A, B> Sink<A, B>
where
    B: Buffer,
    A: AppendFile,
    A::Error: StoreError,
{
    /// `buffer` is reused, at a length of exactly `buffer_bytes`, a multiple of the greatest granule.
    pub(crate) fn new(
        file: A,
        name: NameBuf,
        mut buffer: B,
        buffer_bytes: usize,
        granule: u32,
    ) -> Result<Self, Error<A::Error>> {
        grow(&mut buffer, buffer_bytes)?;
        Self::growing(file, name, buffer, buffer_bytes, granule)
    }

    /// The same, with a buffer that has its memory from the beginning and touches it only as it is used: [`spare`](Self::spare) may be shorter than what
    /// [`make_spare`](Self::make_spare) can make of it.
    pub(crate) fn growing(
        file: A,
        name: NameBuf,
        mut buffer: B,
        buffer_bytes: usize,
        granule: u32,
    ) -> Result<Self, Error<A::Error>> {
        // Memory that has served to read with may be of any length; what goes out is whole granules.
        if !planted!(GranuleSplit) {
            buffer.cut(buffer_bytes);
        }
        begin(&mut buffer, buffer_bytes)?;
        let (base, granule) = (file.position(), granule as usize);
        let (file, filled, poisoned) = (Some(file), 0, false);
        Ok(Self { file, name, base, buffer, buffer_bytes, filled, granule, poisoned })
    }

    pub(crate) fn name(&self) -> &NameBuf {
        &self.name
    }

    /// Takes the memory out, for the sink of the next file.
    pub(crate) fn take_buffer(&mut self) -> B {
        core::mem::take(&mut self.buffer)
    }

    /// Lends the file, with what is buffered for it, and goes on buffering into `empty` as if that had been written.
    ///
    /// `None` if it is lent already. The buffer that comes back holds [`buffered`](Self::buffered) bytes, as that was before.
    pub(crate) fn lend(
        &mut self,
        mut empty: B,
        buffer_bytes: usize,
    ) -> Result<Option<Lent<A, B>>, Error<A::Error>> {
        self.check()?;
        begin(&mut empty, buffer_bytes)?;
        let Some(file) = self.file.take() else { return Ok(None) };
        self.base = self.offset();
        self.filled = 0;
        Ok(Some((file, core::mem::replace(&mut self.buffer, empty))))
    }

    pub(crate) const fn is_lent(&self) -> bool {
        self.file.is_none()
    }

    /// Takes the file back.
    pub(crate) fn give_back(&mut self, file: A) {
        self.file = Some(file);
    }

    /// Counts bytes as written that whoever has the file writes behind what it was lent with.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.base = self.base.saturating_add(bytes);
    }

    /// Makes the buffer as large as that, and keeps what is in it.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error<A::Error>> {
        grow(&mut self.buffer, bytes.checked_next_multiple_of(256).unwrap_or(bytes))
    }

    /// What waits to be written.
    pub(crate) fn pending(&mut self) -> &mut [u8] {
        self.buffer.as_mut().get_mut(..self.filled).unwrap_or_default()
    }

    /// Where the buffer begins in the file.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Where the next byte will stand in the file.
    #[inline]
    pub(crate) fn offset(&self) -> u64 {
        self.base.wrapping_add(self.filled as u64)
    }

    /// Bytes in the buffer.
    pub(crate) const fn buffered(&self) -> usize {
        self.filled
    }

    /// The unused part of the buffer.
    #[inline]
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.buffer.as_mut().get_mut(self.filled..).unwrap_or_default()
    }

    /// Makes the unused part that long, by writing the buffer out if it must; shorter only where the whole buffer is.
    #[cold]
    pub(crate) fn make_spare(&mut self, bytes: usize) -> Result<(), Error<A::Error>> {
        if self.filled.saturating_add(bytes) > self.longest() {
            self.write_out()?;
        }
        self.lengthen(bytes);
        Ok(())
    }

    /// What the buffer takes, whether or not it is that long yet.
    fn longest(&self) -> usize {
        self.buffer_bytes.max(self.buffer.as_ref().len())
    }

    /// Makes the unused part that long, or as long as the buffer may become. Doubles at least, so that few appends meet it.
    fn lengthen(&mut self, bytes: usize) {
        let wanted =
            self.filled.saturating_add(bytes).max(self.buffer.as_ref().len().saturating_mul(2));
        let wanted = wanted.min(self.buffer_bytes);
        if wanted > self.buffer.as_ref().len() {
            self.buffer.lengthen(wanted); // reserved from the beginning
        }
    }

    /// Fails if an earlier call did.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Error<A::Error>> {
        if self.poisoned && !planted!(PoisonForgotten) {
            Err(Error::Poisoned { file: self.name.clone() })
        } else {
            Ok(())
        }
    }

    /// Appends a frame of the full form whose payload is at hand.
    #[inline]
    pub(crate) fn append(
        &mut self,
        codec: Codec,
        flags: Flags,
        position: u32,
        payload: &[u8],
    ) -> Result<Header, Error<A::Error>> {
        let frame_bytes = codec.full_frame_bytes(payload.len() as u64);
        // Where it does not fit the address space it does not fit the buffer either.
        let frame_bytes = usize::try_from(frame_bytes).unwrap_or(usize::MAX);
        if self.spare().len() < frame_bytes {
            self.make_spare(frame_bytes)?;
        }
        let (head, header) =
            codec.encode(self.offset(), flags, position, length(payload.len()), |crc, seed| {
                crc.update(seed, payload)
            });
        if let Some(place) = self.spare().get_mut(..frame_bytes)
            && let Some((to_head, rest)) = place.split_first_chunk_mut::<HEADER_BYTES>()
            && let Some((to_payload, padding)) = rest.split_at_mut_checked(payload.len())
        {
            *to_head = head;
            to_payload.copy_from_slice(payload);
            zero(padding);
            self.filled = self.filled.saturating_add(frame_bytes);
        } else {
            self.append_in_pieces(codec, &head, payload)?;
        }
        Ok(header)
    }

    /// Appends a frame whose payload is at hand, of either form.
    pub(crate) fn append_any(
        &mut self,
        codec: Codec,
        flags: Flags,
        position: u32,
        payload: &[u8],
    ) -> Result<Header, Error<A::Error>> {
        if codec.form() == Form::Full {
            return self.append(codec, flags, position, payload);
        }
        let frame_bytes = codec.frame_bytes(payload.len() as u64);
        let frame_bytes = usize::try_from(frame_bytes).unwrap_or(usize::MAX);
        if self.spare().len() < frame_bytes {
            self.make_spare(frame_bytes)?;
        }
        let (offset, payload_bytes) = (self.offset(), length(payload.len()));
        let sum = |crc: Crc, seed| crc.update(seed, payload);
        let (head, header) = codec.encode_compact(offset, flags, position, payload_bytes, sum);
        self.place(codec, &head, payload, frame_bytes)?;
        Ok(header)
    }

    /// Puts a frame into the buffer.
    #[inline]
    fn place(
        &mut self,
        codec: Codec,
        head: &[u8],
        payload: &[u8],
        frame_bytes: usize,
    ) -> Result<(), Error<A::Error>> {
        if let Some(place) = self.spare().get_mut(..frame_bytes)
            && let Some((to_head, rest)) = place.split_at_mut_checked(head.len())
            && let Some((to_payload, padding)) = rest.split_at_mut_checked(payload.len())
        {
            to_head.copy_from_slice(head);
            to_payload.copy_from_slice(payload);
            zero(padding);
            self.filled = self.filled.saturating_add(frame_bytes);
            return Ok(());
        }
        self.append_in_pieces(codec, head, payload)
    }

    /// Appends a frame that is larger than the buffer.
    #[cold]
    fn append_in_pieces(
        &mut self,
        codec: Codec,
        head: &[u8],
        payload: &[u8],
    ) -> Result<(), Error<A::Error>> {
        self.put(head)?;
        self.put(payload)?;
        self.pad(codec)
    }

    /// Makes a frame of the full form of a payload that the caller has put into [`spare`](Self::spare), behind room for the header.
    #[inline]
    pub(crate) fn append_in_place(
        &mut self,
        codec: Codec,
        flags: Flags,
        position: u32,
        payload_bytes: usize,
    ) -> Result<Header, Error<A::Error>> {
        let offset = self.offset();
        let (to_head, rest) = self.spare().split_at_mut_checked(HEADER_BYTES).unwrap_or_default();
        let payload = rest.get(..payload_bytes).unwrap_or_default();
        let (head, header) =
            codec.encode(offset, flags, position, length(payload_bytes), |crc, seed| {
                crc.update(seed, payload)
            });
        to_head.copy_from_slice(&head);
        self.filled = self.filled.saturating_add(HEADER_BYTES).saturating_add(payload_bytes);
        self.pad(codec)?;
        Ok(header)
    }

    /// [`append_in_place`](Self::append_in_place), of a compact frame.
    pub(crate) fn append_compact_in_place(
        &mut self,
        codec: Codec,
        flags: Flags,
        position: u32,
        payload_bytes: usize,
    ) -> Result<Header, Error<A::Error>> {
        let offset = self.offset();
        let header_bytes = compact::HEADER_BYTES;
        let (to_head, rest) = self.spare().split_at_mut_checked(header_bytes).unwrap_or_default();
        let payload = rest.get(..payload_bytes).unwrap_or_default();
        let (head, header) =
            codec.encode_compact(offset, flags, position, length(payload_bytes), |crc, seed| {
                crc.update(seed, payload)
            });
        to_head.copy_from_slice(&head);
        self.filled = self.filled.saturating_add(header_bytes).saturating_add(payload_bytes);
        self.pad(codec)?;
        Ok(header)
    }

    /// Zeros up to the next frame.
    #[inline]
    pub(crate) fn pad(&mut self, codec: Codec) -> Result<(), Error<A::Error>> {
        let offset = self.offset();
        let padding = (codec.align(offset).wrapping_sub(offset) & 0xFF) as usize;
        if let Some(place) = self.spare().get_mut(..padding) {
            zero(place);
            self.filled = self.filled.saturating_add(padding);
            return Ok(());
        }
        self.put([0_u8; 256].get(..padding).unwrap_or_default())
    }

    /// Appends raw bytes; what does not fit the buffer goes out, whole granules of it without being copied.
    pub(crate) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error<A::Error>> {
        self.check()?;
        while !bytes.is_empty() {
            if self.filled == 0 && bytes.len() >= self.longest() {
                let whole = bytes.len() - bytes.len() % self.granule.max(1);
                let (direct, rest) = bytes.split_at_checked(whole).unwrap_or((bytes, &[]));
                self.poisoned = true;
                self.base = write_all(lent(&mut self.file)?, &self.name, direct)?;
                self.poisoned = false;
                bytes = rest;
                continue;
            }
            if self.spare().len() < bytes.len() {
                self.lengthen(bytes.len());
            }
            let spare = self.spare();
            let count = spare.len().min(bytes.len());
            let (now, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
            if let Some(place) = spare.get_mut(..count) {
                place.copy_from_slice(now);
            }
            self.filled = self.filled.saturating_add(count);
            bytes = rest;
            if self.filled == self.longest() {
                self.write_out()?;
            }
        }
        Ok(())
    }

    /// Hands the buffer to the file. Between frames it holds whole granules.
    pub(crate) fn write_out(&mut self) -> Result<(), Error<A::Error>> {
        self.check()?;
        if self.filled == 0 {
            return Ok(());
        }
        self.poisoned = true;
        let bytes = self.buffer.as_ref().get(..self.filled).unwrap_or_default();
        self.base = write_all(lent(&mut self.file)?, &self.name, bytes)?;
        self.filled = 0;
        self.poisoned = false;
        Ok(())
    }

    /// Hands the buffer to the file as far as a multiple of `unit` in the file; what lies behind it moves to the buffer's beginning, less than a unit.
    ///
    /// For those who write much: a system keeps files in pages, and a write that ends within one costs it a quarter more.
    pub(crate) fn write_out_units(&mut self, unit: usize) -> Result<(), Error<A::Error>> {
        self.check()?;
        let left = usize::try_from(self.offset() % unit.max(1) as u64).unwrap_or(usize::MAX);
        let Some(count) = self.filled.checked_sub(left).filter(|&count| count > 0) else {
            return Ok(());
        };
        self.poisoned = true;
        let bytes = self.buffer.as_ref().get(..count).unwrap_or_default();
        self.base = write_all(lent(&mut self.file)?, &self.name, bytes)?;
        self.buffer.as_mut().copy_within(count..self.filled, 0);
        self.filled = left;
        self.poisoned = false;
        Ok(())
    }

    /// Hands everything to the system: it survives the end of the process.
    pub(crate) fn flush(&mut self) -> Result<(), Error<A::Error>> {
        self.write_out()?;
        self.poisoned = true;
        lent(&mut self.file)?.flush().on(Operation::Flush, &self.name)?;
        self.poisoned = false;
        Ok(())
    }

    /// Makes everything durable, but for the file's name.
    pub(crate) fn sync(&mut self) -> Result<(), Error<A::Error>> {
        self.write_out()?;
        self.poisoned = true;
        let file = lent(&mut self.file)?;
        let mut synced = file.sync_data();
        if synced.is_err() && planted!(FailedSyncRetried) {
            synced = file.sync_data();
        }
        synced.on(Operation::Sync, &self.name)?;
        self.poisoned = false;
        Ok(())
    }

    /// Gives back reserved room behind the last byte.
    pub(crate) fn trim(&mut self) -> Result<(), Error<A::Error>> {
        self.write_out()?;
        self.poisoned = true;
        lent(&mut self.file)?.trim().on(Operation::Trim, &self.name)?;
        self.poisoned = false;
        Ok(())
    }
}

/// Reserves a buffer, and touches the beginning of it.
fn begin<E: StoreError>(buffer: &mut impl Buffer, buffer_bytes: usize) -> Result<(), Error<E>> {
    reserve(buffer, buffer_bytes)?;
    grow(buffer, FIRST_BYTES.min(buffer_bytes))
}

/// A payload's length as the frame has it; the caller has checked it against a limit that fits.
#[inline]
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Fills with zeros, quickly if there are none to fill: records are often of a multiple of the alignment.
#[inline]
fn zero(padding: &mut [u8]) {
    if !padding.is_empty() {
        padding.fill(0);
    }
}

/// The one loop that writes: `embedded_io`'s panics on `Ok(0)` and gives up when interrupted.
pub(crate) fn write_all<A>(
    file: &mut A,
    name: &NameBuf,
    mut bytes: &[u8],
) -> Result<u64, Error<A::Error>>
where
    A: AppendFile,
    A::Error: StoreError,
{
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => {
                return Err(Error::NoProgress { file: name.clone(), offset: file.position() });
            }
            Ok(_) if planted!(ShortWriteTakenForWhole) => break,
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).on(Operation::Write, name),
        }
    }
    Ok(file.position())
}

/// The file, unless it is lent: then nothing may be written, and whoever tries has lost count.
fn lent<A: AppendFile>(file: &mut Option<A>) -> Result<&mut A, Error<A::Error>>
where
    A::Error: StoreError,
{
    file.as_mut().ok_or_else(|| {
        debug_assert!(false, "the file is lent");
        Error::Poisoned { file: NameBuf::unnamed() }
    })
}
