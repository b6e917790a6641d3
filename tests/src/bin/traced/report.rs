//! What was done and found, as a table.
//!
//! Must never show a number that was not counted.

use core::fmt;

use durability_testkit::simulated::Statistics;

use super::dropped::{Dropped, Outcome};

/// What was done with one workload.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) calls: u64,
    pub(crate) steps: u64,
    pub(crate) traces: u64,
    /// Of the first life's crashes, at the smallest tear unit, crashes in recovery included.
    pub(crate) distinct: Statistics,
    /// Of the same at larger tear units, and of crashes in traced recoveries: states that may be the same as others.
    pub(crate) more: Statistics,
    pub(crate) real: u64,
    pub(crate) kills: u64,
    pub(crate) needed: u64,
    pub(crate) nothing: u64,
    pub(crate) redundant: u64,
    pub(crate) violations: Vec<String>,
}

impl Row {
    pub(crate) fn add_dropped(&mut self, all: &[Dropped]) {
        for dropped in all {
            match dropped.outcome {
                Outcome::Needed { .. } => self.needed += 1,
                Outcome::Nothing => self.nothing += 1,
                Outcome::Redundant(_) => self.redundant += 1,
                Outcome::Unproven => self.violations.push(format!("{}: {dropped}", self.workload)),
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.steps += other.steps;
        self.traces += other.traces;
        self.distinct.add(&other.distinct);
        self.more.add(&other.more);
        self.real += other.real;
        self.kills += other.kills;
        self.needed += other.needed;
        self.nothing += other.nothing;
        self.redundant += other.redundant;
        self.violations.extend(other.violations.iter().cloned());
    }

    /// How many states were judged after each number of crashes.
    fn depths(&self) -> String {
        let all = self.distinct.by_depth.iter().map(u64::to_string);
        all.collect::<Vec<_>>().join(" + ")
    }
}

/// The names of the columns.
pub(crate) fn head() -> String {
    format!(
        "{:<26}{:>7}{:>7}{:>7}{:>8}{:>10}  {:<24}{:>10}{:>7}{:>7}  {:<16}{:>10}",
        "workload",
        "traces",
        "calls",
        "steps",
        "points",
        "states",
        "after 1 + 2 + ... crashes",
        "more",
        "real",
        "kills",
        "syncs out",
        "violations",
    )
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let syncs = format!("{} {} {}", self.needed, self.redundant, self.nothing);
        write!(
            f,
            "{:<26}{:>7}{:>7}{:>7}{:>8}{:>10}  {:<24}{:>10}{:>7}{:>7}  {:<16}{:>10}",
            self.workload,
            self.traces,
            self.calls,
            self.steps,
            self.distinct.crash_points,
            self.distinct.distinct,
            self.depths(),
            self.more.distinct,
            self.real,
            self.kills,
            syncs,
            self.violations.len(),
        )
    }
}
