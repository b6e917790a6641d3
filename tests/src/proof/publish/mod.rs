//! Publishing and recovery under crashes: the state is that of a prefix which covers all that was acknowledged, whatever of
//! checkpoint, mark and deletions is left.
//!
//! Must never acknowledge to the journal what log or publisher did not acknowledge.

mod cases;

use core::fmt;

use durability_core::checkpoint::{CheckpointOptions, CheckpointReader, CheckpointStore};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{
    RecoverOptions, Recovered, recover_read_only, recover_with, recover_with_wal,
};
use durability_core::storage::{Directory, Folder};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};

use crate::simulated::{Ended, JournalOf, Model, SimulatedDisk, Workload, shorter};

use super::foreign;
use super::laws::{Failed, hold};
use super::scripts::{Step, words};

pub(super) use cases::{crashes, faults};

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
    /// A checkpoint without the last entry.
    PublishOlder,
    /// The last entry goes, if no checkpoint has it.
    TruncateLast,
    /// Closed, opened and recovered.
    Close,
}

impl Step for Do {
    const ALL: &'static [Self] = &[
        Self::Append,
        Self::Batch,
        Self::Sync,
        Self::Publish,
        Self::PublishOlder,
        Self::TruncateLast,
        Self::Close,
    ];

    fn follows(self, before: &[Self]) -> bool {
        let Some(last) = before.last() else {
            // A new log has nothing to sync or to truncate, and its one state is the older one, too.
            return !matches!(self, Self::Sync | Self::PublishOlder | Self::TruncateLast);
        };
        match (last, self) {
            // Nothing is unsynced; the last entry is in a checkpoint.
            (Self::Sync | Self::Publish, Self::Sync) | (Self::Publish, Self::TruncateLast) => false,
            _ => true,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Batch => "batch of 3",
            Self::Sync => "sync",
            Self::Publish => "publish",
            Self::PublishOlder => "publish all but the last entry",
            Self::TruncateLast => "truncate the last entry",
            Self::Close => "close and recover",
        }
    }
}

/// How checkpoints are published and recovered.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Whether covered segments are deleted.
    pub prune: bool,
    /// How many checkpoints are kept.
    pub keep: u32,
    /// Whether every sync is followed by a mark.
    pub mark: bool,
    /// Whether states are read as streams.
    pub streamed: bool,
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prune, keep, mark, streamed } = *self;
        write!(f, "keep {keep}")?;
        for (is, word) in [(prune, "prune"), (mark, "mark after sync"), (streamed, "streamed")] {
            if is {
                write!(f, ", {word}")?;
            }
        }
        Ok(())
    }
}

/// All entries ever appended: the state that checkpoint and log add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total(State);

impl Model for Total {
    type Operation = Changed;
    type Seen = State;

    fn apply(&mut self, changed: &Changed) {
        match changed {
            Changed::Appended(tags) => self.0.extend(tags),
            Changed::Truncated => {
                self.0.pop();
            }
        }
    }

    fn explains(&self, seen: &State) -> bool {
        self.0 == *seen
    }
}

/// What happens to the state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Changed {
    /// These entries were appended, all or none.
    Appended(Vec<Tag>),
    /// The last entry was taken back.
    Truncated,
}

/// A script for a log and its checkpoints, and how they are published.
#[derive(Debug, Clone)]
pub struct PublishWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
    /// What is done in every later life, after recovery.
    pub later: Vec<Do>,
    /// How checkpoints are published and recovered.
    pub setup: Setup,
    /// After a fault, a cache may show what the medium does not have: opening tells, looking does not.
    pub faults: bool,
}

/// What one life holds on to.
struct Life<'a> {
    disk: &'a SimulatedDisk,
    /// None while closed.
    wal: Option<Wal<'a>>,
    state: State,
    /// How many entries the newest checkpoint has.
    published: usize,
}

/// The folder of the log.
const FOLDER: &str = "wal";
/// The folder of the checkpoints.
const CHECKPOINTS: &str = "ckp";

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

/// What recovery begins with, if there is nothing.
const NOTHING: State = State::new();

impl PublishWorkload {
    fn options(&self) -> WalOptions {
        // Two entries and the header fill a segment.
        let small = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
        small.folder(FOLDER).mark_after_sync(self.setup.mark)
    }

    /// Publishes the state as it was after so many entries.
    fn publish(&self, life: &mut Life<'_>, count: usize) -> Ended {
        let wal = life.wal.as_mut().ok_or("closed")?;
        let options = PublishOptions::new().prune(self.setup.prune).keep(self.setup.keep);
        let options = options.folder(CHECKPOINTS).checkpoint(checkpoint_options());
        let mut publisher = CheckpointPublisher::new(life.disk, options)?;
        let state = &life.state[..count];
        let last_id = EntryId::new(count as u64);
        let done = publisher.publish_with(wal, last_id, |writer| writer.put(state))?;
        life.published = count;
        hold(done.last_id() == last_id, "a checkpoint has its entries", || {
            format!("{done:?} of {last_id:?}")
        })?;
        if self.setup.prune && self.setup.keep == 1 && count == life.state.len() && count > 0 {
            let left = wal.segments().count();
            hold(left == 1, "covered segments go", || format!("{left} are left"))?;
        }
        self.checkpoints_meet_the_log(life)
    }

    /// Every checkpoint that is kept can stand in for a newer one.
    fn checkpoints_meet_the_log(&self, life: &Life<'_>) -> Ended {
        let wal = life.wal.as_ref().ok_or("closed")?;
        let store = CheckpointStore::new(life.disk, Folder::new(CHECKPOINTS)?)?;
        let kept = store.list()?;
        let few = u32::try_from(kept.len()).is_ok_and(|count| count <= self.setup.keep);
        hold(few, "old checkpoints go", || format!("{kept:?} are kept"))?;
        for generation in &kept {
            let last_id = store.open(*generation, checkpoint_options())?.meta().last_id;
            let (next, first) = (last_id.map_or(0, EntryId::get) + 1, wal.first_entry_id().get());
            hold(first <= next, "every checkpoint meets the log", || {
                format!("checkpoint {generation} goes on with entry {next}, the log with {first}")
            })?;
        }
        foreign::nothing_else(life.disk, CHECKPOINTS, kept.len())?;
        foreign::nothing_else(life.disk, FOLDER, wal.segments().count())
    }

    fn open(&self, life: &mut Life<'_>) -> Ended {
        let mut wal = Wal::open(life.disk, self.options())?;
        let options = recover_options();
        let Recovered { state, report, last_id, .. } = if self.setup.streamed {
            recover_with(&mut wal, &options, NOTHING, stream, push)?
        } else {
            recover_with_wal(&mut wal, &options, NOTHING, push)?
        };
        let (base, first) =
            (report.checkpoint_last_id.map_or(0, EntryId::get), wal.first_entry_id());
        hold(first.get() <= base + 1, "the log begins where a checkpoint ends, or before", || {
            format!("at {first}, the checkpoint ends at {base}")
        })?;
        hold(last_id == EntryId::new(state.len() as u64), "recovery counts", || {
            format!("{last_id:?} for {state:?}")
        })?;
        (life.published, life.state) = (usize::try_from(base)?, state);
        life.wal = Some(wal);
        Ok(())
    }

    fn work(&self, script: &[Do], life: &mut Life<'_>, journal: &mut JournalOf<Self>) -> Ended {
        for step in script {
            if let Err(error) = self.step(*step, life, journal) {
                // A failed checkpoint may leave the log usable; a failed log must not acknowledge anything.
                if life.wal.as_mut().is_some_and(|wal| wal.flush_and_sync().is_ok()) {
                    journal.acknowledge();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn step(&self, step: Do, life: &mut Life<'_>, journal: &mut JournalOf<Self>) -> Ended {
        let wal = life.wal.as_mut().ok_or("closed")?;
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        match step {
            Do::Append => {
                journal.issue(Changed::Appended(vec![tag]));
                wal.append(&tag)?;
                life.state.push(tag);
            }
            Do::Batch => {
                let tags = vec![tag, tag + 0x4000, tag + 0x8000];
                journal.issue(Changed::Appended(tags.clone()));
                wal.append_batch(&tags)?;
                life.state.extend(tags);
            }
            Do::Sync => {
                let _durable = wal.flush_and_sync()?;
                journal.acknowledge();
            }
            Do::Publish => {
                self.publish(life, life.state.len())?;
                journal.acknowledge();
            }
            Do::PublishOlder => {
                // Not before what is there: that would be a step back.
                let count = life.state.len().saturating_sub(1).max(life.published);
                self.publish(life, count)?;
                journal.acknowledge();
            }
            Do::TruncateLast => {
                if life.state.len() > life.published {
                    journal.issue(Changed::Truncated);
                    wal.truncate_suffix(wal.last_entry_id().ok_or("empty")?)?;
                    life.state.pop();
                    journal.acknowledge();
                }
            }
            Do::Close => {
                life.wal.take().ok_or("closed")?.close()?;
                journal.acknowledge();
                self.open(life)?;
                journal.recovered(life.state.clone());
            }
        }
        Ok(())
    }
}

/// Reads a state piece by piece.
fn stream<D: Directory>(reader: &mut CheckpointReader<D>) -> Result<State, Error<D::Error>> {
    reader.take()
}

impl Workload for PublishWorkload {
    type Operation = Changed;
    type Seen = State;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        foreign::plant(disk, FOLDER)?;
        foreign::plant(disk, CHECKPOINTS)?;
        let mut life = Life { disk, wal: None, state: State::new(), published: 0 };
        self.open(&mut life)?;
        self.work(&self.script, &mut life, journal)?;
        foreign::untouched(disk, CHECKPOINTS, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let options = recover_options();
        let looked = recover_read_only(disk, self.options(), &options, NOTHING, push)?.state;
        let mut life = Life { disk, wal: None, state: State::new(), published: 0 };
        self.open(&mut life)?;
        let same = self.faults || looked == life.state;
        hold(same, "looking shows what opening finds", || {
            format!("read {looked:?}, then recovered {:?}", life.state)
        })?;
        journal.recovered(life.state.clone());
        self.work(&self.later, &mut life, journal)?;
        foreign::untouched(disk, FOLDER, journal)?;
        foreign::untouched(disk, CHECKPOINTS, journal)
    }

    fn describe(&self) -> String {
        format!("{}; later: {}; {}", words(&self.script), words(&self.later), self.setup)
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        let mut all: Vec<_> = scripts.map(|script| Self { script, ..self.clone() }).collect();
        let later = shorter(&self.later).into_iter();
        all.extend(later.map(|later| Self { later, ..self.clone() }));
        all
    }
}
