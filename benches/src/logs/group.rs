//! B7: the plainest group commit over B3: one mutex, one condition variable, the first who finds no leader leads.
//!
//! Must not hold the mutex across a write or a sync, and do nothing cleverer.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::{Framed, Pwrite};
use crate::{Committer, Failure, Meter};

/// Group commit.
#[derive(Debug, Clone)]
pub struct Group {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    meter: Meter,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frames: Framed,
    /// The buffer that is not in use.
    spare: Vec<u8>,
    at: u64,
    appended: u64,
    durable: u64,
    led: bool,
    failed: bool,
}

const FAILED: &str = "a commit has failed";

impl Group {
    /// Shares a file.
    pub fn new(log: Pwrite) -> Self {
        let (file, at, meter) = log.into_parts();
        let state = Mutex::new(State { at, ..State::default() });
        Self { shared: Arc::new(Shared { file, meter, state, changed: Condvar::new() }) }
    }

    fn lock(&self) -> Result<MutexGuard<'_, State>, Failure> {
        Ok(self.shared.state.lock().map_err(|_| FAILED)?)
    }

    /// Writes and syncs all that was appended so far, for everyone.
    fn lead(&self, mut state: MutexGuard<'_, State>) -> Result<(), Failure> {
        state.led = true;
        let spare = std::mem::take(&mut state.spare);
        let bytes = state.frames.take(spare);
        let (at, through) = (state.at, state.appended);
        state.at += bytes.len() as u64;
        drop(state);
        let written = self.write(&bytes, at);
        let mut state = self.lock()?;
        state.spare = bytes;
        state.led = false;
        state.failed |= written.is_err();
        state.durable = through;
        drop(state);
        self.shared.changed.notify_all();
        written
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<(), Failure> {
        self.shared.file.write_all_at(bytes, at)?;
        self.shared.meter.wrote(bytes.len());
        self.shared.file.sync_data()?;
        self.shared.meter.synced();
        Ok(())
    }
}

impl Committer for Group {
    fn commit(&self, record: &[u8]) -> Result<(), Failure> {
        let mut state = self.lock()?;
        state.frames.push(record);
        state.appended += 1;
        let mine = state.appended;
        loop {
            if state.failed {
                return Err(FAILED.into());
            }
            if state.durable >= mine {
                return Ok(());
            }
            if !state.led {
                return self.lead(state);
            }
            state = self.shared.changed.wait(state).map_err(|_| FAILED)?;
        }
    }
}
