//! The write-ahead log under crashes.
//!
//! Must never acknowledge to the journal what the log did not acknowledge.

use durability_core::storage::Directory;
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, ReadMode};

use crate::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, LogModel, LogOperation,
    LogSeen, PrefixOracle, SimulatedDisk, SurvivorLimits, Workload,
};

use super::case::Case;
use super::family::Cases;
use super::laws::{Failed, hold};
use super::scripts::{Step, scripts};
use super::size::Size;

/// What is done to the log, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// One entry.
    Append,
    /// Two entries, all or none.
    Batch,
    /// To the system.
    Flush,
    /// To the medium.
    Sync,
    /// All that fills whole segments goes.
    TruncatePrefix,
    /// The last entry goes.
    TruncateSuffix,
    /// Everything goes.
    TruncateToEmpty,
    /// Closed, opened and read.
    Reopen,
}

impl Step for Do {
    const ALL: &'static [Self] = &[
        Self::Append,
        Self::Batch,
        Self::Flush,
        Self::Sync,
        Self::TruncatePrefix,
        Self::TruncateSuffix,
        Self::TruncateToEmpty,
        Self::Reopen,
    ];
}

type Wal<'a> = RawWalWriter<&'a SimulatedDisk>;
/// Life, and number within it.
type Tag = u32;

/// A script for a log, and the log's options.
#[derive(Debug, Clone)]
pub struct WalWorkload {
    /// What is done.
    pub script: Vec<Do>,
    /// Whether segments reserve their room.
    pub preallocate: bool,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
}

fn options(preallocate: bool) -> WalOptions {
    // Two entries and the header fill a segment.
    let small = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
    small.preallocate(preallocate)
}

fn payload(tag: Tag) -> [u8; 8] {
    let [a, b, c, d] = tag.to_le_bytes();
    [a, b, c, d, 0xA5, 0xA5, 0xA5, 0xA5]
}

fn tag_of(bytes: &[u8]) -> Result<Tag, Failed> {
    let tag = Tag::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
    hold(bytes == payload(tag), "entries are as written", || format!("{bytes:02x?}"))?;
    Ok(tag)
}

fn contents<D: Directory>(mut reader: RawWalReader<D>) -> Result<LogSeen<Tag>, Failed>
where
    D::Error: 'static,
{
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        let expected = seen.first + seen.records.len() as u64;
        hold(entry.id.get() == expected, "ids have no gap", || {
            format!("{} instead of {expected}", entry.id)
        })?;
        seen.records.push(tag_of(entry.payload)?);
    }
    Ok(seen)
}

/// What a reader sees that takes no lock.
fn look<D: Directory>(mut reader: RawWalReader<D>) -> Result<Vec<Tag>, Failed>
where
    D::Error: 'static,
{
    let mut records = Vec::new();
    let mut entries = reader.entries(ReadMode::BestEffort)?;
    while let Some(entry) = entries.next()? {
        records.push(tag_of(entry.payload)?);
    }
    Ok(records)
}

impl WalWorkload {
    fn open<'a>(&self, disk: &'a SimulatedDisk) -> Result<Wal<'a>, Failed> {
        Ok(RawWalWriter::open(disk, options(self.preallocate))?)
    }

    /// Opens the log and reads it.
    fn open_and_read<'a>(
        &self,
        disk: &'a SimulatedDisk,
    ) -> Result<(Wal<'a>, LogSeen<Tag>), Failed> {
        let mut wal = self.open(disk)?;
        if disk.capabilities().read_while_appending() {
            let seen = contents(wal.reader()?)?;
            return Ok((wal, seen));
        }
        drop(wal);
        let seen = contents(RawWalReader::open(disk, options(self.preallocate))?)?;
        Ok((self.open(disk)?, seen))
    }

    fn work<'a>(
        &self,
        wal: Wal<'a>,
        disk: &'a SimulatedDisk,
        journal: &mut JournalOf<Self>,
    ) -> Ended {
        let mut wal = Some(wal);
        for step in &self.script {
            if let Err(error) = self.step(*step, &mut wal, disk, journal) {
                // A careless caller tries again: a poisoned writer must not acknowledge anything.
                if wal.is_some_and(|mut wal| wal.flush_and_sync().is_ok()) {
                    journal.acknowledge();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn step<'a>(
        &self,
        step: Do,
        slot: &mut Option<Wal<'a>>,
        disk: &'a SimulatedDisk,
        journal: &mut JournalOf<Self>,
    ) -> Ended {
        let wal = slot.as_mut().ok_or("closed")?;
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        let (first, next) = (wal.first_entry_id().get(), wal.next_entry_id().get());
        match step {
            Do::Append => {
                journal.issue(LogOperation::Append(tag));
                wal.append(&payload(tag))?;
            }
            Do::Batch => {
                journal.issue(LogOperation::Batch(vec![tag, tag + 0x8000]));
                wal.append_batch(&[payload(tag), payload(tag + 0x8000)])?;
            }
            Do::Flush => wal.flush()?,
            Do::Sync => {
                let _durable = wal.flush_and_sync()?;
                journal.acknowledge();
            }
            Do::TruncatePrefix => {
                journal.issue(LogOperation::TruncatePrefix(next));
                wal.truncate_prefix(EntryId::new(next).ok_or("0")?)?;
            }
            Do::TruncateSuffix => {
                let from = next.saturating_sub(1).max(first);
                journal.issue(LogOperation::TruncateSuffix(from - 1));
                wal.truncate_suffix(EntryId::new(from).ok_or("0")?)?;
                if from < next {
                    journal.acknowledge();
                }
            }
            Do::TruncateToEmpty => {
                journal.issue(LogOperation::TruncateToEmpty);
                wal.truncate_to_empty()?;
                if first < next {
                    journal.acknowledge();
                }
            }
            Do::Reopen => {
                slot.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                let (again, seen) = self.open_and_read(disk)?;
                journal.recovered(seen);
                *slot = Some(again);
            }
        }
        Ok(())
    }
}

impl Workload for WalWorkload {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.work(self.open(disk)?, disk, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        // Whoever only looks can read every crash state, and sees what opening finds; or more, if a prune mark in the tail covers it.
        let looked = look(RawWalReader::open(disk, options(self.preallocate))?)?;
        let (mut wal, seen) = self.open_and_read(disk)?;
        let same = self.faults || looked.ends_with(&seen.records);
        hold(same, "looking shows what opening finds", || {
            format!("read {looked:?}, then opened {seen:?}")
        })?;
        journal.recovered(seen);
        // A second run, short: what it acknowledges must survive too.
        let tag = journal.epoch() << 16 | 0xFFFF;
        journal.issue(LogOperation::Append(tag));
        wal.append(&payload(tag))?;
        let _durable = wal.flush_and_sync()?;
        journal.acknowledge();
        Ok(())
    }
}

/// Longer scripts, in which segments fill up and go.
fn long_scripts() -> impl Iterator<Item = Vec<Do>> + Send {
    use Do::{Append, Batch, Reopen, Sync, TruncatePrefix, TruncateSuffix, TruncateToEmpty};
    [
        &[Batch, Batch, TruncatePrefix][..],
        &[Batch, Batch, Batch, TruncatePrefix],
        &[Batch, Sync, Batch, TruncatePrefix, Append],
        &[Batch, Batch, TruncateSuffix, Append, Sync],
        &[Batch, Batch, TruncateToEmpty, Append],
        &[Batch, Batch, TruncatePrefix, Reopen, TruncateSuffix],
        &[Append, Sync, Append, Sync, Append],
    ]
    .into_iter()
    .map(<[Do]>::to_vec)
}

fn cases(
    scripts: impl Iterator<Item = Vec<Do>> + Send + 'static,
    bounds: Bounds,
    preallocate: bool,
    faults: bool,
) -> Cases {
    Box::new(scripts.map(move |script| {
        let workload = WalWorkload { script, preallocate, faults };
        Case::new(workload, PrefixOracle::<LogModel<Tag>>::new(), bounds.clone())
    }))
}

fn disk() -> DiskOptions {
    DiskOptions::new().with_tear_unit(32)
}

fn bounds(disk: DiskOptions) -> Bounds {
    Bounds::new(disk)
        .with_depth(2)
        .with_survivors(SurvivorLimits::new().with_exhaustive_max(128).with_samples(16))
}

/// Every short script, two crashes.
pub(super) fn crashes(size: &Size) -> Cases {
    let length = size.pick(1, 2, 3);
    cases(scripts(0..=length).chain(long_scripts()), bounds(disk()), false, false)
}

/// The same on reserved room.
pub(super) fn preallocated(_: &Size) -> Cases {
    let bounds = bounds(disk().with_reserve()).with_depth(1);
    cases(scripts(0..=2).chain(long_scripts()), bounds, true, false)
}

/// The same on flash.
pub(super) fn flash(size: &Size) -> Cases {
    let once = disk().with_write_granule(16).with_program_once().with_blank(0xFF);
    let flash = once.without_rename().without_reopen().without_read_while_appending();
    let length = size.pick(1, 2, 2);
    let on =
        move |disk| cases(scripts(0..=length).chain(long_scripts()), bounds(disk), false, false);
    Box::new(on(flash.without_junk()).chain(on(flash)))
}

/// A fault, then a crash.
pub(super) fn faults(_: &Size) -> Cases {
    let kinds = [
        FaultKind::SyncFailed(DroppedPages::All),
        FaultKind::SyncFailed(DroppedPages::Alternate),
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
    ];
    let bounds = bounds(disk()).with_depth(1).with_faults(&kinds);
    cases(scripts(0..=2).chain(long_scripts()), bounds, false, true)
}
