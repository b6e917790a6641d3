//! What a turn yields, and what many of them come to.

use std::time::Duration;

use crate::{Counts, Time};

/// One turn of one side.
#[derive(Debug, Clone)]
pub struct Sample {
    /// How long it took.
    pub time: Time,
    /// How many records, commits or batches that was.
    pub times: u64,
    /// What was counted meanwhile, where the side counts.
    pub counts: Counts,
    /// How long each commit took, in nanoseconds, where that was asked.
    pub latencies: Vec<u32>,
    /// Flushes of the device meanwhile, where the system counts them.
    pub device_flushes: Option<u64>,
    /// The most memory that the process held beyond what it began with, in KiB, where a process of its own did the work.
    pub peak_kib: Option<u64>,
}

impl Sample {
    /// A time, and nothing counted.
    pub fn timed(time: Time, times: u64) -> Self {
        Self {
            time,
            times,
            counts: Counts::default(),
            latencies: Vec::new(),
            device_flushes: None,
            peak_kib: None,
        }
    }

    /// The time of each, by the clock on the wall.
    pub fn nanos(&self) -> f64 {
        each(self.time.wall, self.times)
    }

    /// The time of each that the processor worked.
    pub fn cpu_nanos(&self) -> f64 {
        each(self.time.cpu, self.times)
    }
}

fn each(time: Duration, times: u64) -> f64 {
    time.as_nanos() as f64 / times as f64
}

/// The middle of many values, and their ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// The least.
    pub least: f64,
    /// The one in the middle.
    pub median: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// Of all values; not a number where there are none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last.div_ceil(2)));
        Self { least: at(0), median, most: at(last) }
    }
}

/// How long single commits took, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Percentiles {
    /// The shares 50, 90, 99 and 99.9 %, and all.
    pub nanos: [u32; 5],
}

impl Percentiles {
    /// What they are called.
    pub(super) const NAMES: [&'static str; 5] = ["50 %", "90 %", "99 %", "99.9 %", "all"];

    /// Of all that were measured; `None` if none were.
    pub(super) fn of(mut nanos: Vec<u32>) -> Option<Self> {
        nanos.sort_unstable();
        let last = nanos.len().checked_sub(1)?;
        let at = |thousandths: usize| nanos[last * thousandths / 1000];
        Some(Self { nanos: [500, 900, 990, 999, 1000].map(at) })
    }
}
