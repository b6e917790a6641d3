//! The ready-made entry type for segment-based indexes.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What happens to an index that is made of immutable segments: search indexes, LSM trees.
///
/// Ids are the caller's; the entry's own id is the log's. [`IndexState`](crate::recover::IndexState) is what a log of them adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WalEntry {
    /// A segment was made.
    AddSegment {
        /// Its id.
        segment: u64,
        /// How many documents it holds.
        documents: u32,
    },
    /// A merge begins; its segments stay until it ends.
    StartMerge {
        /// The merge's id.
        merge: u64,
        /// The segments that go into it.
        segments: Vec<u64>,
    },
    /// A merge was given up.
    CancelMerge {
        /// The merge's id.
        merge: u64,
    },
    /// A merge is done: its segments go, and the new one is there.
    EndMerge {
        /// The merge's id.
        merge: u64,
        /// The new segment.
        segment: u64,
        /// How many documents it holds.
        documents: u32,
        /// Those of them that were deleted while the merge ran.
        deleted: Vec<u32>,
    },
    /// Documents were deleted.
    DeleteDocuments {
        /// Segment and document.
        deletes: Vec<(u64, u32)>,
    },
    /// A checkpoint of the index was made outside of this library.
    Checkpoint {
        /// Where.
        path: String,
        /// The last entry that it includes; 0 for none.
        last_entry_id: u64,
    },
}
