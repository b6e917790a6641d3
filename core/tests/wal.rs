//! Laws of the write-ahead log, on a directory in memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::storage::{Directory, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    Event, FlushPolicy, Hooks, RawWalReader, RawWalWriter, WalOptions, WalReader, WalWriter,
};
use durability_core::{EntryId, Error, ReadMode};

/// These laws are run on compact frames as well, as a part of `compact.rs`.
fn is_compact() -> bool {
    module_path!().starts_with("compact")
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn small() -> WalOptions {
    let small = WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256);
    small.compact_frames(is_compact())
}

fn replay(dir: &MemoryDirectory) -> Vec<(u64, String)> {
    let mut reader = WalReader::<String, _>::open(dir.clone(), small()).unwrap();
    reader.replay().unwrap().into_iter().map(|(id, text)| (id.get(), text)).collect()
}

fn fill(dir: &MemoryDirectory, count: u64) -> WalWriter<String, MemoryDirectory> {
    let mut wal = WalWriter::open(dir.clone(), small()).unwrap();
    let first = wal.next_entry_id().get();
    for number in first..first + count {
        assert_eq!(wal.append(&format!("entry {number}")).unwrap(), number);
    }
    let _ = wal.flush_and_sync().unwrap();
    wal
}

fn expected(range: core::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    range.map(|number| (number, format!("entry {number}"))).collect()
}

#[test]
fn what_is_appended_is_replayed_across_rotations_and_reopening() {
    let dir = MemoryDirectory::new();
    for round in 1..=5 {
        let wal = fill(&dir, 20);
        assert_eq!(wal.last_entry_id(), EntryId::new(round * 20));
        assert!(wal.segments().count() > if is_compact() { 1 } else { 3 });
        drop(wal);
        assert_eq!(replay(&dir), expected(1..=round * 20));
    }
}

#[test]
fn records_larger_than_buffer_and_segment_are_streamed() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), small()).unwrap();
    let mut typed = Vec::new();
    let longest = if is_compact() { 8000 } else { 100_000 };
    for bytes in [0, 1, 100, 239, 240, 241, 255, 256, 257, 512, 5000, longest] {
        wal.append(&vec![7; bytes]).unwrap();
        typed.push(vec![7_u8; bytes]);
    }
    wal.append_batch(&typed).unwrap();
    wal.close().unwrap();
    let mut wal = WalWriter::<Vec<u8>, _>::open(dir.clone(), small()).unwrap();
    for entry in &typed {
        wal.append(entry).unwrap();
    }
    wal.append_batch(&typed).unwrap();
    wal.close().unwrap();
    let mut reader = RawWalReader::open(dir, small()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    for index in 0..48 {
        let entry = entries.next().unwrap().unwrap();
        let expected = &typed[index % 12];
        let payload = if index < 24 {
            entry.payload.to_vec()
        } else {
            postcard::from_bytes(entry.payload).unwrap()
        };
        assert_eq!(&payload, expected, "entry {index}");
    }
    assert!(entries.next().unwrap().is_none());
}

#[test]
fn every_truncation_of_the_tail_is_a_prefix_and_goes_on_after_resume() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<String, _>::open(dir.clone(), WalOptions::new()).unwrap();
    for number in 1..=5 {
        wal.append(&format!("entry {number}")).unwrap();
    }
    wal.append_batch(&["entry 6".into(), "entry 7".into()]).unwrap();
    drop(wal);
    let name = Name::new("wal/00000001.WAL").unwrap();
    let whole = dir.contents(name).unwrap();
    for cut in 72..whole.len() {
        for zeros in [0, 4096] {
            let torn = MemoryDirectory::new();
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + zeros, 0);
            torn.put(name, bytes);
            let mut reader =
                WalReader::<String, _>::open(torn.clone(), small()).unwrap().best_effort();
            let before = reader.replay().unwrap();
            assert_ne!(before.len(), 6, "a batch is whole or absent");
            let mut wal = WalWriter::<String, _>::resume(torn.clone(), small()).unwrap();
            assert_eq!(wal.last_entry_id().map_or(0, EntryId::get), before.len() as u64);
            let next = wal.append(&"next".into()).unwrap();
            wal.close().unwrap();
            let after = replay(&torn);
            assert_eq!(after.len(), before.len() + 1);
            assert_eq!(after.last().unwrap(), &(next.get(), "next".into()));
        }
    }
}

#[test]
fn prefix_truncation_drops_whole_segments_and_keeps_ids() {
    let dir = MemoryDirectory::new();
    let mut wal = fill(&dir, 50);
    wal.truncate_prefix(id(25)).unwrap();
    let first = wal.first_entry_id().get();
    assert!(first > 10 && first <= 25, "{first}");
    assert_eq!(replay(&dir), expected(first..=50));
    wal.append(&"entry 51".into()).unwrap();
    drop(wal);
    assert_eq!(replay(&dir), expected(first..=51));
    let mut reader = WalReader::<String, _>::open(dir, small()).unwrap();
    assert!(matches!(reader.replay_from(id(1)), Err(Error::Gap { .. })));
}

#[test]
fn suffix_truncation_at_every_id_goes_on_with_that_id() {
    for from in 1..=51 {
        let dir = MemoryDirectory::new();
        let mut wal = fill(&dir, 50);
        wal.truncate_suffix(id(from)).unwrap();
        assert_eq!(wal.next_entry_id(), from);
        assert_eq!(replay(&dir), expected(1..=from - 1));
        assert_eq!(wal.append(&format!("entry {from}")).unwrap(), from);
        drop(wal);
        assert_eq!(replay(&dir), expected(1..=from));
        let wal = fill(&dir, 20);
        drop(wal);
        assert_eq!(replay(&dir), expected(1..=from + 20));
    }
}

#[test]
fn truncation_to_empty_keeps_the_ids() {
    let dir = MemoryDirectory::new();
    let mut wal = fill(&dir, 50);
    wal.truncate_to_empty().unwrap();
    assert_eq!(wal.entry_count(), 0);
    drop(wal);
    assert_eq!(replay(&dir), []);
    let wal = fill(&dir, 1);
    assert_eq!(wal.last_entry_id(), EntryId::new(51));
    drop(wal);
    assert_eq!(replay(&dir), expected(51..=51));
    assert_eq!(dir.names().len(), 1);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let dir = MemoryDirectory::new();
    let wal = fill(&dir, 1);
    for result in [
        WalWriter::<String, _>::new(dir.clone(), small()),
        WalWriter::<String, _>::resume(dir.clone(), small()),
        WalWriter::<String, _>::open(dir.clone(), small()),
    ] {
        assert!(matches!(result, Err(Error::Held { .. })));
    }
    drop(wal);
    assert!(matches!(WalWriter::<String, _>::new(dir.clone(), small()), Err(Error::Exists { .. })));
    assert!(WalWriter::<String, _>::resume(dir, small()).is_ok());
}

#[test]
fn every_flipped_bit_is_an_error_or_only_the_last_sync_is_lost() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<String, _>::open(dir.clone(), small().mark_after_sync(true)).unwrap();
    for number in 1..=20 {
        wal.append(&format!("entry {number}")).unwrap();
        let _ = wal.flush_and_sync().unwrap();
    }
    wal.close().unwrap();
    let names = dir.names();
    let mut silent = 0;
    for file in &names {
        let name = Name::new(file).unwrap();
        let whole = dir.contents(name).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            dir.put(name, bytes);
            let strict = WalReader::<String, _>::open(dir.clone(), small())
                .and_then(|mut reader| reader.replay());
            let lenient = WalReader::<String, _>::open(dir.clone(), small())
                .and_then(|reader| reader.best_effort().replay());
            if let Ok(entries) = lenient {
                assert_eq!(entries.len(), 20, "{file}, bit {bit}: lost silently");
                silent += 1;
            }
            if let Ok(entries) = strict {
                assert_eq!(entries.len(), 20);
            }
        }
        dir.put(name, whole);
    }
    // At most three bytes of padding behind each entry and each mark, and the close frame.
    assert!(silent <= 20 * 6 * 8 + 24 * 8, "{silent}");
}

#[test]
fn flush_policies_hold_after_resume() {
    // A frame of such an entry takes 20 bytes.
    for (policy, every) in [
        (FlushPolicy::EveryAppend, 1),
        (FlushPolicy::EveryEntries(3), 3),
        (FlushPolicy::EveryBytes(40), 2),
        (FlushPolicy::EveryBytes(41), 3),
    ] {
        let dir = MemoryDirectory::new();
        for _ in 0..3 {
            let options = WalOptions::new().flush_policy(policy);
            let mut wal = WalWriter::<String, _>::resume(dir.clone(), options).unwrap();
            let before = replay(&dir).len();
            for appended in 1..=7 {
                wal.append(&"x".into()).unwrap();
                assert_eq!(replay(&dir).len() - before, appended / every * every);
            }
        }
    }
}

#[test]
fn a_poisoned_writer_acknowledges_nothing_and_reopening_recovers() {
    let dir = MemoryDirectory::new();
    let mut wal = fill(&dir, 10);
    dir.set_bytes_max(0);
    wal.append(&"lost".into()).unwrap();
    let error = wal.flush_and_sync().unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert!(matches!(wal.flush_and_sync(), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.append(&"more".into()), Err(Error::Poisoned { .. })));
    drop(wal);
    // A full disk still opens.
    let wal = WalWriter::<String, _>::open(dir.clone(), small()).unwrap();
    assert_eq!(wal.last_entry_id(), EntryId::new(10));
    drop(wal);
    dir.set_bytes_max(u64::MAX);
    let _ = fill(&dir, 1);
    assert_eq!(replay(&dir), expected(1..=11));
}

#[test]
fn the_dyn_form_is_a_directory_too() -> Result<(), Error<MemoryError>> {
    let dir = MemoryDirectory::arc();
    let mut wal = WalWriter::open(dir.clone(), WalOptions::new())?;
    wal.append(&1_u32)?;
    wal.close()?;
    assert_eq!(WalReader::<u32, _>::open(dir.clone(), WalOptions::new())?.replay()?.len(), 1);
    assert!(dir.capabilities().reopen());
    Ok(())
}

/// A clock that a test moves, and everything that the log told.
#[derive(Default)]
struct Owner {
    now_ms: u64,
    events: Vec<Event>,
}

impl Hooks for Owner {
    fn now_ms(&self) -> u64 {
        self.now_ms
    }
    fn on(&mut self, event: Event) {
        self.events.push(event);
    }
}

#[test]
fn a_segment_of_age_is_rotated_by_the_next_append_and_across_reopening() {
    let dir = MemoryDirectory::new();
    let options = WalOptions::new().segment_age_ms_max(1000);
    let mut owner = Owner { now_ms: 5000, ..Owner::default() };
    let mut wal = RawWalWriter::open_with(dir.clone(), options.clone(), &mut owner).unwrap();
    wal.append(b"one").unwrap();
    wal.hooks_mut().now_ms = 5999;
    wal.append(b"two").unwrap();
    assert_eq!(wal.segments().count(), 1);
    wal.hooks_mut().now_ms = 6000;
    wal.append(b"three").unwrap();
    assert_eq!(wal.segments().count(), 2);
    wal.close().unwrap();
    owner.now_ms = 7000;
    let mut wal = RawWalWriter::open_with(dir, options, &mut owner).unwrap();
    wal.append(b"four").unwrap();
    let ranges: Vec<_> = wal.segments().collect();
    assert_eq!(ranges.len(), 3);
    assert_eq!((ranges[0].first_id().get(), ranges[0].last_id()), (1, EntryId::new(2)));
    assert_eq!((ranges[2].entry_count(), ranges[2].is_sealed()), (1, false));
}

#[test]
fn the_owner_is_told_of_appends_flushes_syncs_rotations_and_deletions() {
    let mut owner = Owner::default();
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open_with(dir, small(), &mut owner).unwrap();
    for _ in 0..20 {
        wal.append(&[1; 40]).unwrap();
    }
    wal.flush().unwrap();
    wal.truncate_prefix(id(15)).unwrap();
    drop(wal);
    let count =
        |wanted: fn(&Event) -> bool| owner.events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Appended { bytes: 40, .. })), 20);
    assert!(count(|event| matches!(event, Event::Flushed { .. })) >= 1);
    assert!(count(|event| matches!(event, Event::Rotated { .. })) > 4);
    assert!(count(|event| matches!(event, Event::Deleting { .. })) > 2);
    let syncs = count(|event| matches!(event, Event::Synced { .. }));
    assert_eq!(syncs, count(|event| matches!(event, Event::Syncing)));
    assert!(syncs > 4);
}

#[test]
fn what_opening_repaired_is_reported() {
    let dir = MemoryDirectory::new();
    drop(fill(&dir, 2));
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut bytes = dir.contents(name).unwrap();
    bytes.extend_from_slice(b"half a frame");
    dir.put(name, bytes);
    let wal = WalWriter::<String, _>::open(dir.clone(), small()).unwrap();
    let torn = wal.torn_tail().unwrap();
    assert_eq!((torn.file.as_name(), torn.bytes), (name, 12));
    drop(wal);
    let wal = WalWriter::<String, _>::open(dir, small()).unwrap();
    assert!(wal.torn_tail().is_none());
}
