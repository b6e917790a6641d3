//! Files that are not the log's own are neither read nor touched.

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError};
use durability_core::walog::WalWriter;
use durability_core::{EntryId, Error};

use crate::common::{name, small};

const FOREIGN: [&str; 22] = [
    "notes.txt",
    "00000001.WAL",
    "00000001.CKP",
    "wal/notes.txt",
    "wal/00000001.wal",
    "wal/0000001.WAL",
    "wal/000000001.WAL",
    "wal/0000000G.WAL",
    "wal/0000000a.WAL",
    "wal/00000000.WAL",
    "wal/00000002.WAL.tmp",
    "wal/00000002.CKP",
    "wal/00000002",
    "wal/WAL",
    "wal/LOCK.old",
    "wal/sub/00000001.WAL",
    "wal2/00000001.WAL",
    "ckp/readme",
    "ckp/00000001.ckp",
    "ckp/00000000.CKP",
    "ckp/00000001.WAL",
    "ckp/sub/00000001.CKP",
];

#[test]
fn foreign_files_in_and_around_the_folders_are_untouched() {
    let dir = MemoryDirectory::new();
    for (number, file) in FOREIGN.iter().enumerate() {
        let content = format!("{number} is none of the log's business");
        dir.put(name(file), content.into_bytes());
    }
    let before: Vec<_> = FOREIGN.iter().map(|file| dir.contents(name(file))).collect();
    let mut state: Vec<u64> = Vec::new();
    for life in 0..4_u64 {
        let mut wal = WalWriter::<u64, _>::open(dir.clone(), small()).unwrap();
        let recovered = recover_with_wal(
            &mut wal,
            &RecoverOptions::new(),
            Vec::new(),
            |state: &mut Vec<u64>, _: EntryId, entry| {
                state.push(entry);
                Ok::<(), Error<MemoryError>>(())
            },
        );
        assert_eq!(recovered.unwrap().state, state);
        let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
        for entry in life * 100..life * 100 + 30 {
            wal.append(&entry).unwrap();
            state.push(entry);
        }
        publisher.publish(&mut wal, &state).unwrap();
        wal.append(&life).unwrap();
        state.push(life);
        match life {
            0 => wal.close().unwrap(),
            1 => {
                // A torn tail to repair.
                drop(wal);
                let tail = own(&dir).into_iter().rfind(|file| file.starts_with("wal")).unwrap();
                let mut bytes = dir.contents(name(&tail)).unwrap();
                bytes.extend_from_slice(&[0x55; 33]);
                dir.put(name(&tail), bytes);
            }
            2 => {
                let from = wal.last_entry_id().unwrap();
                wal.truncate_suffix(from).unwrap();
                state.pop();
            }
            _ => {}
        }
        let after: Vec<_> = FOREIGN.iter().map(|file| dir.contents(name(file))).collect();
        assert_eq!(after, before, "life {life}");
    }
    assert!(own(&dir).len() >= 3);
}

fn own(dir: &MemoryDirectory) -> Vec<String> {
    let mut names = dir.names();
    names.retain(|file| !FOREIGN.contains(&file.as_str()));
    names
}
