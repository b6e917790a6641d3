//! Publishing and recovery survive every crash: the state is that of a prefix which covers all that was acknowledged, whatever of
//! checkpoint, mark and deletions is left.
//!
//! Atomic replacement of whole files is held to the same: old or new content, whole.
#![allow(
    clippy::similar_names,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use core::error::Error as StdError;

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointStore, read_checkpoint, replace_checkpoint,
};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability_core::storage::{Directory, DurableDirectory, Folder, Name};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};
use durability_testkit::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, Model, PrefixOracle,
    SimulatedDisk, SimulatedError, Statistics, SurvivorLimits, Workload, explore,
};

/// Life, and number within it.
type Tag = u32;
type State = Vec<Tag>;
type Wal<'a> = WalWriter<Tag, &'a SimulatedDisk>;
type Failed = Box<dyn StdError>;

/// What is done, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Append,
    Batch,
    Sync,
    Publish,
    Reopen,
}

const ALL: [Do; 5] = [Do::Append, Do::Batch, Do::Sync, Do::Publish, Do::Reopen];

/// All entries ever appended: the state that checkpoint and log add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Total(State);

impl Model for Total {
    type Operation = State;
    type Seen = State;

    fn apply(&mut self, appended: &State) {
        self.0.extend(appended);
    }

    fn explains(&self, seen: &State) -> bool {
        self.0 == *seen
    }
}

struct Publishing {
    script: Vec<Do>,
    prune: bool,
    keep: u32,
    faults: bool,
}

fn options() -> WalOptions {
    // Two entries and the header fill a segment.
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256)
}

fn checkpoint_options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

fn recover_options() -> RecoverOptions {
    RecoverOptions::new().checkpoint(checkpoint_options())
}

fn push(state: &mut State, id: EntryId, tag: Tag) -> Result<(), Error<SimulatedError>> {
    assert_eq!(id.get(), state.len() as u64 + 1, "entries follow the state without a gap");
    state.push(tag);
    Ok(())
}

fn generations(disk: &SimulatedDisk) -> Result<usize, Failed> {
    Ok(CheckpointStore::new(disk, Folder::new("ckp")?)?.list()?.len())
}

impl Publishing {
    fn publish<'a>(&self, wal: &mut Wal<'a>, disk: &'a SimulatedDisk, state: &State) -> Ended {
        let options = PublishOptions::new().prune(self.prune).keep(self.keep);
        let options = options.checkpoint(checkpoint_options());
        let mut publisher = CheckpointPublisher::new(disk, options)?;
        let published = publisher.publish(wal, state)?;
        assert_eq!(published.last_id(), wal.last_entry_id());
        if self.prune && self.keep == 1 && !state.is_empty() {
            assert_eq!(wal.segments().count(), 1, "all but the last segment are covered");
        }
        assert!(generations(disk)? <= self.keep as usize);
        Ok(())
    }

    fn open<'a>(&self, disk: &'a SimulatedDisk) -> Result<(Wal<'a>, Recovered<State>), Failed> {
        let mut wal = Wal::open(disk, options())?;
        let recovered = recover_with_wal(&mut wal, &recover_options(), State::new(), push)?;
        // The log begins where a checkpoint left off, or before.
        let base = recovered.report.checkpoint_last_id.map_or(0, EntryId::get);
        assert!(wal.first_entry_id().get() <= base + 1);
        Ok((wal, recovered))
    }

    fn step<'a>(
        &self,
        step: Do,
        slot: &mut Option<Wal<'a>>,
        state: &mut State,
        disk: &'a SimulatedDisk,
        journal: &mut JournalOf<Self>,
    ) -> Ended {
        let wal = slot.as_mut().ok_or("closed")?;
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        match step {
            Do::Append => {
                journal.issue(vec![tag]);
                wal.append(&tag)?;
                state.push(tag);
            }
            Do::Batch => {
                let tags = vec![tag, tag + 0x4000, tag + 0x8000];
                journal.issue(tags.clone());
                wal.append_batch(&tags)?;
                state.extend(tags);
            }
            Do::Sync => {
                let _durable = wal.flush_and_sync()?;
                journal.acknowledge();
            }
            Do::Publish => {
                self.publish(wal, disk, state)?;
                journal.acknowledge();
            }
            Do::Reopen => {
                slot.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                let (again, recovered) = self.open(disk)?;
                journal.recovered(recovered.state);
                *slot = Some(again);
            }
        }
        Ok(())
    }
}

impl Workload for Publishing {
    type Operation = State;
    type Seen = State;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut state = State::new();
        let mut wal = Some(self.open(disk)?.0);
        for step in &self.script {
            if let Err(error) = self.step(*step, &mut wal, &mut state, disk, journal) {
                // A failed checkpoint may leave the log usable; a failed log must not acknowledge anything.
                if wal.is_some_and(|mut wal| wal.flush_and_sync().is_ok()) {
                    journal.acknowledge();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let looked = recover_read_only(disk, options(), &recover_options(), State::new(), push)?;
        let (mut wal, recovered) = self.open(disk)?;
        let mut state = recovered.state;
        if !self.faults && looked.state != state {
            return Err(format!("read {:?}, then recovered {state:?}", looked.state).into());
        }
        journal.recovered(state.clone());
        // A second run, which publishes: the leftovers of the first must not be in its way.
        let tag = journal.epoch() << 16 | 0xFFFF;
        journal.issue(vec![tag]);
        wal.append(&tag)?;
        state.push(tag);
        self.publish(&mut wal, disk, &state)?;
        journal.acknowledge();
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

/// Scripts in which several segments and checkpoints go.
fn long_scripts() -> impl Iterator<Item = Vec<Do>> {
    use Do::{Append, Batch, Publish, Reopen, Sync};
    [
        &[Batch, Publish, Append][..],
        &[Batch, Batch, Publish, Append, Sync],
        &[Batch, Publish, Batch, Publish],
        &[Append, Publish, Append, Publish, Append, Publish],
        &[Batch, Publish, Reopen, Batch, Sync],
    ]
    .into_iter()
    .map(<[Do]>::to_vec)
}

fn bounds() -> Bounds {
    let survivors = SurvivorLimits::new().with_exhaustive_max(64).with_samples(12);
    Bounds::new(DiskOptions::new().with_tear_unit(64)).with_survivors(survivors)
}

fn explore_all(
    scripts: impl Iterator<Item = Vec<Do>>,
    bounds: &Bounds,
    (prune, keep): (bool, u32),
    faults: bool,
) -> Statistics {
    let mut sum = Statistics::default();
    for script in scripts {
        let workload = Publishing { script, prune, keep, faults };
        match explore(&workload, &PrefixOracle::<Total>::new(), bounds) {
            Ok(statistics) => sum.add(&statistics),
            Err(failure) => panic!("{:?}, prune {prune}, keep {keep}: {failure}", workload.script),
        }
    }
    println!("{sum}");
    sum
}

#[test]
fn every_short_script_with_publishing_survives_a_crash() {
    for kept in [(true, 2), (true, 1), (false, 1)] {
        let sum = explore_all(scripts(0..=3).chain(long_scripts()), &bounds(), kept, false);
        assert!(sum.distinct > 5_000 && !sum.cut_short, "{sum}");
    }
}

#[test]
fn publishing_survives_two_crashes() {
    let survivors = SurvivorLimits::new().with_exhaustive_max(16).with_samples(4);
    let bounds = bounds().with_depth(2).with_survivors(survivors);
    let sum = explore_all(scripts(0..=1).chain(long_scripts()), &bounds, (true, 1), false);
    assert!(sum.by_depth.len() == 2 && !sum.cut_short, "{sum}");
}

#[test]
fn publishing_survives_a_fault_and_then_a_crash() {
    let kinds = [
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
        FaultKind::SyncFailed(DroppedPages::All),
        FaultKind::SyncFailed(DroppedPages::Alternate),
    ];
    let survivors = SurvivorLimits::new().with_exhaustive_max(16).with_samples(4);
    let bounds = bounds().with_faults(&kinds).with_survivors(survivors);
    let sum = explore_all(scripts(0..=1).chain(long_scripts()), &bounds, (true, 1), true);
    assert!(sum.faults > 500, "{sum}");
}

/// How a whole file is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    Write,
    Rename,
    Checkpoint,
}

/// Replaces the content of one file, three times.
struct Replacing {
    replacement: Replacement,
}

/// The content, by its number; 0 is no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Content(u32);

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

/// Several tear units, and of another length each time.
fn content(number: u32) -> Vec<u8> {
    let length = 70 + usize::try_from(number * 37 % 60).unwrap();
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

impl Replacing {
    fn replace(&self, disk: &SimulatedDisk, number: u32) -> Ended {
        match self.replacement {
            Replacement::Write => disk.atomic_write_durable(TARGET, &content(number))?,
            Replacement::Rename => {
                // Anything may be in the other file, durable or not, when it is renamed.
                use durability_core::embedded_io::Write as _;
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
                let _written =
                    replace_checkpoint(disk, target, meta, checkpoint_options(), &content(number))?;
            }
        }
        Ok(())
    }

    /// The number of the content that is there, all of it.
    fn look(&self, disk: &SimulatedDisk) -> Result<u32, Failed> {
        let target = Name::new(TARGET)?;
        let Some(mut bytes) = disk.contents(target) else { return Ok(0) };
        if self.replacement == Replacement::Checkpoint {
            bytes = read_checkpoint::<Vec<u8>, _>(disk, target, checkpoint_options())?.1;
        }
        let number = u32::from_le_bytes(bytes.first_chunk().copied().ok_or("too short")?);
        if bytes == content(number) { Ok(number) } else { Err(format!("mixed: {bytes:?}").into()) }
    }

    fn work(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>, count: u32) -> Ended {
        for step in 1..=count {
            let number = journal.epoch() << 8 | step;
            journal.issue(number);
            self.replace(disk, number)?;
            journal.acknowledge();
            let others = disk.names().into_iter().filter(|file| file != TARGET).count();
            if others > 0 {
                return Err(format!("left over: {:?}", disk.names()).into());
            }
        }
        Ok(())
    }
}

impl Workload for Replacing {
    type Operation = u32;
    type Seen = u32;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.work(disk, journal, 3)
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

#[test]
fn a_replaced_file_holds_the_old_content_or_the_new_whole() {
    let kinds = [
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
        FaultKind::SyncFailed(DroppedPages::All),
    ];
    for replacement in [Replacement::Write, Replacement::Rename, Replacement::Checkpoint] {
        let survivors = SurvivorLimits::new().with_exhaustive_max(64).with_samples(8);
        let disk = DiskOptions::new().with_tear_unit(32);
        for (disk, faults) in
            [(disk, false), (disk.with_rename_keeping_old_name(), false), (disk, true)]
        {
            let bounds = Bounds::new(disk).with_survivors(survivors);
            let bounds = if faults { bounds.with_faults(&kinds) } else { bounds.with_depth(2) };
            let workload = Replacing { replacement };
            match explore(&workload, &PrefixOracle::<Content>::new(), &bounds) {
                Ok(statistics) => println!("{replacement:?}: {statistics}"),
                Err(failure) => panic!("{replacement:?}, faults {faults}: {failure}"),
            }
        }
    }
}
