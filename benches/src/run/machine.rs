//! What the run ran on, as far as Linux tells; elsewhere most of it is unknown.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::tables::short;
use crate::{Failure, Scratch};

const PIECE_BYTES: usize = 1 << 20;

/// A list in Markdown: processor, memory, system, file system, and how busy all that was.
pub(super) fn describe(folder: &Path, write_mb_s: f64) -> String {
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![
        format!("- processor: {}, {threads} threads of it", processor()),
        format!("- memory: {}", memory()),
        format!("- system: {}", system()),
        format!("- file system: {}", file_system(folder)),
        format!("- written and synced in one stream: {} MB/s", short(write_mb_s)),
        format!("- load when the run began: {}", load()),
    ];
    if cfg!(debug_assertions) {
        lines.push("- **not optimised: no figure here means anything**".into());
    }
    lines.join("\n")
}

/// How much the disk takes a second, in MB: one file, written in large pieces and synced at the end.
pub(super) fn write_mb_s(folder: Option<&Path>, pieces: usize) -> Result<f64, Failure> {
    let scratch = Scratch::within(folder)?;
    let mut file = File::create(scratch.join("stream"))?;
    let piece: Vec<u8> = (0..PIECE_BYTES).map(|index| (index % 251) as u8).collect();
    let started = Instant::now();
    for _ in 0..pieces {
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    Ok((pieces * PIECE_BYTES) as f64 / 1e6 / started.elapsed().as_secs_f64())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn value(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
    value.unwrap_or("unknown").to_owned()
}

fn processor() -> String {
    value(&read("/proc/cpuinfo"), "model name")
}

fn memory() -> String {
    value(&read("/proc/meminfo"), "MemTotal")
}

fn system() -> String {
    format!("{} {}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim())
}

fn load() -> String {
    let load = read("/proc/loadavg");
    load.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

/// The mount whose path is the longest beginning of the folder's.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let mounts = read("/proc/mounts");
    let mut found: Option<(usize, String)> = None;
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [device, at, kind, options, ..] = fields[..] else { continue };
        if folder.starts_with(at) && found.as_ref().is_none_or(|(length, _)| at.len() >= *length) {
            found = Some((at.len(), format!("{kind} on {device} ({options})")));
        }
    }
    found.map_or_else(|| "unknown".to_owned(), |(_, text)| text)
}
