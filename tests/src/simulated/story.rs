//! Telling what happened so that a stranger understands it.
//!
//! Must never leave out a piece that was lost.

use core::fmt::{self, Debug, Write};
use core::ops::Range;

use super::fault::{DroppedPages, Fault, FaultKind};
use super::journal::{Event, Journal};
use super::names::Namespace;
use super::oplog::Operation;
use super::pieces::{FileChoice, Kind, Pieces, Unit};

/// What a power cut kept and lost of what was pending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survived {
    /// What was kept.
    pub kept: Vec<String>,
    /// What was lost or damaged.
    pub lost: Vec<String>,
}

impl Survived {
    pub(super) fn of_names(names: &Namespace, choice: &[usize]) -> Self {
        let mut all = Self::default();
        for (change, choice) in names.pending.iter().zip(choice) {
            let text = |name| names.table.text(name);
            let what = match (change.old, change.new) {
                (Some(old), Some((new, _))) => format!("rename of {} to {}", text(old), text(new)),
                (Some(old), None) => format!("removal of {} by rename", text(old)),
                (None, Some((new, Some(_)))) => format!("name {}", text(new)),
                (None, Some((new, None))) => format!("removal of {}", text(new)),
                (None, None) => continue,
            };
            match choice {
                0 => all.lost.push(what),
                1 => all.kept.push(what),
                _ => all.kept.push(format!("{what}, the old name still there")),
            }
        }
        all
    }

    pub(super) fn add_file(
        &mut self,
        name: Option<&impl fmt::Display>,
        pieces: &Pieces,
        choice: &FileChoice,
    ) {
        let name = name.map_or_else(|| "a file".to_owned(), ToString::to_string);
        let (length, newest) = (pieces.lengths[choice.length].0, pieces.newest().length);
        let last = pieces.lengths[newest].0;
        if length < last {
            self.lost.push(format!("{name} is {length} bytes long instead of {last}"));
        }
        let mut runs: Vec<(Range<usize>, Fate)> = Vec::new();
        for (unit, choice) in choice.units.iter().enumerate() {
            let range = pieces.range(unit, length);
            let fate = Fate::of(&pieces.units[unit], *choice);
            match runs.last_mut() {
                _ if range.is_empty() => {}
                Some((run, same)) if run.end == range.start && *same == fate => run.end = range.end,
                _ => runs.push((range, fate)),
            }
        }
        for (range, fate) in runs {
            let bytes = format!("{name} bytes {}..{}", range.start, range.end);
            match fate {
                Fate::Kept => self.kept.push(bytes),
                Fate::Lost(instead) => self.lost.push(format!("{bytes} ({instead})")),
            }
        }
    }
}

/// What became of a unit.
#[derive(PartialEq, Eq)]
enum Fate {
    Kept,
    Lost(&'static str),
}

impl Fate {
    fn of(unit: &Unit, choice: usize) -> Self {
        match unit.kinds[choice] {
            // A write that changed nothing has only the old content.
            _ if choice == unit.newest => Self::Kept,
            Kind::Old => Self::Lost("as before"),
            Kind::Written(_) => Self::Lost("an earlier write is there"),
            Kind::Zeros => Self::Lost("zeros"),
            Kind::Junk => Self::Lost("junk"),
        }
    }
}

impl fmt::Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |all: &[String]| if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
        write!(f, "survived: {}; lost: {}", list(&self.kept), list(&self.lost))
    }
}

/// The most characters of what recovery showed, or of an operation, that are told.
const DEBUG_MAX: usize = 400;

/// Tells a power cut: what survived and what was lost.
pub(super) fn tell_cut(text: &mut String, after: u64, survived: &Survived) {
    let _written = write!(text, "  == power cut after {after} operations; ");
    let _written = if *survived == Survived::default() {
        writeln!(text, "nothing was pending")
    } else {
        writeln!(text, "{survived}")
    };
}

/// Tells a life up to an operation: what was done to the disk, and what the journal has from its `mark` on. What only looked,
/// and succeeded, is left out.
pub(super) fn tell_life<O: Debug, S: Debug>(
    text: &mut String,
    life: usize,
    operations: &[Operation],
    journal: &Journal<O, S>,
    (mark, until): (usize, u64),
) {
    let title = if life == 0 { "the first run" } else { "recovery" };
    let _written = writeln!(text, "life {life}, {title}:");
    let mut entries = journal.entries().iter().skip(mark).peekable();
    for (at, operation) in operations.iter().enumerate() {
        if at as u64 >= until {
            break;
        }
        while let Some(entry) = entries.next_if(|entry| entry.operations <= at as u64) {
            tell_event(text, &entry.event, entry.issued);
        }
        if operation.kind.changes_the_disk() || operation.error.is_some() {
            let _written = writeln!(text, "  {at:>5}  {operation}");
        }
    }
    for entry in entries {
        tell_event(text, &entry.event, entry.issued);
    }
}

/// Tells what nobody could see in the error of an operation: which pages a failed sync has dropped.
pub(super) fn tell_fault(text: &mut String, fault: Option<Fault>) {
    let dropped = match fault.map(|fault| fault.kind) {
        Some(FaultKind::SyncFailed(DroppedPages::All)) => "what it was to write",
        Some(FaultKind::SyncFailed(DroppedPages::Alternate)) => "a part of what it was to write",
        _ => return,
    };
    let _written = writeln!(
        text,
        "  (the failed sync dropped {dropped}: the cache shows it, the medium does not have it)"
    );
}

fn tell_event<O: Debug, S: Debug>(text: &mut String, event: &Event<O, S>, issued: u64) {
    let _written = match event {
        Event::Issued(operation) => writeln!(text, "  asked for #{issued}: {}", Short(operation)),
        Event::Acknowledged { through } => writeln!(text, "  acknowledged through #{through}"),
        Event::Recovered(seen) => writeln!(text, "  recovery said {}", Short(seen)),
    };
}

struct Short<'a, T>(&'a T);

impl<T: Debug> fmt::Display for Short<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        match text.char_indices().nth(DEBUG_MAX) {
            Some((end, _)) => write!(f, "{}… ({} bytes more)", &text[..end], text.len() - end),
            None => f.write_str(&text),
        }
    }
}
