//! Who waits for durability without a thread: tasks, and callbacks.
//!
//! Must never call, clone or drop a waker, nor call a callback, while the log's lock is held.

use alloc::collections::VecDeque;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use std::panic::catch_unwind;

/// What is called when an entry is durable, or never will be.
pub(super) type Callback<O> = Box<dyn FnOnce(O) + Send>;

/// Tasks and callbacks that wait.
pub(super) struct Waiting<O> {
    tasks: Vec<Option<Task>>,
    /// Places of `tasks` that are free.
    free: Vec<usize>,
    /// By entry id, lowest first.
    callbacks: VecDeque<(u64, Callback<O>)>,
}

/// A task keeps its place until it has looked, and its waker until it was woken.
struct Task {
    id: u64,
    waker: Option<Waker>,
}

/// Those whose waiting is over, and for callbacks how it ended.
pub(super) struct Released<C> {
    wakers: Vec<Waker>,
    callbacks: Vec<C>,
}

impl<O> Default for Waiting<O> {
    fn default() -> Self {
        Self { tasks: Vec::new(), free: Vec::new(), callbacks: VecDeque::new() }
    }
}

impl<O> Waiting<O> {
    /// A task waits for an entry. `place` is its place from an earlier call, while it has one. What is returned with its place is to be dropped
    /// without the lock.
    pub(super) fn task(
        &mut self,
        id: u64,
        waker: Waker,
        place: Option<usize>,
    ) -> (usize, Option<Waker>) {
        if let Some(place) = place
            && let Some(Some(task)) = self.tasks.get_mut(place)
        {
            return (place, task.waker.replace(waker));
        }
        let task = Some(Task { id, waker: Some(waker) });
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
        task.waker
    }

    /// A callback waits for an entry.
    pub(super) fn callback(&mut self, id: u64, callback: Callback<O>) {
        let place = self.callbacks.partition_point(|(other, _)| *other <= id);
        self.callbacks.insert(place, (id, callback));
    }

    /// The highest entry that anybody waits for.
    pub(super) fn highest(&self) -> Option<u64> {
        let tasks = self.tasks.iter().flatten().filter(|task| task.waker.is_some());
        let tasks = tasks.map(|task| task.id).max();
        tasks.max(self.callbacks.back().map(|(id, _)| *id))
    }

    /// Takes out the wakers and callbacks for entries up to `through`, and for those beyond `last`.
    pub(super) fn release(&mut self, through: u64, last: u64) -> Released<(u64, Callback<O>)> {
        let over = |id: u64| id <= through || id > last;
        let waiting = self.tasks.iter_mut().flatten().filter(|task| over(task.id));
        let wakers = waiting.filter_map(|task| task.waker.take()).collect();
        let beyond = self.callbacks.partition_point(|(id, _)| *id <= last);
        let gone = self.callbacks.split_off(beyond);
        let count = self.callbacks.partition_point(|(id, _)| *id <= through);
        let callbacks = self.callbacks.drain(..count).chain(gone).collect();
        Released { wakers, callbacks }
    }
}

impl<O> Released<(u64, Callback<O>)> {
    /// With what each callback is to be told.
    pub(super) fn with(self, outcome: impl Fn(u64) -> O) -> Released<(Callback<O>, O)> {
        let callbacks = self.callbacks.into_iter();
        let callbacks = callbacks.map(|(id, callback)| (callback, outcome(id))).collect();
        Released { wakers: self.wakers, callbacks }
    }
}

impl<O> Released<(Callback<O>, O)> {
    /// Calls them all. One that panics has told so, and concerns neither the others nor the thread that happens to commit.
    pub(super) fn call(self) {
        for waker in self.wakers {
            let _panicked = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
        for (callback, outcome) in self.callbacks {
            let _panicked = catch_unwind(AssertUnwindSafe(|| callback(outcome)));
        }
    }
}
