//! The plainest account of a crash state: of all choices that leave the same disk, the one in which the least went wrong.
//!
//! Must never name another state than the one that it was asked for.

use super::super::names::{FOLDER, Ino};
use super::super::pieces::{FileChoice, LOST, ODD, Pieces};
use super::super::story::Survived;
use super::{CrashStates, names_left_by};

impl CrashStates {
    /// What became of every pending piece.
    ///
    /// # Panics
    /// If there is no such state.
    pub fn choice(&self, state: usize) -> Survived {
        let pending = &self.snapshot.medium.names;
        let mut survived = Survived::of_names(pending, &self.plain_names(state));
        let outcome = &self.names[self.states[state].1 as usize];
        for (at, (pieces, choice)) in self.plain_files(state) {
            let number = Ino::try_from(at).unwrap_or(FOLDER);
            let name = outcome.names.iter().find(|(_, ino)| *ino == number);
            let name = name.map(|(name, _)| pending.table.text(*name));
            survived.add_file(name, pieces, &choice);
        }
        survived
    }

    /// How much went wrong: 0 where everything was kept, more for every piece that was lost.
    pub(in super::super) fn oddity(&self, state: usize) -> u32 {
        let count = |choice: &usize| match choice {
            0 => LOST,
            1 => 0,
            _ => ODD,
        };
        let names: u32 = self.plain_names(state).iter().map(count).sum();
        let files = self.plain_files(state);
        names + files.map(|(_, (pieces, choice))| pieces.oddity(&choice)).sum::<u32>()
    }

    /// Whatever can be said to have been kept, is.
    fn plain_names(&self, state: usize) -> Vec<usize> {
        let outcome = &self.names[self.states[state].1 as usize];
        let mut choice = outcome.choice.clone();
        for at in 0..choice.len() {
            let before = core::mem::replace(&mut choice[at], 1);
            let (names, inos) = names_left_by(&self.snapshot.medium.names, &choice);
            if names != *outcome.names || inos != outcome.inos {
                choice[at] = before;
            }
        }
        choice
    }

    /// The files with something pending, by their numbers in the state.
    fn plain_files(&self, state: usize) -> impl Iterator<Item = (usize, (&Pieces, FileChoice))> {
        let (_, names, picks) = self.states[state];
        let inos = self.names[names as usize].inos.iter().enumerate();
        inos.filter_map(move |(at, ino)| {
            let file = self.files[*ino as usize].as_ref()?;
            let pieces = file.pieces.as_ref()?;
            let image = &file.images[self.picks[picks as usize + at] as usize];
            Some((at, (pieces, pieces.plainest(&image.2))))
        })
    }
}
