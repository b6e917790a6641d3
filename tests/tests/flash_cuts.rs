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

const FIRST: &str = "a20 s a60 a5 s b3 f e a80 a80 a80 s p i a30 a90 a90 s t2 a11 r \
    a90 a90 a90 a90 s p a7 a90 a90 a90 a90 a90 s p";
const LATER: &str = "a33 s a90 p e a12 a90 a90 s t1 a8";
const SHORT: &str = "a20 s a60 b2 s t1 a30 s p e a90 a90 a90 a90 a90 s p r a5";

fn options() -> FlashOptions {
    FlashOptions::new().name_bytes_max(24)
}

fn campaign<const WRITE: usize, const ERASE: usize>(depth2: u64) {
    let program = LogProgram::<10>::new(options(), &[script(FIRST), script(LATER)]);
    let chip = NorChip::<1, WRITE, ERASE>::new(20);
    let campaign = Campaign::new(2).one_in(2, depth2);
    let figures = explore(&program, chip, Outside::default(), &campaign);
    let figures = figures.unwrap_or_else(|failure| panic!("granule {WRITE}: {failure}"));
    assert!(figures.all_cuts() > 400, "{figures:?}");
}

#[test]
fn a_log_keeps_every_law_at_granule_4() {
    campaign::<4, 512>(20_000);
}

#[test]
fn a_log_keeps_every_law_at_granule_16() {
    campaign::<16, 512>(10_000);
}

#[test]
fn a_log_keeps_every_law_at_granule_256() {
    campaign::<256, 2048>(2_000);
}

/// The first cuts alone: there are so many of them.
#[test]
fn a_log_keeps_every_law_at_granule_1() {
    let program = LogProgram::<10>::new(options(), &[script(SHORT), script(SHORT)]);
    let chip = NorChip::<1, 1, 512>::new(20);
    let figures = explore(&program, chip, Outside::default(), &Campaign::new(1));
    let figures = figures.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(figures.all_cuts() > 4000, "{figures:?}");
}

#[test]
fn a_log_that_is_never_reopened_keeps_every_law() {
    let scripts = [script(SHORT), script(SHORT)];
    let program = LogProgram::<10>::new(options().never_reopen(), &scripts);
    let campaign = Campaign::new(2).one_in(2, 5_000);
    let figures = explore(&program, NorChip::<1, 8, 512>::new(20), Outside::default(), &campaign);
    let figures = figures.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(figures.all_cuts() > 1000, "{figures:?}");
}

/// The region need not have been erased before its first use, and slots may have more blocks than two.
#[test]
fn a_region_that_held_anything_else_is_taken_over() {
    let options = options().slot_blocks(3);
    let program = LogProgram::<7>::new(options, &[script("a90 a90 a90 a90 s p"), script("a1 s")]);
    let mut chip = NorChip::<1, 16, 256>::new(21).seeded(7);
    chip.scribble();
    let figures = explore(&program, chip, Outside::default(), &Campaign::new(1));
    let figures = figures.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(figures.all_cuts() > 100, "{figures:?}");
}
