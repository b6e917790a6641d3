//! Laws of the log without a heap: it leaves the same bytes as the other writer does, and finds the same in them, whole or damaged.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::storage::{Directory as _, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    FixedWalReader, FixedWalWriter, RawWalReader, RawWalWriter, WalOptions,
};
use durability_core::{EntryId, Error, Limit, ReadMode};

type Fixed<'b> = FixedWalWriter<'b, MemoryDirectory>;
type Raw = RawWalWriter<MemoryDirectory>;

const BUFFER: usize = 512;

fn options(compact: bool) -> WalOptions {
    let options = WalOptions::new().segment_bytes(400).log_id(7).scan_at_open(true);
    let options = options.buffer_bytes(512).read_bytes(512).record_bytes_max(400);
    options.compact_frames(compact)
}

fn copy(dir: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in dir.names().iter().filter(|name| !name.ends_with("LOCK")) {
        let name = Name::new(name).unwrap();
        copy.put(name, dir.contents(name).unwrap());
    }
    copy
}

fn files(dir: &MemoryDirectory) -> Vec<(String, Vec<u8>)> {
    let names = dir.names().into_iter().filter(|name| !name.ends_with("LOCK"));
    names.map(|name| (name.clone(), dir.contents(Name::new(&name).unwrap()).unwrap())).collect()
}

/// A generator of numbers, so that each failure is repeatable.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What both writers are asked to do.
#[derive(Debug, Clone)]
enum Ask {
    Append(usize),
    Batch(Vec<usize>),
    Flush,
    Sync,
    Prune(u64),
}

fn ask(numbers: &mut Numbers) -> Ask {
    let length = |numbers: &mut Numbers| usize::try_from(numbers.below(90)).unwrap();
    match numbers.below(10) {
        0..=3 => Ask::Append(length(numbers)),
        4 => Ask::Batch((0..numbers.below(4)).map(|_| length(numbers)).collect()),
        5 => Ask::Flush,
        6 | 7 => Ask::Sync,
        8 => Ask::Prune(numbers.below(30)),
        _ => Ask::Append(300),
    }
}

fn do_fixed(wal: &mut Fixed<'_>, ask: &Ask) {
    match ask {
        Ask::Append(length) => drop(wal.append(&vec![5; *length]).unwrap()),
        Ask::Batch(lengths) => {
            let payloads: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![6; length]).collect();
            let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            // The other hands out a batch that is one.
            if wal.append_batch(&payloads).unwrap().first().is_some() {
                wal.flush().unwrap();
            }
        }
        Ask::Flush => wal.flush().unwrap(),
        Ask::Sync => drop(wal.flush_and_sync().unwrap()),
        Ask::Prune(back) => {
            let before = wal.next_entry_id().get().saturating_sub(*back).max(1);
            wal.truncate_prefix(EntryId::new(before).unwrap()).unwrap();
        }
    }
}

fn do_raw(wal: &mut Raw, ask: &Ask) {
    match ask {
        Ask::Append(length) => drop(wal.append(&vec![5; *length]).unwrap()),
        Ask::Batch(lengths) => {
            let payloads: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![6; length]).collect();
            let _ids = wal.append_batch(&payloads).unwrap();
        }
        Ask::Flush => wal.flush().unwrap(),
        Ask::Sync => drop(wal.flush_and_sync().unwrap()),
        Ask::Prune(back) => {
            let before = wal.next_entry_id().get().saturating_sub(*back).max(1);
            wal.truncate_prefix(EntryId::new(before).unwrap()).unwrap();
        }
    }
}

/// Tears what the last run left: cuts the newest file off, or spoils its end.
fn tear(dirs: [&MemoryDirectory; 2], numbers: &mut Numbers) {
    let (how, part) = (numbers.below(4), numbers.below(80));
    for dir in dirs {
        let Some((name, mut bytes)) = files(dir).pop() else { continue };
        let cut = bytes.len().saturating_sub(usize::try_from(part).unwrap());
        match how {
            0 => bytes.truncate(cut),
            1 => bytes[cut..].fill(0),
            2 => bytes.extend([0xFF; 40]),
            _ => {}
        }
        dir.put(Name::new(&name).unwrap(), bytes);
    }
}

#[test]
fn it_leaves_the_same_bytes_as_the_writer_with_a_heap() {
    for seed in 0..600 {
        let (mut numbers, compact) = (Numbers(seed), seed % 2 == 1);
        let (fixed_dir, raw_dir) = (MemoryDirectory::new(), MemoryDirectory::new());
        for life in 0..4 {
            let mut buffer = [0; BUFFER];
            let fixed = FixedWalWriter::open(fixed_dir.clone(), options(compact), &mut buffer);
            let raw = RawWalWriter::open(raw_dir.clone(), options(compact));
            let (mut fixed, mut raw) = match (fixed, raw) {
                (Ok(fixed), Ok(raw)) => (fixed, raw),
                (Err(fixed), Err(raw)) => {
                    assert_eq!(fixed.to_string(), raw.to_string(), "seed {seed}, life {life}");
                    break;
                }
                (fixed, raw) => panic!("seed {seed}, life {life}: {fixed:?}, {raw:?}"),
            };
            assert_eq!(files(&fixed_dir), files(&raw_dir), "seed {seed}, life {life}: opened");
            for step in 0..numbers.below(12) {
                let ask = ask(&mut numbers);
                do_fixed(&mut fixed, &ask);
                do_raw(&mut raw, &ask);
                let told = format!("seed {seed}, life {life}, step {step}: {ask:?}");
                assert_eq!(fixed.first_entry_id(), raw.first_entry_id(), "{told}");
                assert_eq!(fixed.next_entry_id(), raw.next_entry_id(), "{told}");
                assert_eq!(fixed.durable_through(), raw.durable_through(), "{told}");
                assert_eq!(fixed.segments() as usize, raw.segments().count(), "{told}");
                assert_eq!(files(&fixed_dir), files(&raw_dir), "{told}");
            }
            if numbers.below(3) == 0 {
                fixed.close().unwrap();
                raw.close().unwrap();
            } else {
                drop((fixed, raw));
            }
            assert_eq!(files(&fixed_dir), files(&raw_dir), "seed {seed}, life {life}: ended");
            tear([&fixed_dir, &raw_dir], &mut numbers);
        }
    }
}

type Replayed = (Vec<(u64, Vec<u8>)>, Option<String>);

fn read_fixed(dir: &MemoryDirectory, mode: ReadMode) -> Replayed {
    let mut buffer = [0; BUFFER];
    read_all(FixedWalReader::open(dir.clone(), options(false), mode, &mut buffer))
}

type Opened<'b> = Result<FixedWalReader<'b, MemoryDirectory>, Error<MemoryError>>;

fn read_all(opened: Opened<'_>) -> Replayed {
    let mut shown = Vec::new();
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(error) => return (shown, Some(error.to_string())),
    };
    loop {
        match reader.next() {
            Ok(Some(entry)) => shown.push((entry.id.get(), entry.payload.to_vec())),
            Ok(None) => return (shown, None),
            Err(error) => return (shown, Some(error.to_string())),
        }
    }
}

#[test]
fn a_reader_beside_the_writer_shows_what_one_that_is_opened_anew_shows() {
    let (mut pruned, mut gaps) = (0, 0);
    for seed in 0..300 {
        let (mut numbers, compact) = (Numbers(seed), seed % 2 == 1);
        let dir = MemoryDirectory::new();
        for life in 0..4 {
            let (mut buffer, mut reading) = ([0; BUFFER], [0; BUFFER]);
            let Ok(mut wal) = FixedWalWriter::open(dir.clone(), options(compact), &mut buffer)
            else {
                break;
            };
            for step in 0..numbers.below(12) {
                let ask = ask(&mut numbers);
                do_fixed(&mut wal, &ask);
                let beside = wal.reader(options(compact), ReadMode::Strict, &mut reading);
                let beside = read_all(beside);
                let told = format!("seed {seed}, life {life}, step {step}: {ask:?}");
                assert_eq!(beside, read_fixed(&dir, ReadMode::Strict), "{told}");
                assert_eq!(beside.1, None, "{told}");
                let last = beside.0.last().map_or(0, |(id, _)| *id);
                assert!(beside.0.is_empty() || last + 1 == wal.next_entry_id().get(), "{told}");
                pruned += u32::from(wal.first_entry_id().get() > 1);
            }
            drop(wal);
            // A number that is taken, and never becomes a segment.
            if numbers.below(3) == 0
                && let Some((name, _)) = files(&dir).pop()
            {
                let number = u32::from_str_radix(&name[4..12], 16).unwrap() + 1;
                dir.put(Name::new(&format!("wal/{number:08X}.WAL")).unwrap(), vec![0; 4]);
                gaps += 1;
            }
            tear([&dir, &MemoryDirectory::new()], &mut numbers);
        }
    }
    assert!(pruned > 100 && gaps > 100, "{pruned} {gaps}");
}

fn read_raw(dir: &MemoryDirectory, mode: ReadMode) -> Replayed {
    let mut shown = Vec::new();
    let opened = RawWalReader::open(dir.clone(), options(false));
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(error) => return (shown, Some(error.to_string())),
    };
    let mut entries = reader.entries(mode).unwrap();
    loop {
        match entries.next() {
            Ok(Some(entry)) => shown.push((entry.id.get(), entry.payload.to_vec())),
            Ok(None) => return (shown, None),
            Err(error) => return (shown, Some(error.to_string())),
        }
    }
}

/// A log of several segments, pruned or not, cut by a torn tail or not.
fn sample(compact: bool, pruned: bool) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options(compact)).unwrap();
    for number in 1..=9_u8 {
        wal.append(&[number; 70]).unwrap();
    }
    if pruned {
        wal.truncate_prefix(EntryId::new(5).unwrap()).unwrap();
    }
    let _ids = wal.append_batch(&[[1; 20], [2; 20]]).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    wal.append(b"last").unwrap();
    drop(wal);
    copy(&dir)
}

/// Opening finds the same and leaves the same, or says the same.
fn opens_as_the_other_does(dir: &MemoryDirectory, compact: bool, told: &str) {
    let (other, mut buffer) = (copy(dir), [0; BUFFER]);
    let opened = FixedWalWriter::open(dir.clone(), options(compact), &mut buffer);
    match (opened, RawWalWriter::open(other.clone(), options(compact))) {
        (Ok(fixed), Ok(raw)) => assert_eq!(fixed.next_entry_id(), raw.next_entry_id(), "{told}"),
        (Err(fixed), Err(raw)) => assert_eq!(fixed.to_string(), raw.to_string(), "{told}"),
        (fixed, raw) => panic!("{told}: {fixed:?}, {raw:?}"),
    }
    assert_eq!(files(dir), files(&other), "{told}");
}

/// In the place of each of its segments, and where there is none any more.
#[test]
fn a_segment_of_another_log_is_damage_wherever_it_stands() {
    let foreign = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(foreign.clone(), options(false).log_id(8)).unwrap();
    for number in 1..=30_u8 {
        wal.append(&[number; 70]).unwrap();
    }
    wal.close().unwrap();
    let whole = sample(false, true);
    let last = files(&whole).pop().unwrap().0;
    let mut count = 0;
    for (name, bytes) in files(&foreign).into_iter().filter(|(name, _)| *name <= last) {
        let dir = copy(&whole);
        dir.put(Name::new(&name).unwrap(), bytes);
        let mut buffer = [0; BUFFER];
        let before = files(&dir);
        // Which of them is named first is each one's own.
        let opened = FixedWalWriter::open(dir.clone(), options(false), &mut buffer);
        assert!(matches!(opened, Err(Error::Corrupt(_))), "{name}: {opened:?}");
        let opened = RawWalWriter::open(dir.clone(), options(false));
        assert!(matches!(opened, Err(Error::Corrupt(_))), "{name}: {opened:?}");
        assert_eq!(files(&dir), before, "{name}: nothing was changed");
        count += 1;
    }
    assert!(count > 3, "{count} places");
}

#[test]
fn a_segment_under_the_number_of_another_is_damage() {
    let whole = sample(false, true);
    let all = files(&whole);
    let behind = ("wal/000000FF.WAL".to_owned(), Vec::new());
    for (name, bytes) in &all {
        for (other, _) in all.iter().chain([&behind]).filter(|(other, _)| other != name) {
            let dir = copy(&whole);
            dir.put(Name::new(other).unwrap(), bytes.clone());
            let (mut buffer, before, told) = ([0; BUFFER], files(&dir), format!("{name}: {other}"));
            let opened = FixedWalWriter::open(dir.clone(), options(false), &mut buffer);
            assert!(matches!(opened, Err(Error::Corrupt(_))), "{told}: {opened:?}");
            let opened = RawWalWriter::open(dir.clone(), options(false));
            assert!(matches!(opened, Err(Error::Corrupt(_))), "{told}: {opened:?}");
            assert_eq!(files(&dir), before, "{told}: nothing was changed");
        }
    }
}

#[test]
fn whatever_is_damaged_it_says_the_same_as_the_others() {
    for (compact, pruned) in [(false, false), (false, true), (true, false), (true, true)] {
        let whole = sample(compact, pruned);
        for mode in [ReadMode::Strict, ReadMode::BestEffort] {
            let (fixed, raw) = (read_fixed(&whole, mode), read_raw(&whole, mode));
            assert!(fixed.0.len() > 7 && fixed.1.is_none(), "{fixed:?}");
            assert_eq!(fixed, raw);
        }
        for (name, bytes) in files(&whole) {
            let path = Name::new(&name).unwrap();
            for at in 0..bytes.len() {
                let dir = copy(&whole);
                let mut spoiled = bytes.clone();
                spoiled[at] ^= 0x10;
                dir.put(path, spoiled);
                let told = format!("compact {compact}, pruned {pruned}, {name} at {at}");
                let (fixed, raw) =
                    (read_fixed(&dir, ReadMode::Strict), read_raw(&dir, ReadMode::Strict));
                assert_eq!(fixed.1.is_some(), raw.1.is_some(), "{told}: {fixed:?} {raw:?}");
                if fixed.1.is_none() {
                    assert_eq!(fixed, raw, "{told}");
                }
                opens_as_the_other_does(&dir, compact, &told);
            }
        }
    }
}

#[test]
fn every_missing_and_every_cut_file_is_taken_as_the_others_take_it() {
    for pruned in [false, true] {
        let whole = sample(false, pruned);
        for (name, bytes) in files(&whole) {
            let path = Name::new(&name).unwrap();
            for length in (0..=bytes.len()).step_by(3).map(Some).chain([None]) {
                let (dir, told) = (copy(&whole), format!("{name} of {length:?}, pruned {pruned}"));
                match length {
                    Some(length) => dir.put(path, bytes[..length].to_vec()),
                    None => durability_core::storage::Directory::remove(&dir, path).unwrap(),
                }
                opens_as_the_other_does(&dir, false, &told);
            }
        }
    }
}

fn limit<T: core::fmt::Debug>(result: Result<T, Error<MemoryError>>) -> Limit {
    match result {
        Err(Error::Limit { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_memory_does_not_hold_is_refused_with_nothing_done() {
    let mut buffer = [0; 600];
    let dir = MemoryDirectory::new();
    let options = || WalOptions::new().segments_max(2).segment_bytes(700).log_id(7);
    let mut wal = FixedWalWriter::open(dir.clone(), options(), &mut buffer).unwrap();
    // Of what is lent, whole multiples of 256 bytes serve.
    assert_eq!(limit(wal.append(&[1; 497])), Limit::RecordBytes);
    assert_eq!(wal.append(&[1; 496]).unwrap(), 1);
    assert_eq!(wal.append(&[1; 496]).unwrap(), 2);
    assert_eq!(limit(wal.append(&[1; 496])), Limit::Segments);
    assert!(!wal.is_poisoned());
    wal.truncate_prefix(EntryId::new(2).unwrap()).unwrap();
    assert_eq!(wal.append(&[1; 496]).unwrap(), 3);
    wal.close().unwrap();
    let mut short = [0; 255];
    for result in [
        FixedWalWriter::open(dir.clone(), options(), &mut short).map(drop),
        FixedWalWriter::open(dir.clone(), options().preallocate(true), &mut buffer).map(drop),
        FixedWalWriter::open(dir.clone(), options().commit_alignment(512), &mut buffer).map(drop),
        FixedWalWriter::open(dir.clone(), options().segment_age_ms_max(5), &mut buffer).map(drop),
    ] {
        assert!(matches!(result, Err(Error::BadOption { .. })), "{result:?}");
    }
    let _one = FixedWalWriter::open(dir.clone(), options(), &mut buffer).unwrap();
    let mut other = [0; 256];
    let second = FixedWalWriter::open(dir.clone(), options(), &mut other);
    assert!(matches!(second, Err(Error::Held { .. })), "{second:?}");
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let dir = sample(false, false);
    let (first, bytes) = files(&dir).swap_remove(0);
    let mut spoiled = bytes;
    spoiled[100] ^= 1;
    dir.put(Name::new(&first).unwrap(), spoiled);
    let mut buffer = [0; BUFFER];
    let mut reader =
        FixedWalReader::open(dir, options(false), ReadMode::BestEffort, &mut buffer).unwrap();
    assert!(matches!(reader.next(), Err(Error::Corrupt(_))));
    assert!(matches!(reader.next(), Ok(None)));
    assert!(matches!(reader.next(), Ok(None)));
}

/// Also where it is no segment that ends it, but the way from one to the next.
#[test]
fn after_an_error_between_two_segments_there_is_nothing_more() {
    let dir = sample(false, false);
    let names: Vec<String> = files(&dir).into_iter().map(|(name, _)| name).collect();
    assert!(names.len() >= 3, "{names:?}");
    let mut buffer = [0; BUFFER];
    let mut reader =
        FixedWalReader::open(dir.clone(), options(false), ReadMode::BestEffort, &mut buffer)
            .unwrap();
    assert!(reader.next().unwrap().is_some());
    // While the first is read, all others go, as nobody may let them.
    for name in names.get(1..).unwrap_or_default() {
        dir.remove(Name::new(name).unwrap()).unwrap();
    }
    let failed = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the log has no such end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, Error::Missing { .. }), "{failed}");
    for _ in 0..3 {
        assert!(matches!(reader.next(), Ok(None)));
    }
}

/// As many as a log can leave, and one more.
#[test]
fn a_folder_of_too_many_segments_is_refused() {
    for (count, refused) in [(18, false), (19, true)] {
        let dir = MemoryDirectory::new();
        for number in 1..=count {
            dir.put(Name::new(&format!("wal/{number:08X}.WAL")).unwrap(), Vec::new());
        }
        let mut buffer = [0; BUFFER];
        let opened = FixedWalWriter::open(dir, options(false).segments_max(1), &mut buffer);
        assert_eq!(opened.is_err(), refused, "{count}: {opened:?}");
        if refused {
            assert_eq!(limit(opened), Limit::Segments);
        }
    }
}

#[test]
fn as_many_segments_are_kept_as_are_asked_for() {
    let dir = MemoryDirectory::new();
    let mut buffer = [0; BUFFER];
    let mut wal = FixedWalWriter::open(dir.clone(), options(true), &mut buffer).unwrap();
    for number in 1..=120_u8 {
        wal.append(&[number; 90]).unwrap();
    }
    let whole = wal.segments();
    // More than are found with one look at the names.
    assert!(whole > 35, "{whole} segments");
    let kept = [u32::MAX, whole, 34, 33, 32, 17, 16, 15, 2, 1, 0];
    for (count, left) in kept.map(|count| (count, count.clamp(1, whole))) {
        wal.truncate_to_segments(count).unwrap();
        assert_eq!(wal.segments(), left, "{count}");
        let first = wal.first_entry_id().get();
        assert_eq!(read_fixed(&dir, ReadMode::Strict).0.first().unwrap().0, first);
    }
    assert_eq!(read_fixed(&dir, ReadMode::Strict).0.last().unwrap().0, 120);
    // An empty log keeps its segment.
    let mut other = [0; BUFFER];
    let mut wal = FixedWalWriter::open(MemoryDirectory::new(), options(true), &mut other).unwrap();
    wal.truncate_to_segments(0).unwrap();
    assert_eq!((wal.segments(), wal.last_entry_id()), (1, None));
}

/// What is missing, or too much, among more segments than are found with one look at the names.
#[test]
fn a_hole_in_a_long_chain_is_found_wherever_it_is() {
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options(false)).unwrap();
    for number in 1..=150_u8 {
        wal.append(&[number; 90]).unwrap();
    }
    wal.close().unwrap();
    let whole = files(&dir);
    assert!(whole.len() > 40);
    for (name, bytes) in &whole {
        for spoiled in [None, Some(Vec::new()), Some(bytes[..bytes.len() / 2].to_vec())] {
            let (dir, path) = (copy(&dir), Name::new(name).unwrap());
            match &spoiled {
                Some(bytes) => dir.put(path, bytes.clone()),
                None => durability_core::storage::Directory::remove(&dir, path).unwrap(),
            }
            let other = copy(&dir);
            let mut buffer = [0; BUFFER];
            let told = format!("{name}: {:?}", spoiled.as_ref().map(Vec::len));
            let opened = FixedWalWriter::open(dir.clone(), options(false), &mut buffer);
            match (opened, RawWalWriter::open(other.clone(), options(false))) {
                (Ok(fixed), Ok(raw)) => assert_eq!(fixed.next_entry_id(), raw.next_entry_id()),
                (Err(fixed), Err(raw)) => assert_eq!(fixed.to_string(), raw.to_string(), "{told}"),
                (fixed, raw) => panic!("{told}: {fixed:?}, {raw:?}"),
            }
            assert_eq!(files(&dir), files(&other), "{told}");
        }
    }
}

/// A list of segments is longer than the memory, and than the limit on records: whoever reads passes it.
#[test]
fn a_log_that_was_closed_with_a_long_list_of_segments_is_read_and_gone_on_with_in_little_memory() {
    let dir = MemoryDirectory::new();
    let closed = || options(false).scan_at_open(false).segment_bytes(7000).record_bytes_max(4096);
    let mut wal = RawWalWriter::open(dir.clone(), closed().buffer_bytes(4096)).unwrap();
    for number in 0..200_u8 {
        wal.append(&[number; 180]).unwrap();
    }
    wal.close().unwrap();
    let (_, tail) = files(&dir).pop().unwrap();
    let length = u32::from_le_bytes(*tail.last_chunk().unwrap());
    assert!((256 + 72..2048).contains(&length), "a list that the memory does not hold: {length}");
    let (mut memory, mut reading) = ([0; 256], [0; 256]);
    let little = || closed().record_bytes_max(200);
    let opened = FixedWalReader::open(dir.clone(), little(), ReadMode::Strict, &mut reading);
    let (shown, end) = read_all(opened);
    assert_eq!((shown.len(), end), (200, None));
    let mut reader = RawWalReader::open(dir.clone(), little()).unwrap();
    let mut entries = reader.entries(ReadMode::Strict).unwrap();
    for _ in 0..200 {
        assert!(entries.next().unwrap().is_some());
    }
    assert!(entries.next().unwrap().is_none(), "the limit is on records");
    let mut wal = FixedWalWriter::open(dir.clone(), little(), &mut memory).unwrap();
    assert_eq!((wal.torn_bytes(), wal.next_entry_id().get()), (0, 201));
    wal.append(b"on").unwrap();
    wal.close().unwrap();
    let opened = FixedWalReader::open(dir, little(), ReadMode::Strict, &mut reading);
    assert_eq!(read_all(opened).0.len(), 201);
}
