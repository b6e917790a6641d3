//! Crash images on the file systems of the Linux kernel: a disk that logs every write and flush, a workload on it, and every kind of
//! state that a power cut may leave between two flushes, mounted, recovered and judged.
//!
//! `run` beside this package builds and starts it, and cleans up. Must never touch a mount, a loop device or a file that it has not made.

mod aftermath;
mod arguments;
mod campaign;
mod crew;
mod device;
mod flavour;
mod host;
mod image;
mod port;
mod random;
mod served;
mod stories;
mod survivors;
mod table;
mod trial;

use std::env;
use std::process::ExitCode;

use arguments::Arguments;
use table::Row;

/// Anything that ends a run.
type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            return ExitCode::FAILURE;
        }
    };
    if let Some(why) = flavour::no_mounts().or_else(|| {
        host::keep_mounts_private().err().map(|error| format!("no private mounts: {error}"))
    }) {
        for flavour in &arguments.flavours {
            crew::skipped(*flavour, &why);
        }
        return ExitCode::SUCCESS;
    }
    match crew::all(&arguments) {
        Ok(rows) => verdict(&rows),
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn verdict(rows: &[Row]) -> ExitCode {
    if rows.is_empty() {
        return ExitCode::SUCCESS;
    }
    table::print(&host::kernel(), rows);
    let faults: Vec<String> = rows.iter().filter_map(Row::fault).collect();
    for fault in &faults {
        println!("failed: {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
