//! Short lives of logs and checkpoints, each with something that a reader must get right, and how their content is shown.
//!
//! Must always write the same bytes: the golden directories and the reader in Python are compared with them.

use std::fmt::Write as _;

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointStore,
};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{Directory, Folder, MemoryDirectory, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};

/// The name of a golden directory, and how today's code writes it.
pub struct Story {
    pub name: &'static str,
    pub write: fn(&MemoryDirectory),
}

/// All of them.
pub const STORIES: [Story; 12] = [
    Story { name: "wal-empty", write: wal_empty },
    Story { name: "wal-rotated-torn", write: wal_rotated_torn },
    Story { name: "wal-batch-torn", write: wal_batch_torn },
    Story { name: "wal-pruned", write: wal_pruned },
    Story { name: "wal-pruned-rotated", write: wal_pruned_rotated },
    Story { name: "wal-emptied", write: wal_emptied },
    Story { name: "wal-suffix-truncated", write: wal_suffix_truncated },
    Story { name: "wal-resumed-twice", write: wal_resumed_twice },
    Story { name: "wal-aligned", write: wal_aligned },
    Story { name: "wal-compact", write: wal_compact },
    Story { name: "record-log", write: record_log },
    Story { name: "checkpoints", write: checkpoints },
];

const LOG_ID: u64 = 0x0123_4567_89AB_CDEF;

type Wal = RawWalWriter<MemoryDirectory>;

/// Segments of 256 bytes: a few entries fill one.
pub fn options() -> WalOptions {
    WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256).log_id(LOG_ID)
}

fn open(dir: &MemoryDirectory) -> Wal {
    RawWalWriter::open(dir.clone(), options()).unwrap()
}

fn append(wal: &mut Wal, count: u64) {
    for _ in 0..count {
        let id = wal.next_entry_id().get();
        // Lengths from 0 to 36, so that padding of every kind is there.
        let payload = format!("entry {id} {}", "x".repeat(usize::try_from(id % 23).unwrap()));
        let bytes = if id.is_multiple_of(7) { &[][..] } else { payload.as_bytes() };
        wal.append(bytes).unwrap();
    }
}

fn sync(wal: &mut Wal) {
    let _ = wal.flush_and_sync().unwrap();
}

/// What a crash does to the last segment: `cut` bytes are gone, and `zeros` stand there where the file had grown.
fn tear(dir: &MemoryDirectory, cut: usize, zeros: usize) {
    let segments = names_with(dir, "WAL");
    let name = Name::new(segments.last().unwrap()).unwrap();
    let mut bytes = dir.contents(name).unwrap();
    bytes.truncate(bytes.len() - cut);
    bytes.resize(bytes.len() + zeros, 0);
    dir.put(name, bytes);
}

fn wal_empty(dir: &MemoryDirectory) {
    open(dir).close().unwrap();
}

fn wal_rotated_torn(dir: &MemoryDirectory) {
    let mut wal = open(dir);
    append(&mut wal, 12);
    sync(&mut wal);
    wal.append_batch(&["first of a batch", "second", "", "last"]).unwrap();
    append(&mut wal, 7);
    drop(wal);
    tear(dir, 5, 0);
}

fn wal_batch_torn(dir: &MemoryDirectory) {
    let mut wal = open(dir);
    append(&mut wal, 2);
    sync(&mut wal);
    wal.append_batch(&["never", "seen", "again"]).unwrap();
    drop(wal);
    // The frame of the last one takes 24 bytes.
    tear(dir, 24, 40);
}

fn wal_pruned(dir: &MemoryDirectory) {
    let mut wal = open(dir);
    append(&mut wal, 40);
    wal.truncate_prefix(EntryId::new(30).unwrap()).unwrap();
    // Only the mark in the tail tells that the first segments are gone for good.
    wal.close().unwrap();
}

fn wal_pruned_rotated(dir: &MemoryDirectory) {
    wal_pruned(dir);
    let mut wal = open(dir);
    append(&mut wal, 10);
}

fn wal_emptied(dir: &MemoryDirectory) {
    let mut wal = open(dir);
    append(&mut wal, 20);
    wal.truncate_to_empty().unwrap();
    drop(wal);
}

fn wal_suffix_truncated(dir: &MemoryDirectory) {
    let mut wal = open(dir);
    append(&mut wal, 20);
    wal.append_batch(&["kept", "cut off", "cut off too"]).unwrap();
    append(&mut wal, 10);
    wal.truncate_suffix(EntryId::new(22).unwrap()).unwrap();
    wal.append(b"another 22").unwrap();
    wal.close().unwrap();
}

fn wal_resumed_twice(dir: &MemoryDirectory) {
    let mut wal = open(dir);
    append(&mut wal, 3);
    drop(wal);
    tear(dir, 3, 0);
    let mut wal = open(dir);
    append(&mut wal, 2);
    drop(wal);
    tear(dir, 1, 512);
    let mut wal = open(dir);
    append(&mut wal, 2);
    wal.close().unwrap();
}

fn wal_aligned(dir: &MemoryDirectory) {
    let first = EntryId::new(1 << 40).unwrap();
    let options = options().alignment(64).segment_bytes(512).first_id(first);
    let mut wal = RawWalWriter::new(dir.clone(), options).unwrap();
    append(&mut wal, 9);
    wal.close().unwrap();
    // A preallocated segment that was never trimmed.
    tear(dir, 0, 1000);
}

/// Segments of compact frames, one of full frames between them, and a torn record at the end.
fn wal_compact(dir: &MemoryDirectory) {
    let compact = || RawWalWriter::open(dir.clone(), options().compact_frames(true)).unwrap();
    let mut wal = compact();
    append(&mut wal, 12);
    sync(&mut wal);
    wal.append_batch(&["first of a batch", "second", "", "last"]).unwrap();
    wal.close().unwrap();
    let mut wal = open(dir);
    append(&mut wal, 3);
    wal.close().unwrap();
    let mut wal = compact();
    append(&mut wal, 4);
    sync(&mut wal);
    append(&mut wal, 4);
    drop(wal);
    tear(dir, 5, 0);
}

fn record_log(dir: &MemoryDirectory) {
    let path = Name::new("EVENTS.LOG").unwrap();
    let options = RecordLogOptions::new();
    for round in 0..3 {
        let mut log = RecordLogWriter::open(dir, path, options).unwrap();
        for number in 0..5 {
            log.append(format!("record {number} of round {round}").as_bytes()).unwrap();
            if number == 1 {
                let _ = log.flush_and_sync().unwrap();
            }
        }
        drop(log);
        let mut bytes = dir.contents(path).unwrap();
        bytes.truncate(bytes.len() - 7);
        dir.put(path, bytes);
    }
}

fn checkpoints(dir: &MemoryDirectory) {
    let options = CheckpointOptions::new().chunk_bytes(256);
    let store = CheckpointStore::new(dir, Folder::new("ckp").unwrap()).unwrap();
    for (last_id, bytes) in [(0, 0), (7, 10), (1 << 40, 1000)] {
        let meta =
            CheckpointMeta { log_id: LOG_ID, last_id: EntryId::new(last_id), tag: 5, segment: 0 };
        let (_, mut writer) = store.create(meta, options).unwrap();
        let state: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
        writer.write_all(&state).unwrap();
        let _ = writer.finish().unwrap();
    }
}

/// Everything in a directory, as the reader in Python prints it: the log, then the checkpoints; record logs come last, as
/// Python does not read them.
pub fn shown(dir: &MemoryDirectory) -> String {
    let mut text = shown_wal(dir);
    for file in names_with(dir, "CKP") {
        text += &shown_checkpoint(dir, Name::new(&file).unwrap());
    }
    for file in names_with(dir, "LOG") {
        text += &shown_record_log(dir, Name::new(&file).unwrap());
    }
    text
}

/// The files with an extension, sorted.
pub fn names_with(dir: &MemoryDirectory, extension: &str) -> Vec<String> {
    let mut names = dir.names();
    names.retain(|name| name.rsplit_once('.').is_some_and(|(_, found)| found == extension));
    names
}

/// The entries of the log, and where its torn tail begins.
pub fn shown_wal<D: Directory>(dir: &D) -> String {
    let mut text = String::new();
    let mut reader = RawWalReader::open(dir, WalOptions::new()).unwrap();
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    while let Some(entry) = entries.next().unwrap() {
        writeln!(text, "{} {}", entry.id, hex(entry.payload)).unwrap();
    }
    if let Some(torn) = &entries.report().torn {
        writeln!(text, "torn {} {}", torn.file.as_name().file(), torn.offset).unwrap();
    }
    text
}

/// What a checkpoint's header says, and its chunks.
pub fn shown_checkpoint<D: Directory>(dir: &D, name: Name<'_>) -> String {
    let mut reader = CheckpointReader::open(dir, name, CheckpointOptions::new()).unwrap();
    let meta = reader.meta();
    let mut text = format!("checkpoint {} {}", meta.last_id.map_or(0, EntryId::get), meta.tag);
    // A read ends with its chunk at the latest, and no chunk is larger than this.
    let mut chunk = vec![0; 64 << 10];
    loop {
        match reader.read(&mut chunk).unwrap() {
            0 => break,
            count => write!(text, " {}", hex(&chunk[..count])).unwrap(),
        }
    }
    let _whole = reader.finish().unwrap();
    text + "\n"
}

fn shown_record_log(dir: &MemoryDirectory, name: Name<'_>) -> String {
    let mut text = String::new();
    let options = RecordLogOptions::new();
    let mut reader = RecordLogReader::open(dir, name, ReadMode::Strict, options).unwrap();
    loop {
        match reader.next() {
            Ok(Some(record)) => writeln!(text, "{} {}", record.id, hex(record.payload)).unwrap(),
            Ok(None) => return text,
            Err(Error::TornTail { file, offset, .. }) => {
                return text + &format!("torn {file} {offset}\n");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
