//! Checkpoints in a folder under crashes: the newest whole one is what was finished last, whatever is left of others.
//!
//! Must never trust what a cache shows: a user of plain files makes them durable before relying on them.

use durability_core::Error;
use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointStore};
use durability_core::storage::{Directory as _, Folder};

use crate::simulated::{
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, Model, PrefixOracle, SimulatedDisk, Workload,
    shorter,
};

use super::case::Group;
use super::disks::{self, survivors};
use super::foreign;
use super::laws::{Failed, hold};
use super::scripts::{Amount, Scripts, Step, words};
use super::size::Size;
use super::stage::Stage;

type Store<'a> = CheckpointStore<&'a SimulatedDisk>;

/// What is done, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// A small checkpoint.
    Write,
    /// One of several chunks.
    WriteLarge,
    /// One that is begun and not finished.
    Abandon,
    /// All but the newest go.
    KeepOne,
    /// All but the newest two go.
    KeepTwo,
    /// What was not finished goes.
    Tidy,
}

impl Step for Do {
    const ALL: &'static [Self] =
        &[Self::Write, Self::WriteLarge, Self::Abandon, Self::KeepOne, Self::KeepTwo, Self::Tidy];

    fn follows(self, before: &[Self]) -> bool {
        let writes = before.iter().filter(|step| matches!(step, Self::Write | Self::WriteLarge));
        match self {
            Self::Write | Self::WriteLarge | Self::Abandon => true,
            // There is nothing to remove.
            Self::KeepOne => before.len() > 1,
            Self::KeepTwo => before.len() > 2 && writes.count() > 0,
            Self::Tidy => before.contains(&Self::Abandon),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Write => "write a checkpoint",
            Self::WriteLarge => "write a large one",
            Self::Abandon => "begin one and give up",
            Self::KeepOne => "keep one",
            Self::KeepTwo => "keep two",
            Self::Tidy => "remove the unfinished",
        }
    }
}

/// The newest checkpoint's number; 0 is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest(u32);

impl Model for Newest {
    type Operation = u32;
    type Seen = u32;

    fn apply(&mut self, number: &u32) {
        self.0 = *number;
    }

    fn explains(&self, seen: &u32) -> bool {
        self.0 == *seen
    }
}

/// A script for a folder of checkpoints.
#[derive(Debug, Clone)]
pub struct CheckpointWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
    /// What is done in every later life.
    pub later: Vec<Do>,
}

const FOLDER: &str = "ckp";

fn options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

fn store(disk: &SimulatedDisk) -> Result<Store<'_>, Failed> {
    Ok(CheckpointStore::new(disk, Folder::new(FOLDER)?)?)
}

/// The number, and so many bytes of it.
fn content(number: u32) -> Vec<u8> {
    let length = if number & 0x8000 == 0 { 20 } else { 300 };
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

/// The newest checkpoint that is whole, made durable before it is read.
fn newest(disk: &SimulatedDisk) -> Result<u32, Failed> {
    let store = store(disk)?;
    let mut generations = store.list()?;
    disk.sync_dir(Folder::new(FOLDER)?)?;
    while let Some(generation) = generations.pop() {
        disk.sync_file(store.path(generation)?.as_name())?;
        let found = store.open(generation, options()).and_then(|mut reader| {
            let bytes: Vec<u8> = reader.take()?;
            let _whole = reader.finish()?;
            Ok(bytes)
        });
        let bytes = match found {
            Err(Error::Corrupt(_) | Error::Unfinished { .. }) => continue,
            found => found?,
        };
        let number = u32::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
        hold(bytes == content(number), "states are as written", || format!("{bytes:02x?}"))?;
        return Ok(number);
    }
    Ok(0)
}

impl CheckpointWorkload {
    fn work(script: &[Do], disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut store = store(disk)?;
        for step in script {
            Self::step(*step, &mut store, journal)?;
        }
        Ok(())
    }

    fn step(step: Do, store: &mut Store<'_>, journal: &mut JournalOf<Self>) -> Ended {
        let number = journal.epoch() << 16 | u32::try_from(journal.entries().len() + 1)?;
        let number = if step == Do::WriteLarge { number | 0x8000 } else { number };
        match step {
            Do::Write | Do::WriteLarge => {
                journal.issue(number);
                let (_, mut writer) = store.create(CheckpointMeta::default(), options())?;
                writer.put(&content(number))?;
                let summary = writer.finish()?;
                journal.acknowledge();
                store.adopt(&summary);
            }
            Do::Abandon => {
                let (_, mut writer) = store.create(CheckpointMeta::default(), options())?;
                writer.put(&content(number | 0x8000))?;
            }
            Do::KeepOne | Do::KeepTwo => {
                let keep = if step == Do::KeepOne { 1 } else { 2 };
                let _removed = store.remove_older(keep, options())?;
            }
            Do::Tidy => store.remove_unfinished(options())?,
        }
        Ok(())
    }
}

impl Workload for CheckpointWorkload {
    type Operation = u32;
    type Seen = u32;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::plant(disk, FOLDER)?;
        Self::work(&self.script, disk, journal)?;
        foreign::untouched(disk, FOLDER, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        journal.recovered(newest(disk)?);
        Self::work(&self.later, disk, journal)?;
        if self.later.ends_with(&[Do::Write, Do::KeepOne]) {
            foreign::nothing_else(disk, FOLDER, 1)?;
        }
        foreign::untouched(disk, FOLDER, journal)
    }

    fn describe(&self) -> String {
        format!("{}; later: {}", words(&self.script), words(&self.later))
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        let mut all: Vec<_> = scripts.map(|script| Self { script, ..self.clone() }).collect();
        let later = shorter(&self.later).into_iter();
        all.extend(later.map(|later| Self { later, ..self.clone() }));
        all
    }
}

fn stage(
    group: &Group,
    on: &str,
    later: &'static [Do],
    bounds: &Bounds,
    scripts: Scripts<Do>,
) -> Stage {
    Stage::new(group, format!("{on}, later: {}", words(later)), bounds, scripts, move |script| {
        let workload = CheckpointWorkload { script, later: later.to_vec() };
        (workload, PrefixOracle::<Newest>::new())
    })
}

/// Every script to a length under one crash, and two; and every fault, then a crash; on several disks.
pub(super) fn all(size: &Size) -> Vec<Stage> {
    const LATER: [&[Do]; 2] = [&[Do::Write, Do::KeepOne], &[Do::Tidy, Do::WriteLarge]];
    let one = Bounds::new(DiskOptions::new().with_tear_unit(64)).with_survivors(survivors(64, 12));
    let two = one.clone().with_depth(2).with_survivors(survivors(24, 6));
    let faulty = one.clone().with_faults(&FaultKind::ALL);
    let longer = Amount::all(5).and_drawn(&[(6, 2_000)]);
    let first = [Amount::all(2), Amount::all(4).and_drawn(&[(5, 100)]), longer];
    let second = [Amount::all(1), Amount::all(3), Amount::all(4)];
    let broken = [Amount::all(1), Amount::all(4), Amount::all(5)];
    let of = |amounts| size.scripts(amounts, &[]);
    let mut stages = Vec::new();
    for later in LATER {
        let group = Group::new();
        stages.push(stage(&group, "plain", later, &one, of(first)));
        stages.push(stage(&group, "plain", later, &two, of(second)));
        stages.push(stage(&Group::new(), "plain", later, &faulty, of(broken)));
    }
    for (name, disk) in disks::all() {
        let one = Bounds::new(disk).with_survivors(survivors(32, 8));
        let amounts = [Amount::all(1), Amount::all(3), Amount::all(4)];
        stages.push(stage(&Group::new(), name, LATER[0], &one, of(amounts)));
    }
    stages
}
