//! The benchmarks: `run` makes the tables and charts of PERFORMANCE.md; the others count what no time tells.
//!
//! ```text
//! cargo run --release -p durability-benches -- run [--smoke] [--only W1,W3] [--plot FOLDER] [--markdown FILE]
//! cargo run --release -p durability-benches --features peers -- run
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

use std::process::{Command, ExitCode};

use durability_benches::Failure;
use durability_testkit::allocations::CountingAllocator;
use options::{Options, What};

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
        Some("run") if cfg!(feature = "peers") => with_peers(args),
        #[cfg(unix)]
        Some("run" | "child") => durability_benches::run::main(args, &[]),
        #[cfg(not(unix))]
        Some("run" | "child") => Err("runs need a Unix system".into()),
        Some(_) => count(&Options::from_args(args.iter().cloned())?),
    }
}

/// Hands the run to the package of the peers, which has a lock file of its own.
fn with_peers(args: &[String]) -> Result<(), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--locked", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/Cargo.toml"));
    if cfg!(feature = "rocksdb") {
        command.args(["--features", "rocksdb"]);
    }
    if command.arg("--").args(args).status()?.success() {
        Ok(())
    } else {
        Err("the run with peers failed".into())
    }
}

fn count(options: &Options) -> Result<(), Failure> {
    match options.what {
        What::Counts => counts::run(),
        What::Memory => memory::run(),
        What::Tail => tail::run(options),
        What::Instructions => instructions::run(options),
        What::Once => instructions::once(&options.rest),
        What::MemoryOf => memory::child(&options.rest),
    }
}
