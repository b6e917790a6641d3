//! Holds the real adapter to its promises: its system calls, traced, and every crash that could have struck between them; and
//! kills at each of them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test kit runs on a host"
)]

mod document;
mod dropped;
mod life;
mod log;
mod outside;
mod publish;
mod reasons;
mod scattered;
mod scratch;
mod store;
mod tracing;
mod wal;
mod workloads;

use durability_testkit::simulated::*;
use durability_testkit::traced::*;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.split_first() {
        Some((word, rest)) if word == life::WORD => life::run(rest),
        _ => check(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), outside::Failed> {
    let only = std::env::var("ONLY").unwrap_or_default();
    for w in workloads::ALL {
        if !w.name.contains(&only) { continue; }
        let t = tracing::first(w, false)?;
        println!("{}", w.name);
        let now = std::time::Instant::now();
        for d in dropped::each(&t)? {
            if !matches!(d.outcome, dropped::Outcome::Needed{..}) {
            println!("  {d}"); }
        }
        println!("{:?}", now.elapsed());
        let n = t.trace.steps().len();
        for k in (0..n).step_by(n / 6) {
            let (disk, history) = t.at(k, tracing::disk(32))?;
            let before = t.trace.steps()[..k].to_vec();
            let r = tracing::recovery(w, disk.snapshot().killed(), history, before)?;
            println!(" killed at {k}: {:?}", now.elapsed());
        for d in dropped::each(&r)? {
            //if !matches!(d.outcome, dropped::Outcome::Needed{..}) {
            println!("  {d}"); //}
        }
            println!(" {:?}", now.elapsed());
        }
    }
    Ok(())
}
