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

const LENGTH: &str = "covers a length alone: room that was given back, and may come back";
const REPEATED: &str = "is called again for the same before anybody is told anything";

/// A file that is renamed into its place once it is whole; until then nobody reads it.
const STAGED: &str = "data/store/incoming/next/NEXT.DOC";

/// The bytes of a frame without an entry.
const CONTROL_BYTES: usize = 20;

/// Why the sync at this place of the steps is not needed there for what was done from the step `from` on, if it is not.
pub(crate) fn reason(steps: &[Step], at: usize, from: usize) -> Option<&'static str> {
    let sync = steps.get(at)?;
    let before = &steps[..at];
    let told = |step: &&Step| !matches!(step.action, Action::Mark(_));
    let again = |step: &Step| step.action == sync.action && step.path == sync.path;
    if steps[at + 1..].iter().take_while(told).any(again) {
        return Some(REPEATED);
    }
    if matches!(sync.action, Action::SyncFolder { .. }) {
        let names = covered_names(before, &sync.path, from);
        if names.is_empty() {
            return Some(NAMES);
        }
        let files = names.iter().all(|name| goes_unpromised(steps, at, name));
        return files.then_some(UNPROMISED);
    }
    let written = covered_bytes(before, &sync.path, from);
    if written.is_empty() {
        return covers_a_length(before, &sync.path).then_some(LENGTH);
    }
    if written.iter().all(|data| data.iter().all(|byte| *byte == 0)) {
        return Some(ZEROS);
    }
    if written.iter().map(|data| data.len()).sum::<usize>() <= CONTROL_BYTES {
        return Some(CONTROL);
    }
    goes_unpromised(steps, at, &sync.path).then_some(UNPROMISED)
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
