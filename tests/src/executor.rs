//! An executor for tests: one future, polled when it was woken, and dropped when it is told to.
//!
//! Must never poll a future that has not been woken: a wake-up that is lost is a test that fails.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The future's value.
///
/// # Panics
/// If the future waits and nothing will wake it.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match poll_at_most(future, &mut u64::MAX.clone()) {
        Some(value) => value,
        None => unreachable!("it is polled for ever"),
    }
}

/// The future's value; or none, after so many polls, which it counts down. Then it was dropped.
///
/// # Panics
/// If the future waits and nothing will wake it.
pub fn poll_at_most<F: Future>(future: F, polls: &mut u64) -> Option<F::Output> {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    while *polls > 0 {
        *polls -= 1;
        assert!(woken.0.swap(false, Ordering::SeqCst), "it waits, and nothing will wake it");
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}
