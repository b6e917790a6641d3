//! The baseline is a fair one: its files are those of the library to the byte, and its reader reads them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::Path;

use durability_benches::{Ours, Plain, PlainReader, Records, Scratch, Setup, Workload};

fn segments(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder.join("wal"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name != "LOCK")
        .collect();
    files.sort();
    files
}

#[test]
fn the_baseline_writes_the_bytes_of_the_library() {
    for workload in [Workload::Append, Workload::AppendFlush, Workload::AppendSync, Workload::Batch]
    {
        for (bytes, segment_bytes) in [(64, 1 << 30), (61, 5000), (16 << 10, 200 << 10)] {
            let scratch = Scratch::new().unwrap();
            let (ours, plain) = (scratch.join("ours"), scratch.join("plain"));
            // Batches stay whole, so segments must hold a hundred records.
            let batches = if workload == Workload::Batch { 100 } else { 1 };
            let segment_bytes = segment_bytes * batches;
            let records = Records::new(bytes);
            let setup = |folder| Setup { folder, segment_bytes, records: &records, count: 300 };
            Ours.run(workload, &setup(&ours)).unwrap();
            Plain.run(workload, &setup(&plain)).unwrap();
            let (ours, plain) = (segments(&ours), segments(&plain));
            assert_eq!(ours.len(), plain.len(), "{workload:?}, {bytes} bytes");
            for (ours, plain) in ours.iter().zip(&plain) {
                assert_eq!(ours.0, plain.0);
                assert!(ours.1 == plain.1, "{workload:?}, {bytes} bytes: {} differs", ours.0);
            }
        }
    }
}

#[test]
fn the_baseline_reads_what_the_library_wrote() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.join("log");
    let records = Records::new(1000);
    let setup = Setup { folder: &folder, segment_bytes: 1 << 20, records: &records, count: 5000 };
    Ours.run(Workload::Append, &setup).unwrap();
    let mut index = 0;
    let mut reader = PlainReader::new();
    let count = reader.replay(&folder.join("wal"), |payload| {
        assert_eq!(payload, records.get(index));
        index += 1;
    });
    assert_eq!((count.unwrap(), index), (5000, 5000));
}

#[test]
fn every_workload_runs_on_both_sides() {
    for workload in [
        Workload::AppendNowhere,
        Workload::BatchNowhere,
        Workload::Replay,
        Workload::ReplayBatches,
        Workload::Resume,
        Workload::WriteCheckpoint,
        Workload::ReadCheckpoint,
    ] {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.join("log");
        let records = Records::new(256);
        let setup =
            Setup { folder: &folder, segment_bytes: 1 << 30, records: &records, count: 1000 };
        workload.prepare(&setup).unwrap();
        Ours.run(workload, &setup).unwrap();
        Plain.run(workload, &setup).unwrap();
    }
}
