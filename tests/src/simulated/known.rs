//! The states that earlier programs have been through, so that later ones need not.
//!
//! Must never change while programs are explored: what is skipped would depend on who is first.

use std::collections::HashSet;

use super::bounds::Statistics;
use super::hash::{ReadyHash, mix};

/// States, each with the way of recovering that it was tried with, and how many crashes were tried from there on.
#[derive(Debug, Default)]
pub(super) struct Known {
    states: HashSet<u64, ReadyHash>,
}

/// A state and how it was recovered.
fn key(state: u64, recovery: u64, crashes: u32) -> u64 {
    mix(mix(state, recovery), u64::from(crashes))
}

impl Known {
    /// Whether a state was tried with at least so many crashes.
    pub(super) fn covers(
        &self,
        state: u64,
        recovery: u64,
        crashes: core::ops::RangeInclusive<u32>,
    ) -> bool {
        crashes.into_iter().any(|crashes| self.states.contains(&key(state, recovery, crashes)))
    }

    /// Takes over what one program was tried with, of at most `depth` crashes, and counts what is new.
    pub(super) fn add(
        &mut self,
        recovery: u64,
        tried: impl Iterator<Item = (u64, u32)>,
        depth: u32,
        statistics: &mut Statistics,
    ) {
        for (state, crashes) in tried {
            let before = (1..=depth).rev().find(|n| self.covers(state, recovery, *n..=*n));
            let at = |crashes: u32| (depth - crashes) as usize;
            match before {
                Some(before) if before >= crashes => continue,
                Some(before) => *statistics.at_depth(at(before)) -= 1,
                None => statistics.distinct += 1,
            }
            *statistics.at_depth(at(crashes)) += 1;
            self.states.insert(key(state, recovery, crashes));
        }
    }
}
