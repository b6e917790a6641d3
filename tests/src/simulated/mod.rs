//! A simulated disk, every state that a crash can leave on it, and an explorer that runs a program through all of them.
//!
//! Start with [`explore()`]: give it a [`Workload`] (what your program does, and how it recovers) and an [`Oracle`] (what may
//! be seen after a crash; [`PrefixOracle`] over a [`Model`] does for most). It runs the program once, looks at the disk
//! between any two operations, lets the program recover from each state that a crash there can leave, judges, and goes on
//! into the recoveries. What it finds is a [`Failure`], shrunk to the smallest program and the fewest losses, with a story and
//! a line for [`replay()`]. [`explore_all()`] takes many programs, on all cores. To walk over the states of a disk by hand, see
//! [`CrashStates`].
//!
//! Must never know of any particular log or store.

mod bounds;
mod disk;
mod error;
mod explore;
mod explored;
mod failure;
mod fault;
mod files;
mod hash;
mod inode;
mod journal;
mod known;
mod medium;
mod model;
mod names;
mod oplog;
mod options;
mod parallel;
mod path;
mod pieces;
mod quiet;
mod raw;
mod replay;
mod shrink;
mod state;
mod story;
mod survivors;
mod walk;
mod workload;

pub use bounds::{Bounds, Statistics};
pub use disk::SimulatedDisk;
pub use error::SimulatedError;
pub use explore::{explore, explore_beyond};
pub use explored::Explored;
pub use failure::Failure;
pub use fault::{DroppedPages, Fault, FaultKind};
pub use files::{SimulatedAppender, SimulatedLock, SimulatedReader};
pub(crate) use hash::Random;
pub use journal::{Entry, Event, Journal};
pub use model::{LogModel, LogOperation, LogSeen, Model, Oracle, PrefixOracle, Violation};
pub use oplog::{Operation, OperationKind};
pub use options::DiskOptions;
pub use parallel::explore_all;
pub use path::BadReplay;
pub use raw::{RawDisk, RawFile};
pub use replay::{ReplayError, replay};
pub use story::Survived;
pub use survivors::{Coverage, CrashState, CrashStates, CrashStatesIter, Snapshot, SurvivorLimits};
pub use workload::{Ended, JournalOf, Workload, shorter};
