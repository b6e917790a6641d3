//! The write-ahead log on real files: a short run without faults, as a user would have it.

use durability::EntryId;
use durability::storage::FsDirectory;
use durability::walog::{WalOptions, WalReader, WalWriter};

use crate::common::scratch;

fn replayed(dir: &FsDirectory) -> Vec<(EntryId, String)> {
    WalReader::open(dir, WalOptions::new()).unwrap().replay().unwrap()
}

#[test]
fn what_was_synced_is_replayed_after_reopening_across_segments() {
    let (_scratch, dir) = scratch();
    let options = || WalOptions::new().segment_bytes(64 << 10).buffer_bytes(4 << 10);
    let mut written = Vec::new();
    for round in 0..3 {
        let mut wal = WalWriter::<String, _>::open(dir.clone(), options()).unwrap();
        for number in 0..1_000 {
            let entry = format!("entry {number} of round {round}, {}", "x".repeat(100));
            written.push((wal.append(&entry).unwrap(), entry));
        }
        let durable = wal.flush_and_sync().unwrap();
        assert_eq!(durable.through(), written.last().map(|(id, _)| *id));
        wal.close().unwrap();
    }
    assert_eq!(replayed(&dir), written);
}

#[test]
fn a_second_writer_is_refused_and_a_writer_that_was_dropped_is_followed() {
    let (_scratch, dir) = scratch();
    let open = || {
        let wal = WalWriter::<String, _>::open(dir.clone(), WalOptions::new());
        wal.map_err(|error| error.to_string())
    };
    let mut wal = open().unwrap();
    let refused = open().err().unwrap();
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    wal.append(&"synced".to_owned()).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    drop(wal);
    let mut wal = open().unwrap();
    wal.append(&"after".to_owned()).unwrap();
    wal.close().unwrap();
    let entries = replayed(&dir).into_iter().map(|(_, entry)| entry).collect::<Vec<_>>();
    assert_eq!(entries, ["synced", "after"]);
}
