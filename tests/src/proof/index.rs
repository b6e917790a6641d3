//! The segment index under crashes: a log of its changes, checkpoints of its state, and the recovery manager.
//!
//! Must never compute a state by other code than the index's own: the model and the recovery apply the same entries.

use durability_core::EntryId;
use durability_core::checkpoint::CheckpointOptions;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{IndexState, RecoverOptions, RecoveryManager};
use durability_core::walog::{WalEntry, WalOptions, WalWriter};

use crate::simulated::{
    Bounds, DiskOptions, Ended, FaultKind, JournalOf, Model, PrefixOracle, SimulatedDisk, Workload,
    shorter,
};

use super::case::Group;
use super::disks::survivors;
use super::foreign;
use super::laws::hold;
use super::scripts::{Amount, Step, words};
use super::size::Size;
use super::stage::Stage;

type Wal<'a> = WalWriter<WalEntry, &'a SimulatedDisk>;

/// What happens to the index, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// A segment is added.
    Add,
    /// A merge of all segments begins.
    StartMerge,
    /// The oldest open merge ends.
    EndMerge,
    /// The oldest open merge is given up.
    CancelMerge,
    /// A document is deleted in every segment.
    Delete,
    /// To the medium.
    Sync,
    /// A checkpoint takes the place of the log's beginning.
    Publish,
    /// Closed, opened and recovered.
    Close,
}

impl Step for Do {
    const ALL: &'static [Self] = &[
        Self::Add,
        Self::StartMerge,
        Self::EndMerge,
        Self::CancelMerge,
        Self::Delete,
        Self::Sync,
        Self::Publish,
        Self::Close,
    ];

    fn follows(self, before: &[Self]) -> bool {
        match self {
            // Without a segment, there is nothing to merge or to delete from; without a merge, none to end.
            Self::StartMerge | Self::Delete => before.contains(&Self::Add),
            Self::EndMerge | Self::CancelMerge => before.contains(&Self::StartMerge),
            // Nothing is unsynced.
            Self::Sync => !matches!(before.last(), None | Some(Self::Sync | Self::Publish)),
            Self::Add | Self::Publish | Self::Close => true,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Add => "add a segment",
            Self::StartMerge => "start a merge",
            Self::EndMerge => "end it",
            Self::CancelMerge => "cancel it",
            Self::Delete => "delete documents",
            Self::Sync => "sync",
            Self::Publish => "publish",
            Self::Close => "close and recover",
        }
    }
}

/// The index as its entries make it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index(IndexState);

impl Model for Index {
    type Operation = WalEntry;
    type Seen = String;

    fn apply(&mut self, entry: &WalEntry) {
        self.0.apply(entry);
    }

    fn explains(&self, seen: &String) -> bool {
        shown(&self.0) == *seen
    }
}

/// A state in words; equal for equal states only.
fn shown(state: &IndexState) -> String {
    format!("{state:?}")
}

/// A script for an index.
#[derive(Debug, Clone)]
pub struct IndexWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
}

/// What every later life does.
const LATER: &[Do] = &[Do::Add, Do::Publish];
/// The folder of the log.
const FOLDER: &str = "wal";

fn options() -> WalOptions {
    // Three entries or so and the header fill a segment.
    WalOptions::new().segment_bytes(150).buffer_bytes(256).read_bytes(256).folder(FOLDER)
}

fn checkpoint_options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256)
}

struct Life<'a> {
    disk: &'a SimulatedDisk,
    manager: RecoveryManager<&'a SimulatedDisk>,
    /// None while closed.
    wal: Option<Wal<'a>>,
    state: IndexState,
}

impl<'a> Life<'a> {
    fn new(disk: &'a SimulatedDisk) -> Self {
        let recover = RecoverOptions::new().checkpoint(checkpoint_options());
        let manager = RecoveryManager::new(disk, options(), recover);
        Self { disk, manager, wal: None, state: IndexState::default() }
    }

    fn open(&mut self) -> Ended {
        let mut wal = Wal::open(self.disk, options())?;
        let recovered = self.manager.recover_through(&mut wal)?;
        hold(recovered.last_id == wal.last_entry_id(), "recovery goes to the end", || {
            format!("{:?} of {:?}", recovered.last_id, wal.last_entry_id())
        })?;
        if let Some(last) = recovered.last_id
            && recovered.report.checkpoint_last_id < Some(last)
        {
            let same = self.manager.recover_to(last)?.state == recovered.state;
            hold(same, "to the last entry is to the end", || format!("{last}"))?;
        }
        self.state = recovered.state;
        self.wal = Some(wal);
        Ok(())
    }

    fn publish(&mut self) -> Ended {
        let options = PublishOptions::new().keep(1).checkpoint(checkpoint_options());
        let mut publisher = CheckpointPublisher::new(self.disk, options)?;
        let wal = self.wal.as_mut().ok_or("closed")?;
        publisher.publish(wal, &self.state)?;
        foreign::nothing_else(self.disk, FOLDER, wal.segments().count())
    }
}

/// The entry that a step appends; none if it appends nothing.
fn entry(step: Do, state: &IndexState, tag: u64) -> Option<WalEntry> {
    let merge = state.open_merges().keys().next().copied().unwrap_or(0);
    let segments = || state.segments().keys().copied();
    Some(match step {
        Do::Add => WalEntry::AddSegment { segment: tag, documents: 9 },
        Do::StartMerge => WalEntry::StartMerge { merge: tag, segments: segments().collect() },
        Do::EndMerge => {
            WalEntry::EndMerge { merge, segment: tag, documents: 20, deleted: vec![3, 5] }
        }
        Do::CancelMerge => WalEntry::CancelMerge { merge },
        Do::Delete => {
            let document = u32::try_from(tag % 9).unwrap_or(0);
            let deletes = segments().map(|segment| (segment, document)).collect();
            WalEntry::DeleteDocuments { deletes }
        }
        Do::Sync | Do::Publish | Do::Close => return None,
    })
}

impl IndexWorkload {
    fn work(script: &[Do], life: &mut Life<'_>, journal: &mut JournalOf<Self>) -> Ended {
        for step in script {
            if let Err(error) = Self::step(*step, life, journal) {
                // A failed checkpoint may leave the log usable; a failed log must not acknowledge anything.
                if life.wal.as_mut().is_some_and(|wal| wal.flush_and_sync().is_ok()) {
                    journal.acknowledge();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn step(step: Do, life: &mut Life<'_>, journal: &mut JournalOf<Self>) -> Ended {
        let wal = life.wal.as_mut().ok_or("closed")?;
        let tag = u64::from(journal.epoch()) << 16 | journal.entries().len() as u64;
        if let Some(entry) = entry(step, &life.state, tag) {
            journal.issue(entry.clone());
            wal.append(&entry)?;
            life.state.apply(&entry);
            return Ok(());
        }
        match step {
            Do::Publish => {
                life.publish()?;
                journal.acknowledge();
            }
            Do::Close => {
                life.wal.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                life.open()?;
                journal.recovered(shown(&life.state));
            }
            _ => {
                let _durable = wal.flush_and_sync()?;
                journal.acknowledge();
            }
        }
        Ok(())
    }
}

impl Workload for IndexWorkload {
    type Operation = WalEntry;
    type Seen = String;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::plant(disk, FOLDER)?;
        let mut life = Life::new(disk);
        life.open()?;
        Self::work(&self.script, &mut life, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut life = Life::new(disk);
        let looked = life.manager.recover_latest()?;
        life.open()?;
        let same = self.faults || looked.state == life.state;
        hold(same, "looking shows what opening finds", || {
            format!("read {:?}, then recovered {:?}", looked.state, life.state)
        })?;
        let last = life.wal.as_ref().and_then(WalWriter::last_entry_id).map_or(0, EntryId::get);
        hold(self.faults || looked.last_id.map_or(0, EntryId::get) == last, "both count", || {
            format!("read to {:?}, then recovered to {last}", looked.last_id)
        })?;
        journal.recovered(shown(&life.state));
        Self::work(LATER, &mut life, journal)?;
        foreign::untouched(disk, FOLDER, journal)
    }

    fn describe(&self) -> String {
        words(&self.script)
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        scripts.map(|script| Self { script, ..self.clone() }).collect()
    }
}

/// An index's usual life.
const CHOSEN: &[&[Do]] = {
    use Do::{Add, CancelMerge, Close, Delete, EndMerge, Publish, StartMerge, Sync};
    &[
        &[Add, Add, StartMerge, Delete, EndMerge, Publish, Add, Sync],
        &[Add, Add, StartMerge, Publish, Delete, EndMerge, Close, Add],
        &[Add, StartMerge, CancelMerge, Publish, Add, StartMerge, Close, EndMerge, Publish],
    ]
};

/// Every script to a length under one crash, and two; and every fault, then a crash.
pub(super) fn all(size: &Size) -> Vec<Stage> {
    let disk = DiskOptions::new().with_tear_unit(64);
    let one = Bounds::new(disk).with_survivors(survivors(48, 8));
    let two = one.clone().with_depth(2).with_survivors(survivors(16, 4));
    let faulty = one.clone().with_survivors(survivors(16, 4)).with_faults(&FaultKind::ALL);
    let first = [
        Amount::all(2).and_chosen(),
        Amount::all(5).and_chosen(),
        Amount::all(6).and_drawn(&[(7, 4_000)]).and_chosen(),
    ];
    let second = [Amount::NONE, Amount::all(3), Amount::all(4)];
    let broken = [Amount::all(1), Amount::all(4), Amount::all(5)].map(Amount::and_chosen);
    let stage = |group: &Group, bounds, amounts, faults| {
        let make = move |script| (IndexWorkload { script, faults }, PrefixOracle::<Index>::new());
        Stage::new(group, "an index", bounds, size.scripts(amounts, CHOSEN), make)
    };
    let group = Group::new();
    vec![
        stage(&group, &one, first, false),
        stage(&group, &two, second, false),
        stage(&Group::new(), &faulty, broken, true),
    ]
}
