//! The whole run: what is done with each workload, and how much of it.
//!
//! Must never end well below the numbers that were promised.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use durability_testkit::traced::{CHANGED_MEANWHILE, TraceError};

use super::crashes::{self, Depth};
use super::outside::Failed;
use super::report::{Row, head};
use super::scratch::Scratch;
use super::store::Kind;
use super::tracing::{Traced, first, new_tracer};
use super::workloads::{self, Workload};
use super::{dropped, kills};

const LEGEND: &str = "\
states     distinct, of disk and journal, after crashes of the first life and of the recoveries from it
more       the same at other tear units, with lock files as fragile as all else, and after crashes of traced recoveries
real       crash states recovered by the adapter on real files, twice each
kills      SIGKILL at each call that changes something, in first lives and in recoveries; then two more lives on real files
syncs out  each left out in turn, or done too early: a law breaks; none does, for a known reason; nothing was pending";

/// How much to do.
#[derive(Debug)]
pub(crate) struct Size {
    /// Of the first lives, at the smallest tear unit: these states are counted.
    counted: Depth,
    /// The same with other units.
    others: &'static [Depth],
    /// Of traced recoveries.
    recoveries: Depth,
    /// At how many places of each trace recoveries are traced.
    places: usize,
    /// About how many crash states of each workload are recovered on real files.
    real: usize,
    /// Every how many of the traced recoveries is killed at each of its calls.
    kill_every: usize,
    /// Whether two crashes are tried without a sync that is known not to be needed.
    deep: bool,
    /// How many states and kills it must come to.
    states_min: u64,
    kills_min: u64,
}

/// A few seconds.
pub(crate) const SMALL: Size = Size {
    counted: Depth { tear_unit: 64, crashes: 1, exhaustive_max: 64 },
    others: &[],
    recoveries: Depth { tear_unit: 64, crashes: 1, exhaustive_max: 16 },
    places: 1,
    real: 20,
    kill_every: usize::MAX,
    deep: false,
    states_min: 1_000,
    kills_min: 0,
};

/// About a minute on two cores.
pub(crate) const CI: Size = Size {
    counted: Depth { tear_unit: 16, crashes: 2, exhaustive_max: 128 },
    others: &[
        Depth { tear_unit: 64, crashes: 2, exhaustive_max: 32 },
        Depth { tear_unit: 512, crashes: 2, exhaustive_max: 64 },
    ],
    recoveries: Depth { tear_unit: 32, crashes: 2, exhaustive_max: 32 },
    places: 6,
    real: 300,
    kill_every: 1,
    deep: false,
    states_min: 100_000,
    kills_min: 1_000,
};

/// Some ten minutes.
pub(crate) const FULL: Size = Size {
    counted: Depth { tear_unit: 16, crashes: 2, exhaustive_max: 512 },
    others: &[
        Depth { tear_unit: 64, crashes: 2, exhaustive_max: 256 },
        Depth { tear_unit: 512, crashes: 3, exhaustive_max: 8 },
    ],
    recoveries: Depth { tear_unit: 32, crashes: 2, exhaustive_max: 128 },
    places: 12,
    real: 2_000,
    kill_every: 1,
    deep: true,
    states_min: 1_000_000,
    kills_min: 2_000,
};

/// Does it all, and prints the table.
pub(crate) fn check(size: &Size) -> Result<(), Failed> {
    if cannot_trace()? {
        return Ok(());
    }
    let begun = Instant::now();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(workload) = workloads::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut row = Row { workload: workload.name.to_owned(), ..Row::default() };
            if let Err(error) = one(workload, size, &mut row) {
                row.violations.push(error.to_string());
            }
            rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut sum = Row { workload: "in all".to_owned(), ..Row::default() };
    println!("{}", head());
    for workload in workloads::ALL {
        for row in rows.iter().filter(|row| row.workload == workload.name) {
            println!("{row}");
            sum.add(row);
        }
    }
    println!("{sum}");
    println!("{LEGEND}");
    println!("{} s", begun.elapsed().as_secs());
    for violation in &sum.violations {
        println!("\nviolation: {violation}");
    }
    if !sum.violations.is_empty() {
        return Err(format!("{} violations", sum.violations.len()).into());
    }
    if sum.distinct.distinct < size.states_min || sum.kills < size.kills_min {
        let Size { states_min, kills_min, .. } = size;
        return Err(format!("fewer than {states_min} states or {kills_min} kills").into());
    }
    Ok(())
}

/// Says so if nothing can be traced here.
fn cannot_trace() -> Result<bool, Failed> {
    match new_tracer(&Scratch::new()?) {
        Ok(_) => Ok(false),
        Err(error) => match error.downcast_ref() {
            Some(TraceError::Unavailable(why)) => {
                println!("skipped: {why}");
                Ok(true)
            }
            _ => Err(error),
        },
    }
}

fn one(workload: &Workload, size: &Size, row: &mut Row) -> Result<(), Failed> {
    if workload.kind == Kind::SharedInRace {
        return race(workload, size, row);
    }
    let traced = first(workload, false)?;
    row.traces += 1;
    row.calls += traced.trace.call_count();
    row.steps += traced.trace.steps().len() as u64;
    row.distinct.add(&crashes::simulated(&traced, size.counted)?);
    for other in size.others {
        row.more.add(&crashes::simulated(&traced, *other)?);
    }
    // What is in lock files is as fragile as all else, and multiplies the states: no need to go far.
    let fragile = Depth { crashes: 1, ..size.recoveries };
    row.more.add(&crashes::simulated(&first(workload, true)?, fragile)?);
    row.add_dropped(&dropped::each(&traced, size.deep)?);
    row.real += crashes::on_real(&traced, size.real)?.recoveries;
    if size.kills_min > 0 {
        row.kills += kills::each(&traced)?;
    }
    for (number, recovery) in crashes::recoveries(&traced, size.places)?.iter().enumerate() {
        row.traces += 1;
        row.calls += recovery.trace.call_count();
        row.steps += recovery.trace.steps().len() as u64;
        row.more.add(&crashes::simulated(recovery, size.recoveries)?);
        row.add_dropped(&dropped::each(recovery, size.deep)?);
        if number % size.kill_every == 0 && size.kills_min > 0 {
            row.kills += kills::each(recovery)?;
        }
    }
    Ok(())
}

/// What is done where threads do not wait for one another, and no trace is like the last: none of it may depend on luck. So neither syncs are left
/// out (which of them happen to be needed is luck), nor calls killed (a call of some number may not come again), and calls and steps are not counted.
fn race(workload: &Workload, size: &Size, row: &mut Row) -> Result<(), Failed> {
    for _ in 0..RACES {
        let traced = undisputed(workload)?;
        row.traces += 1;
        row.more.add(&crashes::simulated(&traced, Depth { crashes: 1, ..size.recoveries })?);
    }
    Ok(())
}

/// How often the race is run.
const RACES: u32 = 8;

/// How often a trace is taken again of which the reader cannot tell what a sync covers, because another thread changed it meanwhile.
const TRIES: u32 = 100;

fn undisputed(workload: &Workload) -> Result<Traced, Failed> {
    let mut tries = 0;
    loop {
        tries += 1;
        match first(workload, false) {
            Err(error)
                if tries < TRIES
                    && matches!(
                        error.downcast_ref(),
                        Some(TraceError::Unsupported { why, .. }) if *why == CHANGED_MEANWHILE
                    ) => {}
            other => return other,
        }
    }
}

/// Tells what becomes of each workload without each of its syncs.
pub(crate) fn tell_syncs() -> Result<(), Failed> {
    if cannot_trace()? {
        return Ok(());
    }
    for workload in workloads::ALL {
        if workload.kind == Kind::SharedInRace {
            continue;
        }
        println!("{}:", workload.name);
        for dropped in dropped::each(&first(workload, false)?, true)? {
            println!("  {dropped}");
        }
    }
    Ok(())
}
