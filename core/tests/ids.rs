//! Ids: what they show, what they are equal to, and those of a batch.
#![allow(clippy::unwrap_used, reason = "a failed expectation is what fails a test")]

use durability_core::EntryId;
use durability_core::storage::MemoryDirectory;
use durability_core::walog::{EntryIds, Event, Hooks, RawWalWriter, WalOptions};

#[test]
fn an_id_shows_its_number_and_equals_no_other() {
    let id = EntryId::new(7).unwrap();
    assert_eq!((format!("{id}"), format!("{id:?}")), ("7".to_owned(), "7".to_owned()));
    assert!(id == 7 && id != 8);
}

#[test]
fn the_ids_of_a_batch_are_those_that_follow_one_by_one() {
    let mut wal = RawWalWriter::open(MemoryDirectory::new(), WalOptions::new()).unwrap();
    for (count, first) in [(3_u64, 1), (0, 4), (1, 4), (20, 5)] {
        let mut ids = wal.append_batch(&vec![b"x"; usize::try_from(count).unwrap()]).unwrap();
        for left in (1..=count).rev() {
            let next = first + count - left;
            assert_eq!(ids.len() as u64, left);
            assert_eq!(
                (ids.first(), EntryIds::last(&ids)),
                (EntryId::new(next), EntryId::new(first + count - 1))
            );
            assert_eq!(ids.next(), EntryId::new(next));
        }
        assert_eq!(
            (ids.len(), ids.first(), EntryIds::last(&ids), ids.next()),
            (0, None, None, None)
        );
    }
}

/// Counts, and keeps entry 2.
#[derive(Default)]
struct Owner(u64);

impl Hooks for Owner {
    fn now_ms(&self) -> u64 {
        77
    }
    fn keep_from(&mut self, first: EntryId) -> EntryId {
        first.min(EntryId::new(2).unwrap())
    }
    fn on(&mut self, event: Event) {
        self.0 += u64::from(matches!(event, Event::Appended { .. }));
    }
}

#[test]
fn an_owner_behind_a_pointer_is_asked_and_told_all_the_same() {
    fn ask(mut owner: impl Hooks) -> (u64, [EntryId; 2]) {
        let ids = [1, 9].map(|number| EntryId::new(number).unwrap());
        owner.on(Event::Appended { id: ids[0], bytes: 1 });
        (owner.now_ms(), ids.map(|id| owner.keep_from(id)))
    }
    let mut owner = Owner::default();
    let asked = (77, [1, 2].map(|number| EntryId::new(number).unwrap()));
    assert_eq!(ask(&mut owner), asked);
    assert_eq!(ask(Box::new(&mut owner) as Box<dyn Hooks + '_>), asked);
    assert_eq!(owner.0, 2);
}

#[test]
fn segments_say_how_many_entries_they_hold() {
    let options = WalOptions::new().segment_bytes(256).buffer_bytes(256);
    let mut wal = RawWalWriter::open(MemoryDirectory::new(), options).unwrap();
    for _ in 0..50 {
        wal.append(b"x").unwrap();
    }
    let mut next = 1;
    for segment in wal.segments() {
        assert_eq!(segment.first_id(), next);
        next += segment.entry_count();
        assert_eq!(segment.last_id(), EntryId::new(next - 1));
    }
    assert_eq!(next, 51);
}
