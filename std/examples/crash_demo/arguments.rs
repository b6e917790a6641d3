//! The command line: of the demonstration, and of the writer that it starts.

use std::collections::hash_map::RandomState;
use std::env;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::PathBuf;

use crate::sabotage::Sabotage;

pub(crate) const USAGE: &str = "\
usage: crash_demo [--rounds N] [--seed N] [--file TEXT] [--dir FOLDER]
  --rounds N     how often to kill the writer, 100 if not given
  --seed N       the beginning of all random choices, random if not given
  --file TEXT    the file whose lines are the records, a bundled logbook if not given
  --dir FOLDER   a new folder for the log, a temporary one if not given";

/// What starts the writer, as the first argument.
pub(crate) const WRITER: &str = "--writer";

/// What this process is to do.
pub(crate) enum Role {
    Demo(Demo),
    Writer(Job),
}

pub(crate) struct Demo {
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
    pub(crate) file: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) sabotage: Option<Sabotage>,
}

/// What a writer is told.
pub(crate) struct Job {
    pub(crate) dir: PathBuf,
    pub(crate) seed: u64,
    pub(crate) file: Option<PathBuf>,
    pub(crate) sabotage: Option<Sabotage>,
}

pub(crate) fn parse() -> Result<Role, String> {
    let mut arguments = env::args_os().skip(1).peekable();
    let writer = arguments.next_if(|argument| argument == WRITER).is_some();
    let mut demo = Demo { rounds: 100, seed: random_seed(), file: None, dir: None, sabotage: None };
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| USAGE.to_owned());
        match option.to_str() {
            Some("--rounds") => demo.rounds = number(&value()?)?,
            Some("--seed") => demo.seed = number(&value()?)?,
            Some("--file") => demo.file = Some(value()?.into()),
            Some("--dir") => demo.dir = Some(value()?.into()),
            // Not in the usage: it shows that the judge can say no.
            Some("--sabotage") => demo.sabotage = Some(Sabotage::parse(&value()?).ok_or(USAGE)?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let Demo { seed, file, sabotage, .. } = demo;
    match (writer, demo.dir) {
        (true, Some(dir)) => Ok(Role::Writer(Job { dir, seed, file, sabotage })),
        (true, None) => Err(USAGE.to_owned()),
        (false, dir) => Ok(Role::Demo(Demo { file, dir, ..demo })),
    }
}

fn number<N: core::str::FromStr>(text: &OsString) -> Result<N, String> {
    let text = text.to_str().unwrap_or_default();
    text.parse().map_err(|_| format!("not a number of that size: {text:?}\n{USAGE}"))
}

/// Short enough to be typed again.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000
}
