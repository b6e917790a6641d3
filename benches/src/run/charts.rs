//! Which charts a run draws, and of which findings.

use std::fs;
use std::path::Path;

use super::finding::{Finding, Part};
use super::sample::Percentiles;
use super::svg::Chart;
use crate::Failure;

/// The share of a case that stands for its workload in the charts of latencies.
const LATENCY_BYTES: f64 = 256.0;
const LATENCY_THREADS: f64 = 8.0;

/// Draws what there are findings for; returns the files' names.
pub(super) fn draw(folder: &Path, findings: &[Finding]) -> Result<Vec<String>, Failure> {
    fs::create_dir_all(folder)?;
    let per_second = |finding: &Finding| 1e9 / finding.nanos.median;
    let bytes_per_second = |finding: &Finding| finding.case.x * 1e9 / finding.nanos.median;
    let millis = |finding: &Finding| finding.nanos.median / 1e6;
    let charts = [
        (
            "threads.svg",
            "Durable appends of 256 B, W3",
            "threads",
            "commits a second",
            lines(findings, &[Part::fast("W3")], per_second),
        ),
        (
            "threads-slow.svg",
            "Durable appends of 256 B, W3, a sync takes 1 ms longer",
            "threads",
            "commits a second",
            lines(findings, &[Part::slow("W3")], per_second),
        ),
        (
            "replay.svg",
            "Replay, W5",
            "bytes of a record",
            "bytes a second",
            lines(findings, &[Part::fast("W5")], bytes_per_second),
        ),
        (
            "open.svg",
            "Opening until the first append",
            "MiB of log",
            "ms",
            lines(findings, &[Part::fast("open-clean"), Part::fast("open-killed")], millis),
        ),
    ];
    let mut names = Vec::new();
    for (name, title, x_title, y_title, lines) in charts {
        let ticks = ticks(&lines);
        names.extend(save(
            folder,
            name,
            &Chart {
                title: title.into(),
                x_title: x_title.into(),
                y_title: y_title.into(),
                x_ticks: ticks,
                x_log: true,
                lines,
            },
        )?);
    }
    for (name, title, part, x) in [
        ("latency.svg", "One thread, 256 B, W2", Part::fast("W2"), LATENCY_BYTES),
        ("latency-threads.svg", "Eight threads, 256 B, W3", Part::fast("W3"), LATENCY_THREADS),
        (
            "latency-threads-slow.svg",
            "Eight threads, 256 B, W3, a sync takes 1 ms longer",
            Part::slow("W3"),
            LATENCY_THREADS,
        ),
    ] {
        let names_of_shares = Percentiles::NAMES.iter().enumerate();
        names.extend(save(
            folder,
            name,
            &Chart {
                title: format!("Latency of a commit: {title}"),
                x_title: "so many commits took at most".into(),
                y_title: "µs".into(),
                x_ticks: names_of_shares
                    .map(|(at, name)| (at as f64, (*name).to_owned()))
                    .collect(),
                x_log: false,
                lines: latencies(findings, part, x),
            },
        )?);
    }
    Ok(names)
}

/// Writes a chart that has lines.
fn save(folder: &Path, name: &str, chart: &Chart) -> Result<Option<String>, Failure> {
    if chart.lines.is_empty() {
        return Ok(None);
    }
    fs::write(folder.join(name), chart.svg())?;
    Ok(Some(name.to_owned()))
}

type Line = (String, Vec<(f64, f64)>);

/// A line for each side of each part.
fn lines(findings: &[Finding], parts: &[Part], value: impl Fn(&Finding) -> f64) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for part in parts {
        for finding in findings.iter().filter(|finding| finding.part == *part) {
            let name = if parts.len() > 1 {
                format!("{}, {}", finding.side, part.name.trim_start_matches("open-"))
            } else {
                finding.side.clone()
            };
            let point = (finding.case.x, value(finding));
            match lines.iter_mut().find(|line| line.0 == name) {
                Some(line) => line.1.push(point),
                None => lines.push((name, vec![point])),
            }
        }
    }
    lines
}

fn latencies(findings: &[Finding], part: Part, x: f64) -> Vec<Line> {
    let of_case =
        findings.iter().filter(|finding| finding.part == part && (finding.case.x - x).abs() < 0.5);
    let line = |finding: &Finding| {
        let nanos = finding.latencies?.nanos;
        let points = nanos.iter().enumerate();
        let points = points.map(|(at, nanos)| (at as f64, f64::from(*nanos) / 1000.0)).collect();
        Some((finding.side.clone(), points))
    };
    of_case.filter_map(line).collect()
}

/// Every value that a line has on the first axis.
fn ticks(lines: &[Line]) -> Vec<(f64, String)> {
    let mut values: Vec<f64> = lines.iter().flat_map(|line| &line.1).map(|point| point.0).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values.into_iter().map(|value| (value, format!("{value}"))).collect()
}
