//! Which mutant is on: a module of the copy of the core, into which `splice.rs` puts a question for each mutant.
//!
//! Must never be in anything but that copy.

extern crate std;

use std::env;
use std::format;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Nobody has asked yet.
const UNKNOWN: u32 = u32::MAX;
/// None is on: who asks is written down.
const RECORDING: u32 = u32::MAX - 1;
/// None is on. Mutants count from 1.
const NONE: u32 = 0;

static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);
static REACHED: [AtomicBool; 1 << 13] = [const { AtomicBool::new(false) }; 1 << 13];

/// Whether this mutant is on: the one that `MUTANT` names. With `MUTANT_REACHED`, the name of a file, none is, and the file gets each mutant's
/// number as soon as the tests reach it.
#[inline]
pub(crate) fn on(mutant: u32) -> bool {
    let active = ACTIVE.load(Ordering::Relaxed);
    active == mutant || (active >= RECORDING && ask(mutant))
}

#[cold]
fn ask(mutant: u32) -> bool {
    let seen = REACHED.get(mutant as usize).is_some_and(|seen| seen.swap(true, Ordering::Relaxed));
    if seen && ACTIVE.load(Ordering::Relaxed) == RECORDING {
        return false;
    }
    let reached = env::var_os("MUTANT_REACHED");
    let named = env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(NONE);
    let active = if reached.is_some() { RECORDING } else { named };
    ACTIVE.store(active, Ordering::Relaxed);
    // A number that is lost shows as a mutant that no test reaches.
    let file =
        reached.and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
    _ = file.map(|mut file| file.write_all(format!("{mutant}\n").as_bytes()));
    active == mutant
}
