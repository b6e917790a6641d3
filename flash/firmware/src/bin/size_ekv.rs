//! What ekv would take in the place of `size_wal`: a transaction for each record, and reading all of them.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_firmware::chip::{BLOCK_BYTES, BYTES, ChipError, Driver, OneChip};
use durability_firmware::wait::wait;
use durability_firmware::{board, kept};
use ekv::flash::{Flash, PageID};
use ekv::{Config, Database};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage::nor_flash::{NorFlash as _, ReadNorFlash as _};
use semihosting::process;

struct Pages(Driver);

fn place(page: PageID, offset: usize) -> u32 {
    u32::try_from(page.index() * BLOCK_BYTES + offset).unwrap_or(u32::MAX)
}

impl Flash for Pages {
    type Error = ChipError;

    fn page_count(&self) -> usize {
        BYTES / BLOCK_BYTES
    }

    async fn erase(&mut self, page: PageID) -> Result<(), ChipError> {
        self.0.erase(place(page, 0), place(page, BLOCK_BYTES))
    }

    async fn read(
        &mut self,
        page: PageID,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), ChipError> {
        self.0.read(place(page, offset), bytes)
    }

    async fn write(&mut self, page: PageID, offset: usize, bytes: &[u8]) -> Result<(), ChipError> {
        self.0.write(place(page, offset), bytes)
    }
}

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    // SAFETY: once after a reset.
    let OneChip(chip) = unsafe { kept::kept::<OneChip>() };
    chip.erase_all(1);
    process::exit(i32::from(wait(log(Driver(chip))).is_none()))
}

async fn log(flash: Driver) -> Option<()> {
    let database = Database::<_, NoopRawMutex>::new(Pages(flash), Config::default());
    database.format().await.ok()?;
    for number in 0..10_u8 {
        let mut transaction = database.write_transaction().await;
        transaction.write(&[number], &black_box([number; 32])).await.ok()?;
        transaction.commit().await.ok()?;
    }
    let (mut key, mut found, mut number) = ([0; 1], [0; 64], 0);
    let transaction = database.read_transaction().await;
    let mut records = transaction.read_all().await.ok()?;
    while let Some((_, bytes)) = records.next(&mut key, &mut found).await.ok()? {
        if found.get(..bytes)? != black_box([number; 32]) {
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
