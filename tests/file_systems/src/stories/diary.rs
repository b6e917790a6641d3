//! A journal whose every event is written down in the disk's log as well.

use std::fmt::{Debug, Write as _};
use std::hash::Hash;
use std::sync::Arc;

use durability_testkit::simulated::{Event, Journal};

use super::super::device::Device;
use super::Tag;

/// How many events of the end are told to people.
const TOLD_MAX: usize = 24;

/// What the outside world knows of one log.
#[derive(Debug)]
pub(crate) struct Diary<O, S> {
    story: usize,
    device: Arc<Device>,
    journal: Journal<O, S>,
}

impl<O: Clone + Hash + Debug, S: Clone + Hash + Debug> Diary<O, S> {
    pub(super) const fn new(story: usize, device: Arc<Device>) -> Self {
        Self { story, device, journal: Journal::new() }
    }

    pub(super) const fn journal(&self) -> &Journal<O, S> {
        &self.journal
    }

    /// A tag that was not used before, in any life.
    pub(super) fn tag(&self) -> Tag {
        let events = u32::try_from(self.journal.entries().len()).unwrap_or(u32::MAX);
        self.journal.epoch() << 16 | events & 0x3FFF
    }

    /// Before something is asked for.
    pub(super) fn issue(&mut self, operation: O) {
        self.journal.issue(operation);
        self.tell();
    }

    /// After everything was promised to be durable.
    pub(super) fn acknowledge(&mut self) {
        self.journal.acknowledge();
        self.tell();
    }

    /// After recovery showed this.
    pub(super) fn recovered(&mut self, seen: S) {
        self.journal.recovered(seen);
        self.tell();
    }

    fn tell(&self) {
        self.device.tell(self.story, self.journal.entries().len());
    }

    /// The diary after a crash, of which only the first events had been known.
    pub(super) fn next_life(&self, known: usize) -> Self {
        let mut journal = Journal::new();
        for entry in &self.journal.entries()[..known] {
            while journal.epoch() < entry.life {
                journal.next_life();
            }
            match &entry.event {
                Event::Issued(operation) => {
                    journal.issue(operation.clone());
                }
                Event::Acknowledged { through } => journal.acknowledge_through(*through),
                Event::Recovered(seen) => journal.recovered(seen.clone()),
            }
        }
        while journal.epoch() <= self.journal.epoch() {
            journal.next_life();
        }
        Self { story: self.story, device: Arc::clone(&self.device), journal }
    }

    pub(super) fn acknowledged(&self) -> usize {
        let acknowledged = |event: &Event<O, S>| matches!(event, Event::Acknowledged { .. });
        self.journal.entries().iter().filter(|entry| acknowledged(&entry.event)).count()
    }

    pub(super) fn told(&self) -> String {
        let entries = self.journal.entries();
        let mut text = String::new();
        for entry in entries.iter().skip(entries.len().saturating_sub(TOLD_MAX)) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  life {}: {:?}", entry.life, entry.event);
        }
        text
    }
}
