//! A directory on raw NOR flash: a chip in memory, slots of erase blocks on it, and a directory over the slots.
//!
//! Must never program a granule twice between erasures: the chip refuses, and so do real ones with error correction.

mod chip;
mod directory;
mod error;
mod files;
mod slots;

pub use chip::{NorChip, NorGeometry, Tearing};
pub use directory::{NorDirectory, NorLock};
pub use error::NorError;
pub use files::{NorAppender, NorReader};
