//! The whole writer, lent for all that is not appending; and the end of its use.
//!
//! Must never lend it while a commit runs, nor leave anybody waiting where whoever had it has panicked.

use durability_core::walog::{Hooks, StagedWriter};
use durability_core::{Durable, Error};

use super::directory::SharedDirectory;
use super::failure::Failure;
use super::group::{Abandoned, Shared};

/// What comes back from whoever had the whole writer.
pub(super) struct Returned<D: SharedDirectory, H: Hooks, R> {
    /// None if the log was closed.
    pub(super) wal: Option<StagedWriter<D, H>>,
    /// What is durable, where the writer is gone and cannot tell.
    pub(super) durable: Option<Durable>,
    pub(super) result: Result<R, Error<D::Error>>,
}

impl<D: SharedDirectory, H: Hooks> Shared<D, H> {
    /// Waits until no segment is being made ready: that holds the log's lock. For a log that is closed.
    pub(super) fn wait_for_preparation(&self) {
        let mut state = self.lock();
        while state.preparing {
            state = self.wait_for_room(state);
        }
    }

    /// Lends the whole writer, once no commit runs. Nobody appends meanwhile, and no commit begins.
    pub(super) fn whole<R>(
        &self,
        with: impl FnOnce(StagedWriter<D, H>) -> Returned<D, H, R>,
    ) -> Result<R, Failure<D::Error>> {
        let mut state = self.lock();
        state.waiting_for_whole += 1;
        while state.leading && !state.is_over() {
            state = self.wait_for_room(state);
        }
        state.waiting_for_whole -= 1;
        state.check()?;
        let Some(wal) = state.wal.take() else { return Err(Error::Closed.into()) };
        state.last = wal.writer().last_entry_id();
        state.leading = true;
        drop(state);
        let abandoned = Abandoned(self);
        let Returned { wal, durable, result } = with(wal);
        core::mem::forget(abandoned);
        let mut state = self.lock();
        state.closed = wal.is_none();
        state.wal = wal;
        state.refresh();
        state.durable = durable.or(state.durable);
        let result = result.map_err(|error| state.failed(error));
        state.notice();
        self.over(state);
        result
    }

    /// Lets go of a log that failed: its files are closed, and its lock is released.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        while state.leading {
            state = self.wait_for_room(state);
        }
        state.closed = true;
        let wal = state.wal.take();
        self.over(state);
        drop(wal);
    }
}
