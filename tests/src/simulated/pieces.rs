//! What of one file is not durable, cut into the pieces that a crash keeps or loses each on its own.
//!
//! Must never touch a byte that was durable and has not been written over since (A4).

use alloc::sync::Arc;

use super::hash::Random;
use super::inode::Inode;

/// How much a lost piece counts where states are compared.
pub(super) const LOST: u32 = 2;
/// A piece that reads as what was never there is harder to understand than one that is lost.
pub(super) const ODD: u32 = 3;

/// What a choice for one unit stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As before the writes.
    Old,
    /// As after the write of this sequence number.
    Written(u64),
    /// The written bytes read as zeros.
    Zeros,
    /// The written bytes read as junk.
    Junk,
}

/// One tear unit with writes pending.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) start: usize,
    /// What it may read as; the first is old.
    pub(super) kinds: Vec<Kind>,
    /// Index of the newest content among them.
    pub(super) newest: usize,
    /// Where the contents lie, one after the other.
    contents: usize,
}

/// One file's choices.
#[derive(Debug)]
pub(super) struct Pieces {
    base: Arc<Vec<u8>>,
    unit_bytes: usize,
    blank: u8,
    /// Lengths that may survive and since when each may; the first is old, the last the newest.
    pub(super) lengths: Vec<(usize, u64)>,
    pub(super) units: Vec<Unit>,
    contents: Vec<u8>,
}

/// One choice for every piece of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileChoice {
    pub(super) length: usize,
    pub(super) units: Vec<usize>,
}

impl Pieces {
    /// Junk is made of `stale` bytes from an offset on, as far as they reach.
    pub(super) fn of(
        inode: &Inode,
        (unit_bytes, blank): (usize, u8),
        junk: bool,
        stale: (usize, &[u8]),
    ) -> Self {
        let mut all = Self {
            base: Arc::clone(&inode.durable),
            unit_bytes,
            blank,
            lengths: lengths(inode, unit_bytes),
            units: Vec::new(),
            contents: Vec::new(),
        };
        let writes = inode.pending.iter().filter(|change| !change.data.is_empty());
        let mut starts: Vec<usize> = writes
            .flat_map(|change| change.at / unit_bytes..=(change.end() - 1) / unit_bytes)
            .map(|index| index * unit_bytes)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        for start in starts {
            all.add_unit(inode, start, junk, stale);
        }
        all
    }

    fn add_unit(&mut self, inode: &Inode, start: usize, junk: bool, stale: (usize, &[u8])) {
        let size = self.unit_bytes;
        let mut unit =
            Unit { start, kinds: vec![Kind::Old], newest: 0, contents: self.contents.len() };
        let mut now = vec![self.blank; size];
        let old = self.base.get(start..self.base.len().min(start + size)).unwrap_or_default();
        now[..old.len()].copy_from_slice(old);
        self.contents.extend_from_slice(&now);
        let mut written = vec![false; size];
        for change in &inode.pending {
            let (from, to) = (change.at.max(start), change.end().min(start + size));
            if from < to {
                let data = &change.data[from - change.at..to - change.at];
                now[from - start..to - start].copy_from_slice(data);
                written[from - start..to - start].fill(true);
                self.add_content(&mut unit, Kind::Written(change.sequence), &now);
            }
        }
        unit.newest = unit.kinds.len() - 1;
        let mut random = Random(start as u64);
        let mut damaged = |with_junk: bool| {
            let each = now.iter().zip(&written).enumerate();
            let bytes = each.map(|(at, (byte, written))| match (written, with_junk) {
                (true, true) => {
                    let junk = random.next().to_le_bytes()[0];
                    let stale = stale.1.get(start + at).filter(|_| start + at >= stale.0);
                    stale.copied().unwrap_or(junk)
                }
                (true, false) => 0,
                (false, _) => *byte,
            });
            bytes.collect::<Vec<_>>()
        };
        self.add_content(&mut unit, Kind::Zeros, &damaged(false));
        if junk {
            self.add_content(&mut unit, Kind::Junk, &damaged(true));
        }
        self.units.push(unit);
    }

    fn add_content(&mut self, unit: &mut Unit, kind: Kind, bytes: &[u8]) {
        let size = self.unit_bytes;
        let mut known = (0..unit.kinds.len()).map(|at| unit.contents + at * size);
        if known.all(|at| self.contents[at..at + size] != *bytes) {
            unit.kinds.push(kind);
            self.contents.extend_from_slice(bytes);
        }
    }

    /// How many choices a unit has, with or without junk, which is always the last.
    pub(super) fn choices(&self, unit: usize, junk: bool) -> usize {
        let kinds = &self.units[unit].kinds;
        kinds.len() - usize::from(!junk && kinds.last() == Some(&Kind::Junk))
    }

    /// How many units lie, at least in part, within a length.
    fn units_within(&self, length: usize) -> usize {
        self.units.partition_point(|unit| unit.start < length)
    }

    /// How many combinations there are, or `None` if more than `limit`.
    pub(super) fn count(&self, junk: bool, limit: usize) -> Option<usize> {
        let mut sum = 0_usize;
        for (length, _) in &self.lengths {
            let mut product = 1_usize;
            for unit in 0..self.units_within(*length) {
                product = product.checked_mul(self.choices(unit, junk)).filter(|n| *n <= limit)?;
            }
            sum = sum.checked_add(product).filter(|n| *n <= limit)?;
        }
        Some(sum)
    }

    /// Calls `each` with every combination. A unit beyond the length has no say.
    pub(super) fn for_each(&self, junk: bool, mut each: impl FnMut(&FileChoice)) {
        let mut choice = FileChoice { length: 0, units: vec![0; self.units.len()] };
        for length in 0..self.lengths.len() {
            choice.length = length;
            choice.units.fill(0);
            let within = self.units_within(self.lengths[length].0);
            loop {
                each(&choice);
                let digits = &mut choice.units[..within];
                if !count_up(digits, |unit| self.choices(unit, junk)) {
                    break;
                }
            }
        }
    }

    /// Everything kept.
    pub(super) fn newest(&self) -> FileChoice {
        FileChoice {
            length: self.lengths.len() - 1,
            units: self.units.iter().map(|unit| unit.newest).collect(),
        }
    }

    /// Nothing kept, but the length if `grown`.
    pub(super) fn oldest(&self, grown: bool) -> FileChoice {
        let length = if grown { self.lengths.len() - 1 } else { 0 };
        FileChoice { length, units: vec![0; self.units.len()] }
    }

    /// Everything kept that happened up to a moment.
    pub(super) fn until(&self, sequence: u64) -> FileChoice {
        let newest = |kinds: &[Kind]| {
            let past = |kind: &Kind| matches!(kind, Kind::Written(at) if *at <= sequence);
            kinds.iter().rposition(past).unwrap_or(0)
        };
        FileChoice {
            length: self.lengths.iter().rposition(|(_, since)| *since <= sequence).unwrap_or(0),
            units: self.units.iter().map(|unit| newest(&unit.kinds)).collect(),
        }
    }

    /// Of all choices that leave the same bytes, the one in which the least went wrong.
    pub(super) fn plainest(&self, choice: &FileChoice) -> FileChoice {
        let length = self.lengths[choice.length].0;
        let same = |(known, _): &(usize, u64)| *known == length;
        let mut plain = choice.clone();
        plain.length = self.lengths.iter().rposition(same).unwrap_or(choice.length);
        for (at, unit) in self.units.iter().enumerate() {
            let range = self.range(at, length);
            let bytes = |kind: usize| {
                let start = unit.contents + kind * self.unit_bytes;
                &self.contents[start..start + range.len()]
            };
            let kinds = core::iter::once(unit.newest).chain(0..unit.kinds.len());
            let chosen = bytes(choice.units[at]);
            plain.units[at] = kinds.into_iter().find(|kind| bytes(*kind) == chosen).unwrap_or(0);
        }
        plain
    }

    /// How much went wrong: 0 if all was kept.
    pub(super) fn oddity(&self, choice: &FileChoice) -> u32 {
        let (length, last) =
            (self.lengths[choice.length].0, self.lengths[self.lengths.len() - 1].0);
        let units =
            self.units.iter().zip(&choice.units).map(|(unit, choice)| match unit.kinds[*choice] {
                _ if unit.start >= length || *choice == unit.newest => 0,
                Kind::Old | Kind::Written(_) => LOST,
                Kind::Zeros | Kind::Junk => ODD,
            });
        units.sum::<u32>() + if length == last { 0 } else { LOST }
    }

    /// The file's bytes after a crash.
    pub(super) fn image(&self, choice: &FileChoice) -> Vec<u8> {
        let length = self.lengths[choice.length].0;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&self.base[..self.base.len().min(length)]);
        bytes.resize(length, self.blank);
        for (unit, choice) in self.units.iter().zip(&choice.units) {
            let end = length.min(unit.start + self.unit_bytes);
            if *choice > 0 && unit.start < end {
                let at = unit.contents + choice * self.unit_bytes;
                bytes[unit.start..end].copy_from_slice(&self.contents[at..at + end - unit.start]);
            }
        }
        bytes
    }

    /// The bytes of a unit that exist in a file of this length.
    pub(super) fn range(&self, unit: usize, length: usize) -> core::ops::Range<usize> {
        let start = self.units[unit].start;
        start.min(length)..length.min(start + self.unit_bytes)
    }
}

/// Lengths that may survive: each that the file had, and each unit boundary that the growth crossed.
fn lengths(inode: &Inode, unit_bytes: usize) -> Vec<(usize, u64)> {
    let mut all = vec![(inode.durable.len(), 0)];
    for change in &inode.pending {
        let grown_from = all.last().map_or(0, |(length, _)| *length);
        if change.length < grown_from {
            all.push((change.length, change.sequence));
        } else if change.length > grown_from {
            let inner = change.at.max(grown_from) / unit_bytes + 1..=change.end() / unit_bytes;
            let boundaries = inner.map(|index| index * unit_bytes);
            let within = boundaries.filter(|at| *at > grown_from && *at < change.length);
            all.extend(within.map(|at| (at, change.sequence)));
            all.push((change.length, change.sequence));
        }
    }
    all
}

/// Counts up in a mixed base; false after the last.
pub(super) fn count_up(digits: &mut [usize], base: impl Fn(usize) -> usize) -> bool {
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit += 1;
        if *digit < base(at) {
            return true;
        }
        *digit = 0;
    }
    false
}
