//! A ticket: the way to learn that an entry is durable.
//!
//! Must never tell of durability before the entry, and all before it, are durable.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use alloc::sync::Arc;

use durability_core::walog::Hooks;
use durability_core::{Durable, EntryId};

use super::background::Background;
use super::directory::SharedDirectory;
use super::failure::Failure;
use super::group::{Outcome, Shared};

/// An entry that was appended, and the ways to learn when it is durable: [`wait`](Self::wait), [`on_durable`](Self::on_durable), `.await`.
///
/// Dropping it changes nothing for the entry. It resolves once everything up to its entry is durable, or fails with what has made that impossible; an entry
/// that was truncated away first is [`Error::Gap`](durability_core::Error::Gap). Until the last ticket is gone, the log is open as if
/// there were a handle.
///
/// **Awaiting** blocks no thread: the log's background thread commits for those who wait without one. Where that is
/// [turned off](super::SharedOptions::background), a task is woken by the next commit that anybody else makes, so somebody must.
#[must_use = "the entry is not durable yet"]
pub struct Ticket<D: SharedDirectory = crate::storage::FsDirectory, H: Hooks + Send + 'static = ()>
{
    log: Arc<Background<D, H>>,
    id: EntryId,
    /// Where the task that awaits it is kept.
    place: Option<usize>,
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> Ticket<D, H> {
    pub(super) const fn new(log: Arc<Background<D, H>>, id: EntryId) -> Self {
        Self { log, id, place: None }
    }

    fn shared(&self) -> &Shared<D, H> {
        self.log.shared()
    }

    /// The entry's id; of a batch, the last one.
    pub const fn id(&self) -> EntryId {
        self.id
    }

    /// Whether it is durable by now.
    pub fn is_durable(&self) -> bool {
        self.shared().lock().durable_through() >= Some(self.id)
    }

    /// Waits until the entry is durable. Whoever waits first commits for all who have come by then.
    ///
    /// **Durability.** After `Ok`, of everything up to the entry, and maybe more: the answer tells.
    ///
    /// # Errors
    /// What made the commit fail, or the log unusable.
    pub fn wait(&self) -> Outcome<D::Error> {
        self.shared().wait(self.id)
    }

    /// Calls `callback` once the entry is durable, or cannot become so: at once, or on the thread that commits, with no lock held.
    ///
    /// Callbacks of different entries may come in any order. They should be short: commits wait for them.
    pub fn on_durable(
        self,
        callback: impl FnOnce(Result<Durable, Failure<D::Error>>) + Send + 'static,
    ) {
        let mut state = self.shared().lock();
        if let Some(outcome) = state.outcome(Some(self.id)) {
            drop(state);
            callback(outcome);
            return;
        }
        state.unattended.callback(self.id.get(), Box::new(callback));
        if state.has_work() {
            self.shared().work.notify_one();
        }
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> Future for Ticket<D, H> {
    type Output = Result<Durable, Failure<D::Error>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { log, id, place } = self.get_mut();
        // Wakers are the user's: they are cloned and dropped without the lock.
        let waker = context.waker().clone();
        let mut state = log.shared().lock();
        if let Some(outcome) = state.outcome(Some(*id)) {
            let old = place.take().and_then(|place| state.unattended.forget(place));
            drop(state);
            drop((old, waker));
            return Poll::Ready(outcome);
        }
        let (taken, old) = state.unattended.task(id.get(), waker, *place);
        *place = Some(taken);
        if state.has_work() {
            log.shared().work.notify_one();
        }
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> Drop for Ticket<D, H> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let old = self.shared().lock().unattended.forget(place);
            drop(old);
        }
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> fmt::Debug for Ticket<D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("id", &self.id).finish_non_exhaustive()
    }
}
