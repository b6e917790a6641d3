//! The record log survives every crash that the failure model allows, in every short workload, names and faults included.
//!
//! The core's own test of that name goes three crashes deep over one file's bytes; this one has the whole disk.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

extern crate alloc;

use core::error::Error as StdError;

use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::Name;
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, LogModel, LogOperation,
    LogSeen, PrefixOracle, SimulatedDisk, SimulatedError, Statistics, SurvivorLimits, Workload,
    explore,
};

/// Life, and number within it.
type Tag = u32;
type Log<'a> = RecordLogWriter<&'a SimulatedDisk>;
type Failed = Box<dyn StdError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Append,
    Large,
    Flush,
    Sync,
    Reopen,
}

const ALL: [Do; 5] = [Do::Append, Do::Large, Do::Flush, Do::Sync, Do::Reopen];

struct Recording {
    script: Vec<Do>,
    mark: bool,
    faults: bool,
}

fn path() -> Name<'static> {
    Name::new("logs/EVENTS.LOG").expect("a good name")
}

/// A small record, or one of several tear units; it ends in zeros, as the room behind it reads.
fn record(tag: Tag) -> Vec<u8> {
    let mut record = tag.to_le_bytes().to_vec();
    if tag & 0x8000 != 0 {
        record.extend_from_slice(&[0xA5; 50]);
    }
    record.extend_from_slice(&[0; 3]);
    record
}

fn read(
    disk: &SimulatedDisk,
    options: RecordLogOptions,
    mode: ReadMode,
) -> Result<Vec<Tag>, Error<SimulatedError>> {
    let mut reader = RecordLogReader::open(disk, path(), mode, options)?;
    let mut tags = Vec::new();
    while let Some(found) = reader.next()? {
        let tag = u32::from_le_bytes(found.payload[..4].try_into().expect("four bytes"));
        assert_eq!(found.payload, record(tag), "as written");
        assert_eq!(found.id, tags.len() as u64 + 1, "numbers have no gap");
        tags.push(tag);
    }
    Ok(tags)
}

impl Recording {
    fn options(&self) -> RecordLogOptions {
        RecordLogOptions::new().buffer_bytes(256).read_bytes(256).mark_after_sync(self.mark)
    }

    fn open<'a>(&self, disk: &'a SimulatedDisk) -> Result<(Log<'a>, LogSeen<Tag>), Failed> {
        let log = RecordLogWriter::open(disk, path(), self.options())?;
        // The frame that says what is dead may still be in the buffer.
        let records = read(disk, self.options(), ReadMode::BestEffort)?;
        assert_eq!(log.last_record(), EntryId::new(records.len() as u64));
        Ok((log, LogSeen { first: 1, records }))
    }

    fn step<'a>(
        &self,
        step: Do,
        slot: &mut Option<Log<'a>>,
        disk: &'a SimulatedDisk,
        journal: &mut JournalOf<Self>,
    ) -> Ended {
        let log = slot.as_mut().ok_or("closed")?;
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        match step {
            Do::Append | Do::Large => {
                let tag = if step == Do::Large { tag | 0x8000 } else { tag };
                journal.issue(LogOperation::Append(tag));
                log.append(&record(tag))?;
            }
            Do::Flush => log.flush()?,
            Do::Sync => {
                let _durable = log.flush_and_sync()?;
                journal.acknowledge();
            }
            Do::Reopen => {
                slot.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                let strict = read(disk, self.options(), ReadMode::Strict)?;
                let (again, seen) = self.open(disk)?;
                assert_eq!(strict, seen.records);
                journal.recovered(seen);
                *slot = Some(again);
            }
        }
        Ok(())
    }
}

impl Workload for Recording {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut log = Some(self.open(disk)?.0);
        for step in &self.script {
            if let Err(error) = self.step(*step, &mut log, disk, journal) {
                // A careless caller tries again: a poisoned writer must not acknowledge anything.
                if log.is_some_and(|mut log| log.flush_and_sync().is_ok()) {
                    journal.acknowledge();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        // Whoever only looks sees what opening finds.
        let looked = match read(disk, self.options(), ReadMode::BestEffort) {
            Err(Error::Missing { .. }) => Vec::new(),
            looked => looked?,
        };
        let (mut log, seen) = self.open(disk)?;
        if !self.faults && looked != seen.records {
            return Err(format!("read {looked:?}, then opened {seen:?}").into());
        }
        let before = seen.records.len();
        journal.recovered(seen);
        let tag = journal.epoch() << 16 | 0x7FFF;
        journal.issue(LogOperation::Append(tag));
        log.append(&record(tag))?;
        let _durable = log.flush_and_sync()?;
        journal.acknowledge();
        let strict = read(disk, self.options(), ReadMode::Strict)?;
        if strict.len() != before + 1 {
            return Err(format!("{before} records and one more are {strict:?}").into());
        }
        Ok(())
    }
}

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

fn bounds() -> Bounds {
    let survivors = SurvivorLimits::new().with_exhaustive_max(128).with_samples(16);
    Bounds::new(DiskOptions::new().with_tear_unit(16)).with_survivors(survivors)
}

fn explore_all(
    lengths: core::ops::RangeInclusive<u32>,
    bounds: &Bounds,
    faults: bool,
) -> Statistics {
    let mut sum = Statistics::default();
    for (script, mark) in
        scripts(lengths).flat_map(|script| [(script.clone(), false), (script, true)])
    {
        let workload = Recording { script, mark, faults };
        match explore(&workload, &PrefixOracle::<LogModel<Tag>>::new(), bounds) {
            Ok(statistics) => sum.add(&statistics),
            Err(failure) => panic!("{:?}, mark {mark}: {failure}", workload.script),
        }
    }
    println!("{sum}");
    sum
}

#[test]
fn every_short_script_survives_a_crash() {
    let sum = explore_all(0..=3, &bounds(), false);
    assert!(sum.distinct > 5_000 && !sum.cut_short, "{sum}");
}

#[test]
fn every_script_of_two_steps_survives_two_crashes() {
    let survivors = SurvivorLimits::new().with_exhaustive_max(64).with_samples(8);
    let sum = explore_all(0..=2, &bounds().with_depth(2).with_survivors(survivors), false);
    assert!(sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

fn tear_at_any_byte(lengths: core::ops::RangeInclusive<u32>, samples: usize) {
    let disk = DiskOptions::new().with_tear_unit(1).without_junk();
    let survivors = SurvivorLimits::new().with_exhaustive_max(1).with_samples(samples);
    let bounds = Bounds::new(disk).with_depth(2).with_survivors(survivors);
    let sum = explore_all(lengths, &bounds, false);
    assert!(sum.sampled > 0, "{sum}");
}

#[test]
fn every_script_survives_a_tear_at_any_byte() {
    tear_at_any_byte(1..=1, 8);
}

/// More than a million states; by command: `cargo test --release -p durability-testkit --test recordlog_crashes -- --ignored`.
#[test]
#[ignore = "half a minute in release"]
fn every_script_of_two_steps_survives_two_tears_at_any_byte() {
    tear_at_any_byte(2..=2, 40);
}

#[test]
fn every_short_script_survives_a_fault_and_then_a_crash() {
    let kinds = [
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
        FaultKind::SyncFailed(DroppedPages::All),
        FaultKind::SyncFailed(DroppedPages::Alternate),
    ];
    let sum = explore_all(0..=2, &bounds().with_faults(&kinds), true);
    assert!(sum.faults > 500, "{sum}");
}
