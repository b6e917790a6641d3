//! The FAT backend keeps its files over a mount, gives room back, and says when it is full.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use durability_core::embedded_io::{Error as _, ErrorKind, Read as _, Write as _};
use durability_core::storage::{AppendFile as _, Directory as _, Name, StoreError as _};
use durability_testkit::backends::FatDirectory;

fn name(text: &'static str) -> Name<'static> {
    Name::new(text).unwrap()
}

#[test]
fn a_second_mount_finds_what_was_synced() {
    let dir = FatDirectory::new().unwrap();
    let mut file = dir.create(name("wal/00000001.WAL"), 0).unwrap().unwrap();
    file.write(&[3; 1500]).unwrap();
    file.sync_data().unwrap();
    // The appender is still open, as in a crash.
    let after = FatDirectory::mount(dir.disk().image()).unwrap();
    let mut reader = after.open(name("wal/00000001.WAL")).unwrap().unwrap();
    let mut bytes = vec![0; 2000];
    assert_eq!(reader.read(&mut bytes).unwrap(), 1500);
    assert!(bytes[..1500].iter().all(|byte| *byte == 3));
    assert_ne!(dir.nonce(), after.nonce());
}

#[test]
fn a_removed_file_gives_its_room_back() {
    let dir = FatDirectory::new().unwrap();
    // Ten times what the volume holds.
    for _ in 0..20 {
        let mut file = dir.create(name("A.BIN"), 0).unwrap().unwrap();
        file.write(&vec![1; 1024 * 1024]).unwrap();
        drop(file);
        dir.remove(name("A.BIN")).unwrap();
    }
}

#[test]
fn a_full_volume_says_so_and_works_again_after_a_removal() {
    let dir = FatDirectory::new().unwrap();
    let mut file = dir.create(name("A.BIN"), 0).unwrap().unwrap();
    let error = (0..).find_map(|_| file.write(&[1; 4096]).err()).unwrap();
    assert!(error.is_no_space(), "{error:?}");
    drop(file);
    dir.remove(name("A.BIN")).unwrap();
    let mut file = dir.create(name("B.BIN"), 0).unwrap().unwrap();
    assert!(file.write(&[1; 4096]).is_ok());
}

#[test]
fn names_that_fat_cannot_hold_are_refused_as_invalid() {
    let dir = FatDirectory::new().unwrap();
    let error = dir.create(name("wal/0123456789.WAL"), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
