//! One workload within its bounds, whatever its types are.
//!
//! Must never end the process, or decide how much is enough: that is its caller's.

use alloc::sync::Arc;
use core::fmt;

use crate::simulated::{
    Bounds, Explored, Failure, Oracle, ReplayError, Statistics, Workload, explore_beyond, replay,
};

/// Cases that differ in their scripts alone. What one of them has seen, the others do not look at again.
#[derive(Debug, Clone, Default)]
pub struct Group {
    explored: Arc<Explored>,
}

impl Group {
    /// Nothing is seen yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// A workload, the oracle that judges it, and how far to explore it.
pub struct Case {
    bounds: Bounds,
    group: Group,
    explorable: Box<dyn Explorable>,
}

/// A law that was broken, and by which workload.
#[derive(Debug, Clone, thiserror::Error)]
#[error("found with: {workload}\n{failure}")]
pub struct Broken {
    /// The workload that it was found with: its steps and options. The failure's own may be smaller.
    pub workload: String,
    /// The law, the story, and the line to replay it with.
    pub failure: Box<Failure>,
}

impl Case {
    /// A workload within bounds.
    ///
    /// Within a group, disk, bounds and all that later lives do must be the same.
    pub fn new<W, O>(workload: W, oracle: O, bounds: Bounds, group: &Group) -> Self
    where
        W: Workload + Send + Sync + 'static,
        O: Oracle<W::Operation, W::Seen> + Send + Sync + 'static,
    {
        Self { bounds, group: group.clone(), explorable: Box::new(Judged { workload, oracle }) }
    }

    /// The workload: its steps and options.
    pub fn about(&self) -> String {
        self.explorable.about()
    }

    /// How far it is explored.
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Runs it through its crashes, and gives up after that many states that no case of its group has seen.
    ///
    /// # Errors
    /// The first law that is found broken.
    pub fn run(&self, states_max: u64) -> Result<Statistics, Box<Broken>> {
        let bounds = self.bounds.clone().with_states_max(states_max);
        let explored = &self.group.explored;
        let result = self.explorable.explore(&bounds, explored);
        result.map_err(|failure| Box::new(self.broken(failure)))
    }

    /// Walks to one state again, by the line that a failure gave; see [`replay()`].
    ///
    /// # Errors
    /// If the line does not fit this case.
    pub fn replay(&self, line: &str) -> Result<Option<Box<Broken>>, ReplayError> {
        let found = self.explorable.replay(&self.bounds, line)?;
        Ok(found.map(|failure| Box::new(self.broken(failure))))
    }

    fn broken(&self, failure: Box<Failure>) -> Broken {
        Broken { workload: self.about(), failure }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("workload", &self.about()).finish_non_exhaustive()
    }
}

trait Explorable: Send + Sync {
    fn about(&self) -> String;
    fn explore(&self, bounds: &Bounds, explored: &Explored) -> Result<Statistics, Box<Failure>>;
    fn replay(&self, bounds: &Bounds, line: &str) -> Result<Option<Box<Failure>>, ReplayError>;
}

struct Judged<W, O> {
    workload: W,
    oracle: O,
}

impl<W, O> Explorable for Judged<W, O>
where
    W: Workload + Send + Sync,
    O: Oracle<W::Operation, W::Seen> + Send + Sync,
{
    fn about(&self) -> String {
        self.workload.describe()
    }

    fn explore(&self, bounds: &Bounds, explored: &Explored) -> Result<Statistics, Box<Failure>> {
        explore_beyond(&self.workload, &self.oracle, bounds, explored)
    }

    fn replay(&self, bounds: &Bounds, line: &str) -> Result<Option<Box<Failure>>, ReplayError> {
        replay(&self.workload, &self.oracle, bounds, line)
    }
}
