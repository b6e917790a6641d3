//! What was found: one side in one case of one workload, with its baseline, its counts and its goal.

use super::goals;
use super::rounds::Series;
use super::sample::{Percentiles, Spread};

/// What a case is about, and where it stands on the axis of a chart.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// As it is written in tables.
    pub label: String,
    /// Bytes of a record, threads, or MiB of a log.
    pub x: f64,
}

/// The part of a run to which something belongs: a workload on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// As it is called on the command line and in marks: `W3`.
    pub name: &'static str,
    /// Whether the disk is emulated, with syncs that take 1 ms longer.
    pub slow: bool,
}

/// For each commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerCommit {
    /// Writes.
    pub writes: f64,
    /// Bytes written.
    pub bytes: f64,
    /// Syncs.
    pub syncs: f64,
}

/// One side in one case.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// Where it belongs.
    pub part: Part,
    /// The case.
    pub case: Case,
    /// The side.
    pub side: String,
    /// Nanoseconds each.
    pub nanos: Spread,
    /// The rate as a multiple of the baseline's; `None` for the baseline.
    pub rate: Option<Spread>,
    /// The same by processor time, where one thread does everything.
    pub cpu_rate: Option<Spread>,
    /// Counts, where the side counts.
    pub counts: Option<PerCommit>,
    /// Latencies, where they were asked.
    pub latencies: Option<Percentiles>,
    /// Flushes of the device for each commit, where the system counts them.
    pub(super) device_flushes: Option<f64>,
    /// The most memory, in KiB, where that was measured.
    pub peak_kib: Option<u64>,
}

impl Part {
    /// A part on the disk as it is.
    pub(super) const fn fast(name: &'static str) -> Self {
        Self { name, slow: false }
    }

    /// A part on the emulated disk.
    pub(super) const fn slow(name: &'static str) -> Self {
        Self { name, slow: true }
    }

    /// As it is called in the marks of a document.
    pub(super) fn mark(self) -> String {
        format!("{}{}", self.name, if self.slow { "-slow" } else { "" })
    }
}

impl Case {
    /// A size of records.
    pub(super) fn bytes(bytes: usize) -> Self {
        let label =
            if bytes < 1 << 10 { format!("{bytes} B") } else { format!("{} KiB", bytes >> 10) };
        Self { label, x: bytes as f64 }
    }

    /// The size of a log.
    pub(super) fn mib(mib: usize) -> Self {
        Self { label: format!("{mib} MiB"), x: mib as f64 }
    }

    /// A number of threads.
    pub(super) fn threads(threads: usize) -> Self {
        Self { label: threads.to_string(), x: threads as f64 }
    }
}

impl Finding {
    /// What became of a case: a finding for each side that did not fail. `base` is the baseline's place.
    pub(super) fn all(part: Part, case: &Case, series: &[Series], base: usize) -> Vec<Self> {
        let Some(baseline) = series.get(base) else { return Vec::new() };
        let done = series.iter().enumerate().filter(|(_, side)| side.failure.is_none());
        done.map(|(index, side)| {
            let other = index != base;
            let worked = side.samples.iter().all(|sample| !sample.time.cpu.is_zero());
            let latencies = side.samples.iter().flat_map(|sample| &sample.latencies).copied();
            Self {
                part,
                case: case.clone(),
                side: side.name.clone(),
                nanos: side.nanos(),
                rate: other.then(|| side.rate_over(baseline)),
                cpu_rate: (other && worked).then(|| side.cpu_rate_over(baseline)),
                counts: PerCommit::of(side),
                latencies: Percentiles::of(latencies.collect()),
                device_flushes: flushes_each(side),
                peak_kib: side.samples.iter().filter_map(|sample| sample.peak_kib).max(),
            }
        })
        .collect()
    }

    /// The goals of the case, and whether they were met; empty where there is none.
    pub(super) fn verdicts(&self) -> Vec<String> {
        if self.side == "ours" { goals::verdicts(self) } else { Vec::new() }
    }
}

fn flushes_each(side: &Series) -> Option<f64> {
    let counted =
        side.samples.iter().filter_map(|sample| Some((sample.device_flushes?, sample.times)));
    let (flushes, times) = counted.fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    (times > 0).then(|| flushes as f64 / times as f64)
}

impl PerCommit {
    fn of(side: &Series) -> Option<Self> {
        let times: u64 = side.samples.iter().map(|sample| sample.times).sum();
        let of = |count: fn(&crate::Counts) -> u64| {
            let sum: u64 = side.samples.iter().map(|sample| count(&sample.counts)).sum();
            sum as f64 / times as f64
        };
        let counts = Self {
            writes: of(|counts| counts.writes),
            bytes: of(|counts| counts.bytes),
            syncs: of(|counts| counts.syncs),
        };
        // A peer that is not counted has not written nothing.
        (counts.writes + counts.syncs > 0.0).then_some(counts)
    }
}
