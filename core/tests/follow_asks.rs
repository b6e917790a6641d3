//! What a follower answers beside entries: how far it follows, and whether what it has shown is still there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is what fails a test")]

use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory as _, MemoryDirectory, MemoryError, Name};
use durability_core::walog::{RawFollower, RawWalWriter, Reach, WalOptions};
use durability_core::{EntryId, Error};

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256)
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

#[test]
fn a_follower_says_how_far_it_follows() {
    for reach in [Reach::Written, Reach::Durable] {
        let dir = MemoryDirectory::new();
        let follower = RawFollower::new(dir, options(), id(1), reach).unwrap();
        assert_eq!(follower.reach(), reach);
    }
}

/// Asked, and not by way of a next entry, which there is none of.
#[test]
fn whoever_asks_whether_what_was_shown_is_still_there_is_told() {
    for cut in 1..=11 {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        for number in 1..=10_u8 {
            wal.append(&[number; 60]).unwrap();
        }
        let _durable = wal.flush_and_sync().unwrap();
        let mut follower = RawFollower::new(dir, options(), id(1), Reach::Written).unwrap();
        for number in 1..=10 {
            assert_eq!(follower.next().unwrap().unwrap().id, number);
        }
        follower.check().unwrap();
        assert!(follower.entry().is_none(), "nothing is shown after that");
        wal.truncate_suffix(id(cut)).unwrap();
        for _ in 0..2 {
            match follower.check() {
                Ok(()) => assert_eq!(cut, 11, "nothing was cut"),
                Err(Error::TakenBack { from, through }) => {
                    assert_eq!((from.get(), through.get()), (cut, 10));
                }
                Err(other) => panic!("{cut}: {other}"),
            }
        }
    }
}

fn drain(follower: &mut RawFollower<MemoryDirectory>) -> Result<Vec<u64>, Error<MemoryError>> {
    let (mut shown, mut nothing) = (Vec::new(), 0);
    while nothing < 70 {
        match follower.next()? {
            Some(entry) => shown.push(entry.id.get()),
            None => nothing += 1,
        }
    }
    Ok(shown)
}

/// A segment that is made ready ahead has not the next number, so the folder tells; what it tells of a segment that is gone is where it ended.
#[test]
fn whoever_was_shown_all_of_a_segment_that_is_pruned_goes_on_behind_it() {
    for reach in [Reach::Written, Reach::Durable] {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
        let mut follower = RawFollower::new(dir, options(), id(1), reach).unwrap();
        wal.append(&[1; 60]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        wal.append(&[2; 60]).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        assert!(wal.prepare_now().unwrap());
        let mut shown = drain(&mut follower).unwrap();
        wal.append(&[3; 100]).unwrap();
        assert_eq!(wal.tail_segment(), 3);
        wal.truncate_prefix(id(3)).unwrap();
        wal.append(b"four").unwrap();
        let _durable = wal.flush_and_sync().unwrap();
        wal.append(b"five").unwrap();
        wal.flush().unwrap();
        shown.extend(drain(&mut follower).unwrap());
        let last = if reach == Reach::Written { 5 } else { 4 };
        assert_eq!(shown, (1..=last).collect::<Vec<u64>>(), "{reach:?}");
    }
}

/// Entries 1 to 3, shown before anything proved them durable; then, with the proof behind them, what becomes of the file.
fn shown_and_then(
    spoil: impl FnOnce(&MemoryDirectory, Name<'_>),
) -> Result<Vec<u64>, Error<MemoryError>> {
    let dir = MemoryDirectory::new();
    let options = || options().segment_bytes(4096);
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    let mut follower = RawFollower::new(dir.clone(), options(), id(1), Reach::Written).unwrap();
    for number in 1..=3_u8 {
        wal.append(&[number; 20]).unwrap();
    }
    wal.flush().unwrap();
    assert_eq!(drain(&mut follower).unwrap(), [1, 2, 3]);
    let _durable = wal.flush_and_sync().unwrap();
    wal.append(b"four").unwrap();
    wal.flush().unwrap();
    spoil(&dir, Name::new("wal/00000001.WAL").unwrap());
    drain(&mut follower)
}

fn overwrite(dir: &MemoryDirectory, name: Name<'_>, at: usize, bytes: &[u8]) {
    dir.reopen(name, at as u64).unwrap().unwrap().write_all(bytes).unwrap();
}

#[test]
fn damage_to_what_was_shown_is_not_told_as_taken_back() {
    // The second entry's frame, byte by byte and blank.
    let frame = 72 + 36..72 + 72;
    for at in frame.clone() {
        let found = shown_and_then(|dir, name| {
            let byte = dir.contents(name).unwrap()[at] ^ 0x40;
            overwrite(dir, name, at, &[byte]);
        });
        assert!(matches!(found, Err(Error::Corrupt(_))), "{at}: {found:?}");
    }
    let found = shown_and_then(|dir, name| overwrite(dir, name, frame.start, &[0; 36]));
    assert!(matches!(found, Err(Error::Corrupt(_))), "{found:?}");
    assert_eq!(shown_and_then(|_, _| ()).unwrap(), [4]);
}

/// The file that has the name now, sealed, and not the one that is still open.
#[test]
fn what_was_shown_is_compared_with_what_the_name_stands_for() {
    let log = |fill: u8| {
        let dir = MemoryDirectory::new();
        let mut wal = RawWalWriter::open(dir.clone(), options().log_id(7)).unwrap();
        wal.append(&[1; 20]).unwrap();
        wal.append(&[fill; 60]).unwrap();
        wal.flush().unwrap();
        (dir, wal)
    };
    let (dir, _one) = log(2);
    let (other, mut wal) = log(3);
    let mut follower = RawFollower::new(dir.clone(), options(), id(1), Reach::Written).unwrap();
    assert_eq!(drain(&mut follower).unwrap(), [1, 2]);
    wal.append(&[4; 100]).unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    for name in other.names().iter().filter(|name| name.ends_with("WAL")) {
        let name = Name::new(name).unwrap();
        dir.remove(name).unwrap();
        dir.put(name, other.contents(name).unwrap());
    }
    match drain(&mut follower) {
        Err(Error::TakenBack { through, .. }) => assert_eq!(through, 2),
        other => panic!("{other:?}"),
    }
}

/// The file of a segment that was pruned is filled with zeros under the reader's hands, and has another name then.
#[test]
fn whoever_reads_a_segment_whose_file_is_used_again_goes_on_behind_it_or_is_told_of_the_gap() {
    for reach in [Reach::Written, Reach::Durable] {
        for count in 0..=4 {
            for synced in [false, true] {
                let dir = MemoryDirectory::new();
                let options = || options().segment_bytes(400).preallocate(true).recycle(true);
                let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
                drop(wal.prepare().unwrap());
                for number in 1..=4_u8 {
                    wal.append(&[number; 60]).unwrap();
                    if synced {
                        let _durable = wal.flush_and_sync().unwrap();
                    }
                }
                wal.flush().unwrap();
                assert_eq!(wal.tail_segment(), 1);
                let mut follower = RawFollower::new(dir.clone(), options(), id(1), reach).unwrap();
                let mut shown = Vec::new();
                for _ in 0..count {
                    shown.extend(follower.next().unwrap().map(|entry| entry.id.get()));
                }
                // The first is pruned, and its file becomes that of a segment to come.
                for number in 5..=12_u8 {
                    wal.append(&[number; 60]).unwrap();
                }
                let _durable = wal.flush_and_sync().unwrap();
                wal.truncate_prefix(id(5)).unwrap();
                assert!(wal.prepare_now().unwrap());
                wal.append(b"last").unwrap();
                let _durable = wal.flush_and_sync().unwrap();
                let mut nothing = 0;
                let ended = loop {
                    match follower.next() {
                        Ok(Some(entry)) => shown.push(entry.id.get()),
                        Ok(None) if nothing == 70 => break Ok(()),
                        Ok(None) => nothing += 1,
                        Err(error) => break Err(error),
                    }
                };
                let told = format!("{reach:?}, {count} asked for, synced {synced}: {shown:?}");
                let next = shown.len() as u64 + 1;
                assert_eq!(shown, (1..next).collect::<Vec<u64>>(), "{told}");
                match ended {
                    Ok(()) => assert!(next >= 13, "{told}"),
                    Err(Error::Gap { needed, first, .. }) => {
                        assert!(next < 5, "{told}");
                        assert_eq!((needed.get(), first), (next, Some(id(5))), "{told}");
                    }
                    Err(other) => panic!("{told}: {other}"),
                }
            }
        }
    }
}

/// A log of these entries in one segment or several, each synced by itself or none.
fn log_of<const N: usize>(
    entries: &[[u8; N]],
    segment_bytes: u64,
    synced: bool,
) -> MemoryDirectory {
    let dir = MemoryDirectory::new();
    let options = options().segment_bytes(segment_bytes).log_id(7);
    let mut wal = RawWalWriter::open(dir.clone(), options).unwrap();
    for entry in entries {
        wal.append(entry).unwrap();
        if synced {
            let _durable = wal.flush_and_sync().unwrap();
        }
    }
    wal.flush().unwrap();
    dir
}

/// All files become those of another log, in place.
fn become_another(dir: &MemoryDirectory, other: &MemoryDirectory) {
    for name in other.names().iter().filter(|name| name.ends_with("WAL")) {
        let name = Name::new(name).unwrap();
        let bytes = other.contents(name).unwrap();
        if dir.contents(name).is_some() {
            overwrite(dir, name, 0, &bytes);
        } else {
            dir.put(name, bytes);
        }
    }
}

/// In the middle of reading on, between two reads of the file.
#[test]
fn entries_of_another_writer_are_not_shown_behind_those_whose_place_they_took() {
    are_not_shown([1; 60], [2; 60]);
    // Each read of 256 bytes ends with an entry.
    are_not_shown([1; 48], [2; 48]);
}

fn are_not_shown<const N: usize>(entry: [u8; N], another: [u8; N]) {
    let (one, other) = (log_of(&[entry; 20], 4096, false), log_of(&[another; 20], 4096, true));
    for count in 1..10_u64 {
        let dir = MemoryDirectory::new();
        become_another(&dir, &one);
        let options = options().segment_bytes(4096);
        let mut follower = RawFollower::new(dir.clone(), options, id(1), Reach::Written).unwrap();
        for number in 1..=count {
            assert_eq!(follower.next().unwrap().unwrap().id, number);
        }
        become_another(&dir, &other);
        let mut last = count;
        let told = loop {
            match follower.next() {
                Ok(Some(found)) if found.payload == entry => last += 1, // held since before
                Err(Error::TakenBack { from, through }) => break (from.get(), through.get()),
                found => panic!("{count}: {:?}", found.map(|entry| entry.map(|it| it.id))),
            }
        };
        assert_eq!(told, (1, last), "{count}");
        for _ in 0..5 {
            let again = follower.next().map(drop);
            assert!(matches!(again, Err(Error::TakenBack { .. })), "{count}: {again:?}");
        }
    }
}

/// They were passed on the way to the first entry that is wanted.
#[test]
fn what_was_passed_and_not_shown_is_not_told_as_taken_back() {
    let one = log_of(&[[1; 60]; 3], 4096, false);
    let other = log_of(&[[2; 60]; 6], 4096, true);
    let dir = MemoryDirectory::new();
    become_another(&dir, &one);
    let options = options().segment_bytes(4096);
    let mut follower = RawFollower::new(dir.clone(), options, id(5), Reach::Written).unwrap();
    assert_eq!(drain(&mut follower).unwrap(), [0; 0]);
    become_another(&dir, &other);
    assert_eq!(drain(&mut follower).unwrap(), [5, 6]);
}

/// A truncation that a crash took back, after a reader had seen where it cut.
#[test]
fn a_segment_that_is_sealed_elsewhere_by_now_is_read_to_there() {
    let whole = log_of(&[[1; 60]; 10], 400, true);
    let dir = MemoryDirectory::new();
    become_another(&dir, &whole);
    // What comes behind the first segment begins with its third entry.
    let options = || options().segment_bytes(400).log_id(7);
    for name in ["wal/00000002.WAL", "wal/00000003.WAL"] {
        let _gone = dir.remove(Name::new(name).unwrap());
    }
    let mut wal = RawWalWriter::open(dir.clone(), options()).unwrap();
    wal.truncate_suffix(id(3)).unwrap();
    wal.append(b"another").unwrap();
    let _durable = wal.flush_and_sync().unwrap();
    assert_eq!(wal.tail_segment(), 2);
    drop(wal);
    let mut follower = RawFollower::new(dir.clone(), options(), id(1), Reach::Written).unwrap();
    for number in 1..=2 {
        assert_eq!(follower.next().unwrap().unwrap().id, number);
    }
    dir.remove(Name::new("wal/00000002.WAL").unwrap()).unwrap();
    become_another(&dir, &whole);
    assert_eq!(drain(&mut follower).unwrap(), (3..=10).collect::<Vec<u64>>());
}
