//! Following a log that another thread, or another process, writes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use durability::follow::{Mark, Pins, RawSubscription, Subscription, Watermark, WriterEnd};
use durability::storage::{Directory, FsDirectory, MemoryDirectory};
use durability::walog::{Event, Follower, Hooks, RawFollower, Reach, WalOptions, WalWriter};
use durability::{EntryId, Error};

use crate::common::{helper_folder, plain_helper, scratch};

const COUNT: u64 = 2_000;
const LONG: Duration = Duration::from_secs(3_600);

fn id(number: u64) -> EntryId {
    EntryId::new(number).unwrap()
}

fn small() -> WalOptions {
    WalOptions::new().segment_bytes(4 << 10).buffer_bytes(512).read_bytes(512)
}

fn entry(number: u64) -> String {
    format!("entry {number}")
}

fn follower<D: Directory>(dir: D, reach: Reach) -> Follower<String, D> {
    Follower::new(dir, small(), EntryId::FIRST, reach).unwrap()
}

/// Appends, tells the watermark, and ends.
fn write<D: Directory>(dir: D, watermark: &Watermark) {
    let mut wal = WalWriter::open(dir, small()).unwrap();
    while wal.last_entry_id() != EntryId::new(COUNT) {
        let number = wal.next_entry_id().get();
        wal.append(&entry(number)).unwrap();
        if number.is_multiple_of(7) {
            wal.flush().unwrap();
            watermark.advance(wal.last_entry_id(), wal.durable_through());
        }
        if number.is_multiple_of(31) {
            let durable = wal.flush_and_sync().unwrap();
            watermark.advance(wal.last_entry_id(), durable.through());
        }
    }
    let _durable = wal.flush_and_sync().unwrap();
    watermark.advance(wal.last_entry_id(), wal.durable_through());
    wal.close().unwrap();
    watermark.end(WriterEnd::Closed);
}

fn check(shown: &[(EntryId, String)]) {
    assert_eq!(shown.len() as u64, COUNT);
    for (number, shown) in (1..).zip(shown) {
        assert_eq!(*shown, (id(number), entry(number)));
    }
}

/// Runs a future on this thread, which sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn threads_and_tasks_beside_a_writer_are_shown_every_entry_and_the_end() {
    let (_scratch, dir) = scratch();
    let watermark = Watermark::new();
    thread::scope(|scope| {
        for reach in [Reach::Written, Reach::Durable] {
            let subscribe =
                || Subscription::signalled(follower(dir.clone(), reach), watermark.clone());
            let (mut blocking, mut patient) = (subscribe(), subscribe());
            let (mut task, mut stream) = (subscribe(), subscribe());
            scope.spawn(move || {
                let mut shown = Vec::new();
                while let Some(entry) = blocking.next().unwrap() {
                    shown.push(entry);
                }
                assert_eq!(blocking.writer_end(), Some(WriterEnd::Closed));
                check(&shown);
            });
            scope.spawn(move || {
                let mut shown = Vec::new();
                while let Some(entry) = patient.next_timeout(LONG).unwrap() {
                    shown.push(entry);
                }
                check(&shown);
            });
            scope.spawn(move || {
                block_on(async {
                    let mut shown = Vec::new();
                    while let Some(entry) = task.next_async().await.unwrap() {
                        shown.push(entry);
                    }
                    check(&shown);
                });
            });
            scope.spawn(move || {
                let mut shown = Vec::new();
                while let Some(entry) =
                    block_on(std::future::poll_fn(|context| stream.poll_next(context)))
                {
                    shown.push(entry.unwrap());
                }
                check(&shown);
            });
        }
        write(dir.clone(), &watermark);
    });
}

#[test]
fn without_a_watermark_the_files_are_looked_at_again_until_all_was_shown() {
    let (_scratch, dir) = scratch();
    thread::scope(|scope| {
        let subscribe =
            |interval| Subscription::polling(follower(dir.clone(), Reach::Durable), interval);
        let (mut blocking, mut task) =
            (subscribe(Duration::ZERO), subscribe(Duration::from_millis(1)));
        scope.spawn(move || {
            let shown = (0..COUNT).map(|_| blocking.next().unwrap().unwrap());
            check(&shown.collect::<Vec<_>>());
        });
        scope.spawn(move || {
            block_on(async {
                let mut shown = Vec::new();
                while shown.len() as u64 != COUNT {
                    shown.push(task.next_async().await.unwrap().unwrap());
                }
                check(&shown);
            });
        });
        write(dir.clone(), &Watermark::new());
    });
}

#[test]
#[ignore = "the other process of the test below"]
fn writer_process() {
    let Some(folder) = helper_folder() else { return };
    write(FsDirectory::new(folder).unwrap(), &Watermark::new());
}

#[test]
fn a_process_follows_the_log_that_another_one_writes() {
    let (scratch, dir) = scratch();
    let mut subscription = Subscription::polling(follower(&dir, Reach::Durable), Duration::ZERO);
    let mut child =
        plain_helper("follow::writer_process", &scratch.path().join("root")).spawn().unwrap();
    let mut shown = Vec::new();
    while (shown.len() as u64) < COUNT {
        let gone = child.try_wait().unwrap();
        match subscription.next_timeout(Duration::from_millis(20)).unwrap() {
            Some(entry) => shown.push(entry),
            None => assert!(gone.is_none_or(|status| status.success()), "the writer failed"),
        }
    }
    check(&shown);
    assert!(child.wait().unwrap().success());
}

#[test]
fn who_does_not_wait_is_answered_at_once() {
    let dir = MemoryDirectory::new();
    let watermark = Watermark::new();
    let mut wal = WalWriter::<String, _>::open(dir.clone(), small()).unwrap();
    let mut signalled =
        Subscription::signalled(follower(dir.clone(), Reach::Durable), watermark.clone());
    let mut polling = Subscription::polling(follower(dir, Reach::Written), LONG);
    for subscription in [&mut signalled, &mut polling] {
        assert_eq!(subscription.try_next().unwrap(), None);
        assert_eq!(subscription.next_timeout(Duration::ZERO).unwrap(), None);
    }
    wal.append(&entry(1)).unwrap();
    wal.flush().unwrap();
    watermark.advance(wal.last_entry_id(), wal.durable_through());
    assert_eq!(signalled.next_timeout(Duration::ZERO).unwrap(), None, "it is not durable");
    assert_eq!(polling.next_timeout(Duration::ZERO).unwrap(), Some((id(1), entry(1))));
    let _durable = wal.flush_and_sync().unwrap();
    watermark.advance(wal.last_entry_id(), wal.durable_through());
    assert_eq!(signalled.try_next().unwrap(), Some((id(1), entry(1))));
    // A writer that has failed shows nothing more than it has told.
    wal.append(&entry(2)).unwrap();
    watermark.end(WriterEnd::Failed);
    watermark.end(WriterEnd::Closed);
    assert_eq!(signalled.next().unwrap(), None);
    assert_eq!(signalled.writer_end(), Some(WriterEnd::Failed));
}

#[test]
fn a_truncation_is_told_to_who_waits_before_there_are_other_entries() {
    let dir = MemoryDirectory::new();
    let watermark = Watermark::new();
    let mut wal = WalWriter::<String, _>::open(dir.clone(), small()).unwrap();
    for number in 1..=9 {
        wal.append(&entry(number)).unwrap();
    }
    let _durable = wal.flush_and_sync().unwrap();
    watermark.advance(wal.last_entry_id(), wal.durable_through());
    let mut waiting =
        Subscription::signalled(follower(dir.clone(), Reach::Durable), watermark.clone());
    let mut stream = Subscription::signalled(follower(dir, Reach::Written), watermark.clone());
    for _ in 0..9 {
        waiting.next().unwrap().unwrap();
        stream.next().unwrap().unwrap();
    }
    thread::scope(|scope| {
        let told = scope.spawn(move || waiting.next().unwrap_err());
        let told_task = scope.spawn(move || {
            let error = block_on(std::future::poll_fn(|context| stream.poll_next(context)));
            let end = block_on(std::future::poll_fn(|context| stream.poll_next(context)));
            assert!(end.is_none());
            error.unwrap().unwrap_err()
        });
        wal.truncate_suffix(id(5)).unwrap();
        watermark.advance(wal.last_entry_id(), wal.durable_through());
        for told in [told.join().unwrap(), told_task.join().unwrap()] {
            let Error::TakenBack { from, through } = told else { panic!("{told}") };
            assert_eq!((from, through), (id(5), id(9)));
        }
    });
}

#[derive(Default)]
struct HeldBack(Vec<(EntryId, EntryId)>);

impl Hooks for HeldBack {
    fn on(&mut self, event: Event) {
        if let Event::HeldBack { first, kept_from } = event {
            self.0.push((first, kept_from));
        }
    }
}

#[test]
fn nothing_at_or_behind_a_pin_is_pruned_until_the_pin_is_gone() {
    for pinned in 1..=60 {
        let pins = Pins::new();
        let dir = MemoryDirectory::new();
        let options = || small().segment_bytes(256);
        let mut wal =
            WalWriter::open_with(dir.clone(), options(), pins.hooks(HeldBack::default())).unwrap();
        for number in 1..=60 {
            wal.append(&entry(number)).unwrap();
        }
        let higher = pins.pin(id(60)).unwrap();
        let mut pin = pins.pin(id(pinned)).unwrap();
        let first_of_pinned = |wal: &WalWriter<String, _, _>| {
            let below = wal.segments().filter(|segment| segment.first_id() <= id(pinned));
            below.last().unwrap().first_id()
        };
        let kept = first_of_pinned(&wal);
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        assert_eq!(wal.first_entry_id(), kept, "as far as it goes, and no further");
        let held_back = wal.hooks().inner().0.clone();
        let tail = wal.segments().last().unwrap().first_id();
        assert_eq!(held_back, if kept < tail { vec![(tail, kept)] } else { vec![] });
        // What is kept is kept for readers that come later, too.
        assert_eq!(pins.lowest(), Some(id(pinned)));
        drop(pins.pin(id(pinned)).unwrap());
        let mut reader = RawFollower::new(dir, options(), id(pinned), Reach::Written).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().id, id(pinned));
        pin.move_to(id(1));
        assert_eq!(pin.id(), id(pinned), "never back");
        drop(pin);
        drop(higher);
        wal.truncate_prefix(wal.next_entry_id()).unwrap();
        assert_eq!(wal.first_entry_id(), tail);
        assert!(tail > id(pinned) && pins.pin(id(pinned)).is_none() || tail <= id(pinned));
    }
}

#[test]
fn a_pinned_reader_never_meets_a_gap_however_the_writer_prunes() {
    let pins = Pins::new();
    let dir = MemoryDirectory::new();
    let watermark = Watermark::new();
    let options = || small().segment_bytes(256);
    let pin = pins.pin(id(1)).unwrap();
    let raw = RawFollower::new(dir.clone(), options(), id(1), Reach::Durable).unwrap();
    let mut subscription = RawSubscription::signalled(raw, watermark.clone()).holding(pin);
    let mut wal = WalWriter::open_with(dir, options(), pins.hooks(())).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut next = 1;
            while let Some(entry) = subscription.next().unwrap() {
                assert_eq!(entry.id, next);
                next += 1;
            }
            assert_eq!(next, COUNT + 1);
        });
        for number in 1..=COUNT {
            wal.append(&entry(number)).unwrap();
            if number.is_multiple_of(5) {
                let _durable = wal.flush_and_sync().unwrap();
                watermark.advance(wal.last_entry_id(), wal.durable_through());
                wal.truncate_prefix(wal.next_entry_id()).unwrap();
            }
        }
        watermark.end(WriterEnd::Closed);
    });
    assert_eq!(pins.lowest(), None, "the pin went with its reader");
    wal.truncate_prefix(wal.next_entry_id()).unwrap();
    assert_eq!(wal.segments().count(), 1);
}

#[test]
fn who_waits_is_woken_by_what_concerns_it_and_by_the_end() {
    let watermark = Watermark::new();
    let nothing = Mark::default();
    assert_eq!(watermark.wait_beyond(Reach::Written, nothing, Some(Duration::ZERO)), nothing);
    thread::scope(|scope| {
        let waits = |reach, seen| {
            let watermark = watermark.clone();
            scope.spawn(move || watermark.wait_beyond(reach, seen, None))
        };
        let written = waits(Reach::Written, nothing);
        let durable = waits(Reach::Durable, nothing);
        watermark.advance(EntryId::new(3), None);
        assert_eq!(written.join().unwrap().through, EntryId::new(3));
        assert_eq!(watermark.mark(Reach::Durable), nothing);
        watermark.advance(EntryId::new(3), EntryId::new(2));
        assert_eq!(durable.join().unwrap().through, EntryId::new(2));
        let seen = watermark.mark(Reach::Durable);
        let ended = waits(Reach::Durable, seen);
        watermark.end(WriterEnd::Closed);
        assert_eq!(ended.join().unwrap().end, Some(WriterEnd::Closed));
    });
}
