//! Whole files replaced at once: the old content or the new, whole, after every crash.
//!
//! Must never trust what a cache shows: a user of a plain file makes it durable before relying on it.

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, read_checkpoint, replace_checkpoint,
};
use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory, DurableDirectory, Folder, Name};

use crate::simulated::{
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, Model, PrefixOracle, SimulatedDisk, Workload,
    shorter,
};

use super::case::Group;
use super::disks::survivors;
use super::laws::{Failed, hold};
use super::scripts::{Amount, Step, words};
use super::size::Size;
use super::stage::Stage;

/// How a whole file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// With bytes, at once.
    Write,
    /// By a file that is there already.
    Rename,
    /// By a checkpoint.
    Checkpoint,
}

impl Step for Do {
    const ALL: &'static [Self] = &[Self::Write, Self::Rename, Self::Checkpoint];

    fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Rename => "rename over it",
            Self::Checkpoint => "put a checkpoint there",
        }
    }
}

/// Replaces the content of one file, several times.
#[derive(Debug, Clone)]
pub struct ReplaceWorkload {
    /// How, in turn, in the first life.
    pub script: Vec<Do>,
}

/// What every later life does: each way to write tidies what a crash left of it.
const LATER: &[Do] = &[Do::Write, Do::Checkpoint];

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
/// What is renamed over it.
const OTHER: &str = "other/NEW.BIN";

fn options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

/// Several tear units, and of another length each time.
fn content(number: u32) -> Vec<u8> {
    let length = 70 + number as usize * 37 % 60;
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

fn replace(step: Do, disk: &SimulatedDisk, number: u32) -> Ended {
    match step {
        Do::Write => disk.atomic_write_durable(TARGET, &content(number))?,
        Do::Rename => {
            // Anything may be in the other file, durable or not, when it is renamed.
            let other = Name::new(OTHER)?;
            disk.remove(other)?;
            let mut file = disk.create(other, 0)?.ok_or("taken")?;
            let bytes = content(number);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let taken = file.write(rest)?;
                rest = &rest[taken..];
            }
            drop(file);
            disk.atomic_rename_durable(OTHER, TARGET)?;
        }
        Do::Checkpoint => {
            let (meta, target) = (CheckpointMeta::default(), Name::new(TARGET)?);
            let _written = replace_checkpoint(disk, target, meta, options(), &content(number))?;
        }
    }
    Ok(())
}

/// The number of the content that is there, all of it.
fn look(disk: &SimulatedDisk) -> Result<u32, Failed> {
    let target = Name::new(TARGET)?;
    let Some(mut bytes) = disk.contents(target) else { return Ok(0) };
    let number =
        |bytes: &[u8]| u32::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
    if bytes != content(number(&bytes)) {
        bytes = read_checkpoint::<Vec<u8>, _>(disk, target, options())?.1;
    }
    let number = number(&bytes);
    hold(bytes == content(number), "a file is old or new, whole", || format!("{bytes:02x?}"))?;
    Ok(number)
}

fn work(script: &[Do], disk: &SimulatedDisk, journal: &mut JournalOf<ReplaceWorkload>) -> Ended {
    for step in script {
        let number = journal.epoch() << 8 | u32::try_from(journal.entries().len() + 1)?;
        journal.issue(number);
        replace(*step, disk, number)?;
        journal.acknowledge();
    }
    let left = disk.names();
    // What was to be renamed is the user's own file: a crash may leave it.
    let own = left.iter().filter(|name| *name != TARGET && *name != OTHER);
    hold(own.count() == 0, "nothing is left over", || format!("{left:?}"))?;
    Ok(())
}

impl Workload for ReplaceWorkload {
    type Operation = u32;
    type Seen = u32;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        work(&self.script, disk, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        // A cache may show what the medium does not have; the user of a plain file makes it durable before relying on it.
        if disk.contents(Name::new(TARGET)?).is_some() {
            disk.sync_file(Name::new(TARGET)?)?;
        }
        disk.sync_dir(Folder::new("conf")?)?;
        journal.recovered(look(disk)?);
        work(LATER, disk, journal)
    }

    fn describe(&self) -> String {
        words(&self.script)
    }

    fn smaller(&self) -> Vec<Self> {
        shorter(&self.script).into_iter().map(|script| Self { script }).collect()
    }
}

/// Every way to replace, and to replace in turn, under two crashes, and under a fault and a crash.
pub(super) fn all(size: &Size) -> Vec<Stage> {
    let survivors = survivors(64, 8);
    let disk = DiskOptions::new().with_tear_unit(32);
    let renames = disk.with_rename_keeping_old_name();
    let two = [Amount::all(2), Amount::all(3), Amount::all(4)];
    let broken = [Amount::all(2), Amount::all(4), Amount::all(5)];
    let stage = |name, bounds: &Bounds, amounts| {
        let make = |script| (ReplaceWorkload { script }, PrefixOracle::<Content>::new());
        Stage::new(&Group::new(), name, bounds, size.scripts(amounts, &[]), make)
    };
    let bounds = |disk| Bounds::new(disk).with_survivors(survivors);
    vec![
        stage("plain", &bounds(disk).with_depth(2), two),
        stage("a rename may keep the old name", &bounds(renames).with_depth(2), two),
        stage("plain", &bounds(disk).with_faults(&FaultKind::ALL), broken),
        stage(
            "a rename may keep the old name",
            &bounds(renames).with_faults(&FaultKind::ALL),
            broken,
        ),
    ]
}
