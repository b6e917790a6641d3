//! Directories on media that are nothing like a POSIX file system, to keep the port honest.
//!
//! Must never be used to store anything: they are correct and in memory, and their speed is nobody's concern.
//!
//! | type | medium | has | lacks |
//! |---|---|---|---|
//! | [`FatDirectory`] | FAT16 by the `embedded-sdmmc` crate, on a disk in memory | `reopen` anywhere, folders | rename, reading beside the appender, names beyond 8.3 |

//! [`NorChip`] is no directory but the chip below one: `FlashDirectory` of `durability-flash`, or another's.

mod fat;
mod nor;

pub use fat::{FatAppender, FatDirectory, FatError, FatLock, FatReader, RamDisk, RamError};
pub use nor::{AsyncNorChip, Leaves, NorChip, NorCut, NorError, NorFigures, Tearing};
