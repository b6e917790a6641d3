//! One record log: written, torn, resumed and damaged, or any bytes.

use durability_core::recordlog::{
    RecordLogOptions, RecordLogReader, RecordLogReport, RecordLogWriter,
};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::{EntryId, Error, ReadMode};

use crate::damage;
use crate::directory::{contents, copy, put, read};
use crate::format::{Frames, Kind, seal_header, u32_at};
use crate::input::Input;
use crate::limit::bounded;

const FILE: &str = "EVENTS.LOG";
const RECORD_BYTES_MAX: u32 = 1024;
const READ_MEMORY_MAX: usize = 8 << 10;

type Failure = Error<MemoryError>;
type Record = (u64, u64, Vec<u8>);

/// Checks one input.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte() % 8;
    if how == 0 {
        let dir = MemoryDirectory::new();
        let mut bytes = input.rest().to_vec();
        let end = bytes.len().min(8);
        bytes[..end].copy_from_slice(&Kind::RecordLog.magic()[..end]);
        seal_header(&mut bytes, Kind::RecordLog);
        put(&dir, FILE, bytes);
        laws(&dir);
        return;
    }
    let log = Log::run(&mut input);
    if how < 3 {
        laws(&log.dir);
        let (found, _, _) = replay(&log.dir, ReadMode::BestEffort);
        let found: Vec<Vec<u8>> = found.into_iter().map(|(_, _, payload)| payload).collect();
        assert_eq!(found, log.records, "what was written is read");
        return;
    }
    damage::anything(&log.dir, &mut input);
    laws(&log.dir);
}

fn name() -> Name<'static> {
    Name::new(FILE).unwrap()
}

fn reading() -> RecordLogOptions {
    RecordLogOptions::new().buffer_bytes(256).read_bytes(256).record_bytes_max(RECORD_BYTES_MAX)
}

/// A log that nothing was done to but using it.
struct Log {
    dir: MemoryDirectory,
    options: RecordLogOptions,
    records: Vec<Vec<u8>>,
    durable: usize,
    durable_bytes: usize,
}

type Writer<'d> = RecordLogWriter<&'d MemoryDirectory>;

impl Log {
    fn run(input: &mut Input<'_>) -> Self {
        let alignment = input.pick(&[4, 8, 16, 64, 256]);
        let options = reading().alignment(alignment).mark_after_sync(input.byte() & 1 == 1);
        let dir = MemoryDirectory::new();
        let mut log =
            Self { dir: dir.clone(), options, records: Vec::new(), durable: 0, durable_bytes: 0 };
        let mut writer = log.open(&dir);
        for _ in 0..input.below(40) {
            match input.byte() % 8 {
                0..=3 => {
                    let length = match input.byte() {
                        0xFF => RECORD_BYTES_MAX as usize,
                        byte => usize::from(byte % 40),
                    };
                    let mut record = input.take(length.min(8)).to_vec();
                    record.resize(length, length as u8);
                    let id = writer.append(&record).expect("an append works");
                    log.records.push(record);
                    assert_eq!(id, log.records.len() as u64);
                }
                4 => {
                    let durable = writer.flush_and_sync().expect("a sync works").through();
                    assert_eq!(durable.map_or(0, EntryId::get), log.records.len() as u64);
                    log.note_durable();
                }
                5 => writer.flush().expect("a flush works"),
                6 => {
                    let _ = writer.close().expect("a log closes");
                    log.durable = log.records.len();
                    writer = log.open(&dir);
                }
                _ => {
                    drop(writer);
                    log.crash(input);
                    writer = log.open(&dir);
                }
            }
        }
        drop(writer);
        if input.byte() & 1 == 1 {
            log.crash(input);
        }
        log
    }

    fn open<'d>(&mut self, dir: &'d MemoryDirectory) -> Writer<'d> {
        let writer =
            RecordLogWriter::open(dir, name(), self.options).expect("a log without damage opens");
        let last = writer.last_record().map_or(0, EntryId::get);
        assert_eq!(last, self.records.len() as u64, "what was there is found again");
        self.durable = self.records.len();
        // What opening writes is synced, or waits in the buffer.
        self.durable_bytes = read(dir, FILE).len();
        writer
    }

    fn note_durable(&mut self) {
        self.durable = self.records.len();
        self.durable_bytes = read(&self.dir, FILE).len();
    }

    /// Cuts the file off where a crash can: what a sync has acknowledged stays.
    fn crash(&mut self, input: &mut Input<'_>) {
        let mut bytes = read(&self.dir, FILE);
        let durable = self.durable_bytes.min(bytes.len());
        let kept = durable + input.below(bytes.len() - durable + 1);
        bytes.truncate(kept);
        bytes.resize(kept + input.pick(&[0, 0, 5, 300]), 0);
        put(&self.dir, FILE, bytes);
        let torn = copy(&self.dir);
        let writer = RecordLogWriter::resume(&torn, name(), self.options);
        let writer = writer.expect("a log opens, wherever a crash has cut it");
        let last = writer.last_record().map_or(0, EntryId::get) as usize;
        assert!((self.durable..=self.records.len()).contains(&last), "{last} of {}", self.durable);
        self.records.truncate(last);
        self.durable = last;
    }
}

/// The records up to the end or the first error, that error, and the report.
fn replay(
    dir: &MemoryDirectory,
    mode: ReadMode,
) -> (Vec<Record>, Option<Failure>, RecordLogReport) {
    let mut records = Vec::new();
    let mut reader = match RecordLogReader::open(dir, name(), mode, reading()) {
        Ok(reader) => reader,
        Err(error) => return (records, Some(error), RecordLogReport::default()),
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => {
                records.push((record.id.get(), record.offset, record.payload.to_vec()))
            }
            Ok(None) => return (records, None, reader.report()),
            Err(error) => {
                let again =
                    reader.next().map(|record| record.is_some()).expect_err("an error stays");
                assert_eq!(
                    again.to_string(),
                    error.to_string(),
                    "asked again, the reader says the same"
                );
                return (records, Some(error), reader.report());
            }
        }
    }
}

/// The laws of reading and going on, whatever the file holds.
fn laws(dir: &MemoryDirectory) {
    let before = contents(dir);
    bounded(READ_MEMORY_MAX, || {
        let reader = RecordLogReader::open(dir, name(), ReadMode::BestEffort, reading());
        let Ok(mut reader) = reader else { return };
        while let Ok(Some(_)) = reader.next() {}
    });
    let (records, end, report) = replay(dir, ReadMode::BestEffort);
    let (strict, strict_end, _) = replay(dir, ReadMode::Strict);
    assert_eq!(strict, records, "both modes show the same records");
    match (&end, &strict_end) {
        (None, None) => assert_eq!(report.torn_bytes, 0, "strict reading tells of a torn tail"),
        (None, Some(Failure::TornTail { bytes, .. })) => assert_eq!(report.torn_bytes, *bytes),
        (Some(one), Some(other)) => assert_eq!(one.to_string(), other.to_string()),
        other => panic!("strict implies best effort: {other:?}"),
    }
    let file = read(dir, FILE);
    let frames = Frames::of(Kind::RecordLog, &file);
    for (index, (id, offset, payload)) in records.iter().enumerate() {
        assert_eq!(*id, index as u64 + 1, "records are counted from 1");
        assert!(payload.len() <= RECORD_BYTES_MAX as usize, "the limit holds");
        let at = usize::try_from(*offset).unwrap();
        let encoded = frames.encode(at, u32_at(&file, at) & 0xF000_0000, *id as u32, payload);
        let covered = 16 + payload.len();
        assert!(
            encoded[..covered] == file[at..at + covered],
            "what is read re-encodes to what was there"
        );
    }
    assert_eq!(contents(dir), before, "reading changes nothing");
    if before.contains_key(FILE) {
        writing(dir, &records, end.as_ref());
    }
}

/// The laws of resuming, on a copy.
fn writing(dir: &MemoryDirectory, records: &[Record], end: Option<&Failure>) {
    let dir = copy(dir);
    let before = contents(&dir);
    // The directory is in memory, too, and may have to move the file.
    let file_bytes = read(&dir, FILE).len();
    let resumed = bounded(2 * READ_MEMORY_MAX + 4 * file_bytes, || {
        RecordLogWriter::resume(&dir, name(), reading())
    });
    let mut writer = match resumed {
        Ok(writer) => writer,
        Err(error) => {
            let fits = matches!(error, Failure::Limit { .. });
            assert!(end.is_some() || fits, "what can be read can be gone on with: {error}");
            assert_eq!(contents(&dir), before, "what is refused is not changed: {error}");
            return;
        }
    };
    assert!(end.is_none(), "what cannot be read to its end is not gone on with: {end:?}");
    assert_eq!(writer.last_record().map_or(0, EntryId::get), records.len() as u64);
    let id = writer.append(b"after").expect("an open log takes a record");
    let _ = writer.close().expect("an open log closes");
    let (after, after_end, _) = replay(&dir, ReadMode::Strict);
    let failed_at = match &after_end {
        Some(Failure::Corrupt(damage)) => damage.offset,
        Some(Failure::NewerFrame { offset, .. }) => *offset,
        _ => 0,
    };
    if failed_at as usize + 16 > file_bytes {
        // A header that contradicts the log, and that the file cut off: no crash leaves that, and it shows once the file grows.
        return;
    }
    assert!(after_end.is_none(), "a closed log is whole: {after_end:?}");
    let (newest, kept) = after.split_last().expect("the new record is there");
    assert_eq!((newest.0, newest.2.as_slice()), (id.get(), &b"after"[..]));
    let same = |a: &Record, b: &Record| a.0 == b.0 && a.2 == b.2;
    assert!(
        kept.len() == records.len() && kept.iter().zip(records).all(|(a, b)| same(a, b)),
        "resuming keeps what was read"
    );
}
