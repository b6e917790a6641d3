//! A folder of segments: written by a script and damaged, or any bytes.

use durability_core::storage::{MemoryDirectory, MemoryError};
use durability_core::walog::{RawWalReader, RawWalWriter};
use durability_core::{EntryId, Error, ReadMode};

use crate::damage;
use crate::directory::{contents, copy, put, read, segment};
use crate::format::{Frames, Kind, MORE, u64_at};
use crate::input::Input;
use crate::limit::bounded;
use crate::script::{Log, RECORD_BYTES_MAX, reading};

/// What reading a log holds at most: the largest record or block, headers, and some bytes for each of up to 64 segments.
const READ_MEMORY_MAX: usize = 32 << 10;

type Failure = Error<MemoryError>;

/// An entry as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    id: u64,
    segment: u32,
    offset: u64,
    payload: Vec<u8>,
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let log = match input.byte() % 8 {
        0 => {
            let dir = any_files(&mut input);
            laws(&dir);
            return;
        }
        1 => {
            let mut log = Log::run(&mut input);
            let end = end_of(&log.dir);
            assert!(matches!(end, None | Some(Failure::TornTail { .. })), "{end:?}");
            log.crash(&mut input);
            log
        }
        2 => Log::run(&mut input),
        _ => {
            let log = Log::run(&mut input);
            damage::anything(&log.dir, &mut input);
            laws(&log.dir);
            return;
        }
    };
    laws(&log.dir);
    let (found, _) = replay(&log.dir, ReadMode::BestEffort);
    let found: Vec<(u64, Vec<u8>)> =
        found.into_iter().map(|entry| (entry.id, entry.payload)).collect();
    assert_eq!(found, log.entries, "what was written is read");
}

/// Segments of any bytes, some with a header that verifies.
fn any_files(input: &mut Input<'_>) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    for _ in 0..input.below(5) {
        let number = u32::from(input.byte() % 6) + 1;
        let how = input.byte();
        let length = usize::from(input.word()) % 2048;
        let mut bytes = input.take(length).to_vec();
        if how & 1 == 1 {
            let end = bytes.len().min(8);
            bytes[..end].copy_from_slice(&Kind::Segment.magic()[..end]);
            crate::format::seal_header(&mut bytes, Kind::Segment);
        }
        put(&dir, &segment(number), bytes);
    }
    dir
}

fn end_of(dir: &MemoryDirectory) -> Option<Failure> {
    replay(dir, ReadMode::Strict).1
}

/// The entries up to the end or the first error, and that error.
fn replay(dir: &MemoryDirectory, mode: ReadMode) -> (Vec<Entry>, Option<Failure>) {
    let mut found = Vec::new();
    let end = read_each(dir, mode, |entry| found.push(entry)).err();
    (found, end)
}

/// Reads all of a log. Returns whether its tail is torn.
fn read_each(
    dir: &MemoryDirectory,
    mode: ReadMode,
    mut each: impl FnMut(Entry),
) -> Result<bool, Failure> {
    let mut reader = RawWalReader::open(dir.clone(), reading())?;
    let mut entries = reader.entries(mode)?;
    while let Some(entry) = entries.next()? {
        let (id, segment, offset) = (entry.id.get(), entry.segment, entry.offset);
        each(Entry { id, segment, offset, payload: entry.payload.to_vec() });
    }
    Ok(entries.report().torn.is_some())
}

/// The laws of reading, whatever the files hold.
fn laws(dir: &MemoryDirectory) {
    let before = contents(dir);
    // Nothing is kept of the entries here: only the reader's own memory counts.
    bounded(READ_MEMORY_MAX, || {
        let Ok(mut reader) = RawWalReader::open(dir.clone(), reading()) else { return };
        let Ok(mut entries) = reader.entries(ReadMode::BestEffort) else { return };
        while let Ok(Some(_)) = entries.next() {}
    });
    let (entries, end) = replay(dir, ReadMode::BestEffort);
    let (strict, strict_end) = replay(dir, ReadMode::Strict);
    assert_eq!(strict, entries, "both modes show the same entries");
    let torn = read_each(dir, ReadMode::BestEffort, |_| {});
    match (&end, &strict_end) {
        (None, None) => assert_eq!(torn.ok(), Some(false), "strict reading tells of a torn tail"),
        (None, Some(Failure::TornTail { bytes, last_id, .. })) => {
            assert_eq!(torn.ok(), Some(true), "both modes see the same torn tail");
            assert!(*bytes > 0);
            if let Some(last) = entries.last() {
                assert_eq!(last_id.map(EntryId::get), Some(last.id));
            }
        }
        (Some(one), Some(other)) => assert_eq!(one.to_string(), other.to_string()),
        other => panic!("strict implies best effort: {other:?}"),
    }
    for pair in entries.windows(2) {
        assert_eq!(pair[1].id, pair[0].id + 1, "ids have no gap");
    }
    re_encode(dir, &entries, end.is_some());
    assert_eq!(contents(dir), before, "reading changes nothing");
    writing(dir, &entries, end.as_ref());
}

/// What is read is what stands there, by an encoder that was written from the document.
fn re_encode(dir: &MemoryDirectory, entries: &[Entry], damaged: bool) {
    for (index, entry) in entries.iter().enumerate() {
        assert!(entry.payload.len() <= RECORD_BYTES_MAX as usize, "the limit holds");
        let file = read(dir, &segment(entry.segment));
        let frames = Frames::of(Kind::Segment, &file);
        let at = usize::try_from(entry.offset).unwrap();
        let head = frames.head(&file, at).expect("what is read verifies");
        assert!(head.whole, "what is read verifies");
        let position = u32::try_from(entry.id - u64_at(&file, 32) + 1).unwrap();
        let encoded = frames.encode(at, head.flags(), position, &entry.payload);
        // The padding is not covered by any checksum.
        let covered = frames.head_bytes() + entry.payload.len();
        assert!(
            encoded[..covered] == file[at..at + covered],
            "what is read re-encodes to what was there"
        );
        // A suffix truncation may cut a batch, and the next segment says so.
        let cut = dir.names().len() > 1
            && entries.get(index + 1).is_none_or(|next| next.segment != entry.segment);
        assert!(
            !head.is(MORE) || index + 1 < entries.len() || cut || damaged,
            "no log ends within a batch"
        );
    }
}

/// The laws of opening for writing, on a copy.
fn writing(dir: &MemoryDirectory, entries: &[Entry], end: Option<&Failure>) {
    let dir = copy(dir);
    let before = contents(&dir);
    // The directory is in memory, too, and may have to move a file.
    let file_bytes_max = before.values().map(Vec::len).max().unwrap_or(0);
    let opened = bounded(2 * READ_MEMORY_MAX + 4 * file_bytes_max, || {
        RawWalWriter::open(dir.clone(), reading())
    });
    let mut wal = match opened {
        Ok(wal) => wal,
        Err(error) => {
            let limited = matches!(error, Failure::Limit { .. });
            assert!(end.is_some() || limited, "what can be read can be gone on with: {error}");
            assert_eq!(contents(&dir), before, "what is refused is not changed: {error}");
            return;
        }
    };
    // A close frame was taken at its word though the frames before it do not verify: only a script that seals what it forges gets there, with a header
    // that claims the close frame for its payload. Replay goes on telling it.
    let believed = wal.torn_tail().is_none()
        && matches!(end_of(&dir), Some(Failure::TornTail { .. } | Failure::Corrupt(_)));
    let last = wal.last_entry_id().map_or(0, EntryId::get);
    let appended = wal.append(b"after").and_then(|id| wal.flush_and_sync().map(|_| id));
    let id = match appended {
        Ok(id) => id.get(),
        Err(Failure::Limit { .. }) => return,
        Err(error) => panic!("an open log takes an entry: {error}"),
    };
    assert_eq!(id, last + 1);
    wal.close().expect("an open log closes");
    let (after, after_end) = replay(&dir, ReadMode::Strict);
    if let Some(error) = end {
        // Damage in a sealed segment: opening does not read it, and it stays what it was.
        if let Some(found) = after_end {
            assert!(!matches!(found, Failure::TornTail { .. }), "{found}, was {error}");
            return;
        }
    }
    if believed {
        assert!(after_end.is_some(), "what does not verify is not passed over");
        return;
    }
    assert!(after_end.is_none(), "a closed log is whole: {after_end:?}");
    let newest = after.last().expect("the new entry is there");
    assert_eq!((newest.id, newest.payload.as_slice()), (id, &b"after"[..]));
    if end.is_none() {
        // Segments below a mark may still have been there for a reader.
        let kept = after.len() - 1;
        assert!(kept <= entries.len(), "nothing is found that could not be read");
        let same = after.iter().zip(&entries[entries.len() - kept..]);
        assert!(
            same.take(kept).all(|(a, b)| (a.id, &a.payload) == (b.id, &b.payload)),
            "opening keeps what was read"
        );
    }
    let again = copy(&dir);
    let wal = RawWalWriter::open(again, reading()).expect("a closed log opens");
    assert_eq!(wal.last_entry_id().map_or(0, EntryId::get), id);
}
