//! What the outside world knows of a log and its checkpoints, and the laws that follow.
//!
//! Must never be softer on a later life than on the first.

use crate::simulated::Violation;

/// One entry as it was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) tag: u32,
    /// The batch that it belongs to goes on behind it.
    pub(super) joined: bool,
}

/// What was issued to a log, what was promised about it, and what was seen of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// All entries, from id 1.
    pub(super) issued: Vec<Issued>,
    /// How many of them must be there.
    pub(super) promised: usize,
    /// A truncation to so many entries is under way.
    pub(super) truncating: Option<usize>,
    /// What was before this entry was seen to be gone, or promised to be.
    pub(super) begins: u64,
    /// A checkpoint may have so many of them: no truncation goes below.
    pub(super) covered: usize,
    /// How many tags were given to entries.
    pub(super) tags: u32,
}

/// What recovery showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The id of the log's first entry, or that the next one will get.
    pub(super) first: u64,
    /// The log's entries.
    pub(super) tags: Vec<u32>,
}

/// What checkpoint and log add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Total {
    pub(super) entries: u64,
    pub(super) sum: u64,
}

impl Total {
    pub(super) fn add(&mut self, tag: u32) {
        self.entries += 1;
        // Order counts.
        self.sum = self.sum.wrapping_mul(0x0100_0000_01B3).wrapping_add(u64::from(tag) + 1);
    }
}

impl Seen {
    pub(super) fn last(&self) -> usize {
        usize::try_from(self.first).unwrap_or(usize::MAX).saturating_sub(1) + self.tags.len()
    }
}

fn broken(law: &'static str, detail: String) -> Result<(), Violation> {
    Err(Violation { law, detail })
}

impl Outside {
    /// Judges what recovery showed.
    pub(super) fn judge(&self, seen: &Seen) -> Result<(), Violation> {
        let last = seen.last();
        if last > self.issued.len() {
            let detail = format!("{last} entries of {} issued: {seen:?}", self.issued.len());
            return broken("what is recovered was issued", detail);
        }
        if last < self.promised && self.truncating != Some(last) {
            let detail = format!("{last} entries of {} promised: {seen:?}", self.promised);
            return broken("durable means durable", detail);
        }
        if seen.first < self.begins {
            let detail = format!("begins at {} and not at {}", seen.first, self.begins);
            return broken("what was pruned never comes back", detail);
        }
        let expected = self.issued.iter().take(last).skip(last - seen.tags.len());
        if !expected.map(|issued| &issued.tag).eq(&seen.tags) {
            let detail = format!("{seen:x?}, issued {:x?}", self.issued);
            return broken("recovery shows a prefix", detail);
        }
        if last.checked_sub(1).and_then(|at| self.issued.get(at)).is_some_and(|last| last.joined) {
            return broken("batches are whole or absent", format!("ends within one: {seen:?}"));
        }
        Ok(())
    }

    /// Judges the state that was recovered, and relies on all of it from now on.
    pub(super) fn settle(&mut self, seen: &Seen, total: Total) -> Result<(), Violation> {
        let last = seen.last();
        self.issued.truncate(last);
        let expected = self.total();
        if expected != total {
            let detail = format!("{total:?} of {expected:?}");
            return broken("checkpoint and log add up to the state", detail);
        }
        self.promised = last;
        self.truncating = None;
        self.begins = self.begins.max(seen.first);
        Ok(())
    }

    /// The state that all entries issued add up to.
    pub(super) fn total(&self) -> Total {
        let mut total = Total::default();
        self.issued.iter().for_each(|issued| total.add(issued.tag));
        total
    }
}
