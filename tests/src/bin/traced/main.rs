//! Holds the real adapter to its promises: its system calls, traced by `strace`, with every crash that could have struck between
//! them; every sync left out in turn; and kills at each of them.
//!
//! `cargo run --release -p durability-testkit --bin traced`, with `-- --full` for more and `-- --small` for less. `-- --syncs` tells of
//! every sync what happens without it. Where nothing can be traced, it says why in one line, and that is all.
//!
//! Must never report a number that it was not to reach as success.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test kit runs on a host"
)]

mod crashes;
mod document;
mod dropped;
mod kills;
mod life;
mod log;
mod outside;
mod publish;
mod reasons;
mod report;
mod run;
mod scattered;
mod scratch;
mod shared;
mod store;
mod tracing;
mod wal;
mod workloads;

use std::path::Path;
use std::process::ExitCode;

use crashes::Depth;
use outside::Failed;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match &words[..] {
        [life::WORD, ..] => life::run(&arguments[1..]),
        ["replay", name, file, unit, crashes, exhaustive, path] => {
            replay(name, file, [unit, crashes, exhaustive], path)
        }
        ["--syncs"] => run::tell_syncs(),
        [] => run::check(&run::CI),
        ["--full"] => run::check(&run::FULL),
        ["--small"] => run::check(&run::SMALL),
        _ => Err("use: traced [--small | --full | --syncs]".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn replay(name: &str, file: &str, depth: [&str; 3], path: &str) -> Result<(), Failed> {
    let workload = workloads::find(name).ok_or("no such workload")?;
    let [tear_unit, crashes, exhaustive_max] = depth;
    let depth = Depth {
        tear_unit: tear_unit.parse()?,
        crashes: crashes.parse()?,
        exhaustive_max: exhaustive_max.parse()?,
    };
    crashes::again(&tracing::load(&workload, Path::new(file))?, depth, path)?;
    println!("nothing is wrong there any more");
    Ok(())
}
