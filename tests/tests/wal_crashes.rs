//! The write-ahead log survives every crash that the failure model allows, in every short workload.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs
)] // tests

extern crate alloc;

use core::error::Error as StdError;

use durability_core::storage::Directory;
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, ReadMode};
use durability_testkit::simulated::{
    self, Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, LogModel, LogOperation,
    LogSeen, PrefixOracle, SimulatedDisk, Statistics, SurvivorLimits, Workload, shorter,
};

/// What is done to the log, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Append,
    Batch,
    Flush,
    Sync,
    TruncatePrefix,
    TruncateSuffix,
    TruncateToEmpty,
    Reopen,
}

const ALL: [Do; 8] = [
    Do::Append,
    Do::Batch,
    Do::Flush,
    Do::Sync,
    Do::TruncatePrefix,
    Do::TruncateSuffix,
    Do::TruncateToEmpty,
    Do::Reopen,
];

type Wal<'a> = RawWalWriter<&'a SimulatedDisk>;
type Failed = Box<dyn StdError>;
/// Life, and number within it.
type Tag = u32;

struct WalWorkload {
    script: Vec<Do>,
    preallocate: bool,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    faults: bool,
}

fn options(preallocate: bool) -> WalOptions {
    // Two entries and the header fill a segment.
    let small = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
    small.preallocate(preallocate)
}

fn payload(tag: Tag) -> [u8; 8] {
    let mut bytes = [0xA5; 8];
    bytes[..4].copy_from_slice(&tag.to_le_bytes());
    bytes
}

fn contents<D: Directory>(
    mut reader: RawWalReader<D>,
) -> Result<LogSeen<Tag>, durability_core::Error<D::Error>> {
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        assert_eq!(entry.id.get(), seen.first + seen.records.len() as u64, "ids have no gap");
        let tag: [u8; 4] = entry.payload[..4].try_into().unwrap();
        assert_eq!(entry.payload, payload(u32::from_le_bytes(tag)), "as written");
        seen.records.push(u32::from_le_bytes(tag));
    }
    Ok(seen)
}

/// What a reader sees that takes no lock.
fn look<D: Directory>(
    mut reader: RawWalReader<D>,
) -> Result<Vec<Tag>, durability_core::Error<D::Error>> {
    let mut records = Vec::new();
    let mut entries = reader.entries(ReadMode::BestEffort)?;
    while let Some(entry) = entries.next()? {
        records.push(u32::from_le_bytes(entry.payload[..4].try_into().unwrap()));
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
        if !self.faults && !looked.ends_with(&seen.records) {
            return Err(format!("read {looked:?}, then opened {seen:?}").into());
        }
        journal.recovered(seen);
        // A second run, short: what it acknowledges must survive too.
        let tag = journal.epoch() << 16 | 0xFFFF;
        journal.issue(LogOperation::Append(tag));
        wal.append(&payload(tag))?;
        let _durable = wal.flush_and_sync()?;
        journal.acknowledge();
        Ok(())
    }

    fn recovers_as(&self) -> Option<u64> {
        Some(u64::from(self.preallocate) + 2 * u64::from(self.faults))
    }

    fn describe(&self) -> String {
        let steps: Vec<String> = self.script.iter().map(|step| format!("{step:?}")).collect();
        steps.join(", ")
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        scripts.map(|script| Self { script, ..*self }).collect()
    }
}

/// Steps of the scripts that every run tries. Without optimisation two of them take a minute.
const LENGTH: u32 = if cfg!(debug_assertions) { 1 } else { 2 };

/// Every script of these lengths.
fn scripts(lengths: core::ops::RangeInclusive<u32>) -> impl Iterator<Item = Vec<Do>> {
    lengths.flat_map(|length| {
        (0..ALL.len().pow(length)).map(move |mut number| {
            let digits = (0..length).map(|_| {
                let digit = number % ALL.len();
                number /= ALL.len();
                ALL[digit]
            });
            digits.collect()
        })
    })
}

/// Longer scripts, in which segments fill up and go.
fn long_scripts() -> impl Iterator<Item = Vec<Do>> {
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

fn explore_all(
    scripts: impl Iterator<Item = Vec<Do>> + Send,
    bounds: &Bounds,
    preallocate: bool,
    faults: bool,
) -> Statistics {
    let workloads = scripts.map(|script| WalWorkload { script, preallocate, faults });
    let oracle = PrefixOracle::<LogModel<Tag>>::new();
    match simulated::explore_all(workloads, &oracle, bounds, 0) {
        Ok(sum) => {
            println!("{sum}");
            sum
        }
        Err(failure) => panic!("preallocate {preallocate}: {failure}"),
    }
}

fn disk() -> DiskOptions {
    DiskOptions::new().with_tear_unit(32)
}

fn bounds(disk: DiskOptions) -> Bounds {
    Bounds::new(disk)
        .with_depth(2)
        .with_survivors(SurvivorLimits::new().with_exhaustive_max(128).with_samples(16))
}

#[test]
fn the_log_survives_two_crashes_in_every_short_workload() {
    let sum = explore_all(scripts(0..=LENGTH).chain(long_scripts()), &bounds(disk()), false, false);
    assert!(sum.distinct > 10_000 && !sum.cut_short, "{sum}");
}

fn flash() -> DiskOptions {
    let once = disk().with_write_granule(16).with_program_once().with_blank(0xFF);
    once.without_rename().without_reopen().without_read_while_appending()
}

#[test]
fn the_log_survives_on_preallocated_room() {
    explore_all(
        scripts(0..=2).chain(long_scripts()),
        &bounds(disk().with_reserve()).with_depth(1),
        true,
        false,
    );
}

#[test]
fn the_log_survives_on_flash_that_tears_clean() {
    explore_all(
        scripts(0..=LENGTH).chain(long_scripts()),
        &bounds(flash().without_junk()),
        false,
        false,
    );
}

#[test]
fn the_log_survives_on_flash_that_tears_to_junk() {
    explore_all(scripts(0..=LENGTH).chain(long_scripts()), &bounds(flash()), false, false);
}

#[test]
fn the_log_survives_a_fault_and_then_a_crash() {
    let drops =
        [FaultKind::SyncFailed(DroppedPages::All), FaultKind::SyncFailed(DroppedPages::Alternate)];
    let kinds = [
        &drops[..],
        &[FaultKind::Io, FaultKind::IoAfterEffect, FaultKind::NoSpace, FaultKind::ShortWrite],
    ]
    .concat();
    explore_all(
        scripts(0..=2).chain(long_scripts()),
        &bounds(disk()).with_depth(1).with_faults(&kinds),
        false,
        true,
    );
}

/// The whole of tier 4 for the log at length 3; by command: `cargo test --release -p durability-testkit -- --ignored`.
#[test]
#[ignore = "a minute in release"]
fn the_log_survives_two_crashes_in_every_workload_of_three_steps() {
    explore_all(scripts(3..=3), &bounds(disk()), false, false);
}

/// Crashes inside the recoveries of recoveries. By command, as above.
#[test]
#[ignore = "a minute in release"]
fn the_log_survives_three_crashes_in_every_short_workload() {
    let few = SurvivorLimits::new().with_exhaustive_max(16).with_samples(4);
    let bounds = bounds(disk()).with_depth(3).with_survivors_from_crash(2, few);
    let sum = explore_all(scripts(0..=LENGTH).chain(long_scripts()), &bounds, false, false);
    assert!(sum.by_depth.len() == 3, "{sum}");
}
