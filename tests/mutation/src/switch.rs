//! Which mutant is on: a module of the copy of the core, into which `splice.rs` puts a question for each mutant.
//!
//! Must never be in anything but that copy.

extern crate std;

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Nobody has asked yet.
const UNKNOWN: u32 = u32::MAX;
/// None is on: who asks is written down.
const RECORDING: u32 = u32::MAX - 1;
/// None is on. Mutants count from 1.
const NONE: u32 = 0;

static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);
static REACHED: [AtomicBool; 1 << 13] = [const { AtomicBool::new(false) }; 1 << 13];
static LIST: OnceLock<Option<File>> = OnceLock::new();

/// Whether this mutant is on: the one that `MUTANT` names. With `MUTANT_REACHED`, the name of a file, none is, and the file gets each mutant's
/// number as soon as the tests reach it.
#[inline]
pub(crate) fn on(mutant: u32) -> bool {
    let active = ACTIVE.load(Ordering::Relaxed);
    active == mutant || (active >= RECORDING && ask(mutant))
}

/// Allocates in the first call alone: there are tests that count.
#[cold]
fn ask(mutant: u32) -> bool {
    let list = LIST.get_or_init(|| {
        let path = env::var_os("MUTANT_REACHED")?;
        OpenOptions::new().append(true).create(true).open(path).ok()
    });
    let Some(mut list) = list.as_ref() else {
        let named = env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(NONE);
        ACTIVE.store(named, Ordering::Relaxed);
        return named == mutant;
    };
    ACTIVE.store(RECORDING, Ordering::Relaxed);
    // Looked at before it is set: threads that set what is set already take it from one another, for minutes.
    let seen = REACHED
        .get(mutant as usize)
        .is_none_or(|seen| seen.load(Ordering::Relaxed) || seen.swap(true, Ordering::Relaxed));
    if !seen {
        // A number that is lost shows as a mutant that no test reaches.
        _ = list.write_all(&mutant.to_le_bytes());
    }
    false
}
