//! What readers of raw records show: entries, and where a log has a torn tail.

use crate::EntryId;
use crate::storage::NameBuf;

/// An entry of a log, lent until the next one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RawEntry<'a> {
    /// Its id.
    pub id: EntryId,
    /// The record, as it was appended.
    pub payload: &'a [u8],
    /// The number of its segment.
    pub segment: u32,
    /// Where its frame begins in the segment's file.
    pub offset: u64,
}

/// Bytes at the end of a log that were never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct TornTail {
    /// The tail segment's file.
    pub file: NameBuf,
    /// Where the log ends in it.
    pub offset: u64,
    /// The torn bytes, up to the last that is not blank.
    pub bytes: u64,
}
