//! [`explore()`]: running one program through all its crashes.
//!
//! Must never judge a state that the failure model excludes: a false alarm is worth nothing.

use super::bounds::{Bounds, Statistics};
use super::explored::Explored;
use super::failure::Failure;
use super::model::Oracle;
use super::shrink::{self, Found};
use super::walk::{Search, Stop, Walk};
use super::workload::Workload;

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
    look(workload, oracle, bounds, None)
}

/// [`explore()`], without looking again at what other explorations have seen.
///
/// They must have the same bounds, and workloads that do the same in all lives but the first. A state counts for the exploration
/// that meets it first, and for the number of crashes that came before it there.
///
/// # Errors
/// The first violation found.
pub fn explore_beyond<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    explored: &Explored,
) -> Result<Statistics, Box<Failure>> {
    look(workload, oracle, bounds, Some(explored))
}

fn look<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    explored: Option<&Explored>,
) -> Result<Statistics, Box<Failure>> {
    let mut walk = Walk::new(workload, oracle, Search::of(bounds));
    walk.beyond = explored;
    let Err(Stop::Broken(violation)) = walk.all() else { return Ok(walk.statistics) };
    let found = Found { violation, path: walk.path };
    Err(shrink::tell(workload, oracle, bounds, (found, walk.statistics)))
}
