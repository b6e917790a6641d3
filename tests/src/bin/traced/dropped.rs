//! The proof that a missing sync goes red: every sync of a trace is left out in turn, and a law must break.
//!
//! Must never take silence for proof: a sync that no law needs has one of the known reasons, or the run fails.

use core::fmt;

use durability_testkit::simulated::{Bounds, SurvivorLimits, explore};
use durability_testkit::traced::{Continued, Replayed, Trace};

use super::life::Library;
use super::outside::{Failed, oracle};
use super::reasons::reason;
use super::tracing::{Traced, disk};

/// What leaving out one sync led to.
#[derive(Debug)]
pub(crate) struct Dropped {
    pub(crate) step: usize,
    pub(crate) call: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A law broke, after so many crashes, when so many states had been judged.
    Needed { law: &'static str, crashes: u32, states: u64 },
    /// At that moment, all that it covers was durable.
    Nothing,
    /// No law broke, and this is why.
    Redundant(&'static str),
    /// No law broke, and nobody knows why: the proof has a hole.
    Unproven,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {:>3}, {}: ", self.step, self.call)?;
        match &self.outcome {
            Outcome::Needed { law, crashes, states } => {
                write!(f, "without it, \"{law}\" breaks after {crashes} crash(es), found in {states} states")
            }
            Outcome::Nothing => write!(f, "nothing was pending"),
            Outcome::Redundant(why) => write!(f, "not needed here: {why}"),
            Outcome::Unproven => write!(f, "NO LAW NEEDS IT, and there is no known reason"),
        }
    }
}

/// Leaves out each sync in turn.
pub(crate) fn each(traced: &Traced) -> Result<Vec<Dropped>, Failed> {
    let mut all = Vec::new();
    for step in traced.trace.syncs() {
        let call = traced.trace.steps().get(step).map(ToString::to_string).unwrap_or_default();
        let outcome = if changes_nothing(traced, step)? {
            Outcome::Nothing
        } else {
            let whole = [&traced.before, traced.trace.steps()].concat();
            without(traced, &traced.trace.without(step), reason(&whole, traced.before.len() + step))
        };
        all.push(Dropped { step, call, outcome });
    }
    Ok(all)
}

fn changes_nothing(traced: &Traced, step: usize) -> Result<bool, Failed> {
    let hash = |steps: usize| -> Result<u64, Failed> {
        let disk = traced.start(disk(32));
        traced.trace.first(steps).replay(&disk, |_| ())?;
        Ok(disk.snapshot().hash())
    };
    Ok(hash(step)? == hash(step + 1)?)
}

/// Without junk: it would break a law where zeros would not, and prove less.
fn without(traced: &Traced, trace: &Trace, reason: Option<&'static str>) -> Outcome {
    let recovery = Library { workload: traced.workload, life: traced.life };
    for (crashes, exhaustive) in [(1, 64), (2, 64), (2, 256)] {
        let limits = SurvivorLimits::new().with_exhaustive_max(exhaustive).with_samples(16);
        let options = disk(32).without_junk();
        let bounds = Bounds::new(options).with_survivors(limits).with_depth(crashes);
        let bounds = bounds.with_start(&traced.start(options));
        let oracle = Continued::new(traced.history.clone(), oracle());
        if let Err(failure) = explore(&Replayed::new(trace, &recovery), &oracle, &bounds) {
            let states = failure.statistics.distinct;
            return Outcome::Needed { law: failure.violation.law, crashes, states };
        }
        if let Some(why) = reason {
            return Outcome::Redundant(why);
        }
    }
    Outcome::Unproven
}
