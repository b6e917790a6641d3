//! What is interrupted is tried again: every second read and write of a directory is, and nothing comes out otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test runs on a host, and a failed expectation is what fails it"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use durability_core::ReadMode;
use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter,
};
use durability_core::embedded_io::{Error, ErrorKind, ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::storage::{
    AppendFile, Capabilities, Directory, DurableDirectory as _, Folder, Locking, MemoryDirectory,
    MemoryError, Name, ReadFile, StoreError,
};
use durability_core::walog::{
    FixedWalReader, FixedWalWriter, RawWalReader, RawWalWriter, WalOptions,
};

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Interrupted,
    Memory(MemoryError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Failure {}

impl Error for Failure {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Memory(error) => error.kind(),
        }
    }
}

impl StoreError for Failure {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::Memory(error) if error.is_no_space())
    }

    fn unsupported() -> Self {
        Self::Memory(MemoryError::unsupported())
    }
}

/// Memory, of which no file can be read once it is broken. If it is busy, every second read of a file and every second write to one is interrupted, the first included.
#[derive(Clone)]
struct Medium {
    memory: MemoryDirectory,
    busy: bool,
    broken: Rc<Cell<bool>>,
}

struct File<F> {
    inner: F,
    busy: bool,
    turn: bool,
    broken: Rc<Cell<bool>>,
}

impl<F> File<F> {
    fn turn(&mut self) -> Result<(), Failure> {
        self.turn = !self.turn;
        if self.busy && self.turn { Err(Failure::Interrupted) } else { Ok(()) }
    }
}

impl<F> ErrorType for File<F> {
    type Error = Failure;
}

impl<F: Read<Error = MemoryError>> Read for File<F> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.turn()?;
        if self.broken.get() {
            return Err(Failure::Memory(MemoryError::NotFound));
        }
        self.inner.read(buffer).map_err(Failure::Memory)
    }
}

impl<F: Seek<Error = MemoryError>> Seek for File<F> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, Failure> {
        self.inner.seek(to).map_err(Failure::Memory)
    }
}

impl<F: ReadFile<Error = MemoryError>> ReadFile for File<F> {
    fn len(&mut self) -> Result<u64, Failure> {
        self.inner.len().map_err(Failure::Memory)
    }
}

impl<F: Write<Error = MemoryError>> Write for File<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        self.turn()?;
        self.inner.write(bytes).map_err(Failure::Memory)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.inner.flush().map_err(Failure::Memory)
    }
}

impl<F: AppendFile<Error = MemoryError>> AppendFile for File<F> {
    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn sync_data(&mut self) -> Result<(), Failure> {
        self.inner.sync_data().map_err(Failure::Memory)
    }
}

impl Medium {
    fn new(busy: bool) -> Self {
        Self { memory: MemoryDirectory::new(), busy, broken: Rc::default() }
    }

    fn file<F>(&self, file: Result<Option<F>, MemoryError>) -> Result<Option<File<F>>, Failure> {
        let file = file.map_err(Failure::Memory)?;
        let (busy, broken) = (self.busy, &self.broken);
        Ok(file.map(|inner| File { inner, busy, turn: false, broken: Rc::clone(broken) }))
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let content = |name: &String| self.memory.contents(Name::new(name).unwrap()).unwrap();
        let names = self.memory.names().into_iter();
        names.map(|name| (name.clone(), content(&name))).collect()
    }
}

impl Directory for Medium {
    type Error = Failure;
    type Reader = File<<MemoryDirectory as Directory>::Reader>;
    type Appender = File<<MemoryDirectory as Directory>::Appender>;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, Failure> {
        self.file(self.memory.open(name))
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, Failure> {
        self.file(self.memory.create(name, reserve))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, Failure> {
        self.file(self.memory.reopen(name, at))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), Failure> {
        self.memory.remove(name).map_err(Failure::Memory)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), Failure> {
        self.memory.list(folder, each).map_err(Failure::Memory)
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), Failure> {
        self.memory.sync_file(name).map_err(Failure::Memory)
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), Failure> {
        self.memory.sync_dir(folder).map_err(Failure::Memory)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, Failure> {
        self.memory.lock(name).map_err(Failure::Memory)
    }

    fn nonce(&self) -> u64 {
        7
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), Failure> {
        self.memory.rename(from, to).map_err(Failure::Memory)
    }
}

type Outcome = (BTreeMap<String, Vec<u8>>, Vec<Vec<u8>>);

/// What a scenario leaves and shows is the same, however often it is interrupted.
fn same(scenario: impl Fn(&Medium) -> Vec<Vec<u8>>) {
    let outcome = |busy| -> Outcome {
        let dir = Medium::new(busy);
        let shown = scenario(&dir);
        (dir.contents(), shown)
    };
    let calm = outcome(false);
    assert!(!calm.1.is_empty());
    assert_eq!(calm, outcome(true));
}

fn options() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256).segment_bytes(1024).log_id(3)
}

fn shown(dir: &Medium, mode: ReadMode) -> Vec<Vec<u8>> {
    let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
    let mut entries = reader.entries(mode).unwrap();
    let mut shown = Vec::new();
    while let Some(entry) = entries.next().unwrap() {
        shown.push(entry.payload.to_vec());
    }
    shown
}

/// Entries of all lengths, in several segments.
fn fill<D: Directory>(wal: &mut RawWalWriter<D>, entries: u8) {
    for entry in 0..entries {
        let _id = wal.append(&vec![entry; usize::from(entry) * 9]).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
}

#[test]
fn a_log_is_written_read_and_gone_on_with() {
    same(|dir| {
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        fill(&mut wal, 60);
        drop(wal);
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        fill(&mut wal, 3);
        wal.close().unwrap();
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        fill(&mut wal, 5);
        drop(wal);
        shown(dir, ReadMode::Strict)
    });
}

#[test]
fn a_torn_tail_is_judged_and_repaired() {
    same(|dir| {
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        fill(&mut wal, 12);
        drop(wal);
        let tail = dir.memory.names().into_iter().rfind(|name| name.contains("0000000")).unwrap();
        let tail = Name::new(&tail).unwrap();
        let mut bytes = dir.memory.contents(tail).unwrap();
        bytes.truncate(bytes.len() - 20);
        dir.memory.put(tail, bytes);
        let before = shown(dir, ReadMode::BestEffort);
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        fill(&mut wal, 2);
        drop(wal);
        [before, shown(dir, ReadMode::Strict)].concat()
    });
}

#[test]
fn a_log_without_a_heap_is_written_and_read() {
    same(|dir| {
        let mut memory = [0; 1024];
        let mut wal = FixedWalWriter::open(dir.clone(), options(), &mut memory).unwrap();
        for entry in 0..50_u8 {
            let _id = wal.append(&[entry; 40]).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        drop(wal);
        let mut wal = FixedWalWriter::open(dir.clone(), options(), &mut memory).unwrap();
        let _id = wal.append(b"more").unwrap();
        wal.close().unwrap();
        let mut reader =
            FixedWalReader::open(dir.clone(), options(), ReadMode::Strict, &mut memory).unwrap();
        let mut shown = Vec::new();
        while let Some(entry) = reader.next().unwrap() {
            shown.push(entry.payload.to_vec());
        }
        shown
    });
}

#[test]
fn a_prepared_segment_is_filled() {
    same(|dir| {
        let options = options().preallocate(true).recycle(true);
        let mut wal = RawWalWriter::open(dir.clone(), options).unwrap();
        assert!(wal.prepare_now().unwrap());
        fill(&mut wal, 30);
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        assert!(wal.prepare_now().unwrap());
        fill(&mut wal, 20);
        drop(wal);
        shown(dir, ReadMode::Strict)
    });
}

#[test]
fn a_record_log_and_a_checkpoint_are_written_and_read() {
    same(|dir| {
        let path = Name::new("EVENTS.LOG").unwrap();
        let options = RecordLogOptions::new().buffer_bytes(256).read_bytes(256);
        let mut log = RecordLogWriter::create(dir.clone(), path, options).unwrap();
        for record in 0..40_u8 {
            let _id = log.append(&vec![record; usize::from(record) * 20]).unwrap();
        }
        let _durable = log.flush_and_sync().unwrap();
        drop(log);
        let mut log = RecordLogWriter::resume(dir.clone(), path, options).unwrap();
        let _id = log.append(b"more").unwrap();
        log.close().unwrap();
        let mut log = RecordLogReader::open(dir.clone(), path, ReadMode::Strict, options).unwrap();
        let mut shown = log.collect().unwrap();

        let path = Name::new("STATE.CKP").unwrap();
        let options = CheckpointOptions::new().chunk_bytes(256).read_bytes(256);
        let meta = CheckpointMeta { log_id: 1, last_id: None, tag: 2, segment: 0 };
        let mut state = CheckpointWriter::create(dir.clone(), path, meta, options).unwrap();
        state.write_all(&[9; 3000]).unwrap();
        let _summary = state.finish().unwrap();
        let mut state = CheckpointReader::open(dir.clone(), path, options).unwrap();
        let mut bytes = [0; 3000];
        let mut read = 0;
        while read < bytes.len() {
            read += CheckpointReader::read(&mut state, &mut bytes[read..]).unwrap();
        }
        let _summary = state.finish().unwrap();
        shown.push(bytes.to_vec());
        shown
    });
}

#[test]
fn a_small_file_is_replaced() {
    same(|dir| {
        dir.atomic_write_durable("one", b"first").unwrap();
        dir.atomic_write_durable("one", b"second").unwrap();
        vec![dir.memory.contents(Name::new("one").unwrap()).unwrap()]
    });
}

/// Not again and again.
#[test]
fn what_cannot_be_read_is_an_error() {
    let dir = Medium::new(true);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    fill(&mut wal, 20);
    let log = Name::new("EVENTS.LOG").unwrap();
    let state = Name::new("STATE.CKP").unwrap();
    drop(RecordLogWriter::create(dir.clone(), log, RecordLogOptions::new()).unwrap());
    let (meta, small) = (CheckpointMeta::default(), CheckpointOptions::new());
    let _summary =
        CheckpointWriter::create(dir.clone(), state, meta, small).unwrap().finish().unwrap();
    let mut reader = RawWalReader::open(dir.clone(), options()).unwrap();
    let mut memory = [0; 512];
    dir.broken.set(true);
    let next = reader.entries(ReadMode::BestEffort).unwrap().next().map(drop);
    let mut refused = vec![
        next,
        reader.read(ReadMode::BestEffort, wal.first_entry_id()).map(drop),
        RawWalReader::open(dir.clone(), options()).map(drop),
        FixedWalReader::open(dir.clone(), options(), ReadMode::BestEffort, &mut memory).map(drop),
        RecordLogReader::open(dir.clone(), log, ReadMode::BestEffort, RecordLogOptions::new())
            .map(drop),
        CheckpointReader::open(dir.clone(), state, small).map(drop),
    ];
    drop(wal);
    refused.push(RawWalWriter::open(dir.clone(), options()).map(drop));
    refused.push(FixedWalWriter::open(dir, options(), &mut memory).map(drop));
    for (index, refused) in refused.into_iter().enumerate() {
        let store = matches!(refused, Err(durability_core::Error::Store { .. }));
        assert!(store, "{index}: {refused:?}");
    }
}
