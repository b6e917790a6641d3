//! Prints how many crash states a second one core explores: `cargo run --release -p durability-testkit --example explore_speed`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)] // a program for people
#![allow(clippy::cast_precision_loss)] // rates are rounded anyway

#[allow(dead_code)]
#[path = "../tests/tiny/mod.rs"]
mod tiny;

use std::time::Instant;

use durability_testkit::simulated::{Bounds, DiskOptions, FaultKind, Statistics, explore};
use tiny::{Bug, Oracle, TinyWorkload};

fn main() {
    let disk = DiskOptions::new().with_tear_unit(16);
    println!(
        "{:>24} {:>12} {:>12} {:>10} {:>12} {:>12}",
        "run", "states", "distinct", "seconds", "states/s", "distinct/s"
    );
    let scripts: [(&str, &[u16], u32, bool); 4] = [
        ("2 crashes", &[2, 3, 1], 2, false),
        ("3 crashes", &[2, 1], 3, false),
        ("3 crashes, 6 appends", &[3, 2, 1], 3, false),
        ("2 crashes, every fault", &[2, 3, 1], 2, true),
    ];
    for (name, script, depth, faults) in scripts {
        let mut bounds = Bounds::new(disk).with_depth(depth);
        if faults {
            bounds = bounds.with_faults(&FaultKind::ALL);
        }
        let workload = TinyWorkload { script: script.to_vec(), ..TinyWorkload::new(Bug::None) };
        let start = Instant::now();
        match explore(&workload, &Oracle::new(), &bounds) {
            Ok(statistics) => report(name, &statistics, start.elapsed().as_secs_f64()),
            Err(failure) => println!("{failure}"),
        }
    }
}

fn report(name: &str, statistics: &Statistics, seconds: f64) {
    let rate = |count: u64| count as f64 / seconds;
    let (states, distinct) = (statistics.states, statistics.distinct);
    println!(
        "{name:>24} {states:>12} {distinct:>12} {seconds:>10.2} {:>12.0} {:>12.0}",
        rate(states),
        rate(distinct)
    );
    println!("{:>24} {statistics}", "");
}
