//! Full disks at every byte, then room again; and what an operator does to the folder.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    missing_docs
)] // tests

use durability::storage::FsDirectory;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::storage::{Directory, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalWriter};
use durability_core::{EntryId, Error, ReadMode};

fn small() -> WalOptions {
    WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256)
}

type Failed = Error<MemoryError>;

/// A life of a log with checkpoints; what was acknowledged is told even if it fails.
fn life(dir: &MemoryDirectory, acknowledged: &mut u64, marks: bool) -> Result<(), Failed> {
    let options = small().mark_after_sync(marks);
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), options)?;
    let recovered = recover_with_wal(&mut wal, &RecoverOptions::new(), 0_u64, |sum, id, entry| {
        assert_eq!(id.get(), entry, "as written");
        *sum += entry;
        Ok::<(), Failed>(())
    })?;
    let (mut last, mut sum) = (recovered.last_id.map_or(0, EntryId::get), recovered.state);
    assert_eq!(sum, last * (last + 1) / 2, "the state is that of a prefix");
    assert!(last >= *acknowledged, "durable means durable: {last} of {acknowledged}");
    *acknowledged = last;
    let options = PublishOptions::new().keep(1);
    let mut publisher = CheckpointPublisher::new(dir.clone(), options)?;
    for round in 0..3 {
        for _ in 0..3 {
            wal.append(&(last + 1))?;
            last += 1;
            sum += last;
        }
        wal.append_batch(&[last + 1, last + 2])?;
        last += 2;
        sum += 2 * last - 1;
        *acknowledged = wal.flush_and_sync()?.through().map_or(0, EntryId::get);
        if round == 1 {
            publisher.publish(&mut wal, &sum)?;
        }
    }
    wal.close()?;
    *acknowledged = last;
    Ok(())
}

#[test]
fn a_disk_that_is_full_at_any_byte_loses_nothing_and_goes_on() {
    for marks in [false, true] {
        for first in (0..2600).step_by(3) {
            let dir = MemoryDirectory::new();
            let mut acknowledged = 0;
            dir.set_bytes_max(first);
            for room in [0, 40, 0, 100, 300] {
                let _full = life(&dir, &mut acknowledged, marks);
                dir.set_bytes_max(first + room);
            }
            dir.set_bytes_max(u64::MAX);
            for _ in 0..3 {
                life(&dir, &mut acknowledged, marks)
                    .unwrap_or_else(|error| panic!("full at {first}, marks {marks}: {error}"));
            }
        }
    }
}

#[test]
fn a_record_log_that_is_full_at_any_byte_loses_nothing_and_goes_on() {
    let path = Name::new("A.LOG").unwrap();
    let options = || RecordLogOptions::new().buffer_bytes(256).read_bytes(256);
    for first in 0..600 {
        let dir = MemoryDirectory::new();
        let mut acknowledged = 0;
        for room in [0, 1, 40, 7, 100_000, 100_000] {
            dir.set_bytes_max(first + room);
            let mut life = || -> Result<(), Failed> {
                let mut log = RecordLogWriter::open(dir.clone(), path, options())?;
                for _ in 0..5 {
                    log.append(&[7; 21])?;
                }
                log.append(&[7; 300])?;
                acknowledged = log.flush_and_sync()?.through().map_or(0, EntryId::get);
                log.append(&[7; 5])?;
                log.close()
            };
            let result = life();
            if room == 100_000 {
                result.unwrap_or_else(|error| panic!("full at {first}: {error}"));
            }
            if let Ok(mut log) =
                RecordLogReader::open(dir.clone(), path, ReadMode::BestEffort, options())
            {
                assert!(log.collect().unwrap().len() as u64 >= acknowledged);
            }
        }
    }
}

#[test]
fn many_threads_share_a_directory() {
    let dir = MemoryDirectory::arc();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let dir = dir.clone();
            scope.spawn(move || {
                let options = || small().folder(&format!("wal{thread}"));
                let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
                for number in 0..500_u32 {
                    wal.append(&number.to_le_bytes()).unwrap();
                    if number % 7 == 0 {
                        let _ = wal.flush_and_sync().unwrap();
                        wal.truncate_prefix(wal.next_entry_id()).unwrap();
                    }
                }
                wal.close().unwrap();
            });
        }
    });
}

fn fill<D: Directory>(dir: D) -> Result<(), Error<D::Error>> {
    let mut wal = RawWalWriter::open(dir, small())?;
    for _ in 0..6 {
        wal.append(&[7; 8])?;
    }
    wal.close()
}

#[test]
fn a_folder_or_a_link_with_the_name_of_a_segment_locks_nobody_out() {
    for link in [false, true] {
        let scratch = tempfile::tempdir().unwrap();
        let dir = FsDirectory::new(scratch.path()).unwrap();
        let path = scratch.path().join("wal/00000002.WAL");
        std::fs::create_dir_all(scratch.path().join("wal")).unwrap();
        if link {
            std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        } else {
            std::fs::create_dir(&path).unwrap();
        }
        fill(dir).unwrap_or_else(|error| panic!("link {link}: {error}"));
    }
}

#[test]
fn a_reader_beside_a_writer_in_another_thread_sees_no_damage() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(scratch.path()).unwrap();
    let options = || WalOptions::new().segment_bytes(4096).read_bytes(256).buffer_bytes(256);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    let stop = core::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(core::sync::atomic::Ordering::Relaxed) {
                let read = || -> Result<(), Error<_>> {
                    let mut reader = RawWalReader::open(&dir, options())?;
                    let mut entries = reader.entries(ReadMode::BestEffort)?;
                    while entries.next()?.is_some() {}
                    Ok(())
                };
                match read() {
                    Ok(()) | Err(Error::Missing { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        for number in 0..400_u64 {
            wal.append(&[7; 40]).unwrap();
            let _ = wal.flush_and_sync().unwrap();
            if number % 150 == 149 {
                wal.truncate_prefix(wal.next_entry_id()).unwrap();
            }
        }
        stop.store(true, core::sync::atomic::Ordering::Relaxed);
    });
}
