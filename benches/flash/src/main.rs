//! The flash directory beside what a firmware engineer would pick instead: the same records on the same chip, counted.
//!
//! `cargo run --release --manifest-path benches/flash/Cargo.toml [--features littlefs] [-- --markdown flash/README.md]`

mod chip;
mod contender;
mod ekv_log;
mod heap;
#[cfg(feature = "littlefs")]
mod littlefs;
mod measure;
mod ours;
mod sequential;
mod table;
mod timing;
mod wait;

use std::fs;
use std::process::ExitCode;

use contender::{Failure, Log};
use measure::{Figures, Plan, measure};
use ours::Form;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut document = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--markdown" => document = Some(arguments.next().ok_or("--markdown needs a file")?),
            other => return Err(format!("{other} is unknown: --markdown FILE").into()),
        }
    }
    let mut found = Vec::new();
    for plan in Plan::ALL {
        found.push((plan, rows(plan)));
    }
    let block = table::tables(&found)?;
    println!("{block}");
    if let Some(document) = document {
        let text = fs::read_to_string(&document)?;
        let text = table::filled(&text, "comparison", &block)
            .ok_or("the document has no block between <!-- comparison --> and <!-- end -->")?;
        fs::write(&document, text)?;
    }
    Ok(())
}

fn rows(plan: Plan) -> Vec<Figures> {
    let mut rows = Vec::new();
    let mut add = |name: &str, figures: Result<Figures, Failure>| match figures {
        Ok(figures) => rows.push(figures),
        Err(failure) => eprintln!("{name}: {plan:?}: {failure}"),
    };
    add(ours::FixedInSlots::NAME, measure::<ours::FixedInSlots>(plan));
    add(ours::FixedInLargeSlots::NAME, measure::<ours::FixedInLargeSlots>(plan));
    add(ours::Compact::NAME, measure::<ours::Ours<ours::Compact>>(plan));
    add(ours::Full::NAME, measure::<ours::Ours<ours::Full>>(plan));
    add(
        sequential::Queue::<sequential::Cached>::NAME,
        measure::<sequential::Queue<sequential::Cached>>(plan),
    );
    add(
        sequential::Queue::<sequential::Bare>::NAME,
        measure::<sequential::Queue<sequential::Bare>>(plan),
    );
    add(ekv_log::Store::NAME, measure::<ekv_log::Store>(plan));
    #[cfg(feature = "littlefs")]
    add(littlefs::Files::NAME, measure::<littlefs::Files>(plan));
    rows
}
