//! A log on flash without `std`.
//!
//! Must never look at more than the public API shows.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;

use durability_core::walog::{RawWalWriter, WalOptions};
use durability_flash::embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash,
};
use durability_flash::{FlashDirectory, FlashOptions};

use crate::check;

/// The least chip there can be.
struct Chip(Vec<u8>);

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl Chip {
    fn range(&mut self, from: u32, length: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let from = from as usize;
        self.0.get_mut(from..from + length).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(self.range(offset, bytes.len())?);
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.range(from, (to - from) as usize)?.fill(0xFF);
        Ok(())
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.range(offset, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
}

pub(crate) fn a_log_on_flash_goes_on() -> Result<(), Box<dyn Error>> {
    let mut chip = Chip(vec![0; 16 * 1024]);
    let options = || WalOptions::new().buffer_bytes(256).read_bytes(256);
    for life in 0..4_u64 {
        let dir = FlashDirectory::<_, 8>::mount(chip, FlashOptions::new())?;
        let mut wal = RawWalWriter::open(&dir, options())?;
        check("entries", wal.last_entry_id().map_or(0, |id| id.get()), life * 20)?;
        for _ in 0..20 {
            wal.append(&[7; 50])?;
        }
        let durable = wal.flush_and_sync()?.through().map_or(0, |id| id.get());
        check("durable through", durable, life * 20 + 20)?;
        drop(wal);
        chip = dir.into_flash();
    }
    Ok(())
}
