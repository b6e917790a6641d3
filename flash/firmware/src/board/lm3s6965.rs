//! Stellaris LM3S6965, a Cortex-M3. It has no cycle counter under QEMU; its SysTick does, and `-icount shift=7` makes time of instructions.
#![allow(unsafe_code, reason = "registers of the processor")]

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{SCB, SYST};

/// The board and its processor.
pub const NAME: &str = "lm3s6965evb, Cortex-M3 (thumbv7m-none-eabi)";
/// Memory that a reset leaves as it is, and that the program is not linked into.
pub const KEPT: usize = 0x2000_6000;

const RELOAD: u32 = 0x00FF_FFFF;
static WRAPS: AtomicU32 = AtomicU32::new(0);

#[cortex_m_rt::exception]
fn SysTick() {
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Begins to count.
pub fn start() {
    // SAFETY: SysTick's registers are nobody else's, and this is the only thread.
    unsafe {
        let timer = &*SYST::PTR;
        timer.rvr.write(RELOAD);
        timer.cvr.write(0);
        timer.csr.write(0b111);
    }
}

/// Instructions since [`start`]: SysTick counts at 12.5 MHz, 80 ns a tick, and an instruction takes 128 ns.
pub fn instructions() -> u64 {
    loop {
        let wraps = WRAPS.load(Ordering::Relaxed);
        // SAFETY: reading the counter changes nothing.
        let left = unsafe { (*SYST::PTR).cvr.read() };
        if WRAPS.load(Ordering::Relaxed) == wraps {
            let ticks = (u64::from(wraps) << 24) + u64::from(RELOAD - left);
            return ticks * 80 / 128;
        }
    }
}

/// As power that fails and comes back: the program begins anew.
pub fn reset() -> ! {
    SCB::sys_reset()
}

/// Where the stack ends now.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let here: usize;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags)) };
    here
}

/// Takes two instructions a turn.
#[inline(never)]
pub fn spin(turns: u32) {
    // SAFETY: counts a register down.
    unsafe {
        asm!("1: subs {turns}, {turns}, #1", "bne 1b",  turns = inout(reg) turns => _, options(nomem, nostack));
    }
}
