//! Why a sync may be missing in a trace without a law breaking: the only reasons that are taken.
//!
//! Must never excuse a sync whose loss could show: each reason is read off the trace, and says what alone the sync covered.

use std::collections::BTreeSet;

use durability_testkit::simulated::Event;
use durability_testkit::traced::{Action, Step};

use super::outside::from_text;
use super::tracing::LOCKS;

const NAMES: &str = "covers no name but those of locks, of files not in their place yet, of empty folders, and of what is gone and may come back";
const ZEROS: &str = "covers zeros alone, and what is lost of them reads as zeros";
const CONTROL: &str =
    "covers a frame that says where the log was closed or synced, and holds no entry";
const UNPROMISED: &str = "covers a file that goes again before anything else is acknowledged";

const READY: &str =
    "covers the file of a segment to come, and what begins in it is synced as a whole";
const READY_NAME: &str = "covers the name of a segment to come, and is called again before anybody is told of what begins in it";
const LENGTH: &str = "covers a length alone: room that was given back, and may come back";
const REPEATED: &str = "is called again for the same before anybody is told anything";

/// A file that is renamed into its place once it is whole; until then nobody reads it.
const STAGED: &str = "data/store/incoming/next/NEXT.DOC";

/// The bytes of a frame without an entry.
const CONTROL_BYTES: usize = 20;

/// How a file begins that was made ready for a segment to come: FORMAT.md, "Headers".
const READY_MAGIC: &[u8] = b"\x89DNXT\r\n\x1a";

/// Why the sync at this place of the steps is not needed there for what was done from the step `from` on, if it is not.
pub(crate) fn reason(steps: &[Step], at: usize, from: usize) -> Option<&'static str> {
    let sync = steps.get(at)?;
    let before = &steps[..at];
    let again = |step: &Step| step.action == sync.action && step.path == sync.path;
    if steps[at + 1..].iter().take_while(|step| !tells(step)).any(again) {
        return Some(REPEATED);
    }
    if matches!(sync.action, Action::SyncFolder { .. }) {
        let names = covered_names(before, &sync.path, from);
        if names.is_empty() {
            return Some(NAMES);
        }
        if names.iter().all(|name| goes_unpromised(steps, at, name)) {
            return Some(UNPROMISED);
        }
        let to_come = names.iter().all(|name| {
            goes_unpromised(steps, at, name)
                || (is_to_come(before, name) || is_used_again(before, name))
                    && begins_covered(steps, at, name)
        });
        return to_come.then_some(READY_NAME);
    }
    let written = covered_bytes(before, &sync.path, from);
    if written.is_empty() {
        return covers_a_length(before, &sync.path).then_some(LENGTH);
    }
    if written.iter().all(|data| data.iter().all(|byte| *byte == 0)) {
        return Some(ZEROS);
    }
    if is_to_come(before, &sync.path) && begins_covered(steps, at, &sync.path) {
        return Some(READY);
    }
    if written.iter().map(|data| data.len()).sum::<usize>() <= CONTROL_BYTES {
        return Some(CONTROL);
    }
    goes_unpromised(steps, at, &sync.path).then_some(UNPROMISED)
}

/// Whether a step tells the outside world of something that must be so from then on.
fn tells(step: &Step) -> bool {
    match &step.action {
        Action::Mark(text) => !matches!(from_text(text), Ok(Event::Issued(_))),
        _ => false,
    }
}

/// Whether a file was made anew, and nothing was written to it but what says that it is ready, and zeros.
fn is_to_come(before: &[Step], path: &str) -> bool {
    let made = before.iter().rposition(|step| match &step.action {
        Action::Create { path: made, .. } => made == path,
        // Of an older file, older bytes may come back.
        Action::Rename { to, .. } => to == path,
        _ => false,
    });
    let Some(made) = made.filter(|at| matches!(before[*at].action, Action::Create { .. })) else {
        return false;
    };
    before[made..].iter().filter(|step| step.path == path).all(|step| !begins(step))
}

/// Whether a file got this name after it was made ready out of one that had held something: its name has nothing more to tell than a new file's.
fn is_used_again(before: &[Step], path: &str) -> bool {
    let renamed = |step: &Step| match &step.action {
        Action::Rename { from, to } if to == path => Some(from.clone()),
        _ => None,
    };
    let Some((at, from)) =
        before.iter().enumerate().rev().find_map(|(at, step)| Some((at, renamed(step)?)))
    else {
        return false;
    };
    let old = before[..at].iter().filter(|step| step.path == from);
    let ready = old.rev().take_while(|step| !begins(step)).any(|step| match &step.action {
        Action::Write { data, at: 0, .. } => data.starts_with(READY_MAGIC),
        _ => false,
    });
    ready && !before[at..].iter().any(|step| step.path == path && begins(step))
}

/// Whether something of a log is written.
fn begins(step: &Step) -> bool {
    match &step.action {
        Action::Write { data, .. } => {
            !data.starts_with(READY_MAGIC) && data.iter().any(|byte| *byte != 0)
        }
        _ => false,
    }
}

/// Whether the sync at this place is called again before anybody is told anything once something begins in this file, if it does.
fn begins_covered(steps: &[Step], at: usize, path: &str) -> bool {
    let behind = &steps[at + 1..];
    let Some(begun) = behind.iter().position(|step| step.path == path && begins(step)) else {
        return true;
    };
    let again = |step: &Step| step.action == steps[at].action && step.path == steps[at].path;
    behind[..begun].iter().any(again)
        || behind[begun..].iter().take_while(|step| !tells(step)).any(again)
}

/// The last step before a sync that the sync makes durable; none if all that it covers was there before the first step.
pub(crate) fn last_covered(steps: &[Step], sync: usize) -> Option<usize> {
    let target = steps.get(sync)?;
    let within = |path: &str| path.rsplit_once('/').map_or("", |(above, _)| above) == target.path;
    let covers = |step: &Step| match (&target.action, &step.action) {
        (
            Action::SyncFile { file },
            Action::Write { file: other, .. } | Action::SetLength { file: other, .. },
        ) => file == other,
        (Action::SyncFolder { .. }, Action::Rename { from, to }) => within(from) || within(to),
        (
            Action::SyncFolder { .. },
            Action::Create { path, .. }
            | Action::Link { path, .. }
            | Action::MakeFolder { path }
            | Action::Remove { path }
            | Action::RemoveFolder { path },
        ) => within(path),
        _ => false,
    };
    steps[..sync].iter().rposition(covers)
}

/// The names in a folder that were made since its last sync, and mean something: a file, or a folder with files in it.
fn covered_names(before: &[Step], folder: &str, from: usize) -> Vec<String> {
    let synced =
        |step: &Step| matches!(&step.action, Action::SyncFolder { path } if path == folder);
    let since = before.iter().rposition(synced).map_or(0, |at| at + 1).max(from);
    let (mut files, mut made) = (BTreeSet::new(), BTreeSet::new());
    for (at, step) in before.iter().enumerate() {
        let mut gone = None;
        let named = match &step.action {
            Action::Create { path, .. } | Action::Link { path, .. } => Some(path),
            Action::Rename { from, to } => {
                gone = Some(from);
                Some(to)
            }
            Action::Remove { path } => {
                gone = Some(path);
                None
            }
            Action::MakeFolder { path } => {
                if at >= since {
                    made.insert(path.clone());
                }
                None
            }
            _ => None,
        };
        if let Some(gone) = gone {
            files.remove(gone);
        }
        if let Some(path) = named.filter(|path| !LOCKS.contains(&&***path) && *path != STAGED) {
            files.insert(path.clone());
            if at >= since {
                made.insert(path.clone());
            }
        }
    }
    let within = |path: &String| path.rsplit_once('/').map_or("", |(above, _)| above) == folder;
    let means = |path: &String| {
        files.contains(path) || files.iter().any(|file| file.starts_with(&format!("{path}/")))
    };
    made.into_iter().filter(|path| within(path) && means(path)).collect()
}

/// What was written to a file since its last sync.
fn covered_bytes<'a>(before: &'a [Step], file: &str, from: usize) -> Vec<&'a [u8]> {
    let own = before.iter().enumerate().filter(|(_, step)| step.path == file);
    let mut written = Vec::new();
    for (at, step) in own {
        match &step.action {
            Action::Write { data, .. } if at >= from => written.push(&**data),
            Action::SyncFile { .. } => written.clear(),
            _ => {}
        }
    }
    written
}

/// Whether a file has changed its length since its last sync.
fn covers_a_length(before: &[Step], file: &str) -> bool {
    let mut own = before.iter().rev().filter(|step| step.path == file);
    let last =
        own.find(|step| step.action.is_sync() || matches!(step.action, Action::SetLength { .. }));
    last.is_some_and(|step| matches!(step.action, Action::SetLength { .. }))
}

/// Whether a file is removed before any operation is acknowledged that was not yet.
fn goes_unpromised(steps: &[Step], at: usize, path: &str) -> bool {
    let promise = |step: &Step| match &step.action {
        Action::Mark(text) => match from_text(text) {
            Ok(Event::Acknowledged { through }) => through,
            _ => 0,
        },
        _ => 0,
    };
    let before = steps[..at].iter().map(promise).max().unwrap_or_default();
    for step in &steps[at..] {
        if promise(step) > before {
            return false;
        }
        if matches!(&step.action, Action::Remove { path: gone } if gone == path) {
            return true;
        }
    }
    false
}
