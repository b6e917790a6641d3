//! The vectors of whole files: what the public writers leave and the public readers read.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter};
use crate::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use crate::storage::{MemoryDirectory, Name};
use crate::walog::{RawWalReader, RawWalWriter, WalOptions};
use crate::{EntryId, Error, ReadMode};

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
        found.push(shown(entry.id, entry.payload));
    }
    found.join(",")
}

fn shown(id: EntryId, payload: &[u8]) -> String {
    alloc::format!("{id}:{}", core::str::from_utf8(payload).unwrap())
}

/// The file of a block without the bytes that a crash took.
fn cut(dir: &MemoryDirectory, block: &Block) -> Vec<u8> {
    let mut bytes = contents(dir, block);
    bytes.truncate(bytes.len() - usize::try_from(block.number("lost")).unwrap());
    bytes
}

/// The story that the document tells: append, sync, append, a batch, a crash that tears the last frame; then recovery.
#[test]
fn the_segments_are_what_the_writer_leaves() {
    for form in ["wal", "compact"] {
        the_segments_are_what_a_writer_leaves_of(form);
    }
}

fn the_segments_are_what_a_writer_leaves_of(form: &str) {
    let (torn, second) = segments(form);
    let compact = form == "compact";
    let dir = MemoryDirectory::new();
    let options = || wal_options(&torn).compact_frames(compact);
    let mut wal = RawWalWriter::new(dir.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    let _ = wal.flush_and_sync().unwrap();
    wal.append(b"two").unwrap();
    wal.append_batch(&["three", "four"]).unwrap();
    wal.append(b"torn").unwrap();
    drop(wal);
    let bytes = cut(&dir, &torn);
    torn.must_be(&bytes);
    dir.put(name(&torn), bytes);

    let mut wal = RawWalWriter::resume(dir.clone(), options()).unwrap();
    wal.append(b"five").unwrap();
    wal.close().unwrap();
    torn.must_be(&contents(&dir, &torn));
    second.must_be(&contents(&dir, &second));
}

#[test]
fn the_reader_reads_the_segments_as_the_document_says() {
    for form in ["wal", "compact"] {
        the_reader_reads_the_segments_of(form);
    }
}

/// The two segments of the story, in one form or the other.
fn segments(form: &str) -> (Block, Block) {
    (block(&alloc::format!("{form}-torn")), block(&alloc::format!("{form}-second")))
}

/// No reader asks for a form: the segments say it.
fn the_reader_reads_the_segments_of(form: &str) {
    let (torn, second) = segments(form);
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

#[test]
fn the_record_log_is_what_the_writer_leaves() {
    let (torn, resumed) = (block("log-torn"), block("log-resumed"));
    let (dir, options) = (MemoryDirectory::new(), RecordLogOptions::new());
    let mut log = RecordLogWriter::create(&dir, name(&torn), options).unwrap();
    log.append(b"one").unwrap();
    let _ = log.flush_and_sync().unwrap();
    log.append(b"two").unwrap();
    drop(log);
    let bytes = cut(&dir, &torn);
    torn.must_be(&bytes);
    dir.put(name(&torn), bytes);

    let mut log = RecordLogWriter::resume(&dir, name(&torn), options).unwrap();
    log.append(b"three").unwrap();
    log.close().unwrap();
    resumed.must_be(&contents(&dir, &resumed));
}

#[test]
fn the_reader_reads_the_record_log_as_the_document_says() {
    for block in [block("log-torn"), block("log-resumed")] {
        let dir = MemoryDirectory::new();
        dir.put(name(&block), block.bytes.clone());
        let mode =
            if block.optional("lost").is_some() { ReadMode::BestEffort } else { ReadMode::Strict };
        let mut reader =
            RecordLogReader::open(&dir, name(&block), mode, RecordLogOptions::new()).unwrap();
        let mut found = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            found.push(shown(record.id, record.payload));
        }
        assert_eq!(found.join(","), block.text("records"));
        let dead = block.optional("dead_bytes").map_or(0, |_| block.number("dead_bytes"));
        assert_eq!(reader.report().dead_bytes, dead);
    }
}

#[test]
fn the_torn_record_log_ends_where_the_document_says() {
    let torn = block("log-torn");
    let dir = MemoryDirectory::new();
    dir.put(name(&torn), torn.bytes.clone());
    let options = RecordLogOptions::new();
    let mut reader = RecordLogReader::open(&dir, name(&torn), ReadMode::Strict, options).unwrap();
    let Err(Error::TornTail { offset, .. }) = reader.collect() else { panic!("a torn tail") };
    assert_eq!(offset, torn.number("end"));
}

/// The state that the document describes.
fn state(block: &Block) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(usize::try_from(block.number("bytes")).unwrap()).collect()
}

#[test]
fn the_checkpoint_is_what_the_writer_leaves_and_the_reader_reads() {
    let block = block("checkpoint");
    let meta = CheckpointMeta {
        log_id: block.number("log_id"),
        last_id: EntryId::new(block.number("last_id")),
        tag: block.number32("tag"),
        segment: 0,
    };
    let chunk_bytes = block.number32("chunk_bytes");
    let options = CheckpointOptions::new().chunk_bytes(chunk_bytes);
    let dir = MemoryDirectory::new();
    let mut writer = CheckpointWriter::create(&dir, name(&block), meta, options).unwrap();
    writer.write_all(&state(&block)).unwrap();
    let _ = writer.finish().unwrap();
    block.must_be(&contents(&dir, &block));

    dir.put(name(&block), block.bytes.clone());
    let options = CheckpointOptions::new();
    let mut reader = CheckpointReader::open(&dir, name(&block), options).unwrap();
    let mut found = alloc::vec![0; state(&block).len()];
    let mut filled = 0;
    while filled < found.len() {
        filled += reader.read(&mut found[filled..]).unwrap();
    }
    assert_eq!(found, state(&block));
    let summary = reader.finish().unwrap();
    assert_eq!(summary.meta(), meta);
    assert_eq!((summary.bytes(), u64::from(summary.chunks())), (300, block.number("chunks")));
}
