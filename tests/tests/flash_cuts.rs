//! A log and its checkpoints on flash keep every law, wherever the power is cut, and wherever it is cut again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test runs on a host and fails by panicking"
)]

use durability_flash::FlashOptions;
use durability_testkit::backends::NorChip;
use durability_testkit::flash::{Campaign, LogProgram, Outside, Script, explore};

fn script(text: &str) -> Script {
    text.parse().unwrap()
}

const FIRST: &str = "a20 s a60 a5 s b3 f e a80 a80 a80 s p i a30 a90 a90 s t2 a11 r a90 a90 a90 a90 s p a7 a90 a90 a90 a90 a90 s p";
const LATER: &str = "a33 s a90 p e a12 a90 a90 s t1 a8";

fn campaign<const WRITE: usize, const ERASE: usize>(depth2: u64) {
    let flash = FlashOptions::new().name_bytes_max(24);
    let program = LogProgram::<8>::new(flash, &[script(FIRST), script(LATER)]);
    let chip = NorChip::<1, WRITE, ERASE>::new(16);
    let campaign = Campaign::new(2).one_in(2, depth2);
    let figures = explore(&program, chip, Outside::default(), &campaign);
    let figures = figures.unwrap_or_else(|failure| panic!("granule {WRITE}: {failure}"));
    println!("{WRITE}: {figures:?}");
}

#[test]
fn a_log_keeps_every_law_at_granule_4() {
    campaign::<4, 512>(300);
}
#[test]
fn a_log_keeps_every_law_at_granule_1() {
    campaign::<1, 512>(2000);
}
#[test]
fn a_log_keeps_every_law_at_granule_16() {
    campaign::<16, 512>(100);
}
#[test]
fn a_log_keeps_every_law_at_granule_256() {
    campaign::<256, 2048>(10);
}
