//! What every log must be able to do to be compared.

use std::error::Error;

use crate::chip::Chip;

/// Any failure ends the run.
pub(crate) type Failure = Box<dyn Error>;

/// A log on a chip.
pub(crate) trait Log: Sized {
    /// What the table calls it.
    const NAME: &'static str;

    /// Makes an erased chip the log's, and opens it.
    fn format(chip: &Chip, record_bytes: usize) -> Result<Self, Failure>;

    /// Opens what is on a chip, so far that the next append can come.
    fn mount(chip: &Chip, record_bytes: usize) -> Result<Self, Failure>;

    /// Appends a record; the oldest may go if there is no room.
    fn append(&mut self, record: &[u8]) -> Result<(), Failure>;

    /// Makes all that was appended survive power loss.
    fn sync(&mut self) -> Result<(), Failure>;

    /// What firmware would do while nothing is to be appended.
    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Shows all records, oldest first.
    fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), Failure>;

    /// Bytes of the log's own state and of the buffers that it was lent, without what is on the heap.
    fn ram(&self) -> usize {
        size_of::<Self>()
    }
}
