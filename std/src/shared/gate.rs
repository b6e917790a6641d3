//! Where threads wait for a commit: behind a lock of its own, so that those who are released do not queue for the log's.
//!
//! Must never tell of durability but what was known under the log's lock.

use std::sync::PoisonError;

use durability_core::{Durable, EntryId};

use super::sync::{Condvar, Mutex, MutexGuard};

/// Where the threads wait that one commit releases: two of them, in turn.
pub(super) struct Gate {
    news: Mutex<News>,
    changed: Condvar,
}

/// What those who wait are told.
#[derive(Default)]
struct News {
    /// How often the gate was opened.
    opened: u64,
    /// What was durable then.
    durable: Option<Durable>,
    /// Those who wait were told so, and whoever wakes first is to wake the others.
    unheard: bool,
    /// One of those who wait is to lead.
    called: bool,
}

/// Who is woken, once the log's lock is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    Nobody,
    /// One of those for whom the gate was opened, who wakes the others: whoever opened it has more to do.
    First,
    /// One of those who wait, to lead.
    Called,
}

/// Somebody who is about to wait.
pub(super) struct Waiter<'a> {
    gate: &'a Gate,
    news: MutexGuard<'a, News>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self { news: Mutex::new(News::default()), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the log's lock held, which is let go of before waiting: so nothing that is told in between is missed.
    pub(super) fn enter(&self) -> Waiter<'_> {
        Waiter { gate: self, news: self.lock() }
    }

    /// Tells all who wait that they need not; with the log's lock held.
    pub(super) fn open(&self, durable: Option<Durable>) {
        let mut news = self.lock();
        news.opened += 1;
        news.durable = durable;
        news.unheard = true;
        news.called = false;
    }

    /// Calls one of those who wait to lead; with the log's lock held.
    pub(super) fn call(&self) {
        self.lock().called = true;
    }

    /// Somebody leads.
    pub(super) fn call_off(&self) {
        self.lock().called = false;
    }

    /// Wakes whom it concerns; without the log's lock.
    pub(super) fn wake(&self, wake: Wake) {
        if wake != Wake::Nobody {
            self.changed.notify_one();
        }
    }

    /// Sees to it that all who were released wake up, and then one who is to lead the next commit.
    pub(super) fn spread(&self, next: &Self) {
        if core::mem::take(&mut self.lock().unheard) {
            self.wake_others(next);
        }
    }

    fn wake_others(&self, next: &Self) {
        self.changed.notify_all();
        next.wake_called();
    }

    /// Wakes one of those who wait, if he is still called.
    fn wake_called(&self) {
        if self.lock().called {
            self.changed.notify_one();
        }
    }
}

impl Waiter<'_> {
    /// How often the gate has been opened before.
    pub(super) fn opened(&self) -> u64 {
        self.news.opened
    }

    /// Waits until the gate is opened, or this one is called; what is durable by then, if that covers the entry. `next` is where those wait whom the
    /// next commit releases.
    pub(super) fn wait(self, id: Option<EntryId>, next: &Gate) -> Option<Durable> {
        let Self { gate, mut news } = self;
        let opened = news.opened;
        loop {
            let released = news.opened != opened;
            // Whoever wakes first, released or not: it may be that others sleep who are.
            let unheard = core::mem::take(&mut news.unheard);
            let durable = news.durable.filter(|durable| released && id <= durable.through());
            if unheard {
                drop(news);
                gate.wake_others(next);
                if released {
                    return durable;
                }
                news = gate.lock();
                continue;
            }
            if released {
                return durable;
            }
            if news.called {
                news.called = false;
                return None;
            }
            news = gate.changed.wait(news).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
