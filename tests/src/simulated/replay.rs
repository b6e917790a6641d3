//! Walking one path again, and telling it.
//!
//! Must never explore: what it runs is the one way that the replay names.

use core::fmt::Write;

use super::bounds::{Bounds, Statistics};
use super::explore::{Failure, JournalOf, Workload, live};
use super::journal::Journal;
use super::model::{Oracle, Violation};
use super::path::{BadReplay, Left, Path};
use super::state::Recording;
use super::{SimulatedDisk, story};

/// What came of a replay that found nothing wrong, or could not be walked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The text is no replay.
    #[error(transparent)]
    Bad(#[from] BadReplay),
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
/// Workload and bounds must be those that were explored. `Ok(None)` means that nothing is wrong there any more.
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
    let (story, ended) = walk(workload, oracle, bounds, &path);
    match ended {
        End::Fine => Ok(None),
        End::Mismatch { life } => Err(ReplayError::Mismatch { life }),
        End::Violated(violation) => {
            let (replay, statistics) = (path.to_string(), Statistics::default());
            Ok(Some(Box::new(Failure { violation, story, replay, statistics })))
        }
    }
}

/// The story of a path.
pub(super) fn story<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    path: &Path,
) -> String {
    walk(workload, oracle, bounds, path).0
}

enum End {
    Fine,
    Violated(Violation),
    Mismatch { life: usize },
}

fn walk<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    path: &Path,
) -> (String, End) {
    let mut journal: JournalOf<W> = Journal::new();
    let (mut medium, mut text) = (bounds.start(), String::new());
    for (life, step) in path.steps.iter().enumerate() {
        let mark = journal.len();
        let disk = SimulatedDisk::with(medium, bounds.disk, Recording::Everything);
        let number = u32::try_from(life).unwrap_or(u32::MAX);
        // An earlier violation is told as well; the end of the path is what counts.
        let _judged = live(workload, oracle, &disk, &mut journal, (number, step.fault));
        let snapshots = disk.take_snapshots();
        let Some(snapshot) = snapshots.get(step.snapshot) else {
            return (text, End::Mismatch { life });
        };
        journal.truncate(mark + step.entries);
        story::tell_life(
            &mut text,
            life,
            &disk.operations(),
            &journal,
            (mark, snapshot.operations),
        );
        match step.left {
            Left::Killed => {
                text.push_str("  == process killed; the cache lives on, unsynced\n");
                medium = snapshot.medium.clone();
            }
            Left::PowerCut(state) => {
                let states = snapshot.crash_states(&path.limits);
                if state >= states.len() {
                    return (text, End::Mismatch { life });
                }
                let _written = writeln!(text, "  == power cut; {}", states.choice(state));
                medium = states.medium(state);
            }
        }
    }
    let mark = journal.len();
    let disk = SimulatedDisk::with(medium, bounds.disk, Recording::Operations);
    let life = path.steps.len();
    let number = u32::try_from(life).unwrap_or(u32::MAX);
    let judged = live(workload, oracle, &disk, &mut journal, (number, path.fault));
    story::tell_life(&mut text, life, &disk.operations(), &journal, (mark, u64::MAX));
    match judged {
        Ok(()) => (text, End::Fine),
        Err(violation) => {
            let _written = writeln!(text, "  == {violation}");
            (text, End::Violated(violation))
        }
    }
}
