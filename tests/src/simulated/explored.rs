//! What was seen already, by this exploration or by those before it.
//!
//! Must never take two states for one unless disk, journal and all that follows are the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::hash::ReadyHash;

/// How many parts, each behind a lock of its own, so that threads seldom meet.
const PARTS: usize = 64;

/// The states that explorations have met, to be shared by those whose later lives do the same: same disk, same bounds, same
/// recovery, another first life. Programs that begin alike have most of their states in common.
#[derive(Debug)]
pub struct Explored {
    states: Parts,
    /// Moments of lives, by the same rule: what leaves the same states needs no list of them.
    moments: Parts,
}

/// For each key, how many further crashes were tried on it.
type Parts = Vec<Mutex<HashMap<u64, u32, ReadyHash>>>;

/// What was known of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// It was never met.
    New,
    /// It was met, with fewer crashes ahead.
    Shallower,
    /// All that was asked for has been tried, or is being tried.
    Tried,
}

impl Explored {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { states: parts(), moments: parts() }
    }

    /// How many states there are.
    pub fn len(&self) -> usize {
        let length = |part: &Mutex<HashMap<_, _, _>>| {
            part.lock().unwrap_or_else(PoisonError::into_inner).len()
        };
        self.states.iter().map(length).sum()
    }

    /// Whether nothing was met yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a moment of a life is new, or was met with fewer crashes ahead: only then its states need a look.
    pub(super) fn meet_moment(&self, key: u64, crashes: u32) -> bool {
        meet(&self.moments, key, crashes, true) != Met::Tried
    }

    /// Writes down that a state is about to be tried with that many crashes ahead; with `add` false, only if it is known.
    pub(super) fn meet(&self, key: u64, crashes: u32, add: bool) -> Met {
        meet(&self.states, key, crashes, add)
    }
}

fn parts() -> Parts {
    (0..PARTS).map(|_| Mutex::default()).collect()
}

fn meet(parts: &Parts, key: u64, crashes: u32, add: bool) -> Met {
    // The low bits choose the place within the part.
    let part = &parts[(key >> 58) as usize % PARTS];
    let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
    match part.get_mut(&key) {
        Some(tried) if *tried >= crashes => Met::Tried,
        Some(tried) => {
            *tried = crashes;
            Met::Shallower
        }
        None => {
            if add {
                part.insert(key, crashes);
            }
            Met::New
        }
    }
}

impl Default for Explored {
    fn default() -> Self {
        Self::new()
    }
}
