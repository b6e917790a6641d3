//! Firmware that keeps files on the flash directory, without a log: all that a log asks of a directory is asked for. Its size is what the directory costs by itself.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_core::storage::{AppendFile as _, Directory, Name, ReadFile as _};
use durability_firmware::chip::{ChipError, Driver, OneChip};
use durability_firmware::{board, kept};
use durability_flash::{FlashDirectory, FlashError, FlashOptions};
use embedded_io::Write as _;
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
    process::exit(i32::from(files(&&dir).is_err()))
}

fn files(dir: &&Flash) -> Result<(), FlashError<ChipError>> {
    let name = |text| Name::new(text).unwrap_or_else(|_| process::exit(3));
    let (one, lock) = (name("ONE"), name("LOCK"));
    let folder = one.folder();
    let held = dir.lock(lock)?;
    let Some(mut file) = dir.create(one, 0)? else { process::exit(4) };
    for number in 0..10_u8 {
        file.write(&black_box([number; 32]))?;
        file.sync_data()?;
    }
    file.flush()?;
    file.trim()?;
    let end = file.position();
    drop(file);
    dir.sync_dir(folder)?;
    dir.sync_file(one)?;
    let Some(mut file) = dir.reopen(one, end)? else { process::exit(5) };
    file.write(&black_box([10; 32]))?;
    file.sync_data()?;
    drop(file);
    let mut names = 0;
    dir.list(folder, &mut |_| names += 1)?;
    let Some(mut file) = dir.open(one)? else { process::exit(6) };
    let mut found = [0; 32];
    let mut number = 0_u8;
    while u64::from(number) * 32 < file.len()?
        && file.read_at(u64::from(number) * 32, &mut found)? == 32
        && number < 11
    {
        if found != black_box([number; 32]) {
            process::exit(2)
        }
        number += 1;
    }
    dir.remove(one)?;
    drop(held);
    process::exit(i32::from(
        names != 1
            || number != 11
            || black_box(dir.nonce()) == 0
            || !black_box(dir.capabilities()).reopen(),
    ))
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::reset()
}
