//! What firmware is without a log: it programs records one behind the other, and reads them back. Its size is taken off the others'.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_firmware::chip::{BLOCK_BYTES, ChipError, Driver, OneChip};
use durability_firmware::{board, kept};
use embedded_storage::nor_flash::{NorFlash as _, ReadNorFlash as _};
use semihosting::process;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    // SAFETY: once after a reset.
    let OneChip(chip) = unsafe { kept::kept::<OneChip>() };
    chip.erase_all(1);
    process::exit(i32::from(log(Driver(chip)).is_err()))
}

fn log(mut flash: Driver) -> Result<(), ChipError> {
    flash.erase(0, u32::try_from(BLOCK_BYTES).unwrap_or(0))?;
    for number in 0..10_u8 {
        flash.write(u32::from(number) * 32, &black_box([number; 32]))?;
    }
    let mut found = [0; 32];
    for number in 0..10_u8 {
        flash.read(u32::from(number) * 32, &mut found)?;
        if found != black_box([number; 32]) {
            return Err(ChipError::OutOfRange);
        }
    }
    Ok(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::reset()
}
