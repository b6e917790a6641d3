//! Runs the cases of all families on all cores.
//!
//! Must never lose a violation, whichever thread met it.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use durability_testkit::proof::{Broken, Case, Cases, Family};
use durability_testkit::simulated::Statistics;

use crate::arguments::Arguments;

/// What came of one family.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) family: &'static Family,
    pub(crate) cases: u64,
    pub(crate) sum: Statistics,
    /// Of all threads together.
    pub(crate) busy: Duration,
}

/// What came of all.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) broken: Option<(&'static Family, Box<Broken>)>,
    pub(crate) threads: usize,
    pub(crate) took: Duration,
}

impl Report {
    /// States of all families.
    pub(crate) fn distinct(&self) -> u64 {
        self.rows.iter().map(|row| row.sum.distinct).sum()
    }
}

struct Work<'a> {
    arguments: &'a Arguments,
    /// Families and their cases that are left; the first is next.
    queue: VecDeque<(usize, Option<Cases>)>,
    end: Option<Instant>,
    rows: Vec<Row>,
    broken: Option<(&'static Family, Box<Broken>)>,
}

impl<'a> Work<'a> {
    fn new(arguments: &'a Arguments) -> Self {
        let row = |family: &&'static Family| Row {
            family,
            cases: 0,
            sum: Statistics::default(),
            busy: Duration::ZERO,
        };
        let rows: Vec<_> = arguments.families.iter().map(row).collect();
        let queue = (0..rows.len()).map(|number| (number, None)).collect();
        let end =
            arguments.minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
        Self { arguments, queue, end, rows, broken: None }
    }

    /// The next case, the number of its family, and how many states it may look at.
    fn next(&mut self) -> Option<(usize, Case, u64)> {
        if self.broken.is_some() {
            return None;
        }
        let size = &self.arguments.size;
        let is_late = self.end.is_some_and(|end| Instant::now() > end);
        while let Some((number, cases)) = self.queue.pop_front() {
            let row = &mut self.rows[number];
            let mut cases = cases.unwrap_or_else(|| row.family.cases(size));
            let left = size.states_max().saturating_sub(row.sum.distinct);
            match cases.next() {
                None => eprintln!("{}: {} states", row.family.name, row.sum.distinct),
                Some(_) if left == 0 || is_late => row.sum.cut_short = true,
                Some(case) => {
                    // What a family has seen takes memory: one after the other, if there is time for all.
                    let rest = (number, Some(cases));
                    if self.end.is_some() {
                        self.queue.push_back(rest);
                    } else {
                        self.queue.push_front(rest);
                    }
                    return Some((number, case, left));
                }
            }
        }
        None
    }
}

fn lock<'m, 'a>(work: &'m Mutex<Work<'a>>) -> MutexGuard<'m, Work<'a>> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

fn labour(work: &Mutex<Work<'_>>) {
    loop {
        // The lock must not be held while the case runs.
        let next = lock(work).next();
        let Some((number, case, left)) = next else { return };
        let start = Instant::now();
        let result = case.run(left);
        let busy = start.elapsed();
        let mut work = lock(work);
        let row = &mut work.rows[number];
        row.cases += 1;
        row.busy += busy;
        match result {
            Ok(sum) => row.sum.add(&sum),
            Err(broken) => {
                row.sum.add(&broken.failure.statistics);
                let family = row.family;
                work.broken.get_or_insert((family, broken));
            }
        }
    }
}

/// Runs what was asked for; stops handing out work at the first violation.
pub(crate) fn run(arguments: &Arguments) -> Report {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let work = Mutex::new(Work::new(arguments));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| labour(&work));
        }
    });
    let Work { rows, broken, .. } = work.into_inner().unwrap_or_else(PoisonError::into_inner);
    Report { rows, broken, threads, took: start.elapsed() }
}
