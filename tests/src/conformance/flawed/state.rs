//! What a flawed directory and its files share.
//!
//! Must never decide which flaw applies.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::Flaw;

#[derive(Debug, Default)]
pub(super) struct State {
    /// Every name ever created, in order, removed ones included.
    pub(super) created: Vec<String>,
    /// Names that are removed as far as users can see.
    pub(super) hidden: BTreeSet<String>,
    /// The content of the file that was removed last.
    pub(super) removed: Vec<u8>,
    /// What appenders that share a buffer have in it.
    pub(super) buffer: Vec<u8>,
    /// The cursor of readers that share one.
    pub(super) cursor: u64,
}

/// The flaw, and the state that it needs.
#[derive(Debug, Clone)]
pub(super) struct Plant {
    pub(super) flaw: Option<Flaw>,
    pub(super) state: Arc<Mutex<State>>,
}

impl Plant {
    pub(super) fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}
