//! Floor 0: every byte of the formats, and nothing that reads or writes files.
//!
//! All functions here are pure, allocate nothing and judge nothing beyond the bytes that they are given.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)]

pub(crate) mod compact;
pub(crate) mod control;
pub(crate) mod crc;
pub(crate) mod field;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod id;
