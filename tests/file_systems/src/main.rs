//! Crash images on the file systems of the Linux kernel: a disk that logs every write and flush, a workload on it, and every kind of
//! state that a power cut may leave between two flushes, mounted, recovered and judged.
//!
//! `run` beside this package builds and starts it, and cleans up. Must never touch a mount, a loop device or a file that it has not made.

mod aftermath;
mod arguments;
mod campaign;
mod device;
mod flavour;
mod host;
mod image;
mod port;
mod random;
mod served;
mod stories;
mod survivors;
mod table;
mod trial;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::{env, fs};

use arguments::Arguments;
use campaign::Plan;
use device::Device;
use flavour::Flavour;
use port::Cheat;
use survivors::Flushes;
use table::{Role, Row};
use trial::Bench;

/// Anything that ends a run.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Images of one workload.
const IMAGES_PER_WORKLOAD: usize = 100;
/// The most that a control takes, to show what must be seen at once.
const CONTROL_IMAGES: usize = 400;
/// A control tries many workloads, a little each.
const CONTROL_IMAGES_PER_WORKLOAD: usize = 20;
/// What a control is content with.
const CONTROL_VIOLATIONS: usize = 3;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{}", arguments::USAGE);
            return ExitCode::FAILURE;
        }
    };
    if let Some(why) = flavour::no_mounts().or_else(|| {
        host::keep_mounts_private().err().map(|error| format!("no private mounts: {error}"))
    }) {
        for flavour in &arguments.flavours {
            skipped(*flavour, &why);
        }
        return ExitCode::SUCCESS;
    }
    match all(&arguments) {
        Ok(rows) => verdict(&rows),
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn verdict(rows: &[Row]) -> ExitCode {
    if rows.is_empty() {
        return ExitCode::SUCCESS;
    }
    table::print(&host::kernel(), rows);
    let faults: Vec<String> = rows.iter().filter_map(Row::fault).collect();
    for fault in &faults {
        println!("failed: {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says that a file system cannot be here, and why.
fn skipped(flavour: Flavour, why: &str) {
    println!("skipped: {}: {}", flavour.name(), why.trim());
}

/// A thread that works on one file system, and how to tell it where its disk is.
struct Worker {
    flavour: Flavour,
    disk: Sender<(Arc<Device>, PathBuf)>,
    rows: JoinHandle<Result<Vec<Row>, Failed>>,
}

/// All file systems at once, each with a disk of its own.
fn all(arguments: &Arguments) -> Result<Vec<Row>, Failed> {
    let mut workers = Vec::new();
    for flavour in &arguments.flavours {
        match flavour.missing() {
            Some(why) => skipped(*flavour, &why),
            None => workers.push(worker(*flavour, arguments)?),
        }
    }
    // Only now, with the workers' tables of open files split off: see `host::keep_files_private`.
    let mut served = Vec::new();
    for worker in &workers {
        let folder = folder(arguments, worker.flavour, "device")?;
        let device = Arc::new(Device::new(worker.flavour.disk_bytes()));
        match served::serve(Arc::clone(&device), &folder) {
            Ok(session) => {
                served.push(session);
                worker.disk.send((device, folder.join(served::FILE)))?;
            }
            Err(error) => skipped(worker.flavour, &format!("no FUSE: {error}")),
        }
    }
    let mut rows = Vec::new();
    for worker in workers {
        drop(worker.disk);
        let name = worker.flavour.name();
        let ended = worker.rows.join().map_err(|_| format!("{name}: the thread panicked"))?;
        rows.extend(ended.map_err(|error| format!("{name}: {error}"))?);
    }
    for session in served {
        session.umount_and_join()?;
    }
    Ok(rows)
}

fn folder(arguments: &Arguments, flavour: Flavour, name: &str) -> Result<PathBuf, Failed> {
    let folder = arguments.scratch.join(flavour.name()).join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn worker(flavour: Flavour, arguments: &Arguments) -> Result<Worker, Failed> {
    let (disk, told) = channel();
    let (ready, started) = channel();
    let (at, arguments) = (folder(arguments, flavour, "mounted")?, arguments.clone());
    let rows = thread::Builder::new().name(flavour.name().to_owned()).spawn(move || {
        ready.send(host::keep_files_private())?;
        work(flavour, &arguments, at, &told)
    })?;
    started.recv()??;
    Ok(Worker { flavour, disk, rows })
}

fn work(
    flavour: Flavour,
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
    for (role, plan) in plans(arguments, &arguments.evidence) {
        let tally = campaign::run(&bench, &empty, &plan)?;
        let (file_system, asked, seed) = (flavour.name(), plan.images, plan.seed);
        rows.push(Row { file_system, role, asked, seed, tally });
    }
    Ok(rows)
}

/// The controls come first: without them the rest proves nothing.
fn plans(arguments: &Arguments, evidence: &Path) -> Vec<(Role, Plan)> {
    let control = Plan {
        images: CONTROL_IMAGES,
        images_per_workload: CONTROL_IMAGES_PER_WORKLOAD,
        violations_max: CONTROL_VIOLATIONS,
        seed: arguments.seed,
        flushes: Flushes::Honest,
        cheat: Cheat::Nothing,
        until: None,
        evidence: None,
    };
    let lying = Plan { flushes: Flushes::Ignored, ..control.clone() };
    let no_file_sync = Plan { cheat: Cheat::FileSyncs, ..control.clone() };
    let no_folder_sync = Plan { cheat: Cheat::FolderSyncs, ..control.clone() };
    let trial = Plan {
        images: arguments.images,
        images_per_workload: IMAGES_PER_WORKLOAD,
        violations_max: if arguments.hunt { 1 } else { usize::MAX },
        until: arguments.time_max.map(|time_max| Instant::now() + time_max),
        evidence: Some(evidence.to_path_buf()),
        ..control
    };
    if arguments.hunt {
        return vec![(Role::Trial, trial)];
    }
    vec![
        (Role::LyingDisk, lying),
        (Role::NoFileSync, no_file_sync),
        (Role::NoFolderSync, no_folder_sync),
        (Role::Trial, trial),
    ]
}
