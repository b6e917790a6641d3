//! The boards that QEMU emulates: how to count instructions, and how to reset.

#[cfg(target_arch = "arm")]
mod lm3s6965;
#[cfg(target_arch = "riscv32")]
mod virt;

#[cfg(target_arch = "arm")]
pub use lm3s6965::{KEPT, NAME, instructions, reset, spin, stack_pointer, start};
#[cfg(target_arch = "riscv32")]
pub use virt::{KEPT, NAME, instructions, reset, spin, stack_pointer, start};
