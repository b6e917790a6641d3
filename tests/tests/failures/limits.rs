//! Limits: checked once, named in the error, and what exceeds one is refused without a trace.

use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointWriter};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recordlog::{RecordLogOptions, RecordLogWriter};
use durability_core::storage::{Folder, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{FlushPolicy, RawWalWriter, WalOptions, WalWriter};
use durability_core::{EntryId, Error, Limit};
use durability_testkit::simulated::{DiskOptions, SimulatedDisk};

use crate::common::{Entry, entries, image, name, payload, small};

fn refused<T>(option: &str, result: Result<T, Error<MemoryError>>) {
    match result {
        Err(Error::BadOption { option: found, found: value, min, max }) => {
            assert_eq!(found, option);
            assert!(min <= max && (!(min..=max).contains(&value) || !value.is_power_of_two()));
        }
        Err(other) => panic!("{option}: {other}"),
        Ok(_) => panic!("{option} was accepted"),
    }
}

#[test]
fn every_option_out_of_its_range_is_refused_by_name_and_nothing_is_touched() {
    let dir = MemoryDirectory::new();
    let new = WalOptions::new;
    for (option, options) in [
        ("segment_bytes", new().segment_bytes(127)),
        ("segment_bytes", new().segment_bytes(0)),
        ("buffer_bytes", new().buffer_bytes(255)),
        ("buffer_bytes", new().buffer_bytes((256 << 20) + 1)),
        ("read_bytes", new().read_bytes(255)),
        ("read_bytes", new().read_bytes((256 << 20) + 1)),
        ("record_bytes_max", new().record_bytes_max(0)),
        ("record_bytes_max", new().record_bytes_max(1 << 28)),
        ("batch_bytes_max", new().batch_bytes_max(15)),
        ("batch_bytes_max", new().batch_bytes_max((2 << 30) + 1)),
        ("batch_entries_max", new().batch_entries_max(0)),
        ("segments_max", new().segments_max(0)),
        ("flush_policy", new().flush_policy(FlushPolicy::EveryEntries(0))),
        ("flush_policy", new().flush_policy(FlushPolicy::EveryBytes(0))),
        ("first_id", new().first_id(EntryId::new((u64::MAX >> 1) + 1).unwrap())),
        ("alignment", new().alignment(0)),
        ("alignment", new().alignment(2)),
        ("alignment", new().alignment(12)),
        ("alignment", new().alignment(512)),
    ] {
        refused(option, RawWalWriter::open(dir.clone(), options.clone()).map(drop));
        refused(option, durability_core::walog::RawWalReader::open(dir.clone(), options));
    }
    let path = Name::new("EVENTS.LOG").unwrap();
    let new = RecordLogOptions::new;
    for (option, options) in [
        ("buffer_bytes", new().buffer_bytes(255)),
        ("buffer_bytes", new().buffer_bytes((1 << 28) + 1)),
        ("read_bytes", new().read_bytes(255)),
        ("read_bytes", new().read_bytes((1 << 28) + 1)),
        ("record_bytes_max", new().record_bytes_max(0)),
        ("record_bytes_max", new().record_bytes_max(1 << 28)),
        ("alignment", new().alignment(2)),
        ("alignment", new().alignment(12)),
        ("alignment", new().alignment(512)),
    ] {
        refused(option, RecordLogWriter::open(dir.clone(), path, options));
    }
    let new = CheckpointOptions::new;
    for (option, options) in [
        ("chunk_bytes", new().chunk_bytes(255)),
        ("chunk_bytes", new().chunk_bytes((16 << 20) + 1)),
        ("chunk_bytes_max", new().chunk_bytes_max(255)),
        ("chunk_bytes_max", new().chunk_bytes_max((16 << 20) + 1)),
        ("read_bytes", new().read_bytes(255)),
        ("read_bytes", new().read_bytes((1 << 28) + 1)),
    ] {
        let meta = CheckpointMeta::default();
        refused(option, CheckpointWriter::create(dir.clone(), path, meta, options));
    }
    refused("keep", CheckpointPublisher::new(dir.clone(), PublishOptions::new().keep(0)));
    assert!(dir.names().is_empty(), "{:?}", dir.names());
}

#[test]
fn an_alignment_below_the_write_granule_is_refused() {
    let disk = SimulatedDisk::new(DiskOptions::new().with_write_granule(16));
    match RawWalWriter::open(&disk, WalOptions::new().alignment(8)).map(drop) {
        Err(Error::BadOption { option, found, min, .. }) => {
            assert_eq!((option, found, min), ("alignment", 8, 16));
        }
        other => panic!("{other:?}"),
    }
    assert!(disk.names().is_empty());
}

#[test]
fn a_record_or_batch_above_its_limit_is_refused_without_a_trace_and_the_log_goes_on() {
    let options = || {
        small().record_bytes_max(40).batch_bytes_max(200).batch_entries_max(3).segment_bytes(4096)
    };
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    let mut right: Vec<Entry> = Vec::new();
    let (long, fits) = (vec![1; 41], vec![2; 40]);
    for round in 0..3 {
        let before = (image(&dir), wal.next_entry_id());
        for (what, found, limit, result) in [
            (Limit::RecordBytes, 41, 40, wal.append(&long).map(drop)),
            (Limit::RecordBytes, 41, 40, wal.append_batch(&[&fits, &long]).map(drop)),
            (Limit::BatchEntries, 4, 3, wal.append_batch(&[b""; 4]).map(drop)),
        ] {
            match result {
                Err(Error::Limit { what: seen, found: value, limit: most }) => {
                    assert_eq!((seen, value, most), (what, found, limit));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((image(&dir), wal.next_entry_id()), before, "round {round}");
        right.push((wal.append(&fits).unwrap().get(), fits.clone()));
        for id in wal.append_batch(&[&fits, &fits, &fits]).unwrap() {
            right.push((id.get(), fits.clone()));
        }
    }
    drop(wal);
    let narrow = options().batch_bytes_max(100);
    let mut wal = RawWalWriter::open(dir.clone(), narrow).unwrap();
    let refused = wal.append_batch(&[&fits, &fits]);
    assert!(matches!(
        refused,
        Err(Error::Limit { what: Limit::BatchBytes, found: 112, limit: 100 })
    ));
    wal.close().unwrap();
    assert_eq!(entries(dir.clone(), options()).unwrap(), right);
    // A reader with a lower limit says so, and shows what it may.
    match entries(dir, options().record_bytes_max(39)) {
        Err(Error::Limit { what: Limit::RecordBytes, found: 40, limit: 39 }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_typed_entry_above_the_limit_is_refused_without_a_trace_and_the_log_goes_on() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<String, _>::open(dir.clone(), small().record_bytes_max(40)).unwrap();
    for long in [41, 300, 5000] {
        let refused = wal.append(&"x".repeat(long));
        assert!(
            matches!(refused, Err(Error::Limit { what: Limit::RecordBytes, .. })),
            "{refused:?}"
        );
        let refused = wal.append_batch(&["fits".to_owned(), "x".repeat(long)]);
        assert!(
            matches!(refused, Err(Error::Limit { what: Limit::RecordBytes, .. })),
            "{refused:?}"
        );
        wal.append(&"fits".to_owned()).unwrap();
    }
    wal.close().unwrap();
    let found =
        durability_core::walog::WalReader::<String, _>::open(dir, small()).unwrap().replay();
    assert_eq!(found.unwrap().len(), 3);
}

#[test]
fn a_record_that_no_file_of_the_directory_can_hold_is_refused_without_a_trace() {
    let disk =
        SimulatedDisk::new(DiskOptions::new().with_file_bytes_max(512).with_segment_bytes(512));
    let mut wal = RawWalWriter::open(&disk, WalOptions::new()).unwrap();
    for id in 1..=20 {
        let refused = wal.append(&[0; 425]);
        assert!(matches!(refused, Err(Error::Limit { what: Limit::FileBytes, .. })), "{refused:?}");
        assert_eq!(wal.append(&[0; 424]).unwrap(), id);
        assert_eq!(wal.append_batch(&[[0; 100], [0; 100]]).unwrap().count(), 2);
        let _durable = wal.flush_and_sync().unwrap();
        wal.truncate_suffix(EntryId::new(id + 1).unwrap()).unwrap();
    }
    wal.close().unwrap();
}

/// Four segments, which is the limit, and the error of the append that would have needed a fifth.
fn at_the_limit(dir: &MemoryDirectory) -> (RawWalWriter<MemoryDirectory>, u64) {
    let mut wal = RawWalWriter::open(dir.clone(), small().segments_max(4)).unwrap();
    loop {
        let next = wal.next_entry_id().get();
        match wal.append(&payload(next)).and_then(|_| wal.flush_and_sync().map(drop)) {
            Ok(()) => {}
            Err(Error::Limit { what: Limit::Segments, found: 5, limit: 4 }) => {
                return (wal, next - 1);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn one_segment_too_many_is_refused_without_effect_and_pruning_helps() {
    for cut in 0..3 {
        let dir = MemoryDirectory::new();
        let (mut wal, last) = at_the_limit(&dir);
        let files = image(&dir);
        assert!(matches!(wal.append_batch(&[[1; 40], [1; 40]]), Err(Error::Limit { .. })));
        assert_eq!(wal.flush_and_sync().unwrap().through(), EntryId::new(last));
        assert_eq!((image(&dir), wal.segments().count()), (files, 4));
        match cut {
            0 => wal.truncate_prefix(wal.next_entry_id()).unwrap(),
            1 => wal.truncate_suffix(EntryId::new(last - 1).unwrap()).unwrap(),
            _ => wal.truncate_to_empty().unwrap(),
        }
        let next = wal.next_entry_id();
        assert_eq!(wal.append(&payload(next.get())).unwrap(), next);
        wal.close().unwrap();
        assert_eq!(entries(dir, small()).unwrap().last(), Some(&(next.get(), payload(next.get()))));
    }
}

#[test]
fn crashes_at_the_limit_of_segments_lock_nobody_out() {
    let dir = MemoryDirectory::new();
    let (wal, last) = at_the_limit(&dir);
    drop(wal);
    for life in 0..20 {
        // Torn bytes in the newest segment, each time: each repair is one more segment.
        let tail = dir.names().pop().unwrap();
        let mut bytes = dir.contents(name(&tail)).unwrap();
        bytes.extend_from_slice(&[0x77; 21]);
        dir.put(name(&tail), bytes);
        let mut wal = RawWalWriter::open(dir.clone(), small().segments_max(4))
            .unwrap_or_else(|error| panic!("life {life}: {error}"));
        assert_eq!(wal.last_entry_id(), EntryId::new(last));
        assert!(wal.segments().count() > 4);
        if life == 19 {
            wal.truncate_prefix(wal.next_entry_id()).unwrap();
            assert_eq!(wal.append(b"next").unwrap(), last + 1);
            wal.close().unwrap();
        }
    }
}

#[test]
fn a_folder_whose_files_would_have_too_long_names_is_refused() {
    let dir = MemoryDirectory::new();
    let folder = format!("{}/{}", "f".repeat(60), "g".repeat(50));
    assert!(Folder::new(&folder).is_ok());
    assert!(matches!(
        RawWalWriter::open(dir.clone(), WalOptions::new().folder(&folder)).map(drop),
        Err(Error::Name(_))
    ));
    assert!(dir.names().is_empty());
}
