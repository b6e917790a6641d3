//! The log without a heap, on directories that can do less, in folders in which files come back: it does what the other writer does, and is refused what that is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host, and may stop"
)]

mod within;

use std::collections::BTreeMap;
use std::rc::Rc;

use durability_core::storage::{Capabilities, Directory as _, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    FixedWalReader, FixedWalWriter, RawWalReader, RawWalWriter, WalOptions,
};
use durability_core::{CorruptionKind, Durable, EntryId, Error, Limit, ReadMode};

use within::{Reopening, Shared, files_of, within};

const BUFFER: usize = 512;
const HEADER: usize = 72;
const FRAME: usize = 16;
const ENTRY: &[u8] = &[0; 16];
const NOTHING: &[u8] = &[];

type Files = BTreeMap<String, Vec<u8>>;

fn options() -> WalOptions {
    // The other writer, too, is to read a closed tail: this one always does.
    let options = WalOptions::new().segment_bytes(400).log_id(7).scan_at_open(true);
    options.buffer_bytes(512).read_bytes(512)
}

fn files(memory: &MemoryDirectory) -> Files {
    let names = memory.names().into_iter().filter(|name| !name.ends_with("LOCK"));
    names.map(|name| (name.clone(), memory.contents(Name::new(&name).unwrap()).unwrap())).collect()
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn worlds() -> [(&'static str, Capabilities); 6] {
    let whole = Capabilities::new().with_reopen().with_rename();
    [
        ("all", whole),
        ("no reopening", Capabilities::new()),
        ("files of 256 bytes", files_of(256)),
        ("files of 256 bytes, no reopening", Capabilities::new().with_file_bytes_max(256)),
        ("files of 403 bytes", files_of(403)),
        ("granules of 64 bytes", whole.with_write_granule(64)),
    ]
}

/// The same is asked of both; the answers are the same, and so are the files.
fn agree<T: PartialEq + std::fmt::Debug>(
    fixed: Result<T, Error<MemoryError>>,
    raw: Result<T, Error<MemoryError>>,
    told: &str,
) -> bool {
    match (fixed, raw) {
        (Ok(fixed), Ok(raw)) => {
            assert_eq!(fixed, raw, "{told}");
            true
        }
        (Err(fixed), Err(raw)) => {
            assert_eq!(fixed.to_string(), raw.to_string(), "{told}");
            false
        }
        (fixed, raw) => panic!("{told}: {fixed:?}, {raw:?}"),
    }
}

fn one_step(
    fixed: &mut FixedWalWriter<'_, Shared>,
    raw: &mut RawWalWriter<Shared>,
    numbers: &mut Numbers,
    told: &str,
) {
    match numbers.below(8) {
        0..=3 => {
            let payload = vec![5; usize::try_from(numbers.below(200)).unwrap()];
            agree(fixed.append(&payload), raw.append(&payload), told);
        }
        4 => {
            let payloads = vec![[6_u8; 30]; usize::try_from(numbers.below(4)).unwrap()];
            let slices: Vec<&[u8]> = payloads.iter().map(|payload| &payload[..]).collect();
            let first = fixed.append_batch(&slices).map(|ids| ids.first());
            agree(first, raw.append_batch(&payloads).map(|ids| ids.first()), told);
            // The other hands out a batch that is one.
            agree(fixed.flush(), raw.flush(), told);
        }
        5 => _ = agree(fixed.flush(), raw.flush(), told),
        6 => {
            let (fixed, raw) = (fixed.flush_and_sync(), raw.flush_and_sync());
            agree(fixed.map(Durable::through), raw.map(Durable::through), told);
        }
        _ => {
            let before = fixed.next_entry_id().get().saturating_sub(numbers.below(12)).max(1);
            let before = EntryId::new(before).unwrap();
            agree(fixed.truncate_prefix(before), raw.truncate_prefix(before), told);
        }
    }
    assert_eq!(fixed.is_poisoned(), raw.is_poisoned(), "{told}");
    assert_eq!(fixed.next_entry_id(), raw.next_entry_id(), "{told}");
    assert_eq!(fixed.first_entry_id(), raw.first_entry_id(), "{told}");
}

/// Some of what was deleted comes back, and the newest file may have lost its end.
fn after_a_crash(memories: [&MemoryDirectory; 2], seen: &Files, numbers: &mut Numbers) {
    let (back, cut) = (numbers.below(3), numbers.below(60));
    let now = files(memories[0]);
    for memory in memories {
        let gone = seen.iter().filter(|(name, _)| !now.contains_key(*name));
        for (index, (name, bytes)) in gone.enumerate() {
            if index as u64 % 3 == back {
                memory.put(Name::new(name).unwrap(), bytes.clone());
            }
        }
        if let Some((name, bytes)) = now.last_key_value().filter(|_| back == 0) {
            let left = bytes.len().saturating_sub(usize::try_from(cut).unwrap());
            memory.put(Name::new(name).unwrap(), bytes[..left].to_vec());
        }
    }
}

/// What is appended with another alignment, or in the other form, goes into a segment of its own.
fn options_of(life: u64, granule: u32, numbers: &mut Numbers) -> WalOptions {
    let alignment = [8, 8, 16, 8][usize::try_from(numbers.below(4)).unwrap()];
    let alignment = alignment.max(granule);
    options().alignment(alignment).compact_frames((life + numbers.below(4)) % 4 == 3)
}

#[test]
fn whatever_a_directory_can_do_both_writers_do_the_same() {
    let (mut torn, mut dead) = (0, 0);
    for (world, capabilities) in worlds() {
        for seed in 0..120 {
            let mut numbers = Numbers(seed);
            let memories = [MemoryDirectory::new(), MemoryDirectory::new()];
            let [fixed_dir, raw_dir] = memories.each_ref().map(|it| within(it, capabilities));
            let mut seen = Files::new();
            for life in 0..5 {
                let told = format!("{world}, seed {seed}, life {life}");
                // What does not fill 256 bytes is not used.
                let lent = BUFFER + [0, 1, 100, 255][usize::try_from(seed % 4).unwrap()];
                let mut memory = vec![0; lent];
                let options = options_of(life, capabilities.write_granule(), &mut numbers);
                let before = files(&memories[0]).len();
                let fixed =
                    FixedWalWriter::open(Rc::clone(&fixed_dir), options.clone(), &mut memory);
                let raw = RawWalWriter::open(Rc::clone(&raw_dir), options);
                let (mut fixed, mut raw) = match (fixed, raw) {
                    (Ok(fixed), Ok(raw)) => (fixed, raw),
                    (Err(fixed), Err(raw)) => {
                        assert_eq!(fixed.to_string(), raw.to_string(), "{told}");
                        break;
                    }
                    (fixed, raw) => panic!("{told}: {fixed:?}, {raw:?}"),
                };
                assert!(files(&memories[0]) == files(&memories[1]), "{told}: opened");
                let torn_bytes = raw.torn_tail().map_or(0, |torn| torn.bytes);
                assert_eq!(fixed.torn_bytes(), torn_bytes, "{told}");
                torn += u32::from(torn_bytes > 1);
                dead += u32::from(files(&memories[0]).len() < before);
                for step in 0..numbers.below(14) {
                    one_step(&mut fixed, &mut raw, &mut numbers, &format!("{told}, step {step}"));
                    seen.extend(files(&memories[0]));
                }
                if numbers.below(3) == 0 {
                    agree(fixed.close(), raw.close(), &told);
                } else {
                    drop((fixed, raw));
                }
                assert!(files(&memories[0]) == files(&memories[1]), "{told}: ended");
                seen.extend(files(&memories[0]));
                let longest = files(&memories[0]).values().map(Vec::len).max().unwrap_or(0);
                assert!(longest as u64 <= capabilities.file_bytes_max(), "{told}");
                after_a_crash(memories.each_ref(), &seen, &mut numbers);
            }
        }
    }
    assert!(torn > 100 && dead > 100, "{torn} torn tails, {dead} folders with what was dead");
}

fn limit<T: std::fmt::Debug>(result: Result<T, Error<MemoryError>>) -> (Limit, u64, u64) {
    match result {
        Err(Error::Limit { what, found, limit }) => (what, found, limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_and_a_batch_fill_a_file_to_its_last_byte() {
    let (dir, mut memory) = (within(&MemoryDirectory::new(), files_of(512)), [0; BUFFER]);
    let options = options().segment_bytes(1 << 20);
    let mut wal = FixedWalWriter::open(dir, options, &mut memory).unwrap();
    let whole = 512 - HEADER - FRAME;
    assert_eq!(limit(wal.append(&vec![1; whole + 1])), (Limit::FileBytes, 516, 512));
    wal.append(&vec![1; whole]).unwrap();
    assert_eq!(wal.segments(), 1);
    let half = vec![2; 220 - FRAME];
    wal.append_batch(&[&half, &half]).unwrap();
    assert_eq!(wal.segments(), 2);
    wal.flush().unwrap();
}

#[test]
fn a_batch_is_as_large_as_it_may_be_and_no_larger() {
    let mut memory = [0; BUFFER];
    let options = options().batch_bytes_max(64).batch_entries_max(3);
    let mut wal = FixedWalWriter::open(MemoryDirectory::new(), options, &mut memory).unwrap();
    assert_eq!(limit(wal.append_batch(&[ENTRY; 3])).0, Limit::BatchBytes);
    assert_eq!(limit(wal.append_batch(&[NOTHING; 4])), (Limit::BatchEntries, 4, 3));
    let _ids = wal.append_batch(&[ENTRY; 2]).unwrap();
    let _ids = wal.append_batch(&[NOTHING; 3]).unwrap();
    assert_eq!(wal.last_entry_id().map(EntryId::get), Some(5));
}

/// In the segment that is there an entry more needs none; where it cannot be gone on with, it does.
#[test]
fn the_last_segment_that_is_allowed_is_gone_on_with_and_no_other_is_begun() {
    for reopen in [true, false] {
        let can = Capabilities::new();
        let dir = within(&MemoryDirectory::new(), if reopen { can.with_reopen() } else { can });
        let mut memory = [0; BUFFER];
        let options = || options().segments_max(1);
        let mut wal = FixedWalWriter::open(Rc::clone(&dir), options(), &mut memory).unwrap();
        wal.append(b"one").unwrap();
        let _ = wal.flush_and_sync().unwrap();
        drop(wal);
        let mut wal = FixedWalWriter::open(dir, options(), &mut memory).unwrap();
        if reopen {
            assert_eq!(wal.append(b"two").unwrap(), 2);
        } else {
            assert_eq!(limit(wal.append(b"two")), (Limit::Segments, 2, 1));
            assert!(!wal.is_poisoned(), "nothing was done");
        }
        assert_eq!(wal.segments(), 1);
    }
}

/// Both writers, opened on such a directory, and one entry appended: the highest number of a file, or the error.
fn both(
    memory: &MemoryDirectory,
    prepare: impl Fn(&Shared),
    entry: &[u8],
) -> [Result<u32, Error<MemoryError>>; 2] {
    let copy = || {
        let copy = MemoryDirectory::new();
        for (name, bytes) in files(memory) {
            copy.put(Name::new(&name).unwrap(), bytes);
        }
        copy
    };
    let newest = |memory: &MemoryDirectory| {
        let newest = files(memory).into_keys().next_back().unwrap();
        u32::from_str_radix(&newest[4..12], 16).unwrap()
    };
    let (fixed, raw) = (copy(), copy());
    let mut buffer = [0; BUFFER];
    let through_fixed = || {
        let dir = within(&fixed, files_of(1 << 20));
        prepare(&dir);
        let mut wal = FixedWalWriter::open(dir, options(), &mut buffer)?;
        wal.append(entry)?;
        wal.flush()?;
        Ok(newest(&fixed))
    };
    let through_raw = || {
        let dir = within(&raw, files_of(1 << 20));
        prepare(&dir);
        let mut wal = RawWalWriter::open(dir, options())?;
        wal.append(entry)?;
        wal.flush()?;
        Ok(newest(&raw))
    };
    let mut through_fixed = through_fixed;
    [through_fixed(), through_raw()]
}

/// Sixteen are too many: something is wrong with the folder.
#[test]
fn names_that_are_taken_are_passed_over() {
    for taken in [0, 1, 2, 15, 16, 17] {
        let found = both(&MemoryDirectory::new(), |dir| dir.taken.set(taken), b"one");
        for found in found {
            match found {
                Ok(newest) => assert_eq!((newest, taken < 16), (taken + 1, true)),
                Err(Error::Exists { file }) => {
                    assert!(taken >= 16, "{taken}");
                    assert_eq!(file.as_name().to_string(), "wal/00000010.WAL");
                }
                Err(other) => panic!("{taken}: {other}"),
            }
        }
    }
}

#[test]
fn behind_the_last_number_there_is_none() {
    let memory = log_of_one();
    memory.put(Name::new("wal/FFFFFFFF.WAL").unwrap(), Vec::new());
    for found in both(&memory, |_| (), &[2; 350]) {
        assert_eq!(limit(found), (Limit::FileNumbers, 1 << 32, u64::from(u32::MAX)));
    }
}

fn log_of_one() -> MemoryDirectory {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    wal.append(b"one").unwrap();
    let _ = wal.flush_and_sync().unwrap();
    drop(wal);
    memory
}

/// Flash cannot go on where a torn write has left its traces, and says so: the log goes on in another file. What fails, fails.
#[test]
fn a_tail_that_cannot_be_opened_again_is_followed_by_another_segment() {
    let memory = log_of_one();
    for (reopening, expected) in [
        (Reopening::AsCapable, Some(1)),
        (Reopening::Unsupported, Some(2)),
        (Reopening::Fails, None),
    ] {
        for found in both(&memory, |dir| dir.reopening.set(reopening), b"two") {
            match (found, expected) {
                (Ok(newest), Some(expected)) => assert_eq!(newest, expected, "{reopening:?}"),
                (Err(Error::Store { .. }), None) => {}
                (found, _) => panic!("{reopening:?}: {found:?}"),
            }
        }
    }
}

/// The only segment there is, with a frame behind a header that is damaged: no unfinished creation.
#[test]
fn a_log_of_one_segment_is_not_taken_for_none_whatever_is_damaged() {
    let whole = log_of_one();
    let (name, bytes) = files(&whole).pop_first().unwrap();
    let path = Name::new(&name).unwrap();
    for at in 0..HEADER {
        let memory = MemoryDirectory::new();
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 4;
        memory.put(path, spoiled);
        for found in both(&memory, |_| (), b"two") {
            assert!(
                matches!(found, Err(Error::Corrupt(_) | Error::Newer { .. })),
                "byte {at}: {found:?}"
            );
        }
    }
}

/// Numbers that a preparation left out, and a file between two segments that is none of them: not a hole.
#[test]
fn what_stands_between_two_segments_is_dead_and_no_hole() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    for number in 0..12_u8 {
        let _made = wal.prepare_now().unwrap();
        wal.append(&[number; 150]).unwrap();
    }
    wal.close().unwrap();
    let whole = files(&memory);
    let between = "wal/00000002.WAL";
    assert!(!whole.contains_key(between) && whole.len() > 4, "{:?}", whole.keys());
    for stray in [Vec::new(), vec![0; 300], vec![0x55; 300]] {
        memory.put(Name::new(between).unwrap(), stray);
        let mut buffer = [0; BUFFER];
        let mut reader =
            FixedWalReader::open(memory.clone(), options(), ReadMode::Strict, &mut buffer).unwrap();
        let mut count = 0;
        while reader.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!((count, reader.last_entry_id().map(EntryId::get)), (12, Some(12)));
        assert!(reader.torn_tail().is_none());
        let wal = FixedWalWriter::open(memory.clone(), options(), &mut buffer).unwrap();
        assert_eq!(wal.next_entry_id().get(), 13);
        drop(wal);
        assert!(!files(&memory).contains_key(between), "what is dead is deleted");
    }
}

#[test]
fn a_reader_tells_of_the_torn_tail_as_the_other_does() {
    let memory = log_of_one();
    let (name, mut bytes) = files(&memory).pop_last().unwrap();
    bytes.extend([0x55; 21]);
    memory.put(Name::new(&name).unwrap(), bytes);
    let mut raw = RawWalReader::open(memory.clone(), options()).unwrap();
    let mut entries = raw.entries(ReadMode::BestEffort).unwrap();
    while entries.next().unwrap().is_some() {}
    let told = entries.report().torn.clone().unwrap();
    let mut buffer = [0; BUFFER];
    let mut reader =
        FixedWalReader::open(memory, options(), ReadMode::BestEffort, &mut buffer).unwrap();
    assert!(reader.torn_tail().is_none());
    while reader.next().unwrap().is_some() {}
    assert_eq!(reader.torn_tail(), Some(&told));
    assert_eq!((told.bytes, reader.last_entry_id().map(EntryId::get)), (21, Some(1)));
}

/// Nobody but the writer is to change what it reads; a file that took the tail's place is not shown for it.
#[test]
fn a_reader_of_the_writers_own_refuses_the_tail_of_another_log() {
    let (memory, mut buffer, mut reading) = (log_of_one(), [0; BUFFER], [0; BUFFER]);
    let other = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(other.clone(), options().log_id(8)).unwrap();
    wal.append(b"of another").unwrap();
    wal.close().unwrap();
    let mut wal = FixedWalWriter::open(memory.clone(), options(), &mut buffer).unwrap();
    assert!(wal.reader(options(), ReadMode::Strict, &mut reading).is_ok());
    for (name, bytes) in files(&other) {
        memory.put(Name::new(&name).unwrap(), bytes);
    }
    match wal.reader(options(), ReadMode::Strict, &mut reading) {
        Err(Error::Corrupt(found)) => {
            assert_eq!(found.kind, CorruptionKind::LogId { expected: 7, found: 8 });
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_yet_cannot_be_pruned() {
    let (memory, mut buffer) = (log_of_one(), [0; BUFFER]);
    let mut wal = FixedWalWriter::open(memory.clone(), options(), &mut buffer).unwrap();
    let before = files(&memory);
    let id = |id| EntryId::new(id).unwrap();
    match wal.truncate_prefix(id(3)) {
        Err(Error::Gap { needed, first, last }) => {
            assert_eq!((needed, first, last), (id(3), Some(id(1)), Some(id(1))));
        }
        other => panic!("{other:?}"),
    }
    assert!(!wal.is_poisoned());
    assert_eq!(files(&memory), before);
    wal.truncate_prefix(id(2)).unwrap();
}

/// Also where it has to look into the tail to know what was pruned.
#[test]
fn a_reader_deletes_nothing_that_is_dead() {
    let (memory, mut buffer) = (MemoryDirectory::new(), [0; BUFFER]);
    let mut wal = FixedWalWriter::open(memory.clone(), options(), &mut buffer).unwrap();
    for number in 0..12_u8 {
        wal.append(&[number; 150]).unwrap();
    }
    wal.flush().unwrap();
    let whole = files(&memory);
    wal.truncate_to_segments(2).unwrap();
    let first = wal.first_entry_id();
    drop(wal);
    let (name, bytes) = whole.first_key_value().unwrap();
    memory.put(Name::new(name).unwrap(), bytes.clone());
    let before = files(&memory);
    assert_eq!(before.len(), 3);
    let reader =
        FixedWalReader::open(memory.clone(), options(), ReadMode::Strict, &mut buffer).unwrap();
    assert_eq!(reader.last_entry_id().map(EntryId::get), Some(first.get() - 1));
    drop(reader);
    assert_eq!(files(&memory), before);
    drop(FixedWalWriter::open(memory.clone(), options(), &mut buffer).unwrap());
    assert!(!files(&memory).contains_key(name), "what is dead is deleted");
}

/// Room or not: after a write that failed nobody knows what is there.
#[test]
fn after_a_failed_write_nothing_is_written_any_more() {
    let memory = MemoryDirectory::with_bytes_max(100);
    let mut buffer = [0; BUFFER];
    let mut wal = FixedWalWriter::open(memory.clone(), options(), &mut buffer).unwrap();
    wal.append(&[1; 100]).unwrap();
    assert!(!wal.is_poisoned());
    assert!(wal.flush().is_err());
    memory.set_bytes_max(1 << 20);
    let before = files(&memory);
    assert!(wal.is_poisoned());
    match wal.append(b"two") {
        Err(Error::Poisoned { file }) => assert_eq!(file.as_name().as_str(), "wal/00000001.WAL"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(wal.flush(), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.flush_and_sync(), Err(Error::Poisoned { .. })));
    for before in [EntryId::FIRST, EntryId::LAST] {
        assert!(matches!(wal.truncate_prefix(before), Err(Error::Poisoned { .. })));
    }
    assert!(matches!(wal.truncate_to_segments(1), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.close(), Err(Error::Poisoned { .. })));
    assert_eq!(files(&memory), before);
}

/// As long as each of its records fits.
#[test]
fn a_batch_that_is_longer_than_the_memory_is_read() {
    for (entries, compact) in [(5, false), (30, false), (30, true), (300, true)] {
        let memory = MemoryDirectory::new();
        let whole = || options().segment_bytes(1 << 20).compact_frames(compact);
        let mut wal = RawWalWriter::open(memory.clone(), whole()).unwrap();
        let batch: Vec<[u8; 100]> =
            (0..=u8::MAX).cycle().take(entries).map(|entry| [entry; 100]).collect();
        let _ids = wal.append_batch(&batch).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        drop(wal);
        for lent in [256, 400, BUFFER, 2000] {
            let mut buffer = vec![0; lent];
            let mut reader =
                FixedWalReader::open(memory.clone(), whole(), ReadMode::Strict, &mut buffer)
                    .unwrap();
            for entry in &batch {
                assert_eq!(reader.next().unwrap().unwrap().payload, entry, "{lent} bytes lent");
            }
            assert!(reader.next().unwrap().is_none());
            assert!(reader.torn_tail().is_none());
        }
    }
}

/// A hole, of which a reader is told as the writer is.
#[test]
fn a_missing_segment_is_named() {
    let memory = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(memory.clone(), options()).unwrap();
    for number in 0..8_u8 {
        wal.append(&[number; 150]).unwrap();
    }
    wal.close().unwrap();
    memory.remove(Name::new("wal/00000002.WAL").unwrap()).unwrap();
    let mut buffer = [0; BUFFER];
    match FixedWalReader::open(memory, options(), ReadMode::Strict, &mut buffer) {
        Err(Error::Corrupt(found)) => assert_eq!(found.kind, CorruptionKind::Hole { segment: 2 }),
        other => panic!("{other:?}"),
    }
}
