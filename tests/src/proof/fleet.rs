//! Several logs in one directory under crashes: each keeps its promises, whatever happens to the others.
//!
//! Must never judge one log by what another was promised.

use core::error::Error as StdError;

use durability_core::ReadMode;
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::Name;
use durability_core::walog::{RawWalWriter, WalOptions};

use crate::simulated::{
    Bounds, DiskOptions, Ended, Event, FaultKind, Journal, JournalOf, LogModel, LogOperation,
    LogSeen, Model as _, Oracle, SimulatedDisk, Violation, Workload, shorter,
};

use super::case::Group;
use super::disks::survivors;
use super::laws::{Failed, hold};
use super::scripts::{Amount, Step, words};
use super::size::Size;
use super::stage::Stage;

/// Life, and number within it.
type Tag = u32;
/// One log of the directory.
type Member = usize;

/// Two write-ahead logs, one in a folder below the other's, and a record log in the folder of the first.
const MEMBERS: usize = 3;
const FOLDERS: [&str; 2] = ["logs", "logs/b"];
const RECORDS: &str = "logs/EVENTS.LOG";

/// What is done to one of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// One entry.
    Append(Member),
    /// To the medium.
    Sync(Member),
    /// Everything goes; write-ahead logs only.
    Empty(Member),
}

impl Step for Do {
    const ALL: &'static [Self] = &[
        Self::Append(0),
        Self::Append(1),
        Self::Append(2),
        Self::Sync(0),
        Self::Sync(1),
        Self::Sync(2),
        Self::Empty(0),
        Self::Empty(1),
    ];

    fn follows(self, before: &[Self]) -> bool {
        match self {
            Self::Append(_) => true,
            // Nothing was appended since.
            Self::Sync(log) | Self::Empty(log) => {
                let mut own = before.iter().rev().filter(|step| step.member() == log);
                own.next() == Some(&Self::Append(log))
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Append(0) => "append to the first",
            Self::Append(1) => "append to the second",
            Self::Append(_) => "append to the record log",
            Self::Sync(0) => "sync the first",
            Self::Sync(1) => "sync the second",
            Self::Sync(_) => "sync the record log",
            Self::Empty(0) => "empty the first",
            Self::Empty(_) => "empty the second",
        }
    }
}

impl Do {
    const fn member(self) -> Member {
        match self {
            Self::Append(log) | Self::Sync(log) | Self::Empty(log) => log,
        }
    }
}

/// What the outside world is told of one log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Told {
    /// All that was asked of it so far is durable.
    Acknowledged,
    /// This is in it.
    Shown(LogSeen<Tag>),
}

/// Each log's own law of prefixes.
#[derive(Debug, Clone, Copy)]
pub struct EachOracle;

type Operation = (Member, LogOperation<Tag>);
type Seen = (Member, Told);

impl Oracle<Operation, Seen> for EachOracle {
    fn check(&self, journal: &Journal<Operation, Seen>) -> Result<(), Violation> {
        (0..MEMBERS).try_for_each(|member| check(member, journal))
    }
}

fn check(member: Member, journal: &Journal<Operation, Seen>) -> Result<(), Violation> {
    let mut bases = vec![LogModel::default()];
    let (mut operations, mut acknowledged) = (Vec::new(), 0);
    for entry in journal.entries() {
        match &entry.event {
            Event::Issued((log, operation)) if *log == member => operations.push(operation),
            Event::Recovered((log, Told::Acknowledged)) if *log == member => {
                acknowledged = operations.len();
            }
            Event::Recovered((log, Told::Shown(seen))) if *log == member => {
                bases = explained(&bases, &operations, acknowledged, seen).ok_or_else(|| {
                    let issued = operations.len();
                    let detail = format!(
                        "log {member} showed {seen:?}; {issued} operations were issued since {bases:?}, {acknowledged} of them acknowledged"
                    );
                    Violation { law: "each log shows a prefix that covers what was acknowledged", detail }
                })?;
                operations.clear();
                acknowledged = 0;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The states that explain what was seen, if any does.
fn explained(
    bases: &[LogModel<Tag>],
    operations: &[&LogOperation<Tag>],
    acknowledged: usize,
    seen: &LogSeen<Tag>,
) -> Option<Vec<LogModel<Tag>>> {
    let mut found = Vec::new();
    for base in bases {
        let mut state = base.clone();
        for count in 0..=operations.len() {
            if let Some(operation) = count.checked_sub(1).and_then(|last| operations.get(last)) {
                state.apply(operation);
            }
            if count >= acknowledged && state.explains(seen) {
                let mut settled = state.clone();
                settled.settle(seen);
                found.push(settled);
            }
        }
    }
    (!found.is_empty()).then_some(found)
}

/// A script for several logs.
#[derive(Debug, Clone)]
pub struct FleetWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
}

/// What every later life does.
const LATER: &[Do] =
    &[Do::Append(0), Do::Append(1), Do::Append(2), Do::Sync(0), Do::Sync(1), Do::Sync(2)];

type Wal<'a> = RawWalWriter<&'a SimulatedDisk>;

struct Fleet<'a> {
    wals: Vec<Wal<'a>>,
    records: RecordLogWriter<&'a SimulatedDisk>,
}

fn wal_options(folder: &str) -> WalOptions {
    // Two entries and the header fill a segment.
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256).folder(folder)
}

fn record_options() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(256).read_bytes(256)
}

fn tag_of(payload: &[u8]) -> Result<Tag, Box<dyn StdError>> {
    let tag = payload.first_chunk().copied().map(Tag::from_le_bytes);
    hold(payload.len() == 4, "entries are as written", || format!("{payload:02x?}"))?;
    Ok(tag.unwrap_or_default())
}

fn contents(wal: &mut Wal<'_>) -> Result<LogSeen<Tag>, Failed> {
    let mut reader = wal.reader()?;
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        seen.records.push(tag_of(entry.payload)?);
    }
    Ok(seen)
}

impl<'a> Fleet<'a> {
    /// Opens all, and tells what they show.
    fn open(disk: &'a SimulatedDisk) -> Result<(Self, Vec<LogSeen<Tag>>), Failed> {
        let (mut wals, mut all) = (Vec::new(), Vec::new());
        for folder in FOLDERS {
            let mut wal = RawWalWriter::open(disk, wal_options(folder))?;
            let held = RawWalWriter::open(disk, wal_options(folder));
            hold(held.is_err(), "one writer", || format!("a second one in {folder}"))?;
            all.push(contents(&mut wal)?);
            wals.push(wal);
        }
        let path = Name::new(RECORDS)?;
        let records = RecordLogWriter::open(disk, path, record_options())?;
        let mode = ReadMode::BestEffort;
        let mut reader = RecordLogReader::open(disk, path, mode, record_options())?;
        let mut seen = LogSeen { first: 1, records: Vec::new() };
        while let Some(record) = reader.next()? {
            seen.records.push(tag_of(record.payload)?);
        }
        all.push(seen);
        Ok((Self { wals, records }, all))
    }

    fn step(&mut self, step: Do, journal: &mut JournalOf<FleetWorkload>) -> Ended {
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        let log = step.member();
        match (step, self.wals.get_mut(log)) {
            (Do::Append(_), wal) => {
                journal.issue((log, LogOperation::Append(tag)));
                match wal {
                    Some(wal) => wal.append(&tag.to_le_bytes())?,
                    None => self.records.append(&tag.to_le_bytes())?,
                };
            }
            (Do::Sync(_), wal) => {
                let _durable = match wal {
                    Some(wal) => wal.flush_and_sync()?,
                    None => self.records.flush_and_sync()?,
                };
                journal.recovered((log, Told::Acknowledged));
            }
            (Do::Empty(_), wal) => {
                journal.issue((log, LogOperation::TruncateToEmpty));
                wal.ok_or("no such log")?.truncate_to_empty()?;
                journal.recovered((log, Told::Acknowledged));
            }
        }
        Ok(())
    }
}

impl Workload for FleetWorkload {
    type Operation = Operation;
    type Seen = Seen;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let (mut fleet, _) = Fleet::open(disk)?;
        self.script.iter().try_for_each(|step| fleet.step(*step, journal))
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let (mut fleet, all) = Fleet::open(disk)?;
        for (log, seen) in all.into_iter().enumerate() {
            journal.recovered((log, Told::Shown(seen)));
        }
        LATER.iter().try_for_each(|step| fleet.step(*step, journal))
    }

    fn describe(&self) -> String {
        words(&self.script)
    }

    fn smaller(&self) -> Vec<Self> {
        shorter(&self.script).into_iter().map(|script| Self { script }).collect()
    }
}

/// Every script to a length under one crash, and two; and every fault, then a crash.
pub(super) fn all(size: &Size) -> Vec<Stage> {
    let disk = DiskOptions::new().with_tear_unit(32);
    let one = Bounds::new(disk).with_survivors(survivors(64, 12));
    let two = one.clone().with_depth(2).with_survivors(survivors(8, 2));
    let faulty = one.clone().with_survivors(survivors(16, 4)).with_faults(&FaultKind::ALL);
    let first = [
        Amount::all(2).and_drawn(&[(6, 20)]),
        Amount::all(5).and_drawn(&[(6, 200)]),
        Amount::all(6).and_drawn(&[(7, 2_000)]),
    ];
    let second = [Amount::NONE, Amount::all(2), Amount::all(3)];
    let broken = [Amount::all(1), Amount::all(3), Amount::all(4)];
    let stage = |group: &Group, bounds, amounts| {
        let make = |script| (FleetWorkload { script }, EachOracle);
        Stage::new(group, "three logs", bounds, size.scripts(amounts, &[]), make)
    };
    let group = Group::new();
    vec![
        stage(&group, &one, first),
        stage(&group, &two, second),
        stage(&Group::new(), &faulty, broken),
    ]
}
