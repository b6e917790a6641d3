//! Wakes a task after a while, without a runtime: one thread, begun when it is first needed.
//!
//! Must never keep anybody waiting at its end: the thread sees that it is not needed any more by itself.

use core::task::Waker;
use core::time::Duration;
use std::sync::mpsc::{self, Sender};
use std::thread;

#[derive(Debug, Default)]
pub(super) struct Alarm {
    sender: Option<Sender<(Duration, Waker)>>,
}

impl Alarm {
    /// Wakes the task after `delay`; at once where no thread can be had.
    pub(super) fn set(&mut self, delay: Duration, waker: &Waker) {
        let sender = self.sender.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::channel::<(Duration, Waker)>();
            let _may_fail = thread::Builder::new().name("follow".into()).spawn(move || {
                for (delay, waker) in receiver {
                    thread::sleep(delay);
                    waker.wake();
                }
            });
            sender
        });
        if sender.send((delay, waker.clone())).is_err() {
            self.sender = None;
            waker.wake_by_ref();
        }
    }
}
