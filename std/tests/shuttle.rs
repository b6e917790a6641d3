//! Group commit under a model checker: no schedule of threads deadlocks, loses a wake-up, or resolves a ticket too early.
//!
//! Empty but under `RUSTFLAGS='--cfg durability_shuttle' cargo test -p durability --test shuttle`. The variable `DURABILITY_SHUTTLE_SCHEDULES` says how
//! many schedules each setting gets from each of two schedulers. A failure prints the schedule to replay.
#![cfg(durability_shuttle)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test may stop")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use durability::embedded_io::{ErrorType, Write};
use durability::shared::{RawSharedWal, SharedOptions, Ticket};
use durability::storage::{
    AppendFile, Capabilities, Directory, Folder, Locking, MemoryAppender, MemoryDirectory,
    MemoryError, MemoryLock, MemoryReader, Name,
};
use durability::walog::WalOptions;
use durability::{EntryId, Error};
use shuttle::thread;

/// A disk whose operations take time, which knows what of each file was synced, and whose syncs fail on demand.
#[derive(Debug, Clone, Default)]
struct Disk {
    memory: MemoryDirectory,
    synced: Arc<Mutex<BTreeMap<String, usize>>>,
    /// The sync with this number fails.
    fails: Arc<AtomicU64>,
    syncs: Arc<AtomicU64>,
}

struct Appender {
    inner: MemoryAppender,
    disk: Disk,
    name: String,
}

impl Disk {
    fn appender(&self, inner: MemoryAppender, name: Name<'_>) -> Appender {
        Appender { inner, disk: self.clone(), name: name.as_str().into() }
    }

    /// Whether a record would survive a power cut now.
    fn keeps(&self, record: &[u8]) -> bool {
        let synced = self.synced.lock().unwrap();
        synced.iter().any(|(name, end)| {
            let bytes = self.memory.contents(Name::new(name).unwrap()).unwrap_or_default();
            bytes[..*end].windows(record.len()).any(|window| window == record)
        })
    }
}

impl ErrorType for Appender {
    type Error = MemoryError;
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, MemoryError> {
        thread::yield_now();
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> Result<(), MemoryError> {
        self.inner.flush()
    }
}

impl AppendFile for Appender {
    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn sync_data(&mut self) -> Result<(), MemoryError> {
        thread::yield_now();
        let number = self.disk.syncs.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.disk.fails.load(Ordering::Relaxed) {
            return Err(MemoryError::NoSpace);
        }
        let end = usize::try_from(self.inner.position()).unwrap();
        self.disk.synced.lock().unwrap().insert(self.name.clone(), end);
        thread::yield_now();
        Ok(())
    }
}

impl Directory for Disk {
    type Error = MemoryError;
    type Reader = MemoryReader;
    type Appender = Appender;
    type Lock = MemoryLock;

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    fn open(&self, name: Name<'_>) -> Result<Option<MemoryReader>, MemoryError> {
        self.memory.open(name)
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Appender>, MemoryError> {
        thread::yield_now();
        Ok(self.memory.create(name, reserve)?.map(|inner| self.appender(inner, name)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Appender>, MemoryError> {
        Ok(self.memory.reopen(name, at)?.map(|inner| self.appender(inner, name)))
    }

    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.synced.lock().unwrap().remove(name.as_str());
        self.memory.remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        self.memory.list(folder, each)
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.memory.sync_file(name)
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), MemoryError> {
        self.memory.sync_dir(folder)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<MemoryLock>, MemoryError> {
        self.memory.lock(name)
    }

    fn nonce(&self) -> u64 {
        self.memory.nonce()
    }
}

type Wal = RawSharedWal<Disk>;

fn options() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256)
}

fn open(disk: &Disk, options: WalOptions, background: bool) -> Wal {
    RawSharedWal::open(disk.clone(), options, SharedOptions::new().background(background)).unwrap()
}

/// A record like no other, of that many bytes.
fn record(thread: u8, turn: u8, bytes: usize) -> Vec<u8> {
    [b"<", &[thread, turn][..], b">", &vec![b'.'; bytes]].concat()
}

/// Runs a setting under many schedules of two kinds.
fn check(setting: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("DURABILITY_SHUTTLE_SCHEDULES");
    let schedules = schedules.ok().and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let setting = Arc::new(setting);
    let again = Arc::clone(&setting);
    shuttle::check_random(move || again(), schedules);
    shuttle::check_pct(move || setting(), schedules, 3);
}

fn spawn_all(threads: u8, work: impl Fn(u8) + Send + Sync + Clone + 'static) {
    let spawn = |number| {
        let work = work.clone();
        thread::spawn(move || work(number))
    };
    let all: Vec<_> = (0..threads).map(spawn).collect();
    for thread in all {
        thread.join().unwrap();
    }
}

fn ids(disk: &Disk) -> usize {
    let mut reader = durability::walog::RawWalReader::open(disk.clone(), options()).unwrap();
    let mut entries = reader.entries(durability::ReadMode::BestEffort).unwrap();
    let mut count = 0;
    while entries.next().unwrap().is_some() {
        count += 1;
    }
    count
}

#[test]
fn threads_that_append_durably() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options(), false);
        // Opening syncs, too.
        disk.syncs.store(0, Ordering::Relaxed);
        let (shared, on) = (wal.clone(), disk.clone());
        spawn_all(4, move |number| {
            let mut last = None;
            for turn in 0..2 {
                let record = record(number, turn, 4);
                let id = shared.append_durable(&record).unwrap();
                assert!(Some(id) > last && shared.durable_through() >= Some(id));
                assert!(on.keeps(&record), "{id} was acknowledged");
                last = Some(id);
            }
        });
        assert_eq!(wal.last_entry_id(), EntryId::new(8));
        assert!(disk.syncs.load(Ordering::Relaxed) <= 8);
        drop(wal);
        assert_eq!(ids(&disk), 8);
    });
}

/// Once, whoever was released could be done with waking the others before the one who was to lead had been called: he slept for ever.
#[test]
fn a_wake_up_that_is_lost_is_found() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "threads_that_append_durably", "--nocapture"]);
    command.env("DURABILITY_SHUTTLE_PLANTED", "CalledTooLate");
    command.env("DURABILITY_SHUTTLE_SCHEDULES", "10000000");
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    assert!(!output.status.success() && String::from_utf8_lossy(&told).contains("deadlock!"));
}

#[test]
fn appends_beside_syncs_flushes_and_the_whole_writer() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options(), false);
        let (shared, on) = (wal.clone(), disk.clone());
        spawn_all(4, move |number| {
            let record = record(number, 0, 4);
            match number {
                0 | 1 => {
                    let ticket = shared.append(&record).unwrap();
                    let durable = ticket.wait().unwrap();
                    assert!(durable.through() >= Some(ticket.id()) && on.keeps(&record));
                }
                2 => {
                    let _ticket = shared.append(&record).unwrap();
                    shared.flush().unwrap();
                    let _durable = shared.sync().unwrap();
                    assert!(on.keeps(&record));
                }
                _ => {
                    let synced = shared.with_writer(|writer| writer.flush_and_sync());
                    let _durable = synced.unwrap().unwrap();
                }
            }
        });
        assert_eq!(wal.last_entry_id(), EntryId::new(3));
    });
}

#[test]
fn truncations_beside_all_who_wait() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options(), true);
        let shared = wal.clone();
        spawn_all(4, move |number| {
            let ticket = shared.append(&record(number, 0, 4)).unwrap();
            let gone = |result: Result<_, durability::shared::Failure<MemoryError>>| {
                if let Err(failure) = result {
                    assert!(matches!(failure.error(), Error::Gap { .. }), "{failure}");
                }
            };
            match number {
                0 => gone(ticket.wait().map(drop)),
                1 => gone(shuttle::future::block_on(ticket).map(drop)),
                2 => {
                    shared.flush().unwrap();
                    let _durable = shared.sync().unwrap();
                }
                _ => {
                    let cut = shared.with_writer(|writer| {
                        let from = writer.last_entry_id().unwrap();
                        writer.truncate_suffix(from)
                    });
                    cut.unwrap().unwrap();
                }
            }
        });
        wal.close().unwrap();
    });
}

#[test]
fn a_sync_that_fails() {
    for fails in 1..=2 {
        check(move || {
            let disk = Disk::default();
            let wal = open(&disk, options(), true);
            disk.syncs.store(0, Ordering::Relaxed);
            disk.fails.store(fails, Ordering::Relaxed);
            let (shared, on) = (wal.clone(), disk.clone());
            spawn_all(3, move |number| {
                for turn in 0..2 {
                    let record = record(number, turn, 4);
                    let done = match number {
                        0 => shared.append_durable(&record).map(drop),
                        1 => shared
                            .append(&record)
                            .and_then(|ticket| shuttle::future::block_on(ticket).map(drop)),
                        _ => shared.append(&record).and_then(|ticket| {
                            let _flushed = shared.flush();
                            ticket.wait().map(drop)
                        }),
                    };
                    match done {
                        Ok(()) => assert!(on.keeps(&record), "acknowledged"),
                        Err(_) => {
                            assert!(shared.sync().is_err() && shared.append(b"more").is_err())
                        }
                    }
                }
            });
            // Closing lets go, whatever has been.
            let closed = wal.close();
            assert_eq!(closed.is_err(), disk.syncs.load(Ordering::Relaxed) >= fails);
            let _again = open(&disk, options(), false);
        });
    }
}

#[test]
fn tasks_and_callbacks_with_the_background_thread_alone() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options(), true);
        let told = Arc::new(AtomicUsize::new(0));
        let tickets: Vec<Ticket<Disk>> =
            (0..3).map(|turn| wal.append(&record(0, turn, 4)).unwrap()).collect();
        let mut threads = Vec::new();
        for (turn, ticket) in (0..).zip(tickets) {
            let (on, told, shared) = (disk.clone(), Arc::clone(&told), wal.clone());
            threads.push(thread::spawn(move || match turn {
                0 => {
                    drop(shared);
                    let _durable = shuttle::future::block_on(ticket).unwrap();
                    assert!(on.keeps(&record(0, turn, 4)));
                }
                _ => ticket.on_durable(move |outcome| {
                    let _durable = outcome.unwrap();
                    assert!(on.keeps(&record(0, turn, 4)));
                    told.fetch_add(1, Ordering::Relaxed);
                    if turn == 1 {
                        let _ticket = shared.append(b"from a callback").unwrap();
                    }
                }),
            }));
        }
        drop(wal);
        for thread in threads {
            thread.join().unwrap();
        }
        // A callback may outlive all handles and hold the last one: who looks for it sees the lock.
        while told.load(Ordering::Relaxed) < 2 {
            thread::yield_now();
        }
    });
}

#[test]
fn closing_and_dropping_beside_those_who_wait() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options(), true);
        let (shared, on) = (wal.clone(), disk.clone());
        spawn_all(4, move |number| {
            let record = record(number, 0, 4);
            let Ok(ticket) = shared.append(&record) else { return };
            let done = match number {
                0 => ticket.wait().map(drop),
                1 => shuttle::future::block_on(ticket).map(drop),
                2 => shared.close(),
                _ => Err(Error::Closed.into()),
            };
            if done.is_ok() {
                assert!(on.keeps(&record));
            }
        });
        assert!(
            matches!(wal.append(b"more"), Err(failure) if matches!(failure.error(), Error::Closed))
        );
        drop(wal);
        let _again = open(&disk, options(), false);
    });
}

#[test]
fn rotations_and_a_buffer_that_is_always_full() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options().segment_bytes(256), false);
        let (shared, on) = (wal.clone(), disk.clone());
        spawn_all(3, move |number| {
            for turn in 0..2 {
                let record = record(number, turn, [40, 150, 300][usize::from((number + turn) % 3)]);
                match number {
                    0 => drop(shared.append_durable(&record).unwrap()),
                    1 => {
                        let batch = [&record[..], b"and more"];
                        let ticket = shared.append_batch(&batch).unwrap().unwrap();
                        let _durable = ticket.wait().unwrap();
                    }
                    _ => {
                        let _ticket = shared.append(&record).unwrap();
                        shared.flush().unwrap();
                        continue;
                    }
                }
                assert!(on.keeps(&record));
            }
        });
        drop(wal);
        assert_eq!(ids(&disk), 8);
    });
}

#[test]
fn a_task_that_tries_gets_room() {
    check(|| {
        let disk = Disk::default();
        let wal = open(&disk, options().segment_bytes(128), true);
        shuttle::future::block_on(async {
            for turn in 0..4 {
                let ticket = loop {
                    if let Some(ticket) = wal.try_append(&record(0, turn, 40)).unwrap() {
                        break ticket;
                    }
                    if let Some(all) = wal.durable() {
                        let _durable = all.await.unwrap();
                    }
                    thread::yield_now();
                };
                if turn % 2 == 0 {
                    let _durable = ticket.await.unwrap();
                }
            }
        });
        drop(wal);
        assert_eq!(ids(&disk), 4);
    });
}
