//! What the queue of sequential-storage would take in the place of `size_wal`: push, and reading all of it.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_firmware::chip::{BYTES, ChipError, Driver, OneChip};
use durability_firmware::wait::{Waiting, wait};
use durability_firmware::{board, kept};
use semihosting::process;
use sequential_storage::Error;
use sequential_storage::cache::Cache;
use sequential_storage::queue::{QueueConfig, QueueStorage};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    // SAFETY: once after a reset.
    let OneChip(chip) = unsafe { kept::kept::<OneChip>() };
    chip.erase_all(1);
    process::exit(i32::from(wait(log(Driver(chip))).is_err()))
}

async fn log(flash: Driver) -> Result<(), Error<ChipError>> {
    let config = QueueConfig::new(0..u32::try_from(BYTES).unwrap_or(0));
    let mut queue = QueueStorage::new(Waiting(flash), config, Cache::new_uncached());
    for number in 0..10_u8 {
        queue.push(&black_box([number; 32]), true).await?;
    }
    let (mut found, mut number) = ([0; 64], 0);
    let mut records = queue.iter().await?;
    while let Some(record) = records.next(&mut found).await? {
        if record[..] != black_box([number; 32]) {
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
