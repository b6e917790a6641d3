//! Laws of a log that was closed: opening it looks at its end only, and finds what reading all of it finds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::storage::{
    Capabilities, Directory, Folder, Locking, MemoryDirectory, MemoryError, Name, StoreError as _,
};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};

const ALIGNMENTS: [u32; 3] = [4, 16, 256];

fn options(alignment: u32) -> WalOptions {
    WalOptions::new().alignment(alignment).segment_bytes(4096)
}

/// A directory of one closed log, and the name of its tail. With `pruned`, the log begins behind segments that are gone.
fn closed(alignment: u32, pruned: bool) -> (MemoryDirectory, String) {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), options(alignment)).unwrap();
    for _ in 0..10 {
        wal.append(&[7; 1000]).unwrap();
    }
    if pruned {
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
    }
    wal.append(b"last").unwrap();
    wal.close().unwrap();
    let tail = segments_of(&dir).pop().unwrap();
    (dir, tail)
}

fn copy(dir: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in dir.names() {
        let name = Name::new(&name).unwrap();
        copy.put(name, dir.contents(name).unwrap());
    }
    copy
}

type Found = Result<(EntryId, EntryId, u32), String>;

/// What opening finds, and an append that follows does: the first id, the next, and whether a replay then fails.
fn open(dir: &MemoryDirectory, options: WalOptions) -> Found {
    let text = |error: Error<MemoryError>| error.to_string();
    let mut wal = RawWalWriter::open(dir.clone(), options.clone()).map_err(text)?;
    let found = (wal.first_entry_id(), wal.append(b"after").map_err(text)?, wal.tail_segment());
    wal.close().map_err(text)?;
    let mut reader = RawWalReader::open(dir.clone(), options).map_err(text)?;
    let mut entries = reader.entries(ReadMode::BestEffort).map_err(text)?;
    while entries.next().map_err(text)?.is_some() {}
    assert_eq!(entries.report().last_id, Some(found.1));
    Ok(found)
}

#[test]
fn looking_at_the_end_finds_what_reading_all_finds_however_the_end_is_damaged() {
    for (alignment, pruned) in ALIGNMENTS.into_iter().flat_map(|each| [(each, false), (each, true)])
    {
        let (dir, tail) = closed(alignment, pruned);
        let name = Name::new(&tail).unwrap();
        let whole = dir.contents(name).unwrap();
        let list = if pruned { 24 } else { 28 + 72 * 3_usize };
        let frame = |bytes: usize| bytes.next_multiple_of(alignment as usize);
        let last_frames = 2 * frame(20) + frame(list);
        let flips = (whole.len() - last_frames) * 8..whole.len() * 8;
        let flips = flips.step_by(if alignment > 16 { 5 } else { 1 });
        let cuts = (72..whole.len()).rev().take(last_frames);
        let longer = [1, 4, 256, 5000].map(|more| {
            let mut bytes = whole.clone();
            bytes.resize(whole.len() + more, 0);
            bytes
        });
        let flipped = flips.map(|bit| {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let cut = cuts.map(|length| whole[..length].to_vec());
        for bytes in flipped.chain(cut).chain(longer) {
            let [short, long] = [(); 2].map(|()| {
                let dir = copy(&dir);
                dir.put(name, bytes.clone());
                dir
            });
            let by_end = open(&short, options(alignment));
            let by_all = open(&long, options(alignment).scan_at_open(true));
            // Damage in front of the close frame is found by the replay instead.
            assert_eq!(by_end, by_all, "alignment {alignment}, pruned {pruned}");
        }
    }
}

#[test]
fn no_byte_of_a_closed_log_changes_when_it_goes_on() {
    for (alignment, pruned) in ALIGNMENTS.into_iter().flat_map(|each| [(each, false), (each, true)])
    {
        let (dir, tail) = closed(alignment, pruned);
        let name = Name::new(&tail).unwrap();
        for _ in 0..3 {
            let before = dir.contents(name).unwrap();
            let mut wal = RawWalWriter::open(dir.clone(), options(alignment)).unwrap();
            assert_eq!(dir.contents(name).unwrap(), before);
            wal.append(b"more").unwrap();
            wal.close().unwrap();
            let after = dir.contents(name).unwrap();
            assert!(after.len() > before.len() && after.starts_with(&before));
        }
    }
}

#[test]
fn damage_to_a_closed_segment_is_found_by_replay_or_at_once_if_that_is_asked_for() {
    let (dir, tail) = closed(4, false);
    let name = Name::new(&tail).unwrap();
    let mut bytes = dir.contents(name).unwrap();
    bytes[100] ^= 1;
    dir.put(name, bytes);
    let scanned = RawWalWriter::open(dir.clone(), options(4).scan_at_open(true));
    assert!(matches!(scanned, Err(Error::Corrupt(_))), "{scanned:?}");
    let mut wal = RawWalWriter::open(dir.clone(), options(4)).unwrap();
    // Whatever becomes of the segment, the damage stays in sight.
    for _ in 0..10 {
        wal.append(&[7; 1000]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        let mut reader = wal.reader().unwrap();
        let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
        let damage = loop {
            match entries.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("damage was passed over"),
                Err(Error::Corrupt(damage)) => break damage,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(damage.file.as_name().as_str(), tail);
    }
}

#[test]
fn segments_that_are_missing_without_a_mark_are_a_hole() {
    let (dir, _) = closed(4, false);
    dir.remove(Name::new("wal/00000001.WAL").unwrap()).unwrap();
    let opened = RawWalWriter::open(dir, options(4));
    assert!(matches!(opened, Err(Error::Corrupt(_))), "{opened:?}");
}

/// Four segments of a closed log.
fn closed_with_list(options: &WalOptions) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), options.clone()).unwrap();
    for _ in 0..10 {
        wal.append(&[7; 1000]).unwrap();
    }
    assert_eq!(wal.segments().count(), 4);
    wal.close().unwrap();
    dir
}

fn segments_of(dir: &MemoryDirectory) -> Vec<String> {
    let mut names = dir.names();
    names.retain(|name| name != "wal/LOCK");
    names.sort();
    names
}

fn segment(number: u32) -> String {
    format!("wal/{number:08X}.WAL")
}

#[test]
fn what_opening_knew_from_a_list_is_checked_where_it_is_read() {
    for bit in 0..72 * 8 {
        let dir = closed_with_list(&options(4));
        let name = segment(2);
        let mut bytes = dir.contents(Name::new(&name).unwrap()).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        dir.put(Name::new(&name).unwrap(), bytes);
        let mut wal = RawWalWriter::open(dir.clone(), options(4)).unwrap();
        let found = |error: Error<MemoryError>| match error {
            Error::Corrupt(damage) => damage.file.as_name().as_str() == name,
            Error::Newer { file, .. } => file.as_name().as_str() == name,
            _ => false,
        };
        let mut reader = wal.reader().unwrap();
        assert!(found(reader.verify_segment(ReadMode::BestEffort, 2).unwrap_err()), "bit {bit}");
        reader.verify_segment(ReadMode::Strict, 1).unwrap();
        reader.verify_segment(ReadMode::Strict, 3).unwrap();
        assert!(found(reader.read(ReadMode::Strict, EntryId::new(6).unwrap()).unwrap_err()));
        drop(reader);
        let before: Vec<_> = dir.names();
        assert!(found(wal.truncate_suffix(EntryId::new(6).unwrap()).unwrap_err()));
        drop(wal);
        assert_eq!(dir.names(), before);
    }
}

#[test]
fn a_list_that_is_not_of_the_files_there_is_not_believed() {
    for missing in 1..=3 {
        let dir = closed_with_list(&options(4));
        dir.remove(Name::new(&segment(missing)).unwrap()).unwrap();
        let opened = RawWalWriter::open(dir, options(4));
        assert!(matches!(opened, Err(Error::Corrupt(_))), "{missing}: {opened:?}");
    }
    // A segment of another log, between two of this one, must not be deleted as if it were a dead one of this.
    let dir = closed_with_list(&options(4));
    let mut wal = RawWalWriter::open(dir.clone(), options(4)).unwrap();
    wal.truncate_suffix(EntryId::new(6).unwrap()).unwrap();
    wal.close().unwrap();
    assert_eq!(segments_of(&dir), [1, 2, 5].map(segment));
    let other = closed_with_list(&options(4).log_id(77));
    let stray = other.contents(Name::new(&segment(3)).unwrap()).unwrap();
    dir.put(Name::new(&segment(3)).unwrap(), stray);
    let opened = RawWalWriter::open(dir.clone(), options(4));
    assert!(matches!(opened, Err(Error::Corrupt(_))), "{opened:?}");
    assert_eq!(segments_of(&dir), [1, 2, 3, 5].map(segment));
}

#[test]
fn pruned_segments_that_come_back_stay_gone() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::new(dir.clone(), options(4)).unwrap();
    for _ in 0..10 {
        wal.append(&[7; 1000]).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
    let before = copy(&dir);
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    wal.append(b"last").unwrap();
    let first = wal.first_entry_id();
    wal.close().unwrap();
    let gone = before.names().into_iter().filter(|name| !dir.names().contains(name));
    for name in gone.collect::<Vec<_>>() {
        let name = Name::new(&name).unwrap();
        dir.put(name, before.contents(name).unwrap());
    }
    let wal = RawWalWriter::open(dir.clone(), options(4)).unwrap();
    assert_eq!(wal.first_entry_id(), first);
}

/// Storage that cannot write again where something stands.
#[derive(Clone)]
struct ProgramOnce(MemoryDirectory);

impl Directory for ProgramOnce {
    type Error = MemoryError;
    type Reader = <MemoryDirectory as Directory>::Reader;
    type Appender = <MemoryDirectory as Directory>::Appender;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, MemoryError> {
        self.0.open(name)
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, MemoryError> {
        self.0.create(name, reserve)
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, MemoryError> {
        match self.0.contents(name) {
            Some(bytes) if bytes.len() as u64 > at => Err(MemoryError::unsupported()),
            _ => self.0.reopen(name, at),
        }
    }

    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.0.remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        self.0.list(folder, each)
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.0.sync_file(name)
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), MemoryError> {
        self.0.sync_dir(folder)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
        self.0.lock(name)
    }

    fn nonce(&self) -> u64 {
        self.0.nonce()
    }
}

#[test]
fn where_the_close_frame_cannot_be_written_again_the_log_goes_on_in_a_new_segment() {
    for pruned in [false, true] {
        let (dir, tail) = closed(4, pruned);
        let mut wal = RawWalWriter::open(ProgramOnce(dir.clone()), options(4)).unwrap();
        let (before, tail_number) = (wal.next_entry_id(), wal.tail_segment());
        assert_eq!(wal.append(b"after").unwrap(), before);
        assert!(wal.tail_segment() > tail_number, "{tail}");
        wal.close().unwrap();
        let next = RawWalWriter::open(dir.clone(), options(4)).unwrap().next_entry_id();
        assert_eq!(next.get(), before.get() + 1);
        let mut reader = RawWalReader::open(dir, options(4)).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        while entries.next().unwrap().is_some() {}
    }
}
