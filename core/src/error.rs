//! What can go wrong, with the file, the offset and the entry that it concerns.
//!
//! A torn tail after a crash is no error: it is in the report of a successful recovery.

mod shown;

use core::fmt;

use crate::EntryId;
use crate::storage::{NameBuf, NameError, StoreError};

use shown::{Holder, Last, Reason};

/// Why an operation failed. `E` is the directory's own error.
///
/// ```
/// use durability_core::{Error, storage::{MemoryDirectory, MemoryError}};
/// use durability_core::walog::{WalOptions, WalWriter};
/// let dir = MemoryDirectory::new();
/// let _first = WalWriter::<u32, _>::open(dir.clone(), WalOptions::new())?;
/// match WalWriter::<u32, _>::open(dir, WalOptions::new()) {
///     Err(Error::Held { file, .. }) => assert_eq!(file.to_string(), "wal/LOCK"),
///     other => panic!("a second writer got in: {other:?}"),
/// }
/// # Ok::<(), Error<MemoryError>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E: StoreError> {
    /// The directory failed. A full medium answers `true` to [`Error::is_no_space`].
    #[error("cannot {operation} {file}: {source}")]
    Store {
        /// What was being done.
        operation: Operation,
        /// The file or folder.
        file: NameBuf,
        /// What the directory said.
        source: E,
    },
    /// The directory accepted no byte of a write and reported no error.
    #[error(
        "cannot write {file} at {offset}: the directory takes no more bytes and gives no reason"
    )]
    NoProgress {
        /// The file.
        file: NameBuf,
        /// Where the bytes should have gone.
        offset: u64,
    },
    /// What is stored is not what was written. Nothing was changed.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The log ends in bytes that no crash-free run leaves, and strict reading was asked for. Nothing acknowledged is
    /// lost; opening the log for writing, or reading with best effort, goes on behind it.
    #[error("{file} has a torn tail of {bytes} bytes at {offset}; the last whole entry is {}", Last(*.last_id))]
    TornTail {
        /// The last file of the log.
        file: NameBuf,
        /// Where the tail begins.
        offset: u64,
        /// Its length up to the last byte that is not blank.
        bytes: u64,
        /// The last entry before it.
        last_id: Option<EntryId>,
    },
    /// The file was never finished: its end is missing, and what is there may be what a crash has left of it.
    #[error("{file} is unfinished: it ends at {offset} without an end frame")]
    Unfinished {
        /// The file.
        file: NameBuf,
        /// Where its frames end.
        offset: u64,
    },
    /// The file was written by a later version. Nothing was changed.
    #[error(
        "{file} needs format version {version}, frame form {form}, features {features:#x}; this version reads version 1, form 0, no features"
    )]
    Newer {
        /// The file.
        file: NameBuf,
        /// Its version.
        version: u16,
        /// Its frame form.
        form: u8,
        /// Its feature bits.
        features: u32,
    },
    /// A frame uses a flag or control kind of a later version. Nothing was changed.
    #[error("{file} holds a frame at {offset} that only a later version can read")]
    NewerFrame {
        /// The file.
        file: NameBuf,
        /// Where the frame begins.
        offset: u64,
    },
    /// Something is larger than the limit set for it. Nothing was written.
    #[error("{what} is {found}, the limit is {limit}")]
    Limit {
        /// What was limited.
        what: Limit,
        /// What was asked for or found.
        found: u64,
        /// What is allowed.
        limit: u64,
    },
    /// An earlier write, flush, sync or create failed. What it left is unknown, so nothing more is acknowledged here; drop the
    /// writer and open the log again.
    #[error("the writer of {file} failed before and is poisoned; open it again to recover")]
    Poisoned {
        /// The file that the failed operation concerned.
        file: NameBuf,
    },
    /// A commit that was begun has not been handed back yet; see [`StagedWriter`](crate::walog::StagedWriter). Nothing was done.
    #[error("a commit to {file} is still running")]
    Busy {
        /// The file that it goes to.
        file: NameBuf,
    },
    /// A commit was handed to a writer that has not begun it; see [`StagedWriter`](crate::walog::StagedWriter). Nothing was done, and the writer that has begun it waits
    /// for it in vain.
    #[error("a commit to {file} was handed to a writer that has not begun it")]
    OtherWriter {
        /// The file that it goes to.
        file: NameBuf,
    },
    /// The log was closed, or whoever worked on it panicked. Nothing was done.
    #[error("the log is closed")]
    Closed,
    /// The system could not begin a thread. Nothing was done.
    #[error("cannot begin a thread")]
    Thread,
    /// There is already something where a fresh one was to be made.
    #[error("{file} exists already")]
    Exists {
        /// What is there.
        file: NameBuf,
    },
    /// A file that must be there is not.
    #[error("{file} does not exist")]
    Missing {
        /// What is not there.
        file: NameBuf,
    },
    /// Another writer has the lock.
    #[error("{file} is held by {}", Holder(*.holder))]
    Held {
        /// The lock.
        file: NameBuf,
        /// The process that holds it, where the system can tell.
        holder: Option<u32>,
    },
    /// A name that no file may have.
    #[error("bad name: {0}")]
    Name(#[from] NameError),
    /// An entry or state cannot be encoded: its `Serialize` failed, or gave two different encodings in a row.
    #[error("cannot encode: {source}")]
    Encode {
        /// What the encoder said.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        source: postcard::Error,
    },
    /// The stored bytes are as written, but are not of the type asked for.
    #[error("{file}: the bytes at {offset} (entry {}) are not of the type asked for: {}", Last(*.entry_id), Reason(.source.as_ref()))]
    Decode {
        /// The file.
        file: NameBuf,
        /// Where the frame or item begins.
        offset: u64,
        /// The entry, in a log.
        entry_id: Option<EntryId>,
        /// What the decoder said; `None` if bytes were left over.
        #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
        source: Option<postcard::Error>,
    },
    /// Entries that the request needs are not in the log, and no checkpoint stands for them.
    #[error("entry {needed} is needed, but the log holds {} to {}", Last(*.first), Last(*.last))]
    Gap {
        /// The first id that is missing.
        needed: EntryId,
        /// The first entry of the log.
        first: Option<EntryId>,
        /// The last entry of the log.
        last: Option<EntryId>,
    },
    /// Entries that a follower has shown are not in the log any more: a truncation took them back, or a crash did before they were durable. Forget what
    /// they did and follow again from `from`; entries that are still there are shown once more. A truncation between this and that, to before `from`, is not told to the new follower.
    ///
    /// A truncation is told in full: `from` may lie before the first entry that this follower has shown. Where the log does not tell any more how far back it goes (it was emptied, or pruned since), `from` is the first entry that the follower has shown.
    #[error("entries from {from} on, shown through {through}, were taken back")]
    TakenBack {
        /// The first entry that may not be as it was shown.
        from: EntryId,
        /// The last entry that was shown.
        through: EntryId,
    },
    /// The checkpoint includes entries that the log does not have, so the two do not belong together.
    #[error("checkpoint {file} goes up to entry {checkpoint}, the log only up to {}", Last(*.last))]
    CheckpointAhead {
        /// The checkpoint.
        file: NameBuf,
        /// The last entry that it includes.
        checkpoint: EntryId,
        /// The last entry of the log.
        last: Option<EntryId>,
    },
    /// A truncation took back entries that the checkpoint includes, and nothing older can stand for it.
    #[error("checkpoint {file} includes entries up to {checkpoint} that a truncation took back")]
    CheckpointStale {
        /// The checkpoint.
        file: NameBuf,
        /// The last entry that it includes.
        checkpoint: EntryId,
    },
    /// A checkpoint is of another kind or schema than the one asked for.
    #[error("checkpoint {file} has tag {found}, expected {expected}")]
    CheckpointTag {
        /// The checkpoint.
        file: NameBuf,
        /// The tag asked for.
        expected: u32,
        /// Its tag.
        found: u32,
    },
    /// The state at an entry before the oldest usable checkpoint was asked for.
    #[error("cannot stop at entry {stop}: the oldest usable checkpoint is at {oldest}")]
    StopBeforeCheckpoint {
        /// The entry asked for.
        stop: EntryId,
        /// The oldest checkpoint there is.
        oldest: EntryId,
    },
    /// An option outside of its range, or that this directory cannot serve.
    #[error("option {option} is {found}, it must be from {min} to {max}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// Its value.
        found: u64,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
}

impl<E: StoreError> Error<E> {
    /// Whether the medium is full: free some space, drop the writer, and open it again.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_no_space())
    }

    /// Whether what is stored is not what was written.
    pub const fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt(_))
    }

    /// The file that it is about, where it is known before its name is.
    pub(crate) const fn file_mut(&mut self) -> Option<&mut NameBuf> {
        match self {
            Self::Store { file, .. }
            | Self::Corrupt(Corruption { file, .. })
            | Self::NewerFrame { file, .. }
            | Self::Missing { file }
            | Self::NoProgress { file, .. }
            | Self::Newer { file, .. }
            | Self::Poisoned { file }
            | Self::Exists { file }
            | Self::Held { file, .. }
            | Self::TornTail { file, .. } => Some(file),
            _ => None,
        }
    }

    /// Whether the directory does not have the operation.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_unsupported())
    }
}

/// Stored bytes that are not what was written: never the work of a crash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{file} is damaged at {offset} (entry {}): {kind}", Last(*.entry_id))]
#[non_exhaustive]
pub struct Corruption {
    /// The file.
    pub file: NameBuf,
    /// Where in the file.
    pub offset: u64,
    /// The first entry that is affected, where it is known.
    pub entry_id: Option<EntryId>,
    /// What does not hold.
    pub kind: CorruptionKind,
}

/// What does not hold in damaged bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CorruptionKind {
    /// The file's header does not verify, and the file is no unfinished creation.
    #[error("the file's header does not verify")]
    FileHeader,
    /// The file's header says that it is another segment.
    #[error("expected segment {expected}, the header says {found}")]
    SegmentNumber {
        /// From the file's name.
        expected: u32,
        /// From the header.
        found: u32,
    },
    /// The file belongs to another log.
    #[error("expected log {expected:#018x}, found {found:#018x}")]
    LogId {
        /// The log's id.
        expected: u64,
        /// The file's.
        found: u64,
    },
    /// A frame's header does not verify.
    #[error("a frame's header does not verify")]
    FrameHeader,
    /// A payload does not verify.
    #[error("expected payload checksum {expected:#010x}, found {found:#010x}")]
    Payload {
        /// As stored in the header.
        expected: u32,
        /// As computed from the bytes.
        found: u32,
    },
    /// Bytes that must be there are blank or beyond the end of the file.
    #[error("expected a frame, found {}", if *.cut { "the end of the file" } else { "blank bytes" })]
    Absent {
        /// The file is too short, rather than blank.
        cut: bool,
    },
    /// A frame is not the one that must stand there.
    #[error("expected the frame of position {expected}, found {found}")]
    Position {
        /// The position that follows.
        expected: u64,
        /// The position found.
        found: u64,
    },
    /// A sealed segment does not end where its successor says.
    #[error("expected the segment to end at {expected}, it does at {found}")]
    SealedEnd {
        /// From the successor's header.
        expected: u64,
        /// Where the frames end.
        found: u64,
    },
    /// A sealed segment does not hold the entries that its successor says.
    #[error("expected {expected} entries below the segment's end, found {found}")]
    SealedEntries {
        /// From the successor's header.
        expected: u64,
        /// As counted.
        found: u64,
    },
    /// The last frame of a sealed segment is not the one that its successor names.
    #[error(
        "expected {expected:#010x} as the checksum of the segment's last frame, found {found:#010x}"
    )]
    SealedChecksum {
        /// From the successor's header.
        expected: u32,
        /// From the last frame.
        found: u32,
    },
    /// A segment that must be there is missing.
    #[error("segment {segment} is missing")]
    Hole {
        /// Its number.
        segment: u32,
    },
    /// The header contradicts the log that it belongs to.
    #[error("the header contradicts the rest of the log")]
    Chain,
    /// A control frame has not the length of its kind, or is not allowed in this file.
    #[error("a control frame is malformed or out of place")]
    Control,
    /// A checkpoint's end frame does not fit its chunks.
    #[error("the checkpoint's end does not fit its chunks")]
    CheckpointEnd,
}

/// What was being done when the directory failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Operation {
    /// Opening for reading.
    Open,
    /// Creating.
    Create,
    /// Opening to append.
    Reopen,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Flushing to the system.
    Flush,
    /// Syncing a file.
    Sync,
    /// Syncing a folder's names.
    SyncDir,
    /// Removing.
    Remove,
    /// Renaming.
    Rename,
    /// Listing a folder.
    List,
    /// Locking.
    Lock,
    /// Giving back reserved room.
    Trim,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Reopen => "reopen",
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Sync => "sync",
            Self::SyncDir => "sync the folder of",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::List => "list the folder of",
            Self::Lock => "lock",
            Self::Trim => "trim",
        })
    }
}

/// What has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of one record's payload.
    RecordBytes,
    /// Bytes of one batch, frames included.
    BatchBytes,
    /// Entries in one batch.
    BatchEntries,
    /// Bytes of a file, or of what must fit into one segment.
    FileBytes,
    /// Segments in a log.
    Segments,
    /// Segment numbers or checkpoint generations: 2^32 - 1 in the life of a log.
    FileNumbers,
    /// Ids: 2^64 - 1 in the life of a log, or 2^32 - 1 in a file.
    EntryIds,
    /// Bytes of a checkpoint.
    CheckpointBytes,
    /// Bytes of memory: the allocator has no more.
    Memory,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecordBytes => "the size of the record in bytes",
            Self::BatchBytes => "the size of the batch in bytes",
            Self::BatchEntries => "the number of entries in the batch",
            Self::FileBytes => "the size of the file in bytes",
            Self::Segments => "the number of segments",
            Self::FileNumbers => "the number of the file",
            Self::EntryIds => "the number of the entry",
            Self::CheckpointBytes => "the size of the checkpoint in bytes",
            Self::Memory => "the memory needed in bytes",
        })
    }
}

/// Attaches what was being done, and to which file.
pub(crate) trait Context<T, E: StoreError> {
    fn on(self, operation: Operation, file: &NameBuf) -> Result<T, Error<E>>;
}

impl<T, E: StoreError> Context<T, E> for Result<T, E> {
    #[inline]
    fn on(self, operation: Operation, file: &NameBuf) -> Result<T, Error<E>> {
        self.map_err(|source| failed(operation, file, source))
    }
}

#[cold]
#[inline(never)]
fn failed<E: StoreError>(operation: Operation, file: &NameBuf, source: E) -> Error<E> {
    Error::Store { operation, file: file.clone(), source }
}
