//! Appending around the system's cache: the same bytes, the same lengths, whatever the cuts, and the same log.
//!
//! What it asks of the system is told in `syscalls.rs`; that a file system may refuse it, too.

use std::path::Path;
use std::thread;

use durability::embedded_io::Write;
use durability::shared::{RawSharedWal, SharedOptions, SharedWal};
use durability::storage::{AppendFile, Directory, FsAppender, FsDirectory, FsOptions};
use durability::walog::{
    Preparation, Prepared, RawFollower, RawWalReader, RawWalWriter, Reach, Step, WalOptions,
};
use durability::{EntryId, ReadMode};

use crate::common::{append, content, name, skip};

pub(crate) fn directory(path: &Path) -> FsDirectory {
    FsDirectory::with_options(path, FsOptions::new().direct_io(true)).unwrap()
}

fn scratch() -> (tempfile::TempDir, FsDirectory) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = directory(&scratch.path().join("root"));
    (scratch, dir)
}

/// Whether this file system does it at all; says so if not. Only Linux can.
fn works(dir: &FsDirectory) -> bool {
    let works = dir.create(name("probe"), 64 << 10).unwrap().unwrap().is_direct();
    dir.remove(name("probe")).unwrap();
    if !works {
        skip("nothing goes around the cache here");
    }
    works
}

/// Numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// Any but zero.
    fn byte(&mut self) -> u8 {
        u8::try_from(1 + self.below(255)).unwrap()
    }
}

/// A file that is to be used again loses its header durably before anything else of it, or a cut leaves an old segment that looks damaged.
#[test]
fn a_block_that_is_written_in_part_keeps_the_rest_of_it() {
    let (_scratch, dir) = scratch();
    if !works(&dir) {
        return;
    }
    for at in [0_usize, 32, 5000] {
        let mut file = dir.create(name("used"), 0).unwrap().unwrap();
        file.write_all(&vec![0xAA; 64 << 10]).unwrap();
        file.sync_data().unwrap();
        drop(file);
        let mut expected = vec![0xAA; 64 << 10];
        let mut file = dir.reopen(name("used"), at as u64).unwrap().unwrap();
        for from in [at, at + 32] {
            assert!(file.is_direct());
            file.write_all(&[1; 32]).unwrap();
            file.sync_data().unwrap();
            expected[from..from + 32].fill(1);
            assert!(content(&dir, "used").as_deref() == Some(&expected[..]), "at {from}");
        }
        drop(file);
        dir.remove(name("used")).unwrap();
    }
}

#[test]
fn what_goes_around_the_cache_reads_as_it_was_written() {
    let (_scratch, dir) = scratch();
    if !works(&dir) {
        return;
    }
    let mut numbers = Numbers(1);
    let mut around = 0;
    for round in 0..60 {
        // Room of whole blocks and of others, and what follows it.
        let room = 1 + numbers.below(300_000);
        let file = format!("wal/{round}");
        let mut appender = dir.create(name(&file), room as u64).unwrap().unwrap();
        let mut model = vec![0; room];
        let mut position = 0;
        while position < room + 10_000 {
            let most = [10, 600, 5_000, 100_000][numbers.below(4)];
            let bytes: Vec<u8> = (0..numbers.below(most)).map(|_| numbers.byte()).collect();
            around += u64::from(appender.is_direct());
            append(&mut appender, &bytes);
            model.resize(model.len().max(position + bytes.len()), 0);
            model[position..position + bytes.len()].copy_from_slice(&bytes);
            position += bytes.len();
            assert_eq!(appender.position(), position as u64);
            match numbers.below(4) {
                0 => continue,
                1 => appender.flush().unwrap(),
                2 => appender.sync_data().unwrap(),
                // Another process goes on, in the middle of a block.
                _ => {
                    appender.flush().unwrap();
                    appender = dir.reopen(name(&file), position as u64).unwrap().unwrap();
                }
            }
            // Through the cache, while it is open: the length is that of the room, or of what was appended.
            assert!(content(&dir, &file).unwrap() == model, "round {round}, at {position}");
        }
        assert!(!appender.is_direct(), "behind the room");
        appender.trim().unwrap();
        assert!(content(&dir, &file).unwrap() == model[..position], "round {round}, trimmed");
    }
    assert!(around > 500, "only {around} appends went around the cache");
}

#[test]
fn a_write_of_more_than_is_held_back_goes_out_whole() {
    let (_scratch, dir) = scratch();
    let bytes: Vec<u8> = (0..5_000_001_u32).map(|byte| (byte % 251) as u8).collect();
    let mut appender = dir.create(name("file"), 6_000_000).unwrap().unwrap();
    append(&mut appender, b"odd");
    append(&mut appender, &bytes);
    appender.sync_data().unwrap();
    let found = content(&dir, "file").unwrap();
    assert!(found[..3] == *b"odd" && found[3..bytes.len() + 3] == bytes);
    assert!(found.len() == 6_000_000 && found[bytes.len() + 3..].iter().all(|byte| *byte == 0));
}

#[test]
fn room_that_is_given_back_leaves_what_was_appended() {
    let (_scratch, dir) = scratch();
    let mut appender = dir.create(name("file"), 100_000).unwrap().unwrap();
    append(&mut appender, b"never flushed");
    appender.trim().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"never flushed");
    append(&mut appender, b", and more");
    appender.sync_data().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"never flushed, and more");
}

#[test]
fn without_room_and_without_the_option_nothing_goes_around_the_cache() {
    let (scratch, dir) = scratch();
    let is_direct = |file: Option<FsAppender>| file.unwrap().is_direct();
    assert!(!is_direct(dir.create(name("none"), 0).unwrap()));
    assert!(!is_direct(dir.create(name("less-than-a-block"), 4095).unwrap()));
    let (here, cached) = (works(&dir), FsDirectory::new(scratch.path().join("root")).unwrap());
    assert!(!is_direct(cached.create(name("cached"), 64 << 10).unwrap()));
    assert!(!is_direct(cached.reopen(name("cached"), 0).unwrap()));
    assert_eq!(is_direct(dir.reopen(name("cached"), 5000).unwrap()), here);
    assert!(!is_direct(dir.reopen(name("cached"), 64 << 10).unwrap()));
}

fn options(recycle: bool) -> WalOptions {
    WalOptions::new()
        .segment_bytes(64 << 10)
        .preallocate(true)
        .recycle(recycle)
        .mark_after_sync(recycle)
}

fn record(id: u64) -> Vec<u8> {
    let length = usize::try_from(id * 37 % 900).unwrap();
    id.to_le_bytes().into_iter().cycle().take(8 + length).collect()
}

/// Reads all through the cache, by a directory without the option.
fn check(path: &Path, options: WalOptions, last: u64) {
    let mut reader = RawWalReader::open(FsDirectory::new(path).unwrap(), options).unwrap();
    let first = reader.first_entry_id().get();
    assert!(first <= last);
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    for id in first..=last {
        let entry = entries.next().unwrap().unwrap();
        assert!(entry.id == EntryId::new(id).unwrap() && entry.payload == record(id), "{id}");
    }
    assert!(entries.next().unwrap().is_none());
}

#[test]
fn a_log_goes_around_the_cache_across_rotations_pruning_and_openings() {
    let (_scratch, dir) = scratch();
    let mut last = 0;
    for (life, recycle) in [(0, false), (1, true), (2, true), (3, false), (4, true)] {
        let mut wal = RawWalWriter::open(dir.clone(), options(recycle)).unwrap();
        assert_eq!(wal.last_entry_id().map_or(0, EntryId::get), last);
        while last < (life + 1) * 700 {
            last += 1;
            wal.append(&record(last)).unwrap();
            match last % 5 {
                0 => assert_eq!(wal.flush_and_sync().unwrap().through(), EntryId::new(last)),
                3 => wal.flush().unwrap(),
                _ => {}
            }
            if last % 150 == 0 {
                wal.truncate_prefix(EntryId::new(last - 140).unwrap()).unwrap();
            }
            if last % 200 == 0
                && let Some(preparation) = wal.prepare().unwrap()
            {
                wal.install(finish(preparation));
            }
        }
        // Half of them are closed, the others only dropped, as by a panic: then what follows goes on in room.
        if life % 2 == 0 {
            wal.close().unwrap();
        } else {
            drop(wal);
        }
        check(dir.path(), options(recycle), last);
    }
}

fn finish(mut preparation: Preparation<FsDirectory>) -> Prepared<FsDirectory> {
    loop {
        if let Step::Ready(prepared) = preparation.step().unwrap() {
            return prepared;
        }
    }
}

#[test]
fn threads_share_a_log_around_the_cache_and_whoever_follows_reads_it_through_the_cache() {
    let (_scratch, dir) = scratch();
    let options = || options(false);
    let wal = RawSharedWal::open(dir.clone(), options(), SharedOptions::new()).unwrap();
    let (threads, each) = (4, 500);
    let total = u64::from(threads) * each;
    thread::scope(|scope| {
        for thread in 0..threads {
            let wal = wal.clone();
            scope.spawn(move || {
                for number in 0..each {
                    let record = vec![thread; 100 + usize::try_from(number).unwrap() % 400];
                    let id = wal.append_durable(&record).unwrap();
                    assert!(wal.durable_through() >= Some(id));
                }
            });
        }
        // As another process would, while the blocks that it reads are written again and again.
        let cached = FsDirectory::new(dir.path()).unwrap();
        let mut follower =
            RawFollower::new(cached.clone(), options(), EntryId::FIRST, Reach::Written).unwrap();
        let mut counts = [0; 4];
        let mut seen = 0;
        while seen < total {
            let Some(durable) = wal.durable_through() else { continue };
            while let Some(entry) = follower.next_through(durable).unwrap() {
                seen += 1;
                assert_eq!(entry.id.get(), seen);
                let (thread, count) =
                    (entry.payload[0], &mut counts[usize::from(entry.payload[0])]);
                assert_eq!(entry.payload, vec![thread; 100 + *count % 400], "{seen}");
                *count += 1;
            }
            assert_eq!(seen, durable.get(), "what is durable can be read");
        }
    });
    wal.close().unwrap();
}

#[test]
fn a_typed_log_goes_around_the_cache() {
    let (_scratch, dir) = scratch();
    let open = || {
        SharedWal::<(u64, String)>::open(dir.clone(), options(false), SharedOptions::new()).unwrap()
    };
    for life in 0..3_u64 {
        let wal = open();
        for number in 0..500 {
            let entry = (life * 500 + number, "text".repeat(usize::try_from(number % 30).unwrap()));
            let _ticket = wal.append(&entry).unwrap();
        }
        assert_eq!(wal.sync().unwrap().through(), EntryId::new((life + 1) * 500));
        wal.close().unwrap();
    }
    let found = open().reader().unwrap().replay().unwrap();
    assert_eq!(found.len(), 1500);
    for (number, (id, (written, text))) in (0..).zip(found) {
        assert_eq!(
            (id.get(), written, text.len() as u64),
            (number + 1, number, number % 500 % 30 * 4)
        );
    }
}
