//! What is done in a process of its own: to be killed, or to have its memory measured.
//!
//! The child is this program again: `child SIDE OPERATION ENDING BYTES COUNT SEGMENT_BYTES FOLDER`.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::contender::{Contender, Ending};
use super::finding::Part;
use super::sample::Sample;
use super::session::{Shape, baseline, library};
use crate::{Counts, Failure, Kind, Records, Time};

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Makes a log and fills it.
    Fill,
    /// Opens the log and appends.
    Reopen,
    /// Reads the log.
    Replay,
}

/// One errand.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    /// The side.
    pub side: String,
    /// What to do.
    pub operation: Operation,
    /// How to end.
    pub ending: Ending,
    /// Bytes of a record.
    pub bytes: usize,
    /// How many records to write, or to find.
    pub count: usize,
    /// The size of segments.
    pub segment_bytes: u64,
    /// Where the log is.
    pub folder: PathBuf,
}

const USAGE: &str = "child SIDE fill|reopen|replay clean|killed BYTES COUNT SEGMENT_BYTES FOLDER";

impl Errand {
    /// Sends a child.
    pub(super) fn run(&self) -> Result<Sample, Failure> {
        let operation = match self.operation {
            Operation::Fill => "fill",
            Operation::Reopen => "reopen",
            Operation::Replay => "replay",
        };
        let ending = if self.ending == Ending::Clean { "clean" } else { "killed" };
        let numbers =
            [self.bytes.to_string(), self.count.to_string(), self.segment_bytes.to_string()];
        let output = Command::new(std::env::current_exe()?)
            .args(["child", &self.side, operation, ending])
            .args(numbers)
            .arg(&self.folder)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<u64> =
            text.split_whitespace().filter_map(|each| each.parse().ok()).collect();
        let [wall, cpu, times, writes, bytes, syncs, peak_kib] = numbers[..] else {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
        };
        let time = Time { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu) };
        let counts = Counts { writes, bytes, syncs };
        Ok(Sample { counts, peak_kib: Some(peak_kib), ..Sample::timed(time, times) })
    }

    fn from_args(args: &[String]) -> Result<Self, Failure> {
        let [side, operation, ending, bytes, count, segment_bytes, folder] = args else {
            return Err(USAGE.into());
        };
        Ok(Self {
            side: side.clone(),
            operation: match operation.as_str() {
                "fill" => Operation::Fill,
                "reopen" => Operation::Reopen,
                "replay" => Operation::Replay,
                _ => return Err(USAGE.into()),
            },
            ending: if ending == "clean" { Ending::Clean } else { Ending::Killed },
            bytes: bytes.parse()?,
            count: count.parse()?,
            segment_bytes: segment_bytes.parse()?,
            folder: folder.into(),
        })
    }
}

/// The child: does its errand and prints numbers. Ends without dropping anything if it is to be killed.
pub(super) fn child(args: &[String], peers: &[Box<dyn Contender>]) -> Result<(), Failure> {
    let errand = Errand::from_args(args)?;
    let (ours, base) = (library(), baseline(Kind::Reopen));
    let contender = [ours.as_ref(), base.as_ref()]
        .into_iter()
        .chain(peers.iter().map(AsRef::as_ref))
        .find(|contender| contender.name() == errand.side)
        .ok_or_else(|| format!("what is {}?", errand.side))?;
    let sample = perform(contender, &errand)?;
    let Time { wall, cpu } = sample.time;
    let Counts { writes, bytes, syncs } = sample.counts;
    println!(
        "{} {} {} {writes} {bytes} {syncs} {}",
        wall.as_nanos(),
        cpu.as_nanos(),
        sample.times,
        sample.peak_kib.unwrap_or(0)
    );
    if errand.ending == Ending::Killed {
        std::process::exit(0);
    }
    Ok(())
}

fn perform(contender: &dyn Contender, errand: &Errand) -> Result<Sample, Failure> {
    let records = Records::new(errand.bytes);
    let shape = Shape {
        records: &records,
        count: errand.count,
        segment_bytes: errand.segment_bytes,
        prepared: false,
    };
    let plan = shape.plan(&errand.folder, Part::fast("child"));
    let before = peak_kib();
    let peak = Cell::new(0);
    let more = || peak_kib().saturating_sub(before);
    let sample = match errand.operation {
        Operation::Fill => {
            contender.fill(&plan, errand.ending)?;
            Sample::timed(Time { wall: Duration::ZERO, cpu: Duration::ZERO }, 1)
        }
        Operation::Reopen => contender.reopen(&plan, errand.ending, &mut || peak.set(more()))?,
        Operation::Replay => {
            let sample = contender.replay(&plan)?;
            peak.set(more());
            sample
        }
    };
    Ok(Sample { peak_kib: Some(peak.get()), ..sample })
}

/// The most resident memory that this process ever had; zero where the system does not tell.
fn peak_kib() -> u64 {
    let status = fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse().ok()).unwrap_or(0)
}
