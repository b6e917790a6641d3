//! The census of write-ahead logs.

use durability_core::walog::RawWalWriter;
use durability_core::{EntryId, Error, ReadMode};

use crate::common::format::{Codec, log_id};
use crate::common::{Entry, Image, disk, entries, image, look, segment};
use crate::predict::{Before, File, Prediction};
use crate::samples::{Sample, all};
use crate::{CASES, Census, Outcome, case, damages};

/// Number, first id, previous segment and its end.
fn header(bytes: &[u8]) -> (u32, u64, u32, usize) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    (word(24), long(32), word(48), usize::try_from(long(56)).unwrap())
}

/// A file of the sample before the damage.
fn file<'a>(sample: &'a Sample, name: &str) -> File<'a> {
    let bytes = &sample.files[name];
    let (number, _, previous, _) = header(bytes);
    let successor =
        sample.files.values().map(|bytes| header(bytes)).find(|header| header.2 == number);
    let before = match (number, sample.files.contains_key(&segment(previous))) {
        (_, true) => Before::File,
        (1, false) => Before::Nothing,
        _ => Before::Pruned,
    };
    File::segment(bytes, successor.map(|header| header.3), before)
}

/// The entries that must be seen, and where the torn tail begins; `None` for an error.
type Expected = Option<(Vec<Entry>, Option<u64>)>;

fn up_to(sample: &Sample, next: u64) -> Vec<Entry> {
    sample.right.iter().filter(|entry| entry.0 < next).cloned().collect()
}

/// What must be seen if this file of the sample has become that.
fn expected(sample: &Sample, name: &str, damaged: Option<&[u8]>) -> Expected {
    let (_, first_id, previous, _) = header(&sample.files[name]);
    match file(sample, name).predict(damaged) {
        Prediction::Detected => None,
        Prediction::WithoutFile => Some(without(sample, &segment(previous))),
        Prediction::Shows { entries, torn_at } => {
            // Of a sealed segment that is whole, all that follows is there as well.
            let last = sample.files.keys().next_back().is_some_and(|last| last == name);
            let next = if last { first_id + u64::from(entries) } else { u64::MAX };
            Some((up_to(sample, next), torn_at.map(|at| at as u64)))
        }
    }
}

/// The log if it ends with this file, all of it, also what lies beyond the end that the lost one declared.
fn without(sample: &Sample, name: &str) -> (Vec<Entry>, Option<u64>) {
    let Some(bytes) = sample.files.get(name) else { return (Vec::new(), None) };
    let first_id = header(bytes).1;
    let mut found = up_to(sample, first_id);
    let frames = Codec::of_segment(bytes).frames(bytes);
    let end = frames.last().map_or(0, |frame| frame.end);
    for frame in frames.iter().filter(|frame| !frame.control()) {
        let payload = bytes[frame.bytes()][frame.header..].to_vec();
        found.push((first_id + u64::from(frame.position) - 1, payload));
    }
    (found, (end < bytes.len()).then_some(end as u64))
}

/// Holds a damaged log to what must be seen.
fn judge(
    sample: &Sample,
    files: &Image,
    expected: Option<&(Vec<Entry>, Option<u64>)>,
    case: &str,
) -> Outcome {
    let dir = disk(files);
    let options = || sample.options.clone();
    let lenient = look(dir.clone(), options(), ReadMode::BestEffort);
    let strict = look(dir.clone(), options(), ReadMode::Strict);
    assert_eq!(image(&dir), *files, "{case}: a reader changed something");
    let opened = RawWalWriter::open(dir.clone(), options());
    let Some((right, torn_at)) = expected else {
        for result in [lenient, strict] {
            match result {
                Err(Error::Corrupt(found)) => {
                    assert!(found.file.to_string().starts_with("wal/"), "{case}: {found}");
                }
                other => panic!("{case} was not detected: {other:?}"),
            }
        }
        match opened {
            Err(error) => {
                assert!(error.is_corruption(), "{case}: {error}");
                assert_eq!(image(&dir), *files, "{case}: refused, and changed");
            }
            // Opening reads headers and the last segment; the rest is judged when it is read.
            Ok(mut wal) => {
                let mut reader = wal.reader().unwrap();
                let found = crate::common::drain(&mut reader, ReadMode::BestEffort);
                assert!(found.is_err_and(|error| error.is_corruption()), "{case}");
            }
        }
        return Outcome::Detected;
    };
    let (found, torn) =
        lenient.unwrap_or_else(|error| panic!("{case}: {error}, expected {expected:?}"));
    assert_eq!(found, *right, "{case}");
    assert_eq!(torn.as_ref().map(|torn| torn.offset), *torn_at, "{case}: {torn:?}");
    match strict {
        Ok((found, _)) => assert!(torn.is_none() && found == *right, "{case}"),
        Err(Error::TornTail { offset, .. }) => assert_eq!(Some(offset), *torn_at, "{case}"),
        Err(other) => panic!("{case}: {other}"),
    }
    // Whatever the window swallowed, the log goes on from what was shown.
    let mut wal = opened.unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(wal.torn_tail(), torn.as_ref(), "{case}");
    let mut right = right.clone();
    if let Some((last, _)) = right.last() {
        assert_eq!(wal.last_entry_id(), EntryId::new(*last), "{case}");
    }
    right.push((wal.append(b"next").unwrap().get(), b"next".to_vec()));
    wal.close().unwrap();
    assert_eq!(entries(dir, options()).unwrap(), right, "{case}");
    right.pop();
    if right == sample.right { Outcome::Harmless } else { Outcome::Window }
}

fn count(sample: &Sample) -> Census {
    let mut census = Census::default();
    for (file, bytes) in &sample.files {
        damages::each(bytes, |kind, damaged| {
            let mut files = sample.files.clone();
            match damaged {
                Some(damaged) => drop(files.insert(file.clone(), damaged.to_vec())),
                None => drop(files.remove(file)),
            }
            let expected = expected(sample, file, damaged);
            let changed =
                damaged.and_then(|damaged| damaged.iter().zip(bytes).position(|(a, b)| a != b));
            let length = damaged.map(<[u8]>::len);
            let name = sample.name;
            let case =
                case(format_args!("{name}, {kind} in {file}, from {changed:?}, {length:?} bytes"));
            census.add(kind, judge(sample, &files, expected.as_ref(), &case));
        });
    }
    census
}

#[test]
fn every_damage_to_a_log_is_detected_harmless_or_in_the_window() {
    for sample in all() {
        let census = count(&sample);
        println!(
            "{}: {} bytes in {} files{census}",
            sample.name,
            sample.files.values().map(Vec::len).sum::<usize>(),
            sample.files.len()
        );
        if sample.name.contains("marks")
            || sample.name.contains("closed")
            || sample.name == "truncated last"
        {
            let window = census.of_kind("flipped bits", Outcome::Window);
            assert_eq!(window, 0, "{}, up to case {}", sample.name, CASES.get());
        }
        assert!(census.of(Outcome::Detected) > 0 || sample.right.is_empty(), "{}", sample.name);
    }
}

#[test]
fn older_copies_exchanged_and_foreign_segments_are_detected_or_in_the_window() {
    let mut census = Census::default();
    let samples = all();
    for sample in &samples {
        // Each file as it was after each sync: the last segment is a shorter one then, the others are damaged.
        for then in &sample.past {
            for (file, bytes) in then {
                let Some(now) = sample.files.get(file) else { continue };
                assert!(now.starts_with(bytes), "files only grow");
                let files = [(file.clone(), bytes.clone())].into_iter();
                let files: Image = sample.files.clone().into_iter().chain(files).collect();
                let case = case(format_args!("{}, {file} as it was", sample.name));
                let expected = expected(sample, file, Some(bytes));
                census.add("older copies", judge(sample, &files, expected.as_ref(), &case));
            }
        }
        // Each file under each other number, with and without the one that was there.
        for (file, bytes) in &sample.files {
            for number in 1..=u32::try_from(sample.files.len()).unwrap() + 2 {
                let target = segment(number);
                if target == *file {
                    continue;
                }
                let mut copied = sample.files.clone();
                let old = copied.insert(target.clone(), bytes.clone());
                let mut moved = copied.clone();
                match old {
                    Some(old) => drop(moved.insert(file.clone(), old)),
                    None => drop(moved.remove(file)),
                }
                for (kind, files) in [("copied segments", copied), ("exchanged segments", moved)] {
                    // Wherever it lies: its header says that it is another one.
                    let case = case(format_args!("{}, {kind}: {file} as {target}", sample.name));
                    census.add(kind, judge(sample, &files, None, &case));
                }
            }
        }
        // A segment of another log in any place.
        for number in 1..=u32::try_from(sample.files.len()).unwrap() + 2 {
            let mut files = sample.files.clone();
            let target = segment(number);
            let mut foreign = foreign(&samples, number);
            foreign.truncate(400);
            files.insert(target.clone(), foreign);
            if files.values().all(|bytes| log_id(bytes) != 7) {
                // All of the log is another one now: GUARANTEES.md, 5, a directory put back.
                continue;
            }
            let case = case(format_args!("{}, a foreign {target}", sample.name));
            census.add("foreign segments", judge(sample, &files, None, &case));
        }
    }
    println!("files in the wrong place:{census}");
    assert_eq!(census.of_kind("foreign segments", Outcome::Window), 0);
    assert_eq!(census.of_kind("exchanged segments", Outcome::Window), 0);
}

/// A segment of this number, of another log.
fn foreign(samples: &[Sample], number: u32) -> Vec<u8> {
    let mut bytes = samples[0].files.values().next().unwrap().clone();
    bytes[16..24].copy_from_slice(&8_u64.to_le_bytes());
    bytes[24..28].copy_from_slice(&number.to_le_bytes());
    crate::common::format::seal_header(&mut bytes, crate::common::format::SEGMENT_HEADER);
    bytes
}
