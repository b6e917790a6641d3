//! Writes a checkpoint: chunk by chunk, then the end frame, then the barriers.
//!
//! Must never let a file look complete before everything in it is written, and never hold more than one chunk.
//!
//! # Crash story
//!
//! Until the end frame is written, the file is refused as unfinished. From then until the syncs of the file and of its
//! folder have returned, a crash may keep any part of it, or its name not at all: the checksums, the end frame's tally among them,
//! refuse whatever is not the whole. Only after both syncs does [`CheckpointWriter::finish`] return the summary that lets the caller
//! remove older checkpoints or log segments.

use core::fmt;

use alloc::vec::Vec;

use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, Form, HEADER_BYTES};
use crate::bytes::header::{CheckpointHeader, Common, FileHeader as _, header_salt};
use crate::bytes::id::number;
use crate::error::{Context as _, Error, Limit, Operation};
use crate::file::sibling::sibling;
use crate::file::sink::Sink;
use crate::storage::{Directory, Locking, Name, NameBuf, StoreError};

use super::options::{Checked, CheckpointOptions};
use super::tally::Tally;
use super::{CheckpointMeta, CheckpointSummary};

/// The buffer is whole granules of any backend.
const BUFFER_UNIT: usize = 256;
/// Writes end where the pages of most systems do, or where that of small chunks would cost too much memory, at a sixteenth of a chunk.
const PAGE_BYTES: usize = 4096;

/// Writes one checkpoint.
///
/// **Durability.** Nothing counts before [`finish`](Self::finish) has returned `Ok`. A writer that is dropped, or fails, leaves an unfinished file
/// that readers refuse.
///
/// Memory: one chunk ([`chunk_bytes`](CheckpointOptions::chunk_bytes)), allocated once.
///
/// ```
/// use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter};
/// use durability_core::storage::{MemoryDirectory, Name};
/// let dir = MemoryDirectory::new();
/// let path = Name::new("ckp/00000001.CKP")?;
/// let mut writer =
///     CheckpointWriter::create(&dir, path, CheckpointMeta::default(), CheckpointOptions::new())?;
/// writer.put(&2_u32)?;
/// for item in ["a", "b"] {
///     writer.put(item)?;
/// }
/// let summary = writer.finish()?;
/// assert_eq!((summary.bytes(), summary.chunks()), (5, 1));
///
/// let mut reader = CheckpointReader::open(&dir, path, CheckpointOptions::new())?;
/// assert_eq!(reader.take::<u32>()?, 2);
/// assert_eq!((reader.take::<String>()?, reader.take::<String>()?), ("a".into(), "b".into()));
/// assert_eq!(reader.finish()?, summary);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CheckpointWriter<D: Directory> {
    dir: D,
    sink: Sink<D::Appender>,
    codec: Codec,
    options: Checked,
    meta: CheckpointMeta,
    /// Writes end at multiples of it.
    unit: usize,
    /// Bytes of the chunk that is being filled.
    filled: usize,
    tally: Tally,
    /// An item was encoded in part.
    broken: bool,
    replaces: Option<Replaces<D::Lock>>,
}

/// The file that the finished one takes the place of.
struct Replaces<L> {
    name: NameBuf,
    _lock: L,
}

impl<D: Directory> CheckpointWriter<D> {
    /// Begins a checkpoint in a new file.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a file of that name, [`Error::BadOption`], [`Error::Limit`] if there is no memory for the chunk, [`Error::Store`].
    pub fn create(
        dir: D,
        path: Name<'_>,
        meta: CheckpointMeta,
        options: CheckpointOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        Self::begin(dir, path, meta, options, None)
    }

    /// Begins a checkpoint that takes the place of the one at `path`, if there is one, when it is finished.
    ///
    /// It is written beside it, under the same name with the extension `TMP`; what a crash has left there is removed. The lock beside it
    /// (extension `LCK`) is held until the writer is dropped.
    ///
    /// **Durability.** After any crash `path` is the old checkpoint or the new one, whole; after [`finish`](Self::finish) the new one.
    ///
    /// # Errors
    /// [Unsupported](Error::is_unsupported) on a backend that cannot [rename](crate::storage::Capabilities::rename), [`Error::Held`] if another writer
    /// replaces the same file, [`Error::Name`], [`Error::BadOption`], [`Error::Limit`], [`Error::Store`].
    pub fn replace(
        dir: D,
        path: Name<'_>,
        meta: CheckpointMeta,
        options: CheckpointOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        let name = NameBuf::from(path);
        if !dir.capabilities().rename() {
            return Err(D::Error::unsupported()).on(Operation::Rename, &name);
        }
        let lock_name = sibling(path, "LCK", "LC2")?;
        let lock = match dir.lock(lock_name.as_name()).on(Operation::Lock, &lock_name)? {
            Locking::Acquired(lock) => lock,
            Locking::Held { holder } => return Err(Error::Held { file: lock_name, holder }),
        };
        let temporary = sibling(path, "TMP", "TM2")?;
        // A crash may bring it back: it is refused by readers, and removed by the next writer.
        dir.remove(temporary.as_name()).on(Operation::Remove, &temporary)?;
        let replaces = Replaces { name, _lock: lock };
        Self::begin(dir, temporary.as_name(), meta, options, Some(replaces))
    }

    fn begin(
        dir: D,
        path: Name<'_>,
        meta: CheckpointMeta,
        options: Checked,
        replaces: Option<Replaces<D::Lock>>,
    ) -> Result<Self, Error<D::Error>> {
        let name = NameBuf::from(path);
        let file = dir.create(path, 0).on(Operation::Create, &name)?;
        let Some(file) = file else { return Err(Error::Exists { file: name }) };
        let crc = Crc::detect();
        let chunk_bytes = u32::try_from(options.chunk_bytes).unwrap_or(u32::MAX);
        let common = Common { alignment: options.alignment, form: Form::Full, log_id: meta.log_id };
        let (last_id, tag, segment) = (number(meta.last_id), meta.tag, meta.segment);
        let header = CheckpointHeader { common, last_id, tag, chunk_bytes, segment }.encode(crc);
        let codec = Codec::new(crc, header_salt(&header), options.alignment);
        let frame_bytes = usize::try_from(codec.frame_bytes(chunk_bytes.into()));
        // A power of two, as the granule is.
        let sixteenth = 1 << (options.chunk_bytes / 16).max(1).ilog2();
        let unit = PAGE_BYTES.min(sixteenth).max(options.granule as usize);
        let buffer_bytes = frame_bytes.unwrap_or(usize::MAX).saturating_add(unit);
        let buffer_bytes = buffer_bytes.next_multiple_of(BUFFER_UNIT);
        let mut sink = Sink::new(file, name, Vec::new(), buffer_bytes, options.granule)?;
        sink.put(&header)?;
        sink.pad(codec)?;
        sink.write_out()?;
        let (filled, tally, broken) = (0, Tally::default(), false);
        Ok(Self { dir, sink, codec, options, meta, unit, filled, tally, broken, replaces })
    }

    /// Appends raw bytes to the state.
    ///
    /// # Errors
    /// [`Error::Limit`] if the state would be larger than
    /// [`checkpoint_bytes_max`](CheckpointOptions::checkpoint_bytes_max) or the file than the backend can hold; [`Error::Poisoned`]; [`Error::Store`] and
    /// [`Error::NoProgress`], which poison.
    #[inline]
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error<D::Error>> {
        self.admit(bytes.len())?;
        let filled = self.filled.saturating_add(bytes.len());
        if filled < self.options.chunk_bytes
            && let Some(chunk) = self.sink.spare().get_mut(HEADER_BYTES..)
            && let Some(place) = chunk.get_mut(self.filled..filled)
        {
            place.copy_from_slice(bytes);
            self.filled = filled;
            return Ok(());
        }
        self.write_across(bytes)
    }

    /// Appends bytes that complete a chunk.
    #[inline(never)]
    fn write_across(&mut self, mut bytes: &[u8]) -> Result<(), Error<D::Error>> {
        while !bytes.is_empty() {
            let spare = self.sink.spare().get_mut(HEADER_BYTES..).unwrap_or_default();
            let chunk = spare.get_mut(..self.options.chunk_bytes).unwrap_or_default();
            let room = chunk.get_mut(self.filled..).unwrap_or_default();
            let count = room.len().min(bytes.len());
            let (now, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
            if let Some(place) = room.get_mut(..count) {
                place.copy_from_slice(now);
            }
            self.filled = self.filled.saturating_add(count);
            bytes = rest;
            if self.filled >= self.options.chunk_bytes {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    #[inline]
    fn admit(&self, more: usize) -> Result<(), Error<D::Error>> {
        self.check()?;
        let found = self.tally.bytes.saturating_add(self.filled as u64).saturating_add(more as u64);
        let limit = self.options.checkpoint_bytes_max;
        if found > limit {
            return Err(Error::Limit { what: Limit::CheckpointBytes, found, limit });
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check(&self) -> Result<(), Error<D::Error>> {
        if self.broken {
            return Err(Error::Poisoned { file: self.sink.name().clone() });
        }
        self.sink.check()
    }

    /// An item is in the stream in part: there is no way to go on.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
    }

    /// Whether the file may hold one more frame.
    fn admit_frame(&mut self, payload_bytes: usize) -> Result<(), Error<D::Error>> {
        let frame_bytes = self.codec.frame_bytes(payload_bytes as u64);
        let found = self.sink.offset().saturating_add(frame_bytes);
        let limit = self.options.file_bytes_max;
        if found > limit {
            self.broken = true;
            return Err(Error::Limit { what: Limit::FileBytes, found, limit });
        }
        Ok(())
    }

    /// Hands the chunk to the file.
    fn write_chunk(&mut self) -> Result<(), Error<D::Error>> {
        self.admit_frame(self.filled)?;
        if self.tally.chunks == u32::MAX {
            self.broken = true;
            let (found, limit) = (1 << 32, u64::from(u32::MAX));
            return Err(Error::Limit { what: Limit::EntryIds, found, limit });
        }
        let position = self.tally.chunks.saturating_add(1);
        let header =
            self.sink.append_in_place(self.codec, Flags::default(), position, self.filled)?;
        self.tally.add(self.codec.crc(), self.filled, header.payload_checksum);
        self.filled = 0;
        self.sink.write_out_units(self.unit)
    }

    /// Completes the checkpoint and makes it durable, name and all.
    ///
    /// **Durability.** After `Ok` it survives power loss, and older ones may go. After an error or a crash in the middle it may be there,
    /// whole, or be refused; nothing may depend on it.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if an earlier call failed; [`Error::Limit`], [`Error::Store`], [`Error::NoProgress`].
    pub fn finish(mut self) -> Result<CheckpointSummary, Error<D::Error>> {
        self.check()?;
        if self.filled > 0 {
            self.write_chunk()?;
        }
        let (payload, length) = self.tally.end().encode();
        self.admit_frame(length)?;
        let flags = Flags { control: true, ..Flags::default() };
        let payload = payload.get(..length).unwrap_or_default();
        self.sink.append(self.codec, flags, self.tally.chunks, payload)?;
        if planted!(CheckpointUnsynced) {
            self.sink.flush()?;
        } else {
            self.sink.sync()?;
        } // crash: refused, or whole, under a name that may be lost
        let mut file = self.sink.name().clone();
        if let Some(replaces) = &self.replaces {
            let to = &replaces.name;
            // Its content is durable, so either name holds a whole checkpoint.
            self.dir.rename(file.as_name(), to.as_name()).on(Operation::Rename, to)?; // crash: old or new
            file.clone_from(to);
        }
        if !planted!(CheckpointNameUnsynced) {
            self.dir.sync_dir(file.as_name().folder()).on(Operation::SyncDir, &file)?;
        }
        let (meta, bytes, chunks) = (self.meta, self.tally.bytes, self.tally.chunks);
        Ok(CheckpointSummary { file, meta, bytes, chunks })
    }

    /// The file being written: a temporary one if it [replaces](Self::replace) another.
    pub fn path(&self) -> Name<'_> {
        self.sink.name().as_name()
    }

    /// Bytes of the state so far.
    pub const fn bytes(&self) -> u64 {
        self.tally.bytes.saturating_add(widen(self.filled))
    }
}

#[expect(clippy::as_conversions, reason = "usize to u64 in a const fn")]
const fn widen(count: usize) -> u64 {
    count as u64
}

impl<D: Directory> fmt::Debug for CheckpointWriter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointWriter")
            .field("path", &self.path())
            .field("meta", &self.meta)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}
