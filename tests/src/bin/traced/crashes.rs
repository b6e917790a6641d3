//! Every crash that could have struck a traced life: each state that it can leave is recovered on the simulated disk, crashes in
//! that recovery included, and some are recovered on real files as well.
//!
//! Must never judge by anything but the marks.

use std::path::Path;

use durability_testkit::simulated::{
    Bounds, Journal, Oracle, Statistics, SurvivorLimits, explore, replay,
};
use durability_testkit::traced::{Action, Continued, Replayed, Step, write_folder};

use super::life::{Library, on_real_files};
use super::outside::{Failed, InJournal, Told, oracle};
use super::scratch::Scratch;
use super::tracing::{Traced, disk, recovery};

/// How far to look from one trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    /// Bytes that a crash keeps or loses as a whole.
    pub(crate) tear_unit: u32,
    pub(crate) crashes: u32,
    pub(crate) exhaustive_max: usize,
}

/// Runs a traced life through its crashes.
pub(crate) fn simulated(traced: &Traced, depth: Depth) -> Result<Statistics, Failed> {
    let recovery = Library { workload: traced.workload, life: traced.life };
    let oracle = Continued::new(traced.history.clone(), oracle());
    let bounds = bounds(traced, depth);
    explore(&Replayed::new(&traced.trace, &recovery), &oracle, &bounds).map_err(|failure| {
        let name = traced.workload.name;
        let again = match (traced.life, traced.save()) {
            (0, Ok(file)) => format!(
                "\nagain: traced replay '{name}' {} {} {} {} '{}'",
                file.display(),
                depth.tear_unit,
                depth.crashes,
                depth.exhaustive_max,
                failure.replay,
            ),
            _ => String::new(),
        };
        format!("{name}, life {}, tear unit {}: {failure}{again}", traced.life, depth.tear_unit)
            .into()
    })
}

/// Walks to one failure again.
pub(crate) fn again(traced: &Traced, depth: Depth, path: &str) -> Result<(), Failed> {
    let recovery = Library { workload: traced.workload, life: traced.life };
    let workload = Replayed::new(&traced.trace, &recovery);
    match replay(&workload, &oracle(), &bounds(traced, depth), path)? {
        None => Ok(()),
        Some(failure) => Err(failure.to_string().into()),
    }
}

fn bounds(traced: &Traced, depth: Depth) -> Bounds {
    let options = disk(depth.tear_unit);
    let limits = SurvivorLimits::new().with_exhaustive_max(depth.exhaustive_max).with_samples(16);
    let bounds = Bounds::new(options).with_survivors(limits).with_depth(depth.crashes);
    bounds.with_start(&traced.start(options))
}

/// What was done on real files.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Real {
    /// Recoveries of crash states.
    pub(crate) recoveries: u64,
}

/// Recovers some of the crash states on real files, twice, evenly spread over the trace; `wanted` is about how many.
pub(crate) fn on_real(traced: &Traced, wanted: usize) -> Result<Real, Failed> {
    let mut done = Real::default();
    let steps = traced.trace.steps().len();
    for step in 0..=steps {
        let (disk, history) = traced.at(step, disk(64))?;
        let states = disk.snapshot().crash_states(&SurvivorLimits::new().with_exhaustive_max(64));
        let each = wanted.div_ceil(steps + 1).min(states.len());
        for number in 0..each {
            // Not always the first ones.
            let state = (number * states.len() / each + step) % states.len();
            let scratch = Scratch::new()?;
            write_folder(&states.disk(state), scratch.path())?;
            lives(traced, scratch.path(), &history).map_err(|error| {
                let name = traced.workload.name;
                format!("{name}, crash after step {step}, {}: {error}", states.choice(state))
            })?;
            done.recoveries += 1;
        }
    }
    Ok(done)
}

/// Two more lives on real files, which must go on from what was told before.
pub(crate) fn lives(traced: &Traced, folder: &Path, history: &[Told]) -> Result<(), Failed> {
    let mut journal = Journal::new();
    for event in history {
        journal.tell(event.clone());
    }
    for life in [traced.life + 1, traced.life + 2] {
        let mut outside = InJournal { journal: &mut journal, life };
        on_real_files(&traced.workload, life, folder, &mut outside)?;
        oracle().check(&journal)?;
    }
    Ok(())
}

/// Traces recoveries on real files: of the disk as a kill leaves it, and as power cuts do, at so many places of the trace; and as a
/// kill leaves it when a folder has just been made, whose name nobody has synced yet.
pub(crate) fn recoveries(traced: &Traced, places: usize) -> Result<Vec<Traced>, Failed> {
    let mut all = Vec::new();
    let steps = traced.trace.steps();
    let folders =
        steps.iter().enumerate().filter(|(_, step)| is_folder(step)).map(|(at, _)| at + 1);
    let mut killed: Vec<usize> = (1..=places).map(|place| steps.len() * place / places).collect();
    let cut = killed.clone();
    killed.extend(folders);
    killed.sort_unstable();
    killed.dedup();
    for at in killed {
        let (disk, history) = traced.at(at, disk(32))?;
        let snapshot = disk.snapshot();
        let before = steps[..at].to_vec();
        all.push(recovery(&traced.workload, snapshot.killed(), history.clone(), before)?);
        let states = snapshot.crash_states(&SurvivorLimits::new().with_exhaustive_max(64));
        if states.len() > 1 && cut.contains(&at) {
            let state = states.disk(at * 7 % states.len());
            all.push(recovery(&traced.workload, state, history, Vec::new())?);
        }
    }
    Ok(all)
}

fn is_folder(step: &Step) -> bool {
    matches!(step.action, Action::MakeFolder { .. })
}
