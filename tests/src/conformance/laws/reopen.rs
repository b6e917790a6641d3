//! Laws on appending to a file that exists.
//!
//! Must never reopen below bytes that still have a meaning to the law, nor beyond what was written.

use durability_core::storage::{AppendFile as _, Directory};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Kept, Verdict};
use crate::shared::offset;

const FILE: &str = "wal/00000001.WAL";

/// With [`reopen`](durability_core::storage::Capabilities::reopen), a closed file is continued where its content ends,
/// in reserved room too.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn reopen_continues_at_the_end<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("reopen_continues_at_the_end", dir);
    if !dir.capabilities().reopen() {
        return Ok(Kept::NotApplicable("reopen is not announced"));
    }
    for (file, reserve) in [(name("wal/PLAIN.BIN"), 0), (name("wal/ROOM.BIN"), 2000)] {
        let mut whole = Vec::new();
        ground.finish(ground.create(file, reserve)?)?;
        for seed in 1..4 {
            let at = offset(whole.len());
            let step = "reopening at the end of what was written";
            let Some(mut appender) = ground.works(step, dir.reopen(file, at))? else {
                return Err(ground.broken(step, "an appender", "None"));
            };
            let found = appender.position();
            ground.holds("the position after reopening", found == at, at, found)?;
            let piece = ground.bytes(seed, 90);
            ground.write(&mut appender, &piece)?;
            whole.extend_from_slice(&piece);
            ground.finish(appender)?;
            ground.has("a file that was continued", file, &whole)?;
        }
    }
    Ok(Kept::Tested)
}

/// With [`reopen`](durability_core::storage::Capabilities::reopen), a file is continued before its end: what lies below is kept, what is
/// written replaces what lay beyond. A backend that cannot change bytes may answer that the operation is not supported there,
/// and must leave the file as it is.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn reopen_replaces_what_lies_beyond<D: Directory>(dir: &D) -> Verdict {
    use durability_core::storage::StoreError as _;
    let ground = Ground::new("reopen_replaces_what_lies_beyond", dir);
    if !dir.capabilities().reopen() {
        return Ok(Kept::NotApplicable("reopen is not announced"));
    }
    let (kept, dead, fresh) = (ground.bytes(1, 256), ground.bytes(2, 128), ground.bytes(3, 300));
    ground.put(name(FILE), &[kept.as_slice(), dead.as_slice()].concat())?;
    let step = "reopening before the end";
    let mut appender = match dir.reopen(name(FILE), offset(kept.len())) {
        Err(error) if error.is_unsupported() => {
            let whole = [kept.as_slice(), dead.as_slice()].concat();
            ground.has("a file that was not reopened", name(FILE), &whole)?;
            return Ok(Kept::NotApplicable("the backend cannot change bytes"));
        }
        result => match ground.works(step, result)? {
            Some(appender) => appender,
            None => return Err(ground.broken(step, "an appender", "None")),
        },
    };
    let (found, expected) = (appender.position(), offset(kept.len()));
    ground.holds("the position after reopening", found == expected, expected, found)?;
    ground.write(&mut appender, &fresh)?;
    ground.finish(appender)?;
    let whole = [kept, fresh].concat();
    ground.has("a file continued before its end", name(FILE), &whole)?;
    Ok(Kept::Tested)
}

/// Without the capability `reopen` is unsupported, and the file stays as it is.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn reopen_is_as_announced<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("reopen_is_as_announced", dir);
    if dir.capabilities().reopen() {
        return Ok(Kept::NotApplicable("reopen is announced"));
    }
    let data = ground.bytes(1, 64);
    ground.put(name(FILE), &data)?;
    ground.is_refused("reopening", dir.reopen(name(FILE), offset(data.len())))?;
    ground.has("a file that was not reopened", name(FILE), &data)?;
    Ok(Kept::Tested)
}
