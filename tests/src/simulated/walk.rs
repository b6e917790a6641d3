//! One walk through a program's crashes: cut at every operation, every state that this can leave recovered and judged, and so
//! on inside the recoveries.
//!
//! Must never look at a state twice that it has judged with as much ahead of it.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::bounds::{Bounds, Statistics};
use super::explored::{Explored, Met};
use super::fault::Fault;
use super::hash::{ReadyHash, mix};
use super::known::Known;
use super::medium::Medium;
use super::model::{Oracle, Violation};
use super::path::{Left, Path, Step};
use super::state::Recording;
use super::survivors::{Coverage, CrashStates, Snapshot};
use super::workload::{JournalOf, Workload};
use super::{Journal, SimulatedDisk, quiet};

/// What a crash costs that leaves everything as it was: more than losing some pieces, so that a failure with fewer crashes is
/// the simpler one.
pub(super) const KILL_COST: u32 = 8;
/// The same for a power cut that loses nothing.
pub(super) const CUT_COST: u32 = 9;
/// What a fault costs.
pub(super) const FAULT_COST: u32 = 12;

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) bounds: &'a Bounds,
    /// Only violations of this law count.
    pub(super) law: Option<&'static str>,
    /// Only ways of at most this cost.
    pub(super) cost_max: Option<u32>,
    /// How many lives it may take, or what else takes about as long.
    pub(super) effort_max: u64,
    /// Ends the walk as soon as the first number is below the second.
    pub(super) until: Option<(&'a AtomicUsize, usize)>,
    /// What need not be looked at again, by programs that recover in this way.
    pub(super) known: Option<(&'a Known, u64)>,
}

impl<'a> Search<'a> {
    /// For any violation within the bounds.
    pub(super) const fn of(bounds: &'a Bounds) -> Self {
        Self { bounds, law: None, cost_max: None, effort_max: u64::MAX, until: None, known: None }
    }
}

/// Why a walk ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Broken(Violation),
    /// It was told to.
    Told,
}

/// What is still allowed on the way ahead.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    crashes: u32,
    faulted: bool,
    cost: u32,
}

pub(super) struct Walk<'a, W, O> {
    workload: &'a W,
    oracle: &'a O,
    search: Search<'a>,
    /// For each state that was visited, how many further crashes were tried on it, and at what cost.
    seen: HashMap<u64, (u32, u32), ReadyHash>,
    /// What others have seen; it takes the place of `seen`.
    pub(super) beyond: Option<&'a Explored>,
    /// For each moment at which a crash was tried, how many further crashes were.
    moments: HashMap<u64, u32, ReadyHash>,
    pub(super) statistics: Statistics,
    pub(super) path: Path,
    /// Lives, and what else took about as long as one.
    pub(super) effort: u64,
    /// The lowest cost that was too high.
    pub(super) too_much: Option<u32>,
}

impl<'a, W: Workload, O: Oracle<W::Operation, W::Seen>> Walk<'a, W, O> {
    pub(super) fn new(workload: &'a W, oracle: &'a O, search: Search<'a>) -> Self {
        Self {
            workload,
            oracle,
            search,
            path: Path { limits: search.bounds.limits(), ..Path::default() },
            effort: 0,
            seen: HashMap::default(),
            beyond: None,
            moments: HashMap::default(),
            statistics: Statistics::default(),
            too_much: None,
        }
    }

    /// The states that were visited, and how many further crashes were tried on each.
    pub(super) fn visited(&self) -> impl Iterator<Item = (u64, u32)> {
        self.seen.iter().map(|(state, (crashes, _))| (*state, *crashes))
    }

    fn is_known(&self, state: u64, crashes: u32) -> bool {
        let depth = self.search.bounds.depth;
        self.search
            .known
            .is_some_and(|(known, recovery)| known.covers(state, recovery, crashes..=depth))
    }

    /// Goes everywhere. After a violation, `path` leads to it.
    pub(super) fn all(&mut self) -> Result<(), Stop> {
        let cost = self.search.cost_max.unwrap_or(u32::MAX);
        let ahead = Ahead { crashes: self.search.bounds.depth, faulted: false, cost };
        self.lives(self.search.bounds.start(), &mut Journal::new(), ahead)
    }

    /// A life without a fault, and the same with each fault at each operation.
    fn lives(
        &mut self,
        medium: Medium,
        journal: &mut JournalOf<W>,
        ahead: Ahead,
    ) -> Result<(), Stop> {
        let bounds = self.search.bounds;
        let may_fail = !ahead.faulted && life_number(&self.path) < bounds.fault_lives;
        let wanted = may_fail && !bounds.faults.is_empty();
        if !wanted {
            return self.life(medium, journal, (ahead, None), false).map(drop);
        }
        let faults = self.life(medium.clone(), journal, (ahead, None), true)?;
        let Some(cost) = self.afford(ahead.cost, FAULT_COST) else { return Ok(()) };
        for fault in faults {
            let ahead = Ahead { faulted: true, cost, ..ahead };
            self.life(medium.clone(), journal, (ahead, Some(fault)), false)?;
        }
        Ok(())
    }

    /// What is left after a cost; nothing, if it is too high.
    fn afford(&mut self, ahead: u32, cost: u32) -> Option<u32> {
        let Some(max) = self.search.cost_max else { return Some(ahead) };
        let left = ahead.checked_sub(cost);
        if left.is_none() {
            let total = max + (cost - ahead);
            self.too_much = Some(self.too_much.map_or(total, |least| least.min(total)));
        }
        left
    }

    /// One life, and all that can follow from a crash in it. Returns the faults that could strike it, if wanted.
    fn life(
        &mut self,
        medium: Medium,
        journal: &mut JournalOf<W>,
        (ahead, fault): (Ahead, Option<Fault>),
        wanted: bool,
    ) -> Result<Vec<Fault>, Stop> {
        let may_crash = ahead.crashes > 0 && self.afford(ahead.cost, KILL_COST).is_some();
        let recording = match (may_crash, wanted) {
            (false, false) if fault.is_none() => Recording::Count,
            (false, _) => Recording::Operations,
            (true, false) => Recording::Snapshots,
            (true, true) => Recording::Everything,
        };
        let disk = SimulatedDisk::with(medium, self.search.bounds.disk, recording);
        let mark = journal.len();
        let life = (life_number(&self.path), fault);
        self.check_time()?;
        self.effort += 1;
        self.statistics.lives += 1;
        if let Err(violation) = live(self.workload, self.oracle, &disk, journal, life) {
            if self.search.law.is_none_or(|law| law == violation.law) {
                self.path.fault = fault;
                return Err(Stop::Broken(violation));
            }
            journal.truncate(mark);
            return Ok(Vec::new());
        }
        self.statistics.faults += u64::from(disk.fault_struck());
        if may_crash {
            let snapshots = disk.take_snapshots();
            for (at, snapshot) in snapshots.iter().enumerate() {
                let until = snapshots.get(at + 1).map_or(u64::MAX, |next| next.operations);
                // Before the fault, this life is the one without it.
                if fault.is_none_or(|fault| until > fault.at) {
                    self.crash(snapshot, (at, until), journal, mark, (ahead, fault))?;
                }
            }
        }
        journal.truncate(mark);
        Ok(if wanted { self.possible_faults(&disk) } else { Vec::new() })
    }

    fn check_time(&self) -> Result<(), Stop> {
        let overtaken = |(first, this): (&AtomicUsize, usize)| first.load(Ordering::Relaxed) < this;
        if self.effort >= self.search.effort_max || self.search.until.is_some_and(overtaken) {
            return Err(Stop::Told);
        }
        Ok(())
    }

    fn possible_faults(&self, disk: &SimulatedDisk) -> Vec<Fault> {
        let mut all = Vec::new();
        for (at, operation) in disk.operations().iter().enumerate() {
            let kinds = self.search.bounds.faults.iter();
            let kinds = kinds.filter(|kind| kind.applies_to(operation.kind));
            all.extend(kinds.map(|kind| Fault { at: at as u64, kind: *kind }));
        }
        all
    }

    /// All that a crash at one moment can leave.
    fn crash(
        &mut self,
        snapshot: &Snapshot,
        (number, until): (usize, u64),
        journal: &mut JournalOf<W>,
        mark: usize,
        (ahead, fault): (Ahead, Option<Fault>),
    ) -> Result<(), Stop> {
        let (moment, mut states) = (snapshot.hash(), None);
        for cut in journal.cuts(mark, snapshot.operations, until) {
            let tail = journal.split_off(cut);
            if !self.is_new_moment(moment, journal.hash(), ahead) {
                journal.restore(tail);
                continue;
            }
            let states = states.get_or_insert_with(|| self.states(snapshot));
            let mut step =
                Step { fault, snapshot: number, entries: cut - mark, left: Left::Killed };
            if self.search.bounds.kill
                && let Some(cost) = self.afford(ahead.cost, KILL_COST)
            {
                let medium = || snapshot.medium.clone();
                // Where nothing was pending, a power cut leaves the very same.
                let hash = if snapshot.medium.is_settled() { states.hash(0) } else { moment };
                self.visit(step, hash, medium, journal, Ahead { cost, ..ahead })?;
            }
            for state in 0..states.len() {
                let cost = if self.search.cost_max.is_some() {
                    CUT_COST + states.oddity(state)
                } else {
                    0
                };
                let Some(cost) = self.afford(ahead.cost, cost) else { continue };
                step.left = Left::PowerCut(state);
                let medium = || states.medium(state);
                self.visit(step, states.hash(state), medium, journal, Ahead { cost, ..ahead })?;
            }
            journal.restore(tail);
        }
        Ok(())
    }

    /// Whether a crash at such a moment was not tried yet, with as much ahead. Recoveries of different states soon come to do
    /// the same.
    fn is_new_moment(&mut self, disk: u64, journal: u64, ahead: Ahead) -> bool {
        if self.search.cost_max.is_some() {
            return true;
        }
        let limits = self.path.limits_at(self.path.steps.len());
        let limits = mix(limits.exhaustive_max as u64, limits.samples as u64);
        let key = mix(mix(disk, limits), mix(journal, u64::from(ahead.faulted)));
        if let Some(explored) = self.beyond {
            return explored.meet_moment(key, ahead.crashes);
        }
        let tried = self.moments.entry(key).or_default();
        let is_new = *tried < ahead.crashes;
        *tried = ahead.crashes.max(*tried);
        is_new
    }

    /// What a power cut at a moment can leave.
    fn states(&mut self, snapshot: &Snapshot) -> CrashStates {
        let states = snapshot.crash_states(&self.path.limits_at(self.path.steps.len()));
        self.effort += states.len() as u64 / 16;
        self.statistics.crash_points += 1;
        *match states.coverage() {
            Coverage::Exhaustive => &mut self.statistics.exhaustive,
            Coverage::ExhaustiveButJunk => &mut self.statistics.exhaustive_but_junk,
            Coverage::Sampled => &mut self.statistics.sampled,
        } += 1;
        states
    }

    fn visit(
        &mut self,
        step: Step,
        hash: u64,
        medium: impl FnOnce() -> Medium,
        journal: &mut JournalOf<W>,
        ahead: Ahead,
    ) -> Result<(), Stop> {
        self.statistics.states += 1;
        // Lives that wrote nothing down differ in their number only, which nothing depends on.
        let key = mix(hash, mix(journal.hash(), u64::from(ahead.faulted)));
        if !self.is_worth_a_look(key, ahead) {
            return Ok(());
        }
        self.path.steps.push(step);
        self.lives(medium(), journal, Ahead { crashes: ahead.crashes - 1, ..ahead })?;
        self.path.steps.pop();
        Ok(())
    }

    /// Writes down that a state is looked at; false if it was before, or if there is no room for more.
    fn is_worth_a_look(&mut self, key: u64, ahead: Ahead) -> bool {
        let depth = self.path.steps.len();
        let tried = (ahead.crashes, ahead.cost);
        let is_full = self.statistics.distinct >= self.search.bounds.states_max;
        if let Some(explored) = self.beyond {
            match explored.meet(key, ahead.crashes, !is_full) {
                Met::Tried => return false,
                Met::Shallower => {}
                Met::New if is_full => {
                    self.statistics.cut_short = true;
                    return false;
                }
                Met::New => {
                    self.statistics.distinct += 1;
                    *self.statistics.at_depth(depth) += 1;
                }
            }
            return true;
        }
        if self.is_known(key, ahead.crashes) {
            return false;
        }
        match self.seen.entry(key) {
            Entry::Occupied(mut known) => {
                let (crashes, cost) = *known.get();
                if crashes >= tried.0 && cost >= tried.1 {
                    return false;
                }
                if crashes <= tried.0 && cost <= tried.1 {
                    known.insert(tried);
                    let before = depth + (tried.0 - crashes) as usize;
                    *self.statistics.at_depth(before) -= 1;
                    *self.statistics.at_depth(depth) += 1;
                }
            }
            Entry::Vacant(_) if is_full => {
                self.statistics.cut_short = true;
                return false;
            }
            Entry::Vacant(new) => {
                new.insert(tried);
                self.statistics.distinct += 1;
                *self.statistics.at_depth(depth) += 1;
            }
        }
        true
    }
}

fn life_number(path: &Path) -> u32 {
    u32::try_from(path.steps.len()).unwrap_or(u32::MAX)
}

/// Lets a program live once, on a disk that may have a fault in store.
pub(super) fn live<W: Workload>(
    workload: &W,
    oracle: &impl Oracle<W::Operation, W::Seen>,
    disk: &SimulatedDisk,
    journal: &mut JournalOf<W>,
    (life, fault): (u32, Option<Fault>),
) -> Result<(), Violation> {
    if let Some(fault) = fault {
        disk.inject(fault);
    }
    journal.begin_life(life, disk.clone());
    let ended = quiet::catch(|| {
        if life == 0 { workload.run(disk, journal) } else { workload.recover(disk, journal) }
    });
    journal.end_life();
    match ended {
        Err(detail) => return Err(Violation { law: "no panic", detail }),
        Ok(Err(error)) => match error.downcast() {
            Ok(violation) => return Err(*violation),
            Err(error) if fault.is_none() => {
                let law =
                    if life == 0 { "runs without an error" } else { "every crash opens again" };
                return Err(Violation { law, detail: error.to_string() });
            }
            Err(_) => {}
        },
        Ok(Ok(())) => {}
    }
    oracle.check(journal)
}
