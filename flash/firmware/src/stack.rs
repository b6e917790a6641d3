//! How deep the stack goes: what lies below it is painted, and what was painted over is counted.
//!
//! Must never paint where the stack is.
#![allow(unsafe_code, reason = "memory below the stack, which no object of the program is in")]

use crate::board;

/// Bytes below the stack that are painted. The memory of both boards has room for them above the heap.
const DEPTH_MAX: usize = 6 * 1024;
/// Bytes below the stack that painting itself may use.
const MARGIN: usize = 64;
const PAINT: u32 = 0xC5C5_5C5C;

/// A painted stack.
#[derive(Debug)]
pub struct Painted {
    from: usize,
}

/// Paints the stack below here.
#[inline(never)]
pub fn paint() -> Painted {
    let from = board::stack_pointer() & !7;
    let mut at = from - DEPTH_MAX;
    while at < from - MARGIN {
        // SAFETY: this lies below the stack, where nothing is, and above the program's data.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(at).write_volatile(PAINT) };
        at += 4;
    }
    Painted { from }
}

impl Painted {
    /// Bytes of stack below where it was painted that have been used since.
    #[inline(never)]
    pub fn used(&self) -> u32 {
        let mut at = self.from - DEPTH_MAX;
        // SAFETY: as above.
        while at < self.from
            && unsafe { core::ptr::with_exposed_provenance::<u32>(at).read_volatile() } == PAINT
        {
            at += 4;
        }
        u32::try_from(self.from - at).unwrap_or(u32::MAX)
    }
}
