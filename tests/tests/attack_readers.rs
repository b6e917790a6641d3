//! Readers beside a writer that works on, at the worst moments.
#![allow(
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::type_complexity,
    clippy::std_instead_of_alloc,
    missing_docs
)] // tests

use core::cell::RefCell;
use std::rc::Rc;

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom};
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
use durability_core::recover::{RecoverOptions, recover_read_only};
use durability_core::storage::{
    Capabilities, Directory, Folder, Locking, MemoryDirectory, MemoryError, Name, ReadFile,
};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalWriter};
use durability_core::{Error, ReadMode};

type Between = Rc<RefCell<Box<dyn FnMut(u32)>>>;

/// Calls back before every read of a file, with the number of the read; a read gives no more than `piece` bytes.
struct Slow {
    dir: MemoryDirectory,
    /// From the read of that number on, the files are those.
    later: Option<(u32, MemoryDirectory)>,
    piece: usize,
    between: Between,
    reads: Rc<core::cell::Cell<u32>>,
}

struct SlowReader {
    file: <MemoryDirectory as Directory>::Reader,
    later: Option<(u32, <MemoryDirectory as Directory>::Reader)>,
    piece: usize,
    between: Between,
    reads: Rc<core::cell::Cell<u32>>,
}

impl ErrorType for SlowReader {
    type Error = MemoryError;
}
impl Read for SlowReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        self.file.read(buffer)
    }
}
impl Seek for SlowReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64, MemoryError> {
        self.file.seek(position)
    }
}
impl ReadFile for SlowReader {
    fn len(&mut self) -> Result<u64, MemoryError> {
        self.file.len()
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let number = self.reads.get();
        self.reads.set(number + 1);
        (self.between.borrow_mut())(number);
        let bytes = buffer.len().min(self.piece);
        let later = self.later.as_mut().filter(|(from, _)| number >= *from);
        later.map_or(&mut self.file, |(_, file)| file).read_at(offset, &mut buffer[..bytes])
    }
}

impl Directory for Slow {
    type Error = MemoryError;
    type Reader = SlowReader;
    type Appender = <MemoryDirectory as Directory>::Appender;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        self.dir.capabilities()
    }
    fn open(&self, name: Name<'_>) -> Result<Option<SlowReader>, MemoryError> {
        let (between, reads) = (Rc::clone(&self.between), Rc::clone(&self.reads));
        let piece = self.piece;
        let later =
            self.later.as_ref().map(|(from, dir)| (*from, dir.open(name).unwrap().unwrap()));
        Ok(self.dir.open(name)?.map(|file| SlowReader { file, later, piece, between, reads }))
    }
    fn create(&self, name: Name<'_>, room: u64) -> Result<Option<Self::Appender>, MemoryError> {
        self.dir.create(name, room)
    }
    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.dir.remove(name)
    }
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        self.dir.list(folder, each)
    }
    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
        self.dir.lock(name)
    }
    fn nonce(&self) -> u64 {
        self.dir.nonce()
    }
}

/// Whole reads of little, so that what is read last is newer than what was read first.
const SMALL: (fn() -> WalOptions, usize) =
    (|| WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256), usize::MAX);
/// One window for all of it, filled by many reads: within it, what is behind is newer than what is in front.
const TORN: (fn() -> WalOptions, usize) =
    (|| WalOptions::new().segment_bytes(4096).buffer_bytes(256).read_bytes(4096), 28);

/// Reads the log while the writer does `work` before the read of that number.
fn beside(
    (options, piece): (fn() -> WalOptions, usize),
    before: u32,
    at: u32,
    mut work: impl FnMut(&mut RawWalWriter<MemoryDirectory>) + 'static,
) -> (Result<u64, Error<MemoryError>>, u32) {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    for _ in 0..before {
        wal.append(&[7; 8]).unwrap();
        let _ = wal.flush_and_sync().unwrap();
    }
    let between: Between = Rc::new(RefCell::new(Box::new(move |number| {
        if number == at {
            work(&mut wal);
        }
    })));
    let slow = Slow { dir, later: None, piece, between, reads: Rc::default() };
    let reads = Rc::clone(&slow.reads);
    let read = || {
        let mut reader = RawWalReader::open(slow, options())?;
        let mut entries = reader.entries(ReadMode::BestEffort)?;
        let mut count = 0;
        while let Some(entry) = entries.next()? {
            count += 1;
            assert_eq!(entry.id, count);
        }
        Ok(count)
    };
    (read(), reads.get())
}

#[test]
fn a_writer_that_works_on_is_never_taken_for_damage() {
    for (setting, before) in [SMALL, TORN].into_iter().flat_map(|s| (0..12).map(move |b| (s, b))) {
        for more in 1..10 {
            for at in 0.. {
                let (result, reads) = beside(setting, before, at, move |wal| {
                    for _ in 0..more {
                        wal.append(&[7; 8]).unwrap();
                        let _ = wal.flush_and_sync().unwrap();
                    }
                });
                match result {
                    Ok(count) => assert!(count >= u64::from(before)),
                    Err(error) => panic!("{before} entries, {more} more before read {at}: {error}"),
                }
                if at > reads {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_writer_of_batches_is_never_taken_for_damage() {
    for (setting, before) in [SMALL, TORN].into_iter().flat_map(|s| (0..6).map(move |b| (s, b))) {
        for more in 1..6 {
            for at in 0..80 {
                let (result, _) = beside(setting, before, at, move |wal| {
                    for _ in 0..more {
                        wal.append_batch(&[[7; 8], [7; 8], [7; 8]]).unwrap();
                        let _ = wal.flush_and_sync().unwrap();
                    }
                });
                if let Err(error) = result {
                    panic!("{before} entries, {more} batches before read {at}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_writer_of_a_record_log_is_never_taken_for_damage() {
    let path = Name::new("A.LOG").unwrap();
    let settings = [(256, usize::MAX), (4096, 28)];
    for ((read_bytes, piece), before) in
        settings.into_iter().flat_map(|s| (0..12).map(move |b| (s, b)))
    {
        for at in 0..40 {
            let dir = MemoryDirectory::new();
            let options = RecordLogOptions::new().buffer_bytes(256).read_bytes(read_bytes);
            let mut log = RecordLogWriter::create(dir.clone(), path, options).unwrap();
            for _ in 0..before {
                log.append(&[7; 8]).unwrap();
                let _ = log.flush_and_sync().unwrap();
            }
            let between: Between = Rc::new(RefCell::new(Box::new(move |number| {
                if number == at {
                    for _ in 0..3 {
                        log.append(&[7; 8]).unwrap();
                        let _ = log.flush_and_sync().unwrap();
                    }
                }
            })));
            let slow = Slow { dir, later: None, piece, between, reads: Rc::default() };
            let mut reader =
                RecordLogReader::open(slow, path, ReadMode::BestEffort, options).unwrap();
            let records = reader.collect();
            assert!(records.is_ok(), "{before} records, read {at}: {records:?}");
        }
    }
}

/// A file of which the first bytes are there, and zeros instead of the rest, which is written before the read of that number. A read gives little, so one window
/// may hold both.
fn grown(name: Name<'_>, whole: &[u8], cut: usize, at: u32) -> Slow {
    let (dir, after) = (MemoryDirectory::new(), MemoryDirectory::new());
    let mut before = whole[..cut].to_vec();
    before.resize(whole.len(), 0);
    dir.put(name, before);
    after.put(name, whole.to_vec());
    let between: Between = Rc::new(RefCell::new(Box::new(|_| ())));
    Slow { dir, later: Some((at, after)), piece: 28, between, reads: Rc::default() }
}

#[test]
fn a_file_that_is_written_while_a_window_is_filled_is_never_taken_for_damage() {
    let name = Name::new("wal/00000001.WAL").unwrap();
    let (options, _) = TORN;
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    for entries in [1, 3, 1, 4, 1, 1] {
        wal.append_batch(&vec![[7; 8]; entries]).unwrap();
        let _ = wal.flush_and_sync().unwrap();
    }
    let whole = dir.contents(name).unwrap();
    for cut in 72..whole.len() {
        for at in 0.. {
            let slow = grown(name, &whole, cut, at);
            let reads = Rc::clone(&slow.reads);
            let mut reader = RawWalReader::open(slow, options()).unwrap();
            let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
            let mut count = 0;
            while let Some(entry) =
                entries.next().unwrap_or_else(|error| panic!("{cut} bytes, read {at}: {error}"))
            {
                count += 1;
                assert_eq!((entry.id.get(), entry.payload), (count, &[7; 8][..]));
            }
            assert!([0, 1, 4, 5, 9, 10, 11].contains(&count), "half a batch: {count}");
            if at > reads.get() {
                break;
            }
        }
    }
}

#[test]
fn a_record_log_that_is_written_while_a_window_is_filled_is_never_taken_for_damage() {
    let name = Name::new("A.LOG").unwrap();
    let options = RecordLogOptions::new().buffer_bytes(256).read_bytes(4096);
    let dir = MemoryDirectory::new();
    let mut log = RecordLogWriter::create(dir.clone(), name, options).unwrap();
    for _ in 0..6 {
        log.append(&[7; 8]).unwrap();
        let _ = log.flush_and_sync().unwrap();
    }
    let whole = dir.contents(name).unwrap();
    for cut in 64..whole.len() {
        for at in 0.. {
            let slow = grown(name, &whole, cut, at);
            let reads = Rc::clone(&slow.reads);
            let mut reader =
                RecordLogReader::open(slow, name, ReadMode::BestEffort, options).unwrap();
            let records =
                reader.collect().unwrap_or_else(|error| panic!("{cut} bytes, read {at}: {error}"));
            assert!(records.iter().all(|record| record[..] == [7; 8]));
            if at > reads.get() {
                break;
            }
        }
    }
}

#[test]
fn a_recovery_that_only_looks_never_takes_a_publication_beside_it_for_damage() {
    for ((options, piece), at) in
        [SMALL, TORN].into_iter().flat_map(|s| (0..80).map(move |a| (s, a)))
    {
        let dir = MemoryDirectory::new();
        let mut wal = WalWriter::<u64, _>::open(dir.clone(), options()).unwrap();
        let mut publisher = CheckpointPublisher::new(dir.clone(), PublishOptions::new()).unwrap();
        wal.append_batch(&[1, 1, 1]).unwrap();
        publisher.publish(&mut wal, &3_u64).unwrap();
        let between: Between = Rc::new(RefCell::new(Box::new(move |number| {
            if number == at {
                wal.append_batch(&[1; 12]).unwrap();
                wal.append_batch(&[1; 12]).unwrap();
                publisher.publish(&mut wal, &27_u64).unwrap();
            }
        })));
        let slow = Slow { dir, later: None, piece, between, reads: Rc::default() };
        let how = RecoverOptions::new();
        let found = recover_read_only(slow, options(), &how, 0, |sum, _, entry: u64| {
            *sum += entry;
            Ok::<(), Error<MemoryError>>(())
        });
        match found {
            Ok(found) => assert!(found.state == 3 || found.state == 15 || found.state == 27),
            // What is looked at one after the other need not fit; the documentation says "try again".
            Err(Error::Missing { .. } | Error::CheckpointAhead { .. }) => {}
            Err(error) => panic!("published before read {at}: {error}"),
        }
    }
}
