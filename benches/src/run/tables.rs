//! Findings as tables of Markdown.

use std::fmt::Write as _;

use super::finding::{Finding, Part};
use super::sample::{Percentiles, Spread};

/// The library and its baselines, a row for each side of each case.
pub(super) fn sides(findings: &[Finding], case: &str, base: &str) -> String {
    let with_cpu = findings.iter().any(|finding| finding.cpu_rate.is_some());
    let with_latencies = findings.iter().any(|finding| finding.latencies.is_some());
    let with_flushes = findings.iter().any(|finding| finding.device_flushes.is_some());
    let with_memory = findings.iter().any(|finding| finding.peak_kib.is_some());
    let mut head = format!("| {case} | side | µs each | rate over {base} |");
    let mut columns = 4;
    let mut add = |wanted: bool, name: &str, count: usize| {
        if wanted {
            head.push_str(name);
            columns += count;
        }
    };
    add(with_cpu, " by CPU time |", 1);
    add(true, " goal | writes | bytes | syncs |", 4);
    add(with_flushes, " device flushes |", 1);
    add(with_latencies, " µs: 50 % | 99 % | 99.9 % |", 3);
    add(with_memory, " KiB at most |", 1);
    let mut table = format!("{head}\n|{}\n", "---|".repeat(columns));
    for finding in findings {
        row(&mut table, finding, with_cpu);
        if with_flushes {
            let _ = write!(table, " {} |", finding.device_flushes.map_or_else(String::new, count));
        }
        if with_latencies {
            latencies(&mut table, finding);
        }
        if with_memory {
            let kib = finding.peak_kib.map_or_else(String::new, |kib| kib.to_string());
            let _ = write!(table, " {kib} |");
        }
        table.push('\n');
    }
    table
}

fn row(table: &mut String, finding: &Finding, with_cpu: bool) {
    let rate = |rate: Option<Spread>| rate.map_or_else(String::new, |rate| rates(&rate));
    let _ = write!(
        table,
        "| {} | {} | {} | {} |",
        finding.case.label,
        finding.side,
        micros(&finding.nanos),
        rate(finding.rate)
    );
    if with_cpu {
        let _ = write!(table, " {} |", rate(finding.cpu_rate));
    }
    let _ = write!(table, " {} |", finding.verdicts().join("; "));
    match finding.counts {
        None => table.push_str(" | | |"),
        Some(counts) => {
            let (writes, bytes) = (count(counts.writes), count(counts.bytes));
            let _ = write!(table, " {writes} | {bytes} | {} |", count(counts.syncs));
        }
    }
}

fn latencies(table: &mut String, finding: &Finding) {
    match finding.latencies {
        None => table.push_str(" | | |"),
        Some(Percentiles { nanos: [half, _, many, most, _] }) => {
            for nanos in [half, many, most] {
                let _ = write!(table, " {} |", short(f64::from(nanos) / 1000.0));
            }
        }
    }
}

/// The library and the peers, a row for each, a column for each case: rates over the baseline.
pub(super) fn peers(findings: &[Finding]) -> String {
    let compared: Vec<&Finding> =
        findings.iter().filter(|finding| finding.rate.is_some()).collect();
    matrix(&compared, |finding| finding.rate.map(|rate| rates(&rate)))
}

/// All sides in the same way: flushes of the device for each commit. Empty where they are not counted.
pub(super) fn device_flushes(findings: &[Finding]) -> String {
    let counted: Vec<&Finding> =
        findings.iter().filter(|finding| finding.device_flushes.is_some()).collect();
    if counted.is_empty() {
        return String::new();
    }
    matrix(&counted, |finding| finding.device_flushes.map(count))
}

fn matrix(findings: &[&Finding], cell: impl Fn(&Finding) -> Option<String>) -> String {
    let mut cases: Vec<&str> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for finding in findings {
        if !cases.contains(&finding.case.label.as_str()) {
            cases.push(&finding.case.label);
        }
        if !names.contains(&finding.side.as_str()) {
            names.push(&finding.side);
        }
    }
    let mut table = format!("| | {} |\n|---|{}\n", cases.join(" | "), "---|".repeat(cases.len()));
    for name in names {
        let _ = write!(table, "| {name} |");
        for case in &cases {
            let is_here =
                |finding: &&&Finding| finding.side == name && finding.case.label == **case;
            let found = findings.iter().find(is_here).and_then(|finding| cell(finding));
            let _ = write!(table, " {} |", found.unwrap_or_else(|| "-".into()));
        }
        table.push('\n');
    }
    table
}

/// Where a peer was faster than the library, in words; one line each.
pub(super) fn wins(findings: &[Finding]) -> String {
    let mut lines = String::new();
    for ours in findings.iter().filter(|finding| finding.side == "ours") {
        let Some(our_rate) = ours.rate else { continue };
        let same =
            |finding: &&Finding| finding.part == ours.part && finding.case.label == ours.case.label;
        let peers = findings.iter().filter(|finding| !finding.side.starts_with("ours"));
        for peer in peers.filter(same) {
            if let Some(rate) = peer.rate
                && rate.median > our_rate.median
            {
                let _ = writeln!(
                    lines,
                    "- {}, {}: {} {:.2}, ours {:.2}",
                    title(ours.part),
                    ours.case.label,
                    peer.side,
                    rate.median,
                    our_rate.median
                );
            }
        }
    }
    if lines.is_empty() { "Nowhere in this run.\n".into() } else { lines }
}

fn title(part: Part) -> String {
    format!("{}{}", part.name, if part.slow { ", 1 ms slower" } else { "" })
}

/// A rate with its ends.
pub(super) fn rates(rate: &Spread) -> String {
    format!("**{:.2}** ({:.2} to {:.2})", rate.median, rate.least, rate.most)
}

/// Nanoseconds in microseconds, with their ends.
pub(super) fn micros(nanos: &Spread) -> String {
    let [median, least, most] =
        [nanos.median, nanos.least, nanos.most].map(|nanos| short(nanos / 1000.0));
    format!("{median} ({least} to {most})")
}

/// Three digits or so.
pub(super) fn short(value: f64) -> String {
    match value {
        0.0..1.0 => format!("{value:.4}"),
        1.0..100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// A count, whole where it is.
fn count(value: f64) -> String {
    if (value - value.round()).abs() < 0.0005 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}
