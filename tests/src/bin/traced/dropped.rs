//! The proof that a missing sync goes red, and one that comes too early: every sync of a trace is left out in turn, and moved before what
//! it covers, and a law must break.
//!
//! Must never take silence for proof: a sync that no law needs has one of the known reasons, or the run fails.

use core::fmt;

use durability_testkit::simulated::{Bounds, SurvivorLimits, explore};
use durability_testkit::traced::{Continued, Replayed, Trace};

use super::life::Library;
use super::outside::{Failed, oracle};
use super::reasons::{last_covered, reason};
use super::tracing::{Traced, disk};

/// What leaving out one sync, or doing it too early, led to.
#[derive(Debug)]
pub(crate) struct Dropped {
    step: usize,
    call: String,
    /// The last change that it covers, if the sync was done before that instead of being left out.
    before: Option<String>,
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
        write!(f, "step {:>3}, {}", self.step, self.call)?;
        match &self.before {
            Some(before) => write!(f, ", done before \"{before}\": ")?,
            None => write!(f, ", left out: ")?,
        }
        match &self.outcome {
            Outcome::Needed { law, crashes, states } => {
                write!(f, "\"{law}\" breaks after {crashes} crash(es), found in {states} states")
            }
            Outcome::Nothing => write!(f, "nothing was pending"),
            Outcome::Redundant(why) => write!(f, "not needed here: {why}"),
            Outcome::Unproven => write!(f, "NO LAW NEEDS IT, and there is no known reason"),
        }
    }
}

/// Leaves out each sync in turn, and does each before the last change that it covers.
///
/// Where there is a known reason why none need break, one crash is tried; `deep`, two are.
pub(crate) fn each(traced: &Traced, deep: bool) -> Result<Vec<Dropped>, Failed> {
    let (mut all, steps) = (Vec::new(), traced.trace.steps());
    let whole = [&traced.before, steps].concat();
    for step in traced.trace.syncs() {
        let call = steps.get(step).map(ToString::to_string).unwrap_or_default();
        if changes_nothing(traced, step)? {
            all.push(Dropped { step, call, before: None, outcome: Outcome::Nothing });
            continue;
        }
        let why = reason(&whole, traced.before.len() + step, 0);
        let outcome = without(traced, &traced.trace.without(step), why, deep);
        all.push(Dropped { step, call: call.clone(), before: None, outcome });
        if let Some(to) = last_covered(steps, step) {
            let why = reason(&whole, traced.before.len() + step, traced.before.len() + to);
            let outcome = without(traced, &traced.trace.with_early(step, to), why, deep);
            all.push(Dropped { step, call, before: Some(steps[to].to_string()), outcome });
        }
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
fn without(traced: &Traced, trace: &Trace, reason: Option<&'static str>, deep: bool) -> Outcome {
    let recovery = Library { workload: traced.workload, life: traced.life };
    for (crashes, exhaustive) in [(1, 64), (2, 64), (2, 256)] {
        let limits = SurvivorLimits::new().with_exhaustive_max(exhaustive).with_samples(16);
        let options = disk(32).without_junk();
        let bounds = Bounds::new(options).with_survivors(limits).with_depth(crashes);
        let bounds = bounds.with_start(&traced.start(options)).with_shrinking_up_to(0);
        let oracle = Continued::new(traced.history.clone(), oracle());
        if let Err(failure) = explore(&Replayed::new(trace, &recovery), &oracle, &bounds) {
            let states = failure.statistics.distinct;
            return Outcome::Needed { law: failure.violation.law, crashes, states };
        }
        if let Some(why) = reason.filter(|_| crashes == 2 || !deep) {
            return Outcome::Redundant(why);
        }
    }
    Outcome::Unproven
}
