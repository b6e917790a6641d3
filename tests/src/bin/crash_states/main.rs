//! Runs every workload of the crash proof on the simulated disk and prints what was found:
//! `cargo run --release -p durability-testkit --bin crash_states`.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a program runs on a host"
)]
use durability_testkit::proof::{Size, families};
use std::time::Instant;
fn main() {
    let only = std::env::args().nth(2);
    let size = match std::env::args().nth(1).as_deref() {
        Some("test") => Size::test(),
        Some("full") => Size::full(),
        _ => Size::ci(),
    };
    for family in families() {
        if only.as_ref().is_some_and(|only| only != family.name) {
            continue;
        }
        let start = Instant::now();
        match family.run(&size) {
            Ok(sum) => println!(
                "{:>20} {:>8.2} s {:>10.0}/s {sum}",
                family.name,
                start.elapsed().as_secs_f64(),
                sum.distinct as f64 / start.elapsed().as_secs_f64()
            ),
            Err(broken) => println!("{}: {broken}", family.name),
        }
    }
}
