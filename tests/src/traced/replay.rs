//! A trace, done again on a simulated disk; and as a program that the explorer can run through its crashes.
//!
//! Must never do a step that is not in the trace, nor in another order.

use core::fmt;
use core::hash::Hash;

use super::TraceError;
use super::step::{Action, FileNumber, Trace};
use crate::simulated::{
    Ended, Event, Journal, JournalOf, Oracle, RawDisk, RawFile, SimulatedDisk, SimulatedError,
    Violation, Workload,
};

impl Trace {
    /// Does all steps on a disk that holds what the traced folder held at first, and tells of the marks.
    ///
    /// # Errors
    /// If a step does not fit to the disk.
    pub fn replay(
        &self,
        disk: &SimulatedDisk,
        mut mark: impl FnMut(&str),
    ) -> Result<(), TraceError> {
        let raw = disk.raw();
        let mut files = Vec::new();
        for path in &self.existing {
            files.push(raw.find(path).ok_or_else(|| TraceError::Mismatch {
                step: 0,
                action: format!("the trace began with {path}"),
                source: SimulatedError::NotFound,
            })?);
        }
        for (number, step) in self.steps.iter().enumerate() {
            if let Action::Mark(text) = &step.action {
                mark(text);
                continue;
            }
            let at_once = self.at_once.contains(&step.path);
            act(&raw, &mut files, &step.action, at_once).map_err(|source| {
                TraceError::Mismatch { step: number, action: step.to_string(), source }
            })?;
        }
        Ok(())
    }
}

fn act(
    raw: &RawDisk<'_>,
    files: &mut Vec<RawFile>,
    action: &Action,
    at_once: bool,
) -> Result<(), SimulatedError> {
    let known = |files: &[RawFile], file: FileNumber| {
        files.get(file as usize).copied().ok_or(SimulatedError::NotFound)
    };
    match action {
        Action::MakeFolder { path } => raw.make_folder(path),
        Action::RemoveFolder { path } => raw.remove_folder(path),
        Action::Create { path, .. } => {
            files.push(raw.create(path)?);
            Ok(())
        }
        Action::Link { file, path } => raw.link(known(files, *file)?, path),
        Action::Rename { from, to } => raw.rename(from, to),
        Action::Remove { path } => raw.remove(path),
        Action::Write { file, at, data } if at_once => {
            raw.write_durably(known(files, *file)?, *at, data)
        }
        Action::Write { file, at, data } => raw.write(known(files, *file)?, *at, data),
        Action::SetLength { file, length } => raw.set_length(known(files, *file)?, *length),
        Action::SyncFile { file } => raw.sync(known(files, *file)?),
        Action::SyncFolder { path } => raw.sync_folder(path),
        Action::Mark(_) => Ok(()),
    }
}

/// What is to be known of a traced program: what its marks mean, and how it recovers.
pub trait Recovery {
    /// What the program is asked to do.
    type Operation: Hash + fmt::Debug;
    /// What its recovery shows.
    type Seen: Hash + fmt::Debug;

    /// What a mark means. Acknowledgements count the operations from 1, from the trace's first.
    ///
    /// # Errors
    /// If it means nothing.
    fn event(
        &self,
        mark: &str,
    ) -> Result<Event<Self::Operation, Self::Seen>, Box<dyn core::error::Error>>;

    /// Recovers on a disk that a crash has left, tells the journal what recovery shows, and perhaps goes on working: as
    /// [`Workload::recover`]. A program that only runs on real files can be run on [`write_folder`](super::write_folder)'s copy.
    ///
    /// # Errors
    /// Whatever it meets, which is a broken law: every crash opens again.
    fn recover(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended;
}

/// A [`Workload`] whose first life is a trace, and whose later ones are a [`Recovery`]'s.
#[derive(Debug)]
pub struct Replayed<'a, R> {
    trace: &'a Trace,
    recovery: &'a R,
}

impl<'a, R: Recovery> Replayed<'a, R> {
    /// The trace, as something to [`explore`](crate::simulated::explore()).
    pub const fn new(trace: &'a Trace, recovery: &'a R) -> Self {
        Self { trace, recovery }
    }
}

impl<R: Recovery> Workload for Replayed<'_, R> {
    type Operation = R::Operation;
    type Seen = R::Seen;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let mut meaningless = None;
        self.trace.replay(disk, |mark| match self.recovery.event(mark) {
            Ok(event) => journal.tell(event),
            Err(error) => meaningless = Some(error),
        })?;
        meaningless.map_or(Ok(()), Err)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.recovery.recover(disk, journal)
    }
}

/// An [`Oracle`] that knows what was before the journal that it judges: for a trace of a recovery.
#[derive(Debug, Clone)]
pub struct Continued<O, S, J> {
    history: Vec<Event<O, S>>,
    oracle: J,
}

impl<O, S, J> Continued<O, S, J> {
    /// Judges as `oracle` would judge the history and what follows it.
    pub const fn new(history: Vec<Event<O, S>>, oracle: J) -> Self {
        Self { history, oracle }
    }
}

impl<O: Clone + Hash, S: Clone + Hash, J: Oracle<O, S>> Oracle<O, S> for Continued<O, S, J> {
    fn check(&self, journal: &Journal<O, S>) -> Result<(), Violation> {
        let mut whole = Journal::new();
        for event in &self.history {
            whole.tell(event.clone());
        }
        let before = whole.issued();
        for entry in journal.entries() {
            whole.tell(match entry.event.clone() {
                Event::Acknowledged { through } => {
                    Event::Acknowledged { through: before + through }
                }
                event => event,
            });
        }
        self.oracle.check(&whole)
    }
}
