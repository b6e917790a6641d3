//! The workloads that this library's own logs are proved with, on the simulated disk.
//!
//! Each is a short script of what an owner does to a log, as data, with the laws that must hold after every crash. They are
//! grouped into [`families()`]; a family's [`Case`]s can be run one by one, by several threads, or all in a row with
//! [`Family::run`]. They serve as models for workloads of your own, too.
//!
//! Must never look into the logs' files: what is judged is what a user of the library could see.

mod case;
pub mod checkpoints;
mod disks;
mod family;
pub mod fleet;
mod foreign;
pub mod index;
mod laws;
pub mod publish;
pub mod recordlog;
pub mod replace;
mod scripts;
mod size;
mod stage;
pub mod staged;
pub mod wal;

pub use case::{Broken, Case, Group};
pub use family::{Family, families, family};
pub use scripts::{Amount, Scripts, Step, sample, scripts};
pub use size::{Scope, Size};
pub use stage::{Cases, Stage};
