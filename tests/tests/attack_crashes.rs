//! Crashes of logs with other options: marks, age, large records, wide alignment, options that change between lives.
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
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, LogModel, LogOperation, LogSeen,
    PrefixOracle, SimulatedDisk, Statistics, SurvivorLimits, Workload, explore,
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
    TruncateToFirst,
    Reopen,
}

const ALL: [Do; 9] = [
    Do::Append,
    Do::Batch,
    Do::Flush,
    Do::Sync,
    Do::TruncatePrefix,
    Do::TruncateSuffix,
    Do::TruncateToEmpty,
    Do::TruncateToFirst,
    Do::Reopen,
];

type Wal<'a> = RawWalWriter<&'a SimulatedDisk>;
type Failed = Box<dyn StdError>;
/// Life, and number within it.
type Tag = u32;

struct WalWorkload {
    script: Vec<Do>,
    /// One for each life and reopening in turn.
    options: Vec<WalOptions>,
    lengths: &'static [usize],
    turn: core::cell::Cell<usize>,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    faults: bool,
}

fn small() -> WalOptions {
    // Two entries and the header fill a segment.
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256)
}

fn payload(tag: Tag, lengths: &[usize]) -> Vec<u8> {
    let length = lengths[(tag & 0x7FFF) as usize % lengths.len()].max(4);
    let mut bytes = vec![0xA5; length];
    bytes[..4].copy_from_slice(&tag.to_le_bytes());
    bytes
}

fn contents<D: Directory>(
    mut reader: RawWalReader<D>,
    lengths: &[usize],
) -> Result<LogSeen<Tag>, durability_core::Error<D::Error>> {
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        assert_eq!(entry.id.get(), seen.first + seen.records.len() as u64, "ids have no gap");
        let tag: [u8; 4] = entry.payload[..4].try_into().unwrap();
        assert_eq!(entry.payload, payload(u32::from_le_bytes(tag), lengths), "as written");
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
    fn next_options(&self) -> WalOptions {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        self.options[turn % self.options.len()].clone()
    }

    fn open<'a>(&self, disk: &'a SimulatedDisk) -> Result<Wal<'a>, Failed> {
        Ok(RawWalWriter::open(disk, self.next_options())?)
    }

    /// Opens the log and reads it.
    fn open_and_read<'a>(
        &self,
        disk: &'a SimulatedDisk,
    ) -> Result<(Wal<'a>, LogSeen<Tag>), Failed> {
        let mut wal = self.open(disk)?;
        if disk.capabilities().read_while_appending() {
            let seen = contents(wal.reader()?, self.lengths)?;
            return Ok((wal, seen));
        }
        drop(wal);
        let seen = contents(RawWalReader::open(disk, self.options[0].clone())?, self.lengths)?;
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
                wal.append(&payload(tag, self.lengths))?;
            }
            Do::Batch => {
                journal.issue(LogOperation::Batch(vec![tag, tag + 0x8000]));
                wal.append_batch(&[
                    payload(tag, self.lengths),
                    payload(tag + 0x8000, self.lengths),
                ])?;
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
            Do::TruncateToFirst => {
                journal.issue(LogOperation::TruncateSuffix(first - 1));
                wal.truncate_suffix(EntryId::new(first).ok_or("0")?)?;
                if first < next {
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
        self.turn.set(0);
        self.work(self.open(disk)?, disk, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.turn.set(journal.epoch() as usize);
        // Whoever only looks can read every crash state, and sees what opening finds; or more, if a prune mark in the tail covers it.
        let looked = look(RawWalReader::open(disk, self.options[0].clone())?)?;
        let (mut wal, seen) = self.open_and_read(disk)?;
        if !self.faults && !looked.ends_with(&seen.records) {
            return Err(format!("read {looked:?}, then opened {seen:?}").into());
        }
        journal.recovered(seen);
        // A second run, short: what it acknowledges must survive too.
        let tag = journal.epoch() << 16 | 0xFFFF;
        journal.issue(LogOperation::Append(tag));
        wal.append(&payload(tag, self.lengths))?;
        let _durable = wal.flush_and_sync()?;
        journal.acknowledge();
        Ok(())
    }
}

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

fn long_scripts() -> Vec<Vec<Do>> {
    use Do::{
        Append, Batch, Flush, Reopen, Sync, TruncatePrefix, TruncateSuffix, TruncateToEmpty,
        TruncateToFirst,
    };
    [
        &[Append, Sync, Append, Sync, Append, Sync, Append, Sync][..],
        &[Batch, Sync, Batch, Sync, TruncatePrefix, Append, Sync],
        &[Batch, Sync, Batch, TruncateToFirst, Append, TruncatePrefix],
        &[Batch, TruncateToEmpty, TruncateToEmpty, Append, Sync, TruncateToFirst],
        &[Batch, Batch, TruncateSuffix, Append, Sync, Batch, Sync],
        &[Batch, Flush, Reopen, Append, Flush, Reopen, Batch, Sync],
        &[Append, Sync, TruncateSuffix, Batch, Sync, TruncatePrefix, Reopen],
        &[Append, Reopen, Append, Reopen, TruncateSuffix, Reopen, Batch, Sync],
    ]
    .into_iter()
    .map(<[Do]>::to_vec)
    .collect()
}

fn explore_all(
    scripts: impl IntoIterator<Item = Vec<Do>>,
    bounds: &Bounds,
    options: &[WalOptions],
    lengths: &'static [usize],
    faults: bool,
) -> Statistics {
    let mut sum = Statistics::default();
    for script in scripts {
        let turn = core::cell::Cell::new(0);
        let workload = WalWorkload { script, options: options.to_vec(), lengths, turn, faults };
        match explore(&workload, &PrefixOracle::<LogModel<Tag>>::new(), bounds) {
            Ok(statistics) => sum.add(&statistics),
            Err(failure) => panic!("{:?}: {failure}", workload.script),
        }
    }
    println!("{sum}");
    sum
}

fn disk() -> DiskOptions {
    DiskOptions::new().with_tear_unit(32)
}

fn bounds(disk: DiskOptions) -> Bounds {
    Bounds::new(disk)
        .with_depth(2)
        .with_states_max(20_000)
        .with_survivors(SurvivorLimits::new().with_exhaustive_max(64).with_samples(8))
}

const EIGHT: &[usize] = &[8];

#[test]
fn a_log_with_marks_after_each_sync_survives() {
    let marks = [small().mark_after_sync(true)];
    explore_all(long_scripts(), &bounds(disk()), &marks, EIGHT, false);
    explore_all(scripts(0..=2), &bounds(disk()).with_depth(1), &marks, EIGHT, false);
}

#[test]
fn a_log_of_odd_records_survives() {
    let lengths = &[5, 7, 4, 9, 6];
    explore_all(long_scripts(), &bounds(disk()), &[small()], lengths, false);
}

#[test]
fn a_log_of_records_larger_than_the_buffer_survives() {
    let lengths = &[8, 300, 240, 256, 239, 700];
    let disk = DiskOptions::new().with_tear_unit(128);
    explore_all(long_scripts(), &bounds(disk), &[small()], lengths, false);
}

#[test]
fn a_log_of_wide_alignment_survives() {
    let wide = [small().segment_bytes(1024).alignment(256)];
    let disk = DiskOptions::new().with_tear_unit(128);
    explore_all(long_scripts(), &bounds(disk), &wide, &[8, 250], false);
}

#[test]
fn a_log_whose_options_change_between_lives_survives() {
    let all = [
        small(),
        small().alignment(16).segment_bytes(200),
        small().preallocate(true).segment_bytes(150).mark_after_sync(true),
        small().alignment(64).buffer_bytes(512).segment_bytes(400),
    ];
    // Junk in the padding of a first header of another alignment is taken for damage: FORMAT.md, rule 6.
    explore_all(
        long_scripts(),
        &bounds(disk().with_reserve().without_junk()),
        &all,
        &[8, 5],
        false,
    );
}

#[test]
fn a_preallocated_log_that_is_reopened_survives() {
    let all = [small().preallocate(true)];
    explore_all(long_scripts(), &bounds(disk().with_reserve()), &all, &[8, 5, 20], false);
}

#[test]
fn three_crashes_in_a_row_are_survived() {
    use Do::{Append, Batch, Sync, TruncatePrefix, TruncateSuffix};
    let scripts: [&[Do]; 4] = [
        &[Append, Sync],
        &[Batch, TruncateSuffix],
        &[Append, Sync, Append],
        &[Batch, Append, TruncatePrefix],
    ];
    let bounds = bounds(disk()).with_depth(3).with_states_max(60_000);
    explore_all(scripts.map(<[Do]>::to_vec), &bounds, &[small()], EIGHT, false);
    explore_all(
        scripts.map(<[Do]>::to_vec),
        &bounds,
        &[small().mark_after_sync(true)],
        EIGHT,
        false,
    );
}

#[test]
fn every_fault_and_then_a_crash_with_marks_and_odd_records() {
    let kinds = FaultKind::ALL;
    let bounds = bounds(disk()).with_depth(1).with_faults(&kinds);
    explore_all(long_scripts(), &bounds, &[small()], &[5, 8], true);
    explore_all(long_scripts(), &bounds, &[small().mark_after_sync(true)], EIGHT, true);
}
