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
use super::gate::{Gate, Wake};
use super::options::SharedOptions;
use super::state::{Running, State};
use super::sync::{Condvar, Instant, Mutex, MutexGuard, called_too_late, wait_timeout};

/// What becomes of waiting.
pub(super) type Outcome<E> = Result<Durable, Failure<E>>;
pub(super) type Locked<'a, D, H> = MutexGuard<'a, State<D, H>>;
/// The state, and what was staged.
type Appended<'a, D, H, T> = (Locked<'a, D, H>, T);
/// The state, and the last entry that is staged.
type Last<'a, D, H> = (Locked<'a, D, H>, Option<EntryId>);
/// What is durable once a commit was led.
type Led<E> = Result<Option<Durable>, Failure<E>>;

/// What the threads share.
pub(super) struct Shared<D: SharedDirectory, H: Hooks> {
    pub(super) dir: D,
    state: Mutex<State<D, H>>,
    /// Where those wait who wait for a sync, by the parity of the commit's number: so a commit wakes its own.
    gates: [Gate; 2],
    /// Who waits for room in the buffer, or for the whole writer.
    room: Condvar,
    /// The leader that waits for company.
    company: Condvar,
    /// The background thread.
    pub(super) work: Condvar,
    /// Followers.
    watermark: Watermark,
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
            gates: [Gate::new(), Gate::new()],
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
        put: impl FnMut(&mut StagedWriter<D, H>) -> Result<Staged<T>, Error<D::Error>>,
    ) -> Result<T, Failure<D::Error>> {
        self.append_locked(put).map(|(_state, appended)| appended)
    }

    /// Stages an entry through `put`, and waits until it is durable.
    pub(super) fn append_durable(
        &self,
        put: impl FnMut(&mut StagedWriter<D, H>) -> Result<Staged<EntryId>, Error<D::Error>>,
    ) -> Result<EntryId, Failure<D::Error>> {
        let (state, id) = self.append_locked(put)?;
        let _durable = self.wait_locked(state, Some(id))?;
        Ok(id)
    }

    fn append_locked<T>(
        &self,
        mut put: impl FnMut(&mut StagedWriter<D, H>) -> Result<Staged<T>, Error<D::Error>>,
    ) -> Result<Appended<'_, D, H, T>, Failure<D::Error>> {
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
                            state = self.lock();
                        }
                        return Ok((state, appended));
                    }
                },
            };
            state = match purpose {
                Some(Purpose::Rotate) if state.is_free() && state.hands_over() => {
                    self.hand_over(state)?
                }
                Some(purpose) if state.is_free() => {
                    self.lead(state, purpose)?;
                    self.lock()
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
                self.over(state);
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
                self.lead(state, Purpose::Flush)?;
                self.lock()
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
                match self.lead(state, Purpose::Sync)? {
                    Some(durable) if id <= durable.through() => return Ok(durable),
                    _ => state = self.lock(),
                }
                continue;
            }
            let group = state.group_of(id);
            state.join(group);
            let has_company = state.has_company();
            let (gate, other) = (self.gate(group), self.gate(1 - group));
            let waiter = gate.enter();
            let opened = waiter.opened();
            drop(state);
            if has_company {
                self.company.notify_one();
            }
            let durable = waiter.wait(id, other);
            let released_early = planted!(NextReleased);
            if let Some(durable) = durable
                && !released_early
            {
                return Ok(durable);
            }
            state = self.lock();
            if !state.leave(group, opened) {
                // Released on the way here: those who were to be woken by the first who hears of it may count on this one.
                gate.spread(other);
            }
            if released_early && let Some(durable) = state.durable {
                let next = state.next_group();
                state.open(next);
                self.gate(next).open(Some(durable));
                self.gate(next).wake(Wake::First);
                return Ok(durable);
            }
        }
    }

    /// Leads a commit.
    pub(super) fn lead<'a>(
        &'a self,
        mut state: Locked<'a, D, H>,
        purpose: Purpose,
    ) -> Led<D::Error> {
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
                self.gate(state.next_group()).call_off();
                state.begun(&commit);
                self.run(state, commit)
            }
            Ok(None) => {
                // Nothing is staged, and nothing waits for a sync.
                state.refresh();
                Ok(self.over(state))
            }
            Err(error) => {
                let failure = state.failed(error);
                self.over(state);
                Err(failure)
            }
        }
    }

    /// Runs a commit without the lock, and tells everybody.
    pub(super) fn run<'a>(
        &'a self,
        state: Locked<'a, D, H>,
        mut commit: Commit<D>,
    ) -> Led<D::Error> {
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
        let durable = self.over(state);
        outcome.map(|()| durable)
    }

    /// The end of a commit, or of the use of the whole writer: everybody whom it concerns goes on. What is durable by then.
    pub(super) fn over(&self, mut state: Locked<'_, D, H>) -> Option<Durable> {
        state.leading = false;
        let durable = state.durable;
        // Told under the lock, woken without: whoever wakes would queue for it.
        let wakes = self.tell(&mut state, durable);
        let room = state.waiting_for_room > 0;
        let work = state.has_work();
        let watched = self.watermark.is_watched();
        let told = state.unattended.highest().is_some() || watched;
        let told = told.then(|| (state.release(), state.announcement()));
        drop(state);
        for (gate, wake) in self.gates.iter().zip(wakes) {
            gate.wake(wake);
        }
        if room {
            self.room.notify_all();
        }
        if work {
            self.work.notify_one();
        }
        if let Some((released, news)) = told {
            if watched {
                self.watermark.announce(news);
            }
            released.call();
        }
        durable
    }

    /// Tells those who wait for a commit what concerns them, and whom to wake.
    fn tell(&self, state: &mut State<D, H>, durable: Option<Durable>) -> [Wake; 2] {
        let mut wakes = [Wake::Nobody; 2];
        let next = state.next_group();
        let running = state.running.take();
        let ended = running.map_or(next, |Running { number, .. }| number % 2);
        // The others' group first: whoever is released may be awake already, and wakes who is called by then.
        let mut groups = [1 - ended, ended];
        if called_too_late() {
            groups.reverse();
        }
        for group in groups {
            let waited = state.is_waiting(group);
            // Whoever had the whole writer may have made everything durable, or have taken it back: then nobody leads.
            if state.is_over() || group == ended {
                state.open(group);
                self.gate(group).open(durable);
                wakes[group] = if waited { Wake::First } else { Wake::Nobody };
            } else if waited && group == next {
                // Somebody leads the next commit: who comes first, or else one of those who wait for it.
                self.gate(group).call();
                wakes[group] = Wake::Called;
            }
        }
        // Those who are released see to that: meanwhile whoever has led goes on, and may lead again.
        if wakes.contains(&Wake::First) {
            return wakes.map(|wake| if wake == Wake::Called { Wake::Nobody } else { wake });
        }
        wakes
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
                self.over(state);
                resume_unwind(panic)
            }
        }
    }

    fn gate(&self, group: usize) -> &Gate {
        let [even, odd] = &self.gates;
        if group == 0 { even } else { odd }
    }

    /// Whoever waits for room, or for the whole writer, looks again.
    pub(super) fn look_again(&self, state: &State<D, H>) {
        if state.waiting_for_room > 0 {
            self.room.notify_all();
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
}

/// Somebody who has the writer, or a commit of it, panics: nobody must wait for him.
pub(super) struct Abandoned<'a, D: SharedDirectory, H: Hooks>(pub(super) &'a Shared<D, H>);

impl<D: SharedDirectory, H: Hooks> Drop for Abandoned<'_, D, H> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let _failure = state.failed(Error::Closed);
        state.closed = true;
        self.0.over(state);
    }
}

impl<D: SharedDirectory, H: Hooks> Drop for Shared<D, H> {
    fn drop(&mut self) {
        // Whoever follows waits for nothing any more. The first word counts: a log that was closed is closed.
        self.watermark.end(WriterEnd::Failed);
    }
}
