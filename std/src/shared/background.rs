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

/// The thread, as long as somebody has the log.
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
            // It panics only where a callback does, and that has been told.
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
    }
}

fn work<D: SharedDirectory, H: Hooks>(shared: &Shared<D, H>) {
    let (mut preparation, mut ready) = (None, None);
    let mut state = shared.lock();
    loop {
        if let Some(commit) = state.handed_over.take() {
            // Whoever it concerns is told of a failure by itself; so below.
            (state, _) = shared.run(state, commit);
        } else if state.wants_sync() && state.is_free() {
            let outcome;
            (state, outcome) = shared.lead(state, Purpose::Sync);
            if outcome.is_err() && !state.stopping {
                // Not again at once: somebody else has to do something first.
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        } else if state.stopping {
            return;
        } else if ready.is_some() {
            match &mut state.wal {
                Some(wal) => ready.take().into_iter().for_each(|ready| wal.install(ready)),
                None => state = shared.wait_for_room(state),
            }
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
