//! Kills at every call that changes something: in the first life, and in recoveries.
//!
//! Must never count a kill that did not strike.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use durability_testkit::simulated::Event;
use durability_testkit::traced::{Action, Step, write_folder};

use super::crashes::lives;
use super::life;
use super::outside::{Failed, Told, from_text};
use super::scratch::Scratch;
use super::tracing::{self, Traced, disk};

const SIGKILL: i32 = 9;

/// Kills the life at each of its calls, and lets the next lives go on, on real files. Returns how often.
pub(crate) fn each(traced: &Traced) -> Result<u64, Failed> {
    let mut kills = 0;
    for step in traced.trace.steps().iter().filter(|step| !matches!(step.action, Action::Mark(_))) {
        let name = traced.workload.name;
        let struck = one(traced, step).map_err(|error| {
            format!(
                "{name}, life {}, killed at its call {} of {}, which was {step}: {error}",
                traced.life, step.ordinal, step.call
            )
        })?;
        kills += u64::from(struck);
    }
    Ok(kills)
}

/// Whether the kill struck: where threads share the log, another run need not come to that call.
fn one(traced: &Traced, step: &Step) -> Result<bool, Failed> {
    let scratch = Scratch::new()?;
    let strace = tracing::new_tracer(&scratch)?;
    write_folder(&traced.start(disk(32)), strace.folder())?;
    let command = life::command(&traced.workload, traced.life, &strace)?;
    let ended = strace.kill(&command, &step.call, step.ordinal)?;
    if ended.status.signal() != Some(SIGKILL) {
        if traced.life == 0 && traced.workload.kind.is_shared() && ended.status.success() {
            return Ok(false);
        }
        return Err(format!("it was not killed: {}", ended.status).into());
    }
    let said = fs::read_to_string(strace.marks()).unwrap_or_default();
    let history = continued(&traced.history, &said)?;
    lives(traced, strace.folder(), &history)?;
    Ok(true)
}

/// What the outside world knows, when a life has said this as well.
fn continued(history: &[Told], said: &str) -> Result<Vec<Told>, Failed> {
    let issued = |event: &&Told| matches!(event, Event::Issued(_));
    let before = history.iter().filter(issued).count() as u64;
    let mut all = history.to_vec();
    for line in said.lines() {
        all.push(match from_text(line)? {
            Event::Acknowledged { through } => Event::Acknowledged { through: before + through },
            event => event,
        });
    }
    Ok(all)
}
