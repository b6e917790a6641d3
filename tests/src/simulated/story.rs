//! Telling what happened so that a stranger understands it.
//!
//! Must never leave out a piece that was lost.

use core::fmt::{self, Debug, Write};

use super::journal::{Event, Journal};
use super::names::Namespace;
use super::oplog::{Operation, OperationKind};
use super::pieces::{FileChoice, Kind, Pieces};

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
        for (unit, choice) in choice.units.iter().enumerate() {
            let range = pieces.range(unit, length);
            if range.is_empty() {
                continue;
            }
            let bytes = format!("{name} bytes {}..{}", range.start, range.end);
            let state = &pieces.units[unit];
            match state.kinds[*choice] {
                Kind::Written(_) if *choice == state.newest => self.kept.push(bytes),
                // A write that changed nothing has only the old content.
                Kind::Old if state.newest == 0 => self.kept.push(bytes),
                Kind::Old => self.lost.push(format!("{bytes} (as before)")),
                Kind::Written(_) => self.lost.push(format!("{bytes} (an earlier write is there)")),
                Kind::Zeros => self.lost.push(format!("{bytes} (zeros)")),
                Kind::Junk => self.lost.push(format!("{bytes} (junk)")),
            }
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

/// Tells a life up to an operation: what was done to the disk, and what the journal has from its `mark` on.
pub(super) fn tell_life<O: Debug, S: Debug>(
    text: &mut String,
    life: usize,
    operations: &[Operation],
    journal: &Journal<O, S>,
    (mark, until): (usize, u64),
) {
    let title = if life == 0 { "first run" } else { "recovery" };
    let _written = writeln!(text, "life {life}, {title}:");
    let mut entries = journal.entries().iter().skip(mark).peekable();
    for (at, operation) in operations.iter().enumerate() {
        if at as u64 >= until {
            break;
        }
        while let Some(entry) = entries.next_if(|entry| entry.operations <= at as u64) {
            tell_event(text, &entry.event, entry.issued);
        }
        let silent = matches!(operation.kind, OperationKind::Read { .. } | OperationKind::Flush);
        if !silent || operation.error.is_some() {
            let _written = writeln!(text, "  {at:>3}  {operation}");
        }
    }
    for entry in entries {
        tell_event(text, &entry.event, entry.issued);
    }
}

fn tell_event<O: Debug, S: Debug>(text: &mut String, event: &Event<O, S>, issued: u64) {
    let _written = match event {
        Event::Issued(operation) => writeln!(text, "   *   issued #{issued} {operation:?}"),
        Event::Acknowledged { through } => writeln!(text, "   *   acknowledged through #{through}"),
        Event::Recovered(seen) => writeln!(text, "   *   recovery showed {seen:?}"),
    };
}
