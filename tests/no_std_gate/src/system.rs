//! What the standard library and the C library would provide on `x86_64` Linux: an entry point, two system calls, a panic handler, and the memory functions
//! that compiled code calls.
//!
//! Must never use a byte of either library.
#![allow(unsafe_code, reason = "system calls and entry point: there is nothing below to call")]

use core::arch::{asm, global_asm};
use core::fmt::{self, Write};
use core::panic::PanicInfo;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("the gate makes system calls of Linux on x86_64; run it there");

// The kernel enters with the stack pointer at the arguments and no return address; a function expects it aligned to 16
// before its call.
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym main,
);

extern "C" fn main() -> ! {
    exit(crate::run())
}

/// Where [`say`] writes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Standard output.
    Output = 1,
    /// Standard error.
    Error = 2,
}

/// Writes a message. What cannot be written is dropped: there is nobody left to tell.
pub(crate) fn say(stream: Stream, message: fmt::Arguments<'_>) {
    let _ = Descriptor(stream).write_fmt(message);
}

struct Descriptor(Stream);

impl Write for Descriptor {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let result: isize;
            // SAFETY: `write` reads `rest.len()` bytes at `rest.as_ptr()`, which are valid for it, and writes no
            // memory; the kernel changes rcx and r11 besides the result.
            unsafe {
                asm!(
                    "syscall", inlateout("rax") 1_isize => result, in("rdi") self.0 as usize,
                    in("rsi") rest.as_ptr(), in("rdx") rest.len(), lateout("rcx") _, lateout("r11") _,
                    options(nostack, readonly),
                );
            }
            let written = usize::try_from(result).map_err(|_| fmt::Error)?;
            rest = rest.get(written..).filter(|_| written > 0).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

fn exit(code: u8) -> ! {
    // SAFETY: `exit_group` does not return and touches no memory of ours.
    unsafe { asm!("syscall", in("rax") 231, in("rdi") u64::from(code), options(noreturn, nostack)) }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(Stream::Error, format_args!("no_std gate: {info}\n"));
    exit(101)
}

// The memory functions that compiled code calls. The string instructions keep the compiler from recognising a
// loop and calling the function from within itself.

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's ranges are valid and do not overlap; the direction flag is clear by the ABI.
    unsafe {
        asm!(
            "rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: `to` does not start within `from`, so that copying upwards reads each byte before it is overwritten.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: copying downwards from the last byte, of which there is one as `to` lies within `from`; the
    // direction flag is cleared again.
    unsafe {
        asm!(
            "std", "rep movsb", "cld", inout("rcx") count => _,
            inout("rdi") to.add(count - 1) => _, inout("rsi") from.add(count - 1) => _,
            options(nostack),
        );
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's range is valid; the direction flag is clear by the ABI.
    unsafe {
        asm!(
            "rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("eax") byte,
            options(nostack, preserves_flags),
        );
    }
    to
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    for at in 0..count {
        // SAFETY: the caller's ranges are valid. A volatile read is not recognised as part of a `memcmp`.
        let (a, b) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, count) }
}

// The precompiled `core` and `alloc` name these two. Nothing unwinds here, so nothing calls them.

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {
    exit(102)
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(103)
}
