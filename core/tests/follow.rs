//! Laws of following a log: every entry once, in order, whatever the writer beside does; never one that is taken back without saying so.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    Follower, RawFollower, RawWalWriter, Reach, WalOptions, WalReader, WalWriter,
};
use durability_core::{EntryId, Error};

type Shown = Vec<(u64, Vec<u8>)>;
type Raw = RawFollower<MemoryDirectory>;

/// These laws are run on compact frames as well, as a part of `compact.rs`.
fn is_compact() -> bool {
    module_path!().starts_with("compact")
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn small() -> WalOptions {
    let small = WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256);
    small.compact_frames(is_compact())
}

/// One large segment.
fn wide() -> WalOptions {
    small().segment_bytes(1 << 20)
}

fn open(dir: &MemoryDirectory, options: WalOptions) -> RawWalWriter<MemoryDirectory> {
    RawWalWriter::open(dir.clone(), options).unwrap()
}

fn follow(dir: &MemoryDirectory, from: u64, reach: Reach) -> Raw {
    follow_in(dir, small(), from, reach)
}

fn follow_in(dir: &MemoryDirectory, options: WalOptions, from: u64, reach: Reach) -> Raw {
    RawFollower::new(dir.clone(), options, id(from), reach).unwrap()
}

/// All that there is: the folder is listed at the latest after 32 looks for nothing.
fn drain(follower: &mut Raw) -> Result<Shown, Error<MemoryError>> {
    let mut shown = Vec::new();
    let mut nothing = 0;
    while nothing < 70 {
        match follower.next()? {
            Some(entry) => {
                shown.push((entry.id.get(), entry.payload.to_vec()));
                nothing = 0;
            }
            None => nothing += 1,
        }
    }
    Ok(shown)
}

fn payload(number: u64) -> Vec<u8> {
    format!("entry {number}{}", "!".repeat(usize::try_from(number % 40).unwrap())).into_bytes()
}

fn append(wal: &mut RawWalWriter<MemoryDirectory>, count: u64) {
    for _ in 0..count {
        let number = wal.next_entry_id().get();
        wal.append(&payload(number)).unwrap();
    }
}

fn expected(range: core::ops::RangeInclusive<u64>) -> Shown {
    range.map(|number| (number, payload(number))).collect()
}

/// Entries from there on were taken back.
fn taken_back(result: Result<Shown, Error<MemoryError>>) -> (u64, u64) {
    match result {
        Err(Error::TakenBack { from, through }) => (from.get(), through.get()),
        other => panic!("expected that entries were taken back, found {other:?}"),
    }
}

/// The bytes of a file from `at` on become `bytes`, and blank behind them, in place.
fn overwrite(dir: &MemoryDirectory, file: &str, at: usize, bytes: &[u8]) {
    let name = Name::new(file).unwrap();
    let blank = dir.contents(name).unwrap().len() - at - bytes.len();
    let mut appender = dir.reopen(name, at as u64).unwrap().unwrap();
    appender.write_all(bytes).unwrap();
    appender.write_all(&vec![0; blank]).unwrap();
}

#[test]
fn what_is_written_is_shown_once_and_in_order_across_rotations() {
    for from in [1, 7, 50] {
        let dir = MemoryDirectory::new();
        let mut follower = follow(&dir, from, Reach::Written);
        assert_eq!(drain(&mut follower).unwrap(), [], "there is no log yet");
        let mut wal = open(&dir, small());
        let mut shown = Vec::new();
        for round in 0..40 {
            append(&mut wal, round % 7);
            if round % 3 > 0 {
                wal.flush().unwrap();
            }
            if round % 5 == 0 {
                let _durable = wal.flush_and_sync().unwrap();
            }
            shown.extend(drain(&mut follower).unwrap());
        }
        wal.close().unwrap();
        shown.extend(drain(&mut follower).unwrap());
        let last = shown.len() as u64 + from - 1;
        assert_eq!(shown, expected(from..=last));
        assert!(last > 100 && dir.names().len() > 10, "{last}");
    }
}

#[test]
fn whoever_comes_late_is_shown_the_same_from_any_entry_on() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, small());
    append(&mut wal, 60);
    wal.close().unwrap();
    for reach in [Reach::Written, Reach::Durable] {
        for from in 1..=61 {
            let mut follower = follow(&dir, from, reach);
            assert_eq!(drain(&mut follower).unwrap(), expected(from..=60), "{reach:?} {from}");
        }
        let reader = WalReader::<u32, _>::open(dir.clone(), small()).unwrap();
        assert_eq!(reader.follow(id(3), reach).next_entry_id(), id(3));
    }
}

#[test]
fn only_what_a_later_frame_or_a_seal_proves_durable_is_shown_as_durable() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, wide());
    let mut follower = follow(&dir, 1, Reach::Durable);
    append(&mut wal, 3);
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), []);
    let _durable = wal.flush_and_sync().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), [], "no frame says so yet");
    append(&mut wal, 1);
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), expected(1..=3));
    append(&mut wal, 30);
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), []);
    wal.close().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), expected(4..=34));
    // A seal proves all before it; a mark all before it.
    let mut wal = open(&dir, small().mark_after_sync(true));
    append(&mut wal, 1);
    assert_eq!(dir.names().len(), 2, "a new segment was begun");
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), []);
    let _durable = wal.flush_and_sync().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), expected(35..=35));
}

#[test]
fn who_is_told_how_far_the_log_is_durable_does_not_wait_for_proof() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, wide());
    let mut follower = follow(&dir, 1, Reach::Durable);
    let mut shown = Vec::new();
    for _ in 0..20 {
        append(&mut wal, 2);
        wal.flush().unwrap();
        assert!(follower.next().unwrap().is_none());
        append(&mut wal, 1);
        let through = wal.flush_and_sync().unwrap().through().unwrap();
        append(&mut wal, 2);
        wal.flush().unwrap();
        while let Some(entry) = follower.next_through(through).unwrap() {
            shown.push((entry.id.get(), entry.payload.to_vec()));
        }
        assert_eq!(shown.len() as u64, through.get());
        wal.flush_and_sync().map(drop).unwrap();
        let through = wal.last_entry_id().unwrap();
        while let Some(entry) = follower.next_through(through).unwrap() {
            shown.push((entry.id.get(), entry.payload.to_vec()));
        }
    }
    assert_eq!(shown, expected(1..=100));
}

/// The files of a log of batches and single entries, in the order in which they were written.
fn sample() -> (Vec<(String, Vec<u8>)>, Shown) {
    let dir = MemoryDirectory::new();
    let options = small().log_id(5);
    let mut wal = RawWalWriter::open(dir.clone(), options).unwrap();
    for round in 0..6 {
        append(&mut wal, 2);
        let first = wal.next_entry_id().get();
        let batch: Vec<_> = (first..first + round).map(payload).collect();
        wal.append_batch(&batch).unwrap();
        if round % 2 == 0 {
            let _durable = wal.flush_and_sync().unwrap();
        }
    }
    let last = wal.last_entry_id().unwrap().get();
    wal.close().unwrap();
    let names = dir.names().into_iter();
    let files = names.map(|name| (dir.contents(Name::new(&name).unwrap()).unwrap(), name));
    (files.map(|(bytes, name)| (name, bytes)).collect(), expected(1..=last))
}

#[test]
fn a_log_that_grows_byte_by_byte_shows_each_entry_when_it_is_whole_and_each_batch_at_once() {
    let (files, all) = sample();
    let batches = [8..=9, 12..=14, 17..=20, 23..=27];
    assert!(files.len() > 3);
    for (room, reach) in [
        (None, Reach::Written),
        (Some(0), Reach::Written),
        (Some(0xFF), Reach::Durable),
        (None, Reach::Durable),
    ] {
        let dir = MemoryDirectory::new();
        let mut follower = follow(&dir, 1, reach);
        let mut shown = Vec::new();
        for (number, (name, bytes)) in files.iter().enumerate() {
            let name = Name::new(name).unwrap();
            let mut appender = match room.filter(|_| number > 0) {
                Some(fill) => {
                    dir.put(name, vec![fill; 400]);
                    dir.reopen(name, 0).unwrap().unwrap()
                }
                None => dir.create(name, 0).unwrap().unwrap(),
            };
            for byte in bytes {
                appender.write_all(&[*byte]).unwrap();
                let before = shown.len() as u64;
                // Large steps of the poll's patience are tried by the others.
                for _ in 0..3 {
                    while let Some(entry) = follower.next().unwrap() {
                        shown.push((entry.id.get(), entry.payload.to_vec()));
                    }
                }
                let after = shown.len() as u64;
                for batch in &batches {
                    let seen = |to: u64| to >= *batch.start() && to < *batch.end();
                    assert!(
                        reach == Reach::Durable || before == after || !seen(after),
                        "{batch:?} was cut at {after}"
                    );
                }
            }
        }
        assert_eq!(shown, all[..shown.len()], "{room:?} {reach:?}");
        shown.extend(drain(&mut follower).unwrap());
        assert_eq!(shown, all, "{room:?} {reach:?}");
    }
}

#[test]
fn a_follower_goes_on_where_a_torn_tail_was_repaired() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, wide());
    append(&mut wal, 5);
    let _durable = wal.flush_and_sync().unwrap();
    let mut follower = follow(&dir, 1, Reach::Written);
    assert_eq!(drain(&mut follower).unwrap(), expected(1..=5));
    drop(wal);
    // The rest of a record that was never finished; and a segment that was never begun.
    let name = Name::new("wal/00000001.WAL").unwrap();
    let end = dir.contents(name).unwrap().len();
    let mut torn = dir.reopen(name, end as u64).unwrap().unwrap();
    torn.write_all(&[77; 50]).unwrap();
    let _unfinished = dir.create(Name::new("wal/00000002.WAL").unwrap(), 0).unwrap().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), []);
    let mut wal = open(&dir, wide());
    assert_eq!(wal.tail_segment(), 3);
    append(&mut wal, 2);
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), expected(6..=7));
}

#[test]
fn other_entries_in_the_place_of_those_a_crash_took_back_are_never_shown() {
    // After the crash, the same ids hold as many bytes, fewer, more, or the last one is the same.
    let changes: [&[&[u8]]; 5] = [
        &[b"sIx", b"seven"],
        &[b"6", b"seven"],
        &[b"six and more"],
        &[b"six", b"sEven"],
        &[b"SIX", b"seven", b"eight"],
    ];
    for (change, synced) in changes.into_iter().flat_map(|change| [(change, true), (change, false)])
    {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, wide());
        append(&mut wal, 5);
        let _durable = wal.flush_and_sync().unwrap();
        let end = usize::try_from(wal.tail_bytes()).unwrap();
        wal.append(b"six").unwrap();
        wal.append(b"seven").unwrap();
        wal.flush().unwrap();
        let mut follower = follow(&dir, 2, Reach::Written);
        let mut durable = follow(&dir, 2, Reach::Durable);
        assert_eq!(drain(&mut follower).unwrap().len(), 6);
        assert_eq!(drain(&mut durable).unwrap(), expected(2..=5));
        drop(wal);
        // What was flushed and not synced is lost, and its room reads as blank.
        overwrite(&dir, "wal/00000001.WAL", end, &[]);
        let mut wal = open(&dir, wide());
        assert_eq!(wal.next_entry_id(), 6);
        for payload in change {
            wal.append(payload).unwrap();
        }
        wal.flush().unwrap();
        if synced {
            let _durable = wal.flush_and_sync().unwrap();
            append(&mut wal, 1);
            wal.flush().unwrap();
        }
        let (from, through) = taken_back(drain(&mut follower));
        assert!(from <= 6 && through == 7, "{from} {through} {change:?}");
        assert_eq!(taken_back(drain(&mut follower)), (from, through), "it stays so");
        // Who is shown only what is durable has nothing to take back.
        wal.close().unwrap();
        let rest = drain(&mut durable).unwrap();
        assert_eq!(
            rest.iter().map(|(_, payload)| &payload[..]).take(change.len()).collect::<Vec<_>>(),
            change
        );
    }
}

#[test]
fn entries_that_vanish_with_their_file_are_taken_back() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, small());
    append(&mut wal, 9);
    wal.flush().unwrap();
    let mut follower = follow(&dir, 1, Reach::Written);
    assert_eq!(drain(&mut follower).unwrap(), expected(1..=9));
    let tail = wal.tail_segment();
    let first = wal.segments().last().unwrap().first_id().get();
    drop(wal);
    // A name that was never synced.
    dir.remove(Name::new(&format!("wal/{tail:08X}.WAL")).unwrap()).unwrap();
    assert_eq!(taken_back(drain(&mut follower)), (first, 9));
    let mut follower = follow(&dir, 1, Reach::Written);
    assert_eq!(drain(&mut follower).unwrap(), expected(1..=first - 1));
    let mut wal = open(&dir, small());
    wal.append(b"other").unwrap();
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), [(first, b"other".to_vec())]);
}

#[test]
fn what_a_truncation_takes_back_after_it_was_shown_is_told() {
    for (reach, cut) in [Reach::Written, Reach::Durable]
        .into_iter()
        .flat_map(|reach| (1..=20).map(move |cut| (reach, cut)))
    {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, small());
        append(&mut wal, 20);
        let _durable = wal.flush_and_sync().unwrap();
        let mut ahead = follow(&dir, 1, reach);
        let mut behind = follow(&dir, 1, reach);
        for _ in 1..cut {
            behind.next_through(id(20)).unwrap().unwrap();
        }
        while ahead.next_through(id(20)).unwrap().is_some() {}
        wal.truncate_suffix(id(cut)).unwrap();
        for _ in 0..12 {
            wal.append(b"other").unwrap();
        }
        wal.flush_and_sync().map(drop).unwrap();
        wal.close().unwrap();
        assert_eq!(taken_back(drain(&mut ahead)), (cut, 20), "{reach:?}");
        let new: Shown = (cut..cut + 12).map(|number| (number, b"other".to_vec())).collect();
        if cut == 1 {
            // It has shown nothing, so nothing is taken back.
            assert_eq!(drain(&mut behind).unwrap(), new);
        } else {
            match drain(&mut behind) {
                Ok(shown) => assert_eq!(shown, new, "{reach:?} {cut}"),
                // It was in the midst of what is gone.
                Err(Error::TakenBack { from, through }) => {
                    assert!(
                        from.get() >= cut && through.get() >= cut,
                        "{reach:?} {cut} {from} {through}"
                    );
                }
                Err(error) => panic!("{reach:?} {cut}: {error}"),
            }
        }
        let anew = drain(&mut follow(&dir, 1, reach)).unwrap();
        assert_eq!(anew, [expected(1..=cut - 1), new].concat());
    }
}

#[test]
fn truncation_to_empty_is_told_to_who_was_shown_anything() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, small());
    append(&mut wal, 12);
    let _durable = wal.flush_and_sync().unwrap();
    let mut follower = follow(&dir, 3, Reach::Written);
    let mut fresh = follow(&dir, 13, Reach::Written);
    assert_eq!(drain(&mut follower).unwrap(), expected(3..=12));
    assert_eq!(drain(&mut fresh).unwrap(), []);
    wal.truncate_to_empty().unwrap();
    append(&mut wal, 3);
    wal.flush().unwrap();
    assert_eq!(taken_back(drain(&mut follower)), (3, 12));
    assert_eq!(drain(&mut fresh).unwrap(), expected(13..=15));
}

#[test]
fn pruning_behind_a_follower_is_nothing_to_it_and_past_it_is_a_gap() {
    for shown in 0..=24 {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, small());
        append(&mut wal, 24);
        let _durable = wal.flush_and_sync().unwrap();
        let mut follower = follow(&dir, 1, Reach::Written);
        for _ in 0..shown {
            follower.next().unwrap().unwrap();
        }
        wal.truncate_prefix(id(17)).unwrap();
        append(&mut wal, 10);
        wal.close().unwrap();
        let first = WalReader::<u32, _>::open(dir.clone(), small()).unwrap().first_entry_id().get();
        assert!(first > if is_compact() { 7 } else { 10 } && first <= 17);
        match drain(&mut follower) {
            // A file that is open stays readable here.
            Ok(rest) => {
                assert_eq!(rest, expected(shown + 1..=34));
                assert!(shown >= if is_compact() { 7 } else { 10 });
            }
            Err(Error::Gap { needed, first: found, .. }) => {
                assert_eq!(found.map(EntryId::get), Some(first));
                assert!(needed.get() < first && needed.get() > shown, "{needed} {shown}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn damage_to_what_was_durable_is_an_error_and_never_shown() {
    let mut errors = 0;
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, wide());
    append(&mut wal, 4);
    let _durable = wal.flush_and_sync().unwrap();
    append(&mut wal, 1);
    wal.flush().unwrap();
    let name = Name::new("wal/00000001.WAL").unwrap();
    let bytes = dir.contents(name).unwrap();
    let header = if is_compact() { 8 } else { 16 };
    let synced = bytes.len() - (header + payload(5).len()).next_multiple_of(4);
    for (at, reach) in (0..bytes.len()).flat_map(|at| [(at, Reach::Written), (at, Reach::Durable)])
    {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        dir.put(name, damaged);
        let mut follower = follow(&dir, 1, reach);
        match drain(&mut follower) {
            Ok(shown) => {
                assert_eq!(shown, expected(1..=5)[..shown.len()], "{at}");
                // Padding; or at the end, where nothing proves anything.
                assert!(shown.len() >= 4 || at >= synced, "{at} {reach:?} {}", shown.len());
            }
            Err(Error::Corrupt(corruption)) => {
                assert_eq!(corruption.file.to_string(), "wal/00000001.WAL");
                assert!(follower.next().is_err(), "it stays so");
                errors += 1;
            }
            Err(error) => panic!("{at}: {error}"),
        }
    }
    assert!(errors > if is_compact() { 200 } else { 300 }, "{errors}");
}

#[test]
fn typed_entries_are_followed_and_others_are_refused_one_by_one() {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::open(dir.clone(), small()).unwrap();
    let mut follower = Follower::<String, _>::new(dir, small(), id(1), Reach::Written).unwrap();
    wal.append(&"one".to_owned()).unwrap();
    wal.raw_mut().append(&[200]).unwrap();
    wal.append(&"three".to_owned()).unwrap();
    wal.flush().unwrap();
    assert_eq!(follower.next().unwrap(), Some((id(1), "one".to_owned())));
    let refused = follower.next().unwrap_err();
    assert!(
        matches!(refused, Error::Decode { entry_id: Some(entry), .. } if entry == 2),
        "{refused}"
    );
    assert_eq!(follower.next_through(id(3)).unwrap(), Some((id(3), "three".to_owned())));
    assert_eq!(follower.next().unwrap(), None);
}

#[test]
fn what_a_crash_replaced_far_back_is_told_before_anything_durable_is_shown() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, wide());
    append(&mut wal, 5);
    let _durable = wal.flush_and_sync().unwrap();
    let end = dir.contents(Name::new("wal/00000001.WAL").unwrap()).unwrap().len();
    append(&mut wal, 30);
    wal.flush().unwrap();
    let mut follower = follow(&dir, 1, Reach::Written);
    assert_eq!(drain(&mut follower).unwrap(), expected(1..=35));
    drop(wal);
    overwrite(&dir, "wal/00000001.WAL", end, &[]);
    let mut wal = open(&dir, wide());
    assert_eq!(wal.next_entry_id(), 6);
    // One entry is another one, as long; all behind it, the last among them, stand where they stood.
    wal.append(&payload(6).to_ascii_uppercase()).unwrap();
    append(&mut wal, 29);
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), [], "nothing new to be seen");
    let _durable = wal.flush_and_sync().unwrap();
    append(&mut wal, 1);
    wal.flush().unwrap();
    let (from, through) = taken_back(drain(&mut follower));
    assert!(from <= 6 && through == 35, "{from} {through}");
}

/// A preallocated segment has it in front of the writer; a reader has read it as it was.
#[test]
fn what_is_flushed_into_room_is_shown_at_the_next_look() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir, wide());
    append(&mut wal, 1);
    wal.flush().unwrap();
    let name = Name::new("wal/00000001.WAL").unwrap();
    let mut room = dir.reopen(name, wal.tail_bytes()).unwrap().unwrap();
    room.write_all(&[0; 4096]).unwrap();
    let mut follower = follow_in(&dir, wide().read_bytes(8192), 1, Reach::Written);
    for number in 1..=20 {
        assert_eq!(follower.next().unwrap().map(|entry| entry.id), Some(id(number)));
        assert!(follower.next().unwrap().is_none());
        append(&mut wal, 1);
        wal.flush().unwrap();
    }
}

#[test]
fn what_was_durable_and_reads_as_room_is_damage() {
    for (reach, fill) in [(Reach::Written, 0), (Reach::Durable, 0), (Reach::Written, 0xFF)] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir, wide());
        append(&mut wal, 3);
        let _durable = wal.flush_and_sync().unwrap();
        append(&mut wal, 1);
        let begin = usize::try_from(wal.tail_bytes()).unwrap();
        append(&mut wal, 1);
        let end = usize::try_from(wal.tail_bytes()).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        append(&mut wal, 1);
        wal.flush().unwrap();
        let name = Name::new("wal/00000001.WAL").unwrap();
        let mut bytes = dir.contents(name).unwrap();
        bytes[begin..end].fill(fill);
        dir.put(name, bytes);
        let mut follower = follow_in(&dir, wide(), 1, reach);
        let mut shown = 0;
        let error = (0..200).find_map(|_| match follower.next() {
            Ok(entry) => {
                shown += u32::from(entry.is_some());
                None
            }
            Err(error) => Some(error),
        });
        assert!(matches!(error, Some(Error::Corrupt(_))), "{reach:?} {fill}: {error:?}");
        // Who waits for proof sees that of the first three; the entry behind them is proved beyond the damage.
        assert_eq!(shown, if reach == Reach::Written { 4 } else { 3 });
    }
}
