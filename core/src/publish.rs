//! Publishing: a checkpoint takes the place of the log's beginning, and at no moment is neither there.

use serde::Serialize;

use crate::EntryId;
use crate::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointStore, CheckpointWriter};
use crate::error::Error;
use crate::storage::{Directory, FolderBuf, NameError};
use crate::walog::{Hooks, WalWriter};

/// The options of publishing.
///
/// ```
/// use durability_core::publish::PublishOptions;
/// let options = PublishOptions::new().folder("snapshots").keep(3);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct PublishOptions {
    folder: Result<FolderBuf, NameError>,
    checkpoint: CheckpointOptions,
    tag: u32,
    keep: u32,
    prune: bool,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl PublishOptions {
    /// Checkpoints in the folder `"ckp"`, tag 0, two kept, covered segments deleted.
    pub fn new() -> Self {
        Self {
            folder: FolderBuf::new("ckp"),
            checkpoint: CheckpointOptions::new(),
            tag: 0,
            keep: 2,
            prune: true,
        }
    }

    /// The folder of the checkpoints, `"ckp"` by default. One folder holds the checkpoints of one log.
    #[must_use]
    pub fn folder(mut self, folder: &str) -> Self {
        self.folder = FolderBuf::new(folder);
        self
    }

    /// How checkpoints are written.
    #[must_use]
    pub const fn checkpoint(mut self, options: CheckpointOptions) -> Self {
        self.checkpoint = options;
        self
    }

    /// The tag of the checkpoints, 0 by default: the schema of the state.
    #[must_use]
    pub const fn tag(mut self, tag: u32) -> Self {
        self.tag = tag;
        self
    }

    /// How many checkpoints to keep, 2 by default, at least 1. Each can stand in for a damaged newer one, hence the log is kept back to the oldest of
    /// them: 1 needs the least room, and has nothing to fall back on.
    #[must_use]
    pub const fn keep(mut self, count: u32) -> Self {
        self.keep = count;
        self
    }

    /// Whether to delete the segments that all kept checkpoints cover; on by default. Without it the log reaches back to its beginning, for
    /// [`stop_at`](crate::recover::RecoverOptions::stop_at).
    #[must_use]
    pub const fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }
}

/// Publishes checkpoints of a log's state.
///
/// The order, and what a crash between any two steps leaves:
/// 1. The log is made durable: *a state of entries that are not durable would be ahead of the log.*
/// 2. The checkpoint is written, and it and its name are made durable. *Before: an unfinished file, which recovery passes over.*
/// 3. A mark in the log says so, and is made durable. *Before: checkpoint and log, both whole.*
/// 4. Checkpoints of states that a truncation took back are removed, and then those that are older than the ones to keep. *Before: more than are kept.*
/// 5. The segments that all kept checkpoints cover are deleted, oldest first, and the folder is synced. *Before: some of them are left, and dead.*
///
/// So each kept checkpoint meets the log: if the newest is damaged, an older one and the log behind it give the same state.
///
/// ```
/// use durability_core::publish::{CheckpointPublisher, PublishOptions};
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{WalOptions, WalWriter};
/// let dir = MemoryDirectory::new();
/// let mut wal = WalWriter::<String, _>::open(dir.clone(), WalOptions::new().segment_bytes(128))?;
/// let mut publisher = CheckpointPublisher::new(dir, PublishOptions::new())?;
/// let mut state = Vec::new();
/// for number in 0..10 {
///     state.push(format!("entry {number}"));
///     wal.append(&state[number])?;
/// }
/// let published = publisher.publish(&mut wal, &state)?;
/// assert_eq!(published.last_id(), wal.last_entry_id());
/// assert_eq!(wal.segments().count(), 1);
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
#[derive(Debug)]
pub struct CheckpointPublisher<D> {
    store: CheckpointStore<D>,
    options: PublishOptions,
}

/// A checkpoint that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Published {
    generation: u32,
    last_id: Option<EntryId>,
    bytes: u64,
}

impl Published {
    /// Its generation, which its file is named for.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The last entry that it includes.
    pub const fn last_id(&self) -> Option<EntryId> {
        self.last_id
    }

    /// Bytes of its content.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<D: Directory> CheckpointPublisher<D> {
    /// Publishes into a folder of `dir`.
    ///
    /// # Errors
    /// [`Error::Name`] for the folder, [`Error::BadOption`] if none are to be kept.
    pub fn new(dir: D, options: PublishOptions) -> Result<Self, Error<D::Error>> {
        let folder = options.folder.clone()?;
        if options.keep == 0 {
            let max = u64::from(u32::MAX);
            return Err(Error::BadOption { option: "keep", found: 0, min: 1, max });
        }
        Ok(Self { store: CheckpointStore::new(dir, folder.as_folder())?, options })
    }

    /// Publishes `state`, which must be what all entries of the log so far add up to.
    ///
    /// **Durability.** After `Ok` the checkpoint, and everything appended before, survive power loss. After `Err`, or a crash midway, nothing is lost: the log
    /// is whole, or the checkpoint is and the log goes on behind it.
    ///
    /// # Errors
    /// What writing the checkpoint or the log reports. A failure of the checkpoint does not poison the log.
    pub fn publish<S, E, W, H>(
        &mut self,
        wal: &mut WalWriter<E, W, H>,
        state: &S,
    ) -> Result<Published, Error<D::Error>>
    where
        S: Serialize + ?Sized,
        E: Serialize,
        W: Directory<Error = D::Error>,
        H: Hooks,
    {
        let last_id = wal.last_entry_id();
        self.publish_with(wal, last_id, |writer| writer.put(state))
    }

    /// Publishes the state as of entry `last_id`, written by `write` in as many pieces as it likes.
    ///
    /// # Errors
    /// [`Error::Gap`] if the log has not come to `last_id` yet, or begins behind the entry after it; [`Error::Corrupt`] if the folder holds checkpoints of another
    /// log; what `write` returns; as [`publish`](Self::publish).
    pub fn publish_with<E, W, H>(
        &mut self,
        wal: &mut WalWriter<E, W, H>,
        last_id: Option<EntryId>,
        write: impl FnOnce(&mut CheckpointWriter<&D>) -> Result<(), Error<D::Error>>,
    ) -> Result<Published, Error<D::Error>>
    where
        E: Serialize,
        W: Directory<Error = D::Error>,
        H: Hooks,
    {
        if last_id > wal.last_entry_id() {
            let needed = last_id.unwrap_or(EntryId::FIRST);
            let (first, last) = (Some(wal.first_entry_id()), wal.last_entry_id());
            return Err(Error::Gap { needed, first, last });
        }
        // An older state than the log can go on from must not take the place of one that it can.
        let needed = EntryId::new(crate::bytes::id::number(last_id).saturating_add(1));
        if let Some(needed) = needed.filter(|&needed| needed < wal.first_entry_id()) {
            let (first, last) = (Some(wal.first_entry_id()), wal.last_entry_id());
            return Err(Error::Gap { needed, first, last });
        }
        self.store.check_log(wal.raw().log_id(), self.options.checkpoint)?;
        if !planted!(LogUnsyncedBeforeCheckpoint) {
            let _durable = wal.flush_and_sync()?; // crash: the log, durable up to here
        }
        if planted!(PrunedBeforeCheckpoint) {
            wal.truncate_prefix(wal.raw().next_entry_id())?;
        }
        self.store.remove_unfinished(self.options.checkpoint)?;
        let (log_id, segment) = (wal.raw().log_id(), wal.raw().tail_segment());
        let meta = CheckpointMeta { log_id, last_id, tag: self.options.tag, segment };
        let (generation, mut writer) = self.store.create(meta, self.options.checkpoint)?;
        // crash: before it has finished, an unfinished file; after it, checkpoint and log
        let summary = match write(&mut writer).and_then(|()| writer.finish()) {
            Ok(summary) => summary,
            Err(error) => {
                // As far as it goes: what failed on a full disk must not keep the room.
                let path = self.store.path(generation)?;
                let _ignored = self.store.directory().remove(path.as_name());
                return Err(error);
            }
        };
        let raw = wal.raw_mut();
        raw.append_checkpoint(generation, crate::bytes::id::number(last_id))?;
        let _durable = raw.flush_and_sync()?;
        self.store.adopt(&summary);
        if wal.raw().tells_of_truncations() {
            // Before the segments go that tell: a state that was taken back neither stands in for another nor comes back.
            self.store.remove_matching(self.options.checkpoint, |meta| {
                let taken_back = |id| wal.raw().was_truncated(id, meta.segment);
                meta.log_id == log_id && meta.segment != 0 && meta.last_id.is_some_and(taken_back)
            })?; // crash: any of them
        }
        self.store.remove_older(self.options.keep, self.options.checkpoint)?; // crash: any of the older checkpoints
        if self.options.prune
            && let Some(covered) =
                if planted!(PrunedToNewest) { last_id } else { self.store.common_last_id() }
            && let Some(before) = EntryId::new(covered.get().saturating_add(1))
        {
            wal.truncate_prefix(before)?; // crash: a mark, and any of the covered segments, all dead
        }
        Ok(Published { generation, last_id, bytes: summary.bytes() })
    }
}
