//! How far to explore, and what came of it.
//!
//! Must never hide that something was left out.

use core::fmt;

use super::fault::FaultKind;
use super::medium::Medium;
use super::{DiskOptions, SimulatedDisk, SurvivorLimits};

/// How far to explore.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub(super) disk: DiskOptions,
    limits: SurvivorLimits,
    /// From which crash on others go, counted from 1, ascending.
    deeper: Vec<(u32, SurvivorLimits)>,
    pub(super) depth: u32,
    pub(super) kill: bool,
    pub(super) faults: Vec<FaultKind>,
    pub(super) fault_lives: u32,
    pub(super) states_max: u64,
    start: Option<Medium>,
    pub(super) shrink_lives_max: u64,
}

impl Bounds {
    /// One crash, with power cut or process killed, and no faults.
    pub const fn new(disk: DiskOptions) -> Self {
        Self {
            disk,
            limits: SurvivorLimits::new(),
            deeper: Vec::new(),
            depth: 1,
            kill: true,
            faults: Vec::new(),
            fault_lives: 1,
            states_max: u64::MAX,
            start: None,
            shrink_lives_max: 200_000,
        }
    }

    /// How many crashes may follow one another: 1 is a crash in the first run, 2 one more inside what came after it, and
    /// so on.
    #[must_use]
    pub const fn with_depth(mut self, crashes: u32) -> Self {
        self.depth = crashes;
        self
    }

    /// How many survivor states to look at for each crash.
    #[must_use]
    pub const fn with_survivors(mut self, limits: SurvivorLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Other limits from one crash on, counted from 1: the crashes inside recoveries are many, and seldom need the care of the
    /// first.
    #[must_use]
    pub fn with_survivors_from_crash(mut self, crash: u32, limits: SurvivorLimits) -> Self {
        self.deeper.retain(|(at, _)| *at != crash);
        self.deeper.push((crash, limits));
        self.deeper.sort_unstable_by_key(|(at, _)| *at);
        self
    }

    /// For how many lives of the program the explorer may look for a smaller failure, once it has one: 200,000 is the default.
    /// With 0 the failure is told as it was found.
    #[must_use]
    pub const fn with_shrinking_up_to(mut self, lives: u64) -> Self {
        self.shrink_lives_max = lives;
        self
    }

    /// The survivor limits of each crash.
    pub(super) fn limits(&self) -> Vec<SurvivorLimits> {
        let at = |crash| {
            let from = self.deeper.iter().rev().find(|(from, _)| *from <= crash);
            from.map_or(self.limits, |(_, limits)| *limits)
        };
        let mut all: Vec<_> = (1..=self.depth.max(1)).map(at).collect();
        while all.len() > 1 && all[all.len() - 1] == all[all.len() - 2] {
            all.pop();
        }
        all
    }

    /// Where the random choices of survivors begin, for every crash.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.limits = self.limits.with_seed(seed);
        for (_, limits) in &mut self.deeper {
            *limits = limits.with_seed(seed);
        }
        self
    }

    /// How many crashes may follow one another.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// In which ways operations fail.
    pub fn faults(&self) -> &[FaultKind] {
        &self.faults
    }

    /// In how many lives a fault may strike.
    pub const fn fault_lives(&self) -> u32 {
        self.fault_lives
    }

    /// Power cuts only.
    #[must_use]
    pub const fn without_kill(mut self) -> Self {
        self.kill = false;
        self
    }

    /// Lets one operation of the first life fail in each of these ways, each operation in turn, and then crashes follow.
    #[must_use]
    pub fn with_faults(mut self, kinds: &[FaultKind]) -> Self {
        self.faults = kinds.to_vec();
        self
    }

    /// In how many lives a fault may strike: 1, the first run only, is the default; 2 is also the recovery from a first crash,
    /// and so on. At most one fault strikes in all.
    #[must_use]
    pub const fn with_fault_lives(mut self, lives: u32) -> Self {
        self.fault_lives = lives;
        self
    }

    /// Gives up, and says so, after this many distinct states.
    #[must_use]
    pub const fn with_states_max(mut self, states: u64) -> Self {
        self.states_max = states;
        self
    }

    /// The first run begins on a disk as this one is now, what is not durable on it included, and not on an empty one.
    ///
    /// The journal is empty all the same: the oracle must know what was before.
    #[must_use]
    pub fn with_start(mut self, disk: &SimulatedDisk) -> Self {
        self.start = Some(disk.lock_state().medium.clone());
        self
    }

    pub(super) fn start(&self) -> Medium {
        self.start.clone().unwrap_or_else(Medium::new)
    }
}

/// What was explored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Runs of the program's code, first ones and recoveries.
    pub lives: u64,
    /// Moments at which a crash was tried; those with the same disk, cache and journal are one.
    pub crash_points: u64,
    /// States that the crashes left, repetitions included.
    pub states: u64,
    /// Those that differed in disk or journal, each of which was recovered and judged.
    pub distinct: u64,
    /// The distinct states by the fewest crashes after which they were met; the first is one crash.
    pub by_depth: Vec<u64>,
    /// Crash points of which every survivor combination was tried.
    pub exhaustive: u64,
    /// Crash points with every combination of kept and lost, but junk in single units only.
    pub exhaustive_but_junk: u64,
    /// Crash points with too many combinations, of which a sample was tried.
    pub sampled: u64,
    /// Faults that struck.
    pub faults: u64,
    /// The limit on states was reached, and the rest left out.
    pub cut_short: bool,
}

impl Statistics {
    /// Adds what another exploration did.
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.crash_points += other.crash_points;
        self.states += other.states;
        self.distinct += other.distinct;
        self.exhaustive += other.exhaustive;
        self.exhaustive_but_junk += other.exhaustive_but_junk;
        self.sampled += other.sampled;
        self.faults += other.faults;
        self.cut_short |= other.cut_short;
        for (depth, count) in other.by_depth.iter().enumerate() {
            *self.at_depth(depth) += count;
        }
    }

    /// How many distinct states there are after so many crashes, less one.
    pub(super) fn at_depth(&mut self, depth: usize) -> &mut u64 {
        if self.by_depth.len() <= depth {
            self.by_depth.resize(depth + 1, 0);
        }
        &mut self.by_depth[depth]
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} distinct states of {} (after 1, 2, … crashes: {:?}), {} crash points ({} exhaustive, {} but for junk, {} sampled), \
             {} faults, {} lives{}",
            self.distinct,
            self.states,
            self.by_depth,
            self.crash_points,
            self.exhaustive,
            self.exhaustive_but_junk,
            self.sampled,
            self.faults,
            self.lives,
            if self.cut_short { ", cut short by the limit on states" } else { "" },
        )
    }
}
