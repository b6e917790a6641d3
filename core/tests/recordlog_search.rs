//! The search behind a bad frame is linear, also in files made to slow it down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host
#![allow(clippy::cast_possible_truncation)] // all sizes here are small

use std::cell::Cell;
use std::rc::Rc;

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{
    Capabilities, Directory, Folder, Locking, MemoryDirectory, MemoryError, Name, ReadFile,
};
use durability_core::{ReadMode, crc32c};

/// Counts the bytes that are read.
struct Counted {
    inner: MemoryDirectory,
    bytes: Rc<Cell<u64>>,
}

struct Reader {
    inner: <MemoryDirectory as Directory>::Reader,
    bytes: Rc<Cell<u64>>,
}

impl ErrorType for Reader {
    type Error = MemoryError;
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let count = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, MemoryError> {
        self.inner.seek(position)
    }
}

impl ReadFile for Reader {
    fn len(&mut self) -> Result<u64, MemoryError> {
        self.inner.len()
    }
}

impl Directory for Counted {
    type Error = MemoryError;
    type Reader = Reader;
    type Appender = <MemoryDirectory as Directory>::Appender;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn open(&self, name: Name<'_>) -> Result<Option<Reader>, MemoryError> {
        let file = self.inner.open(name)?;
        Ok(file.map(|inner| Reader { inner, bytes: Rc::clone(&self.bytes) }))
    }
    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, MemoryError> {
        self.inner.create(name, reserve)
    }
    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.inner.remove(name)
    }
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        self.inner.list(folder, each)
    }
    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
        self.inner.lock(name)
    }
    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }
}

fn path() -> Name<'static> {
    Name::new("EVENTS.LOG").unwrap()
}

/// A log whose first record is torn and full of headers that verify, as only one who knows the log's id can make them.
fn hostile(length: usize, payload_bytes: u32, synced: bool) -> Vec<u8> {
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(&dir, path(), RecordLogOptions::new()).unwrap();
    log.append(&vec![7; length]).unwrap();
    drop(log);
    let mut bytes = dir.contents(path()).unwrap();
    let salt = u32::from_le_bytes(bytes[28..32].try_into().unwrap());
    for at in (48..bytes.len() - 16).step_by(16) {
        let word = payload_bytes | if synced { 1 << 28 } else { 0 };
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&1_u32.to_le_bytes());
        let checksum = crc32c(salt ^ at as u32, &bytes[at..at + 8]);
        bytes[at + 8..at + 12].copy_from_slice(&checksum.to_le_bytes());
        bytes[at + 12..at + 16].fill(0x77);
    }
    bytes
}

#[test]
fn the_bytes_read_grow_no_faster_than_a_file_of_look_alikes() {
    for (share, synced) in [(4, false), (4, true), (100, true), (5000, true)] {
        let bytes_read = |length: usize| {
            let dir = Counted { inner: MemoryDirectory::new(), bytes: Rc::default() };
            dir.inner.put(path(), hostile(length, (length / share) as u32, synced));
            let options = RecordLogOptions::new().read_bytes(4096);
            let bytes = Rc::clone(&dir.bytes);
            let mut reader =
                RecordLogReader::open(dir, path(), ReadMode::BestEffort, options).unwrap();
            // Payloads that do not verify prove nothing, but judging them is given up before it costs more than the file
            // is long; an error is safer then.
            assert_eq!(reader.next().is_err(), synced);
            bytes.get()
        };
        for length in [100_000, 400_000] {
            let found = bytes_read(length);
            assert!(found < length as u64 * 50, "{length} by {share}, {synced}: {found}");
        }
    }
}

#[test]
fn look_alikes_without_the_logs_id_prove_nothing() {
    let mut bytes = hostile(100_000, 16, true);
    // The same headers, made for another log.
    let dir = MemoryDirectory::new();
    for at in (48..bytes.len() - 16).step_by(16) {
        bytes[at + 8] ^= 1;
    }
    dir.put(path(), bytes);
    let open = |mode| RecordLogReader::open(&dir, path(), mode, RecordLogOptions::new()).unwrap();
    assert!(open(ReadMode::BestEffort).collect().unwrap().is_empty());
    assert!(open(ReadMode::Strict).collect().is_err());
    drop(RecordLogWriter::resume(&dir, path(), RecordLogOptions::new()).unwrap());
    assert!(open(ReadMode::Strict).collect().unwrap().is_empty());
}
