//! One life of a store in a process of its own, on real files; and the commands that start it.
//!
//! Must never tell the outside world anything but through marks: what a killed process meant to say is lost.

use std::env;
use std::path::Path;
use std::process::Command;

use durability::storage::FsDirectory;
use durability_testkit::simulated::{Ended, Journal, SimulatedDisk};
use durability_testkit::traced::{Recovery, Subfolder, Tracer};

use super::outside::{Failed, InJournal, Marks, Operation, Seen, Told, from_text};
use super::shared;
use super::store::{AFTERWARDS, live};
use super::workloads::{Workload, find};

/// Where the store is, below the traced folder: its own folder's name, and its parent's, are part of what must be durable.
pub(crate) const STORE: &str = "data/store";

/// The first word of the command line of a life.
pub(crate) const WORD: &str = "life";

/// A life, to be run: the first one does the workload, later ones recover and do a little more.
pub(crate) fn command(workload: &Workload, life: u32, tracer: &Tracer) -> Result<Command, Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.args([WORD, workload.name, &life.to_string()]);
    command.arg(tracer.folder()).arg(tracer.marks());
    Ok(command)
}

/// Runs it.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failed> {
    let [name, life, folder, marks] = arguments else {
        return Err("a life needs a workload, a number, a folder and a file".into());
    };
    let workload = find(name).ok_or("no such workload")?;
    let life: u32 = life.parse()?;
    let mut marks = Marks::new(Path::new(marks), life)?;
    if life == 0 && workload.kind.is_shared() {
        return shared::live(&workload, &FsDirectory::new(Path::new(folder).join(STORE))?, marks);
    }
    on_real_files(&workload, life, Path::new(folder), &mut marks)
}

/// The same in this process.
pub(crate) fn on_real_files(
    workload: &Workload,
    life: u32,
    folder: &Path,
    outside: &mut dyn super::outside::Outside,
) -> Result<(), Failed> {
    let dir = FsDirectory::new(folder.join(STORE))?;
    let steps = if life == 0 { workload.steps } else { AFTERWARDS };
    live(workload.kind, steps, &dir, outside)
}

/// How the library recovers on a simulated disk what the traced lives left, of which the last had this number.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) workload: Workload,
    pub(crate) life: u32,
}

impl Recovery for Library {
    type Operation = Operation;
    type Seen = Seen;

    fn event(&self, mark: &str) -> Result<Told, Failed> {
        from_text(mark)
    }

    fn recover(&self, disk: &SimulatedDisk, journal: &mut Journal<Operation, Seen>) -> Ended {
        let dir = Subfolder::new(disk, STORE);
        let mut outside = InJournal { journal, life: self.life };
        live(self.workload.kind, AFTERWARDS, &dir, &mut outside)
    }
}
