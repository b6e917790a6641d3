//! How much to explore.
//!
//! Must never change what a workload does: only how many are run, and how far.

use super::scripts::{Amount, Scripts, Step};

/// How much is worth waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Seconds a family, without optimisation.
    Test,
    /// Minutes for all families.
    Ci,
    /// An hour for all families.
    Full,
}

/// How much to explore, and from which seed what is sampled is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    scope: Scope,
    seed: u64,
    states_max: u64,
}

impl Size {
    /// Of a test that runs with every `cargo test`.
    pub const fn test() -> Self {
        Self::new(Scope::Test)
    }

    /// Of a run for every change.
    pub const fn ci() -> Self {
        Self::new(Scope::Ci)
    }

    /// As much as an hour holds.
    pub const fn full() -> Self {
        Self::new(Scope::Full)
    }

    /// All states of a scope, seed 0.
    pub const fn new(scope: Scope) -> Self {
        Self { scope, seed: 0, states_max: u64::MAX }
    }

    /// Where random choices begin.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The most distinct states for each family.
    #[must_use]
    pub const fn with_states_max(mut self, states: u64) -> Self {
        self.states_max = states;
        self
    }

    /// How much is worth waiting for.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Where random choices begin.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The most distinct states for each family.
    pub const fn states_max(&self) -> u64 {
        self.states_max
    }

    /// The scripts of a part of a family.
    pub(super) fn scripts<S: Step>(&self, amounts: [Amount; 3], chosen: &[&[S]]) -> Scripts<S> {
        let [test, ci, full] = amounts;
        Scripts::of(self.pick(test, ci, full), chosen, self.seed)
    }

    pub(super) const fn pick<T: Copy>(&self, test: T, ci: T, full: T) -> T {
        match self.scope {
            Scope::Test => test,
            Scope::Ci => ci,
            Scope::Full => full,
        }
    }
}
