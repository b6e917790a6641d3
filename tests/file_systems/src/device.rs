//! The disk under test: its content in memory, and the log of everything that reached it.
//!
//! One mutex orders writes, flushes and what the workload was told, so that a position in the log says exactly what had
//! been issued and acknowledged by then. A workload tells *before* it asks for something and *after* it was promised
//! something: whatever shows its effect before a position was told of before it, and whatever was told before it binds it.
//!
//! Must never answer a flush that it has not written down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::image::Image;

/// Something that happened to the disk, or beside it.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// Bytes were handed over.
    Write {
        /// Where they go.
        offset: u64,
        /// They.
        bytes: Arc<[u8]>,
    },
    /// Everything before is durable.
    Flush,
    /// A story has got to know of that many events.
    Told {
        /// Which one.
        story: usize,
        /// How many it knows.
        events: usize,
    },
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    log: Vec<Entry>,
}

/// A disk in memory that remembers.
#[derive(Debug)]
pub(crate) struct Device {
    bytes: u64,
    state: Mutex<State>,
}

impl Device {
    /// A disk of zeros.
    pub(crate) fn new(bytes: u64) -> Self {
        Self { bytes, state: Mutex::default() }
    }

    /// Its size.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts other content in, while nothing has the disk open, and begins the log anew.
    pub(crate) fn load(&self, image: Image) {
        *self.state() = State { image, log: Vec::new() };
    }

    /// The content as it is now.
    pub(crate) fn snapshot(&self) -> Image {
        self.state().image.clone()
    }

    /// Everything since the content was put in.
    pub(crate) fn take_log(&self) -> Vec<Entry> {
        std::mem::take(&mut self.state().log)
    }

    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        self.state().image.read(offset, buffer);
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) {
        let mut state = self.state();
        state.image.write(offset, bytes);
        state.log.push(Entry::Write { offset, bytes: bytes.into() });
    }

    pub(crate) fn flush(&self) {
        self.state().log.push(Entry::Flush);
    }

    /// Writes down that a story knows of that many events.
    pub(crate) fn tell(&self, story: usize, events: usize) {
        self.state().log.push(Entry::Told { story, events });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
