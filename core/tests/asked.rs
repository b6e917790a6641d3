//! What is asked of a directory: no sync, no trim, no byte read or written beyond what is needed, and nothing left behind.
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

use durability_core::embedded_io::Write as _;
use durability_core::storage::{Capabilities, Directory as _, MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, Staged, StagedWriter, Step, WalOptions};
use durability_core::{CorruptionKind, EntryId, Error, ReadMode};

use within::{Shared, files_of, within};

const HEADER: u64 = 72;
const FRAME: usize = 16;

fn options() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256).log_id(7)
}

fn whole() -> Capabilities {
    files_of(u64::MAX)
}

fn segments(memory: &MemoryDirectory) -> Vec<String> {
    let mut names = memory.names();
    names.retain(|name| name != "wal/LOCK");
    names
}

fn open(dir: &Shared, options: WalOptions) -> RawWalWriter<Shared> {
    RawWalWriter::open(Rc::clone(dir), options).unwrap()
}

#[test]
fn a_commit_that_only_hands_over_syncs_nothing_and_a_name_is_synced_once() {
    let dir = within(&MemoryDirectory::new(), whole());
    let mut wal = StagedWriter::new(open(&dir, options())).unwrap();
    let (syncs, names) = (dir.done.syncs.get(), dir.done.folder_syncs.get());
    let mut commit = |sync: bool| {
        assert!(matches!(wal.stage(b"one").unwrap(), Staged::Done(_)));
        let mut commit = wal.begin(sync).unwrap().unwrap();
        commit.run(&dir).unwrap();
        let _ended = wal.end(commit).unwrap();
        (dir.done.syncs.get() - syncs, dir.done.folder_syncs.get() - names)
    };
    assert_eq!(commit(false), (0, 0));
    assert_eq!(commit(true), (1, 0), "the first segment's name was synced when it was made");
    assert_eq!(commit(false), (1, 0));
    assert_eq!(commit(true), (2, 0));
}

#[test]
fn a_segment_that_is_sealed_gives_back_its_room_if_that_is_worth_a_change_of_the_files_length() {
    // A sixteenth of it is not.
    for (end, trims) in [(1500, 0), (1496, 1), (1504, 0), (800, 1), (1600, 0)] {
        let dir = within(&MemoryDirectory::new(), whole());
        let mut wal = open(&dir, options().segment_bytes(1600));
        wal.append(&vec![1; end - usize::try_from(HEADER).unwrap() - FRAME]).unwrap();
        assert_eq!((wal.tail_bytes(), wal.segment_bytes()), (end as u64, 1600));
        wal.append(&[2; 1000]).unwrap();
        assert_eq!(wal.tail_segment(), 2);
        assert_eq!(dir.done.trims.get(), trims, "it ended at {end}");
    }
}

#[test]
fn room_is_written_in_pieces_that_end_where_pages_do() {
    let dir = within(&MemoryDirectory::new(), whole());
    let mut wal = open(&dir, options().segment_bytes(100_000).preallocate(true));
    dir.done.ends.borrow_mut().clear();
    assert!(wal.prepare_now().unwrap());
    let ends = dir.done.ends.borrow();
    assert_eq!(ends.last(), Some(&100_000));
    let inner = &ends[1..ends.len() - 1];
    assert_eq!(inner.len(), 100_000 / 8192, "{ends:?}");
    assert!(inner.iter().all(|end| end % 8192 == 0), "{ends:?}");
}

#[test]
fn a_preparation_that_is_dropped_leaves_nothing_at_whatever_step() {
    for steps in 0.. {
        let memory = MemoryDirectory::new();
        let dir = within(&memory, whole());
        let mut wal = open(&dir, options().segment_bytes(200_000).preallocate(true));
        let before = segments(&memory);
        let mut preparation = wal.prepare().unwrap().unwrap();
        let ready = (0..steps)
            .map(|_| preparation.step().unwrap())
            .any(|step| matches!(step, Step::Ready(_)));
        drop(preparation);
        assert_eq!(segments(&memory), before, "after {steps} steps");
        assert!(wal.prepare_now().unwrap(), "and another can be begun");
        if ready {
            assert!(steps > 4);
            break;
        }
    }
}

/// However much is in the segments: their headers, and the end of the last.
#[test]
fn a_log_that_was_closed_is_opened_without_being_read() {
    for pruned in [false, true] {
        let memory = MemoryDirectory::new();
        let dir = within(&memory, whole());
        let options = || options().segment_bytes(64 << 10);
        let mut wal = open(&dir, options());
        for _ in 0..300 {
            wal.append(&[7; 1000]).unwrap();
        }
        if pruned {
            wal.truncate_prefix(EntryId::new(150).unwrap()).unwrap();
        }
        let (first, next) = (wal.first_entry_id(), wal.next_entry_id());
        assert!(wal.segments().count() > 2);
        wal.close().unwrap();
        let before = dir.done.bytes_read.get();
        let wal = open(&dir, options());
        let read = dir.done.bytes_read.get() - before;
        assert_eq!((wal.first_entry_id(), wal.next_entry_id()), (first, next));
        assert!(read < 4096, "{read} bytes were read, pruned {pruned}");
    }
}

/// Its tail was opened, and nothing was put into it.
#[test]
fn a_log_that_was_closed_and_is_closed_again_is_as_it_was() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    wal.close().unwrap();
    let name = Name::new("wal/00000001.WAL").unwrap();
    let before = memory.contents(name).unwrap();
    for _ in 0..2 {
        let wal = RawWalWriter::open(memory.clone(), options()).unwrap();
        let wal = StagedWriter::new(wal).unwrap();
        wal.into_writer().unwrap().close().unwrap();
        assert_eq!(memory.contents(name).unwrap(), before);
    }
}

/// As reading all of it would: with another alignment, or in the other form.
#[test]
fn a_log_that_was_closed_is_gone_on_with_otherwise() {
    let ways = [(4, false), (16, false), (4, true), (16, true)];
    for (old, new) in ways.iter().flat_map(|old| ways.iter().map(move |new| (*old, *new))) {
        let found: Vec<_> = [false, true]
            .map(|scan| {
                let memory = MemoryDirectory::new();
                let options = |(alignment, compact): (u32, bool)| {
                    options().alignment(alignment).compact_frames(compact).scan_at_open(scan)
                };
                let mut wal = RawWalWriter::open(memory.clone(), options(old)).unwrap();
                for length in 0..30 {
                    wal.append(&vec![1; length]).unwrap();
                }
                wal.close().unwrap();
                let mut wal = RawWalWriter::open(memory.clone(), options(new)).unwrap();
                wal.append(b"after").unwrap();
                let segment = wal.tail_segment();
                wal.close().unwrap();
                let mut reader = RawWalReader::open(memory.clone(), options(new)).unwrap();
                let mut entries = reader.entries(ReadMode::Strict).unwrap();
                let mut shown = Vec::new();
                while let Some(entry) = entries.next().unwrap() {
                    shown.push((entry.payload.to_vec(), entry.segment, entry.offset));
                }
                (segment, shown, segments(&memory))
            })
            .into();
        assert_eq!(found[0], found[1], "{old:?}, then {new:?}");
        assert_eq!(found[0].0, if old == new { 1 } else { 2 }, "{old:?}, then {new:?}");
        assert_eq!(found[0].1.len(), 31);
    }
}

/// Padding a commit takes no unit more than it must.
#[test]
fn a_commit_that_lacks_just_a_frame_of_its_unit_is_filled_by_that() {
    for (lacks, end) in [(20, 512), (24, 512), (16, 1024), (0, 512)] {
        let dir = within(&MemoryDirectory::new(), whole());
        let mut wal = open(&dir, options().commit_alignment(512));
        // The first commit holds the header.
        let begin = usize::try_from(wal.tail_bytes()).unwrap() % 512;
        wal.append(&vec![1; 512 - begin - FRAME - lacks]).unwrap();
        let before = wal.tail_bytes();
        let _durable = wal.flush_and_sync().unwrap();
        let unit = before.next_multiple_of(512) - 512;
        assert_eq!(wal.tail_bytes(), unit + end, "{lacks} bytes are lacking at {before}");
    }
}

/// What a preparation has marked is that log's, and has that number; anything else with durable frames in it is damage.
#[test]
fn a_segment_is_taken_for_one_made_ready_only_by_its_own_mark() {
    let small = |log_id| options().log_id(log_id).segment_bytes(400);
    let mark = |log_id, number: u32| {
        let memory = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(memory.clone(), small(log_id).preallocate(true)).unwrap();
        while wal.prepared_segment() != Some(number) {
            if wal.prepared_segment().is_some() {
                assert!(wal.begin_prepared().unwrap());
            } else {
                assert!(wal.prepare_now().unwrap());
            }
        }
        let name = format!("wal/{number:08X}.WAL");
        memory.contents(Name::new(&name).unwrap()).unwrap()[..72].to_vec()
    };
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), small(7)).unwrap();
    while wal.tail_segment() < 3 {
        wal.append(&[3; 100]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    // A frame that says that others are durable.
    wal.append(b"more").unwrap();
    wal.close().unwrap();
    let name = Name::new("wal/00000003.WAL").unwrap();
    let tail = memory.contents(name).unwrap();
    for (log_id, number) in [(7, 5), (8, 3), (8, 5)] {
        let mut spoiled = tail.clone();
        spoiled[..72].copy_from_slice(&mark(log_id, number));
        memory.put(name, spoiled);
        match RawWalWriter::open(memory.clone(), small(7)) {
            Err(Error::Corrupt(found)) => assert_eq!(found.kind, CorruptionKind::FileHeader),
            other => panic!("marked for {log_id}, {number}: {other:?}"),
        }
        assert!(memory.contents(name).is_some());
    }
}

/// What stands behind a place in a file stays when less is written there.
#[test]
fn a_write_within_a_file_of_memory_leaves_what_is_behind_it() {
    let (memory, name) = (MemoryDirectory::new(), Name::new("one").unwrap());
    memory.put(name, b"0123456789".to_vec());
    let mut file = memory.reopen(name, 2).unwrap().unwrap();
    file.write_all(b"abc").unwrap();
    assert_eq!(memory.contents(name).unwrap(), b"01abc56789");
}

/// Of the dead segments one file is kept for whoever makes segments ready, as long as there is a writer; all others go, also while it is made ready.
#[test]
fn one_dead_segment_is_kept_to_be_used_again_and_no_second_one() {
    for asked in [false, true] {
        let memory = MemoryDirectory::new();
        let options = options().segment_bytes(400).preallocate(true).recycle(true);
        let mut wal = RawWalWriter::open(memory.clone(), options).unwrap();
        let fill = |wal: &mut RawWalWriter<MemoryDirectory>| {
            for _ in 0..8 {
                wal.append(&[1; 150]).unwrap();
            }
        };
        if asked {
            drop(wal.prepare().unwrap());
        }
        fill(&mut wal);
        let live = wal.segments().count();
        assert!(live > 4 && segments(&memory).len() == live);
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        let spare = usize::from(asked);
        assert_eq!(segments(&memory).len(), 1 + spare, "asked {asked}");
        fill(&mut wal);
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        assert_eq!(segments(&memory).len(), 1 + spare, "no second one, asked {asked}");
        // While it is made ready, another may be kept, and nothing else.
        let mut preparation = wal.prepare().unwrap().unwrap();
        let _working = preparation.step().unwrap();
        fill(&mut wal);
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        let _working = preparation.step().unwrap();
        assert_eq!(segments(&memory).len(), 3, "tail, spare, and what is made ready");
        drop(preparation);
        drop(wal);
        assert_eq!(segments(&memory).len(), 1, "who goes leaves none of them");
    }
}

/// The second look is at what the file holds by then.
#[test]
fn what_a_writer_completes_while_it_is_judged_is_no_torn_tail() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    wal.append(&[2; 90]).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    drop(wal);
    let name = Name::new("wal/00000001.WAL").unwrap();
    let whole = memory.contents(name).unwrap();
    // All that a reader finds if the second entry's last bytes come right behind the `at`th read, and where that was.
    let read = |at: usize| {
        let memory = MemoryDirectory::new();
        let torn = whole.len() - 30;
        memory.put(name, [&whole[..torn], &[0; 30]].concat());
        let dir = within(&memory, files_of(u64::MAX));
        let mut reader = RawWalReader::open(Rc::clone(&dir), options()).unwrap();
        let (offsets, told) = (Rc::new(RefCell::new(Vec::new())), memory.clone());
        let (seen, rest) = (Rc::clone(&offsets), whole[torn..].to_vec());
        *dir.done.on_read.borrow_mut() = Some(Box::new(move |offset| {
            seen.borrow_mut().push(offset);
            if seen.borrow().len() == at {
                let mut file = told.reopen(name, torn as u64).unwrap().unwrap();
                file.write_all(&rest).unwrap();
            }
        }));
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        let mut count = 0;
        let torn = loop {
            match entries.next() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break false,
                Err(Error::TornTail { .. }) => break true,
                Err(other) => panic!("{other}"),
            }
        };
        let offsets = offsets.borrow().clone();
        (count, torn, offsets)
    };
    let (count, torn, offsets) = read(usize::MAX);
    assert_eq!((count, torn), (1, true));
    // The first read of frames, and the last but one of all.
    let first = offsets.iter().position(|&offset| offset >= HEADER).unwrap() + 1;
    let (count, torn, _) = read(first);
    assert_eq!((count, torn), (2, false), "{offsets:?}");
    assert!(offsets.len() > first);
}

/// A listing need not be of one moment: it may miss a tail that says that a segment was pruned, and show that this is gone.
#[test]
fn a_hole_that_a_listing_shows_is_looked_at_again_by_a_reader() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options().segment_bytes(256)).unwrap();
    for number in 1..=4_u8 {
        wal.append(&[number; 150]).unwrap();
    }
    assert_eq!(wal.tail_segment(), 4);
    wal.truncate_prefix(EntryId::new(2).unwrap()).unwrap();
    assert_eq!(segments(&memory).len(), 3);
    drop(wal);
    let dir = within(&memory, files_of(u64::MAX));
    for missed in [None, Some("00000004.WAL")] {
        *dir.unlisted.borrow_mut() = missed;
        let mut reader = RawWalReader::open(Rc::clone(&dir), options()).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        assert_eq!(entries.next().unwrap().unwrap().id, 2, "{missed:?}");
    }
    // The tail is gone indeed: the second look finds the same.
    memory.remove(Name::new("wal/00000004.WAL").unwrap()).unwrap();
    match RawWalReader::open(dir, options()) {
        Err(Error::Corrupt(found)) => assert_eq!(found.kind, CorruptionKind::Hole { segment: 1 }),
        other => panic!("{other:?}"),
    }
}
