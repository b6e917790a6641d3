//! The path of a log of raw records without a heap: open, which makes, resumes and repairs; append; sync; replay. Nothing is printed, as that would count.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_core::walog::{FixedWalReader, FixedWalWriter, WalOptions};
use durability_core::{Error, ReadMode};
use durability_firmware::chip::{ChipError, Driver, OneChip};
use durability_firmware::{board, kept};
use durability_flash::{FlashDirectory, FlashError, FlashOptions};
use semihosting::process;

type Flash = FlashDirectory<Driver, 16>;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    // SAFETY: once after a reset.
    let OneChip(chip) = unsafe { kept::kept::<OneChip>() };
    chip.erase_all(1);
    let Ok(dir) = Flash::mount(Driver(chip), FlashOptions::new().name_bytes_max(24)) else {
        process::exit(1)
    };
    process::exit(i32::from(log(&dir).is_err()))
}

fn log(dir: &Flash) -> Result<(), Error<FlashError<ChipError>>> {
    let options = || WalOptions::new().compact_frames(true);
    let mut memory = [0; 256];
    let mut wal = FixedWalWriter::open(dir, options(), &mut memory)?;
    for number in 0..10_u8 {
        wal.append(&black_box([number; 32]))?;
        let _durable = black_box(wal.flush_and_sync()?);
    }
    drop(wal);
    let mut entries = FixedWalReader::open(dir, options(), ReadMode::Strict, &mut memory)?;
    let mut number = 0;
    while let Some(entry) = entries.next()? {
        if entry.payload != black_box([number; 32]) {
            process::exit(2)
        }
        number += 1;
    }
    process::exit(i32::from(number != 10))
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::reset()
}
