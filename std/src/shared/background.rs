//! The background thread: it commits for those who wait without a thread of their own.
//!
//! Must never keep a log open that nobody has any more.

use alloc::sync::Arc;
use std::io;
use std::sync::PoisonError;

use durability_core::walog::Hooks;

use super::directory::SharedDirectory;
use super::group::{Purpose, Shared};
use super::sync::{Mutex, thread};

/// What handles and tickets share: the log, and its thread as long as anybody has one of them.
pub(super) struct Background<D: SharedDirectory, H: Hooks + Send + 'static> {
    shared: Arc<Shared<D, H>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> Background<D, H> {
    /// Begins the thread, if there is to be one.
    pub(super) fn new(shared: Arc<Shared<D, H>>, wanted: bool) -> io::Result<Self> {
        let thread = if wanted {
            shared.lock().background = true;
            let worker = Arc::clone(&shared);
            let named = thread::Builder::new().name("durability".into());
            Some(named.spawn(move || work(&worker))?)
        } else {
            None
        };
        Ok(Self { shared, thread: Mutex::new(thread) })
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<D, H>> {
        &self.shared
    }

    /// Ends the thread. It may be its own last act.
    fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // It panics only where a hook does, and that has been told.
            let _panicked = thread.join();
        }
        self.shared.lock().background = false;
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> Drop for Background<D, H> {
    fn drop(&mut self) {
        self.stop();
        // As a dropped writer does: what is staged survives the process, as far as that succeeds.
        let _flushed = self.shared.flush();
        // Callbacks that nobody could commit for are told so.
        self.shared.abandon();
    }
}

fn work<D: SharedDirectory, H: Hooks>(shared: &Shared<D, H>) {
    let mut state = shared.lock();
    loop {
        if state.is_awaited() && state.is_free() {
            // Whoever waits is told of a failure by itself.
            let led;
            (state, led) = shared.lead(state, Purpose::Sync);
            // What could not even begin, for want of memory, is tried again when something happens.
            if led.is_ok() {
                continue;
            }
        }
        if state.is_free()
            && let Some(purpose) = state.wanted.take()
        {
            let led;
            (state, led) = shared.lead(state, purpose);
            state.refused = led.err();
            continue;
        }
        // Nobody begins to wait any more once the thread shall end: all who did are seen to.
        if state.stopping {
            return;
        }
        state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}
