//! A NOR chip in memory that counts everything done to it and adds up how long a real one would have taken.
//!
//! Must never forgive: what is programmed twice is counted, and what would set a bit back to 1 is an error.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::timing;

/// Bytes in the region.
pub(crate) const REGION_BYTES: usize = 1 << 20;
/// Bytes that are erased at once.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes that are programmed at once, at the least.
pub(crate) const WORD_BYTES: usize = 4;

/// What was done to a chip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    /// Calls that program.
    pub(crate) programs: u64,
    /// Pages that the calls touch: what the chip does one after the other.
    pub(crate) pages: u64,
    pub(crate) bytes_programmed: u64,
    /// Words that had been programmed since they were last erased.
    pub(crate) words_twice: u64,
    pub(crate) erases: u64,
    pub(crate) reads: u64,
    pub(crate) bytes_read: u64,
    /// Nanoseconds that a chip of `timing.rs` would have taken, erasing as fast as is typical.
    pub(crate) typical_ns: u64,
    /// The same, with every erase as slow as the data sheet allows.
    pub(crate) slow_ns: u64,
}

impl Meter {
    /// What came on top of an earlier reading.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            programs: self.programs - earlier.programs,
            pages: self.pages - earlier.pages,
            bytes_programmed: self.bytes_programmed - earlier.bytes_programmed,
            words_twice: self.words_twice - earlier.words_twice,
            erases: self.erases - earlier.erases,
            reads: self.reads - earlier.reads,
            bytes_read: self.bytes_read - earlier.bytes_read,
            typical_ns: self.typical_ns - earlier.typical_ns,
            slow_ns: self.slow_ns - earlier.slow_ns,
        }
    }

    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            programs: self.programs + other.programs,
            pages: self.pages + other.pages,
            bytes_programmed: self.bytes_programmed + other.bytes_programmed,
            words_twice: self.words_twice + other.words_twice,
            erases: self.erases + other.erases,
            reads: self.reads + other.reads,
            bytes_read: self.bytes_read + other.bytes_read,
            typical_ns: self.typical_ns + other.typical_ns,
            slow_ns: self.slow_ns + other.slow_ns,
        }
    }
}

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    programmed: Vec<bool>,
    meter: Meter,
}

/// A handle to a chip; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Chip {
    state: Rc<RefCell<State>>,
}

/// What the chip refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChipError {
    OutOfRange,
    OffWord,
    /// A bit would have to go from 0 to 1.
    NotErased,
}

impl Chip {
    /// An erased chip.
    pub(crate) fn new() -> Self {
        let state = State {
            bytes: vec![0xFF; REGION_BYTES],
            programmed: vec![false; REGION_BYTES / WORD_BYTES],
            meter: Meter::default(),
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// What was done so far.
    pub(crate) fn meter(&self) -> Meter {
        self.state.borrow().meter
    }

    pub(crate) fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<(), ChipError> {
        let mut state = self.state.borrow_mut();
        let end = offset.checked_add(bytes.len()).ok_or(ChipError::OutOfRange)?;
        let from = state.bytes.get(offset..end).ok_or(ChipError::OutOfRange)?;
        bytes.copy_from_slice(from);
        let time = timing::read_ns(bytes.len());
        let meter = &mut state.meter;
        meter.reads += 1;
        meter.bytes_read += bytes.len() as u64;
        meter.typical_ns += time;
        meter.slow_ns += time;
        Ok(())
    }

    pub(crate) fn program_at(&self, offset: usize, bytes: &[u8]) -> Result<(), ChipError> {
        if !offset.is_multiple_of(WORD_BYTES) || !bytes.len().is_multiple_of(WORD_BYTES) {
            return Err(ChipError::OffWord);
        }
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let end = offset.checked_add(bytes.len()).ok_or(ChipError::OutOfRange)?;
        let to = state.bytes.get_mut(offset..end).ok_or(ChipError::OutOfRange)?;
        for (to, from) in to.iter_mut().zip(bytes) {
            if *from & !*to != 0 {
                return Err(ChipError::NotErased);
            }
            *to &= from;
        }
        for word in &mut state.programmed[offset / WORD_BYTES..end / WORD_BYTES] {
            state.meter.words_twice += u64::from(*word);
            *word = true;
        }
        let (pages, time) = timing::program(offset, bytes.len());
        let meter = &mut state.meter;
        meter.programs += 1;
        meter.pages += pages;
        meter.bytes_programmed += bytes.len() as u64;
        meter.typical_ns += time;
        meter.slow_ns += time;
        Ok(())
    }

    pub(crate) fn erase_range(&self, from: usize, to: usize) -> Result<(), ChipError> {
        if !from.is_multiple_of(BLOCK_BYTES) || !to.is_multiple_of(BLOCK_BYTES) {
            return Err(ChipError::OffWord);
        }
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        state.bytes.get_mut(from..to).ok_or(ChipError::OutOfRange)?.fill(0xFF);
        state.programmed[from / WORD_BYTES..to / WORD_BYTES].fill(false);
        let blocks = ((to - from) / BLOCK_BYTES) as u64;
        state.meter.erases += blocks;
        state.meter.typical_ns += blocks * timing::ERASE_TYPICAL_NS;
        state.meter.slow_ns += blocks * timing::ERASE_SLOW_NS;
        Ok(())
    }
}

impl NorFlashError for ChipError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfRange => NorFlashErrorKind::OutOfBounds,
            Self::OffWord => NorFlashErrorKind::NotAligned,
            Self::NotErased => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Chip {
    type Error = ChipError;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        self.read_at(offset as usize, bytes)
    }

    fn capacity(&self) -> usize {
        REGION_BYTES
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = BLOCK_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        self.erase_range(from as usize, to as usize)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        self.program_at(offset as usize, bytes)
    }
}

impl MultiwriteNorFlash for Chip {}

/// The same chip for those who wait.
#[derive(Debug, Clone)]
pub(crate) struct AsyncChip(pub(crate) Chip);

impl ErrorType for AsyncChip {
    type Error = ChipError;
}

impl embedded_storage_async::nor_flash::ReadNorFlash for AsyncChip {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        self.0.read_at(offset as usize, bytes)
    }

    fn capacity(&self) -> usize {
        REGION_BYTES
    }
}

impl embedded_storage_async::nor_flash::NorFlash for AsyncChip {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = BLOCK_BYTES;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        self.0.erase_range(from as usize, to as usize)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        self.0.program_at(offset as usize, bytes)
    }
}

impl embedded_storage_async::nor_flash::MultiwriteNorFlash for AsyncChip {}
