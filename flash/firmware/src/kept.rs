//! What a reset leaves as it is: the flash chip, and the notes of the program that judges what comes back from it.
//!
//! Must never hold anything that the log could profit from: the log is handed the chip alone.
#![allow(unsafe_code, reason = "memory at a fixed address, which the linker knows nothing of")]

use crate::board;

/// Something that lies at the board's kept memory.
///
/// # Safety
/// Every bit pattern must be a value of the type, and it must fit: 40 KiB.
pub unsafe trait Kept: 'static {}

/// What is kept.
///
/// # Safety
/// At most once after each reset.
pub unsafe fn kept<T: Kept>() -> &'static mut T {
    const { assert!(size_of::<T>() <= 40 * 1024) };
    // SAFETY: the memory is there, aligned to 4 KiB, outside of everything that is linked; its type takes any bits, and the caller asks once.
    unsafe { &mut *core::ptr::with_exposed_provenance_mut::<T>(board::KEPT) }
}
