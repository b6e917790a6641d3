//! Laws of random access: an entry read by its id is what a replay shows, whatever the files hold, and in whatever order entries are asked for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]
#![allow(clippy::needless_pass_by_value, reason = "for `map_err`")]

use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory as _, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions, WalReader, WalWriter};
use durability_core::{EntryId, Error, ReadMode};

/// Places are kept every 256 bytes, so that small logs have many.
fn options() -> WalOptions {
    let small = WalOptions::new().segment_bytes(4096).read_bytes(256);
    small.log_id(7).compact_frames(is_compact())
}

/// These laws are run on compact frames as well, as a part of `compact.rs`.
fn is_compact() -> bool {
    module_path!().starts_with("compact")
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn record(number: u64) -> Vec<u8> {
    let bytes = [0, 5, 40, 100, 300, 900][number as usize % 6];
    (0..bytes).map(|at| (at ^ number) as u8).collect()
}

/// A log of single records and batches over several segments: records 1 to `last`.
fn fill(dir: &MemoryDirectory, last: u64) {
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    let mut next = wal.next_entry_id().get();
    while next <= last {
        let count = if next.is_multiple_of(7) { (last + 1 - next).min(6) } else { 1 };
        let records: Vec<_> = (next..next + count).map(record).collect();
        if count == 1 {
            wal.append(&records[0]).unwrap();
        } else {
            wal.append_batch(&records).unwrap();
        }
        next += count;
    }
    let _durable = wal.flush_and_sync().unwrap();
}

fn log(last: u64) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    fill(&dir, last);
    dir
}

fn copy(dir: &MemoryDirectory) -> MemoryDirectory {
    let copy = MemoryDirectory::new();
    for name in dir.names() {
        let name = Name::new(&name).unwrap();
        copy.put(name, dir.contents(name).unwrap());
    }
    copy
}

type Reader = RawWalReader<MemoryDirectory>;
type Answer = Result<Option<(Vec<u8>, u32, u64)>, String>;

fn reader(dir: &MemoryDirectory) -> Reader {
    Reader::open(dir.clone(), options()).unwrap()
}

fn text(error: Error<MemoryError>) -> String {
    error.to_string()
}

/// What a replay of the whole segment shows under that id, by a reader that knows nothing yet.
fn replayed(dir: &MemoryDirectory, mode: ReadMode, id: EntryId) -> Answer {
    let mut reader = reader(dir);
    let mut entries = reader.range(mode, id..=id).map_err(text)?;
    match entries.next() {
        Ok(found) => Ok(found.map(|found| (found.payload.to_vec(), found.segment, found.offset))),
        // A range that begins beyond the end says so; a read says that nothing is there.
        Err(Error::Gap { .. }) => Ok(None),
        Err(error) => Err(text(error)),
    }
}

fn read(reader: &mut Reader, mode: ReadMode, id: EntryId) -> Answer {
    let found = reader.read(mode, id).map_err(text)?;
    Ok(found.map(|found| {
        assert_eq!(found.id, id);
        (found.payload.to_vec(), found.segment, found.offset)
    }))
}

/// Numbers up to `last` in an order that goes to and fro.
fn scattered(last: u64) -> impl Iterator<Item = u64> {
    let mut seed = 12_345_u64;
    (0..2 * last).map(move |turn| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if turn % 3 == 0 { 1 + turn / 2 % last } else { 1 + (seed >> 33) % last }
    })
}

#[test]
fn an_entry_read_by_its_id_is_what_was_appended_in_any_order() {
    let dir = log(200);
    let mut reader = reader(&dir);
    assert!(reader.segment_numbers().count() > 5);
    for number in (1..=200).chain((1..=200).rev()).chain(scattered(200)) {
        let found = reader.read(ReadMode::Strict, id(number)).unwrap().unwrap();
        assert_eq!((found.id, found.payload), (id(number), &record(number)[..]));
    }
    for number in [201, 202, 10_000, u64::MAX] {
        assert_eq!(reader.read(ReadMode::Strict, id(number)).unwrap(), None);
    }
    assert_eq!(reader.read(ReadMode::Strict, id(200)).unwrap().unwrap().payload, record(200));
}

#[test]
fn pruned_entries_are_a_gap_as_they_are_to_a_range() {
    let dir = log(200);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    wal.truncate_prefix(id(120)).unwrap();
    let first = wal.first_entry_id();
    assert!(first > id(1));
    let mut reader = reader(&dir);
    for number in [1, 2, first.get() - 1] {
        let by_id = reader.read(ReadMode::Strict, id(number)).unwrap_err();
        assert!(matches!(by_id, Error::Gap { needed, .. } if needed == id(number)), "{by_id}");
        let by_range = reader.range(ReadMode::Strict, id(number)..).unwrap_err();
        assert_eq!(text(by_id), text(by_range));
    }
    assert_eq!(reader.read(ReadMode::Strict, first).unwrap().unwrap().payload, record(first.get()));
}

#[test]
fn nothing_is_in_an_empty_log() {
    let dir = MemoryDirectory::new();
    assert_eq!(reader(&dir).read(ReadMode::Strict, EntryId::FIRST).unwrap(), None);
    assert_eq!(reader(&dir).sealed_through(), None);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    assert_eq!(reader(&dir).read(ReadMode::Strict, EntryId::FIRST).unwrap(), None);
    // Beside the writer, too, which has the tail open.
    assert_eq!(wal.reader().unwrap().read(ReadMode::Strict, EntryId::FIRST).unwrap(), None);
    wal.append(b"one").unwrap();
    let mut beside = wal.reader().unwrap();
    assert_eq!(beside.read(ReadMode::Strict, EntryId::FIRST).unwrap().unwrap().payload, b"one");
}

/// An entry behind damage in its segment is not shown, and an entry in front of it is; the error is the replay's.
#[test]
fn what_is_said_of_a_damaged_log_is_what_a_replay_says_at_every_byte() {
    let dir = log(40);
    let names: Vec<String> = dir.names().into_iter().filter(|name| name.ends_with("WAL")).collect();
    assert!(names.len() > 1);
    let (mut damaged, mut shown) = (0, 0);
    for name in &names {
        let name = Name::new(name).unwrap();
        let whole = dir.contents(name).unwrap();
        for at in (72..whole.len()).step_by(13) {
            let copy = copy(&dir);
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            copy.put(name, bytes);
            let mode = if at % 2 == 0 { ReadMode::Strict } else { ReadMode::BestEffort };
            let mut reader = reader(&copy);
            for number in [40, 1, 39, 20, 21, 9, 33, 12, 41, 28] {
                let expected = replayed(&copy, mode, id(number));
                assert_eq!(
                    read(&mut reader, mode, id(number)),
                    expected,
                    "{at} of {name}: {number}"
                );
                damaged += u32::from(expected.is_err());
                shown += u32::from(matches!(expected, Ok(Some(_))));
            }
        }
    }
    assert!(damaged > 500 && shown > 500, "{damaged} errors, {shown} entries");
}

#[test]
fn what_is_said_of_a_cut_log_is_what_a_replay_says_at_every_length() {
    let dir = log(40);
    let name = dir.names().into_iter().filter(|name| name.ends_with("WAL")).max().unwrap();
    let name = Name::new(&name).unwrap();
    let whole = dir.contents(name).unwrap();
    for length in 72..whole.len() {
        let copy = copy(&dir);
        copy.put(name, whole[..length].to_vec());
        for mode in [ReadMode::Strict, ReadMode::BestEffort] {
            let mut reader = reader(&copy);
            for number in [40, 38, 39, 37, 41, 34, 40] {
                let expected = replayed(&copy, mode, id(number));
                assert_eq!(read(&mut reader, mode, id(number)), expected, "{length}: {number}");
            }
        }
    }
}

/// Whatever became of a place that was kept: it is asked for again, and the way from the beginning decides.
#[test]
fn damage_to_a_kept_place_is_told_as_a_replay_tells_it() {
    let dir = log(60);
    let names: Vec<String> = dir.names().into_iter().filter(|name| name.ends_with("WAL")).collect();
    let name = Name::new(&names[1]).unwrap();
    let whole = dir.contents(name).unwrap();
    let first = reader(&dir).sealed_segments().nth(1).unwrap();
    let (first, last) = (first.first_id().get(), first.last_id().unwrap().get());
    let mut told = 0;
    for number in first..=last {
        let copy = copy(&dir);
        let mut reader = reader(&copy);
        let (_, _, offset) = read(&mut reader, ReadMode::Strict, id(number)).unwrap().unwrap();
        assert!(read(&mut reader, ReadMode::Strict, id(1)).unwrap().is_some());
        let mut bytes = whole.clone();
        bytes[offset as usize] ^= 1;
        copy.put(name, bytes);
        let expected = replayed(&copy, ReadMode::Strict, id(number));
        assert!(expected.is_err());
        assert_eq!(read(&mut reader, ReadMode::Strict, id(number)), expected, "{number}");
        told += 1;
    }
    assert!(told > 3);
}

#[test]
fn every_range_is_the_same_to_a_reader_that_knows_places() {
    let dir = log(60);
    let mut known = reader(&dir);
    for number in scattered(60) {
        assert!(known.read(ReadMode::Strict, id(number)).unwrap().is_some());
    }
    for (first, last) in
        (1..=60).flat_map(|first| [(first, first), (first, first + 9), (first, 60)])
    {
        let mut both = [&mut known, &mut reader(&dir)].map(|reader| {
            let mut found = Vec::new();
            let mut entries = reader.range(ReadMode::Strict, id(first)..=id(last)).unwrap();
            while let Some(entry) = entries.next().unwrap() {
                found.push((entry.id, entry.payload.to_vec(), entry.segment, entry.offset));
            }
            (found, entries.report().last_id)
        });
        assert_eq!(both[0].0.len() as u64, last.min(60) + 1 - first);
        both[1].1 = both[0].1;
        assert_eq!(both[0], both[1]);
    }
}

#[test]
fn beside_a_writer_what_is_flushed_is_found_and_after_a_refresh_what_is_in_new_segments() {
    for preallocated in [false, true] {
        let dir = MemoryDirectory::new();
        let options = options().preallocate(preallocated);
        let mut wal = RawWalWriter::open(dir.clone(), options.clone()).unwrap();
        wal.append(&record(1)).unwrap();
        wal.flush().unwrap();
        let mut reader = Reader::open(dir.clone(), options).unwrap();
        let mut refreshed = 0;
        for number in 2..=150 {
            let tail = wal.tail_segment();
            // What was read in vain is not held; what is held behind an entry that was read may be old by now.
            let in_vain = number % 3 == 0;
            if in_vain {
                assert_eq!(reader.read(ReadMode::BestEffort, id(number)).unwrap(), None);
            }
            wal.append(&record(number)).unwrap();
            if in_vain {
                assert_eq!(reader.read(ReadMode::BestEffort, id(number)).unwrap(), None, "staged");
            }
            wal.flush().unwrap();
            if wal.tail_segment() != tail {
                assert_eq!(reader.read(ReadMode::BestEffort, id(number)).unwrap(), None);
                reader.refresh().unwrap();
                refreshed += 1;
                assert_eq!(reader.sealed_through(), Some(id(number - 1)));
                assert!(wal.durable_through() >= reader.sealed_through());
            }
            for number in [number, 1 + number * 7 % number, number] {
                let found = reader.read(ReadMode::BestEffort, id(number)).unwrap();
                assert_eq!(found.unwrap().payload, record(number), "{number}");
            }
        }
        assert!(refreshed > 4);
        wal.truncate_prefix(id(100)).unwrap();
        reader.refresh().unwrap();
        assert_eq!(reader.first_entry_id(), wal.first_entry_id());
        assert!(matches!(reader.read(ReadMode::Strict, id(1)), Err(Error::Gap { .. })));
    }
}

#[test]
fn a_truncation_takes_back_what_is_known_of_what_it_cut() {
    for from in 2..=60 {
        let dir = log(60);
        let mut reader = reader(&dir);
        for number in 1..=60 {
            assert!(reader.read(ReadMode::Strict, id(number)).unwrap().is_some());
        }
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        wal.truncate_suffix(id(from)).unwrap();
        wal.append(b"another").unwrap();
        wal.flush().unwrap();
        reader.refresh().unwrap();
        for number in scattered(from + 2) {
            let expected = replayed(&dir, ReadMode::Strict, id(number));
            assert_eq!(read(&mut reader, ReadMode::Strict, id(number)), expected, "{number}");
        }
        assert_eq!(reader.read(ReadMode::Strict, id(from)).unwrap().unwrap().payload, b"another");
    }
}

/// After a failed sync a system may show less than it has shown: the log goes on from there, in the same file.
#[test]
fn a_tail_that_goes_back_and_then_on_otherwise_is_read_as_it_is_now() {
    let dir = MemoryDirectory::new();
    fill(&dir, 3);
    let name = Name::new("wal/00000001.WAL").unwrap();
    let short = dir.contents(name).unwrap();
    let options = || options().segment_bytes(64 << 10);
    fill_with(&dir, options(), 60, |_| vec![1; 50]);
    let mut reader = Reader::open(dir.clone(), options()).unwrap();
    for number in 1..=60 {
        assert!(reader.read(ReadMode::Strict, id(number)).unwrap().is_some());
    }
    dir.put(name, short);
    fill_with(&dir, options(), 50, |number| vec![2; 10 + number as usize % 90]);
    // What was read before is forgotten, but not the places.
    reader.refresh().unwrap();
    for number in scattered(60) {
        let expected = replayed(&dir, ReadMode::BestEffort, id(number));
        assert_eq!(read(&mut reader, ReadMode::BestEffort, id(number)), expected, "{number}");
    }
}

fn fill_with(
    dir: &MemoryDirectory,
    options: WalOptions,
    last: u64,
    record: impl Fn(u64) -> Vec<u8>,
) {
    let mut wal = RawWalWriter::open(dir.clone(), options).unwrap();
    while wal.next_entry_id().get() <= last {
        wal.append(&record(wal.next_entry_id().get())).unwrap();
    }
    wal.flush().unwrap();
}

/// The reader stands behind two short entries, where there is one long one by now.
#[test]
fn other_frames_in_the_place_of_those_that_were_passed_are_counted_anew() {
    let log = |fill: u8, lengths: &[usize]| {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options().alignment(4)).unwrap();
        for (index, &length) in lengths.iter().enumerate() {
            wal.append(&vec![fill + index as u8; length]).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        drop(wal);
        dir
    };
    if !is_compact() {
        return; // a full header says which entry it is: what is held of a tail is shown until the next refresh
    }
    let both = 20 + 20 + 8;
    let (dir, other) = (log(0, &[20, 20, 4, 4, 4, 4]), log(100, &[both, 4, 4, 4, 4, 4]));
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut reader = Reader::open(dir.clone(), options()).unwrap();
    assert_eq!(reader.read(ReadMode::Strict, id(2)).unwrap().unwrap().payload, [1; 20]);
    let bytes = other.contents(name).unwrap();
    dir.reopen(name, 0).unwrap().unwrap().write_all(&bytes).unwrap();
    for number in [3, 4, 5, 6] {
        let found = reader.read(ReadMode::Strict, id(number)).unwrap().unwrap();
        assert_eq!(found.payload, [99 + number as u8; 4], "{number}");
    }
}

/// A segment that is held, in the place of which there is another's.
#[test]
fn after_a_refresh_a_sealed_segment_that_was_read_last_is_the_one_that_is_there() {
    let logs = [1, 2].map(|value| {
        let dir = MemoryDirectory::new();
        fill_with(&dir, options().log_id(u64::from(value)), 40, |_| vec![value; 300]);
        dir
    });
    for (from, to) in [(0, 0), (0, 1)] {
        let dir = copy(&logs[from]);
        let mut reader = reader(&dir);
        for number in [40, 3] {
            assert!(reader.read(ReadMode::Strict, id(number)).unwrap().is_some());
        }
        for name in dir.names() {
            dir.remove(Name::new(&name).unwrap()).unwrap();
        }
        for name in logs[to].names() {
            let name = Name::new(&name).unwrap();
            dir.put(name, logs[to].contents(name).unwrap());
        }
        reader.refresh().unwrap();
        for number in [4, 3, 40] {
            let found = reader.read(ReadMode::Strict, id(number)).unwrap().unwrap();
            assert_eq!(found.payload, vec![to as u8 + 1; 300], "{number}");
        }
    }
}

#[test]
fn a_log_is_whole_if_each_of_its_segments_is() {
    let dir = log(40);
    let names: Vec<String> = dir.names().into_iter().filter(|name| name.ends_with("WAL")).collect();
    let (mut good, mut bad) = (0, 0);
    for name in &names {
        let name = Name::new(name).unwrap();
        let whole = dir.contents(name).unwrap();
        for at in (72..whole.len()).step_by(29) {
            let copy = copy(&dir);
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            copy.put(name, bytes);
            for mode in [ReadMode::Strict, ReadMode::BestEffort] {
                let mut reader = reader(&copy);
                let numbers: Vec<u32> = reader.segment_numbers().collect();
                let mut by_segment = Ok((0, None, None));
                for number in numbers {
                    // The first that fails, in order.
                    by_segment = by_segment.and_then(|(entries, ..)| {
                        let report = reader.verify_segment(mode, number).map_err(text)?;
                        assert_eq!(report.segments, 1, "it is about one");
                        Ok((entries + report.entries, report.last_id, report.torn))
                    });
                }
                let mut entries = reader.entries(mode).unwrap();
                let replayed = loop {
                    match entries.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => {
                            let report = entries.report().clone();
                            break Ok((report.entries, report.last_id, report.torn));
                        }
                        Err(error) => break Err(text(error)),
                    }
                };
                good += u32::from(replayed.is_ok());
                bad += u32::from(replayed.is_err());
                assert_eq!(by_segment, replayed, "{at} of {name}");
            }
        }
    }
    assert!(good > 5 && bad > 100, "{good} good, {bad} bad");
    let missing = reader(&dir).verify_segment(ReadMode::Strict, 99);
    assert!(matches!(missing, Err(Error::Missing { .. })));
}

#[test]
fn a_typed_entry_is_read_by_its_id_or_said_to_be_of_another_type() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<(u64, String), _>::open(dir.clone(), options()).unwrap();
    for number in 1..=50 {
        wal.append(&(number, "x".repeat(number as usize * 7))).unwrap();
    }
    wal.flush().unwrap();
    let mut reader = WalReader::<(u64, String), _>::open(dir.clone(), options()).unwrap();
    for number in scattered(50) {
        let (found, text) = reader.read(id(number)).unwrap().unwrap();
        assert_eq!((found, text.len() as u64), (number, number * 7));
    }
    assert!(reader.read(id(51)).unwrap().is_none());
    wal.append(&(51, String::new())).unwrap();
    wal.flush().unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.read(id(51)).unwrap().unwrap().0, 51);
    let mut other = WalReader::<u8, _>::open(dir, options()).unwrap();
    let error = other.read(id(9)).unwrap_err();
    assert!(matches!(error, Error::Decode { entry_id, .. } if entry_id == Some(id(9))), "{error}");
}

/// A preallocated segment has it in front of the writer; the reader has read it as it was.
#[test]
fn an_entry_that_was_flushed_into_room_is_found_at_the_next_look() {
    for in_vain in [true, false] {
        is_found_in_room(in_vain);
    }
}

/// `in_vain`: it was looked for before it was there, too.
fn is_found_in_room(in_vain: bool) {
    let options = || WalOptions::new().read_bytes(8192).buffer_bytes(256);
    let dir = MemoryDirectory::new();
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    wal.append(b"1").unwrap();
    wal.flush().unwrap();
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut room = dir.reopen(name, wal.tail_bytes()).unwrap().unwrap();
    room.write_all(&[0; 4096]).unwrap();
    let mut reader = RawWalReader::open(dir, options()).unwrap();
    for number in 1..=20_u64 {
        let found = reader.read(ReadMode::BestEffort, id(number)).unwrap();
        assert_eq!(found.unwrap().payload, number.to_string().as_bytes());
        if in_vain {
            assert!(reader.read(ReadMode::BestEffort, id(number + 1)).unwrap().is_none());
        }
        wal.append((number + 1).to_string().as_bytes()).unwrap();
        wal.flush().unwrap();
    }
}

/// Segment by segment as the first one was, in the same folder.
#[test]
fn after_a_refresh_another_log_shows_its_own_entries() {
    let dir = MemoryDirectory::new();
    let write = |log_id, payload: &[u8]| {
        let options = WalOptions::new().segment_bytes(256).buffer_bytes(256).log_id(log_id);
        let mut wal = RawWalWriter::open(dir.clone(), options).unwrap();
        for _ in 0..50 {
            wal.append(payload).unwrap();
        }
        wal.close().unwrap();
    };
    write(1, b"one");
    let mut reader = RawWalReader::open(dir.clone(), WalOptions::new()).unwrap();
    for number in [3, 1] {
        let found = reader.read(ReadMode::Strict, id(number)).unwrap();
        assert_eq!(found.unwrap().payload, b"one");
    }
    for name in dir.names() {
        dir.remove(Name::new(&name).unwrap()).unwrap();
    }
    write(2, b"two");
    reader.refresh().unwrap();
    for number in [1, 3, 50] {
        let found = reader.read(ReadMode::Strict, id(number)).unwrap();
        assert_eq!(found.unwrap().payload, b"two", "{number}");
    }
}
