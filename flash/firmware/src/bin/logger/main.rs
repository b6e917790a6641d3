//! A sensor logger that loses its power a thousand times, and is judged after each.
//!
//! Every boot recovers, checks all that came back against notes that survive, logs on, and is reset in the middle of a program or an erase. Exit code 0 only if every boot found every acknowledged record, and nothing that had not been logged. Must never tell the log anything that the notes know.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

mod costs;
mod judge;
mod notes;
mod session;

use core::panic::PanicInfo;

use durability_firmware::{board, heap, kept};
use semihosting::{println, process};

use notes::Memory;

/// Boots until the run is over.
const BOOTS: u32 = 1_000;
/// Any other one gives another run.
const SEED: u64 = 20_261_123;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    heap::start();
    // SAFETY: once after a reset.
    let Memory { chip, notes } = unsafe { kept::kept::<Memory>() };
    if !notes.are_written() {
        chip.erase_all(SEED);
        notes.begin(SEED);
        if let Err(counted) = calibrated() {
            println!("20000 instructions were counted as {counted}: not run under -icount?");
            process::exit(2);
        }
    }
    if notes.boots == BOOTS {
        notes.print(chip);
        process::exit(0);
    }
    match session::run(chip, notes) {
        // Unless the power failed first.
        Ok(()) => println!("failed: a session ended before its power did"),
        Err(failure) => println!("failed: {failure}"),
    }
    process::exit(1)
}

/// Whether instructions are counted as such.
fn calibrated() -> Result<(), u64> {
    let start = board::instructions();
    board::spin(10_000);
    let counted = board::instructions() - start;
    if counted.abs_diff(20_000) < 100 { Ok(()) } else { Err(counted) }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    process::exit(101)
}
