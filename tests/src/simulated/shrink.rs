//! From the failure that was found to the one that is told: the smallest program, the fewest crashes, the fewest pieces lost.
//!
//! Must never end at another law than the one that was broken, nor depend on time: the same failure shrinks the same way.

use super::bounds::{Bounds, Statistics};
use super::failure::Failure;
use super::model::{Oracle, Violation};
use super::path::Path;
use super::replay;
use super::walk::{Search, Stop, Walk};
use super::workload::Workload;

/// A smaller program may need this much more to go wrong: it is the better story all the same.
const SLACK: u32 = 4;

/// A violation, and the way to it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) violation: Violation,
    pub(super) path: Path,
}

/// Shrinks what was found, and tells it.
pub(super) fn tell<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    bounds: &Bounds,
    (found, statistics): (Found, Statistics),
) -> Box<Failure> {
    let law = found.violation.law;
    let bounds_left = narrowed(bounds, &found.path);
    let cost = replay::walk(workload, oracle, bounds, &found.path).cost;
    let search = Search { law: Some(law), ..Search::of(&bounds_left) };
    let mut shrink = Shrink { oracle, search, left: bounds.shrink_lives_max, best: found, cost };
    // The cheaper the way, the faster the other programs are tried.
    shrink.simplify(workload, bounds.shrink_lives_max / 4);
    let (program, less) = shrink.reduce(workload);
    let program = program.as_ref().unwrap_or(workload);
    if !less.is_empty() {
        shrink.simplify(program, u64::MAX);
    }
    let Found { violation, mut path } = shrink.best;
    path.less = less;
    let story = replay::walk(program, oracle, bounds, &path).text;
    let (program, replay) = (program.describe(), path.to_string());
    Box::new(Failure { violation, program, number: None, story, replay, statistics })
}

/// No more crashes and no other fault than there were.
fn narrowed(bounds: &Bounds, path: &Path) -> Bounds {
    let faults = path.steps.iter().map(|step| step.fault).chain([path.fault]).flatten();
    let faults: Vec<_> = faults.map(|fault| fault.kind).collect();
    let crashes = u32::try_from(path.steps.len()).unwrap_or(bounds.depth);
    bounds.clone().with_faults(&faults).with_depth(crashes).with_states_max(u64::MAX)
}

struct Shrink<'a, O> {
    oracle: &'a O,
    search: Search<'a>,
    /// How many lives it may still take.
    left: u64,
    best: Found,
    cost: u32,
}

impl<O> Shrink<'_, O> {
    /// Goes as far as a cost, and says up to which cost nothing was found.
    fn look<W: Workload>(
        &mut self,
        program: &W,
        cost: u32,
        effort: u64,
    ) -> Result<Found, Option<u32>>
    where
        O: Oracle<W::Operation, W::Seen>,
    {
        let effort_max = effort.min(self.left);
        let search = Search { cost_max: Some(cost), effort_max, ..self.search };
        let mut walk = Walk::new(program, self.oracle, search);
        let ended = walk.all();
        self.left = self.left.saturating_sub(walk.effort);
        match ended {
            Err(Stop::Broken(violation)) => Ok(Found { violation, path: walk.path }),
            Err(Stop::Told) => Err(None),
            Ok(()) => Err(walk.too_much),
        }
    }

    /// The cheapest way to break the law in this program.
    fn simplify<W: Workload>(&mut self, program: &W, effort: u64)
    where
        O: Oracle<W::Operation, W::Seen>,
    {
        let (mut cost, start) = (0, self.left);
        while cost < self.cost {
            let spent = start - self.left;
            match self.look(program, cost, effort.saturating_sub(spent)) {
                Ok(found) => (self.best, self.cost) = (found, cost),
                Err(Some(more)) => cost = more,
                Err(None) => return,
            }
        }
    }

    /// The smallest program that breaks the law, if it is another one, and its place among the smaller ones.
    fn reduce<W: Workload>(&mut self, workload: &W) -> (Option<W>, Vec<usize>)
    where
        O: Oracle<W::Operation, W::Seen>,
    {
        let (mut program, mut less) = (None, Vec::new());
        loop {
            let smaller = program.as_ref().unwrap_or(workload).smaller();
            let mut tried = smaller.into_iter().enumerate();
            let next = tried.find_map(|(index, next)| {
                let found = self.look(&next, self.cost.saturating_add(SLACK), u64::MAX).ok()?;
                Some((index, next, found))
            });
            let Some((index, next, found)) = next else { return (program, less) };
            less.push(index);
            self.cost = replay::walk(&next, self.oracle, self.search.bounds, &found.path).cost;
            (self.best, program) = (found, Some(next));
        }
    }
}
