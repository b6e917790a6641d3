//! Recovery: the newest usable checkpoint, and the log from there on.
//!
//! What is there is looked at first, a pure plan is made of it, and only then state is built. Nothing is changed.

mod index;
mod manager;
mod plan;

pub use index::{IndexSegment, IndexState};
pub use manager::RecoveryManager;

use alloc::vec::Vec;
use core::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::EntryId;
use crate::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointStore};
use crate::error::{Corruption, CorruptionKind, Error};
use crate::mode::ReadMode;
use crate::storage::{Directory, FolderBuf, NameError};
use crate::walog::{Hooks, RawWalReader, ReplayReport, WalOptions, WalReader, WalWriter};

use self::plan::{Candidate, Log, Refusal, plan};

/// The options of recovery.
///
/// ```
/// use durability_core::EntryId;
/// use durability_core::recover::RecoverOptions;
/// let yesterday = RecoverOptions::new().stop_at(EntryId::new(1000));
/// # let _ = yesterday;
/// ```
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    folder: Result<FolderBuf, NameError>,
    checkpoint: CheckpointOptions,
    tag: u32,
    stop_at: Option<EntryId>,
}

impl Default for RecoverOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RecoverOptions {
    /// Checkpoints in the folder `"ckp"`, with tag 0, up to the end of the log.
    pub fn new() -> Self {
        Self {
            folder: FolderBuf::new("ckp"),
            checkpoint: CheckpointOptions::new(),
            tag: 0,
            stop_at: None,
        }
    }

    /// The folder of the checkpoints, `"ckp"` by default.
    #[must_use]
    pub fn folder(mut self, folder: &str) -> Self {
        self.folder = FolderBuf::new(folder);
        self
    }

    /// How checkpoints are read.
    #[must_use]
    pub const fn checkpoint(mut self, options: CheckpointOptions) -> Self {
        self.checkpoint = options;
        self
    }

    /// The tag that a checkpoint must have, 0 by default. Another one is an error, unless a newer checkpoint has the right one: the state would be
    /// misread.
    #[must_use]
    pub const fn tag(mut self, tag: u32) -> Self {
        self.tag = tag;
        self
    }

    /// The last entry to apply; all by default.
    #[must_use]
    pub const fn stop_at(mut self, id: Option<EntryId>) -> Self {
        self.stop_at = id;
        self
    }
}

/// A recovered state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered<S> {
    /// The state after entry [`last_id`](Self::last_id).
    pub state: S,
    /// The last entry that the state includes.
    pub last_id: Option<EntryId>,
    /// What was found on the way.
    pub report: RecoveryReport,
}

/// What recovery found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The generation of the checkpoint that the state began from.
    pub checkpoint: Option<u32>,
    /// The last entry that this checkpoint includes.
    pub checkpoint_last_id: Option<EntryId>,
    /// Newer checkpoints that could not be used: what a crash left unfinished, damage, or states that a truncation has taken back. Nothing is
    /// missing because of them.
    pub skipped: Vec<u32>,
    /// The entries applied, and the torn tail, if the log has one or had one when its writer was opened.
    pub replay: ReplayReport,
}

/// Recovers a state through the log's writer: from the newest usable checkpoint, or from `initial`, and every entry after it.
///
/// Going through the writer means that nobody else changes the log meanwhile, and that what is recovered survives every later crash: opening the
/// writer has made it durable.
///
/// `apply` gets each entry once, in order. The checkpoint is of the state's own type; [`recover_with`] leaves reading it to the caller.
///
/// # Errors
/// - [`Error::Gap`]: entries are missing between the best checkpoint and the log, or there is none and the log does not begin at 1.
/// - [`Error::CheckpointStale`]: a truncation took back entries that the checkpoint includes, and neither an older one nor the log alone can
///   stand for it.
/// - [`Error::CheckpointAhead`]: a checkpoint goes beyond the log; they do not belong together.
/// - [`Error::StopBeforeCheckpoint`]: the state to stop at is older than every usable checkpoint, and the log does not reach back.
/// - [`Error::Corrupt`]: damage to the log; to a checkpoint, if no older one or the log alone can stand for it; a checkpoint of another log.
/// - [`Error::Decode`]: an entry or a state is of another type. [`Error::CheckpointTag`]: so says the checkpoint's tag.
/// - What `apply` returns, and what the directory reports.
///
/// # Examples
/// ```
/// use durability_core::Error;
/// use durability_core::publish::{CheckpointPublisher, PublishOptions};
/// use durability_core::recover::{RecoverOptions, recover_with_wal};
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{WalOptions, WalWriter};
///
/// let dir = MemoryDirectory::new();
/// let mut wal = WalWriter::<u64, _>::open(dir.clone(), WalOptions::new())?;
/// for amount in [5, 7, 30] {
///     wal.append(&amount)?;
/// }
/// let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new())?;
/// publisher.publish(&mut wal, &42_u64)?;
/// wal.append(&8)?;
/// wal.close()?;
///
/// let mut wal = WalWriter::<u64, _>::open(dir, WalOptions::new())?;
/// let sum = recover_with_wal(&mut wal, &RecoverOptions::new(), 0, |sum, _id, amount| {
///     *sum += amount;
///     Ok::<(), Error<MemoryError>>(())
/// })?;
/// assert_eq!(sum.state, 50);
/// assert_eq!(sum.report.replay.entries, 1);
/// # Ok::<(), Error<MemoryError>>(())
/// ```
pub fn recover_with_wal<S, E, D, H, X>(
    wal: &mut WalWriter<E, D, H>,
    options: &RecoverOptions,
    initial: S,
    apply: impl FnMut(&mut S, EntryId, E) -> Result<(), X>,
) -> Result<Recovered<S>, X>
where
    S: DeserializeOwned,
    E: Serialize + DeserializeOwned,
    D: Directory,
    H: Hooks,
    X: From<Error<D::Error>>,
{
    recover_with(wal, options, initial, CheckpointReader::take, apply)
}

/// [`recover_with_wal`], with a function that reads the state from the checkpoint, for states that are streamed.
///
/// # Errors
/// As [`recover_with_wal`], and what `load` returns. If `load` fails with [`Error::Corrupt`] or [`Error::Unfinished`], the next older checkpoint is tried.
pub fn recover_with<'w, S, E, D, H, X>(
    wal: &'w mut WalWriter<E, D, H>,
    options: &RecoverOptions,
    initial: S,
    load: impl FnMut(&mut CheckpointReader<&'w D>) -> Result<S, Error<D::Error>>,
    apply: impl FnMut(&mut S, EntryId, E) -> Result<(), X>,
) -> Result<Recovered<S>, X>
where
    E: Serialize + DeserializeOwned,
    D: Directory,
    H: Hooks,
    X: From<Error<D::Error>>,
{
    let log = Log { first: wal.first_entry_id(), last: wal.last_entry_id() };
    // The reader cannot see it any more: opening the writer has repaired it.
    let torn = wal.torn_tail().cloned();
    let reader = wal.reader()?;
    let base = begin(reader.raw(), options, log, initial, load)?;
    let mut recovered = replay(reader, options.stop_at.or(log.last), base, apply)?;
    recovered.report.replay.torn = torn;
    Ok(recovered)
}

/// Recovers a state without the writer and its lock, from what can be read now.
///
/// For a second process that only looks, and for tools: what it shows may not be durable yet, and a writer may go on meanwhile. If that writer publishes
/// or prunes just then, what was looked at first no longer fits what is looked at later: [`Error::Missing`], [`Error::CheckpointAhead`] or [`Error::Gap`] then
/// mean "try again".
///
/// # Errors
/// As [`recover_with_wal`].
pub fn recover_read_only<S, E, D, X>(
    dir: D,
    wal: WalOptions,
    options: &RecoverOptions,
    initial: S,
    apply: impl FnMut(&mut S, EntryId, E) -> Result<(), X>,
) -> Result<Recovered<S>, X>
where
    S: DeserializeOwned,
    E: DeserializeOwned,
    D: Directory,
    X: From<Error<D::Error>>,
{
    let mut reader = WalReader::<E, &D>::open(&dir, wal)?.with_mode(ReadMode::BestEffort);
    let last = reader.scan_last_entry_id()?;
    let log = Log { first: reader.first_entry_id(), last };
    let base = begin(reader.raw(), options, log, initial, CheckpointReader::take)?;
    // Without an end, so that a torn tail behind the last entry is met too.
    replay(reader, options.stop_at, base, apply)
}

/// What the entries are applied to.
struct Base<S> {
    state: S,
    last_id: Option<EntryId>,
    report: RecoveryReport,
}

/// Looks at the checkpoints, plans, and loads the best one that is whole.
fn begin<'d, S, D: Directory>(
    wal: &RawWalReader<&'d D>,
    options: &RecoverOptions,
    log: Log,
    initial: S,
    mut load: impl FnMut(&mut CheckpointReader<&'d D>) -> Result<S, Error<D::Error>>,
) -> Result<Base<S>, Error<D::Error>> {
    let folder = options.folder.clone()?;
    let store = CheckpointStore::new(*wal.directory(), folder.as_folder())?;
    let mut candidates = Vec::new();
    let mut report = RecoveryReport::default();
    let mut damage = None;
    for generation in store.list()?.into_iter().rev() {
        match header(&store, generation, options, wal) {
            Ok(meta) => candidates.push(Candidate { generation, last_id: meta.last_id }),
            // Older than a schema that is the right one: of no use, and no harm.
            Err(error @ Error::CheckpointTag { .. }) if !candidates.is_empty() => {
                damage.get_or_insert(error);
            }
            Err(error) => pass_over(error, generation, &mut report, &mut damage)?,
        }
    }
    let plan = plan(&candidates, log, options.stop_at);
    let plan = match (plan, damage.take()) {
        // What a crash left of a newer one was never a checkpoint.
        (Err(refusal @ Refusal::StopBefore { .. }), Some(Error::Unfinished { .. })) => {
            return Err(refuse(&store, refusal, log));
        }
        // That a checkpoint is damaged says more than that there is none.
        (Err(Refusal::Gap { .. } | Refusal::StopBefore { .. }), Some(damage)) => {
            return Err(damage);
        }
        (Err(refusal), _) => return Err(refuse(&store, refusal, log)),
        (Ok(plan), kept) => {
            damage = kept;
            plan
        }
    };
    for candidate in plan.checkpoints {
        match load_whole(&store, candidate, options, &mut load) {
            Ok(state) => {
                report.checkpoint = Some(candidate.generation);
                report.checkpoint_last_id = candidate.last_id;
                return Ok(Base { state, last_id: candidate.last_id, report });
            }
            Err(error) => pass_over(error, candidate.generation, &mut report, &mut damage)?,
        }
    }
    match damage {
        Some(damage) if !plan.from_nothing => Err(damage),
        _ => Ok(Base { state: initial, last_id: None, report }),
    }
}

/// A checkpoint that is not whole is passed over; any other failure ends the recovery.
fn pass_over<E: crate::storage::StoreError>(
    error: Error<E>,
    generation: u32,
    report: &mut RecoveryReport,
    damage: &mut Option<Error<E>>,
) -> Result<(), Error<E>> {
    let foreign =
        matches!(&error, Error::Corrupt(Corruption { kind: CorruptionKind::LogId { .. }, .. }));
    let passed = matches!(
        error,
        Error::Corrupt(_) | Error::Unfinished { .. } | Error::CheckpointStale { .. }
    );
    if foreign || !passed {
        return Err(error);
    }
    report.skipped.push(generation);
    damage.get_or_insert(error);
    Ok(())
}

fn header<D: Directory>(
    store: &CheckpointStore<&D>,
    generation: u32,
    options: &RecoverOptions,
    wal: &RawWalReader<&D>,
) -> Result<CheckpointMeta, Error<D::Error>> {
    let reader = store.open(generation, options.checkpoint)?;
    let meta = reader.meta();
    if let Some(expected) = wal.log_id()
        && meta.log_id != expected
    {
        let kind = CorruptionKind::LogId { expected, found: meta.log_id };
        let (file, entry_id) = (store.path(generation)?, meta.last_id);
        return Err(Corruption { file, offset: 0, entry_id, kind }.into());
    }
    if let Some(checkpoint) = meta.last_id
        && meta.segment != 0
        && wal.was_truncated(checkpoint, meta.segment)
        && !planted!(StaleCheckpointUsed)
    {
        return Err(Error::CheckpointStale { file: store.path(generation)?, checkpoint });
    }
    if meta.tag != options.tag {
        // What a crash left unfinished is no state of another schema.
        let _whole = reader.verify()?;
        let (file, expected, found) = (store.path(generation)?, options.tag, meta.tag);
        return Err(Error::CheckpointTag { file, expected, found });
    }
    Ok(meta)
}

/// The state of a checkpoint, after all of the file was verified.
fn load_whole<'d, S, D: Directory>(
    store: &CheckpointStore<&'d D>,
    candidate: Candidate,
    options: &RecoverOptions,
    load: &mut impl FnMut(&mut CheckpointReader<&'d D>) -> Result<S, Error<D::Error>>,
) -> Result<S, Error<D::Error>> {
    let path = store.path(candidate.generation)?;
    let dir = *store.directory();
    let mut reader = CheckpointReader::open(dir, path.as_name(), options.checkpoint)?;
    let state = match load(&mut reader) {
        Ok(state) => state,
        // That a file is not whole says more than that its bytes make no sense.
        Err(error @ Error::Decode { .. }) => return reader.verify().and(Err(error)),
        Err(error) => return Err(error),
    };
    let _whole = reader.finish()?;
    Ok(state)
}

fn refuse<D: Directory>(
    store: &CheckpointStore<&D>,
    refusal: Refusal,
    log: Log,
) -> Error<D::Error> {
    let (first, last) = (Some(log.first).filter(|&first| Some(first) <= log.last), log.last);
    match refusal {
        Refusal::Ahead(candidate) => match store.path(candidate.generation) {
            Ok(file) => {
                let checkpoint = candidate.last_id.unwrap_or(EntryId::FIRST);
                Error::CheckpointAhead { file, checkpoint, last }
            }
            Err(error) => error,
        },
        Refusal::StopBeyond(needed) | Refusal::Gap { needed } => Error::Gap { needed, first, last },
        Refusal::StopBefore { stop, oldest } => Error::StopBeforeCheckpoint { stop, oldest },
    }
}

fn replay<S, E, D, X>(
    mut reader: WalReader<E, &D>,
    end: Option<EntryId>,
    base: Base<S>,
    mut apply: impl FnMut(&mut S, EntryId, E) -> Result<(), X>,
) -> Result<Recovered<S>, X>
where
    E: DeserializeOwned,
    D: Directory,
    X: From<Error<D::Error>>,
{
    let Base { mut state, mut last_id, mut report } = base;
    let start = EntryId::new(crate::bytes::id::number(last_id).saturating_add(1));
    if let Some(start) = start
        && end.is_none_or(|end| start <= end)
    {
        let end = end.map_or(Bound::Unbounded, Bound::Included);
        report.replay = reader.replay_each_in((Bound::Included(start), end), |id, entry| {
            last_id = Some(id);
            apply(&mut state, id, entry)
        })?;
    }
    Ok(Recovered { state, last_id, report })
}
