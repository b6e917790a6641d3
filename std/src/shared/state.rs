//! What the threads share under the lock: the writer's staging half, who leads, who waits, and how it ended.
//!
//! Must never do I/O, nor call anything of the user's but hooks.

use core::time::Duration;

use durability_core::walog::{Commit, Hooks, Preparation, StagedWriter};
use durability_core::{Durable, EntryId, Error};

use crate::follow::{Announcement, WriterEnd};

use super::company::Company;
use super::directory::SharedDirectory;
use super::failure::Failure;
use super::group::{Outcome, Purpose};
use super::options::SharedOptions;
use super::waiting::{Callback, Released, Waiting};

pub(super) struct State<D: SharedDirectory, H: Hooks> {
    /// Absent while somebody has it whole, and once the log is closed.
    pub(super) wal: Option<StagedWriter<D, H>>,
    /// Somebody leads a commit, or has the whole writer.
    pub(super) leading: bool,
    /// The number of the next commit.
    pub(super) next_commit: usize,
    pub(super) running: Option<Running>,
    /// How many wait in each group, and how often each was released.
    waiting: [usize; 2],
    opened: [u64; 2],
    pub(super) waiting_for_room: usize,
    /// How many wait for the whole writer: no commit begins before they had it.
    pub(super) waiting_for_whole: usize,
    /// For how many a leader waits.
    pub(super) gathering: Option<usize>,
    pub(super) company: Company,
    pub(super) durable: Option<Durable>,
    /// The last entry, when the writer was taken out.
    pub(super) last: Option<EntryId>,
    /// Entries up to this one were handed to the system.
    pub(super) flushed: Option<EntryId>,
    /// How often that has changed.
    version: u64,
    failure: Option<Failure<D::Error>>,
    pub(super) closed: bool,
    /// Room that somebody wants who cannot make it himself, and why it could not be made.
    pub(super) wanted: Option<Purpose>,
    pub(super) refused: Option<Failure<D::Error>>,
    pub(super) unattended: Waiting<Outcome<D::Error>>,
    /// There is a thread that sees to those who wait without one.
    pub(super) background: bool,
    pub(super) stopping: bool,
    /// A rotation that the background thread is to run.
    pub(super) handed_over: Option<Commit<D>>,
    /// The tail segment whose successor the background thread has begun to make ready, or has given up.
    prepared_for: u32,
    /// The background thread is making a segment ready.
    pub(super) preparing: bool,
    /// What may wait for a sync before the background thread makes one.
    unsynced_max: u64,
}

/// The share of a segment that is filled before its successor is made ready: not for a log that stays small.
const PREPARED_AT: u64 = 4;

/// A callback, and what it is told.
type Told<E> = (Callback<Outcome<E>>, Outcome<E>);

/// The commit that runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) number: usize,
    through: Option<EntryId>,
    sync: bool,
}

impl<D: SharedDirectory, H: Hooks> State<D, H> {
    pub(super) fn new(wal: StagedWriter<D, H>, options: SharedOptions) -> Self {
        let mut state = Self {
            wal: Some(wal),
            leading: false,
            next_commit: 0,
            running: None,
            waiting: [0; 2],
            opened: [0; 2],
            waiting_for_room: 0,
            waiting_for_whole: 0,
            gathering: None,
            company: Company::default(),
            durable: None,
            last: None,
            flushed: None,
            version: 0,
            failure: None,
            closed: false,
            wanted: None,
            refused: None,
            unattended: Waiting::default(),
            background: false,
            stopping: false,
            handed_over: None,
            prepared_for: 0,
            preparing: false,
            unsynced_max: 2 * options.staged_bytes_max() as u64,
        };
        state.refresh();
        state
    }

    /// Whether the log can be used.
    pub(super) fn check(&self) -> Result<(), Failure<D::Error>> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if self.closed => Err(Error::Closed.into()),
            None => Ok(()),
        }
    }

    /// Whether nothing will be committed any more.
    pub(super) const fn is_over(&self) -> bool {
        self.closed || self.failure.is_some()
    }

    /// Whether a commit may begin now.
    pub(super) const fn is_free(&self) -> bool {
        !self.leading && self.waiting_for_whole == 0 && self.wal.is_some()
    }

    /// What becomes of somebody who waits for an entry; `None` while that is open.
    pub(super) fn outcome(&self, id: Option<EntryId>) -> Option<Outcome<D::Error>> {
        if let Some(durable) = self.durable
            && id <= durable.through()
        {
            return Some(Ok(durable));
        }
        if planted!(TicketEarly) && self.running.is_some_and(|running| id <= running.through) {
            return self.durable.map(Ok);
        }
        if let Err(failure) = self.check() {
            if planted!(FailedCommitReleased) {
                return self.durable.map(Ok);
            }
            return Some(Err(failure));
        }
        let writer = self.wal.as_ref()?.writer();
        let last = writer.last_entry_id();
        if id > last {
            // It was truncated away.
            let (needed, first) = (id.unwrap_or(EntryId::FIRST), Some(writer.first_entry_id()));
            return Some(Err(Error::Gap { needed, first, last }.into()));
        }
        None
    }

    /// The last entry that is durable.
    pub(super) fn durable_through(&self) -> Option<EntryId> {
        self.durable.and_then(Durable::through)
    }

    /// The group of those who wait for an entry: of the commit that runs, if that covers it, else of the next.
    pub(super) fn group_of(&self, id: Option<EntryId>) -> usize {
        let number = match self.running {
            Some(running) if running.sync && id <= running.through => running.number,
            _ => self.next_commit,
        };
        number % 2
    }

    pub(super) fn join(&mut self, group: usize) {
        self.waiting[group] += 1;
    }

    /// Somebody no longer waits in a group, which had been released so often when he joined it; false if he was released since.
    pub(super) fn leave(&mut self, group: usize, opened: u64) -> bool {
        let waits = self.opened[group] == opened;
        // Who was released with the others is not counted any more.
        if waits {
            self.waiting[group] -= 1;
        }
        waits
    }

    /// A group is released.
    pub(super) fn open(&mut self, group: usize) {
        self.opened[group] += 1;
        self.waiting[group] = 0;
    }

    pub(super) fn is_waiting(&self, group: usize) -> bool {
        self.waiting[group] > 0
    }

    /// The group of those who wait for the next commit.
    pub(super) const fn next_group(&self) -> usize {
        self.next_commit % 2
    }

    /// How many will be released by the next commit, its leader among them.
    pub(super) fn present(&self) -> usize {
        self.waiting[self.next_group()] + 1
    }

    /// Whether all have come for whom a leader waits.
    pub(super) fn has_company(&self) -> bool {
        self.gathering.is_some_and(|expected| self.present() >= expected)
    }

    /// A commit has been taken out.
    pub(super) fn begun(&mut self, commit: &Commit<D>) {
        let number = self.next_commit;
        self.running = Some(Running { number, through: commit.through(), sync: commit.syncs() });
        self.next_commit = number.wrapping_add(1);
    }

    /// The sync of the commit that runs took that long.
    pub(super) fn synced(&mut self, took: Duration) {
        let Some(running) = self.running else { return };
        let group = running.number % 2;
        self.company.synced(took, self.waiting[group] + 1, self.waiting[1 - group]);
    }

    /// Takes over what the writer knows.
    pub(super) fn refresh(&mut self) {
        let Some(wal) = &self.wal else { return };
        self.durable = Some(wal.writer().durable());
        self.flushed = wal.flushed_through();
    }

    /// Something failed. If it left the log in doubt, that is the end of it.
    pub(super) fn failed(&mut self, error: Error<D::Error>) -> Failure<D::Error> {
        let failure = Failure::from(error);
        let in_doubt = self.wal.as_ref().is_none_or(|wal| wal.writer().is_poisoned());
        if in_doubt && self.failure.is_none() {
            self.failure = Some(failure.clone());
        }
        failure
    }

    /// Sees whether whoever had the whole writer has left it in doubt.
    fn notice_poison(&mut self) -> Option<Error<D::Error>> {
        let wal = self.wal.as_mut().filter(|wal| wal.writer().is_poisoned())?;
        wal.begin(false).err()
    }

    /// If whoever had the whole writer has left it in doubt, that is the end of it.
    pub(super) fn notice(&mut self) {
        if let Some(error) = self.notice_poison() {
            let _failure = self.failed(error);
        }
    }

    /// The last entry that was appended, as far as is known while somebody has the whole writer.
    pub(super) fn last_entry_id(&self) -> Option<EntryId> {
        self.wal.as_ref().map_or(self.last, |wal| wal.writer().last_entry_id())
    }

    /// What followers are told.
    pub(super) fn announcement(&mut self) -> Announcement {
        self.version += 1;
        let durable = self.durable_through();
        let end = match (&self.failure, self.closed) {
            (Some(_), _) => Some(WriterEnd::Failed),
            (None, true) => Some(WriterEnd::Closed),
            (None, false) => None,
        };
        Announcement { version: self.version, written: self.flushed, durable, end }
    }

    /// Whether the background thread should look.
    pub(super) fn has_work(&self) -> bool {
        self.background
            && (self.stopping
                || self.handed_over.is_some()
                || self.wanted.is_some()
                || self.wants_sync()
                || self.wants_preparation())
    }

    /// Whether the background thread runs rotations, so that nobody else waits for the outgoing segment's sync.
    pub(super) fn hands_over(&self) -> bool {
        let prepared =
            self.wal.as_ref().is_some_and(|wal| wal.writer().prepared_segment().is_some());
        self.background && prepared
    }

    /// Whether the tail's successor should be made ready.
    fn wants_preparation(&self) -> bool {
        self.wal.as_ref().is_some_and(|wal| {
            let writer = wal.writer();
            writer.tail_segment() != self.prepared_for
                && writer.tail_bytes() >= writer.segment_bytes() / PREPARED_AT
                && writer.prepared_segment().is_none()
        })
    }

    /// Begins to make the tail's successor ready, if that is due.
    pub(super) fn prepare(&mut self) -> Option<Preparation<D>> {
        if !self.wants_preparation() || self.is_over() {
            return None;
        }
        let wal = self.wal.as_mut()?;
        self.prepared_for = wal.writer().tail_segment();
        // Where it fails the log goes on without: a rotation creates the file itself, and fails if it must.
        wal.prepare().ok().flatten()
    }

    /// Whether the background thread should commit: for those who wait without a thread, and so that no sync has too much to do.
    pub(super) fn wants_sync(&self) -> bool {
        let unsynced = self.wal.as_ref().map_or(0, StagedWriter::unsynced_bytes);
        self.is_awaited() || (!self.is_over() && unsynced >= self.unsynced_max)
    }

    /// Whether somebody waits without a thread for what is not durable yet.
    fn is_awaited(&self) -> bool {
        let durable = self.durable_through().map_or(0, EntryId::get);
        !self.is_over() && self.unattended.highest() > Some(durable)
    }

    /// Takes out those who need not wait any longer without a thread: for what is durable, is gone, or cannot become durable any more.
    pub(super) fn release(&mut self) -> Released<Told<D::Error>> {
        let through = if self.is_over() { None } else { Some(self.durable_through()) };
        let through = through.map_or(u64::MAX, |durable| durable.map_or(0, EntryId::get));
        let last = self.wal.as_ref().map(|wal| wal.writer().last_entry_id());
        let last = last.map_or(u64::MAX, |last| last.map_or(0, EntryId::get));
        let released = self.unattended.release(through, last);
        released.with(|id| {
            let outcome = self.outcome(EntryId::new(id));
            outcome.unwrap_or_else(|| Err(Error::Closed.into()))
        })
    }
}
