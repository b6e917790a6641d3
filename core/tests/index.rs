//! The state of an index: what each entry of its log does to it.
#![allow(clippy::unwrap_used, reason = "a failed expectation is what fails a test")]

use durability_core::recover::IndexState;
use durability_core::walog::WalEntry;

fn index(entries: &[WalEntry]) -> IndexState {
    let mut index = IndexState::default();
    for entry in entries {
        index.apply(entry);
    }
    index
}

fn add(segment: u64) -> WalEntry {
    WalEntry::AddSegment { segment, documents: 10 }
}

#[test]
fn deletes_count_in_segments_that_have_the_document() {
    // Documents are counted from 0; the last is none, and so is one in a segment that is not there.
    let deletes = vec![(1, 0), (1, 9), (1, 9), (1, 10), (2, 3), (7, 0)];
    let index = index(&[add(1), add(2), WalEntry::DeleteDocuments { deletes }]);
    assert_eq!(index.document_count(), 17);
    let gone = |segment| index.segments()[&segment].deleted.iter().copied().collect::<Vec<_>>();
    assert_eq!((gone(1), gone(2)), (vec![0, 9], vec![3]));
}

#[test]
fn a_merge_takes_its_segments_away_when_it_ends_and_not_before() {
    let start = WalEntry::StartMerge { merge: 5, segments: vec![1, 2] };
    let begun = index(&[add(1), add(2), add(3), start.clone()]);
    assert_eq!(begun.document_count(), 30);
    assert_eq!(begun.open_merges()[&5], [1, 2]);
    let mut cancelled = begun.clone();
    cancelled.apply(&WalEntry::CancelMerge { merge: 5 });
    assert_eq!(cancelled, index(&[add(1), add(2), add(3)]));
    let mut ended = begun;
    ended.apply(&WalEntry::EndMerge { merge: 5, segment: 4, documents: 19, deleted: vec![8] });
    assert_eq!(ended.segments().keys().copied().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(ended.document_count(), 28);
    assert!(ended.open_merges().is_empty());
}
