//! The vectors of whole files: what the public writers leave and the public readers read.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::ReadMode;
use crate::storage::{MemoryDirectory, Name};
use crate::walog::{RawWalReader, RawWalWriter, WalOptions};

use super::document::{Block, block};

fn name(block: &Block) -> Name<'_> {
    Name::new(block.text("file")).unwrap()
}

fn contents(dir: &MemoryDirectory, block: &Block) -> Vec<u8> {
    dir.contents(name(block)).unwrap()
}

fn wal_options(block: &Block) -> WalOptions {
    WalOptions::new().log_id(block.number("log_id"))
}

fn replay(dir: &MemoryDirectory) -> String {
    let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        found.push(alloc::format!("{}:{}", entry.id, core::str::from_utf8(entry.payload).unwrap()));
    }
    found.join(",")
}

/// The story that the document tells: append, sync, append, a batch, a crash that tears the last frame; then recovery.
#[test]
fn the_segments_are_what_the_writer_leaves() {
    let (torn, second) = (block("wal-torn"), block("wal-second"));
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), wal_options(&torn)).unwrap();
    wal.append(b"one").unwrap();
    let _ = wal.flush_and_sync().unwrap();
    wal.append(b"two").unwrap();
    wal.append_batch(&["three", "four"]).unwrap();
    wal.append(b"torn").unwrap();
    drop(wal);
    let mut bytes = contents(&dir, &torn);
    bytes.truncate(bytes.len() - usize::try_from(torn.number("lost")).unwrap());
    torn.must_be(&bytes);
    dir.put(name(&torn), bytes);

    let mut wal = RawWalWriter::resume(dir.clone(), wal_options(&torn)).unwrap();
    wal.append(b"five").unwrap();
    wal.close().unwrap();
    torn.must_be(&contents(&dir, &torn));
    second.must_be(&contents(&dir, &second));
}

#[test]
fn the_reader_reads_the_segments_as_the_document_says() {
    let (torn, second) = (block("wal-torn"), block("wal-second"));
    let dir = MemoryDirectory::new();
    dir.put(name(&torn), torn.bytes.clone());
    assert_eq!(replay(&dir), torn.text("entries"));
    let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
    assert_eq!(reader.log_id(), Some(torn.number("log_id")));
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    while entries.next().unwrap().is_some() {}
    let tail = entries.report().torn.clone().unwrap();
    assert_eq!((tail.offset, tail.bytes), (torn.number("end"), torn.number("torn_bytes")));
    dir.put(name(&second), second.bytes.clone());
    assert_eq!(
        replay(&dir),
        [torn.text("entries").to_string(), second.text("entries").into()].join(",")
    );
}
