//! Laws of limits: what is exactly as large as allowed is taken, and one more is refused with nothing done; what a directory cannot do is not tried.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host, and may stop"
)]

mod within;

use std::rc::Rc;

use durability_core::recordlog::{RecordLogOptions, RecordLogWriter};
use durability_core::storage::{Capabilities, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, Limit, ReadMode};

use within::{files_of, within};

const HEADER: usize = 72;
const FRAME: usize = 16;

fn options() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256)
}

fn limit<T: std::fmt::Debug>(result: Result<T, Error<MemoryError>>) -> (Limit, u64, u64) {
    match result {
        Err(Error::Limit { what, found, limit }) => (what, found, limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_and_a_batch_fill_a_file_to_its_last_byte() {
    let dir = within(&MemoryDirectory::new(), files_of(512));
    let mut wal = RawWalWriter::open(dir, options()).unwrap();
    let whole = 512 - HEADER - FRAME;
    assert_eq!(limit(wal.append(&vec![1; whole + 1])), (Limit::FileBytes, 516, 512));
    assert_eq!(wal.append(&vec![1; whole]).unwrap(), EntryId::FIRST);
    assert_eq!((wal.tail_segment(), wal.tail_bytes()), (1, 512));
    let half = 220 - FRAME;
    assert_eq!(limit(wal.append_batch(&[vec![2; half], vec![2; half + 1]])).1, 516);
    let _ids = wal.append_batch(&[vec![2; half], vec![2; half]]).unwrap();
    assert_eq!((wal.tail_segment(), wal.tail_bytes()), (2, 512));
    assert_eq!(wal.last_entry_id().map(EntryId::get), Some(3));
}

#[test]
fn a_batch_is_as_large_as_it_may_be_and_no_larger() {
    let options = options().batch_bytes_max(64).batch_entries_max(3);
    let mut wal = RawWalWriter::open(MemoryDirectory::new(), options).unwrap();
    assert_eq!(limit(wal.append_batch(&[[0; 16], [0; 16], [0; 16]])).0, Limit::BatchBytes);
    assert_eq!(limit(wal.append_batch(&[[]; 4] as &[[u8; 0]])), (Limit::BatchEntries, 4, 3));
    let _ids = wal.append_batch(&[[0; 16], [0; 16]]).unwrap();
    let _ids = wal.append_batch(&[[]; 3] as &[[u8; 0]]).unwrap();
    assert_eq!(wal.last_entry_id().map(EntryId::get), Some(5));
}

#[test]
fn a_segment_is_filled_to_its_last_byte_and_not_beyond() {
    let options = || options().segment_bytes(256);
    let mut wal = RawWalWriter::open(MemoryDirectory::new(), options()).unwrap();
    let half = (256 - HEADER) / 2 - FRAME;
    for tail in [1, 1, 2, 2, 3] {
        wal.append(&vec![1; half]).unwrap();
        assert_eq!(wal.tail_segment(), tail);
    }
}

/// FORMAT.md: a length of thirteen bits, of which two values stand for none.
#[test]
fn a_compact_record_is_as_long_as_its_header_can_say() {
    let memory = MemoryDirectory::new();
    let options = || options().compact_frames(true);
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    assert_eq!(limit(wal.append(&vec![1; 8190])), (Limit::RecordBytes, 8190, 8189));
    wal.append(&vec![1; 8189]).unwrap();
    wal.close().unwrap();
    let mut reader = RawWalReader::open(memory, options()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    assert_eq!(entries.next().unwrap().unwrap().payload, vec![1; 8189]);
    assert!(entries.next().unwrap().is_none());
}

/// A mark may be all that a segment holds: then a record that fills a file needs the next.
#[test]
fn what_does_not_fit_behind_marks_goes_into_the_next_file() {
    let dir = within(&MemoryDirectory::new(), files_of(256));
    let mut wal = RawWalWriter::open(dir, options()).unwrap();
    wal.append(b"one").unwrap();
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    let marks = wal.tail_bytes();
    assert!(marks > HEADER as u64, "a prune mark");
    let (tail, whole) = (wal.tail_segment(), 256 - HEADER - FRAME);
    wal.append(&vec![1; whole]).unwrap();
    assert_eq!((wal.tail_segment(), wal.tail_bytes()), (tail + 1, 256));
}

/// In the segment that is there an entry more needs none; where it cannot be gone on with, it does.
#[test]
fn the_last_segment_that_is_allowed_is_gone_on_with_and_no_other_is_begun() {
    for reopen in [true, false] {
        let memory = MemoryDirectory::new();
        let can = Capabilities::new();
        let dir = within(&memory, if reopen { can.with_reopen() } else { can });
        let open = || RawWalWriter::open(Rc::clone(&dir), options().segments_max(1)).unwrap();
        let mut wal = open();
        wal.append(b"one").unwrap();
        let _ = wal.flush_and_sync().unwrap();
        drop(wal);
        let mut wal = open();
        if reopen {
            assert_eq!(wal.append(b"two").unwrap(), 2);
        } else {
            assert_eq!(limit(wal.append(b"two")), (Limit::Segments, 2, 1));
            assert!(!wal.is_poisoned(), "nothing was done");
        }
        assert_eq!(wal.tail_segment(), 1);
    }
}

/// Whether each of the two is asked for, and whether the directory can do what they take.
#[test]
fn a_dead_segment_is_used_again_only_where_room_is_wanted_and_that_was_asked_for() {
    for (preallocate, recycle) in [(false, false), (true, false), (false, true)] {
        let memory = MemoryDirectory::new();
        let options = options().segment_bytes(256).preallocate(preallocate).recycle(recycle);
        let mut wal = RawWalWriter::open(memory.clone(), options).unwrap();
        // Somebody makes segments ready, who would like to have it.
        assert!(wal.prepare_now().unwrap());
        for _ in 0..10 {
            wal.append(&[1; 100]).unwrap();
        }
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        let files = memory.names().into_iter().filter(|name| name != "wal/LOCK").count();
        assert_eq!(files, 1, "preallocate {preallocate}, recycle {recycle}");
    }
}

#[test]
fn no_file_is_made_ready_where_it_could_not_be_written_over() {
    let with = Capabilities::new();
    for (capabilities, expected) in [
        (with.with_reopen(), true),
        (with, false),
        (with.with_reopen().with_write_granule(16), false),
        (with.with_write_granule(16), false),
    ] {
        let dir = within(&MemoryDirectory::new(), capabilities);
        let options = options().segment_bytes(512).preallocate(true);
        let mut wal = RawWalWriter::open(dir, options).unwrap();
        wal.append(b"one").unwrap();
        assert_eq!(wal.prepare_now().unwrap(), expected, "{capabilities:?}");
    }
}

/// One that says where the log begins stands directly before the close frame already.
#[test]
fn closing_after_pruning_says_once_where_the_log_begins() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    let before = wal.tail_bytes();
    let name = format!("wal/{:08X}.WAL", wal.tail_segment());
    wal.close().unwrap();
    let after = memory.contents(Name::new(&name).unwrap()).unwrap().len() as u64;
    assert_eq!(after, before + 20, "the close frame alone");
}

mod record_log {
    use super::*;

    const CLOSE: u64 = 20;
    const RESUME: u64 = 24;

    fn path() -> Name<'static> {
        Name::new("EVENTS.LOG").unwrap()
    }

    fn options() -> RecordLogOptions {
        RecordLogOptions::new().alignment(4).buffer_bytes(256).read_bytes(256)
    }

    /// A log of one record that was not closed, and how long it is.
    fn log() -> (MemoryDirectory, u64) {
        let memory = MemoryDirectory::new();
        let mut log = RecordLogWriter::create(&memory, path(), options()).unwrap();
        log.append(b"one!").unwrap();
        let _ = log.flush_and_sync().unwrap();
        drop(log);
        let bytes = memory.contents(path()).unwrap().len() as u64;
        (memory, bytes)
    }

    #[test]
    fn a_file_that_has_room_for_what_opening_may_need_opens_and_a_fuller_one_does_not() {
        let (memory, end) = log();
        let open =
            |bytes| RecordLogWriter::resume(within(&memory, files_of(bytes)), path(), options());
        assert_eq!(
            limit(open(end + RESUME - 4)),
            (Limit::FileBytes, end + RESUME, end + RESUME - 4)
        );
        let mut log = open(end + RESUME).unwrap();
        assert_eq!(log.last_record(), Some(EntryId::FIRST));
        assert_eq!(limit(log.append(b"")).0, Limit::FileBytes);
    }

    /// Two frames, of which the second fits to the last byte, or lacks one alignment of it.
    #[test]
    fn a_close_frame_fills_the_file_to_its_last_byte_or_is_left_out() {
        for (room, closed) in [(RESUME + CLOSE, true), (RESUME + CLOSE - 4, false)] {
            let (memory, end) = log();
            let mut bytes = memory.contents(path()).unwrap();
            // Torn, and not blank: opening says that it is dead.
            bytes.extend([1; 4]);
            memory.put(path(), bytes);
            let dir = within(&memory, files_of(end + 4 + room));
            RecordLogWriter::resume(dir, path(), options()).unwrap().close().unwrap();
            let written = memory.contents(path()).unwrap().len() as u64;
            let expected = end + 4 + RESUME + if closed { CLOSE } else { 0 };
            assert_eq!(written, expected, "room for {room}");
        }
    }

    #[test]
    fn frames_that_are_no_whole_granules_are_not_gone_on_with() {
        let (memory, _) = log();
        let before = memory.contents(path());
        let coarse = within(&memory, files_of(1 << 20).with_write_granule(16));
        match RecordLogWriter::resume(coarse, path(), options().alignment(16)) {
            Err(Error::BadOption { option: "alignment", found: 4, min: 16, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(memory.contents(path()), before, "nothing was changed");
    }
}

mod checkpoint {
    use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointWriter};
    use durability_core::publish::{CheckpointPublisher, PublishOptions};
    use durability_core::recover::{RecoverOptions, recover_with_wal};
    use durability_core::walog::WalWriter;

    use super::*;

    const CHUNK: usize = 256;

    fn path() -> Name<'static> {
        Name::new("STATE.CKP").unwrap()
    }

    /// Writes that many chunks into a file of so many bytes: how far it came, and how long the file is.
    fn write(file_bytes: u64, chunks: usize) -> (Result<usize, Limit>, u64) {
        let memory = MemoryDirectory::new();
        let dir = within(&memory, files_of(file_bytes));
        let options = CheckpointOptions::new().chunk_bytes(256);
        let mut writer =
            CheckpointWriter::create(dir, path(), CheckpointMeta::default(), options).unwrap();
        let refused = (0..chunks).find_map(|chunk| {
            let put = writer.write_all(&[7; CHUNK]);
            put.is_err().then(|| (chunk, limit(put).0))
        });
        let ended = match refused {
            Some((chunk, limit)) => {
                drop(writer);
                assert_eq!(limit, Limit::FileBytes);
                Ok(chunk)
            }
            None => match writer.finish() {
                Ok(_) => Ok(chunks),
                finished => Err(limit(finished).0),
            },
        };
        (ended, memory.contents(path()).unwrap().len() as u64)
    }

    #[test]
    fn a_checkpoint_fills_its_file_to_the_last_byte_and_not_beyond() {
        let (ended, bytes) = write(1 << 20, 3);
        assert_eq!(ended, Ok(3));
        assert_eq!(write(bytes, 3), (Ok(3), bytes));
        // The end frame lacks an alignment.
        let (ended, short) = write(bytes - 4, 3);
        assert_eq!(ended, Err(Limit::FileBytes));
        assert!(short <= bytes - 4);
        // Chunks up to the last byte, and then no end; a chunk that lacks an alignment is not begun.
        let end = bytes - short;
        assert_eq!(write(bytes - end, 3).0, Err(Limit::FileBytes));
        let (ended, shorter) = write(bytes - end - 4, 3);
        assert_eq!(ended, Ok(2), "the third is refused");
        assert!(shorter <= bytes - end - 4);
    }

    /// A system keeps files in pages: a write that ends within one is paid for twice.
    #[test]
    fn what_is_written_of_a_large_checkpoint_ends_with_a_page() {
        for (chunk_bytes, page) in [(64 << 10, 4096), (200_000, 4096), (4096, 256), (256, 16)] {
            let dir = within(&MemoryDirectory::new(), files_of(1 << 30));
            let options = CheckpointOptions::new().chunk_bytes(chunk_bytes);
            let meta = CheckpointMeta::default();
            let mut writer =
                CheckpointWriter::create(Rc::clone(&dir), path(), meta, options).unwrap();
            let chunk = vec![3; chunk_bytes as usize];
            for _ in 0..20 {
                writer.write_all(&chunk).unwrap();
            }
            let _summary = writer.finish().unwrap();
            let ends = dir.done.ends.borrow();
            // The header, twenty chunks, and what was left with the end.
            assert_eq!(ends.len(), 22, "{chunk_bytes}");
            for end in &ends[1..21] {
                assert_eq!(end % page, 0, "chunks of {chunk_bytes} bytes");
            }
        }
    }

    /// The state before a schema was changed is no damage to the one after.
    #[test]
    fn an_older_checkpoint_of_another_schema_is_passed_over() {
        let dir = MemoryDirectory::new();
        let mut wal = WalWriter::<u64, _>::open(dir.clone(), options()).unwrap();
        for (tag, state) in [(1, 10_u64), (2, 20)] {
            wal.append(&1).unwrap();
            let options = PublishOptions::new().keep(2).tag(tag);
            let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
            let _told = publisher.publish(&mut wal, &state).unwrap();
        }
        wal.append(&5).unwrap();
        let tagged = RecoverOptions::new().tag(2);
        let found = recover_with_wal(&mut wal, &tagged, 0, |sum: &mut u64, _, entry| {
            *sum += entry;
            Ok::<(), Error<MemoryError>>(())
        });
        assert_eq!(found.unwrap().state, 25);
    }
}
