//! The benchmarks: `run` makes the tables and charts of PERFORMANCE.md; the others count what no time tells.
//!
//! ```text
//! cargo run --release -p durability-benches -- run [--smoke] [--only W1,W3] [--plot FOLDER] [--markdown FILE]
//! cargo run --release -p durability-benches -- counts|memory|tail|instructions [--rounds N] [--bytes N] [--only NAME]
//! ```
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "runs on a host with sizes that are known, and is never published"
)]

mod counts;
mod instructions;
mod memory;
mod options;
mod tail;

use std::process::ExitCode;

use durability_benches::{Failure, run};
use durability_testkit::allocations::CountingAllocator;
use options::{Command, Options};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const USAGE: &str = "run, counts, memory, tail or instructions: see benches/README.md";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &[String]) -> Result<(), Failure> {
    match args.first().map(String::as_str) {
        None => Err(USAGE.into()),
        Some("run" | "child") => run::main(args, &[]),
        Some(_) => count(&Options::from_args(args.iter().cloned())?),
    }
}

fn count(options: &Options) -> Result<(), Failure> {
    match options.command {
        Command::Counts => counts::run(),
        Command::Memory => memory::run(),
        Command::Tail => tail::run(options),
        Command::Instructions => instructions::run(options),
        Command::Once => instructions::once(&options.rest),
        Command::MemoryOf => memory::child(&options.rest),
    }
}
