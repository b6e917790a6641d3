//! The states to look at where there are too many to try all.
//!
//! Must never depend on anything but the snapshot and the limits: replays count on the order.

use alloc::sync::Arc;

use super::super::hash::{self, Random};
use super::super::inode::Inode;
use super::super::names::Ino;
use super::super::pieces::{FileChoice, Kind, Pieces, Unit};
use super::CrashStates;

/// One choice for every piece of the disk.
#[derive(Clone)]
struct Whole {
    names: Vec<usize>,
    files: Vec<FileChoice>,
}

impl CrashStates {
    /// None, all, all but one, only one, and everything up to each moment.
    pub(super) fn add_systematic(&mut self) {
        let all = self.whole(&|_| 1, Pieces::newest);
        let none = self.whole(&|_| 0, |pieces| pieces.oldest(false));
        // A lone unit shows only where the names and the lengths are there to show it.
        let grown = self.whole(&|_| 1, |pieces| pieces.oldest(true));
        for whole in [&none, &all, &grown] {
            self.add_whole(whole);
        }
        let base = self.name_choices();
        for at in 0..all.names.len() {
            for choice in 0..base(at) {
                for from in [&all, &none] {
                    let mut one = from.clone();
                    one.names[at] = choice;
                    self.add_whole(&one);
                }
            }
        }
        for file in 0..all.files.len() {
            self.add_single_units(file, [&all, &grown]);
        }
        for moment in self.moments() {
            let until = |at: usize, this: &Self| {
                usize::from(this.snapshot.medium.names.pending[at].sequence <= moment)
            };
            let names: Vec<usize> = (0..all.names.len()).map(|at| until(at, self)).collect();
            let mut whole = self.whole(&|at| names[at], |pieces| pieces.until(moment));
            self.add_whole(&whole);
            whole.names.clone_from(&all.names);
            self.add_whole(&whole);
        }
    }

    fn add_single_units(&mut self, file: usize, from: [&Whole; 2]) {
        let Some(pieces) = self.files[file].as_ref().and_then(|file| file.pieces.as_ref()) else {
            return;
        };
        let lengths = pieces.lengths.len();
        let units: Vec<usize> = pieces.units.iter().map(|unit| unit.kinds.len()).collect();
        for whole in from {
            for length in 0..lengths {
                let mut one = whole.clone();
                one.files[file].length = length;
                self.add_whole(&one);
            }
            for (unit, choices) in units.iter().enumerate() {
                for choice in 0..*choices {
                    let mut one = whole.clone();
                    one.files[file].units[unit] = choice;
                    self.add_whole(&one);
                }
            }
        }
    }

    /// Random combinations: a third nearly everything, a third nearly nothing, a third even.
    pub(super) fn add_samples(&mut self) {
        let mut random = Random(self.limits.seed ^ self.snapshot.operations);
        let base = self.name_choices();
        for sample in 0..self.limits.samples {
            // A lost name or length hides all units behind it: where few units are kept, those are.
            let mut pick = |choices: usize, newest: usize, shows_others: bool| match (
                sample % 3,
                random.below(8),
            ) {
                (0, 1..) => newest,
                (1, 1..) => usize::from(shows_others) * newest,
                _ => random.below(choices),
            };
            let pending = self.snapshot.medium.names.pending.len();
            let names = (0..pending).map(|at| pick(base(at), 1, true)).collect();
            let mut files = Vec::with_capacity(self.files.len());
            for file in &self.files {
                let mut choice = FileChoice::default();
                if let Some(pieces) = file.as_ref().and_then(|file| file.pieces.as_ref()) {
                    let lengths = pieces.lengths.len();
                    choice.length = pick(lengths, lengths - 1, true);
                    let unit = |unit: &Unit| pick(unit.kinds.len(), unit.newest, false);
                    choice.units = pieces.units.iter().map(unit).collect();
                }
                files.push(choice);
            }
            self.add_whole(&Whole { names, files });
        }
    }

    fn whole(&self, name: &dyn Fn(usize) -> usize, file: impl Fn(&Pieces) -> FileChoice) -> Whole {
        let pieces = |outcomes: &Option<super::FileOutcomes>| {
            outcomes.as_ref().and_then(|file| file.pieces.as_ref()).map(&file).unwrap_or_default()
        };
        Whole {
            names: (0..self.snapshot.medium.names.pending.len()).map(name).collect(),
            files: self.files.iter().map(pieces).collect(),
        }
    }

    /// When anything changed that is not durable yet, in order.
    fn moments(&self) -> Vec<u64> {
        let mut all: Vec<u64> =
            self.snapshot.medium.names.pending.iter().map(|change| change.sequence).collect();
        for pieces in self.files.iter().flatten().filter_map(|file| file.pieces.as_ref()) {
            all.extend(pieces.lengths.iter().map(|(_, since)| *since));
            for kind in pieces.units.iter().flat_map(|unit| &unit.kinds) {
                if let Kind::Written(sequence) = kind {
                    all.push(*sequence);
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn add_whole(&mut self, whole: &Whole) {
        let names = self.add_names(&whole.names);
        let inos: Vec<Ino> = self.names[names].inos.clone();
        let picks: Vec<usize> =
            inos.iter().map(|ino| self.image_of(*ino, &whole.files[*ino as usize])).collect();
        self.add_state(names, &picks);
    }

    /// The index of a file's image, which is added if it is new.
    fn image_of(&mut self, ino: Ino, choice: &FileChoice) -> usize {
        let Some(file) = &mut self.files[ino as usize] else { return 0 };
        let Some(pieces) = &file.pieces else { return 0 };
        let bytes = pieces.image(choice);
        let hash = hash::of_bytes(&bytes);
        if let Some(known) = file.images.iter().position(|image| image.0 == hash) {
            return known;
        }
        let inode = Arc::new(Inode::settled(Arc::new(bytes)));
        file.images.push((hash, inode, choice.clone()));
        file.images.len() - 1
    }
}
