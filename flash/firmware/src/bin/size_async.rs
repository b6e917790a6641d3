//! The path of `size_fixed` through a driver that has to be awaited.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_core::ReadMode;
use durability_core::walog::WalOptions;
use durability_firmware::chip::{ChipError, Driver, OneChip};
use durability_firmware::wait::{Waiting, wait};
use durability_firmware::{board, kept};
use durability_flash::{
    AsyncError, AsyncFlashDirectory, AsyncWalReader, AsyncWalWriter, FlashOptions,
};
use semihosting::process;

type Flash<'m> = AsyncFlashDirectory<'m, Waiting, 16>;

const OPTIONS: FlashOptions = FlashOptions::new().name_bytes_max(24);

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    // SAFETY: once after a reset.
    let OneChip(chip) = unsafe { kept::kept::<OneChip>() };
    chip.erase_all(1);
    process::exit(i32::from(wait(log(Driver(chip))).is_err()))
}

async fn log(driver: Driver) -> Result<(), AsyncError<ChipError>> {
    let options = || WalOptions::new().compact_frames(true);
    let (mut queue, mut ahead) = ([0; Flash::queue_bytes(&OPTIONS, 256)], [0; 1024]);
    let mut memory = [0; 256];
    let mut dir = Flash::mount(Waiting(driver), OPTIONS, &mut queue, &mut ahead).await?;
    let mut wal = AsyncWalWriter::open(&mut dir, options(), &mut memory).await?;
    for number in 0..10_u8 {
        wal.append(&black_box([number; 32])).await?;
        let _durable = black_box(wal.flush_and_sync().await?);
    }
    drop(wal);
    let mode = ReadMode::Strict;
    let mut entries = AsyncWalReader::open(&mut dir, options(), mode, &mut memory).await?;
    let mut number = 0;
    while let Some(entry) = entries.next().await? {
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
