//! The front for drivers that have to be awaited: append, sync and replay on flash, for executors on which nothing may block.
//!
//! Must never do to the chip what the code that need not be awaited would not do, in that order: that is what the power cuts prove.
//!
//! The log works on a driver that only writes down what is to be done, in order, and the front awaits that out. So the chip always holds what the first
//! so many of the operations leave which the log would do at once: one of the states that a power cut leaves.

mod ahead;
mod deferred;
mod directory;
mod error;
mod reader;
mod runs;
mod writer;

pub use directory::AsyncFlashDirectory;
pub use error::{AsyncError, DeferredError, Doubt, FlashOperation, InPlace};
pub use reader::AsyncWalReader;
pub use writer::AsyncWalWriter;
