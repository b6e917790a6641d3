//! The least that a backend must bring: what it leaves out is told as unsupported, never passed over.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    reason = "tests run on a host, and may stop"
)]

use durability_core::storage::{
    Capabilities, Directory, DurableStep, Folder, Locking, MemoryDirectory, MemoryError, Name,
};

/// Memory without the operations that a backend need not have.
struct Least(MemoryDirectory);

impl Directory for Least {
    type Error = MemoryError;
    type Reader = <MemoryDirectory as Directory>::Reader;
    type Appender = <MemoryDirectory as Directory>::Appender;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, MemoryError> {
        self.0.open(name)
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, MemoryError> {
        self.0.create(name, reserve)
    }

    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.0.remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        self.0.list(folder, each)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
        self.0.lock(name)
    }

    fn nonce(&self) -> u64 {
        self.0.nonce()
    }
}

#[test]
fn what_a_backend_leaves_out_is_unsupported() {
    let dir = Least(MemoryDirectory::new());
    let name = Name::new("one").unwrap();
    drop(dir.create(name, 0).unwrap());
    assert!(matches!(dir.reopen(name, 0), Err(MemoryError::Unsupported)));
    assert!(matches!(dir.sync_file(name), Err(MemoryError::Unsupported)));
    assert!(matches!(dir.sync_dir(Folder::ROOT), Err(MemoryError::Unsupported)));
    assert!(matches!(dir.rename(name, name), Err(MemoryError::Unsupported)));
    assert_eq!(dir.file_path(name), None);
}

#[test]
fn a_backend_is_as_it_says() {
    let least = Capabilities::new();
    assert_eq!((least.write_granule(), least.tear_unit()), (1, 512));
    assert_eq!((least.segment_bytes(), least.file_bytes_max()), (None, u64::MAX));
    assert!(!least.reopen() && !least.rename() && !least.read_while_appending());
    let all = Capabilities::new()
        .with_write_granule(16)
        .with_tear_unit(4096)
        .with_segment_bytes(1000)
        .with_file_bytes_max(2000)
        .with_reopen()
        .with_rename()
        .with_read_while_appending();
    assert_eq!((all.write_granule(), all.tear_unit()), (16, 4096));
    assert_eq!((all.segment_bytes(), all.file_bytes_max()), (Some(1000), 2000));
    assert!(all.reopen() && all.rename() && all.read_while_appending());
}

#[test]
fn memory_takes_as_many_bytes_as_it_was_given_and_not_one_more() {
    use durability_core::embedded_io::Write as _;
    let dir = MemoryDirectory::with_bytes_max(10);
    let mut file = dir.create(Name::new("one").unwrap(), 0).unwrap().unwrap();
    assert_eq!(file.write(&[1; 10]), Ok(10));
    assert_eq!(file.write(&[1]), Err(MemoryError::NoSpace));
}

#[test]
fn a_name_is_as_long_as_it_may_be_and_no_longer() {
    use durability_core::storage::{NAME_BYTES_MAX, NameError};
    let component = "a".repeat(NAME_BYTES_MAX / 4 - 1);
    let longest = [component.as_str(); 4].join("/") + "a";
    assert_eq!(longest.len(), NAME_BYTES_MAX);
    assert!(Name::new(&longest).is_ok());
    let found = Name::new(&(longest + "a")).unwrap_err();
    assert_eq!(found, NameError::TooLong { found: NAME_BYTES_MAX + 1, limit: NAME_BYTES_MAX });
}

#[test]
fn no_two_steps_are_told_in_the_same_words() {
    use DurableStep::{Create, Rename, SyncDir, SyncFile, Write};
    let told: std::collections::BTreeSet<String> =
        [Create, Write, SyncFile, Rename, SyncDir].iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 5);
}
