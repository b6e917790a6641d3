//! Who waits for durability without a thread: tasks, and callbacks.
//!
//! Must never call or drop a waker or a callback while the log's lock is held.

use alloc::collections::VecDeque;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use std::panic::catch_unwind;

/// What is called when an entry is durable, or never will be.
pub(super) type Callback<E> = Box<dyn FnOnce(E) + Send>;

/// Tasks and callbacks that wait.
pub(super) struct Waiting<O> {
    tasks: Vec<Option<Task>>,
    /// Places of `tasks` that are free.
    free: Vec<usize>,
    /// By entry id, lowest first.
    callbacks: VecDeque<(u64, Callback<O>)>,
}

struct Task {
    id: u64,
    waker: Waker,
}

/// Those whose waiting is over.
pub(super) struct Released<O> {
    wakers: Vec<Waker>,
    callbacks: Vec<Callback<O>>,
}

impl<O> Default for Waiting<O> {
    fn default() -> Self {
        Self { tasks: Vec::new(), free: Vec::new(), callbacks: VecDeque::new() }
    }
}

impl<O> Waiting<O> {
    /// A task waits for an entry. `place` is its place from an earlier call, while it has one.
    ///
    /// What is returned beside the place is to be dropped without the lock: the last waker of a task may take the task with it, and that its ticket.
    pub(super) fn task(
        &mut self,
        id: u64,
        waker: Waker,
        place: Option<usize>,
    ) -> (usize, Option<Waker>) {
        if let Some(place) = place
            && let Some(Some(task)) = self.tasks.get_mut(place)
        {
            return (place, Some(core::mem::replace(&mut task.waker, waker)));
        }
        let task = Some(Task { id, waker });
        if let Some(place) = self.free.pop()
            && let Some(free) = self.tasks.get_mut(place)
        {
            *free = task;
            return (place, None);
        }
        self.tasks.push(task);
        (self.tasks.len() - 1, None)
    }

    /// A task no longer waits. What is returned is to be dropped without the lock.
    pub(super) fn forget(&mut self, place: usize) -> Option<Waker> {
        let task = self.tasks.get_mut(place)?.take()?;
        self.free.push(place);
        Some(task.waker)
    }

    /// A callback waits for an entry.
    pub(super) fn callback(&mut self, id: u64, callback: Callback<O>) {
        let place = self.callbacks.partition_point(|(other, _)| *other <= id);
        self.callbacks.insert(place, (id, callback));
    }

    /// The highest entry that anybody waits for.
    pub(super) fn highest(&self) -> u64 {
        let tasks = self.tasks.iter().flatten().map(|task| task.id).max();
        let callbacks = self.callbacks.back().map(|(id, _)| *id);
        tasks.max(callbacks).unwrap_or(0)
    }

    /// Takes out the callbacks for entries up to `through`, and wakes their tasks' wakers: the tasks stay until they have looked.
    pub(super) fn release(&mut self, through: u64) -> Released<O> {
        let waiting = self.tasks.iter().flatten().filter(|task| task.id <= through);
        let wakers = waiting.map(|task| task.waker.clone()).collect();
        let count = self.callbacks.partition_point(|(id, _)| *id <= through);
        let callbacks = self.callbacks.drain(..count).map(|(_, callback)| callback).collect();
        Released { wakers, callbacks }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.callbacks.is_empty() && self.free.len() == self.tasks.len()
    }
}

impl<O: Clone> Released<O> {
    /// Calls them all. A callback that panics is the end of that callback: whoever commits has nothing to do with it.
    pub(super) fn call(self, outcome: &O) {
        for waker in self.wakers {
            waker.wake();
        }
        for callback in self.callbacks {
            let outcome = outcome.clone();
            // The panic has been told by the hook that the program has for it.
            let _panicked = catch_unwind(AssertUnwindSafe(|| callback(outcome)));
        }
    }
}
