//! How far a log is written and durable, for those who wait for it in the same process.
//!
//! Must never lose a wake-up, nor wake, call or drop anything of the user's with its lock held.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::mem;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use durability_core::EntryId;
use durability_core::walog::Reach;

use super::lock;

/// How far a log is written and durable, told by its writer's owner and awaited by its readers. Clones share it.
///
/// Whoever owns the writer calls [`advance`](Self::advance) after every flush and sync, and [`end`](Self::end) at last.
///
/// ```
/// use durability::EntryId;
/// use durability::follow::Watermark;
/// use durability::walog::Reach;
/// let watermark = Watermark::new();
/// watermark.advance(EntryId::new(7), EntryId::new(5));
/// assert_eq!(watermark.mark(Reach::Written).through, EntryId::new(7));
/// assert_eq!(watermark.mark(Reach::Durable).through, EntryId::new(5));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Watermark {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    written: Option<EntryId>,
    durable: Option<EntryId>,
    end: Option<WriterEnd>,
    /// How often entries were taken back.
    lowered: u64,
    threads: [usize; 2],
    tasks: BTreeMap<u64, (Reach, Waker)>,
    tasks_made: u64,
    /// Which of several announcements is the latest, where they may overtake each other.
    version: u64,
}

/// How far a log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Mark {
    /// The last entry; `None` before the first.
    pub through: Option<EntryId>,
    /// How the writer has ended, if it has.
    pub end: Option<WriterEnd>,
    /// How often entries were taken back so far: a truncation lowers the mark.
    pub lowered: u64,
}

/// How a writer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriterEnd {
    /// It was closed: there will be no more entries, and all are durable.
    Closed,
    /// It failed: what was not durable may be lost.
    Failed,
}

impl State {
    const fn mark(&self, reach: Reach) -> Mark {
        let through = match reach {
            Reach::Written => self.written,
            _ => self.durable,
        };
        Mark { through, end: self.end, lowered: self.lowered }
    }

    /// Takes over how far the log goes, and tells whom that concerns.
    fn advance(&mut self, written: Option<EntryId>, durable: Option<EntryId>) -> [bool; 2] {
        let before = (self.written, self.durable);
        self.durable = durable;
        self.written = written.max(durable);
        if self.written < before.0 || self.durable < before.1 {
            self.lowered += 1;
            return [true, true];
        }
        [self.written != before.0, self.durable != before.1]
    }
}

/// How far a log goes, told by one of several who may overtake each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcement {
    /// The later, the higher; from 1.
    pub(crate) version: u64,
    pub(crate) written: Option<EntryId>,
    pub(crate) durable: Option<EntryId>,
    pub(crate) end: Option<WriterEnd>,
}

const fn index(reach: Reach) -> usize {
    match reach {
        Reach::Written => 0,
        _ => 1,
    }
}

impl Watermark {
    /// A log of which nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The log is written, and durable, up to these entries. A lower mark than before says that entries were taken back.
    ///
    /// Readers may read up to them from here on, so what is written must have been handed to the system. What is durable is written too.
    pub fn advance(&self, written: Option<EntryId>, durable: Option<EntryId>) {
        self.change(|state| state.advance(written, durable));
    }

    /// [`advance`](Self::advance), and [`end`](Self::end) if it has, unless a later version was announced before.
    pub(crate) fn announce(&self, news: Announcement) {
        let Announcement { version, written, durable, end } = news;
        self.change(|state| {
            if version <= state.version {
                return [false, false];
            }
            state.version = version;
            let before = (state.written, state.durable, state.end);
            state.end = state.end.or(end);
            let changed = state.advance(written, durable);
            if state.end == before.2 { changed } else { [true, true] }
        });
    }

    /// Whether anybody but its owner has it.
    pub(crate) fn is_watched(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// There will be no more entries. The first word on it counts.
    pub fn end(&self, end: WriterEnd) {
        self.change(|state| {
            state.end.get_or_insert(end);
            [true, true]
        });
    }

    /// How far the log goes.
    pub fn mark(&self, reach: Reach) -> Mark {
        lock(&self.shared.state).mark(reach)
    }

    /// Waits until the mark is another than `seen`, or for that long, and tells it.
    pub fn wait_beyond(&self, reach: Reach, seen: Mark, timeout: Option<Duration>) -> Mark {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = lock(&self.shared.state);
        while state.mark(reach) == seen {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state.threads[index(reach)] += 1;
            let changed = &self.shared.changed;
            state = match left {
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.threads[index(reach)] -= 1;
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
        }
        state.mark(reach)
    }

    /// The mark, if it is another than `seen`; otherwise the task is woken once it is. `place` is where the task is kept, for the next time.
    pub fn poll_beyond(
        &self,
        reach: Reach,
        seen: Mark,
        context: &Context<'_>,
        place: &mut Option<u64>,
    ) -> Poll<Mark> {
        let waker = context.waker().clone();
        let mut state = lock(&self.shared.state);
        let mark = state.mark(reach);
        let old = if mark == seen {
            let key = place.take().unwrap_or(state.tasks_made);
            state.tasks_made = state.tasks_made.max(key + 1);
            *place = Some(key);
            state.tasks.insert(key, (reach, waker))
        } else {
            place.and_then(|key| state.tasks.remove(&key))
        };
        drop(state);
        drop(old);
        if mark == seen { Poll::Pending } else { Poll::Ready(mark) }
    }

    /// Forgets a task that does not wait any more.
    pub fn forget(&self, place: u64) {
        let old = lock(&self.shared.state).tasks.remove(&place);
        drop(old);
    }

    /// Changes the state and wakes those whom it concerns: the answer says which reaches.
    fn change(&self, change: impl FnOnce(&mut State) -> [bool; 2]) {
        let mut state = lock(&self.shared.state);
        let concerned = change(&mut state);
        let threads = (0..2).any(|index| concerned[index] && state.threads[index] > 0);
        let mut woken = BTreeMap::new();
        if !state.tasks.is_empty() && concerned != [false, false] {
            let tasks = mem::take(&mut state.tasks);
            (woken, state.tasks) =
                tasks.into_iter().partition(|(_, (reach, _))| concerned[index(*reach)]);
        }
        drop(state);
        if threads {
            self.shared.changed.notify_all();
        }
        for (_, waker) in woken.into_values() {
            waker.wake();
        }
    }
}
