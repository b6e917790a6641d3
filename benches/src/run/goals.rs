//! What the library wants to reach, as rates over the baselines of the same run.
//!
//! Must only be printed: no test asserts a time.

use super::finding::Finding;

/// The most that a count may be above a whole number and still be called that.
const COUNT_SLACK: f64 = 0.005;

/// The same for flushes of the device, which other programs ask for as well.
const FLUSH_SLACK: f64 = 0.05;

/// The least rate over the baseline, by the size of records.
const BY_BYTES: [(&str, [(f64, f64); 4]); 4] = [
    ("W1", [(64.0, 0.95), (256.0, 0.95), (1024.0, 0.97), (16384.0, 1.0)]),
    ("W2", [(64.0, 0.98), (256.0, 0.98), (1024.0, 0.98), (16384.0, 0.98)]),
    ("W4", [(64.0, 0.95), (256.0, 0.95), (1024.0, 0.95), (16384.0, 1.2)]),
    ("W5", [(64.0, 1.0), (256.0, 1.2), (1024.0, 1.3), (16384.0, 1.0)]),
];

/// An open after a clean close, in milliseconds.
pub(super) const OPEN_CLEAN_MS: f64 = 0.2;
/// Memory of a replay.
pub(super) const REPLAY_KIB_MAX: u64 = 16 << 10;
/// An append that rotates, as a multiple of one that writes its buffer out.
pub(super) const ROTATION: f64 = 3.0;
/// Commits with 32 threads as a multiple of those with one, where a sync takes 1 ms longer.
pub(super) const SCALE_SLOW: f64 = 28.0;

/// The goals of a case of the library's, and whether they were met.
pub(super) fn verdicts(finding: &Finding) -> Vec<String> {
    let mut verdicts = Vec::new();
    let x = finding.case.x;
    if let Some(rate) = finding.rate
        && let Some(least) = rate_goal(finding.part.name, finding.part.slow, x)
    {
        verdicts.push(verdict(&format!("≥ {least}"), rate.median >= least));
    }
    if finding.part.name.ends_with("-clean") {
        let met = finding.nanos.median <= OPEN_CLEAN_MS * 1e6;
        verdicts.push(verdict(&format!("≤ {OPEN_CLEAN_MS} ms"), met));
    }
    if finding.part.name == "open-replay"
        && let Some(kib) = finding.peak_kib
    {
        let met = kib <= REPLAY_KIB_MAX;
        verdicts.push(verdict(&format!("≤ {} MiB of memory", REPLAY_KIB_MAX >> 10), met));
    }
    if let Some(counts) = finding.counts {
        if finding.part.name == "W2" {
            let once = |count: f64| (count - 1.0).abs() <= COUNT_SLACK;
            let met = once(counts.writes) && once(counts.syncs);
            verdicts.push(verdict("1 write, 1 sync", met));
        }
        let most = syncs_goal(finding.part.name, finding.part.slow, x);
        if let Some(most) = most {
            verdicts.push(verdict(&format!("≤ {most} syncs"), counts.syncs <= most));
        }
    }
    if finding.part.name == "W2"
        && let Some(flushes) = finding.device_flushes
    {
        verdicts.push(verdict("1 device flush", (flushes - 1.0).abs() <= FLUSH_SLACK));
    }
    verdicts
}

/// How a goal is told.
pub(super) fn verdict(goal: &str, met: bool) -> String {
    format!("{goal}: {}", if met { "met" } else { "**missed**" })
}

fn rate_goal(name: &str, slow: bool, x: f64) -> Option<f64> {
    if name == "W3" {
        return match (slow, x) {
            (true, 8.0..) => Some(1.8),
            (true, _) => None,
            (false, 16.0..) => Some(1.2),
            (false, _) => Some(1.0),
        };
    }
    if name.ends_with("-killed") {
        return Some(1.0);
    }
    // W1 is run in two ways; both have the goals of the one.
    let (_, goals) = BY_BYTES.iter().find(|(workload, _)| name.starts_with(workload))?;
    goals.iter().find(|(bytes, _)| (bytes - x).abs() < 0.5).map(|(_, least)| *least)
}

fn syncs_goal(name: &str, slow: bool, x: f64) -> Option<f64> {
    match (name, slow, x) {
        ("W3", true, 8.0) => Some(0.15),
        ("W3", true, 32.0) => Some(0.04),
        _ => None,
    }
}
