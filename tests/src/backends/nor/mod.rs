//! A NOR flash chip in memory, behind the driver trait of `embedded-storage`: for directories on flash, of this project or of another.
//!
//! Must never program a granule twice between erasures: the chip refuses, and so do real ones with error correction.

mod awaited;
mod chip;
mod cut;
mod error;

pub use awaited::{AsyncNorChip, Leaves};
pub use chip::{NorChip, NorFigures};
pub use cut::{NorCut, Tearing};
pub use error::NorError;
