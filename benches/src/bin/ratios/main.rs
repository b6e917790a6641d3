//! Ours beside a baseline written by hand, round by round in one run: times and their ratios, counts, memory.
//!
//! On a machine that does other things, a ratio of two times taken side by side says more than either time.
//!
//! ```text
//! cargo run --release -p durability-benches --bin ratios -- [time|counts|memory|tail|instructions]
//!     [--rounds N] [--mib N] [--bytes N] [--only NAME]
//! ```
//!
//! Without a mode it runs all but `instructions`, which needs `valgrind`.
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
mod time;

use std::process::ExitCode;

use durability_benches::Failure;
use durability_testkit::allocations::CountingAllocator;
use options::{Command, Options};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ratios: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::from_args(std::env::args().skip(1))?;
    match options.command {
        Command::All => {
            time::run(&options)?;
            println!();
            counts::run()?;
            println!();
            memory::run()?;
            println!();
            tail::run(&options)
        }
        Command::Time => time::run(&options),
        Command::Counts => counts::run(),
        Command::Memory => memory::run(),
        Command::Tail => tail::run(&options),
        Command::Instructions => instructions::run(&options),
        Command::Once => instructions::once(&options.rest),
        Command::MemoryOf => memory::child(&options.rest),
    }
}
