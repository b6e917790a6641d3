//! A NOR flash chip in memory that loses its power in the middle of things.
//!
//! Words of 4 bytes are programmed once between erases of their block of 1 KiB, as in many a microcontroller. When the power fails, the word being
//! programmed keeps any of its bits, and a block being erased any mixture of old, erased and random words; what follows is a reset of the machine, from
//! inside the driver. Must never forgive: a word that is programmed twice ends the run.

use core::fmt;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::board;
use crate::kept::Kept;
use crate::random::Random;

/// Bytes on the chip.
pub const BYTES: usize = 32 * 1024;
/// Bytes that are erased at once.
pub const BLOCK_BYTES: usize = 1024;
/// Bytes that are programmed at once.
pub const WORD_BYTES: usize = 4;
const WORDS: usize = BYTES / WORD_BYTES;
const BLOCK_WORDS: usize = BLOCK_BYTES / WORD_BYTES;
const ERASED: u32 = u32::MAX;
/// As many words are programmed in the time of an erase, or it would hardly ever be cut.
const ERASE_WORDS: u32 = 40;

/// The chip.
#[derive(Debug)]
#[repr(C)]
pub struct Chip {
    words: [u32; WORDS],
    /// A bit for each word.
    programmed: [u32; WORDS / 32],
    random: Random,
    /// Words that will be programmed until the power fails; 0 is never.
    countdown: u32,
    /// Words programmed.
    pub programs: u32,
    /// Calls that programmed them.
    pub calls: u32,
    /// Blocks erased.
    pub erases: u32,
    /// Bytes read.
    pub read: u32,
    /// Instructions spent in here.
    pub instructions: u64,
    /// Resets in the middle of a program, and of an erase.
    pub cuts: [u32; 2],
}

/// What the chip refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipError {
    /// Beyond the chip.
    OutOfRange,
    /// Not a whole number of words or blocks.
    OffWord,
    /// The word has been programmed since it was erased.
    ProgrammedTwice,
}

impl Chip {
    /// Makes the chip new.
    pub fn erase_all(&mut self, seed: u64) {
        self.words.fill(ERASED);
        self.programmed.fill(0);
        self.random = Random::new(seed);
        self.countdown = 0;
        self.forget();
        self.cuts = [0; 2];
    }

    /// Sets the counters to nothing, but for that of the cuts.
    pub fn forget(&mut self) {
        (self.programs, self.calls, self.erases, self.read, self.instructions) = (0, 0, 0, 0, 0);
    }

    /// Lets the power fail in the middle of the `nth` word that is programmed from now on, or of an erase, which counts as many.
    pub fn cut_power_at(&mut self, nth: u32) {
        self.countdown = nth;
    }

    /// Whether the power fails now, in the middle of something that takes so many times as long as a word.
    fn is_cut(&mut self, long: u32) -> bool {
        let left = self.countdown;
        self.countdown = left.saturating_sub(long);
        left > 0 && left <= long
    }

    fn program_word(&mut self, index: usize, value: u32) -> Result<(), ChipError> {
        let cut = self.is_cut(1);
        let flags = self.programmed.get_mut(index / 32).ok_or(ChipError::OutOfRange)?;
        let flag = 1 << (index % 32);
        if *flags & flag != 0 {
            return Err(ChipError::ProgrammedTwice);
        }
        let word = self.words.get_mut(index).ok_or(ChipError::OutOfRange)?;
        if cut {
            // Any of the bits that were to become 0 have. Where none has, nobody can tell that anything was begun.
            #[expect(clippy::cast_possible_truncation, reason = "half of the bits will do")]
            let kept = self.random.next() as u32;
            *word = value | kept;
            if *word != ERASED {
                *flags |= flag;
            }
            self.cuts[0] += 1;
            board::reset();
        }
        *flags |= flag;
        *word = value;
        self.programs += 1;
        Ok(())
    }

    fn erase_block(&mut self, block: usize) -> Result<(), ChipError> {
        let cut = self.is_cut(ERASE_WORDS);
        let from = block * BLOCK_WORDS;
        for index in from..from + BLOCK_WORDS {
            let word = self.words.get_mut(index).ok_or(ChipError::OutOfRange)?;
            let flags = self.programmed.get_mut(index / 32).ok_or(ChipError::OutOfRange)?;
            let number = if cut { self.random.next() } else { 0 };
            match number >> 62 {
                0 => *word = ERASED,
                // Any of the bits that were 0 are 1.
                #[expect(clippy::cast_possible_truncation, reason = "half of the bits will do")]
                1 => *word |= number as u32,
                _ => {}
            }
            if *word == ERASED && !cut {
                *flags &= !(1 << (index % 32));
            }
        }
        if cut {
            self.cuts[1] += 1;
            board::reset();
        }
        self.erases += 1;
        Ok(())
    }
}

/// What the log is handed.
pub struct Driver(pub &'static mut Chip);

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl NorFlashError for ChipError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfRange => NorFlashErrorKind::OutOfBounds,
            Self::OffWord => NorFlashErrorKind::NotAligned,
            Self::ProgrammedTwice => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Driver {
    type Error = ChipError;
}

impl ReadNorFlash for Driver {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        let start = board::instructions();
        let chip = &mut *self.0;
        let end = offset as usize + bytes.len();
        if end > BYTES {
            return Err(ChipError::OutOfRange);
        }
        for (at, byte) in (offset as usize..end).zip(bytes.iter_mut()) {
            let word = chip.words.get(at / WORD_BYTES).ok_or(ChipError::OutOfRange)?;
            *byte = word.to_le_bytes()[at % WORD_BYTES];
        }
        chip.read += u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        chip.instructions += board::instructions() - start;
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Driver {
    const WRITE_SIZE: usize = WORD_BYTES;
    const ERASE_SIZE: usize = BLOCK_BYTES;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        let start = board::instructions();
        let (from, to) = (from as usize, to as usize);
        if !from.is_multiple_of(BLOCK_BYTES) || !to.is_multiple_of(BLOCK_BYTES) {
            return Err(ChipError::OffWord);
        }
        for block in from / BLOCK_BYTES..to / BLOCK_BYTES {
            self.0.erase_block(block)?;
        }
        self.0.instructions += board::instructions() - start;
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        let start = board::instructions();
        let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
        if !(offset as usize).is_multiple_of(WORD_BYTES) || !rest.is_empty() {
            return Err(ChipError::OffWord);
        }
        for (index, word) in (offset as usize / WORD_BYTES..).zip(words) {
            self.0.program_word(index, u32::from_le_bytes(*word))?;
        }
        self.0.calls += 1;
        self.0.instructions += board::instructions() - start;
        Ok(())
    }
}

/// A chip that is all that survives a reset.
#[derive(Debug)]
#[repr(C)]
pub struct OneChip(pub Chip);

#[allow(unsafe_code, reason = "the promise of the trait")]
// SAFETY: made of integers alone, and below 40 KiB.
unsafe impl Kept for OneChip {}
