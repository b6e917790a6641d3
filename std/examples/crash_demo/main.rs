//! The main job, shown: a process that writes a log is killed again and again, and nothing that it acknowledged is lost.
//!
//! ```sh
//! cargo run --release --example crash_demo
//! ```
//!
//! The writer is this program, started once more. It appends the lines of a text, and tells through a pipe what it is about to append, what it has
//! flushed and what is durable. The parent kills it at a random moment, recovers the log and compares. Must never judge by what the log says
//! of itself: only by what came through the pipe, and by the text.
//!
//! Exit code: 0 if every round kept every promise, 1 if one did not, 2 if the arguments make no sense.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program for a host"
)]

mod arguments;
mod claims;
mod judge;
mod message;
mod random;
mod round;
mod sabotage;
mod table;
mod text;
mod writer;

use std::error::Error;
use std::io::{IsTerminal as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::arguments::{Demo, Role};
use self::round::Rounds;
use self::table::{Row, Table};
use self::text::Text;

type Result<T> = core::result::Result<T, Box<dyn Error>>;

const POWER_LOSS: &str = "\
A kill ends a process, not the power: the system keeps what was flushed, synced or not. What a power cut can leave is tried
on a simulated disk, state by state: cargo test --release --test wal_crashes";

fn main() -> ExitCode {
    let outcome = match arguments::parse() {
        Ok(Role::Writer(job)) => writer::run(&job).map(|()| ExitCode::SUCCESS),
        Ok(Role::Demo(demo)) => run(&demo),
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("crash_demo: {error}");
        ExitCode::FAILURE
    })
}

fn run(demo: &Demo) -> Result<ExitCode> {
    let text = Text::load(demo.file.as_deref())?;
    let scratch = Scratch::new(demo.dir.as_deref())?;
    println!("{} rounds, seed {}, {text}, in {}", demo.rounds, demo.seed, scratch.path.display());
    let bar = progress_bar(demo.rounds);
    let mut table = Table::default();
    let mut rounds = Rounds::new(demo, &text, &scratch.path);
    let mut failure = None;
    for number in 1..=demo.rounds {
        let mut row = Row { round: number, ..Row::default() };
        let verdict = rounds.play(&mut row);
        table.add(row);
        if let Err(violation) = verdict {
            failure = Some((number, violation));
            break;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("\n{table}\n\n{POWER_LOSS}");
    let Some((number, violation)) = failure else {
        println!("\nNothing was lost, and every prefix was exact.");
        return Ok(ExitCode::SUCCESS);
    };
    eprintln!(
        "\ncrash_demo: FAILED in round {number} with seed {}: {violation}\nThe directory is kept: {}",
        demo.seed,
        scratch.keep().display()
    );
    Ok(ExitCode::FAILURE)
}

/// Where the log is: a folder of the system's temporary ones, or the one that was named.
struct Scratch {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Scratch {
    fn new(given: Option<&Path>) -> Result<Self> {
        let temporary = if given.is_none() { Some(tempfile::tempdir()?) } else { None };
        let path = match (given, &temporary) {
            (Some(given), _) => given.to_owned(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        if path.join("wal").exists() {
            return Err(format!("{} holds a log already: name a new folder", path.display()).into());
        }
        Ok(Self { path, temporary })
    }

    fn keep(self) -> PathBuf {
        let Self { path, temporary } = self;
        temporary.map_or(path, tempfile::TempDir::keep)
    }
}

/// On a terminal only: in a file it would be noise.
fn progress_bar(rounds: u32) -> ProgressBar {
    let terminal = stdout().is_terminal() && stderr().is_terminal();
    let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(rounds.into()), target);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} kills survived, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
