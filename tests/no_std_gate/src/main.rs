//! The `no_std` gate: a program without the standard library, a C library or an operating system's allocator, that
//! links `durability-core` and `durability-flash`, uses them, and exits 0 only if all went as it must.
//!
//! Must never depend on anything but these. A dependency of theirs that drags `std` in makes this fail to
//! build, with its name; one that calls into a C library makes it fail to link.
#![no_std]
#![no_main]
#![deny(unsafe_code)] // two exceptions, with their proofs: heap.rs and system.rs

extern crate alloc;

mod flash;
mod heap;
mod recordlog;
mod recovery;
mod system;
mod wal;

use alloc::boxed::Box;
use alloc::format;
use core::error::Error;
use core::fmt::Display;

use system::{Stream, say};

/// Runs the gate; called by the entry point.
fn run() -> u8 {
    for (what, law) in LAWS {
        if let Err(error) = law() {
            say(Stream::Error, format_args!("no_std gate: {what}: {error}\n"));
            return 1;
        }
    }
    say(
        Stream::Output,
        format_args!("no_std gate: passed, {} bytes of heap\n", heap::used()),
    );
    0
}

type Law = fn() -> Result<(), Box<dyn Error>>;

const LAWS: [(&str, Law); 5] = [
    ("a log on flash recovers and goes on", flash::a_log_on_flash_goes_on),
    ("a torn log of raw records recovers and goes on", wal::raw_recovers_and_goes_on),
    ("a torn log of typed entries recovers and goes on", wal::typed_recovers_and_goes_on),
    ("a torn record log goes on in the same file", recordlog::a_torn_record_log_goes_on),
    (
        "a published state recovers, its newest checkpoint being torn",
        recovery::a_published_state_recovers,
    ),
];

fn check<T: PartialEq + Display + Copy>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), Box<dyn Error>> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected}, found {found}").into())
}
