//! Floor 2: one file. Buffered frames out, verified frames in, and the search behind a bad one.

mod ahead;
pub(crate) mod behind;
pub(crate) mod frames;
mod gap;
pub(crate) mod memory;
pub(crate) mod search;
pub(crate) mod sibling;
pub(crate) mod sink;
#[cfg(test)]
mod sink_tests;
pub(crate) mod source;
pub(crate) mod window;
pub(crate) mod written;

#[cfg(test)]
mod behind_tests;
#[cfg(test)]
mod look_ahead_tests;
