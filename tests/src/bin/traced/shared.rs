//! The write-ahead log that threads share, as the first life of a store: one thread appends, a second one waits for tickets and tells of each
//! what it has promised, and the log's own makes segments ready, runs rotations, and syncs early. Later lives are those of the plain log.
//!
//! Must never tell of more than the ticket at hand promises.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use durability::shared::{RawSharedWal, SharedOptions, Ticket};
use durability::storage::FsDirectory;
use durability_core::{EntryId, ReadMode};
use durability_testkit::simulated::{Event, LogOperation};

use super::outside::{Failed, Marks, Outside, Tag};
use super::store::{Do, Kind, LARGE, payload};
use super::wal::{options, read};
use super::workloads::Workload;

/// A ticket, and the number of the operation that it is for.
type Promise = (Ticket, u64);

/// How often to look whether the log's thread has done what it will do: it takes some hundred looks.
const LOOKS_MAX: u32 = 10_000_000;

/// The whole life.
pub(crate) fn live(workload: &Workload, dir: &FsDirectory, marks: Marks) -> Result<(), Failed> {
    let marks = Mutex::new(marks);
    thread::scope(|scope| {
        let (to_waiter, promises) = channel();
        let (told, kept) = channel();
        let at_marks = &marks;
        scope.spawn(move || wait(promises, at_marks, &told));
        let mut log = Log {
            kind: workload.kind,
            dir,
            marks: &marks,
            wal: open(workload.kind, dir, &marks)?,
            promised: Vec::new(),
            to_waiter,
            kept,
            waited_for: 0,
        };
        log.settle()?;
        for step in workload.steps {
            log.step(*step)?;
        }
        Ok(())
    })
}

/// The second thread: waits for each ticket, and tells of the one operation that it is for.
fn wait(promises: Receiver<Promise>, marks: &Mutex<Marks>, told: &Sender<Result<(), String>>) {
    for (ticket, through) in promises {
        let waited = ticket.wait().map_err(|error| error.to_string());
        let outcome = waited.and_then(|_durable| {
            let told = lock(marks).tell(Event::Acknowledged { through });
            told.map_err(|error| error.to_string())
        });
        // It holds the log open.
        drop(ticket);
        if told.send(outcome).is_err() {
            return;
        }
    }
}

fn lock(marks: &Mutex<Marks>) -> MutexGuard<'_, Marks> {
    marks.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(kind: Kind, dir: &FsDirectory, marks: &Mutex<Marks>) -> Result<RawSharedWal, Failed> {
    // Twice as much, and the log's thread syncs without being asked.
    let shared = SharedOptions::new().staged_bytes(64);
    let wal = RawSharedWal::open(dir.clone(), options(kind), shared)?;
    let seen = read(wal.reader()?, ReadMode::Strict)?;
    lock(marks).tell(Event::Recovered(seen))?;
    Ok(wal)
}

/// The log under the thread that appends.
struct Log<'a> {
    kind: Kind,
    dir: &'a FsDirectory,
    marks: &'a Mutex<Marks>,
    wal: RawSharedWal,
    /// What nobody waits for yet.
    promised: Vec<Promise>,
    to_waiter: Sender<Promise>,
    kept: Receiver<Result<(), String>>,
    /// How many promises the second thread is at.
    waited_for: usize,
}

impl Log<'_> {
    fn step(&mut self, step: Do) -> Result<(), Failed> {
        match step {
            Do::Append | Do::Large | Do::Batch => self.append(step)?,
            Do::Flush => self.wal.flush()?,
            Do::Sync => self.wait_for_all()?,
            Do::Durable => {
                let (tag, number) = self.issue(LogOperation::Append)?;
                let _id = self.wal.append_durable(&payload(tag))?;
                self.acknowledge(number)?;
            }
            Do::SyncAll => {
                let number = lock(self.marks).issued();
                let _durable = self.wal.sync()?;
                self.acknowledge(number)?;
            }
            Do::Early => {
                let number = lock(self.marks).issued();
                let last = self.wal.last_entry_id();
                until(|| Ok(self.wal.durable_through() >= last))?;
                self.acknowledge(number)?;
            }
            Do::Prefix => {
                let next = self.wal.last_entry_id().map_or(1, |last| last.get() + 1);
                self.issue(|_| LogOperation::TruncatePrefix(next))?;
                let next = EntryId::new(next).ok_or("0")?;
                self.wal.with_writer(|writer| writer.truncate_prefix(next))??;
            }
            Do::Reopen => {
                self.wait_for_all()?;
                let number = lock(self.marks).issued();
                self.wal.close()?;
                self.acknowledge(number)?;
                self.wal = open(self.kind, self.dir, self.marks)?;
            }
            other => return Err(format!("a shared log is not asked to {other:?}").into()),
        }
        self.settle()
    }

    fn append(&mut self, step: Do) -> Result<(), Failed> {
        let (ticket, number) = if step == Do::Batch {
            let tags = |tag| [tag, tag + 0x4000, tag + 0x8000];
            let (tag, number) = self.issue(|tag| LogOperation::Batch(tags(tag).to_vec()))?;
            let ticket = self.wal.append_batch(&tags(tag).map(payload))?;
            (ticket.ok_or("no ticket for a batch")?, number)
        } else {
            let large = if step == Do::Large { LARGE } else { 0 };
            let (tag, number) = self.issue(|tag| LogOperation::Append(tag | large))?;
            (self.wal.append(&payload(tag | large))?, number)
        };
        if self.kind == Kind::SharedInRace {
            self.waited_for += 1;
            return Ok(self.to_waiter.send((ticket, number))?);
        }
        self.promised.push((ticket, number));
        Ok(())
    }

    /// Tells of an operation on a new tag, and returns that and the operation's number.
    fn issue(
        &self,
        operation: impl FnOnce(Tag) -> LogOperation<Tag>,
    ) -> Result<(Tag, u64), Failed> {
        let mut marks = lock(self.marks);
        // Not of what was acknowledged: what is written must not depend on when that was.
        let tag = Tag::try_from(marks.issued())?;
        marks.issue(operation(tag))?;
        Ok((tag, marks.issued()))
    }

    fn acknowledge(&self, through: u64) -> Result<(), Failed> {
        lock(self.marks).tell(Event::Acknowledged { through })
    }

    /// Lets the second thread wait for all tickets, and waits for it.
    fn wait_for_all(&mut self) -> Result<(), Failed> {
        self.waited_for += self.promised.len();
        for promise in self.promised.drain(..) {
            self.to_waiter.send(promise)?;
        }
        for _ in 0..core::mem::take(&mut self.waited_for) {
            self.kept.recv()??;
        }
        Ok(())
    }

    /// Waits until no commit runs, and the tail's successor is ready: from there on, all goes as it went in the last run.
    fn settle(&self) -> Result<(), Failed> {
        if self.kind == Kind::SharedInRace {
            return Ok(());
        }
        until(|| Ok(self.wal.with_writer(|writer| writer.prepared_segment().is_some())?))
    }
}

/// Looks until something is so.
fn until(mut is_so: impl FnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    for _ in 0..LOOKS_MAX {
        if is_so()? {
            return Ok(());
        }
        thread::yield_now();
    }
    Err("the log's thread does not do what it is there for".into())
}
