//! Holds the real adapter to its promises: its system calls, traced, and every crash that could have struck between them; and
//! kills at each of them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test kit runs on a host"
)]

mod document;
mod life;
mod log;
mod outside;
mod publish;
mod scattered;
mod scratch;
mod store;
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
    for w in workloads::ALL {
        let scratch = scratch::Scratch::new()?;
        let folder = scratch.path().join("disk");
        std::fs::create_dir(&folder)?;
        let tracer = Tracer::new(&folder, &scratch.path().join("marks"))?;
        let options = DiskOptions::new().with_tear_unit(32);
        let empty = SimulatedDisk::new(options);
        let trace = tracer.record(&life::command(w, 0, &tracer)?, &empty)?;
        println!(
            "{}: {} calls {} steps {} syncs",
            w.name,
            trace.call_count(),
            trace.steps().len(),
            trace.syncs().count()
        );
        if std::env::var_os("SHOW").is_some() {
            for (i, s) in trace.steps().iter().enumerate() {
                println!("  {i} {s}");
            }
        }
        let trace = trace.with_contents_at_once("data/store/wal/LOCK");
        let depth = std::env::var("DEPTH").map_or(1, |d| d.parse().unwrap());
        let ex = std::env::var("EX").map_or(256, |d| d.parse().unwrap());
        let limits = SurvivorLimits::new().with_exhaustive_max(ex).with_samples(16);
        let bounds = Bounds::new(options).with_survivors(limits).with_depth(depth);
        let now = std::time::Instant::now();
        let r = life::Library { workload: *w, life: 0 };
        match explore(&Replayed::new(&trace, &r), &outside::oracle(), &bounds) {
            Ok(s) => println!("  {s} {:?}", now.elapsed()),
            Err(f) => println!("  {f}"),
        }
    }
    Ok(())
}
