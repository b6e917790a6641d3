//! What the programs of this package share: the board, a flash chip in memory that keeps its content over a reset, a counted heap and a painted stack.
//!
//! Must never know what is stored.
#![no_std]

pub mod board;
pub mod chip;
#[cfg(feature = "heap")]
pub mod heap;
pub mod kept;
pub mod random;
pub mod stack;
#[cfg(any(feature = "async", feature = "peers"))]
pub mod wait;
