//! Whole files replaced at once: the old content or the new, whole, after every crash.
//!
//! Must never trust what a cache shows: a user of a plain file makes it durable before relying on it.

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, read_checkpoint, replace_checkpoint,
};
use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory, DurableDirectory, Folder, Name};

use crate::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, Model, PrefixOracle,
    SimulatedDisk, SurvivorLimits, Workload,
};

use super::case::{Case, Group};
use super::family::Cases;
use super::laws::{Failed, hold};
use super::size::Size;

/// How a whole file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// With bytes, at once.
    Write,
    /// By a file that is there already.
    Rename,
    /// By a checkpoint.
    Checkpoint,
}

/// Replaces the content of one file, several times.
#[derive(Debug, Clone, Copy)]
pub struct ReplaceWorkload {
    /// How.
    pub replacement: Replacement,
    /// How often in the first life.
    pub count: u32,
}

/// The content, by its number; 0 is no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content(u32);

impl Model for Content {
    type Operation = u32;
    type Seen = u32;

    fn apply(&mut self, number: &u32) {
        self.0 = *number;
    }

    fn explains(&self, seen: &u32) -> bool {
        self.0 == *seen
    }
}

const TARGET: &str = "conf/STATE.CKP";

fn options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

/// Several tear units, and of another length each time.
fn content(number: u32) -> Vec<u8> {
    let length = 70 + number as usize * 37 % 60;
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

impl ReplaceWorkload {
    fn replace(self, disk: &SimulatedDisk, number: u32) -> Ended {
        match self.replacement {
            Replacement::Write => disk.atomic_write_durable(TARGET, &content(number))?,
            Replacement::Rename => {
                // Anything may be in the other file, durable or not, when it is renamed.
                let other = Name::new("other/NEW.BIN")?;
                disk.remove(other)?;
                let mut file = disk.create(other, 0)?.ok_or("taken")?;
                let bytes = content(number);
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    rest = &rest[file.write(rest)?..];
                }
                drop(file);
                disk.atomic_rename_durable("other/NEW.BIN", TARGET)?;
            }
            Replacement::Checkpoint => {
                let meta = CheckpointMeta::default();
                let target = Name::new(TARGET)?;
                let _written = replace_checkpoint(disk, target, meta, options(), &content(number))?;
            }
        }
        Ok(())
    }

    /// The number of the content that is there, all of it.
    fn look(self, disk: &SimulatedDisk) -> Result<u32, Failed> {
        let target = Name::new(TARGET)?;
        let Some(mut bytes) = disk.contents(target) else { return Ok(0) };
        if self.replacement == Replacement::Checkpoint {
            bytes = read_checkpoint::<Vec<u8>, _>(disk, target, options())?.1;
        }
        let number = u32::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
        hold(bytes == content(number), "a file is old or new, whole", || format!("{bytes:?}"))?;
        Ok(number)
    }

    fn work(self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>, count: u32) -> Ended {
        for step in 1..=count {
            let number = journal.epoch() << 8 | step;
            journal.issue(number);
            self.replace(disk, number)?;
            journal.acknowledge();
            let left = disk.names();
            hold(left == [TARGET], "nothing is left over", || format!("{left:?}"))?;
        }
        Ok(())
    }
}

impl Workload for ReplaceWorkload {
    type Operation = u32;
    type Seen = u32;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.work(disk, journal, self.count)
    }

    fn describe(&self) -> String {
        format!("{:?}, {} times", self.replacement, self.count)
    }

    fn smaller(&self) -> Vec<Self> {
        (1..self.count).map(|count| Self { count, ..*self }).collect()
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        // A cache may show what the medium does not have; the user of a plain file makes it durable before relying on it.
        if disk.contents(Name::new(TARGET)?).is_some() {
            disk.sync_file(Name::new(TARGET)?)?;
        }
        disk.sync_dir(Folder::new("conf")?)?;
        journal.recovered(self.look(disk)?);
        self.work(disk, journal, 1)
    }
}

/// Every way to replace, under two crashes, and under a fault and a crash.
pub(super) fn all(_: &Size) -> Cases {
    let kinds = [
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
        FaultKind::SyncFailed(DroppedPages::All),
    ];
    let survivors = SurvivorLimits::new().with_exhaustive_max(64).with_samples(8);
    let disk = DiskOptions::new().with_tear_unit(32);
    let all = [Replacement::Write, Replacement::Rename, Replacement::Checkpoint];
    Box::new(all.into_iter().flat_map(move |replacement| {
        let renames = disk.with_rename_keeping_old_name();
        [(disk, false), (renames, false), (disk, true)].map(|(disk, faults)| {
            let bounds = Bounds::new(disk).with_survivors(survivors);
            let bounds = if faults { bounds.with_faults(&kinds) } else { bounds.with_depth(2) };
            let workload = ReplaceWorkload { replacement, count: 3 };
            Case::new(workload, PrefixOracle::<Content>::new(), bounds, &Group::new())
        })
    }))
}
