//! [`explore_all()`]: many programs, on all cores.
//!
//! Must never let the number of threads show in the result.

use core::num::NonZero;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::bounds::{Bounds, Statistics};
use super::failure::Failure;
use super::known::Known;
use super::model::Oracle;
use super::shrink::{self, Found};
use super::walk::{Search, Stop, Walk};
use super::workload::Workload;

/// How many programs there are at least in a round, and at most.
const ROUND: (usize, usize) = (8, 1024);

/// Explores many programs, several at a time, and adds up what was explored. With 0 threads there is one for each core.
///
/// The result is the same whatever the number of threads: the failure is that of the first program that has one, and its
/// statistics are those of the programs up to it. Programs are explored in rounds, of a few at first and of more later. Where
/// [`recovers_as`](Workload::recovers_as) says that they recover alike, a state that programs of several rounds reach is looked
/// at once, and a state that several programs reach is counted once. So let the short programs come first: what a longer one
/// does before its last step is known by then.
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
    I: IntoIterator<Item = W>,
{
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    let threads = if threads == 0 { cores() } else { threads };
    let mut workloads = workloads.into_iter().enumerate();
    let (mut known, mut sum, mut done) = (Known::default(), Statistics::default(), 0);
    loop {
        let size = (done / 8).clamp(ROUND.0, ROUND.1);
        let programs: Vec<_> = workloads.by_ref().take(size).collect();
        if programs.is_empty() {
            return Ok(sum);
        }
        done += programs.len();
        let round = Round::new(&known, programs.into_iter());
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| round.help(oracle, bounds));
            }
            round.help(oracle, bounds);
        });
        let mut ended = round.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        ended.sort_unstable_by_key(|(number, _)| *number);
        for (number, end) in ended {
            match end {
                End::Fine(explored) => explored.add_to(&mut known, &mut sum, bounds.depth),
                End::Broken { workload, found, explored } => {
                    explored.add_to(&mut known, &mut sum, bounds.depth);
                    let failure = shrink::tell(&workload, oracle, bounds, (found, sum));
                    return Err(Box::new(Failure { number: Some(number), ..*failure }));
                }
            }
        }
    }
}

/// What a program was tried with.
struct Explored {
    statistics: Statistics,
    /// How it recovers, and its states with the crashes that were tried on each.
    shared: Option<(u64, Vec<(u64, u32)>)>,
}

impl Explored {
    fn add_to(mut self, known: &mut Known, sum: &mut Statistics, depth: u32) {
        if let Some((recovery, states)) = self.shared {
            // Others may have been through some of them at the same time.
            self.statistics.distinct = 0;
            self.statistics.by_depth.clear();
            known.add(recovery, states.into_iter(), depth, sum);
        }
        sum.add(&self.statistics);
    }
}

enum End<W> {
    Fine(Explored),
    Broken { workload: W, found: Found, explored: Explored },
}

/// Programs that are explored at the same time.
struct Round<'a, W, I> {
    known: &'a Known,
    programs: Mutex<I>,
    /// The number of the first program known to fail.
    first: AtomicUsize,
    ended: Mutex<Vec<(usize, End<W>)>>,
}

impl<'a, W: Workload, I: Iterator<Item = (usize, W)>> Round<'a, W, I> {
    fn new(known: &'a Known, programs: I) -> Self {
        Self {
            known,
            programs: Mutex::new(programs),
            first: AtomicUsize::new(usize::MAX),
            ended: Mutex::default(),
        }
    }

    /// Explores one program after another, until there is none, or none before one that failed.
    fn help<O: Oracle<W::Operation, W::Seen>>(&self, oracle: &O, bounds: &Bounds) {
        loop {
            let next = lock(&self.programs).next();
            let Some((number, workload)) = next else { return };
            let recovery = workload.recovers_as();
            let known = recovery.map(|recovery| (self.known, recovery));
            let until = Some((&self.first, number));
            let mut walk =
                Walk::new(&workload, oracle, Search { until, known, ..Search::of(bounds) });
            let ended = walk.all();
            let shared = recovery.map(|recovery| (recovery, walk.visited().collect()));
            let (path, statistics) = (walk.path, walk.statistics);
            let explored = Explored { statistics, shared };
            let end = match ended {
                Ok(()) => End::Fine(explored),
                Err(Stop::Told) => return,
                Err(Stop::Broken(violation)) => {
                    self.first.fetch_min(number, Ordering::Relaxed);
                    End::Broken { workload, found: Found { violation, path }, explored }
                }
            };
            lock(&self.ended).push((number, end));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
