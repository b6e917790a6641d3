//! Oracles: what may be seen after a crash.
//!
//! Must never look at the disk: they judge by the journal alone, as a user would.

use core::fmt;
use core::hash::Hash;

use super::journal::{Event, Journal};

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {detail}")]
pub struct Violation {
    /// The law, in a few words.
    pub law: &'static str,
    /// What was expected and found.
    pub detail: String,
}

/// Judges a journal.
pub trait Oracle<O, S> {
    /// Checks what the journal says; called at the end of every life.
    ///
    /// # Errors
    /// The law that is broken.
    fn check(&self, journal: &Journal<O, S>) -> Result<(), Violation>;
}

impl<O, S, F: Fn(&Journal<O, S>) -> Result<(), Violation>> Oracle<O, S> for F {
    fn check(&self, journal: &Journal<O, S>) -> Result<(), Violation> {
        self(journal)
    }
}

/// What a correct store would hold: a plain value in memory.
pub trait Model: Clone + Default + PartialEq + fmt::Debug {
    /// An operation, atomic: a batch is one.
    type Operation: Hash + fmt::Debug;
    /// What recovery shows.
    type Seen: Hash + fmt::Debug;

    /// Does what the operation would do.
    fn apply(&mut self, operation: &Self::Operation);

    /// Whether a store in this state may show this.
    fn explains(&self, seen: &Self::Seen) -> bool;

    /// Learns what was open until it was seen.
    fn settle(&mut self, seen: &Self::Seen) {
        let _ = seen;
    }
}

/// The law of prefixes, for any [`Model`].
///
/// What recovery shows must be the state after the first *n* operations issued since the last recovery, for an *n* that
/// covers all acknowledged ones. What it showed is a promise itself: a later crash must not take it back, and what it did
/// not show must never come back.
#[derive(Debug, Clone, Default)]
pub struct PrefixOracle<M> {
    start: M,
}

impl<M: Model> PrefixOracle<M> {
    /// Judges a store that starts as `M::default()`.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<M: Model> Oracle<M::Operation, M::Seen> for PrefixOracle<M> {
    fn check(&self, journal: &Journal<M::Operation, M::Seen>) -> Result<(), Violation> {
        let mut bases = vec![self.start.clone()];
        let (mut operations, mut before, mut acknowledged) = (Vec::new(), 0, 0);
        for entry in journal.entries() {
            match &entry.event {
                Event::Issued(operation) => operations.push(operation),
                Event::Acknowledged { through } => {
                    let count = usize::try_from(through.saturating_sub(before));
                    acknowledged = count.unwrap_or(usize::MAX).max(acknowledged);
                }
                Event::Recovered(seen) => {
                    bases = after(&bases, &operations, acknowledged, seen)?;
                    operations.clear();
                    (before, acknowledged) = (entry.issued, 0);
                }
            }
        }
        Ok(())
    }
}

/// The states that explain what was seen.
fn after<M: Model>(
    bases: &[M],
    operations: &[&M::Operation],
    acknowledged: usize,
    seen: &M::Seen,
) -> Result<Vec<M>, Violation> {
    let (mut found, mut too_early) = (Vec::new(), None);
    for base in bases {
        let mut state = base.clone();
        for count in 0..=operations.len() {
            if count > 0 {
                state.apply(operations[count - 1]);
            }
            if !state.explains(seen) {
                continue;
            }
            if count < acknowledged {
                too_early = Some(count);
                continue;
            }
            let mut settled = state.clone();
            settled.settle(seen);
            if !found.contains(&settled) {
                found.push(settled);
            }
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    if let Some(count) = too_early {
        let lost = acknowledged - count;
        let detail = format!(
            "lost {lost} of the {acknowledged} operations acknowledged since the last recovery: it showed {seen:?}"
        );
        return Err(Violation { law: "durable means durable", detail });
    }
    let issued = operations.len();
    let detail = format!(
        "recovery showed {seen:?}, which no prefix of the {issued} operations since {bases:?} explains \
         ({acknowledged} acknowledged)"
    );
    Err(Violation { law: "recovery shows a prefix", detail })
}

/// What is done to a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogOperation<R> {
    /// One record is appended.
    Append(R),
    /// Several records, all or none.
    Batch(Vec<R>),
    /// Records below this id are no longer needed; the log may keep some of them.
    TruncatePrefix(u64),
    /// Records beyond this id are taken back.
    TruncateSuffix(u64),
    /// All records go; the next one gets the id that it would have had.
    TruncateToEmpty,
}

/// What a log shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogSeen<R> {
    /// The id of the first record, or, if there is none, that the next one will get.
    pub first: u64,
    /// The records.
    pub records: Vec<R>,
}

/// A log in memory, with ids from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogModel<R> {
    /// Id of the first record that may show.
    first: u64,
    /// Id of the first record that must show.
    needed: u64,
    records: Vec<R>,
}

impl<R> Default for LogModel<R> {
    fn default() -> Self {
        Self { first: 1, needed: 1, records: Vec::new() }
    }
}

impl<R> LogModel<R> {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
}

impl<R: Clone + PartialEq + Hash + fmt::Debug> Model for LogModel<R> {
    type Operation = LogOperation<R>;
    type Seen = LogSeen<R>;

    fn apply(&mut self, operation: &LogOperation<R>) {
        match operation {
            LogOperation::Append(record) => self.records.push(record.clone()),
            LogOperation::Batch(records) => self.records.extend(records.iter().cloned()),
            LogOperation::TruncateToEmpty => {
                self.first = self.next();
                self.needed = self.first;
                self.records.clear();
            }
            LogOperation::TruncatePrefix(id) => self.needed = self.needed.max(*id).min(self.next()),
            LogOperation::TruncateSuffix(id) => {
                let keep = usize::try_from((id + 1).saturating_sub(self.first));
                self.records.truncate(keep.unwrap_or(usize::MAX));
                self.needed = self.needed.min(self.next());
            }
        }
    }

    fn explains(&self, seen: &LogSeen<R>) -> bool {
        let pruned = seen.first.checked_sub(self.first).and_then(|n| usize::try_from(n).ok());
        let expected = pruned.and_then(|pruned| self.records.get(pruned..));
        seen.first <= self.needed && expected == Some(&seen.records[..])
    }

    fn settle(&mut self, seen: &LogSeen<R>) {
        // What was pruned once must not come back.
        let pruned = usize::try_from(seen.first.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.records.drain(..pruned.min(self.records.len()));
        self.first = seen.first;
    }
}
