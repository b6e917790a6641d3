//! A NOR flash in memory: blocks of 4 KiB, words of 4 bytes.
//!
//! Must never forgive a word that is programmed twice.

use core::fmt;

use durability_flash::embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

const BYTES: usize = 128 << 10;
const WORD: usize = 4;
const BLOCK: usize = 4096;

/// The chip, whose content outlives the directory on it.
#[derive(Debug)]
pub(crate) struct Chip {
    bytes: [u8; BYTES],
}

/// A word is not erased, or there is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChipError;

impl fmt::Display for ChipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word was programmed twice")
    }
}

impl core::error::Error for ChipError {}

impl NorFlashError for ChipError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl Chip {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0xFF; BYTES] }
    }

    fn range(&mut self, from: u32, bytes: usize) -> Result<&mut [u8], ChipError> {
        let from = from as usize;
        self.bytes.get_mut(from..from + bytes).ok_or(ChipError)
    }
}

impl ErrorType for Chip {
    type Error = ChipError;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        bytes.copy_from_slice(self.range(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        let length = (to - from) as usize;
        self.range(from, length)?.fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        let place = self.range(offset, bytes.len())?;
        if place.iter().any(|&byte| byte != 0xFF) {
            return Err(ChipError);
        }
        place.copy_from_slice(bytes);
        Ok(())
    }
}
