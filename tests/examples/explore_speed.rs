//! Prints how many crash states a second are explored, on one core and on all: `cargo run --release -p durability-testkit --example explore_speed`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)] // a program for people
#![allow(clippy::cast_precision_loss)] // rates are rounded anyway

#[allow(dead_code)]
#[path = "../tests/tiny/mod.rs"]
mod tiny;

use std::time::Instant;

use durability_testkit::simulated::{
    Bounds, DiskOptions, FaultKind, Statistics, explore, explore_all,
};
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
    for (name, threads) in [("27 programs, one core", 1), ("27 programs, all cores", 0)] {
        let start = Instant::now();
        match explore_all(programs(), &Oracle::new(), &Bounds::new(disk).with_depth(2), threads) {
            Ok(statistics) => report(name, &statistics, start.elapsed().as_secs_f64()),
            Err(failure) => println!("{failure}"),
        }
    }
}

/// Every way to append 1 to 3 records, three times.
fn programs() -> impl Iterator<Item = TinyWorkload> {
    (0..27).map(|number: u16| {
        let script = [9, 3, 1].map(|place| 1 + number / place % 3).to_vec();
        TinyWorkload { script, ..TinyWorkload::new(Bug::None) }
    })
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
