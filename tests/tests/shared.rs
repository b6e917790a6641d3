//! Laws of a log that threads and tasks share. Where the order of things matters, a gate before the sync holds a commit, and no clock does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use durability::shared::{RawSharedWal, SharedDirectory, SharedOptions, SharedWal, Ticket};
use durability::storage::FsDirectory;
use durability_core::storage::{Directory, MemoryDirectory};
use durability_core::walog::{Event, Hooks, RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::allocations::{CountingAllocator, allocations};
use durability_testkit::faults::{Counters, Fault, FaultyDirectory, Operation};
use durability_testkit::simulated::{
    Bounds, DiskOptions, Ended, JournalOf, LogModel, LogOperation, LogSeen, PrefixOracle,
    SimulatedDisk, SurvivorLimits, Workload, explore,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

type Faulty = FaultyDirectory<MemoryDirectory>;
type Wal = RawSharedWal<Faulty>;

fn small() -> WalOptions {
    WalOptions::new().segment_bytes(512).buffer_bytes(256).read_bytes(256)
}

fn alone() -> SharedOptions {
    SharedOptions::new().background(false)
}

fn read<D: Directory>(dir: D) -> Vec<(u64, Vec<u8>)> {
    let mut reader = RawWalReader::open(dir, small()).unwrap_or_else(|error| panic!("{error}"));
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap_or_else(|e| panic!("{e}"));
    let mut found = Vec::new();
    while let Some(entry) = entries.next().unwrap_or_else(|error| panic!("{error}")) {
        found.push((entry.id.get(), entry.payload.to_vec()));
    }
    found
}

/// Holds a commit before its sync until it is opened.
#[derive(Default)]
struct Gate {
    /// Whether syncs are held, and how many have come.
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Gate {
    fn before(counters: &Counters) -> Arc<Self> {
        let gate = Arc::new(Self::default());
        let keeper = Arc::clone(&gate);
        counters.before_each(move |operation| {
            if operation == Operation::SyncData {
                let mut state = keeper.state.lock().unwrap();
                state.1 += 1;
                keeper.changed.notify_all();
                drop(keeper.changed.wait_while(state, |state| state.0).unwrap());
            }
        });
        gate
    }

    fn close(&self) {
        *self.state.lock().unwrap() = (true, 0);
    }

    /// Waits until a commit is held.
    fn held(&self) {
        drop(self.changed.wait_while(self.state.lock().unwrap(), |state| state.1 == 0).unwrap());
    }

    fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.changed.notify_all();
    }
}

fn gated(options: SharedOptions) -> (Wal, Faulty, Arc<Gate>) {
    let dir = FaultyDirectory::new(MemoryDirectory::new());
    let wal = RawSharedWal::open(dir.clone(), WalOptions::new(), options).unwrap();
    let gate = Gate::before(&dir.counters());
    (wal, dir, gate)
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn payload(thread: u8, turn: u8) -> Vec<u8> {
    [&[thread, turn][..], &vec![0xA5; usize::from(turn) * 23 % 300]].concat()
}

#[test]
fn ids_are_distinct_and_in_order_and_what_was_acknowledged_is_read_again() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = || FsDirectory::new(scratch.path().join("data")).unwrap();
    let wal = RawSharedWal::open(dir(), small(), SharedOptions::new()).unwrap();
    let all = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..6_u8 {
            let (wal, all) = (&wal, &all);
            scope.spawn(move || {
                let mut last = None;
                for turn in 0..40 {
                    let payload = payload(number, turn);
                    let id = match number {
                        0 | 1 => wal.append_durable(&payload).unwrap(),
                        2 => {
                            let ticket = wal.append(&payload).unwrap();
                            let id = ticket.id();
                            assert!(block_on(ticket).unwrap().through() >= Some(id));
                            id
                        }
                        3 => wal.append_batch(&[&payload]).unwrap().unwrap().id(),
                        _ => wal.append(&payload).unwrap().id(),
                    };
                    assert!(Some(id) > last);
                    last = Some(id);
                    all.lock().unwrap().push((id.get(), payload));
                }
            });
        }
    });
    wal.close().unwrap();
    let mut all = all.into_inner().unwrap();
    all.sort();
    assert!(all.iter().map(|(id, _)| *id).eq(1..=240));
    assert_eq!(read(dir()), all);
}

#[test]
fn every_ticket_that_has_resolved_survives_a_power_cut_at_any_moment() {
    let disk = SimulatedDisk::new(DiskOptions::new().with_tear_unit(32));
    let wal = RawSharedWal::open(disk.clone(), small(), SharedOptions::new()).unwrap();
    let resolved = Arc::new(Mutex::new(BTreeSet::new()));
    let (done, end) = mpsc::channel();
    thread::scope(|scope| {
        for number in 0..4_u8 {
            let (wal, resolved, done) = (&wal, Arc::clone(&resolved), done.clone());
            scope.spawn(move || {
                for turn in 0..12 {
                    let payload = payload(number, turn);
                    let ticket = wal.append(&payload).unwrap();
                    let known = Arc::clone(&resolved);
                    match number {
                        0 => drop(block_on(ticket).unwrap()),
                        1 => {
                            ticket.on_durable(move |outcome| {
                                let _durable = outcome.unwrap();
                                known.lock().unwrap().insert(payload);
                            });
                            continue;
                        }
                        _ => drop(ticket.wait().unwrap()),
                    }
                    resolved.lock().unwrap().insert(payload);
                }
                done.send(()).unwrap();
            });
        }
        drop(done);
        let limits = SurvivorLimits::new().with_exhaustive_max(4).with_samples(4);
        let (mut cuts, mut ended) = (0, 0);
        while ended < 4 || cuts < 10 {
            ended += end.try_iter().count();
            let known = resolved.lock().unwrap().clone();
            let states = disk.snapshot().crash_states(&limits);
            for state in 0..states.len() {
                let found: BTreeSet<_> =
                    read(states.disk(state)).into_iter().map(|(_, payload)| payload).collect();
                assert!(known.is_subset(&found), "lost {:?}", known.difference(&found).next());
            }
            cuts += 1;
        }
    });
}

#[test]
fn a_ticket_does_not_resolve_while_its_sync_runs() {
    let (wal, _, gate) = gated(alone());
    gate.close();
    let ticket = wal.append(b"one").unwrap();
    thread::scope(|scope| {
        let leader = scope.spawn(|| wal.append_durable(b"two"));
        gate.held();
        assert!(!ticket.is_durable() && wal.durable_through().is_none());
        let mut pinned = pin!(ticket);
        let mut context = Context::from_waker(Waker::noop());
        let early = pinned.as_mut().poll(&mut context).is_ready();
        gate.open();
        leader.join().unwrap().unwrap();
        assert!(!early, "it resolved while the sync ran");
        assert!(pinned.as_mut().poll(&mut context).is_ready());
    });
}

#[test]
fn a_commit_releases_its_own_and_nobody_else() {
    let (wal, dir, gate) = gated(alone());
    gate.close();
    thread::scope(|scope| {
        let first = scope.spawn(|| wal.append_durable(b"first").unwrap());
        gate.held();
        let next: Vec<_> = (0..3_u8)
            .map(|number| {
                let (wal, dir) = (&wal, &dir);
                scope.spawn(move || {
                    let id = wal.append_durable(&[number]).unwrap();
                    (wal.durable_through() >= Some(id), dir.counters().of(Operation::SyncData))
                })
            })
            .collect();
        while wal.last_entry_id() < EntryId::new(4) {
            thread::yield_now();
        }
        // The one that is held is not counted yet.
        let before = dir.counters().of(Operation::SyncData) + 1;
        gate.open();
        assert_eq!(first.join().unwrap(), EntryId::FIRST);
        for thread in next {
            let (durable, syncs) = thread.join().unwrap();
            assert!(durable && syncs > before, "released by a commit that did not cover it");
        }
        // Whoever came while the first ran shares one sync.
        assert_eq!(dir.counters().of(Operation::SyncData), before + 1);
    });
}

#[test]
fn a_sync_that_fails_fails_all_that_it_covered_and_everything_after() {
    for background in [false, true] {
        let (wal, dir, gate) = gated(SharedOptions::new().background(background));
        wal.append_durable(b"safe").unwrap();
        gate.close();
        let tickets: Vec<_> = (0..4_u8).map(|number| wal.append(&[number]).unwrap()).collect();
        let told = Arc::new(AtomicUsize::new(0));
        let callback = Arc::clone(&told);
        wal.append(b"told").unwrap().on_durable(move |outcome| {
            callback.fetch_add(usize::from(outcome.is_err()), Ordering::Relaxed);
        });
        dir.counters().fail_nth(Operation::SyncData, 1, Fault::Io);
        thread::scope(|scope| {
            let mut waiting = Vec::new();
            for ticket in &tickets {
                waiting.push(scope.spawn(move || ticket.wait().is_err()));
            }
            gate.held();
            waiting.push(scope.spawn(|| wal.append(b"later").and_then(|t| t.wait()).is_err()));
            waiting.push(scope.spawn(|| wal.sync().is_err()));
            gate.open();
            for thread in waiting {
                assert!(thread.join().unwrap(), "acknowledged after a failed sync");
            }
        });
        assert_eq!(told.load(Ordering::Relaxed), 1);
        assert!(tickets.into_iter().all(|ticket| block_on(ticket).is_err()));
        assert!(wal.append(b"more").is_err() && wal.flush().is_err());
        assert_eq!(wal.durable_through(), EntryId::new(1));
        // Closing lets go of the lock in any case.
        assert!(wal.close().is_err());
        let again = RawSharedWal::open(dir, WalOptions::new(), alone()).unwrap();
        again.append_durable(b"again").unwrap();
    }
}

#[test]
fn a_flush_beside_a_commit_that_fails_fails_too() {
    let (wal, dir, gate) = gated(alone());
    gate.close();
    dir.counters().fail_nth(Operation::SyncData, 1, Fault::Io);
    thread::scope(|scope| {
        let leader = scope.spawn(|| wal.append_durable(b"first").is_err());
        gate.held();
        let (asks, asked) = mpsc::channel();
        let wal = &wal;
        let flusher = scope.spawn(move || {
            asks.send(()).unwrap();
            wal.flush().is_err()
        });
        asked.recv().unwrap();
        gate.open();
        assert!(leader.join().unwrap() && flusher.join().unwrap());
    });
}

#[test]
fn callbacks_that_panic_or_append_concern_nobody_else() {
    for background in [false, true] {
        let (wal, dir, _) = gated(SharedOptions::new().background(background));
        let (tell, told) = mpsc::channel();
        for number in 0..4_u8 {
            let (tell, again) = (tell.clone(), wal.clone());
            wal.append(&[number]).unwrap().on_durable(move |outcome| {
                let _durable = outcome.unwrap();
                let more = again.append_durable(b"from a callback").unwrap();
                tell.send(more).unwrap();
                drop(again);
                assert!(number % 2 == 1, "a callback that panics, on purpose");
            });
        }
        drop(tell);
        let _durable = wal.sync().unwrap();
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), 4);
        // Whoever commits for others goes on.
        let (tell, told) = mpsc::channel();
        wal.append(b"later").unwrap().on_durable(move |outcome| {
            tell.send(outcome.is_ok()).unwrap();
        });
        if !background {
            let _durable = wal.sync().unwrap();
        }
        assert!(told.recv().unwrap());
        drop(wal);
        assert_eq!(read(dir).len(), 9);
    }
}

#[test]
fn tickets_outlive_the_handles() {
    let (wal, dir, _) = gated(SharedOptions::new());
    let (waited, awaited) = (wal.append(b"waited").unwrap(), wal.append(b"awaited").unwrap());
    let (tell, told) = mpsc::channel();
    wal.append(b"called").unwrap().on_durable(move |outcome| tell.send(outcome.is_ok()).unwrap());
    drop(wal);
    assert!(told.recv().unwrap());
    let _durable = block_on(awaited).unwrap();
    let _durable = waited.wait().unwrap();
    drop(waited);
    let _again = RawSharedWal::open(dir, WalOptions::new(), alone()).unwrap();
}

#[test]
fn a_callback_is_called_also_where_nobody_commits_any_more() {
    let (wal, _, _) = gated(alone());
    let (tell, told) = mpsc::channel();
    wal.append(b"one").unwrap().on_durable(move |outcome| tell.send(outcome.is_err()).unwrap());
    drop(wal);
    assert!(told.recv().unwrap());
}

#[test]
fn closing_makes_all_durable_and_says_so_to_all_who_wait() {
    for background in [false, true] {
        let (wal, dir, _) = gated(SharedOptions::new().background(background));
        let (early, late) = (wal.append(b"early").unwrap(), wal.append(b"late").unwrap());
        let (tell, told) = mpsc::channel();
        wal.append(b"called").unwrap().on_durable(move |outcome| {
            tell.send(outcome.is_ok()).unwrap();
        });
        wal.close().unwrap();
        assert!(told.recv().unwrap());
        let _durable = early.wait().unwrap();
        let _durable = block_on(late).unwrap();
        let failure = wal.append(b"more").map(drop).unwrap_err();
        assert!(matches!(failure.error(), Error::Closed));
        let _again = RawSharedWal::open(dir, WalOptions::new(), alone()).unwrap();
    }
}

fn is_gap<T, D: SharedDirectory>(
    outcome: Result<T, durability::shared::Failure<D::Error>>,
) -> bool {
    outcome.is_err_and(|failure| matches!(failure.error(), Error::Gap { .. }))
}

#[test]
fn who_waits_for_what_is_truncated_away_is_told() {
    for background in [false, true] {
        let (wal, dir, gate) = gated(SharedOptions::new().background(background));
        let kept = wal.append(b"kept").unwrap();
        let gone: Vec<Ticket<Faulty>> =
            (0..3_u8).map(|number| wal.append(&[number]).unwrap()).collect();
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            // All register while the commit that would make them durable is held; the truncation comes behind it.
            gate.close();
            let leader = scope.spawn(|| wal.flush());
            leader.join().unwrap().unwrap();
            let cut = scope.spawn(|| {
                wal.with_writer(|writer| writer.truncate_suffix(EntryId::new(2).unwrap()))
            });
            gate.held();
            let mut gone = gone.into_iter();
            let task = gone.next().unwrap();
            let task = scope.spawn(move || is_gap::<_, Faulty>(block_on(task)));
            gone.next().unwrap().on_durable(move |outcome| {
                tell.send(is_gap::<_, Faulty>(outcome)).unwrap();
            });
            let waiter = gone.next().unwrap();
            let waiter = scope.spawn(move || is_gap::<_, Faulty>(waiter.wait()));
            let (sync, flush) =
                (scope.spawn(|| wal.sync().is_ok()), scope.spawn(|| wal.flush().is_ok()));
            gate.open();
            cut.join().unwrap().unwrap().unwrap();
            assert!(task.join().unwrap() && waiter.join().unwrap() && told.recv().unwrap());
            assert!(sync.join().unwrap() && flush.join().unwrap());
        });
        let _durable = kept.wait().unwrap();
        wal.append_durable(b"new").unwrap();
        wal.close().unwrap();
        assert_eq!(read(dir), [(1, b"kept".to_vec()), (2, b"new".to_vec())]);
    }
}

#[test]
fn whoever_waits_while_somebody_syncs_the_whole_writer_goes_on() {
    let (wal, _, gate) = gated(alone());
    let tickets: Vec<_> = (0..4_u8).map(|number| wal.append(&[number]).unwrap()).collect();
    gate.close();
    thread::scope(|scope| {
        let whole = scope.spawn(|| wal.with_writer(|writer| writer.flush_and_sync().is_ok()));
        gate.held();
        let waiting: Vec<_> =
            tickets.iter().map(|ticket| scope.spawn(move || ticket.wait().is_ok())).collect();
        assert_eq!(wal.last_entry_id(), EntryId::new(4));
        assert!(wal.durable().is_some());
        gate.open();
        assert!(whole.join().unwrap().unwrap());
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
    });
}

/// Panics when it hears of this.
struct Fragile(fn(Event) -> bool, bool);

impl Hooks for Fragile {
    fn on(&mut self, event: Event) {
        self.1 |= matches!(event, Event::Appended { .. });
        assert!(!(self.1 && (self.0)(event)), "a hook that panics, on purpose");
    }
}

#[test]
fn hooks_that_panic_close_the_log_and_nobody_hangs() {
    let moments: [fn(Event) -> bool; 2] = [
        |event| matches!(event, Event::Syncing),
        |event| matches!(event, Event::Synced { through } if through == EntryId::new(1)),
    ];
    for moment in moments {
        let dir = MemoryDirectory::new();
        let hooks = Fragile(moment, false);
        let wal = RawSharedWal::open_with(dir, WalOptions::new(), SharedOptions::new(), hooks);
        let wal = wal.unwrap();
        let ticket = wal.append(b"one").unwrap();
        let (tell, told) = mpsc::channel();
        let panicked = catch_unwind(AssertUnwindSafe(|| ticket.wait().is_ok()));
        assert!(!panicked.unwrap_or(false));
        ticket.on_durable(move |outcome| tell.send(outcome.is_ok()).unwrap());
        let _told = told.recv().unwrap();
        assert!(wal.append(b"two").is_err() && wal.sync().is_err());
        drop(wal);
    }
}

#[test]
fn a_hook_that_panics_in_a_rotation_that_is_handed_over_closes_the_log_too() {
    let options = WalOptions::new().segment_bytes(512);
    let hooks = Fragile(|event| matches!(event, Event::Rotated { .. }), false);
    let mut writer =
        RawWalWriter::open_with(MemoryDirectory::new(), options.clone(), hooks).unwrap();
    assert!(writer.prepare_now().unwrap());
    let wal = RawSharedWal::from_writer(writer, options, SharedOptions::new()).unwrap();
    let fill = || (0..9).all(|_| wal.append(&[7; 100]).is_ok());
    assert!(catch_unwind(AssertUnwindSafe(fill)).is_err(), "the rotation was told");
    for failure in [wal.append(b"more").unwrap_err(), wal.sync().unwrap_err()] {
        assert!(matches!(failure.error(), Error::Closed), "{failure}");
    }
}

#[test]
fn a_durable_append_is_one_write_and_one_sync_and_allocates_nothing() {
    let dir = FaultyDirectory::new(FsDirectory::new(tempfile::tempdir().unwrap().keep()).unwrap());
    let counters = dir.counters();
    let wal = RawSharedWal::open(dir, WalOptions::new(), SharedOptions::new()).unwrap();
    let record = [7_u8; 256];
    for _ in 0..4 {
        wal.append_durable(&record).unwrap();
    }
    let before = counters.counts();
    for _ in 0..10 {
        wal.append_durable(&record).unwrap();
    }
    let count = counters.counts().since(&before);
    assert_eq!((count.of(Operation::Write), count.syncs()), (10, 10), "{count:?}");
    // The directory that counts allocates itself.
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(scratch.path().join("data")).unwrap();
    let wal = RawSharedWal::open(dir, WalOptions::new(), SharedOptions::new()).unwrap();
    let append = || assert!((0..4).all(|_| wal.append_durable(&record).is_ok()));
    append();
    assert_eq!(allocations(append).1.calls, 0);
}

#[test]
fn typed_entries_are_encoded_without_the_lock_and_without_allocating() {
    let dir = MemoryDirectory::new();
    let wal = SharedWal::<u64, _>::open(dir, WalOptions::new(), alone()).unwrap();
    let _ticket = wal.append(&1).unwrap();
    let _durable = wal.sync().unwrap();
    let ((), cost) = allocations(|| {
        for number in 0..100 {
            let _ticket = wal.append(&number).unwrap();
        }
    });
    assert_eq!(cost.calls, 0);
    let replayed = wal.reader().unwrap().replay().unwrap();
    assert_eq!(replayed.len(), 101);
}

/// One thread's use of a shared log, under crashes.
struct Sharing(&'static str);

type Tag = u32;
type Shared = RawSharedWal<SimulatedDisk>;

impl Sharing {
    fn open(disk: &SimulatedDisk) -> Result<(Shared, LogSeen<Tag>), Box<dyn std::error::Error>> {
        let options = WalOptions::new().segment_bytes(128).buffer_bytes(256).read_bytes(256);
        let wal = RawSharedWal::open(disk.clone(), options, alone())?;
        let mut reader = wal.reader()?;
        let mut seen = LogSeen { first: reader.first_entry_id().get(), records: Vec::new() };
        let mut entries = reader.entries(ReadMode::Strict)?;
        while let Some(entry) = entries.next()? {
            seen.records.push(Tag::from_le_bytes(entry.payload.try_into()?));
        }
        Ok((wal, seen))
    }

    fn work(script: &str, wal: &Shared, journal: &mut JournalOf<Self>) -> Ended {
        let mut old: Option<(Ticket<SimulatedDisk>, u64)> = None;
        for step in script.chars() {
            let tag = journal.epoch() << 16 | u32::try_from(journal.entries().len())?;
            let next = wal.last_entry_id().map_or(1, |last| last.get() + 1);
            match step {
                'a' | 'd' => {
                    journal.issue(LogOperation::Append(tag));
                    if step == 'd' {
                        wal.append_durable(&tag.to_le_bytes())?;
                        journal.acknowledge();
                    } else {
                        let ticket = wal.append(&tag.to_le_bytes())?;
                        old.get_or_insert((ticket, journal.issued()));
                    }
                }
                'b' => {
                    let tags = [tag, tag + 0x8000];
                    journal.issue(LogOperation::Batch(tags.to_vec()));
                    let _ticket = wal.append_batch(&tags.map(Tag::to_le_bytes))?;
                }
                'w' => {
                    if let Some((ticket, issued)) = old.take() {
                        let durable = ticket.wait()?;
                        assert!(durable.through() >= Some(ticket.id()));
                        journal.acknowledge_through(issued);
                    }
                }
                'f' => wal.flush()?,
                's' => {
                    let _durable = wal.sync()?;
                    journal.acknowledge();
                }
                't' => {
                    journal.issue(LogOperation::TruncateSuffix(next - 2));
                    let from = EntryId::new(next - 1).ok_or("0")?;
                    wal.with_writer(|writer| writer.truncate_suffix(from))??;
                    journal.acknowledge();
                    old = None;
                }
                'p' => {
                    journal.issue(LogOperation::TruncatePrefix(next));
                    let before = EntryId::new(next).ok_or("0")?;
                    wal.with_writer(|writer| writer.truncate_prefix(before))??;
                    journal.acknowledge();
                }
                _ => {
                    wal.close()?;
                    journal.acknowledge();
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Workload for Sharing {
    type Operation = LogOperation<Tag>;
    type Seen = LogSeen<Tag>;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let (wal, _) = Self::open(disk)?;
        Self::work(self.0, &wal, journal)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let (wal, seen) = Self::open(disk)?;
        journal.recovered(seen);
        Self::work("adaw", &wal, journal)
    }

    fn describe(&self) -> String {
        self.0.to_owned()
    }
}

#[test]
fn a_shared_log_survives_every_crash_of_one_thread() {
    let limits = SurvivorLimits::new().with_exhaustive_max(32).with_samples(8);
    let disk = DiskOptions::new().with_tear_unit(32);
    let one = Bounds::new(disk).with_survivors(limits);
    let two =
        one.clone().with_depth(2).with_survivors(limits.with_exhaustive_max(8).with_samples(2));
    for (script, bounds) in [
        ("adabwfasc", &one),
        ("aabafawdts", &one),
        ("dddbpaswc", &one),
        ("abfdtdafwpc", &one),
        ("aaaaaaaw", &one),
        ("adbw", &two),
        ("datd", &two),
    ] {
        let explored = explore(&Sharing(script), &PrefixOracle::<LogModel<Tag>>::new(), bounds);
        let sum = explored.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(sum.distinct > 20, "{script}: {sum}");
    }
}
