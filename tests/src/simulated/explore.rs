//! Running a program through all its crashes.
//!
//! Must never judge a state that the failure model excludes: a false alarm is worth nothing.

use core::any::Any;
use core::fmt;
use core::hash::Hash;
use core::panic::AssertUnwindSafe;
use std::collections::HashMap;
use std::panic::catch_unwind;

use super::bounds::{Bounds, Statistics};
use super::fault::Fault;
use super::hash::{ReadyHash, mix};
use super::journal::Journal;
use super::medium::Medium;
use super::model::{Oracle, Violation};
use super::path::{Left, Path, Step};
use super::state::Recording;
use super::survivors::{Coverage, CrashStates, Snapshot};
use super::{SimulatedDisk, replay};

/// How a life ended. An error is fine after a fault, and a violation without one.
pub type Ended = Result<(), Box<dyn core::error::Error>>;

/// A program to be run through its crashes.
///
/// It must be deterministic: the same disk and the same journal lead to the same operations. It needs no code for the
/// crash: the explorer looks at the disk between any two of its operations.
pub trait Workload {
    /// What the program is asked to do.
    type Operation: Hash + fmt::Debug;
    /// What its recovery shows.
    type Seen: Hash + fmt::Debug;

    /// The first life, on an empty disk.
    ///
    /// # Errors
    /// Whatever the program meets; only after a fault.
    fn run(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended;

    /// Every later life: recover, tell the journal what recovery shows, and perhaps go on working.
    ///
    /// # Errors
    /// Whatever the program meets; only after a fault.
    fn recover(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended;
}

/// The journal of a workload.
pub type JournalOf<W> = Journal<<W as Workload>::Operation, <W as Workload>::Seen>;

/// A law that was broken, and how to get there.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{violation}\n{story}replay: {replay}")]
pub struct Failure {
    /// What was broken.
    pub violation: Violation,
    /// The operations, the crashes, what survived and what was lost, and what recovery said.
    pub story: String,
    /// The same, for [`replay`](super::replay()).
    pub replay: String,
    /// What had been explored by then.
    pub statistics: Statistics,
}

/// Runs a program through its crashes: the first run is cut at every operation, every state that this can leave is
/// recovered and judged, and so on inside the recoveries, to the depth of the bounds.
///
/// # Errors
/// The first violation found.
///
/// # Examples
/// A store of one byte that forgets to sync its folder:
/// ```
/// use durability_core::embedded_io::{Read, Write};
/// use durability_core::storage::{AppendFile, Directory, Name};
/// use durability_testkit::simulated::{
///     Bounds, DiskOptions, Ended, JournalOf, Model, PrefixOracle, SimulatedDisk, Workload, explore,
/// };
///
/// #[derive(Debug, Clone, Default, PartialEq)]
/// struct Value(Option<u8>);
/// impl Model for Value {
///     type Operation = u8;
///     type Seen = Option<u8>;
///     fn apply(&mut self, value: &u8) {
///         self.0 = Some(*value);
///     }
///     fn explains(&self, seen: &Option<u8>) -> bool {
///         self.0 == *seen
///     }
/// }
///
/// struct Store;
/// impl Workload for Store {
///     type Operation = u8;
///     type Seen = Option<u8>;
///     fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
///         journal.issue(7);
///         let mut file = disk.create(Name::new("value")?, 0)?.ok_or("taken")?;
///         file.write(&[7])?;
///         file.sync_data()?;
///         journal.acknowledge();
///         Ok(())
///     }
///     fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
///         let mut byte = [0];
///         let file = disk.open(Name::new("value")?)?;
///         let count = file.map_or(Ok(0), |mut file| file.read(&mut byte))?;
///         journal.recovered((count > 0 && byte[0] > 0).then_some(byte[0]));
///         Ok(())
///     }
/// }
///
/// let bounds = Bounds::new(DiskOptions::new().without_junk());
/// let failure = explore(&Store, &PrefixOracle::<Value>::new(), &bounds).unwrap_err();
/// assert_eq!(failure.violation.law, "durable means durable");
/// assert!(failure.story.contains("lost: name value"));
/// ```
pub fn explore<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
) -> Result<Statistics, Box<Failure>> {
    let mut walk = Walk {
        workload,
        oracle,
        bounds,
        seen: HashMap::default(),
        statistics: Statistics::default(),
        path: Path { limits: bounds.limits, ..Path::default() },
    };
    let mut journal = Journal::new();
    match walk.lives(&bounds.start(), &mut journal, bounds.depth, false) {
        Ok(()) => Ok(walk.statistics),
        Err(violation) => {
            let story = replay::story(workload, oracle, bounds, &walk.path);
            let (replay, statistics) = (walk.path.to_string(), walk.statistics);
            Err(Box::new(Failure { violation, story, replay, statistics }))
        }
    }
}

/// Lets a program live once, on a disk that may have a fault in store.
pub(super) fn live<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    disk: &SimulatedDisk,
    journal: &mut JournalOf<W>,
    (life, fault): (u32, Option<Fault>),
) -> Result<(), Violation> {
    if let Some(fault) = fault {
        disk.inject(fault);
    }
    journal.begin_life(life, disk.clone());
    let ended = catch_unwind(AssertUnwindSafe(|| {
        if life == 0 { workload.run(disk, journal) } else { workload.recover(disk, journal) }
    }));
    journal.end_life();
    match ended {
        Err(panic) => {
            let detail = panic_text(&*panic);
            return Err(Violation { law: "no panic", detail });
        }
        Ok(Err(error)) if fault.is_none() => {
            let law = if life == 0 { "runs without an error" } else { "every crash opens again" };
            return Err(Violation { law, detail: error.to_string() });
        }
        Ok(_) => {}
    }
    oracle.check(journal)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

struct Walk<'a, W, O> {
    workload: &'a W,
    oracle: &'a O,
    bounds: &'a Bounds,
    /// For each state that was visited, how many further crashes were tried on it.
    seen: HashMap<u64, u32, ReadyHash>,
    statistics: Statistics,
    path: Path,
}

impl<W: Workload, O: Oracle<W::Operation, W::Seen>> Walk<'_, W, O> {
    fn life_number(&self) -> u32 {
        u32::try_from(self.path.steps.len()).unwrap_or(u32::MAX)
    }

    /// A life without a fault, and the same with each fault at each operation.
    fn lives(
        &mut self,
        medium: &Medium,
        journal: &mut JournalOf<W>,
        depth: u32,
        faulted: bool,
    ) -> Result<(), Violation> {
        let wanted = depth > 0 && !faulted && self.life_number() < self.bounds.fault_lives;
        let faults = self.life(medium, journal, depth, (None, faulted), wanted)?;
        for fault in faults {
            self.life(medium, journal, depth, (Some(fault), true), false)?;
        }
        Ok(())
    }

    /// One life, and all that can follow from a crash in it. Returns the faults that could strike it, if wanted.
    fn life(
        &mut self,
        medium: &Medium,
        journal: &mut JournalOf<W>,
        depth: u32,
        (fault, faulted): (Option<Fault>, bool),
        wanted: bool,
    ) -> Result<Vec<Fault>, Violation> {
        let recording = match (depth, wanted) {
            (0, _) => Recording::Count,
            (_, false) => Recording::Snapshots,
            (_, true) => Recording::Everything,
        };
        let disk = SimulatedDisk::with(medium.clone(), self.bounds.disk, recording);
        let mark = journal.len();
        let life = (self.life_number(), fault);
        self.statistics.lives += 1;
        let judged = live(self.workload, self.oracle, &disk, journal, life);
        self.path.fault = fault;
        judged?;
        self.statistics.faults += u64::from(disk.fault_struck());
        if depth > 0 {
            let snapshots = disk.take_snapshots();
            for (at, snapshot) in snapshots.iter().enumerate() {
                let until = snapshots.get(at + 1).map_or(u64::MAX, |next| next.operations);
                // Before the fault, this life is the one without it.
                if fault.is_none_or(|fault| until > fault.at) {
                    self.crash(snapshot, (at, until), journal, mark, (depth, fault, faulted))?;
                }
            }
        }
        journal.truncate(mark);
        Ok(if wanted { self.possible_faults(&disk) } else { Vec::new() })
    }

    fn possible_faults(&self, disk: &SimulatedDisk) -> Vec<Fault> {
        let mut all = Vec::new();
        for (at, operation) in disk.operations().iter().enumerate() {
            let kinds = self.bounds.faults.iter().filter(|kind| kind.applies_to(operation.kind));
            all.extend(kinds.map(|kind| Fault { at: at as u64, kind: *kind }));
        }
        all
    }

    /// All that a crash at one moment can leave.
    fn crash(
        &mut self,
        snapshot: &Snapshot,
        (number, until): (usize, u64),
        journal: &mut JournalOf<W>,
        mark: usize,
        (depth, fault, faulted): (u32, Option<Fault>, bool),
    ) -> Result<(), Violation> {
        let states = snapshot.crash_states(&self.bounds.limits);
        self.count(&states);
        for cut in journal.cuts(mark, snapshot.operations, until) {
            let tail = journal.split_off(cut);
            let mut step =
                Step { fault, snapshot: number, entries: cut - mark, left: Left::Killed };
            if self.bounds.kill {
                let medium = || snapshot.medium.clone();
                self.visit(step, snapshot.hash(), medium, journal, (depth, faulted))?;
            }
            for state in 0..states.len() {
                step.left = Left::PowerCut(state);
                let medium = || states.medium(state);
                self.visit(step, states.hash(state), medium, journal, (depth, faulted))?;
            }
            journal.restore(tail);
        }
        Ok(())
    }

    fn count(&mut self, states: &CrashStates) {
        self.statistics.crash_points += 1;
        *match states.coverage() {
            Coverage::Exhaustive => &mut self.statistics.exhaustive,
            Coverage::ExhaustiveButJunk => &mut self.statistics.exhaustive_but_junk,
            Coverage::Sampled => &mut self.statistics.sampled,
        } += 1;
    }

    fn visit(
        &mut self,
        step: Step,
        hash: u64,
        medium: impl FnOnce() -> Medium,
        journal: &mut JournalOf<W>,
        (depth, faulted): (u32, bool),
    ) -> Result<(), Violation> {
        self.statistics.states += 1;
        // Lives that wrote nothing down differ in their number only, which nothing depends on.
        let key = mix(hash, mix(journal.hash(), u64::from(faulted)));
        if self.seen.get(&key).is_some_and(|tried| *tried >= depth) {
            return Ok(());
        }
        if self.statistics.distinct >= self.bounds.states_max {
            self.statistics.cut_short = true;
            return Ok(());
        }
        if self.seen.insert(key, depth).is_none() {
            self.statistics.distinct += 1;
        }
        self.statistics.count_judged(self.path.steps.len(), 1);
        self.path.steps.push(step);
        self.lives(&medium(), journal, depth - 1, faulted)?;
        self.path.steps.pop();
        Ok(())
    }
}
