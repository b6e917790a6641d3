//! Laws of the writer in two halves: records staged in memory while a commit of earlier ones runs elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{
    Commit, EntryIds, Event, FlushPolicy, Hooks, RawWalReader, RawWalWriter, Staged, StagedWriter,
    WalOptions,
};
use durability_core::{EntryId, Error, ReadMode};

type Wal<H = ()> = StagedWriter<MemoryDirectory, H>;
type Outcome<T> = Result<T, Error<MemoryError>>;

const FIRST: &str = "wal/00000001.WAL";

/// These laws are run on compact frames as well, as a part of `compact.rs`.
fn is_compact() -> bool {
    module_path!().starts_with("compact")
}

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn options() -> WalOptions {
    let small = WalOptions::new().segment_bytes(512).buffer_bytes(256).read_bytes(256);
    small.compact_frames(is_compact())
}

fn open_with(dir: &MemoryDirectory, options: WalOptions) -> Wal {
    StagedWriter::new(RawWalWriter::open(dir.clone(), options).unwrap()).unwrap()
}

fn open(dir: &MemoryDirectory) -> Wal {
    open_with(dir, options())
}

fn stage<H: Hooks>(wal: &mut Wal<H>, payload: &[u8]) -> EntryId {
    match wal.stage(payload).unwrap() {
        Staged::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

fn stage_batch(wal: &mut Wal, payloads: &[&[u8]]) -> Staged<EntryIds> {
    wal.stage_batch(payloads.iter().copied()).unwrap()
}

fn begin(wal: &mut Wal, sync: bool) -> Commit<MemoryDirectory> {
    wal.begin(sync).unwrap().expect("there is something to commit")
}

/// Begins a commit, runs it, and hands it back.
fn commit(wal: &mut Wal, dir: &MemoryDirectory, sync: bool) -> Option<EntryId> {
    let mut commit = begin(wal, sync);
    commit.run(dir).unwrap();
    wal.end(commit).unwrap().through()
}

fn rotate(wal: &mut Wal, dir: &MemoryDirectory) {
    let mut commit = wal.begin_rotation().unwrap();
    commit.run(dir).unwrap();
    let _durable = wal.end(commit).unwrap();
}

/// What a reader sees, as far as it comes.
fn read(dir: &MemoryDirectory, mode: ReadMode) -> Outcome<Vec<(u64, Vec<u8>)>> {
    let mut reader = RawWalReader::open(dir.clone(), options())?;
    let mut entries = reader.entries(mode)?;
    let mut found = Vec::new();
    while let Some(entry) = entries.next()? {
        found.push((entry.id.get(), entry.payload.to_vec()));
    }
    Ok(found)
}

fn ids(dir: &MemoryDirectory) -> Vec<u64> {
    read(dir, ReadMode::Strict).unwrap().into_iter().map(|(id, _)| id).collect()
}

fn flip(dir: &MemoryDirectory, file: &str, offset: usize) {
    let name = Name::new(file).unwrap();
    let mut bytes = dir.contents(name).unwrap();
    bytes[offset] ^= 1;
    dir.put(name, bytes);
}

/// Where a payload stands in a file.
fn place(dir: &MemoryDirectory, file: &str, payload: &[u8]) -> usize {
    let bytes = dir.contents(Name::new(file).unwrap()).unwrap();
    bytes.windows(payload.len()).position(|window| window == payload).unwrap()
}

#[test]
fn nothing_is_written_before_a_commit_runs_nor_durable_before_it_is_handed_back() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    assert_eq!(stage(&mut wal, b"first").get(), 1);
    let before = dir.contents(Name::new(FIRST).unwrap()).unwrap();
    let mut first = begin(&mut wal, true);
    assert!(first.syncs() && wal.is_running());
    assert_eq!(first.through(), Some(id(1)));
    assert_eq!(stage(&mut wal, b"second").get(), 2);
    assert_eq!(dir.contents(Name::new(FIRST).unwrap()).unwrap(), before);
    first.run(&dir).unwrap();
    assert_eq!((wal.writer().durable_through(), wal.flushed_through()), (None, None));
    assert_eq!(wal.end(first).unwrap().through(), Some(id(1)));
    assert_eq!(wal.flushed_through(), Some(id(1)));
    assert_eq!(ids(&dir), [1]);
    assert_eq!(commit(&mut wal, &dir, true), Some(id(2)));
    assert_eq!(ids(&dir), [1, 2]);
    assert!(wal.begin(true).unwrap().is_none());
}

#[test]
fn ids_are_in_order_of_staging_over_commits_rotations_and_reopening() {
    let dir = MemoryDirectory::new();
    let mut expected = Vec::new();
    for life in 0..3_u8 {
        let mut wal = open(&dir);
        for round in 0..20_u8 {
            let mut running = None;
            for turn in 0..5_u8 {
                let payload = [life, round, turn].repeat(1 + usize::from(round));
                let id = loop {
                    match wal.stage(&payload).unwrap() {
                        Staged::Done(id) => break id,
                        full => {
                            if let Some(commit) = running.take() {
                                let _durable = wal.end(commit).unwrap();
                                continue;
                            }
                            let mut next = match full {
                                Staged::Rotate => wal.begin_rotation().unwrap(),
                                _ => begin(&mut wal, round % 2 == 0),
                            };
                            next.run(&dir).unwrap();
                            running = Some(next);
                        }
                    }
                };
                expected.push((id.get(), payload));
            }
            if let Some(commit) = running.take() {
                let _durable = wal.end(commit).unwrap();
            }
        }
        let mut writer = wal.into_writer().unwrap();
        assert!(writer.segments().count() > 3);
        let _durable = writer.flush_and_sync().unwrap();
        writer.close().unwrap();
    }
    assert!(expected.iter().map(|(id, _)| *id).eq(1..=300));
    assert_eq!(read(&dir, ReadMode::Strict).unwrap(), expected);
}

#[test]
fn damage_to_what_was_durable_is_told_by_what_was_staged_while_its_commit_ran() {
    for flushed_between in [false, true] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir);
        stage(&mut wal, b"the first one");
        let mut first = begin(&mut wal, true);
        stage(&mut wal, b"the second one");
        first.run(&dir).unwrap();
        let _durable = wal.end(first).unwrap();
        if flushed_between {
            commit(&mut wal, &dir, false);
            stage(&mut wal, b"the third one");
        }
        commit(&mut wal, &dir, true);
        drop(wal);
        let offset = place(&dir, FIRST, b"the first one");
        flip(&dir, FIRST, offset);
        for mode in [ReadMode::Strict, ReadMode::BestEffort] {
            let found = read(&dir, mode);
            assert!(matches!(found, Err(Error::Corrupt { .. })), "{mode:?}: {found:?}");
        }
    }
}

#[test]
fn what_was_staged_while_a_commit_ran_does_not_speak_for_that_commit_before_it_ended() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"the first one");
    commit(&mut wal, &dir, false);
    stage(&mut wal, b"the second one");
    commit(&mut wal, &dir, false);
    drop(wal);
    // Nothing was synced: what cannot be read is a torn tail.
    let offset = place(&dir, FIRST, b"the first one");
    flip(&dir, FIRST, offset);
    assert_eq!(read(&dir, ReadMode::BestEffort).unwrap(), []);
}

#[test]
fn what_was_staged_while_a_commit_ran_speaks_for_it_however_it_is_written_out() {
    // The writer as a whole writes it, not a commit.
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"the first one");
    let mut first = begin(&mut wal, true);
    stage(&mut wal, b"the second one");
    first.run(&dir).unwrap();
    let _durable = wal.end(first).unwrap();
    wal.whole(RawWalWriter::flush).unwrap().unwrap();
    drop(wal);
    let offset = place(&dir, FIRST, b"the first one");
    flip(&dir, FIRST, offset);
    for mode in [ReadMode::Strict, ReadMode::BestEffort] {
        let found = read(&dir, mode);
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{mode:?}: {found:?}");
    }
}

#[test]
fn a_mark_follows_a_sync_and_tells_of_damage_to_it() {
    for staged_meanwhile in [false, true] {
        let dir = MemoryDirectory::new();
        let mut wal = open_with(&dir, options().mark_after_sync(true));
        stage(&mut wal, b"the only one");
        let mut first = begin(&mut wal, true);
        if staged_meanwhile {
            stage(&mut wal, b"the next one");
        }
        first.run(&dir).unwrap();
        let _durable = wal.end(first).unwrap();
        if staged_meanwhile {
            commit(&mut wal, &dir, true);
            assert_eq!(ids(&dir), [1, 2]);
        }
        drop(wal);
        let offset = place(&dir, FIRST, b"the only one");
        flip(&dir, FIRST, offset);
        let found = read(&dir, ReadMode::BestEffort);
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:?}");
    }
}

#[test]
fn marked_commits_and_rotations_leave_a_log_that_goes_on() {
    let dir = MemoryDirectory::new();
    for life in 0..3_u64 {
        let mut wal = open_with(&dir, options().mark_after_sync(true));
        for round in 0..10_u64 {
            let payload = [7; 60];
            if wal.stage(&payload).unwrap() == Staged::Rotate {
                rotate(&mut wal, &dir);
                stage(&mut wal, &payload);
            }
            let through = commit(&mut wal, &dir, true);
            assert_eq!(through, Some(id(life * 10 + round + 1)));
        }
    }
    assert!(dir.names().len() > 4);
    assert!(ids(&dir).into_iter().eq(1..=30));
}

#[test]
fn a_rotation_makes_the_outgoing_segment_durable_and_the_next_frames_stand_in_the_next() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"outgoing");
    let mut rotation = wal.begin_rotation().unwrap();
    assert!(rotation.syncs());
    // For the segment that goes out it is too late, and the next does not exist yet.
    assert_eq!(wal.stage(b"x").unwrap(), Staged::Full);
    assert_eq!(stage_batch(&mut wal, &[b"x"]), Staged::Full);
    rotation.run(&dir).unwrap();
    assert_eq!(wal.end(rotation).unwrap().through(), Some(id(1)));
    assert_eq!(wal.writer().tail_segment(), 2);
    stage(&mut wal, b"incoming");
    commit(&mut wal, &dir, true);
    assert!(place(&dir, "wal/00000002.WAL", b"incoming") > 0);
    assert_eq!(ids(&dir), [1, 2]);
}

#[test]
fn rotations_of_what_is_empty_or_durable_already_are_harmless() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    rotate(&mut wal, &dir);
    rotate(&mut wal, &dir);
    stage(&mut wal, b"one");
    commit(&mut wal, &dir, true);
    rotate(&mut wal, &dir);
    rotate(&mut wal, &dir);
    stage(&mut wal, b"two");
    commit(&mut wal, &dir, true);
    drop(wal);
    assert_eq!(ids(&dir), [1, 2]);
    let mut wal = open(&dir);
    assert_eq!(stage(&mut wal, b"three").get(), 3);
}

#[test]
fn a_segment_too_many_is_refused_without_effect() {
    let dir = MemoryDirectory::new();
    let mut wal = open_with(&dir, options().segments_max(1));
    while let Staged::Done(_) = wal.stage(&[1; 40]).unwrap() {
        commit(&mut wal, &dir, true);
    }
    let last = wal.writer().last_entry_id();
    for _ in 0..2 {
        assert_eq!(wal.stage(&[1; 40]).unwrap(), Staged::Rotate);
        assert!(matches!(wal.begin_rotation(), Err(Error::Limit { .. })));
        assert!(!wal.is_running() && !wal.writer().is_poisoned());
    }
    wal.whole(RawWalWriter::truncate_to_empty).unwrap().unwrap();
    assert_eq!(Some(stage(&mut wal, &[2; 40])), last.and_then(|last| EntryId::new(last.get() + 1)));
    commit(&mut wal, &dir, true);
}

#[test]
fn records_and_batches_larger_than_the_buffer_are_staged_into_an_empty_one() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    let mut count = 0;
    let longest = if is_compact() { 8000 } else { 100_000 };
    for bytes in [0, 1, 200, 239, 240, 241, 255, 256, 257, 512, 5000, longest] {
        let payload = vec![7; bytes];
        let mut add = |wal: &mut Wal, batch: bool| {
            loop {
                let staged = if batch {
                    match stage_batch(wal, &[&payload, b"", &payload]) {
                        Staged::Done(ids) => Staged::Done(ids.count()),
                        Staged::Full => Staged::Full,
                        Staged::Rotate => Staged::Rotate,
                    }
                } else {
                    match wal.stage(&payload).unwrap() {
                        Staged::Done(_) => Staged::Done(1),
                        Staged::Full => Staged::Full,
                        Staged::Rotate => Staged::Rotate,
                    }
                };
                match staged {
                    Staged::Done(added) => break count += added,
                    Staged::Full => drop(commit(wal, &dir, false)),
                    Staged::Rotate => rotate(wal, &dir),
                }
            }
        };
        add(&mut wal, false);
        add(&mut wal, true);
    }
    commit(&mut wal, &dir, true);
    drop(wal);
    assert_eq!(ids(&dir).len(), count);
}

#[test]
fn an_empty_batch_does_nothing() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    let Staged::Done(none) = stage_batch(&mut wal, &[]) else { panic!("nothing needs no room") };
    assert_eq!(none.count(), 0);
    // A segment that is larger than wished rotates for the next record, not for nothing.
    stage(&mut wal, &[1; 1000]);
    let Staged::Done(none) = stage_batch(&mut wal, &[]) else { panic!("nothing needs no room") };
    assert_eq!(none.count(), 0);
    assert_eq!(wal.writer().last_entry_id(), Some(id(1)));
}

#[test]
fn while_a_commit_runs_no_other_begins_and_the_writer_is_not_whole() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"one");
    let mut first = begin(&mut wal, true);
    stage(&mut wal, b"two");
    assert!(matches!(wal.begin(true), Err(Error::Busy { .. })));
    assert!(matches!(wal.begin_rotation(), Err(Error::Busy { .. })));
    assert!(matches!(wal.whole(|_| panic!("it is not whole")), Err::<(), _>(Error::Busy { .. })));
    first.run(&dir).unwrap();
    let _durable = wal.end(first).unwrap();
    commit(&mut wal, &dir, true);
    assert_eq!(ids(&dir), [1, 2]);
    let mut last = {
        stage(&mut wal, b"three");
        begin(&mut wal, true)
    };
    last.run(&dir).unwrap();
    assert!(matches!(wal.into_writer(), Err(Error::Busy { .. })));
}

#[test]
fn a_commit_runs_once() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"one");
    let mut first = begin(&mut wal, true);
    first.run(&dir).unwrap();
    assert!(matches!(first.run(&dir), Err(Error::Poisoned { .. })));
    assert_eq!(wal.end(first).unwrap().through(), Some(id(1)));
    assert_eq!(ids(&dir), [1]);
}

/// Everything that must not work on a writer whose commit has failed.
fn assert_poisoned(wal: &mut Wal) {
    assert!(wal.writer().is_poisoned());
    assert!(matches!(wal.stage(b"more"), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.begin(true), Err(Error::Poisoned { .. })));
    assert!(matches!(wal.begin_rotation(), Err(Error::Poisoned { .. })));
    let synced = wal.whole(|writer| writer.flush_and_sync().is_err());
    assert!(synced.unwrap_or(true));
}

#[test]
fn a_commit_that_failed_or_did_not_run_poisons_the_writer_and_tells_of_nothing() {
    for runs in [false, true] {
        let dir = MemoryDirectory::new();
        let mut wal = open(&dir);
        stage(&mut wal, b"one");
        commit(&mut wal, &dir, true);
        stage(&mut wal, b"two");
        let mut second = begin(&mut wal, true);
        stage(&mut wal, b"three");
        if runs {
            dir.set_bytes_max(0);
            assert!(second.run(&dir).is_err());
            dir.set_bytes_max(u64::MAX);
            // A failed one is not tried again.
            assert!(matches!(second.run(&dir), Err(Error::Poisoned { .. })));
        }
        assert!(matches!(wal.end(second), Err(Error::Poisoned { .. })));
        assert_eq!(wal.writer().durable_through(), Some(id(1)));
        assert_eq!(wal.flushed_through(), Some(id(1)));
        assert_poisoned(&mut wal);
        drop(wal);
        let mut wal = open(&dir);
        assert_eq!(ids(&dir), [1]);
        assert_eq!(stage(&mut wal, b"another").get(), 2);
    }
}

#[test]
fn a_rotation_whose_next_file_cannot_be_made_poisons_and_what_was_synced_is_there() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"one");
    let mut rotation = wal.begin_rotation().unwrap();
    dir.set_bytes_max(0);
    assert!(rotation.run(&dir).is_err());
    dir.set_bytes_max(u64::MAX);
    assert!(matches!(wal.end(rotation), Err(Error::Poisoned { .. })));
    assert_poisoned(&mut wal);
}

#[test]
fn a_writer_can_be_dropped_while_its_commit_is_elsewhere() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"one");
    let mut first = begin(&mut wal, true);
    stage(&mut wal, b"two");
    drop(wal);
    // It has been let go of: nobody will be told of it, and yet it may be there.
    first.run(&dir).unwrap();
    drop(first);
    assert_eq!(ids(&dir), [1]);
}

#[test]
fn as_long_as_a_commit_lives_nobody_else_opens_its_log() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    stage(&mut wal, b"one");
    let mut commit = begin(&mut wal, true);
    drop(wal);
    let again = || RawWalWriter::open(dir.clone(), WalOptions::new());
    assert!(matches!(again(), Err(Error::Held { .. })), "two would write to one file");
    commit.run(&dir).unwrap();
    assert!(matches!(again(), Err(Error::Held { .. })));
    drop(commit);
    assert_eq!(again().unwrap().last_entry_id(), EntryId::new(1));
}

#[test]
fn a_commit_is_taken_back_by_the_writer_that_began_it_and_by_no_other() {
    let (dir, other_dir) = (MemoryDirectory::new(), MemoryDirectory::new());
    let (mut wal, mut other) = (open(&dir), open(&other_dir));
    stage(&mut wal, b"one");
    stage(&mut other, b"another");
    let (mut commit, mut others) = (begin(&mut wal, true), begin(&mut other, true));
    commit.run(&dir).unwrap();
    others.run(&other_dir).unwrap();
    assert!(matches!(wal.end(others), Err(Error::OtherWriter { .. })));
    assert!(wal.is_running(), "its own is still out");
    assert_eq!(wal.writer().durable_through(), None);
    assert_eq!(wal.end(commit).unwrap().through(), EntryId::new(1));
    assert!(matches!(other.begin(true), Err(Error::Busy { .. })));
}

#[test]
fn flushed_is_what_was_handed_over_also_after_a_truncation() {
    let dir = MemoryDirectory::new();
    let mut wal = open(&dir);
    for _ in 0..4 {
        stage(&mut wal, b"old");
    }
    commit(&mut wal, &dir, true);
    assert_eq!(wal.flushed_through(), Some(id(4)));
    wal.whole(|writer| {
        writer.truncate_suffix(id(2)).unwrap();
        assert_eq!(writer.append(b"new").unwrap(), id(2));
    })
    .unwrap();
    assert!(wal.staged_bytes() > 0);
    assert_eq!(wal.flushed_through(), Some(id(1)));
    assert_eq!(commit(&mut wal, &dir, false), Some(id(1)));
    assert_eq!(wal.flushed_through(), Some(id(2)));
}

#[test]
fn a_flush_is_due_as_the_policy_says() {
    let dir = MemoryDirectory::new();
    let mut wal = open_with(&dir, options().flush_policy(FlushPolicy::EveryEntries(2)));
    stage(&mut wal, b"one");
    assert!(!wal.flush_is_due());
    stage(&mut wal, b"two");
    assert!(wal.flush_is_due());
    let mut first = begin(&mut wal, false);
    assert!(!first.syncs() && !wal.flush_is_due());
    first.run(&dir).unwrap();
    assert_eq!(wal.end(first).unwrap().through(), None);
    assert_eq!(wal.flushed_through(), Some(id(2)));
    assert!(begin(&mut wal, true).syncs());
}

/// What was told.
#[derive(Default)]
struct Told(Vec<Event>);

impl Hooks for Told {
    fn on(&mut self, event: Event) {
        self.0.push(event);
    }
}

#[test]
fn hooks_hear_of_a_sync_when_its_commit_ended() {
    let dir = MemoryDirectory::new();
    let writer = RawWalWriter::open_with(dir.clone(), options(), Told::default()).unwrap();
    let mut wal = StagedWriter::new(writer).unwrap();
    stage(&mut wal, b"one");
    let mut first = wal.begin(true).unwrap().unwrap();
    first.run(&dir).unwrap();
    let synced = Event::Synced { through: Some(id(1)) };
    assert!(!wal.writer().hooks().0.contains(&synced));
    let _durable = wal.end(first).unwrap();
    assert_eq!(wal.writer().hooks().0.last(), Some(&synced));
}

#[test]
fn opening_begins_no_segment_too_many_where_the_tail_cannot_be_gone_on_with() {
    let dir = MemoryDirectory::new();
    let with = |alignment| options().segments_max(1).alignment(alignment);
    let mut wal = open_with(&dir, with(8));
    stage(&mut wal, b"one");
    commit(&mut wal, &dir, true);
    drop(wal);
    let names = dir.names();
    for _ in 0..3 {
        // Frames of another alignment need a segment of their own.
        let writer = RawWalWriter::open(dir.clone(), with(16)).unwrap();
        assert!(matches!(StagedWriter::new(writer), Err(Error::Limit { .. })));
        assert_eq!(dir.names(), names);
    }
    let mut writer = RawWalWriter::open(dir.clone(), with(16)).unwrap();
    writer.truncate_to_empty().unwrap();
    let mut wal = StagedWriter::new(writer).unwrap();
    assert_eq!(stage(&mut wal, b"two").get(), 2);
}

#[test]
fn a_record_larger_than_the_buffer_need_not_find_it_empty() {
    // Others may fill it for ever.
    let dir = MemoryDirectory::new();
    let mut wal = open_with(&dir, options().segment_bytes(1 << 20));
    stage(&mut wal, b"one");
    stage(&mut wal, &[2; 1000]);
    // Memory is bounded all the same.
    assert_eq!(wal.stage(&[3; 1000]).unwrap(), Staged::Full);
    assert_eq!(wal.stage(&[4; 240]).unwrap(), Staged::Full);
    commit(&mut wal, &dir, true);
    stage(&mut wal, b"three");
    commit(&mut wal, &dir, true);
    assert_eq!(ids(&dir), [1, 2, 3]);
}

#[test]
fn a_rotation_into_a_ready_segment_goes_on_at_once_and_writes_nothing_before_the_outgoing_one_is_durable()
 {
    let dir = MemoryDirectory::new();
    let mut writer = RawWalWriter::open(dir.clone(), options()).unwrap();
    assert!(writer.prepare_now().unwrap());
    let ready = writer.prepared_segment().unwrap();
    let mut wal = StagedWriter::new(writer).unwrap();
    let last = stage(&mut wal, b"the last of its segment");
    let mut rotation = wal.begin_rotation().unwrap();
    assert!(rotation.syncs(), "what is sealed is durable first");
    let next = stage(&mut wal, b"in the ready one");
    assert_eq!(wal.writer().tail_segment(), ready);
    assert!(matches!(wal.begin(true), Err(Error::Busy { .. })), "the outgoing one comes first");
    assert!(wal.writer().durable_through() < Some(last));
    rotation.run(&dir).unwrap();
    assert_eq!(wal.end(rotation).unwrap().through(), Some(last));
    assert_eq!(commit(&mut wal, &dir, true), Some(next));
    assert_eq!(ids(&dir), [1, 2]);
}
