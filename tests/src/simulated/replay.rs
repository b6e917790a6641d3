//! Walking one path again, and telling it.
//!
//! Must never explore: what it runs is the one way that the replay names.

use core::fmt::Write;

use super::bounds::{Bounds, Statistics};
use super::failure::Failure;
use super::journal::Journal;
use super::medium::Medium;
use super::model::{Oracle, Violation};
use super::path::{BadReplay, Left, Path, Step};
use super::state::Recording;
use super::survivors::SurvivorLimits;
use super::walk::{CUT_COST, FAULT_COST, KILL_COST, live};
use super::workload::{JournalOf, Workload};
use super::{SimulatedDisk, story};

/// What came of a replay that found nothing wrong, or could not be walked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The text is no replay.
    #[error(transparent)]
    Bad(#[from] BadReplay),
    /// The workload has no such smaller program.
    #[error("replay: there is no smaller program number {index}; is it the same workload?")]
    NoSuchProgram {
        /// Which of them.
        index: usize,
    },
    /// The workload or the disk is not the one of the replay.
    #[error(
        "replay: life {life} does not have that crash point; is it the same workload and disk?"
    )]
    Mismatch {
        /// Which life, from 0.
        life: usize,
    },
}

/// Walks to one state again, by the text that a [`Failure`] gave.
///
/// Workload and bounds must be those that were explored; the text says to which smaller program the workload was shrunk. For
/// that program itself leave out the word `less:…`. `Ok(None)` means that nothing is wrong there any more.
///
/// # Errors
/// If the text does not fit.
pub fn replay<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    text: &str,
) -> Result<Option<Box<Failure>>, ReplayError> {
    let path: Path = text.parse()?;
    let mut program = None;
    for index in &path.less {
        let mut smaller = program.as_ref().unwrap_or(workload).smaller().into_iter();
        let next = smaller.nth(*index).ok_or(ReplayError::NoSuchProgram { index: *index })?;
        program = Some(next);
    }
    let program = program.as_ref().unwrap_or(workload);
    let walked = walk(program, oracle, bounds, &path);
    match walked.end {
        End::Fine => Ok(None),
        End::Mismatch { life } => Err(ReplayError::Mismatch { life }),
        End::Violated(violation) => Ok(Some(Box::new(Failure {
            violation,
            program: program.describe(),
            number: None,
            story: walked.text,
            replay: path.to_string(),
            statistics: Statistics::default(),
        }))),
    }
}

pub(super) enum End {
    Fine,
    Violated(Violation),
    Mismatch { life: usize },
}

/// What came of a walk along one path.
pub(super) struct Walked {
    pub(super) text: String,
    /// How far from "everything went well" the path is.
    pub(super) cost: u32,
    end: End,
}

/// Walks along a path, and tells it.
pub(super) fn walk<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    path: &Path,
) -> Walked {
    let mut journal: JournalOf<W> = Journal::new();
    let mut walked = Walked { text: String::new(), cost: 0, end: End::Fine };
    let mut medium = bounds.start();
    for (life, step) in path.steps.iter().enumerate() {
        let limits = path.limits_at(life);
        match crash(
            workload,
            oracle,
            bounds,
            (medium, life, step, &limits),
            &mut journal,
            &mut walked,
        ) {
            Some(left) => medium = left,
            None => return Walked { end: End::Mismatch { life }, ..walked },
        }
    }
    let mark = journal.len();
    let disk = SimulatedDisk::with(medium, bounds.disk, Recording::Operations);
    let life = path.steps.len();
    let number = u32::try_from(life).unwrap_or(u32::MAX);
    let judged = live(workload, oracle, &disk, &mut journal, (number, path.fault));
    walked.cost += path.fault.map_or(0, |_| FAULT_COST);
    let until =
        if judged.is_err() { cut_where_broken(oracle, &mut journal, mark) } else { u64::MAX };
    story::tell_life(&mut walked.text, life, &disk.operations(), &journal, (mark, until));
    story::tell_fault(&mut walked.text, path.fault);
    if let Err(violation) = judged {
        let _written = writeln!(walked.text, "  == {violation}");
        walked.end = End::Violated(violation);
    }
    walked
}

/// Cuts off what the journal has from after the law was broken, and says how many operations there were until then.
fn cut_where_broken<O, S>(
    oracle: &impl Oracle<O, S>,
    journal: &mut Journal<O, S>,
    mark: usize,
) -> u64 {
    for length in mark + 1..=journal.len() {
        let rest = journal.split_off(length);
        if oracle.check(journal).is_err() {
            return journal.entries().last().map_or(u64::MAX, |entry| entry.operations);
        }
        journal.restore(rest);
    }
    u64::MAX
}

/// One life that ends in a crash, and the disk that is left; nothing if it has no such moment.
fn crash<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    (medium, life, step, limits): (Medium, usize, &Step, &SurvivorLimits),
    journal: &mut JournalOf<W>,
    walked: &mut Walked,
) -> Option<Medium> {
    let mark = journal.len();
    let disk = SimulatedDisk::with(medium, bounds.disk, Recording::Everything);
    let number = u32::try_from(life).unwrap_or(u32::MAX);
    // An earlier violation is told as well; the end of the path is what counts.
    let _judged = live(workload, oracle, &disk, journal, (number, step.fault));
    walked.cost += step.fault.map_or(0, |_| FAULT_COST);
    let snapshots = disk.take_snapshots();
    let snapshot = snapshots.get(step.snapshot)?;
    journal.truncate(mark + step.entries);
    let moment = (mark, snapshot.operations);
    story::tell_life(&mut walked.text, life, &disk.operations(), journal, moment);
    story::tell_fault(&mut walked.text, step.fault);
    let after = snapshot.operations;
    match step.left {
        Left::Killed => {
            walked.cost += KILL_COST;
            let text = "the cache lives on, unsynced";
            let _written =
                writeln!(walked.text, "  == process killed after {after} operations; {text}");
            Some(snapshot.medium.clone())
        }
        Left::PowerCut(state) => {
            let states = snapshot.crash_states(limits);
            if state >= states.len() {
                return None;
            }
            walked.cost += CUT_COST + states.oddity(state);
            story::tell_cut(&mut walked.text, after, &states.choice(state));
            Some(states.medium(state))
        }
    }
}
