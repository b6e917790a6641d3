//! Reads a checkpoint: each chunk verified before a byte of it is shown.
//!
//! Must never show a checkpoint as complete before its end frame has been found to fit.

use core::fmt;

use alloc::vec::Vec;

use crate::EntryId;
use crate::bytes::control::{BadControl, CONTROL_BYTES_MAX, Control};
use crate::bytes::crc::Crc;
use crate::bytes::frame::Codec;
use crate::bytes::header::{
    CHECKPOINT_HEADER_BYTES, CheckpointHeader, Decoded, FileHeader as _, header_salt,
};
use crate::error::{Context as _, Corruption, CorruptionKind, Error, Limit, Operation};
use crate::file::frames::{Bad, BadKind, Frames, Next};
use crate::file::window::Window;
use crate::storage::{Directory, Name, NameBuf};

use super::options::{Checked, CheckpointOptions};
use super::tally::Tally;
use super::{CheckpointMeta, CheckpointSummary};

/// Reads one checkpoint, as a stream.
///
/// No byte is handed out before the checksum of its chunk held, but only [`finish`](Self::finish) shows that the checkpoint is
/// complete: do not act on the state before.
///
/// Two errors say that it cannot be used: [`Error::Unfinished`], if there is no end frame (nothing ever depended on it, if that
/// is because of a crash), and [`Error::Corrupt`]. Fall back to an older checkpoint after either.
///
/// Memory: one read of [`read_bytes`](CheckpointOptions::read_bytes), or the largest chunk if that is more.
///
/// ```
/// use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter};
/// use durability_core::storage::{MemoryDirectory, Name};
/// let dir = MemoryDirectory::new();
/// let path = Name::new("STATE.CKP")?;
/// let mut writer =
///     CheckpointWriter::create(&dir, path, CheckpointMeta::default(), CheckpointOptions::new())?;
/// writer.write_all(b"raw bytes")?;
/// let _ = writer.finish()?;
///
/// let mut reader = CheckpointReader::open(&dir, path, CheckpointOptions::new())?;
/// let (mut state, mut piece) = (Vec::new(), [0; 4]);
/// loop {
///     match reader.read(&mut piece)? {
///         0 => break,
///         count => state.extend_from_slice(&piece[..count]),
///     }
/// }
/// assert_eq!(reader.finish()?.bytes(), 9);
/// assert_eq!(state, b"raw bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CheckpointReader<D: Directory> {
    frames: Frames<D::Reader>,
    meta: CheckpointMeta,
    chunk_bytes_max: u32,
    checkpoint_bytes_max: u64,
    chunk: Chunk,
    tally: Tally,
    ended: bool,
}

/// The chunk that is being read.
#[derive(Debug, Clone, Copy, Default)]
struct Chunk {
    offset: u64,
    bytes: usize,
    read: usize,
}

impl<D: Directory> CheckpointReader<D> {
    /// Opens a checkpoint and checks its header.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such file, [`Error::Unfinished`] if it has no header, [`Error::Corrupt`] if its header is damaged, [`Error::Newer`] if a
    /// later version wrote it, [`Error::Limit`] if its chunks are larger than
    /// [`chunk_bytes_max`](CheckpointOptions::chunk_bytes_max), [`Error::BadOption`], [`Error::Store`].
    pub fn open(
        dir: D,
        path: Name<'_>,
        options: CheckpointOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        let name = NameBuf::from(path);
        let file = dir.open(path).on(Operation::Open, &name)?;
        let Some(file) = file else { return Err(Error::Missing { file: name }) };
        let crc = Crc::detect();
        let mut window = Window::new(file, name, Vec::new(), options.read_bytes)?;
        let bytes = window.at(0, CHECKPOINT_HEADER_BYTES)?;
        let salt = bytes.first_chunk::<CHECKPOINT_HEADER_BYTES>().map_or(0, header_salt);
        let decoded = CheckpointHeader::decode(crc, bytes);
        let file = window.name().clone();
        match decoded {
            Decoded::Header(header) if header.chunk_bytes > 0 => {
                Self::begin(window, crc, salt, header, options)
            }
            Decoded::Blank => Err(Error::Unfinished { file, offset: 0 }),
            Decoded::Newer(newer) => Err(Error::Newer {
                file,
                version: newer.version,
                form: newer.form,
                features: newer.features,
            }),
            Decoded::Header(_) | Decoded::Bad => {
                let kind = CorruptionKind::FileHeader;
                Err(Error::Corrupt(Corruption { file, offset: 0, entry_id: None, kind }))
            }
        }
    }

    fn begin(
        mut window: Window<D::Reader>,
        crc: Crc,
        salt: u32,
        header: CheckpointHeader,
        options: Checked,
    ) -> Result<Self, Error<D::Error>> {
        if header.chunk_bytes as usize > options.chunk_bytes_max {
            let (found, limit) = (header.chunk_bytes.into(), options.chunk_bytes_max as u64);
            return Err(Error::Limit { what: Limit::RecordBytes, found, limit });
        }
        let codec = Codec::new(crc, salt, header.common.alignment);
        let first_frame = codec.align(CHECKPOINT_HEADER_BYTES as u64);
        // A chunk is read as a whole, and what one has needed the next one will need.
        let frame_bytes = codec.frame_bytes(header.chunk_bytes.into());
        window.read_at_least(usize::try_from(frame_bytes).unwrap_or(usize::MAX));
        Ok(Self {
            frames: Frames::new(window, codec, first_frame, header.chunk_bytes),
            meta: CheckpointMeta {
                log_id: header.common.log_id,
                last_id: EntryId::new(header.last_id),
                tag: header.tag,
                segment: header.segment,
            },
            chunk_bytes_max: header.chunk_bytes,
            checkpoint_bytes_max: options.checkpoint_bytes_max,
            chunk: Chunk::default(),
            tally: Tally::default(),
            ended: false,
        })
    }

    /// What the header says.
    pub const fn meta(&self) -> CheckpointMeta {
        self.meta
    }

    /// The file.
    pub fn path(&self) -> Name<'_> {
        self.frames.name().as_name()
    }

    /// Reads raw bytes of the state: at least one, unless `buffer` is empty; 0 at the end.
    ///
    /// # Errors
    /// [`Error::Unfinished`], [`Error::Corrupt`], [`Error::NewerFrame`], [`Error::Limit`] if the state is larger than
    /// [`checkpoint_bytes_max`](CheckpointOptions::checkpoint_bytes_max), [`Error::Store`].
    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error<D::Error>> {
        if let Some(held) = self.held().get(..buffer.len()) {
            buffer.copy_from_slice(held);
            self.consume(buffer.len());
            return Ok(buffer.len());
        }
        self.read_across(buffer)
    }

    /// Reads what is left of the chunk, or from the next one.
    #[inline(never)]
    fn read_across(&mut self, buffer: &mut [u8]) -> Result<usize, Error<D::Error>> {
        let verified = self.verified()?;
        let count = verified.len().min(buffer.len());
        if let Some((to, from)) = buffer.get_mut(..count).zip(verified.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }

    /// Demands the end: that all has been read, and that the end frame fits it.
    ///
    /// # Errors
    /// [`Error::Decode`] without a source if bytes of a whole checkpoint are left over; as [`read`](Self::read) besides.
    pub fn finish(mut self) -> Result<CheckpointSummary, Error<D::Error>> {
        if !self.verified()?.is_empty() {
            let left_over = self.undecodable(None);
            return self.verify().and(Err(left_over));
        }
        let Tally { chunks, bytes, .. } = self.tally;
        Ok(CheckpointSummary { file: self.frames.name().clone(), meta: self.meta, bytes, chunks })
    }

    /// Reads and verifies all that is left, whatever it means, and demands the end.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn verify(mut self) -> Result<CheckpointSummary, Error<D::Error>> {
        loop {
            match self.verified()?.len() {
                0 => return self.finish(),
                count => self.consume(count),
            }
        }
    }

    /// What is left of the chunk, or the next one; empty at the end of the state.
    #[inline]
    pub(super) fn verified(&mut self) -> Result<&[u8], Error<D::Error>> {
        while self.chunk.read >= self.chunk.bytes && !self.ended {
            self.next_chunk()?;
        }
        Ok(self.held())
    }

    /// What is left of the chunk.
    #[inline]
    pub(super) fn held(&self) -> &[u8] {
        let chunk = self.frames.payload(self.chunk.offset, self.chunk.bytes);
        chunk.get(self.chunk.read..).unwrap_or_default()
    }

    /// The next `count` bytes, which are [held](Self::held).
    #[inline]
    pub(super) fn advance(&mut self, count: usize) -> &[u8] {
        let from = self.chunk.read;
        self.consume(count);
        let chunk = self.frames.payload(self.chunk.offset, self.chunk.bytes);
        chunk.get(from..self.chunk.read).unwrap_or_default()
    }

    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.chunk.read = self.chunk.read.saturating_add(count);
    }

    /// A bound on the bytes that are left.
    pub(super) fn left_max(&mut self) -> Result<u64, Error<D::Error>> {
        let held = self.held().len() as u64;
        let rest = self.frames.len()?.saturating_sub(self.frames.cursor().offset);
        Ok(rest.saturating_add(held))
    }

    /// The error for bytes that are not of the type asked for.
    pub(super) fn undecodable(&self, source: Option<postcard::Error>) -> Error<D::Error> {
        let file = self.frames.name().clone();
        Error::Decode { file, offset: self.chunk.offset, entry_id: None, source }
    }

    #[cold]
    fn next_chunk(&mut self) -> Result<(), Error<D::Error>> {
        let before = self.frames.cursor();
        let control = match self.frames.next()? {
            Next::Bad(_) if planted!(UnfinishedCheckpointUsed) => Ok(self.tally.end()),
            Next::Bad(bad) => return Err(self.bad(bad)?),
            Next::Frame(frame) if frame.flags.more => Err(BadControl::Newer(0)),
            Next::Frame(frame) if frame.flags.control => Control::decode(frame.payload),
            Next::Frame(frame) => {
                self.chunk = Chunk { offset: frame.offset, bytes: frame.payload.len(), read: 0 };
                let checksum = self.frames.cursor().checksum;
                self.tally.add(self.frames.codec().crc(), self.chunk.bytes, checksum);
                return self.within_limits();
            }
        };
        if control == Ok(self.tally.end()) {
            self.ended = true;
            return Ok(());
        }
        if control == Ok(Control::Ignored) {
            return Ok(());
        }
        // Asked again, the answer is the same.
        self.frames.set_cursor(before);
        let (file, offset) = (self.frames.name().clone(), before.offset);
        if matches!(control, Err(BadControl::Newer(_))) {
            return Err(Error::NewerFrame { file, offset });
        }
        let kind = CorruptionKind::CheckpointEnd;
        Err(Error::Corrupt(Corruption { file, offset, entry_id: None, kind }))
    }

    fn within_limits(&mut self) -> Result<(), Error<D::Error>> {
        let (found, limit) = (self.chunk.bytes as u64, u64::from(self.chunk_bytes_max));
        let (total, total_max) = (self.tally.bytes, self.checkpoint_bytes_max);
        if found > limit {
            self.chunk.read = self.chunk.bytes;
            return Err(Error::Limit { what: Limit::RecordBytes, found, limit });
        }
        if total > total_max {
            self.chunk.read = self.chunk.bytes;
            let what = Limit::CheckpointBytes;
            return Err(Error::Limit { what, found: total, limit: total_max });
        }
        Ok(())
    }

    /// Unfinished or damaged: with an end frame behind the bad one, it had been written to its end.
    fn bad(&mut self, bad: Bad) -> Result<Error<D::Error>, Error<D::Error>> {
        let file = self.frames.name().clone();
        if matches!(bad.kind, BadKind::Newer | BadKind::Position { .. }) {
            return Ok(bad.error(&file, None));
        }
        let behind = self.frames.search(bad.search_from, self.tally.chunks, |_, _, header| {
            Ok(header.flags.control && header.payload_bytes as usize == CONTROL_BYTES_MAX)
        })?;
        Ok(match behind.found {
            Some(_) => bad.error(&file, None),
            None => Error::Unfinished { file, offset: bad.offset },
        })
    }
}

impl<D: Directory> fmt::Debug for CheckpointReader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointReader")
            .field("path", &self.path())
            .field("meta", &self.meta)
            .field("chunks", &self.tally.chunks)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
