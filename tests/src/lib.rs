//! Crash testing for storage engines.
//!
//! Must never be needed by a release build of anything: it is a dev-dependency.

extern crate alloc;

pub mod simulated;
