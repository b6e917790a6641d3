//! The background thread: it commits for those who wait without a thread of their own, runs rotations, and makes segments ready.
//!
//! Must never keep a log open that nobody has any more.

use alloc::sync::Arc;
use std::io;
use std::sync::PoisonError;

use durability_core::walog::{Hooks, Preparation, Prepared, Step};

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

    /// Whether this is the thread.
    pub(super) fn is_current_thread(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
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
    let (mut preparation, mut ready) = (None, None);
    let mut state = shared.lock();
    loop {
        if state.is_over() && state.preparing {
            // What is being made ready holds the log's lock, too: whoever closes the log waits for this.
            drop(state);
            (preparation, ready) = (None, None);
            state = shared.lock();
        }
        let preparing = preparation.is_some() || ready.is_some();
        if state.preparing != preparing {
            state.preparing = preparing;
            shared.look_again(&state);
        }
        if let Some(commit) = state.handed_over.take() {
            // Whoever it concerns is told of a failure by itself; so below.
            let _told = shared.run(state, commit);
            state = shared.lock();
            continue;
        }
        if state.wants_sync() && state.is_free() {
            let led = shared.lead(state, Purpose::Sync);
            state = shared.lock();
            // What could not even begin, for want of memory, is tried again when something happens.
            if led.is_ok() {
                continue;
            }
        }
        if state.is_free()
            && let Some(purpose) = state.wanted.take()
        {
            let led = shared.lead(state, purpose);
            state = shared.lock();
            state.refused = led.err();
            continue;
        }
        // Nobody begins to wait any more once the thread shall end: all who did are seen to.
        if state.stopping {
            return;
        }
        // Once the log is closed, the writer does not come back.
        if ready.is_some() && state.wal.is_none() && !state.is_over() {
            state = shared.wait_for_room(state);
        } else if let (Some(prepared), Some(wal)) = (ready.take(), &mut state.wal) {
            wal.install(prepared);
        } else if preparation.is_some() {
            drop(state);
            ready = step(&mut preparation);
            state = shared.lock();
        } else {
            preparation = state.prepare();
            if preparation.is_none() {
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Goes on with a preparation. One that fails is given up: the log goes on without.
fn step<D: SharedDirectory>(preparation: &mut Option<Preparation<D>>) -> Option<Prepared<D>> {
    match preparation.as_mut()?.step() {
        Ok(Step::Working) => None,
        Ok(Step::Ready(prepared)) => {
            *preparation = None;
            Some(prepared)
        }
        Ok(_) | Err(_) => {
            *preparation = None;
            None
        }
    }
}
