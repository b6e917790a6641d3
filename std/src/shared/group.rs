//! Group commit: whoever needs a commit first leads it, for all that is staged by then; the others stage more, or wait.
//!
//! Must never hold the lock across a write, a sync, a waker or a callback, nor release anybody before a sync that covers him has returned.

use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::PoisonError;

use durability_core::walog::{Commit, Hooks, Staged, StagedWriter};
use durability_core::{Durable, EntryId, Error};

use crate::follow::{Watermark, WriterEnd};

use super::directory::SharedDirectory;
use super::failure::Failure;
use super::options::SharedOptions;
use super::state::{Running, State};
use super::sync::{Condvar, Instant, Mutex, MutexGuard, wait_timeout};

/// What becomes of waiting.
pub(super) type Outcome<E> = Result<Durable, Failure<E>>;
pub(super) type Locked<'a, D, H> = MutexGuard<'a, State<D, H>>;
/// The state, and the last entry that is staged.
type Last<'a, D, H> = (Locked<'a, D, H>, Option<EntryId>);
/// The state, and what became of what was tried.
type Led<'a, D, H, E> = (Locked<'a, D, H>, Result<(), Failure<E>>);

/// What the threads share.
pub(super) struct Shared<D: SharedDirectory, H: Hooks> {
    pub(super) dir: D,
    state: Mutex<State<D, H>>,
    /// Who waits for a sync, by the parity of the commit's number: so a commit wakes its own.
    groups: [Condvar; 2],
    /// Who waits for room in the buffer, or for the whole writer.
    room: Condvar,
    /// The leader that waits for company.
    company: Condvar,
    /// The background thread.
    pub(super) work: Condvar,
    /// Followers.
    watermark: Watermark,
}

/// What comes back from whoever had the whole writer.
pub(super) struct Returned<D: SharedDirectory, H: Hooks, R> {
    /// None if the log was closed.
    pub(super) wal: Option<StagedWriter<D, H>>,
    /// What is durable, where the writer is gone and cannot tell.
    pub(super) durable: Option<Durable>,
    pub(super) result: Result<R, Error<D::Error>>,
}

/// What a commit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Room in the buffer, and survival of the process.
    Flush,
    /// Survival of a power loss.
    Sync,
    /// Room in the log.
    Rotate,
}

impl<D: SharedDirectory, H: Hooks> Shared<D, H> {
    pub(super) fn new(dir: D, wal: StagedWriter<D, H>, options: SharedOptions) -> Self {
        Self {
            dir,
            state: Mutex::new(State::new(wal, options)),
            groups: [Condvar::new(), Condvar::new()],
            room: Condvar::new(),
            company: Condvar::new(),
            work: Condvar::new(),
            watermark: Watermark::new(),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_, D, H> {
        // A thread that panicked with the lock held has left a state in order: nothing of the user's runs under it but hooks, and whoever leads sees to
        // those.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stages through `put`, with commits and rotations as the buffer and the segment ask for them.
    pub(super) fn append<T>(
        &self,
        mut put: impl FnMut(&mut StagedWriter<D, H>) -> Result<Staged<T>, Error<D::Error>>,
    ) -> Result<T, Failure<D::Error>> {
        let mut state = self.lock();
        loop {
            state.check()?;
            let purpose = match &mut state.wal {
                None => None,
                Some(wal) => match put(wal)? {
                    Staged::Full => Some(Purpose::Flush),
                    Staged::Rotate => Some(Purpose::Rotate),
                    Staged::Done(appended) => {
                        if wal.flush_is_due() {
                            self.flush_locked(state)?;
                        }
                        return Ok(appended);
                    }
                },
            };
            state = match purpose {
                Some(Purpose::Rotate) if state.is_free() && state.hands_over() => {
                    self.hand_over(state)?
                }
                Some(purpose) if state.is_free() => {
                    let (state, outcome) = self.lead(state, purpose);
                    outcome?;
                    state
                }
                _ => self.wait_for_room(state),
            };
        }
    }

    /// Rotates into the segment that is ready, and leaves the outgoing one's sync to the background thread: what is staged meanwhile waits for that.
    fn hand_over<'a>(
        &'a self,
        state: Locked<'a, D, H>,
    ) -> Result<Locked<'a, D, H>, Failure<D::Error>> {
        let (mut state, begun) =
            self.with_hooks(state, |state| state.wal.as_mut().map(StagedWriter::begin_rotation));
        let Some(begun) = begun else { return Ok(state) };
        match begun {
            Ok(commit) => {
                state.begun(&commit);
                state.leading = true;
                state.handed_over = Some(commit);
                self.work.notify_one();
                Ok(state)
            }
            Err(error) => {
                let failure = state.failed(error);
                drop(self.over(state));
                Err(failure)
            }
        }
    }

    /// Stages if that takes neither I/O nor waiting.
    pub(super) fn try_append<T>(
        &self,
        put: impl FnOnce(&mut StagedWriter<D, H>) -> Result<Staged<T>, Error<D::Error>>,
    ) -> Result<Option<T>, Failure<D::Error>> {
        let mut state = self.lock();
        state.check()?;
        let Some(wal) = &mut state.wal else { return Ok(None) };
        let wanted = match put(wal)? {
            Staged::Done(appended) => {
                state.refused = None;
                return Ok(Some(appended));
            }
            Staged::Full => Purpose::Flush,
            Staged::Rotate => Purpose::Rotate,
        };
        if let Some(failure) = state.refused.take() {
            return Err(failure);
        }
        state.wanted = Some(wanted);
        if state.has_work() {
            self.work.notify_one();
        }
        Ok(None)
    }

    /// How far the log goes, for a follower to wait for more.
    pub(super) fn watermark(&self) -> Watermark {
        // First a clone: from then on, whoever ends a commit tells it.
        let watermark = self.watermark.clone();
        let news = self.lock().announcement();
        watermark.announce(news);
        watermark
    }

    /// Hands everything staged so far to the system.
    pub(super) fn flush(&self) -> Result<(), Failure<D::Error>> {
        self.flush_locked(self.lock())
    }

    fn flush_locked<'a>(&'a self, state: Locked<'a, D, H>) -> Result<(), Failure<D::Error>> {
        let (mut state, last) = self.last_staged(state)?;
        while state.flushed < last {
            state.check()?;
            // What was truncated away meanwhile is not waited for.
            if state.wal.as_ref().is_some_and(|wal| state.flushed >= wal.writer().last_entry_id()) {
                break;
            }
            state = if state.is_free() {
                let (state, outcome) = self.lead(state, Purpose::Flush);
                outcome?;
                state
            } else {
                self.wait_for_room(state)
            };
        }
        Ok(())
    }

    /// Makes everything staged so far durable.
    pub(super) fn sync(&self) -> Outcome<D::Error> {
        let (state, last) = self.last_staged(self.lock())?;
        self.wait_locked(state, last).or_else(|failure| match failure.error() {
            // It was truncated away meanwhile, which made all that is left durable.
            Error::Gap { .. } => self.lock().durable.ok_or(failure),
            _ => Err(failure),
        })
    }

    /// The last entry that is staged by now; whoever has the whole writer is waited for.
    fn last_staged<'a>(
        &'a self,
        mut state: Locked<'a, D, H>,
    ) -> Result<Last<'a, D, H>, Failure<D::Error>> {
        loop {
            state.check()?;
            if let Some(wal) = &state.wal {
                let last = wal.writer().last_entry_id();
                return Ok((state, last));
            }
            state = self.wait_for_room(state);
        }
    }

    /// Waits until an entry is durable, and leads the commit if nobody else does.
    pub(super) fn wait(&self, id: EntryId) -> Outcome<D::Error> {
        self.wait_locked(self.lock(), Some(id))
    }

    // Whoever is woken to lead leads: an entry of the next commit cannot become durable, and its waiter leave, before somebody has led that.
    fn wait_locked<'a>(
        &'a self,
        mut state: Locked<'a, D, H>,
        id: Option<EntryId>,
    ) -> Outcome<D::Error> {
        loop {
            if let Some(outcome) = state.outcome(id) {
                return outcome;
            }
            if state.is_free() {
                let outcome;
                (state, outcome) = self.lead(state, Purpose::Sync);
                outcome?;
                continue;
            }
            let group = state.group_of(id);
            state.join(group);
            if state.has_company() {
                self.company.notify_one();
            }
            let waited = self.group(group).wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.leave(group);
            if planted!(NextReleased)
                && let Some(durable) = state.durable
            {
                self.group(state.next_commit % 2).notify_all();
                return Ok(durable);
            }
        }
    }

    /// Leads a commit.
    pub(super) fn lead<'a>(
        &'a self,
        mut state: Locked<'a, D, H>,
        purpose: Purpose,
    ) -> Led<'a, D, H, D::Error> {
        state.leading = true;
        if purpose != Purpose::Sync {
            state.wanted = None;
        }
        if purpose == Purpose::Sync {
            state = self.gather(state);
        }
        let begun;
        (state, begun) = self.with_hooks(state, |state| match &mut state.wal {
            None => Ok(None),
            Some(wal) if purpose == Purpose::Rotate => wal.begin_rotation().map(Some),
            Some(wal) => wal.begin(purpose == Purpose::Sync),
        });
        match begun {
            Ok(Some(commit)) => {
                state.begun(&commit);
                self.run(state, commit)
            }
            Ok(None) => {
                // Nothing is staged, and nothing waits for a sync.
                state.refresh();
                (self.over(state), Ok(()))
            }
            Err(error) => {
                let failure = state.failed(error);
                (self.over(state), Err(failure))
            }
        }
    }

    /// Runs a commit without the lock, and tells everybody.
    pub(super) fn run<'a>(
        &'a self,
        state: Locked<'a, D, H>,
        mut commit: Commit<D>,
    ) -> Led<'a, D, H, D::Error> {
        drop(state);
        let abandoned = Abandoned(self);
        let begun = Instant::now();
        let run = commit.run(&self.dir);
        let took = begun.elapsed();
        core::mem::forget(abandoned);
        let mut state = self.lock();
        if commit.syncs() {
            state.synced(took);
        }
        let (mut state, ended) = self.with_hooks(state, |state| match &mut state.wal {
            Some(wal) => wal.end(commit).map(|_durable| ()),
            None => Ok(()),
        });
        // What failed first is the reason; that the writer is poisoned is its consequence.
        let outcome = run.and(ended).map_err(|error| state.failed(error));
        state.refresh();
        (self.over(state), outcome)
    }

    /// The end of a commit, or of the use of the whole writer: everybody whom it concerns goes on.
    fn over<'a>(&'a self, mut state: Locked<'a, D, H>) -> Locked<'a, D, H> {
        state.leading = false;
        let ended = state.running.take();
        if state.is_over() {
            self.group(0).notify_all();
            self.group(1).notify_all();
        } else {
            let next = self.group(state.next_commit % 2);
            match ended {
                Some(Running { number, .. }) => {
                    self.group(number % 2).notify_all();
                    // One of those who wait for the next commit leads it.
                    next.notify_one();
                }
                // Whoever had the whole writer may have made everything durable, or have taken it back: then nobody leads.
                None => next.notify_all(),
            }
        }
        self.look_again(&state);
        if state.has_work() {
            self.work.notify_one();
        }
        let watched = self.watermark.is_watched();
        if state.unattended.highest().is_none() && !watched {
            return state;
        }
        let (released, news) = (state.release(), state.announcement());
        drop(state);
        if watched {
            self.watermark.announce(news);
        }
        released.call();
        self.lock()
    }

    /// Does what may call hooks, which are the user's. Where they panic, nobody must wait for this thread.
    fn with_hooks<'a, R>(
        &'a self,
        mut state: Locked<'a, D, H>,
        act: impl FnOnce(&mut State<D, H>) -> R,
    ) -> (Locked<'a, D, H>, R) {
        match catch_unwind(AssertUnwindSafe(|| act(&mut state))) {
            Ok(result) => (state, result),
            Err(panic) => {
                let _failure = state.failed(Error::Closed);
                state.closed = true;
                drop(self.over(state));
                resume_unwind(panic)
            }
        }
    }

    fn group(&self, parity: usize) -> &Condvar {
        let [even, odd] = &self.groups;
        if parity == 0 { even } else { odd }
    }

    /// Whoever waits for room, or for the whole writer, looks again.
    pub(super) fn look_again(&self, state: &State<D, H>) {
        if state.waiting_for_room > 0 {
            self.room.notify_all();
        }
    }

    /// Waits until no segment is being made ready: that holds the log's lock. For a log that is closed.
    pub(super) fn wait_for_preparation(&self) {
        let mut state = self.lock();
        while state.preparing {
            state = self.wait_for_room(state);
        }
    }

    pub(super) fn wait_for_room<'a>(&'a self, mut state: Locked<'a, D, H>) -> Locked<'a, D, H> {
        state.waiting_for_room += 1;
        let mut state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.waiting_for_room -= 1;
        state
    }

    /// Waits for company, if that was worth it lately.
    fn gather<'a>(&'a self, mut state: Locked<'a, D, H>) -> Locked<'a, D, H> {
        let first = state.present();
        let Some(patience) = state.company.patience(first) else { return state };
        let begun = Instant::now();
        let mut present = first;
        state.gathering = Some(patience.expected);
        loop {
            let left = patience.limit.saturating_sub(begun.elapsed());
            let timed_out;
            let quiet = patience.quiet.min(left);
            (state, timed_out) = wait_timeout(&self.company, &self.state, state, quiet);
            let now = state.present();
            if now >= patience.expected || left.is_zero() || (timed_out && now == present) {
                state.company.waited(now.saturating_sub(first));
                break;
            }
            present = now;
        }
        state.gathering = None;
        state
    }

    /// Lends the whole writer, once no commit runs. Nobody appends meanwhile, and no commit begins.
    pub(super) fn whole<R>(
        &self,
        with: impl FnOnce(StagedWriter<D, H>) -> Returned<D, H, R>,
    ) -> Result<R, Failure<D::Error>> {
        let mut state = self.lock();
        state.waiting_for_whole += 1;
        while state.leading && !state.is_over() {
            state = self.wait_for_room(state);
        }
        state.waiting_for_whole -= 1;
        state.check()?;
        let Some(wal) = state.wal.take() else { return Err(Error::Closed.into()) };
        state.last = wal.writer().last_entry_id();
        state.leading = true;
        drop(state);
        let abandoned = Abandoned(self);
        let Returned { wal, durable, result } = with(wal);
        core::mem::forget(abandoned);
        let mut state = self.lock();
        state.closed = wal.is_none();
        state.wal = wal;
        state.refresh();
        state.durable = durable.or(state.durable);
        let result = result.map_err(|error| state.failed(error));
        state.notice();
        drop(self.over(state));
        result
    }

    /// Lets go of a log that failed: its files are closed, and its lock is released.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        while state.leading {
            state = self.wait_for_room(state);
        }
        state.closed = true;
        let wal = state.wal.take();
        drop(self.over(state));
        drop(wal);
    }
}

/// Somebody who has the writer, or a commit of it, panics: nobody must wait for him.
struct Abandoned<'a, D: SharedDirectory, H: Hooks>(&'a Shared<D, H>);

impl<D: SharedDirectory, H: Hooks> Drop for Abandoned<'_, D, H> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let _failure = state.failed(Error::Closed);
        state.closed = true;
        drop(self.0.over(state));
    }
}

impl<D: SharedDirectory, H: Hooks> Drop for Shared<D, H> {
    fn drop(&mut self) {
        // Whoever follows waits for nothing any more. The first word counts: a log that was closed is closed.
        self.watermark.end(WriterEnd::Failed);
    }
}
