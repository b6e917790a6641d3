//! Who works: some threads for each file system, each with a disk, a loop device and a folder of its own.
//!
//! Must never serve a disk with the table of open files of a thread that waits for it: see `host::keep_files_private`.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::arguments::Arguments;
use super::campaign::{self, Plan};
use super::device::Device;
use super::flavour::Flavour;
use super::port::Cheat;
use super::survivors::Flushes;
use super::table::{Role, Row};
use super::trial::Bench;
use super::{Failed, host, served};

/// Images of one workload.
const IMAGES_PER_WORKLOAD: usize = 100;
/// The most that a control takes, to show what must be seen at once.
const CONTROL_IMAGES: usize = 400;
/// A control tries many workloads, a little each.
const CONTROL_IMAGES_PER_WORKLOAD: usize = 20;
/// What a control is content with.
const CONTROL_VIOLATIONS: usize = 3;

/// Between the seeds of two threads.
const SEEDS_APART: u64 = 1 << 32;

/// A thread that works on one file system, and how to tell it where its disk is.
struct Worker {
    flavour: Flavour,
    /// A folder of its own.
    folder: PathBuf,
    disk: Sender<(Arc<Device>, PathBuf)>,
    rows: JoinHandle<Result<Vec<Row>, Failed>>,
}

/// All file systems at once, some threads each, each with a disk of its own.
pub(crate) fn all(arguments: &Arguments) -> Result<Vec<Row>, Failed> {
    let mut workers = Vec::new();
    for flavour in &arguments.flavours {
        if let Some(why) = flavour.missing() {
            skipped(*flavour, &why);
            continue;
        }
        for job in 0..arguments.jobs {
            workers.push(worker(*flavour, job, arguments)?);
        }
    }
    // Only now, with the workers' tables of open files split off: see `host::keep_files_private`.
    let mut served = Vec::new();
    for worker in &workers {
        let folder = worker.folder.join("device");
        let device = Arc::new(Device::new(worker.flavour.disk_bytes()));
        match served::serve(Arc::clone(&device), &folder) {
            Ok(session) => {
                served.push(session);
                worker.disk.send((device, folder.join(served::FILE)))?;
            }
            Err(error) => skipped(worker.flavour, &format!("no FUSE: {error}")),
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for worker in workers {
        drop(worker.disk);
        let name = worker.flavour.name();
        let ended = worker.rows.join().map_err(|_| format!("{name}: the thread panicked"))?;
        for row in ended.map_err(|error| format!("{name}: {error}"))? {
            match rows.iter_mut().find(|known| known.is_of(&row)) {
                Some(known) => known.add(&row),
                None => rows.push(row),
            }
        }
    }
    for session in served {
        session.umount_and_join()?;
    }
    Ok(rows)
}

fn worker(flavour: Flavour, job: usize, arguments: &Arguments) -> Result<Worker, Failed> {
    let folder = arguments.scratch.join(format!("{}-{job}", flavour.name()));
    let at = folder.join("mounted");
    fs::create_dir_all(&at)?;
    fs::create_dir(folder.join("device"))?;
    let (disk, told) = channel();
    let (ready, started) = channel();
    let arguments = arguments.clone();
    let rows = thread::Builder::new().name(flavour.name().to_owned()).spawn(move || {
        ready.send(host::keep_files_private())?;
        work(flavour, job, &arguments, at, &told)
    })?;
    started.recv()??;
    Ok(Worker { flavour, folder, disk, rows })
}

fn work(
    flavour: Flavour,
    job: usize,
    arguments: &Arguments,
    at: PathBuf,
    told: &Receiver<(Arc<Device>, PathBuf)>,
) -> Result<Vec<Row>, Failed> {
    // No disk, no work.
    let Ok((device, file)) = told.recv() else { return Ok(Vec::new()) };
    let attached = match host::Loop::attach(&file, &arguments.scratch) {
        Ok(attached) => attached,
        Err(error) => {
            skipped(flavour, &error.to_string());
            return Ok(Vec::new());
        }
    };
    flavour.make(attached.path())?;
    let empty = device.snapshot();
    let bench = Bench { flavour, device, path: attached.path().to_path_buf(), at };
    let mut rows = Vec::new();
    for (role, plan) in plans(arguments, job) {
        let tally = campaign::run(&bench, &empty, &plan)?;
        let (file_system, asked, seed) = (flavour.name(), plan.images, arguments.seed);
        rows.push(Row { file_system, role, asked, seed, tally });
    }
    Ok(rows)
}

/// What one of several threads does. The controls come first: without them the rest proves nothing.
fn plans(arguments: &Arguments, job: usize) -> Vec<(Role, Plan)> {
    let control = Plan {
        images: CONTROL_IMAGES,
        images_per_workload: CONTROL_IMAGES_PER_WORKLOAD,
        violations_max: CONTROL_VIOLATIONS,
        seed: arguments.seed.wrapping_add(job as u64 * SEEDS_APART),
        flushes: Flushes::Honest,
        cheat: Cheat::Nothing,
        until: None,
        evidence: None,
    };
    let lying = Plan { flushes: Flushes::Ignored, ..control.clone() };
    let no_file_sync = Plan { cheat: Cheat::FileSyncs, ..control.clone() };
    let no_folder_sync = Plan { cheat: Cheat::FolderSyncs, ..control.clone() };
    let trial = Plan {
        images: arguments.images / arguments.jobs
            + usize::from(job < arguments.images % arguments.jobs),
        images_per_workload: IMAGES_PER_WORKLOAD,
        violations_max: if arguments.hunt { 1 } else { usize::MAX },
        until: arguments.time_max.map(|time_max| Instant::now() + time_max),
        evidence: Some(arguments.evidence.clone()),
        ..control
    };
    if arguments.hunt || job > 0 {
        return vec![(Role::Trial, trial)];
    }
    vec![
        (Role::LyingDisk, lying),
        (Role::NoFileSync, no_file_sync),
        (Role::NoFolderSync, no_folder_sync),
        (Role::Trial, trial),
    ]
}

/// Says that a file system cannot be here, and why.
pub(crate) fn skipped(flavour: Flavour, why: &str) {
    println!("skipped: {}: {}", flavour.name(), why.trim());
}
