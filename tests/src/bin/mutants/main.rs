//! Plants one bug after the other in the crates and shows that the tier that must find it does, by the law that it breaks.
//!
//! ```text
//! cargo run -p durability-testkit --bin mutants                  the matrix, as Markdown
//! cargo run -p durability-testkit --bin mutants -- --write       the same, into tests/MUTANTS.md
//! cargo run -p durability-testkit --bin mutants -- --only NAME   one bug; also `--all`, all tiers and not only the one named
//! cargo run -p durability-testkit --bin mutants -- --story NAME  how the bug was found, told at length
//! ```
//!
//! It fails if a bug survives, is found only by another tier than the one named for it, or if anything is found where no bug is planted.
//!
//! Must never be started with planted bugs by anything but itself: the first process builds the crates once more with `--cfg durability_mutants`, in a
//! folder of its own, and starts the second.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test kit runs on a host"
)]

#[cfg(durability_mutants)]
mod matrix;
mod programs;
#[cfg(durability_mutants)]
mod table;
#[cfg(durability_mutants)]
mod tiers;
#[cfg(durability_mutants)]
mod verdict;
#[cfg(durability_mutants)]
mod workers;

use std::process::ExitCode;

/// Whatever keeps it from coming to a result.
type Failed = Box<dyn std::error::Error>;

/// How to call the program.
#[cfg(not(durability_mutants))]
const USAGE: &str =
    "mutants [--write] [--all] [--only NAME]... | --story NAME; the names are in tests/MUTANTS.md";

/// Refuses what nobody could mean before minutes are spent on building; the second process knows the names.
#[cfg(not(durability_mutants))]
fn run(arguments: &[String]) -> Result<ExitCode, Failed> {
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        let is_whole = match argument {
            "--write" | "--all" => true,
            "--only" | "--story" => rest.next().is_some_and(|name| !name.starts_with('-')),
            _ => false,
        };
        if !is_whole {
            return Err(format!("what is {argument:?}, or what does it lack?\n\n{USAGE}").into());
        }
    }
    programs::run_with_bugs(arguments)
}

#[cfg(durability_mutants)]
fn run(arguments: &[String]) -> Result<ExitCode, Failed> {
    workers::run(arguments)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    run(&arguments).unwrap_or_else(|failed| {
        eprintln!("mutants: {failed}");
        ExitCode::FAILURE
    })
}
