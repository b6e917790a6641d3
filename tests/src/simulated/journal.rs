//! What a program set out to do, what it was promised, and what recovery told it, over all its lives.
//!
//! Must never be written by the code under test: it is the outside world's memory.

use core::hash::{Hash, Hasher};

use super::SimulatedDisk;
use super::hash::{StateHasher, mix};

/// Something that the outside world knows of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event<O, S> {
    /// An operation was asked for; its effect may show from now on.
    Issued(O),
    /// All operations up to this number were promised to be durable. Numbers count from 1 over all lives.
    Acknowledged {
        /// The last operation that is covered.
        through: u64,
    },
    /// Recovery showed this, and the outside world relies on it from now on.
    Recovered(S),
}

/// An event, and when it was.
#[derive(Debug)]
pub struct Entry<O, S> {
    /// What was.
    pub event: Event<O, S>,
    /// Number of the life, from 0.
    pub life: u32,
    /// How many operations the disk had seen in this life.
    pub operations: u64,
    /// How many operations had been issued over all lives, this one included.
    pub issued: u64,
    /// Identifies this event and all before.
    hash: u64,
}

/// The record of all lives: issued, acknowledged, recovered.
///
/// A workload calls [`issue`](Self::issue) *before* it asks for something, [`acknowledge`](Self::acknowledge) *after* a sync
/// returned `Ok`, and [`recovered`](Self::recovered) once its recovery is done and would be relied upon. Put
/// [`epoch`](Self::epoch) into every payload, so that content which comes back from an earlier life is told from the new.
///
/// After an operation that failed, a workload must recover, and tell what that showed, before it issues more.
#[derive(Debug)]
pub struct Journal<O, S> {
    entries: Vec<Entry<O, S>>,
    life: u32,
    disk: Option<SimulatedDisk>,
}

impl<O, S> Default for Journal<O, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: Hash, S: Hash> Journal<O, S> {
    /// Writes down an event of any kind.
    pub fn tell(&mut self, event: Event<O, S>) {
        let count = u64::from(matches!(event, Event::Issued(_)));
        self.push(event, count);
    }

    /// Writes down that an operation is about to be asked for, and returns its number.
    pub fn issue(&mut self, operation: O) -> u64 {
        self.push(Event::Issued(operation), 1);
        self.issued()
    }

    /// Writes down that everything issued so far was promised to be durable.
    pub fn acknowledge(&mut self) {
        self.acknowledge_through(self.issued());
    }

    /// Writes down that everything up to the operation of this number was promised to be durable.
    pub fn acknowledge_through(&mut self, through: u64) {
        self.push(Event::Acknowledged { through }, 0);
    }

    /// Writes down what recovery showed.
    pub fn recovered(&mut self, seen: S) {
        self.push(Event::Recovered(seen), 0);
    }

    fn push(&mut self, event: Event<O, S>, count: u64) {
        let operations = self.disk.as_ref().map_or(0, SimulatedDisk::operation_count);
        let mut hasher = StateHasher(self.hash());
        event.hash(&mut hasher);
        let hash = mix(hasher.finish(), u64::from(self.life));
        let issued = self.issued() + count;
        self.entries.push(Entry { event, life: self.life, operations, issued, hash });
    }
}

impl<O, S> Journal<O, S> {
    /// An empty journal, in life 0: for rigs of your own, on real disks; [`explore()`](super::explore()) makes its own.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), life: 0, disk: None }
    }

    /// A crash was survived, and the next life begins.
    pub const fn next_life(&mut self) {
        self.life += 1;
    }

    /// Number of the current life: 0 for the first run, one more after every crash.
    pub const fn epoch(&self) -> u32 {
        self.life
    }

    /// Everything that was, in order.
    pub fn entries(&self) -> &[Entry<O, S>] {
        &self.entries
    }

    /// How many operations were issued, over all lives.
    pub fn issued(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.issued)
    }

    pub(super) fn hash(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.hash)
    }

    pub(super) fn begin_life(&mut self, life: u32, disk: SimulatedDisk) {
        self.life = life;
        self.disk = Some(disk);
    }

    pub(super) fn end_life(&mut self) {
        self.disk = None;
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.entries.truncate(length);
    }

    pub(super) fn split_off(&mut self, at: usize) -> Vec<Entry<O, S>> {
        self.entries.split_off(at)
    }

    pub(super) fn restore(&mut self, tail: Vec<Entry<O, S>>) {
        self.entries.extend(tail);
    }

    /// Where to cut the journal for a crash while the disk stayed the same, from after `from` operations until before the
    /// operation number `until - 1` began.
    ///
    /// An issue only widens what is allowed, a promise only narrows it; so the strictest cuts are those after
    /// promises and before the issue that follows, and the others need no look.
    pub(super) fn cuts(&self, mark: usize, from: u64, until: u64) -> Vec<usize> {
        let life = &self.entries[mark..];
        let base = mark + life.partition_point(|entry| entry.operations < from);
        let end = mark + life.partition_point(|entry| entry.operations < until);
        let (mut cuts, mut stricter) = (Vec::new(), true);
        for at in base..end {
            if !matches!(self.entries[at].event, Event::Issued(_)) {
                stricter = true;
            } else if stricter {
                cuts.push(at);
                stricter = false;
            }
        }
        if stricter {
            cuts.push(end.max(base));
        }
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::DiskOptions;

    /// `i` is an issue, `a` an acknowledgement, all while the disk had seen 5 operations.
    fn cuts(events: &str) -> Vec<usize> {
        let mut journal: Journal<(), ()> = Journal::new();
        journal.begin_life(0, SimulatedDisk::new(DiskOptions::new()));
        for event in events.chars() {
            if event == 'i' {
                journal.issue(());
            } else {
                journal.acknowledge();
            }
        }
        for entry in &mut journal.entries {
            entry.operations = 5;
        }
        journal.cuts(0, 5, 6)
    }

    #[test]
    fn a_journal_is_cut_where_it_demands_most() {
        assert_eq!(cuts(""), [0]);
        assert_eq!(cuts("i"), [0]);
        assert_eq!(cuts("a"), [1]);
        assert_eq!(cuts("ai"), [1]);
        assert_eq!(cuts("ia"), [0, 2]);
        assert_eq!(cuts("aiia"), [1, 4]);
    }

    #[test]
    fn events_of_other_moments_are_on_their_side_of_the_cut() {
        let mut journal: Journal<(), ()> = Journal::new();
        for operations in [1, 5, 9] {
            journal.acknowledge();
            if let Some(entry) = journal.entries.last_mut() {
                entry.operations = operations;
            }
        }
        assert_eq!(journal.cuts(0, 5, 9), [2]);
        assert_eq!(journal.cuts(0, 2, 4), [1]);
        assert_eq!(journal.cuts(0, 5, u64::MAX), [3]);
        assert_eq!(journal.cuts(1, 2, 4), [1]);
    }
}
