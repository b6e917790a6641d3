//! The state of a segment-based index, as its log tells it.
//!
//! Must be total: whatever entries a log holds, in whatever order, lead to a state.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::walog::WalEntry;

/// Which segments an index has, what is deleted in them, and which merges have begun and not ended.
///
/// ```
/// use durability_core::recover::IndexState;
/// use durability_core::walog::WalEntry;
/// let mut index = IndexState::default();
/// index.apply(&WalEntry::AddSegment { segment: 1, documents: 10 });
/// index.apply(&WalEntry::DeleteDocuments { deletes: vec![(1, 3)] });
/// assert_eq!(index.document_count(), 9);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IndexState {
    segments: BTreeMap<u64, IndexSegment>,
    merges: BTreeMap<u64, Vec<u64>>,
}

/// A segment of an index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndexSegment {
    /// Documents that it was made with.
    pub documents: u32,
    /// Those of them that are deleted.
    pub deleted: BTreeSet<u32>,
}

impl IndexState {
    /// Does what the entry says.
    ///
    /// Deletes in segments that are not there are passed over: a merge may have taken the segment away.
    pub fn apply(&mut self, entry: &WalEntry) {
        match entry {
            WalEntry::AddSegment { segment, documents } => {
                let added = IndexSegment { documents: *documents, deleted: BTreeSet::new() };
                self.segments.insert(*segment, added);
            }
            WalEntry::StartMerge { merge, segments } => {
                self.merges.insert(*merge, segments.clone());
            }
            WalEntry::CancelMerge { merge } => {
                self.merges.remove(merge);
            }
            WalEntry::EndMerge { merge, segment, documents, deleted } => {
                for old in self.merges.remove(merge).unwrap_or_default() {
                    self.segments.remove(&old);
                }
                let deleted = deleted.iter().copied().collect();
                self.segments.insert(*segment, IndexSegment { documents: *documents, deleted });
            }
            WalEntry::DeleteDocuments { deletes } => {
                for (segment, document) in deletes {
                    if let Some(segment) = self.segments.get_mut(segment)
                        && *document < segment.documents
                    {
                        segment.deleted.insert(*document);
                    }
                }
            }
            WalEntry::Checkpoint { .. } => {}
        }
    }

    /// The segments, by their ids.
    pub const fn segments(&self) -> &BTreeMap<u64, IndexSegment> {
        &self.segments
    }

    /// Merges that have begun and neither ended nor been cancelled: after a recovery, work to be thrown away and begun again.
    pub const fn open_merges(&self) -> &BTreeMap<u64, Vec<u64>> {
        &self.merges
    }

    /// Documents that are there and not deleted.
    pub fn document_count(&self) -> u64 {
        let live = |segment: &IndexSegment| {
            u64::from(segment.documents).saturating_sub(segment.deleted.len() as u64)
        };
        self.segments.values().map(live).sum()
    }
}
