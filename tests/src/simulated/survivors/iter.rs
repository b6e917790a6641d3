//! Walking over crash states, one after the other.
//!
//! Must never give them in another order than replays count on.

use core::ops::Range;

use super::super::SimulatedDisk;
use super::super::story::Survived;
use super::CrashStates;

/// One state that a power cut can leave; lent by [`CrashStates`].
#[derive(Debug, Clone, Copy)]
pub struct CrashState<'a> {
    states: &'a CrashStates,
    number: usize,
}

impl CrashState<'_> {
    /// Its number among the states of this moment, from 0.
    pub const fn number(&self) -> usize {
        self.number
    }

    /// A number that tells this state from others: equal for equal names and contents.
    pub fn hash(&self) -> u64 {
        self.states.hash(self.number)
    }

    /// The disk as the next start of the program finds it: a new one for each call, to be used and changed at will.
    pub fn disk(&self) -> SimulatedDisk {
        self.states.disk(self.number)
    }

    /// What became of every pending piece.
    pub fn survived(&self) -> Survived {
        self.states.choice(self.number)
    }
}

/// The states of a moment, in order; see [`CrashStates::iter`].
#[derive(Debug, Clone)]
pub struct CrashStatesIter<'a> {
    states: &'a CrashStates,
    rest: Range<usize>,
}

impl<'a> Iterator for CrashStatesIter<'a> {
    type Item = CrashState<'a>;

    fn next(&mut self) -> Option<CrashState<'a>> {
        let states = self.states;
        self.rest.next().map(|number| CrashState { states, number })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for CrashStatesIter<'_> {}

impl CrashStates {
    /// Every state, with its disk and what survived.
    pub fn iter(&self) -> CrashStatesIter<'_> {
        CrashStatesIter { states: self, rest: 0..self.len() }
    }
}

impl<'a> IntoIterator for &'a CrashStates {
    type Item = CrashState<'a>;
    type IntoIter = CrashStatesIter<'a>;

    fn into_iter(self) -> CrashStatesIter<'a> {
        self.iter()
    }
}
