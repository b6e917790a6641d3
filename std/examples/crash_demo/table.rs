//! What happened, as a table: the last rounds one by one, and all of them together.

use core::fmt;
use std::time::Duration;

/// Rounds that are shown one by one.
const SHOWN: usize = 10;

/// A round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) round: u32,
    pub(crate) kills: u32,
    /// The last entry that the writer acknowledged as synced.
    pub(crate) acknowledged: u64,
    /// The last entry that it had flushed.
    pub(crate) flushed: u64,
    pub(crate) recovered: u64,
    pub(crate) torn_bytes: u64,
    pub(crate) lost: u64,
    pub(crate) checkpoint: Option<u32>,
    pub(crate) time: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    fn sum(&self, column: impl Fn(&Row) -> u64) -> u64 {
        self.rows.iter().map(column).sum()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 9] = [
            "round",
            "kills",
            "acknowledged",
            "flushed",
            "recovered",
            "torn bytes",
            "lost",
            "checkpoint",
            "recovery",
        ];
        line(f, HEAD)?;
        if let Some(hidden) = self.rows.len().checked_sub(SHOWN + 1) {
            writeln!(f, "{:>5}  as far as the first one shown", format!("1-{}", hidden + 1))?;
        }
        for row in self.rows.iter().skip(self.rows.len().saturating_sub(SHOWN)) {
            line(
                f,
                [
                    &row.round.to_string(),
                    &row.kills.to_string(),
                    &row.acknowledged.to_string(),
                    &row.flushed.to_string(),
                    &row.recovered.to_string(),
                    &row.torn_bytes.to_string(),
                    &row.lost.to_string(),
                    &row.checkpoint.map_or("none".into(), |generation| generation.to_string()),
                    &milliseconds(row.time),
                ],
            )?;
        }
        let last = self.rows.last().cloned().unwrap_or_default();
        let torn = self.rows.iter().filter(|row| row.torn_bytes > 0).count();
        writeln!(f)?;
        writeln!(f, "{:>12} rounds, {} kills", self.rows.len(), self.sum(|row| row.kills.into()))?;
        writeln!(f, "{:>12} entries recovered", last.recovered)?;
        writeln!(f, "{:>12} lost", self.sum(|row| row.lost))?;
        writeln!(
            f,
            "{:>12} torn bytes passed over, in {torn} rounds",
            self.sum(|row| row.torn_bytes)
        )?;
        let mut times: Vec<Duration> = self.rows.iter().map(|row| row.time).collect();
        times.sort_unstable();
        let percentile = |percent: usize| {
            let index = (times.len() * percent).div_ceil(100).saturating_sub(1);
            milliseconds(times.get(index).copied().unwrap_or_default())
        };
        let [half, nine_tenths, longest] = [50, 90, 100].map(percentile);
        write!(
            f,
            "{half:>12} to recover in half of the rounds, {nine_tenths} in 90 %, {longest} at most"
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: [&str; 9]) -> fmt::Result {
    let widths = [5, 5, 12, 9, 9, 10, 6, 10, 10];
    for (cell, width) in cells.iter().zip(widths) {
        write!(f, "{cell:>width$}  ")?;
    }
    writeln!(f)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
