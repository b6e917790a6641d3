//! QEMU's `virt`, an RV32. Its `mcycle` counts instructions under `-icount shift=0`.
#![allow(unsafe_code, reason = "registers of the processor, and of the device that resets it")]

use core::arch::asm;

/// The board and its processor.
pub const NAME: &str = "virt, RV32IMAC (riscv32imac-unknown-none-elf)";
/// Memory that a reset leaves as it is: the loader writes the program's anew.
pub const KEPT: usize = 0x8100_0000;

/// The device that ends or resets the machine.
const FINISHER: usize = 0x0010_0000;
const RESET: u32 = 0x7777;

/// Begins to count: the counter always does.
pub fn start() {}

/// Instructions since the machine began.
pub fn instructions() -> u64 {
    riscv::register::mcycle::read64()
}

/// As power that fails and comes back: the program begins anew.
pub fn reset() -> ! {
    let finisher = core::ptr::with_exposed_provenance_mut::<u32>(FINISHER);
    // SAFETY: the device is there, and all that is in memory is written before it is told.
    unsafe {
        asm!("fence", options(nostack));
        finisher.write_volatile(RESET);
    }
    loop {
        core::hint::spin_loop();
    }
}

/// Where the stack ends now.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let here: usize;
    // SAFETY: copies a register.
    unsafe { asm!("mv {}, sp", out(reg) here, options(nomem, nostack, preserves_flags)) };
    here
}

/// Takes two instructions a turn.
#[inline(never)]
pub fn spin(turns: u32) {
    // SAFETY: counts a register down.
    unsafe {
        asm!("1: addi {turns}, {turns}, -1", "bnez {turns}, 1b",  turns = inout(reg) turns => _, options(nomem, nostack));
    }
}
