//! A log whose commits run apart from its writer, under crashes: every interleaving of staging with the three parts of a commit.
//!
//! Must never acknowledge to the journal more than a commit covered when it was begun.

use durability_core::walog::{Commit, RawWalWriter, Staged, StagedWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};

use crate::simulated::{
    Bounds, Ended, FaultKind, JournalOf, LogModel, LogOperation, LogSeen, PrefixOracle,
    SimulatedDisk, SimulatedError, Workload, shorter,
};

use super::case::Group;
use super::disks::{plain, survivors};
use super::laws::{Failed, hold};
use super::scripts::{Amount, Step, words};
use super::size::Size;
use super::stage::Stage;

/// Life, and number within it.
type Tag = u32;

/// What is done to the log, one step at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// One entry is staged.
    Append,
    /// Two entries are staged, all or none.
    Batch,
    /// What is staged is taken out for the system.
    BeginFlush,
    /// What is staged is taken out for the medium.
    BeginSync,
    /// What is staged is taken out as the end of its segment.
    BeginRotate,
    /// What was taken out is written.
    Run,
    /// It is handed back.
    End,
    /// Closed, opened and read.
    Close,
}

/// The commit, as far as a script tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    None,
    Begun,
    Ran,
}

impl Step for Do {
    const ALL: &'static [Self] = &[
        Self::Append,
        Self::Batch,
        Self::BeginFlush,
        Self::BeginSync,
        Self::BeginRotate,
        Self::Run,
        Self::End,
        Self::Close,
    ];

    fn follows(self, before: &[Self]) -> bool {
        // One commit at a time, and its parts in their order; one that holds nothing is none.
        let (mut phase, mut staged, mut unsynced) = (Phase::None, false, false);
        for step in before {
            match step {
                Self::Append | Self::Batch => (staged, unsynced) = (true, true),
                Self::BeginFlush => (phase, staged) = (Phase::Begun, false),
                Self::BeginSync | Self::BeginRotate => {
                    (phase, staged, unsynced) = (Phase::Begun, false, false);
                }
                Self::Run => phase = Phase::Ran,
                Self::End => phase = Phase::None,
                Self::Close => (phase, staged, unsynced) = (Phase::None, false, false),
            }
        }
        match self {
            Self::Append | Self::Batch => true,
            Self::BeginFlush => phase == Phase::None && staged,
            Self::BeginSync => phase == Phase::None && unsynced,
            Self::BeginRotate => phase == Phase::None && before.contains(&Self::End) | staged,
            Self::Run => phase == Phase::Begun,
            Self::End => phase == Phase::Ran,
            Self::Close => before.last().is_some_and(|last| *last != Self::Close),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Batch => "batch of 2",
            Self::BeginFlush => "begin to flush",
            Self::BeginSync => "begin to sync",
            Self::BeginRotate => "begin to rotate",
            Self::Run => "run",
            Self::End => "end",
            Self::Close => "close and open",
        }
    }
}

/// A script for a log in two halves.
#[derive(Debug, Clone)]
pub struct StagedWorkload {
    /// What is done in the first life.
    pub script: Vec<Do>,
    /// A mark follows every sync.
    pub mark: bool,
}

/// What every later life does: entries staged while a sync runs, and while a rotation does.
const LATER: &[Do] = &[
    Do::Append,
    Do::BeginSync,
    Do::Append,
    Do::Run,
    Do::End,
    Do::BeginRotate,
    Do::Append,
    Do::Run,
    Do::End,
];

type Wal<'a> = StagedWriter<&'a SimulatedDisk>;

/// A commit on its way, and what had been issued when it began.
struct Pending<'a> {
    commit: Commit<&'a SimulatedDisk>,
    issued: u64,
}

struct Life<'a> {
    disk: &'a SimulatedDisk,
    wal: Option<Wal<'a>>,
    pending: Option<Pending<'a>>,
    /// Issued, and not yet in the buffer: a commit that makes room for it does not cover it.
    unstaged: u64,
}

/// Two entries and the header fill a segment.
fn options(mark: bool) -> WalOptions {
    let small = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
    small.mark_after_sync(mark)
}

fn payload(tag: Tag) -> [u8; 8] {
    let [a, b, c, d] = tag.to_le_bytes();
    [a, b, c, d, 0xA5, 0xA5, 0xA5, 0xA5]
}

fn contents(writer: &mut RawWalWriter<&SimulatedDisk>) -> Result<LogSeen<Tag>, Failed> {
    let mut reader = writer.reader()?;
    let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        let next = seen.first + seen.records.len() as u64;
        hold(entry.id.get() == next, "ids have no gap", || format!("{} for {next}", entry.id))?;
        let tag = entry.payload.first_chunk().copied().map(Tag::from_le_bytes).unwrap_or_default();
        let same = entry.payload == payload(tag);
        hold(same, "entries are as written", || format!("{:02x?}", entry.payload))?;
        seen.records.push(tag);
    }
    Ok(seen)
}

impl<'a> Life<'a> {
    fn open(disk: &'a SimulatedDisk, mark: bool) -> Result<(Self, LogSeen<Tag>), Failed> {
        let mut writer = RawWalWriter::open(disk, options(mark))?;
        let seen = contents(&mut writer)?;
        let wal = Some(StagedWriter::new(writer)?);
        Ok((Self { disk, wal, pending: None, unstaged: 0 }, seen))
    }

    fn wal(&mut self) -> Result<&mut Wal<'a>, Failed> {
        self.wal.as_mut().ok_or_else(|| "closed".into())
    }

    fn begin(&mut self, step: Do, journal: &JournalOf<StagedWorkload>) -> Ended {
        let issued = journal.issued() - self.unstaged;
        let wal = self.wal()?;
        let commit = match step {
            Do::BeginRotate => Some(wal.begin_rotation()?),
            _ => wal.begin(step == Do::BeginSync)?,
        };
        self.pending = commit.map(|commit| Pending { commit, issued });
        Ok(())
    }

    fn run(&mut self) -> Ended {
        let disk = self.disk;
        if let Some(pending) = &mut self.pending {
            pending.commit.run(&disk)?;
        }
        Ok(())
    }

    fn end(&mut self, journal: &mut JournalOf<StagedWorkload>) -> Ended {
        let Some(Pending { commit, issued }) = self.pending.take() else { return Ok(()) };
        let (through, syncs) = (commit.through(), commit.syncs());
        let durable = self.wal()?.end(commit)?;
        if syncs {
            hold(durable.through() == through, "a commit covers what it took", || {
                format!("{durable:?} of {through:?}")
            })?;
            journal.acknowledge_through(issued);
        }
        Ok(())
    }

    /// Stages, and commits where that needs room, as an owner would.
    fn stage<T>(
        &mut self,
        journal: &mut JournalOf<StagedWorkload>,
        stage: impl Fn(&mut Wal<'a>) -> Result<Staged<T>, Error<SimulatedError>>,
    ) -> Result<T, Failed> {
        self.unstaged = 1;
        loop {
            let begin = match stage(self.wal()?)? {
                Staged::Done(done) => {
                    self.unstaged = 0;
                    return Ok(done);
                }
                Staged::Full => Do::BeginFlush,
                Staged::Rotate => Do::BeginRotate,
            };
            if self.pending.is_none() {
                self.begin(begin, journal)?;
                self.run()?;
            } else {
                self.run_unless_done()?;
            }
            self.end(journal)?;
        }
    }

    /// The commit on its way is written, if it was not yet.
    fn run_unless_done(&mut self) -> Ended {
        match self.run() {
            Err(error) => match error.downcast_ref::<Error<SimulatedError>>() {
                // It has run before.
                Some(Error::Poisoned { .. }) => Ok(()),
                _ => Err(error),
            },
            ok => ok,
        }
    }

    fn step(&mut self, step: Do, mark: bool, journal: &mut JournalOf<StagedWorkload>) -> Ended {
        let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
        match step {
            Do::Append => {
                let next = self.wal()?.writer().next_entry_id();
                journal.issue(LogOperation::Append(tag));
                let id = self.stage(journal, |wal| wal.stage(&payload(tag)))?;
                hold(id == next, "ids have no gap", || format!("{id} instead of {next}"))?;
            }
            Do::Batch => {
                let next = self.wal()?.writer().next_entry_id();
                let tags = [tag, tag + 0x8000];
                journal.issue(LogOperation::Batch(tags.to_vec()));
                let payloads = tags.map(payload);
                let slices = payloads.each_ref().map(|payload| &payload[..]);
                let ids = self.stage(journal, |wal| wal.stage_batch(slices.into_iter()))?;
                let first = ids.first().map(EntryId::get);
                hold(first == Some(next.get()), "ids have no gap", || format!("{ids:?}"))?;
            }
            Do::BeginFlush | Do::BeginSync | Do::BeginRotate => self.begin(step, journal)?,
            Do::Run => self.run()?,
            Do::End => self.end(journal)?,
            Do::Close => {
                self.run_unless_done()?;
                self.end(journal)?;
                self.wal.take().ok_or("closed")?.into_writer()?.close()?;
                journal.acknowledge();
                let (life, seen) = Self::open(self.disk, mark)?;
                *self = life;
                journal.recovered(seen);
            }
        }
        Ok(())
    }

    fn work(
        &mut self,
        script: &[Do],
        mark: bool,
        journal: &mut JournalOf<StagedWorkload>,
    ) -> Ended {
        for step in script {
            if let Err(error) = self.step(*step, mark, journal) {
                // A careless caller goes on: nothing more must be acknowledged.
                if let Some(mut wal) = self.wal.take() {
                    if let Some(Pending { commit, .. }) = self.pending.take() {
                        let ended = wal.end(commit);
                        hold(ended.is_err(), "failure is final", || format!("after {error}"))?;
                    }
                    let again = wal.begin(true);
                    hold(again.is_err(), "failure is final", || format!("after {error}"))?;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Workload for StagedWorkload {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let (mut life, _) = Life::open(disk, self.mark)?;
        life.work(&self.script, self.mark, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let (mut life, seen) = Life::open(disk, self.mark)?;
        journal.recovered(seen);
        life.work(LATER, self.mark, journal)
    }

    fn describe(&self) -> String {
        let mark = if self.mark { "marks" } else { "no marks" };
        format!("{}; later: {}; {mark}", words(&self.script), words(LATER))
    }

    fn smaller(&self) -> Vec<Self> {
        // Parts of a commit without the others are no script.
        let scripts = shorter(&self.script).into_iter();
        let whole =
            |script: &Vec<Do>| (0..script.len()).all(|at| script[at].follows(&script[..at]));
        scripts.filter(whole).map(|script| Self { script, ..*self }).collect()
    }
}

/// Every interleaving, under crashes.
pub(super) fn crashes(size: &Size) -> Vec<Stage> {
    let one = Bounds::new(plain()).with_survivors(survivors(64, 12));
    let two = one.clone().with_depth(2).with_survivors(survivors(16, 4));
    let first = [
        Amount::all(4).and_drawn(&[(8, 10)]),
        Amount::all(6).and_drawn(&[(9, 100)]),
        Amount::all(7).and_drawn(&[(10, 1_000)]),
    ];
    let second = [Amount::all(1), Amount::all(4).and_drawn(&[(7, 20)]), Amount::all(6)];
    let marked = [Amount::all(3), Amount::all(5), Amount::all(6)];
    let stage = |group: &Group, bounds, amounts, mark| {
        let setting = if mark { "a mark after every sync" } else { "plain" };
        let make =
            move |script| (StagedWorkload { script, mark }, PrefixOracle::<LogModel<Tag>>::new());
        Stage::new(group, setting, bounds, size.scripts(amounts, &[]), make)
    };
    let group = Group::new();
    vec![
        stage(&group, &one, first, false),
        stage(&group, &two, second, false),
        stage(&Group::new(), &one, marked, true),
    ]
}

/// Every interleaving, with every fault at every operation, and then a crash.
pub(super) fn faults(size: &Size) -> Vec<Stage> {
    let bounds = Bounds::new(plain()).with_survivors(survivors(16, 4)).with_faults(&FaultKind::ALL);
    let amounts = [Amount::all(2), Amount::all(4), Amount::all(5)];
    let make =
        |script| (StagedWorkload { script, mark: false }, PrefixOracle::<LogModel<Tag>>::new());
    vec![Stage::new(&Group::new(), "plain", &bounds, size.scripts(amounts, &[]), make)]
}
