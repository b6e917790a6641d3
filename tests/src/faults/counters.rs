//! The shared handle: counts, the orders of faults, and the trace.
//!
//! Must never perform an operation itself.

use std::sync::{Arc, Mutex};

use super::{Counts, Event, Fault, Operation};
use crate::shared::lock;

/// Counts the operations on a [`FaultyDirectory`](super::FaultyDirectory) and orders its faults; clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    orders: Vec<Order>,
    fired: u64,
    trace: Option<Vec<Event>>,
    watcher: Option<Watcher>,
}

/// Called before each operation.
#[derive(Clone)]
struct Watcher(Arc<dyn Fn(Operation) + Send + Sync>);

impl core::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Watcher")
    }
}

#[derive(Debug, Clone, Copy)]
struct Order {
    /// `None` for every kind.
    operation: Option<Operation>,
    /// The matching operation that is hit, counted down; 1 is the next.
    left: u64,
    fault: Fault,
    /// Whether all matching operations after it are hit too.
    lasting: bool,
}

/// What becomes of one operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ruling {
    pub(super) index: u64,
    pub(super) fault: Option<Fault>,
}

impl Counters {
    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        lock(&self.state).counts
    }

    /// How often this operation was asked for.
    pub fn of(&self, operation: Operation) -> u64 {
        self.counts().of(operation)
    }

    /// Sets all counts to zero. Orders and trace stay.
    pub fn reset(&self) {
        lock(&self.state).counts = Counts::default();
    }

    /// The `nth` operation of this kind from now on fails, once; 1 is the next one.
    pub fn fail_nth(&self, operation: Operation, nth: u64, fault: Fault) {
        self.order(Some(operation), nth, fault, false);
    }

    /// The `nth` operation of any kind from now on fails, once; 1 is the next one.
    pub fn fail_nth_of_all(&self, nth: u64, fault: Fault) {
        self.order(None, nth, fault, false);
    }

    /// Operations of this kind fail from the `nth` on, until [`heal`](Self::heal): a disk that stays full.
    pub fn fail_from(&self, operation: Operation, nth: u64, fault: Fault) {
        self.order(Some(operation), nth, fault, true);
    }

    /// All operations fail from the `nth` on, until [`heal`](Self::heal): a disk that is gone.
    pub fn fail_all_from(&self, nth: u64, fault: Fault) {
        self.order(None, nth, fault, true);
    }

    /// Takes back every order that has not been carried out, and ends the lasting ones.
    pub fn heal(&self) {
        lock(&self.state).orders.clear();
    }

    /// How many operations failed by order.
    pub fn fired(&self) -> u64 {
        lock(&self.state).fired
    }

    /// Keeps every operation from now on, in order; what was kept before is dropped.
    pub fn start_trace(&self) {
        lock(&self.state).trace = Some(Vec::new());
    }

    /// Returns what was kept, and keeps nothing more.
    pub fn take_trace(&self) -> Vec<Event> {
        lock(&self.state).trace.take().unwrap_or_default()
    }

    /// Calls `watcher` before each operation from now on, in place of an earlier one. It may use the directory, though not this wrapper of it.
    pub fn before_each(&self, watcher: impl Fn(Operation) + Send + Sync + 'static) {
        lock(&self.state).watcher = Some(Watcher(Arc::new(watcher)));
    }

    fn order(&self, operation: Option<Operation>, nth: u64, fault: Fault, lasting: bool) {
        lock(&self.state).orders.push(Order { operation, left: nth.max(1), fault, lasting });
    }

    /// Counts one operation and rules whether it fails; of several orders due at once the first given wins.
    pub(super) fn count(&self, operation: Operation, name: &str, bytes: usize) -> Ruling {
        let watcher = lock(&self.state).watcher.clone();
        if let Some(Watcher(watcher)) = watcher {
            watcher(operation);
        }
        let mut state = lock(&self.state);
        let index = state.counts.add(operation);
        let mut fault = None;
        state.orders.retain_mut(|order| {
            if order.operation.is_some_and(|each| each != operation) {
                return true;
            }
            if order.left > 1 {
                order.left -= 1;
                return true;
            }
            fault = fault.or(Some(order.fault));
            order.lasting
        });
        state.fired += u64::from(fault.is_some());
        if let Some(trace) = &mut state.trace {
            trace.push(Event { operation, name: name.to_owned(), bytes: bytes as u64, fault });
        }
        Ruling { index, fault }
    }

    pub(super) fn add_written(&self, bytes: usize) {
        lock(&self.state).counts.bytes_written += bytes as u64;
    }

    pub(super) fn add_read(&self, bytes: usize) {
        lock(&self.state).counts.bytes_read += bytes as u64;
    }
}
