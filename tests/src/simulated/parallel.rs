//! [`explore_all()`]: many programs, on all cores.
//!
//! Must never let the number of threads show in the result.

use core::iter::Enumerate;
use core::num::NonZero;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::bounds::{Bounds, Statistics};
use super::failure::Failure;
use super::model::Oracle;
use super::shrink::{self, Found};
use super::walk::{Search, Stop, Walk};
use super::workload::Workload;

/// Explores many programs, several at a time, and adds up what was explored. With 0 threads there is one for each core.
///
/// The result is the same whatever the number of threads: the failure is that of the first program that has one, and its
/// statistics are those of the programs up to it. Programs are taken from the iterator as threads become free.
///
/// # Errors
/// The first violation, shrunk; [`Failure::number`] says which program it was.
///
/// # Examples
/// ```
/// # use durability_core::storage::{Directory, Name};
/// # use durability_testkit::simulated::*;
/// # #[derive(Clone)]
/// # struct Script(Vec<&'static str>);
/// # impl Workload for Script {
/// #     type Operation = ();
/// #     type Seen = ();
/// #     fn run(&self, disk: &SimulatedDisk, _: &mut JournalOf<Self>) -> Ended {
/// #         for name in &self.0 {
/// #             disk.create(Name::new(name)?, 0)?;
/// #         }
/// #         Ok(())
/// #     }
/// #     fn recover(&self, _: &SimulatedDisk, _: &mut JournalOf<Self>) -> Ended {
/// #         Ok(())
/// #     }
/// # }
/// # let oracle = |_: &JournalOf<Script>| Ok(());
/// # let bounds = Bounds::new(DiskOptions::new());
/// let steps = ["a", "b", "c"];
/// let pairs = steps.iter().flat_map(|first| steps.iter().map(move |second| Script(vec![first, second])));
/// let statistics = explore_all(pairs, &oracle, &bounds, 0)?;
/// # assert_eq!(statistics.by_depth.len(), 1);
/// # Ok::<(), Box<Failure>>(())
/// ```
pub fn explore_all<W, O, I>(
    workloads: I,
    oracle: &O,
    bounds: &Bounds,
    threads: usize,
) -> Result<Statistics, Box<Failure>>
where
    W: Workload + Send,
    O: Oracle<W::Operation, W::Seen> + Sync,
    I: IntoIterator<Item = W, IntoIter: Send>,
{
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    let threads = if threads == 0 { cores() } else { threads };
    let work = Work {
        workloads: Mutex::new(workloads.into_iter().enumerate()),
        first: AtomicUsize::new(usize::MAX),
        done: Mutex::new(Done::default()),
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work.help(oracle, bounds));
        }
        work.help(oracle, bounds);
    });
    let done = work.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(Failed { number, workload, found, statistics }) = done.failed else {
        return Ok(done.sum);
    };
    let mut sum = done.sum;
    sum.add(&statistics);
    let failure = shrink::tell(&workload, oracle, bounds, (found, sum));
    Err(Box::new(Failure { number: Some(number), ..*failure }))
}

struct Work<W, I> {
    workloads: Mutex<Enumerate<I>>,
    /// The number of the first program known to fail.
    first: AtomicUsize,
    done: Mutex<Done<W>>,
}

struct Done<W> {
    /// Of all programs before `next`.
    sum: Statistics,
    next: usize,
    /// Of programs that were done before an earlier one.
    waiting: BTreeMap<usize, Statistics>,
    failed: Option<Failed<W>>,
}

impl<W> Default for Done<W> {
    fn default() -> Self {
        Self { sum: Statistics::default(), next: 0, waiting: BTreeMap::new(), failed: None }
    }
}

struct Failed<W> {
    number: usize,
    workload: W,
    found: Found,
    statistics: Statistics,
}

impl<W: Workload, I: Iterator<Item = W>> Work<W, I> {
    /// Explores one program after another, until there is none, or none before one that failed.
    fn help<O: Oracle<W::Operation, W::Seen>>(&self, oracle: &O, bounds: &Bounds) {
        loop {
            let next = lock(&self.workloads).next();
            let Some((number, workload)) = next else { return };
            if number > self.first.load(Ordering::Relaxed) {
                return;
            }
            let search = Search { until: Some((&self.first, number)), ..Search::of(bounds) };
            let mut walk = Walk::new(&workload, oracle, search);
            match walk.all() {
                Ok(()) => lock(&self.done).add(number, walk.statistics),
                Err(Stop::Told) => return,
                Err(Stop::Broken(violation)) => {
                    self.first.fetch_min(number, Ordering::Relaxed);
                    let (path, statistics) = (walk.path, walk.statistics);
                    let found = Found { violation, path };
                    lock(&self.done).fail(Failed { number, workload, found, statistics });
                    return;
                }
            }
        }
    }
}

impl<W> Done<W> {
    fn add(&mut self, number: usize, statistics: Statistics) {
        self.waiting.insert(number, statistics);
        while let Some(statistics) = self.waiting.remove(&self.next) {
            self.sum.add(&statistics);
            self.next += 1;
        }
    }

    fn fail(&mut self, failed: Failed<W>) {
        if self.failed.as_ref().is_none_or(|first| failed.number < first.number) {
            self.failed = Some(failed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
