//! Traces of the workloads, taken from lives in processes of their own.
//!
//! Must never read a store to learn what it was told: that stands in the marks.

use std::fs;
use std::path::{Path, PathBuf};

use durability_testkit::simulated::{DiskOptions, SimulatedDisk};
use durability_testkit::traced::{Action, Step, Trace, TraceReader, Tracer, write_folder};

use super::life::command;
use super::outside::{Failed, Told, from_text};
use super::scratch::Scratch;
use super::workloads::Workload;

/// A life that was traced, and what was before it.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) workload: Workload,
    /// Its number.
    pub(crate) life: u32,
    pub(crate) trace: Trace,
    /// What the outside world had been told before.
    pub(crate) history: Vec<Told>,
    /// The steps of the life before, as far as they may not be durable.
    pub(crate) before: Vec<Step>,
    start: Option<SimulatedDisk>,
    /// The trace as `strace` wrote it, for whoever wants to see a failure again.
    text: String,
}

/// Lock files, which recovery never reads.
pub(crate) const LOCKS: [&str; 2] = ["data/store/wal/LOCK", "data/store/logs/EVENTS.LCK"];

/// A disk that tears at this size.
pub(crate) fn disk(tear_unit: u32) -> DiskOptions {
    DiskOptions::new().with_tear_unit(tear_unit)
}

impl Traced {
    /// The disk at the beginning.
    pub(crate) fn start(&self, options: DiskOptions) -> SimulatedDisk {
        match &self.start {
            // A copy, with a log of operations of its own.
            Some(disk) => disk.snapshot().killed(),
            None => SimulatedDisk::new(options),
        }
    }

    /// Writes the trace to a file that stays.
    pub(crate) fn save(&self) -> Result<PathBuf, Failed> {
        let scratch = Scratch::new()?;
        let file = scratch.path().join("trace");
        fs::write(&file, &self.text)?;
        let _stays = scratch.keep();
        Ok(file)
    }

    /// What had happened when so many steps were done: the disk, and what the outside world knew.
    pub(crate) fn at(
        &self,
        steps: usize,
        options: DiskOptions,
    ) -> Result<(SimulatedDisk, Vec<Told>), Failed> {
        let disk = self.start(options);
        let beginning = self.trace.first(steps);
        beginning.replay(&disk, |_| ())?;
        Ok((disk, events(&beginning)?))
    }
}

/// What the marks of a trace mean.
pub(crate) fn events(trace: &Trace) -> Result<Vec<Told>, Failed> {
    let marks = trace.steps().iter().filter_map(|step| match &step.action {
        Action::Mark(text) => Some(from_text(text)),
        _ => None,
    });
    marks.collect()
}

/// Traces the first life of a workload. With `fragile_locks`, what is in lock files is as fragile as all else.
pub(crate) fn first(workload: &Workload, fragile_locks: bool) -> Result<Traced, Failed> {
    let scratch = Scratch::new()?;
    let tracer = new_tracer(&scratch)?;
    let empty = SimulatedDisk::new(DiskOptions::new());
    let trace = tracer.record(&command(workload, 0, &tracer)?, &empty)?;
    let trace = if fragile_locks { trace } else { settled(trace) };
    let (history, before) = (Vec::new(), Vec::new());
    let text = saved(&tracer)?;
    Ok(Traced { workload: *workload, life: 0, trace, history, before, start: None, text })
}

/// Traces the recovery, on real files, from a disk that a crash or a kill has left.
pub(crate) fn recovery(
    workload: &Workload,
    start: SimulatedDisk,
    history: Vec<Told>,
    before: Vec<Step>,
) -> Result<Traced, Failed> {
    let scratch = Scratch::new()?;
    let tracer = new_tracer(&scratch)?;
    write_folder(&start, tracer.folder())?;
    let trace = settled(tracer.record(&command(workload, 1, &tracer)?, &start)?);
    let text = saved(&tracer)?;
    let start = Some(start);
    Ok(Traced { workload: *workload, life: 1, trace, history, before, start, text })
}

/// The text of the last trace, and below which folder it was taken.
fn saved(tracer: &Tracer) -> Result<String, Failed> {
    let text = fs::read_to_string(tracer.log())?;
    Ok(format!("{}\n{}\n{text}", tracer.folder().display(), tracer.marks().display()))
}

/// The first life of a workload, from what [`Traced::save`] wrote.
pub(crate) fn load(workload: &Workload, file: &Path) -> Result<Traced, Failed> {
    let text = fs::read_to_string(file)?;
    let mut parts = text.splitn(3, '\n');
    let (Some(folder), Some(marks), Some(lines)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err("no trace that was saved here".into());
    };
    let trace = settled(TraceReader::new(Path::new(folder), Path::new(marks)).read(lines)?);
    let (history, before) = (Vec::new(), Vec::new());
    Ok(Traced { workload: *workload, life: 0, trace, history, before, start: None, text })
}

fn settled(trace: Trace) -> Trace {
    LOCKS.iter().fold(trace, |trace, lock| trace.with_contents_at_once(lock))
}

/// A tracer for a folder of its own.
pub(crate) fn new_tracer(scratch: &Scratch) -> Result<Tracer, Failed> {
    let folder = scratch.path().join("disk");
    fs::create_dir(&folder)?;
    Ok(Tracer::new(&folder, &scratch.path().join("marks"))?)
}
