//! Publishing and recovery under crashes: the state is that of a prefix which covers all that was acknowledged, whatever of
//! checkpoint, mark and deletions is left.
//!
//! Must never acknowledge to the journal what log or publisher did not acknowledge.

use durability_core::EntryId;
use durability_core::checkpoint::{CheckpointOptions, CheckpointStore};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability_core::storage::Folder;
use durability_core::walog::{WalOptions, WalWriter};

use crate::simulated::{
    Bounds, DiskOptions, DroppedPages, Ended, FaultKind, JournalOf, Model, PrefixOracle,
    SimulatedDisk, SurvivorLimits, Workload,
};

use super::case::Case;
use super::family::Cases;
use super::laws::{Failed, hold};
use super::scripts::{Step, scripts};
use super::size::Size;

/// Life, and number within it.
type Tag = u32;
type State = Vec<Tag>;
type Wal<'a> = WalWriter<Tag, &'a SimulatedDisk>;

/// What is done, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// One entry.
    Append,
    /// Three entries, all or none.
    Batch,
    /// To the medium.
    Sync,
    /// A checkpoint takes the place of the log's beginning.
    Publish,
    /// Closed, opened and recovered.
    Reopen,
}

impl Step for Do {
    const ALL: &'static [Self] =
        &[Self::Append, Self::Batch, Self::Sync, Self::Publish, Self::Reopen];
}

/// All entries ever appended: the state that checkpoint and log add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total(State);

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

/// A script for a log and its checkpoints, and how they are published.
#[derive(Debug, Clone)]
pub struct PublishWorkload {
    /// What is done.
    pub script: Vec<Do>,
    /// Whether covered segments are deleted.
    pub prune: bool,
    /// How many checkpoints are kept.
    pub keep: u32,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
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

fn push(state: &mut State, id: EntryId, tag: Tag) -> Result<(), Failed> {
    let next = state.len() as u64 + 1;
    hold(id.get() == next, "entries follow the state without a gap", || format!("{id} at {next}"))?;
    state.push(tag);
    Ok(())
}

impl PublishWorkload {
    fn publish<'a>(&self, wal: &mut Wal<'a>, disk: &'a SimulatedDisk, state: &State) -> Ended {
        let options = PublishOptions::new().prune(self.prune).keep(self.keep);
        let options = options.checkpoint(checkpoint_options());
        let mut publisher = CheckpointPublisher::new(disk, options)?;
        let done = publisher.publish(wal, state)?;
        hold(done.last_id() == wal.last_entry_id(), "a checkpoint has all entries", || {
            format!("{done:?} of {:?}", wal.last_entry_id())
        })?;
        if self.prune && self.keep == 1 && !state.is_empty() {
            let left = wal.segments().count();
            hold(left == 1, "covered segments go", || format!("{left} are left"))?;
        }
        let kept = CheckpointStore::new(disk, Folder::new("ckp")?)?.list()?;
        let few = u32::try_from(kept.len()).is_ok_and(|count| count <= self.keep);
        hold(few, "old checkpoints go", || format!("{kept:?} are kept"))?;
        Ok(())
    }

    fn open(disk: &SimulatedDisk) -> Result<(Wal<'_>, Recovered<State>), Failed> {
        let mut wal = Wal::open(disk, options())?;
        let recovered = recover_with_wal(&mut wal, &recover_options(), State::new(), push)?;
        let base = recovered.report.checkpoint_last_id.map_or(0, EntryId::get);
        let first = wal.first_entry_id().get();
        hold(first <= base + 1, "the log begins where a checkpoint ends, or before", || {
            format!("at {first}, the checkpoint ends at {base}")
        })?;
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
                let (again, recovered) = Self::open(disk)?;
                journal.recovered(recovered.state);
                *slot = Some(again);
            }
        }
        Ok(())
    }
}

impl Workload for PublishWorkload {
    type Operation = State;
    type Seen = State;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut state = State::new();
        let mut wal = Some(Self::open(disk)?.0);
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
        let (mut wal, recovered) = Self::open(disk)?;
        let mut state = recovered.state;
        let same = self.faults || looked.state == state;
        hold(same, "looking shows what opening finds", || {
            format!("read {:?}, then recovered {state:?}", looked.state)
        })?;
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

/// Scripts in which several segments and checkpoints go.
fn long_scripts() -> impl Iterator<Item = Vec<Do>> + Send {
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

fn bounds(exhaustive_max: usize, samples: usize) -> Bounds {
    let survivors = SurvivorLimits::new().with_exhaustive_max(exhaustive_max).with_samples(samples);
    Bounds::new(DiskOptions::new().with_tear_unit(64)).with_survivors(survivors)
}

fn cases(length: u32, bounds: Bounds, (prune, keep): (bool, u32), faults: bool) -> Cases {
    Box::new(scripts(0..=length).chain(long_scripts()).map(move |script| {
        let workload = PublishWorkload { script, prune, keep, faults };
        Case::new(workload, PrefixOracle::<Total>::new(), bounds.clone())
    }))
}

/// Every short script under one crash, and two.
pub(super) fn crashes(_: &Size) -> Cases {
    let one = [(true, 2), (true, 1), (false, 1)]
        .into_iter()
        .flat_map(|kept| cases(3, bounds(64, 12), kept, false));
    Box::new(one.chain(cases(1, bounds(16, 4).with_depth(2), (true, 1), false)))
}

/// A fault, then a crash.
pub(super) fn faults(_: &Size) -> Cases {
    let kinds = [
        FaultKind::Io,
        FaultKind::IoAfterEffect,
        FaultKind::NoSpace,
        FaultKind::ShortWrite,
        FaultKind::SyncFailed(DroppedPages::All),
        FaultKind::SyncFailed(DroppedPages::Alternate),
    ];
    cases(1, bounds(16, 4).with_faults(&kinds), (true, 1), true)
}
