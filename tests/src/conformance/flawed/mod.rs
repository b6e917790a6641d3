//! A directory with one bug at a time: the proof that the suite can fail.
//!
//! Must never be used for anything else.
//!
//! Each [`Flaw`] names the law that must catch it, and every law has a flaw that it catches. Who adds a law plants a
//! flaw for it here.
//!
//! ```
//! use durability_core::storage::MemoryDirectory;
//! use durability_testkit::conformance::{examine, flawed::{Flaw, Flawed}};
//! let report = examine(|| Flawed::new(MemoryDirectory::new(), Flaw::NonceRepeats));
//! assert!(report.broken().any(|broken| broken.law == Flaw::NonceRepeats.law()));
//! ```

mod directory;
mod error;
mod files;
mod flaw;
mod state;

pub use directory::{Flawed, FlawedLock};
pub use error::FlawedError;
pub use files::{FlawedAppender, FlawedReader};
pub use flaw::Flaw;
