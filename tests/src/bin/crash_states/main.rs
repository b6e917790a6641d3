//! Runs every workload of the crash proof on the simulated disk, and prints what was looked at and what was found:
//! `cargo run --release -p durability-testkit --bin crash_states`, and with `-- --full` what an hour holds.
//!
//! Must never succeed with fewer states than it promises, or after a law was broken.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a program for people runs on a host"
)]

mod arguments;
mod plan;
mod run;
mod table;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    if arguments.only_plan {
        print!("{}", plan::Plan::whole(&arguments));
        return ExitCode::SUCCESS;
    }
    let report = run::run(&arguments);
    print!("{}", table::Table::new(&arguments, &report));
    if report.broken.is_none() && report.distinct() >= arguments.promised() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
