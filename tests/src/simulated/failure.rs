//! [`Failure`]: what an exploration says when a law was broken.
//!
//! Must fit on a page, and never leave out how to see it again.

use core::fmt;

use super::Statistics;
use super::model::Violation;

/// Stories up to this many lines are shown whole.
const LINES_WHOLE: usize = 45;
/// Else, how many lines of a life are shown at its beginning and at its end.
const LINES_SHOWN: (usize, usize) = (4, 8);

/// A law that was broken, and how to get there: in the smallest program, by the fewest crashes and with the fewest pieces
/// lost that were found.
///
/// Its text is for people: the law, the program, each life up to its crash, what survived and what was lost, what recovery
/// said, and the line that replays it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What was broken.
    pub violation: Violation,
    /// The program in words, as [`Workload::describe`](super::Workload::describe) has it, after shrinking.
    pub program: String,
    /// Which of the programs it was before, counted from 0; only from [`explore_all`](super::explore_all()).
    pub number: Option<usize>,
    /// The operations, the crashes, what survived and what was lost, and what recovery said.
    pub story: String,
    /// The same, for [`replay`](super::replay()).
    pub replay: String,
    /// What had been explored when the law broke first; shrinking is not counted.
    pub statistics: Statistics,
}

impl core::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        if !self.program.is_empty() {
            writeln!(f, "the program: {}", self.program)?;
        }
        write_story(f, &self.story)?;
        write!(f, "to see it again: replay() with the workload")?;
        if let Some(number) = self.number {
            write!(f, " number {number} (from 0)")?;
        }
        writeln!(f, ", oracle and bounds that were explored, and this line:")?;
        write!(f, "  {}", self.replay)
    }
}

/// The crashes and what they left are always shown.
fn write_story(f: &mut fmt::Formatter<'_>, story: &str) -> fmt::Result {
    let lines: Vec<&str> = story.lines().collect();
    let is_turn = |line: &&str| line.starts_with("life ") || line.starts_with("  == ");
    let (head, tail) = LINES_SHOWN;
    for run in lines.chunk_by(|line, next| !is_turn(line) && !is_turn(next)) {
        let gap = run.len().saturating_sub(head + tail);
        for (at, line) in run.iter().enumerate() {
            if lines.len() <= LINES_WHOLE || gap < 2 || at < head || at >= head + gap {
                writeln!(f, "{line}")?;
            } else if at == head {
                writeln!(f, "         … {gap} lines more in the whole `story` …")?;
            }
        }
    }
    Ok(())
}
