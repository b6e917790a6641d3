//! What a writer tells, hands out and holds back: bounds, figures, names, files of segments to come.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host, and may stop"
)]

mod within;

use std::cell::RefCell;
use std::rc::Rc;

use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    Event, Hooks, RawWalReader, RawWalWriter, Staged, StagedWriter, Step, WalOptions, WalReader,
    WalWriter,
};
use durability_core::{EntryId, Error, ReadMode};

use within::{Shared, files_of, within};

fn options() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256).log_id(7)
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn shared() -> Shared {
    within(&MemoryDirectory::new(), files_of(u64::MAX))
}

fn segments(memory: &MemoryDirectory) -> Vec<String> {
    let mut names = memory.names();
    names.retain(|name| name != "wal/LOCK");
    names
}

/// Holds back what it is told to, and remembers what it was asked and told.
#[derive(Default, Clone)]
struct Holding {
    from: Option<u64>,
    asked: Rc<RefCell<Vec<u64>>>,
    told: Rc<RefCell<Vec<(u64, u64)>>>,
}

impl Hooks for Holding {
    fn keep_from(&mut self, first: EntryId) -> EntryId {
        self.asked.borrow_mut().push(first.get());
        self.from.map_or(first, id)
    }

    fn on(&mut self, event: Event) {
        if let Event::HeldBack { first, kept_from } = event {
            self.told.borrow_mut().push((first.get(), kept_from.get()));
        }
    }
}

#[test]
fn what_is_held_back_stays_and_that_is_told_and_nothing_else_is() {
    // Two entries a segment. Held from, pruned before: what was asked, what was told, the first entry that is left.
    type Case = (Option<u64>, u64, &'static [u64], &'static [(u64, u64)], u64);
    let cases: [Case; 8] = [
        (None, 7, &[7], &[], 7),
        (Some(7), 7, &[7], &[], 7),
        (Some(100), 7, &[7], &[], 7),
        (Some(6), 7, &[7], &[(7, 5)], 5),
        (Some(5), 8, &[7], &[(7, 5)], 5),
        (Some(3), 8, &[7], &[(7, 3)], 3),
        (Some(1), 8, &[7], &[(7, 1)], 1),
        (Some(1), 2, &[], &[], 1),
    ];
    for (from, before, asked, told, left) in cases {
        let hooks = Holding { from, ..Holding::default() };
        let options = options().segment_bytes(310);
        let mut wal =
            RawWalWriter::open_with(MemoryDirectory::new(), options, hooks.clone()).unwrap();
        for _ in 0..10 {
            wal.append(&[1; 100]).unwrap();
        }
        let firsts: Vec<u64> = wal.segments().map(|segment| segment.first_id().get()).collect();
        assert_eq!(firsts, [1, 3, 5, 7, 9]);
        wal.truncate_prefix(id(before)).unwrap();
        assert_eq!(wal.first_entry_id().get(), left, "{from:?}, before {before}");
        assert_eq!(*hooks.asked.borrow(), asked, "{from:?}, before {before}");
        assert_eq!(*hooks.told.borrow(), told, "{from:?}, before {before}");
    }
}

#[test]
fn a_truncation_to_where_a_segment_begins_leaves_nothing_of_it() {
    for from in 1..=11 {
        let memory = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(memory.clone(), options().segment_bytes(310)).unwrap();
        for _ in 0..10 {
            wal.append(&[1; 100]).unwrap();
        }
        wal.truncate_suffix(id(from)).unwrap();
        // Two a segment, and the one that is begun behind the cut; nothing is cut behind the last.
        let kept = (from - 1).div_ceil(2) + u64::from(from <= 10);
        assert_eq!(wal.segments().count() as u64, kept, "from {from}");
        assert_eq!(segments(&memory).len() as u64, kept, "from {from}");
        assert_eq!(wal.next_entry_id(), id(from));
    }
}

#[test]
fn ids_that_are_to_come_are_not_truncated_to() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    let before = memory.contents(Name::new("wal/00000001.WAL").unwrap());
    for ask in [RawWalWriter::truncate_prefix, RawWalWriter::truncate_suffix] {
        let Err(Error::Gap { needed, first, last }) = ask(&mut wal, id(3)) else {
            panic!("entry 3 is not there")
        };
        assert_eq!((needed, first, last), (id(3), Some(id(1)), Some(id(1))));
    }
    assert_eq!(memory.contents(Name::new("wal/00000001.WAL").unwrap()), before);
    wal.truncate_suffix(id(2)).unwrap();
    wal.truncate_prefix(id(2)).unwrap();
}

/// A log's first segment has none: nothing would tell what a crash leaves in it from a damaged log. Nor has one that is begun while another is prepared.
#[test]
fn room_is_reserved_for_all_segments_but_the_first() {
    for (preallocate, prepared, expected) in
        [(false, false, 0), (true, false, 4096), (true, true, 0)]
    {
        let dir = shared();
        let options = options().segment_bytes(4096).preallocate(preallocate);
        let mut wal = RawWalWriter::open(Rc::clone(&dir), options).unwrap();
        if prepared {
            // Given up, but asked for.
            drop(wal.prepare().unwrap());
        }
        wal.append(&[1; 4000]).unwrap();
        wal.append(&[1; 4000]).unwrap();
        assert_eq!(*dir.done.rooms.borrow(), [0, expected], "{preallocate}, {prepared}");
    }
}

fn staged(dir: &Shared, options: WalOptions) -> StagedWriter<Shared> {
    StagedWriter::new(RawWalWriter::open(Rc::clone(dir), options).unwrap()).unwrap()
}

fn stage(wal: &mut StagedWriter<Shared>, payload: &[u8]) -> bool {
    matches!(wal.stage(payload).unwrap(), Staged::Done(_))
}

#[test]
fn a_staged_writer_says_what_waits_for_a_sync_and_what_was_handed_over() {
    let dir = shared();
    let mut wal = staged(&dir, options());
    assert_eq!(wal.unsynced_bytes(), 0);
    for (sync, waits) in [(false, 20), (false, 40), (true, 0), (false, 20)] {
        assert!(stage(&mut wal, b"four"));
        let mut commit = wal.begin(sync).unwrap().unwrap();
        commit.run(&dir).unwrap();
        let _through = wal.end(commit).unwrap();
        assert_eq!(wal.unsynced_bytes(), waits);
    }
    // Nothing is staged: all was handed over, durable or not.
    assert_eq!(wal.flushed_through(), Some(id(4)));
    wal.whole(|_| ()).unwrap();
    assert_eq!(wal.flushed_through(), Some(id(4)));
    assert_eq!(wal.whole(|writer| writer.durable_through()).unwrap(), Some(id(3)));
}

#[test]
fn what_is_larger_than_the_buffer_is_staged_into_a_full_one_once() {
    let dir = shared();
    let mut wal = staged(&dir, options());
    assert!(stage(&mut wal, &[1; 256 - 16]), "exactly full");
    assert_eq!(wal.staged_bytes(), 256);
    assert!(!stage(&mut wal, b""), "there is no room for it");
    assert!(stage(&mut wal, &[2; 300]), "it never fits the buffer");
    assert!(!stage(&mut wal, &[3; 300]), "memory is bounded");
}

/// While a commit runs, more may be staged: to the last byte of that.
#[test]
fn what_is_staged_beside_a_commit_fills_its_room_to_the_last_byte() {
    let most = 1024;
    let filled = |frame: usize| {
        let dir = shared();
        let mut wal = staged(&dir, options()).staged_bytes_max(most);
        assert!(stage(&mut wal, b"one"));
        let mut commit = wal.begin(true).unwrap().unwrap();
        while stage(&mut wal, &vec![1; frame - 16]) {}
        let bytes = wal.staged_bytes();
        commit.run(&dir).unwrap();
        let _through = wal.end(commit).unwrap();
        bytes
    };
    for frame in [16, 32, 64, 128, 256] {
        assert_eq!(filled(frame), most, "frames of {frame} bytes");
    }
    // What fills it is no less welcome where memory must be made for it.
    let dir = shared();
    let mut wal = staged(&dir, options()).staged_bytes_max(most);
    assert!(stage(&mut wal, b"one"));
    let mut commit = wal.begin(true).unwrap().unwrap();
    assert!(stage(&mut wal, &[1; 272 - 16]));
    assert!(stage(&mut wal, &vec![1; most - 272 - 16]));
    assert_eq!(wal.staged_bytes(), most);
    commit.run(&dir).unwrap();
    let _through = wal.end(commit).unwrap();
}

#[test]
fn a_staged_writer_prepares_the_next_segment_and_begins_it() {
    let dir = shared();
    let mut wal = staged(&dir, options().segment_bytes(4096).preallocate(true));
    assert!(stage(&mut wal, b"one"));
    let mut preparation = wal.prepare().unwrap().unwrap();
    let number = preparation.segment().unwrap();
    let prepared = loop {
        if let Step::Ready(prepared) = preparation.step().unwrap() {
            break prepared;
        }
    };
    assert_eq!((prepared.segment(), preparation.segment()), (number, None));
    wal.install(prepared);
    assert!(wal.prepare().unwrap().is_none(), "one is ready");
    let found = wal.whole(|writer| {
        assert_eq!(writer.prepared_segment(), Some(number));
        assert!(writer.begin_prepared().unwrap());
        writer.tail_segment()
    });
    assert_eq!(found.unwrap(), number);
}

/// The pad is staged; nothing is written before the commit runs.
#[test]
fn a_commit_is_padded_in_memory_however_much_that_is() {
    for (unit, alignment) in [(512, 4), (512, 256), (4096, 4), (4096, 256)] {
        let dir = shared();
        let mut wal = staged(&dir, options().commit_alignment(unit).alignment(alignment));
        for length in (0..600).step_by(7) {
            assert!(stage(&mut wal, &vec![1; length]), "{unit}, {alignment}, {length}");
            let before = dir.done.ends.borrow().len();
            let mut commit = wal.begin(true).unwrap().unwrap();
            assert_eq!(dir.done.ends.borrow().len(), before, "{unit}, {alignment}, {length}");
            commit.run(&dir).unwrap();
            let _through = wal.end(commit).unwrap();
            assert_eq!(dir.done.ends.borrow().len(), before + 1, "one write");
        }
    }
}

#[test]
fn a_commit_that_fails_names_the_file_that_it_was_for() {
    let memory = MemoryDirectory::new();
    let dir = within(&memory, files_of(u64::MAX));
    let mut wal = staged(&dir, options());
    assert!(stage(&mut wal, b"one"));
    let mut commit = wal.begin(true).unwrap().unwrap();
    commit.run(&dir).unwrap();
    let _through = wal.end(commit).unwrap();
    let mut rotation = wal.begin_rotation().unwrap();
    rotation.run(&dir).unwrap();
    let _through = wal.end(rotation).unwrap();
    assert!(stage(&mut wal, b"two"));
    memory.set_bytes_max(1);
    let mut commit = wal.begin(true).unwrap().unwrap();
    let Err(Error::Store { file, .. }) = commit.run(&dir) else { panic!("there was room") };
    assert_eq!(file.as_name().to_string(), "wal/00000002.WAL");
    // It is handed back all the same, and so is a writer that is poisoned.
    assert!(wal.end(commit).is_err());
    assert!(wal.into_writer().unwrap().is_poisoned());
}

/// As one that commits, or flushes: what follows tells that what was before is durable.
#[test]
fn a_writer_that_is_whole_again_speaks_for_what_was_synced() {
    let memory = MemoryDirectory::new();
    let dir = within(&memory, files_of(u64::MAX));
    let mut wal = staged(&dir, options());
    assert!(stage(&mut wal, b"the first one"));
    let mut commit = wal.begin(true).unwrap().unwrap();
    assert!(stage(&mut wal, b"the second one"));
    commit.run(&dir).unwrap();
    let _through = wal.end(commit).unwrap();
    drop(wal.into_writer().unwrap());
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut bytes = memory.contents(name).unwrap();
    bytes[72 + 16] ^= 1;
    memory.put(name, bytes);
    let mut reader = RawWalReader::open(memory, options()).unwrap();
    let found = reader.entries(ReadMode::BestEffort).unwrap().next().map(drop);
    assert!(matches!(found, Err(Error::Corrupt(_))), "{found:?}");
}

#[test]
fn a_typed_log_tells_what_the_raw_one_does() {
    let memory = MemoryDirectory::new();
    let mut wal = WalWriter::<u32, _>::open(memory.clone(), options()).unwrap();
    assert_eq!((wal.entry_count(), wal.durable_through()), (0, None));
    for value in 1..=3 {
        wal.append(&value).unwrap();
    }
    assert_eq!((wal.entry_count(), wal.durable_through()), (3, None));
    let _durable = wal.flush_and_sync().unwrap();
    assert_eq!((wal.entry_count(), wal.durable_through()), (3, Some(id(3))));
    let mut reader = WalReader::<u32, _>::open(memory, options().segment_bytes(128)).unwrap();
    let first = reader.raw().segment_numbers().collect::<Vec<_>>();
    wal.truncate_suffix(id(2)).unwrap();
    reader.refresh().unwrap();
    assert_ne!(
        reader.raw().segment_numbers().collect::<Vec<_>>(),
        first,
        "another segment was begun"
    );
}

/// In the tail that cannot be gone on with.
#[test]
fn a_file_that_cannot_be_opened_again_for_another_reason_is_an_error() {
    use within::Reopening;
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    drop(wal);
    let dir = within(&memory, files_of(u64::MAX));
    let mut wal = RawWalWriter::open(Rc::clone(&dir), options()).unwrap();
    dir.reopening.set(Reopening::Fails);
    let failed = wal.append(b"two");
    assert!(
        matches!(failed, Err(Error::Store { source: MemoryError::NotFound, .. })),
        "{failed:?}"
    );
}
