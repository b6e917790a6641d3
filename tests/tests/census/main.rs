//! The census of damage: what becomes of every flipped bit, every truncation, every zeroed sector, every removed, exchanged or older file.
//!
//! Each case is *detected* (an error), *harmless* (all that was acknowledged is there), or in the *window* that GUARANTEES.md describes. What
//! that text allows is computed from the bytes by [`predict`], a second reader of the format; anything else fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::result_large_err,
    reason = "a test runs on a host, is small, and fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod damages;
mod files;
mod predict;
mod recovery;
mod samples;
mod segments;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

thread_local! {
    static CASES: Cell<u64> = const { Cell::new(0) };
}

/// The next case of this test, with its number: "case 17, ...".
fn case(about: fmt::Arguments<'_>) -> String {
    CASES.set(CASES.get() + 1);
    format!("case {}, {about}", CASES.get())
}

/// What became of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Detected,
    Harmless,
    Window,
}

/// What became of all of them, by kind of damage.
#[derive(Debug, Default)]
struct Census {
    counts: BTreeMap<&'static str, [u64; 3]>,
}

impl Census {
    fn add(&mut self, kind: &'static str, outcome: Outcome) {
        self.counts.entry(kind).or_default()[outcome as usize] += 1;
    }

    /// Of one outcome, over all kinds.
    fn of(&self, outcome: Outcome) -> u64 {
        self.counts.values().map(|counts| counts[outcome as usize]).sum()
    }

    fn of_kind(&self, kind: &str, outcome: Outcome) -> u64 {
        self.counts.get(kind).map_or(0, |counts| counts[outcome as usize])
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, [detected, harmless, window]) in &self.counts {
            write!(
                f,
                "\n  {kind}: {detected} detected, {harmless} harmless, {window} in the window"
            )?;
        }
        Ok(())
    }
}
