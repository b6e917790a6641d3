//! Runs the cases of all families on all cores.
//!
//! Must never lose a violation, whichever thread met it.

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
    /// Index of the family whose cases are being handed out, and those that are left.
    current: usize,
    cases: Option<Cases>,
    rows: Vec<Row>,
    broken: Option<(&'static Family, Box<Broken>)>,
}

impl Work<'_> {
    /// The next case, the number of its family, and how many states it may look at.
    fn next(&mut self) -> Option<(usize, Case, u64)> {
        if self.broken.is_some() {
            return None;
        }
        loop {
            let family = self.arguments.families.get(self.current)?;
            let size = &self.arguments.size;
            let cases = self.cases.get_or_insert_with(|| family.cases(size));
            let left = size.states_max().saturating_sub(self.rows[self.current].sum.distinct);
            if let Some(case) = cases.next().filter(|_| left > 0) {
                return Some((self.current, case, left));
            }
            self.rows[self.current].sum.cut_short |= left == 0;
            self.cases = None;
            self.current += 1;
        }
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
    let row = |family: &&'static Family| Row {
        family,
        cases: 0,
        sum: Statistics::default(),
        busy: Duration::ZERO,
    };
    let rows = arguments.families.iter().map(row).collect();
    let work = Mutex::new(Work { arguments, current: 0, cases: None, rows, broken: None });
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| labour(&work));
        }
    });
    let Work { rows, broken, .. } = work.into_inner().unwrap_or_else(PoisonError::into_inner);
    Report { rows, broken, threads, took: start.elapsed() }
}
