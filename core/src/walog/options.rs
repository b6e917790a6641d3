//! The options of a log, and their one check.

use crate::EntryId;
use crate::bytes::frame::Form;
use crate::bytes::header::SEGMENT_HEADER_BYTES;
use crate::error::Error;
use crate::storage::{Capabilities, FolderBuf, NameError, StoreError};
#[cfg(feature = "alloc")]
use crate::storage::{Folder, NameBuf};

#[cfg(feature = "alloc")]
use super::name::LOCK;
use super::name::{EXTENSION, numbered};
use super::ranges::{
    BATCH_BYTES, BATCH_ENTRIES, BUFFER_BYTES, Bad, COMPACT_RECORD_BYTES, FIRST_ID, FLUSH_POLICY,
    FULL_RECORD_BYTES, READ_BYTES, SEGMENT_BYTES, SEGMENTS,
};

/// The largest unit that commits are filled up to.
pub(super) const PAD_BYTES_MAX: u32 = 4096;

/// The longest record, unless another limit is asked for.
const RECORD_BYTES_MAX: u32 = 16 << 20;

/// When appended entries are handed to the system without being asked.
///
/// A flush makes entries survive the end of the process, not power loss. A full buffer is always written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlushPolicy {
    /// Only when the buffer is full, and when asked.
    #[default]
    Manual,
    /// After every append.
    EveryAppend,
    /// After that many appends since the last flush.
    EveryEntries(u32),
    /// Once that many bytes are in the buffer.
    EveryBytes(u32),
}

/// The options of a write-ahead log. They are checked once, when the log is opened.
///
/// ```
/// use durability_core::walog::{FlushPolicy, WalOptions};
/// let options = WalOptions::new()
///     .folder("orders")
///     .segment_bytes(1 << 20)
///     .flush_policy(FlushPolicy::EveryEntries(100));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct WalOptions {
    folder: Option<Result<FolderBuf, NameError>>,
    segment_bytes: Option<u64>,
    pub(super) segment_age_ms_max: Option<u64>,
    pub(super) segments_max: u32,
    buffer_bytes: u32,
    read_bytes: u32,
    record_bytes_max: Option<u32>,
    pub(super) batch_bytes_max: u64,
    pub(super) batch_entries_max: u32,
    alignment: Option<u32>,
    compact_frames: bool,
    pub(super) preallocate: bool,
    pub(super) recycle: bool,
    pub(super) mark_after_sync: bool,
    pub(super) commit_alignment: u32,
    scan_at_open: bool,
    flush_policy: FlushPolicy,
    pub(super) first_id: EntryId,
    pub(super) log_id: Option<u64>,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl WalOptions {
    /// The defaults, as told at each setter.
    pub const fn new() -> Self {
        Self {
            folder: None,
            segment_bytes: None,
            segment_age_ms_max: None,
            segments_max: 65_536,
            buffer_bytes: 1 << 20,
            read_bytes: 256 << 10,
            record_bytes_max: None,
            batch_bytes_max: 64 << 20,
            batch_entries_max: 1 << 20,
            alignment: None,
            compact_frames: false,
            preallocate: false,
            recycle: false,
            mark_after_sync: false,
            commit_alignment: 1,
            scan_at_open: false,
            flush_policy: FlushPolicy::Manual,
            first_id: EntryId::FIRST,
            log_id: None,
        }
    }

    /// The folder of the segments below the directory, `"wal"` by default. One folder holds one log.
    #[must_use]
    pub fn folder(mut self, folder: &str) -> Self {
        self.folder = Some(FolderBuf::new(folder));
        self
    }

    /// The size at which a segment is sealed and the next begun: 64 MiB by default, or what suits the directory
    /// ([`Capabilities::segment_bytes`]). From 128 bytes to 4 GiB - 1. A record or batch larger than it gets a segment of its own.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    /// The age, by the clock of the [`Hooks`](super::Hooks), from which the next append begins a new segment. None by
    /// default.
    #[must_use]
    pub fn segment_age_ms_max(mut self, age_ms: u64) -> Self {
        self.segment_age_ms_max = Some(age_ms);
        self
    }

    /// The most segments that appending makes: 65,536 by default, from 1. Beyond it appends are refused, without effect, until the
    /// log is truncated. Repair and truncation may go beyond it. A log of more than twice as many files and 16 is not opened, which bounds the memory of
    /// opening, about 80 bytes for each.
    #[must_use]
    pub fn segments_max(mut self, count: u32) -> Self {
        self.segments_max = count;
        self
    }

    /// The writer's buffer: 1 MiB by default. From 256 bytes to 256 MiB, rounded up to a multiple of 256.
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: u32) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// The block in which segments are read: 256 KiB by default. From 256 bytes to 256 MiB. Where a batch is longer, reading takes up to 16 times
    /// as much memory; one that is longer still is read twice.
    #[must_use]
    pub fn read_bytes(mut self, bytes: u32) -> Self {
        self.read_bytes = bytes;
        self
    }

    /// The longest record, encoded: 16 MiB by default, at most 2^28 - 1. A log that holds longer ones is not read
    /// beyond them, with an error. With [`compact_frames`](Self::compact_frames) it is at most 8,189, and so long are the longest that are
    /// appended by default.
    #[must_use]
    pub fn record_bytes_max(mut self, bytes: u32) -> Self {
        self.record_bytes_max = Some(bytes);
        self
    }

    /// The largest batch in bytes, frames included: 64 MiB by default, at most 2 GiB.
    #[must_use]
    pub fn batch_bytes_max(mut self, bytes: u64) -> Self {
        self.batch_bytes_max = bytes;
        self
    }

    /// The most entries in a batch: 2^20 by default.
    #[must_use]
    pub fn batch_entries_max(mut self, count: u32) -> Self {
        self.batch_entries_max = count;
        self
    }

    /// What frames are padded to: a power of two from 4 to 256, at least the directory's write granule; the greater of 4 and the
    /// granule by default.
    #[must_use]
    pub fn alignment(mut self, bytes: u32) -> Self {
        self.alignment = Some(bytes);
        self
    }

    /// Whether the frames of new segments are compact: 8 bytes of header in place of 16. Off by default.
    ///
    /// For small records on storage where every byte counts: one of 32 bytes takes 40 in place of 48. What it costs: a record has at most 8,189 bytes
    /// ([`record_bytes_max`](Self::record_bytes_max)); opening a log that was closed reads its last segment; and reading by id passes the last segment from
    /// its beginning each time. Every byte is under a checksum of 32 bits as ever, and the same is promised (GUARANTEES.md, "Compact frames").
    ///
    /// Each segment says which frames it has, so a log may have both, and every reader reads both, whatever its options. A log that was written with the other
    /// setting goes on in a new segment. Versions before this option refuse a log with compact frames as newer.
    #[must_use]
    pub const fn compact_frames(mut self, compact: bool) -> Self {
        self.compact_frames = compact;
        self
    }

    /// Whether new segments reserve their whole size at once, but for a log's very first one, which a crash could otherwise leave
    /// with a header that looks damaged. Off by default.
    ///
    /// Durable appends into written room are faster, since a sync has no new size or blocks to write down. What it costs: every byte of the log is written
    /// twice, once as a zero; the tail takes [`segment_bytes`](Self::segment_bytes) of disk space from its beginning, and the next segment, where segments are
    /// [prepared](super::RawWalWriter::prepare), as much again (128 MiB in all by default). Without preparing, an append that rotates fills the new
    /// segment itself: that is why this is off unless it is asked for.
    #[must_use]
    pub fn preallocate(mut self, preallocate: bool) -> Self {
        self.preallocate = preallocate;
        self
    }

    /// Whether the file of a pruned segment is used again for the next one that is [prepared](super::RawWalWriter::prepare), instead of being deleted: filled
    /// with zeros and synced under its old name, and only then renamed. At most one file is kept for it. Off by default, and without effect where files
    /// cannot be renamed or opened again, or without [`preallocate`](Self::preallocate).
    ///
    /// It saves the file system from freeing and finding blocks. What it takes away: a reader that has a pruned segment open can no longer read it to its
    /// end. Readers with this option, in any process, tell a file that was used again from damage and from a log's end, and report
    /// [`Error::Missing`], as they do for a deleted one. Switch it on only where every reader beside the writer has it too.
    #[must_use]
    pub fn recycle(mut self, recycle: bool) -> Self {
        self.recycle = recycle;
        self
    }

    /// Whether every sync is followed by a mark, one small unsynced write, that lets a later reader tell damage to the entries
    /// synced last from a torn tail (see GUARANTEES.md, "The window"). Off by default.
    #[must_use]
    pub fn mark_after_sync(mut self, mark: bool) -> Self {
        self.mark_after_sync = mark;
        self
    }

    /// Fills every commit up to a multiple of so many bytes, a power of two up to 4096, so that no later write touches a sector whose content was acknowledged.
    ///
    /// For devices that may damage a sector when the power fails while it is written over (without *powersafe overwrite*; see the assumptions in
    /// GUARANTEES.md). It costs up to that many bytes for each commit; what fills them are frames that hold nothing. A log that ends elsewhere goes on in a new
    /// segment. 1, the default, is none.
    #[must_use]
    pub const fn commit_alignment(mut self, bytes: u32) -> Self {
        self.commit_alignment = bytes;
        self
    }

    /// Whether opening for writing syncs and reads the whole last segment even if the log was closed, in place of its end alone. Off by
    /// default: what a close frame vouches for was durable, and damage to it is found by the next replay. On, damage to the last segment, or to any
    /// segment's header, is found at once, and a log that was copied into place without being synced becomes durable.
    #[must_use]
    pub fn scan_at_open(mut self, scan: bool) -> Self {
        self.scan_at_open = scan;
        self
    }

    /// When to flush without being asked; [`FlushPolicy::Manual`] by default.
    #[must_use]
    pub fn flush_policy(mut self, policy: FlushPolicy) -> Self {
        self.flush_policy = policy;
        self
    }

    /// The id of the first entry of a log that is made anew; 1 by default. It lets a log begin behind a checkpoint that came from
    /// elsewhere. An existing log keeps its ids.
    #[must_use]
    pub fn first_id(mut self, id: EntryId) -> Self {
        self.first_id = id;
        self
    }

    /// The id of a log that is made anew; [`Directory::nonce`](crate::storage::Directory::nonce) by default. Two logs that ever used
    /// the same storage must not have the same one.
    #[must_use]
    pub fn log_id(mut self, id: u64) -> Self {
        self.log_id = Some(id);
        self
    }

    /// What frames are padded to.
    pub(super) fn aligned_to(&self, capabilities: &Capabilities) -> u32 {
        self.alignment.unwrap_or(capabilities.write_granule().max(4))
    }

    /// The size at which a segment is full.
    pub(super) fn full_at(&self, capabilities: &Capabilities) -> u64 {
        let asked = self.segment_bytes.or(capabilities.segment_bytes()).unwrap_or(64 << 20);
        asked.min(file_bytes_max(capabilities))
    }

    /// The form of the frames that are appended.
    pub(super) const fn form(&self) -> Form {
        if self.compact_frames { Form::Compact } else { Form::Full }
    }

    /// The longest record that is read.
    pub(super) fn longest_read(&self) -> u32 {
        self.record_bytes_max.unwrap_or(RECORD_BYTES_MAX)
    }

    /// The longest record that is appended.
    pub(super) fn longest_appended(&self) -> u32 {
        let default = RECORD_BYTES_MAX.min(self.form().payload_bytes_max());
        self.record_bytes_max.unwrap_or(default)
    }

    /// Checks every option but the folder, and with buffers of those bytes.
    pub(super) fn check_ranges<E: StoreError>(
        &self,
        capabilities: &Capabilities,
        [buffer_bytes, read_bytes]: [u32; 2],
    ) -> Result<(), Error<E>> {
        let mut bad = Bad::none();
        let granule = capabilities.write_granule();
        bad.unless_power_of_two("write_granule", granule, 1, 256);
        bad.unless_power_of_two("alignment", self.aligned_to(capabilities), granule.max(4), 256);
        bad.unless_power_of_two("commit_alignment", self.commit_alignment, 1, PAD_BYTES_MAX);
        bad.unless_in(&SEGMENT_BYTES, self.full_at(capabilities));
        bad.unless_in(&BUFFER_BYTES, buffer_bytes.into());
        bad.unless_in(&READ_BYTES, read_bytes.into());
        let records = match self.form() {
            Form::Full => &FULL_RECORD_BYTES,
            Form::Compact => &COMPACT_RECORD_BYTES,
        };
        bad.unless_in(records, self.longest_appended().into());
        bad.unless_in(&BATCH_BYTES, self.batch_bytes_max);
        bad.unless_in(&BATCH_ENTRIES, self.batch_entries_max.into());
        bad.unless_in(&SEGMENTS, self.segments_max.into());
        if let FlushPolicy::EveryEntries(0) | FlushPolicy::EveryBytes(0) = self.flush_policy {
            bad.unless_in(&FLUSH_POLICY, 0);
        }
        bad.unless_in(&FIRST_ID, self.first_id.get());
        bad.end()
    }

    /// The folder, in which the longest of a log's names is one; `None` is [`Folder::WAL`].
    pub(super) fn checked_folder(&self) -> Result<Option<FolderBuf>, NameError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let folder = folder.as_ref().map_err(|error| *error)?;
        numbered(folder.as_folder(), u32::MAX, EXTENSION)?;
        Ok(Some(folder.clone()))
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn check<E: StoreError>(
        &self,
        capabilities: &Capabilities,
    ) -> Result<Settings, Error<E>> {
        self.check_ranges(capabilities, [self.buffer_bytes, self.read_bytes])?;
        let granule = capabilities.write_granule();
        let (alignment, form) = (self.aligned_to(capabilities), self.form());
        let header_bytes = header_bytes(alignment);
        let file_bytes_max = file_bytes_max(capabilities);
        let folder = self.checked_folder()?;
        let prepare = capabilities.reopen() && granule == 1;
        Ok(Settings {
            folder,
            segment_bytes: self.full_at(capabilities),
            segment_age_ms_max: self.segment_age_ms_max,
            segments_max: self.segments_max,
            // A multiple of 256, and far from the greatest number: that was checked.
            buffer_bytes: (self.buffer_bytes as usize).wrapping_add(255) & !255,
            read_bytes: self.read_bytes as usize,
            record_bytes_max: self.longest_read(),
            append_bytes_max: self.longest_appended(),
            batch_bytes_max: self.batch_bytes_max,
            batch_entries_max: self.batch_entries_max,
            alignment,
            form,
            frame_extra_bytes: form.header_bytes() as u64 + u64::from(alignment) - 1,
            plain: form == Form::Full && self.segment_age_ms_max.is_none(),
            header_bytes,
            granule,
            file_bytes_max,
            reopen: capabilities.reopen(),
            prepare,
            preallocate: self.preallocate,
            recycle: self.recycle && self.preallocate && prepare && capabilities.rename(),
            mark_after_sync: self.mark_after_sync,
            commit_alignment: self.commit_alignment,
            scan_at_open: self.scan_at_open,
            flush_policy: self.flush_policy,
            first_id: self.first_id,
            log_id: self.log_id,
        })
    }
}

/// Whether a segment that is sealed there gives its room back: that costs the sync a change of the file's size, which is not worth it for the little
/// that a full segment has left.
pub(super) fn trims_at(segment_bytes: u64, end: u64) -> bool {
    segment_bytes.saturating_sub(end) > segment_bytes / 16
}

/// No file is longer: frames say their offsets in 32 bits.
pub(super) fn file_bytes_max(capabilities: &Capabilities) -> u64 {
    capabilities.file_bytes_max().min(u64::from(u32::MAX))
}

/// Bytes of a segment's header, with its padding. The alignment is a power of two.
pub(super) fn header_bytes(alignment: u32) -> u64 {
    let mask = u64::from(alignment.wrapping_sub(1));
    (SEGMENT_HEADER_BYTES as u64).wrapping_add(mask) & !mask
}

/// How segments are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) read_bytes: usize,
    /// The longest record that is read.
    pub(crate) record_bytes_max: u32,
}

/// The options after their check, with everything filled in.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    folder: Option<FolderBuf>,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_age_ms_max: Option<u64>,
    pub(crate) segments_max: u32,
    pub(crate) buffer_bytes: usize,
    pub(crate) read_bytes: usize,
    /// The longest record that is read.
    pub(crate) record_bytes_max: u32,
    /// The longest record that is appended.
    pub(crate) append_bytes_max: u32,
    pub(crate) batch_bytes_max: u64,
    pub(crate) batch_entries_max: u32,
    pub(crate) alignment: u32,
    pub(crate) form: Form,
    /// What a frame's header takes, and its padding at most.
    pub(crate) frame_extra_bytes: u64,
    /// Frames are full, and segments of any age: one question less for every append.
    pub(crate) plain: bool,
    pub(crate) header_bytes: u64,
    pub(crate) granule: u32,
    pub(crate) file_bytes_max: u64,
    pub(crate) reopen: bool,
    /// Files can be filled ahead, and written over.
    pub(crate) prepare: bool,
    pub(crate) preallocate: bool,
    pub(crate) recycle: bool,
    pub(crate) mark_after_sync: bool,
    pub(crate) commit_alignment: u32,
    pub(crate) scan_at_open: bool,
    pub(crate) flush_policy: FlushPolicy,
    pub(crate) first_id: EntryId,
    pub(crate) log_id: Option<u64>,
}

#[cfg(feature = "alloc")]
impl Settings {
    pub(crate) const fn reading(&self) -> Reading {
        let Self { read_bytes, record_bytes_max, .. } = *self;
        Reading { read_bytes, record_bytes_max }
    }

    pub(crate) fn folder(&self) -> Folder<'_> {
        self.folder.as_ref().map_or(Folder::WAL, FolderBuf::as_folder)
    }

    /// The name of a segment's file. The check has tried the longest one.
    pub(crate) fn segment_name<E: StoreError>(&self, number: u32) -> Result<NameBuf, Error<E>> {
        Ok(numbered(self.folder(), number, EXTENSION)?)
    }

    /// See [`trims_at`].
    pub(crate) fn trims_at(&self, end: u64) -> bool {
        trims_at(self.segment_bytes, end)
    }

    /// Errors about the folder as a whole name its lock.
    pub(crate) fn lock_name<E: StoreError>(&self) -> Result<NameBuf, Error<E>> {
        Ok(NameBuf::join(self.folder(), LOCK)?)
    }
}
