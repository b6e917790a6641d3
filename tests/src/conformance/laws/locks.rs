//! Laws on locks and nonces, as far as they show in one process.
//!
//! Must never wait for a lock.

use std::collections::BTreeSet;
use std::mem::needs_drop;

use durability_core::storage::{Directory, Locking, Name};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Broken, Kept, Verdict};

const SINGLE_OWNER: Kept = Kept::NotApplicable("there is a single owner by construction");
const NONCES: usize = 64;

fn acquire<D: Directory>(
    ground: &Ground<'_, D>,
    step: &'static str,
    lock: Name<'_>,
) -> Result<D::Lock, Broken> {
    match ground.works(step, ground.dir.lock(lock))? {
        Locking::Acquired(guard) => Ok(guard),
        Locking::Held { holder } => {
            Err(ground.broken(step, "the lock", format!("that {holder:?} holds it")))
        }
    }
}

fn is_held<D: Directory>(
    ground: &Ground<'_, D>,
    step: &'static str,
    lock: Name<'_>,
) -> Result<(), Broken> {
    match ground.works(step, ground.dir.lock(lock))? {
        Locking::Held { holder: None } => Ok(()),
        Locking::Held { holder: Some(pid) } => {
            let own = std::process::id();
            ground.holds(step, pid == own, format!("this process, {own}, as the holder"), pid)
        }
        Locking::Acquired(_) => Err(ground.broken(step, "that it is held", "the lock")),
    }
}

/// A lock excludes every other holder, in this process too, and in a folder that did not exist.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn a_lock_excludes<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("a_lock_excludes", dir);
    if !needs_drop::<D::Lock>() {
        return Ok(SINGLE_OWNER);
    }
    for lock in ["LOCK", "wal/LOCK"].map(name) {
        let guard = acquire(&ground, "taking a free lock", lock)?;
        is_held(&ground, "taking a lock that is held", lock)?;
        is_held(&ground, "taking it again", lock)?;
        drop(guard);
    }
    Ok(Kept::Tested)
}

/// A lock is free again once its guard was dropped, as often as it is taken.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn a_lock_ends_with_its_guard<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("a_lock_ends_with_its_guard", dir);
    if !needs_drop::<D::Lock>() {
        return Ok(SINGLE_OWNER);
    }
    let lock = name("wal/LOCK");
    for _ in 0..3 {
        let guard = acquire(&ground, "taking a lock that was given back", lock)?;
        is_held(&ground, "taking a lock that is held", lock)?;
        drop(guard);
    }
    Ok(Kept::Tested)
}

/// Locks of different names, equal names in different folders included, do not exclude one another.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn locks_of_other_names_are_free<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("locks_of_other_names_are_free", dir);
    if !needs_drop::<D::Lock>() {
        return Ok(SINGLE_OWNER);
    }
    let names = ["LOCK", "OTHER", "wal/LOCK", "ckp/LOCK"].map(name);
    let mut guards = Vec::new();
    for lock in names {
        guards.push(acquire(&ground, "taking one of several locks", lock)?);
    }
    drop(guards.pop());
    is_held(&ground, "a lock whose guard lives, after another went", name("LOCK"))?;
    drop(acquire(&ground, "taking the one that was given back", name("ckp/LOCK"))?);
    Ok(Kept::Tested)
}

/// No nonce is given twice.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn nonces_differ<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("nonces_differ", dir);
    let seen: BTreeSet<u64> = (0..NONCES).map(|_| dir.nonce()).collect();
    let found = seen.len();
    ground.holds("distinct nonces", found == NONCES, NONCES, found)?;
    Ok(Kept::Tested)
}
