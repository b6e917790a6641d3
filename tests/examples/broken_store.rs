//! A key-value store of forty lines that loses what it promised, and the crash that shows it:
//! `cargo run -p durability-testkit --example broken_store`. With `-- --fixed` the corrected store, which survives everything.
//!
//! Must keep the store small enough to be understood at a glance.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core)] // a program for a host

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use durability_core::embedded_io::{Read, Write};
use durability_core::storage::{AppendFile, Directory, Folder, Name};
use durability_testkit::simulated::{
    Bounds, DiskOptions, Ended, Failure, JournalOf, Model, PrefixOracle, SimulatedDisk, Statistics,
    Workload, explore, shorter,
};

type Failed = Box<dyn Error>;
type Pairs = BTreeMap<u8, u8>;

// The store: all pairs in one file, which every `put` writes anew and renames into place.

struct Store<'a, D> {
    directory: &'a D,
    pairs: Pairs,
    is_fixed: bool,
}

impl<'a, D: Directory> Store<'a, D> {
    fn open(directory: &'a D, is_fixed: bool) -> Result<Self, Failed> {
        let mut store = Self { directory, pairs: Pairs::new(), is_fixed };
        store.sync_names()?; // what we show from now on must not go away again
        if let Some(mut file) = directory.open(Name::new("store")?)? {
            let mut bytes = vec![0; 512];
            let count = file.read(&mut bytes)?;
            store.pairs = bytes[..count].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        }
        Ok(store)
    }

    fn put(&mut self, key: u8, value: u8) -> Result<(), Failed> {
        self.pairs.insert(key, value);
        let (name, temp) = (Name::new("store")?, Name::new("store.tmp")?);
        self.directory.remove(temp)?;
        let mut file = self.directory.create(temp, 0)?.ok_or("in use")?;
        for (key, value) in &self.pairs {
            file.write_all(&[*key, *value])?;
        }
        file.sync_data()?;
        self.directory.rename(temp, name)?;
        self.sync_names()
    }

    /// The broken store forgets that names are data of their folder.
    fn sync_names(&self) -> Result<(), Failed> {
        if self.is_fixed {
            self.directory.sync_dir(Folder::ROOT)?;
        }
        Ok(())
    }
}

// What its user expects: a map.

#[derive(Debug, Clone, Default, PartialEq)]
struct Map(Pairs);

impl Model for Map {
    type Operation = (u8, u8);
    type Seen = Pairs;
    fn apply(&mut self, (key, value): &(u8, u8)) {
        self.0.insert(*key, *value);
    }
    fn explains(&self, seen: &Pairs) -> bool {
        self.0 == *seen
    }
}

// How it is used.

struct Puts {
    steps: Vec<(u8, u8)>,
    is_fixed: bool,
}

impl Puts {
    fn put_all(
        &self,
        disk: &SimulatedDisk,
        journal: &mut JournalOf<Self>,
        steps: &[(u8, u8)],
    ) -> Ended {
        let mut store = Store::open(disk, self.is_fixed)?;
        journal.recovered(store.pairs.clone());
        for (key, value) in steps {
            journal.issue((*key, *value));
            store.put(*key, *value)?;
            journal.acknowledge();
        }
        Ok(())
    }
}

impl Workload for Puts {
    type Operation = (u8, u8);
    type Seen = Pairs;

    fn run(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        self.put_all(disk, journal, &self.steps)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut JournalOf<Self>) -> Ended {
        let life = u8::try_from(journal.epoch())?;
        self.put_all(disk, journal, &[(7, life)])
    }

    fn describe(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(|(k, v)| format!("put {k} = {v}")).collect();
        steps.join(", ")
    }

    fn smaller(&self) -> Vec<Self> {
        let all = shorter(&self.steps).into_iter();
        all.map(|steps| Self { steps, is_fixed: self.is_fixed }).collect()
    }
}

/// Every crash, and every crash in what comes after it.
pub(crate) fn crash_it(is_fixed: bool) -> Result<Statistics, Box<Failure>> {
    let puts = Puts { steps: vec![(1, 10), (2, 20), (1, 30)], is_fixed };
    // Units of two bytes tear between any two pairs.
    let bounds = Bounds::new(DiskOptions::new().with_tear_unit(2)).with_depth(2);
    explore(&puts, &PrefixOracle::<Map>::new(), &bounds)
}

fn main() -> ExitCode {
    let is_fixed = std::env::args().any(|argument| argument == "--fixed");
    let result = crash_it(is_fixed);
    let is_expected = result.is_ok() == is_fixed;
    match result {
        Ok(statistics) => println!("no crash loses a promise: {statistics}"),
        Err(failure) => println!("{failure}"),
    }
    if is_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
