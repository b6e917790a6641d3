//! The power-cut campaign on flash: a log with checkpoints, cut in every operation, and again in every operation of the life after it.
//!
//! ```text
//! cargo run --release -p durability-testkit --bin flash_cuts               some ten thousands of cuts, a table as Markdown
//! cargo run --release -p durability-testkit --bin flash_cuts -- --full     more than a million
//! cargo run --release -p durability-testkit --bin flash_cuts -- --replay [--awaited] GRANULE SCRIPT SCRIPT CUT...
//! ```
//!
//! Must never print a figure of a run that broke a law.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test kit runs on a host"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use durability_core::walog::WalOptions;
use durability_flash::FlashOptions;
use durability_testkit::backends::NorChip;
use durability_testkit::flash::{
    AsyncLogProgram, Campaign, CutAt, FlashFailure, FlashFigures, FlashProgram, LogProgram,
    Outside, Script, explore, replay,
};

const USAGE: &str = "flash_cuts [--full | --replay [--awaited] GRANULE SCRIPT SCRIPT CUT...]";
const SLOTS: usize = 14;
/// Each has its own way of wearing a region down; random ones come on top.
const SCRIPTS: [[&str; 2]; 3] = [
    [
        "a20 s a60 a5 s b3 f e a80 a80 a80 s p i a30 a90 a90 s t2 a11 r a90 a90 a90 a90 s p a7 a90 a90 a90 a90 a90 s p",
        "a33 s a90 p e a12 a90 a90 s t1 a8",
    ],
    ["a9 p a9 p e a9 p a9 p i a9 p a9 p a9 p a9 p e a9 p a9 p a9 p", "p a9 p a9 p"],
    [
        "b4 b4 s b4 t1 p b4 s t3 r p b4 f t1 s b4 b4 b4 p b4 b4 s t4 p r b4",
        "b4 t1 p b4 s t2 p b4 r b4 p",
    ],
];

/// One program on one kind of chip.
#[derive(Debug, Clone)]
struct Job {
    granule: usize,
    /// Raw records, through a driver that has to be awaited.
    awaited: bool,
    scripts: [Script; 2],
    /// One in so many second cuts in programs.
    one_in: u64,
}

/// What is done on a chip, and how.
enum Task<'a> {
    Explore(&'a Campaign),
    Replay(&'a [CutAt]),
}

impl Task<'_> {
    fn run<P, const READ: usize, const WRITE: usize, const ERASE: usize>(
        &self,
        program: &P,
    ) -> Result<FlashFigures, FlashFailure>
    where
        P: FlashProgram<READ, WRITE, ERASE, Outside = Outside>,
    {
        let (chip, outside) = (NorChip::new(2 * SLOTS), Outside::default());
        match self {
            Self::Explore(campaign) => explore(program, chip, outside, campaign),
            Self::Replay(path) => {
                replay(program, chip, outside, path).map(|()| FlashFigures::default())
            }
        }
    }
}

impl Job {
    fn run(&self, task: &Task<'_>) -> Result<FlashFigures, FlashFailure> {
        match self.granule {
            1 => self.run_on::<1, 1, 512>(task),
            4 => self.run_on::<4, 4, 512>(task),
            8 => self.run_on::<1, 8, 512>(task),
            16 => self.run_on::<1, 16, 512>(task),
            32 => self.run_on::<8, 32, 512>(task),
            _ => self.run_on::<1, 256, 2048>(task),
        }
    }

    fn run_on<const READ: usize, const WRITE: usize, const ERASE: usize>(
        &self,
        task: &Task<'_>,
    ) -> Result<FlashFigures, FlashFailure> {
        let flash = FlashOptions::new().name_bytes_max(24);
        let flash = if self.granule == 8 { flash.never_reopen() } else { flash };
        if !self.awaited {
            let program = LogProgram::<SLOTS>::new(flash, &self.scripts);
            return task.run::<_, READ, WRITE, ERASE>(&program);
        }
        let program = AsyncLogProgram::<SLOTS> {
            flash,
            wal: WalOptions::new(),
            buffer_bytes: 256,
            ahead_bytes: 16 << 10,
            scripts: self.scripts.to_vec(),
        };
        task.run::<_, READ, WRITE, ERASE>(&program)
    }
}

fn jobs(full: bool) -> Result<Vec<Job>, durability_testkit::flash::ScriptError> {
    let mut jobs = Vec::new();
    // The smaller the granule, the more operations: about as many second cuts of each.
    for (granule, one_in) in [(1, 400), (4, 40), (8, 20), (16, 8), (32, 4), (256, 2)] {
        let one_in = if full { one_in * 3 } else { one_in * 200 };
        for [first, later] in SCRIPTS {
            jobs.push(Job {
                granule,
                awaited: false,
                scripts: [first.parse()?, later.parse()?],
                one_in,
            });
        }
        let [first, later] = SCRIPTS[0];
        let scripts = [first.parse()?, later.parse()?];
        jobs.push(Job { granule, awaited: true, scripts, one_in: one_in * 3 });
        for seed in 0..if full { 4 } else { 1 } {
            let scripts = [Script::random(seed, 30), Script::random(seed + 1000, 10)];
            jobs.push(Job { granule, awaited: false, scripts, one_in });
        }
    }
    Ok(jobs)
}

fn run_all(jobs: &[Job]) -> Vec<Result<FlashFigures, FlashFailure>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, job)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|at| Some((at, jobs.get(at)?)))
                {
                    let result = job.run(&Task::Explore(&Campaign::new(2).one_in(2, job.one_in)));
                    if let Ok(mut results) = results.lock() {
                        results.push((index, result));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn table(full: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let jobs = jobs(full)?;
    println!("| granule | script | operations | first cuts | second cuts |");
    println!("|---|---|---|---|---|");
    let (mut first, mut second, mut whole) = (0, 0, true);
    for (job, result) in jobs.iter().zip(run_all(&jobs)) {
        let [script, later] = &job.scripts;
        let (awaited, option) = if job.awaited { ("awaited: ", "--awaited ") } else { ("", "") };
        match result {
            Ok(figures) => {
                let [ones, twos] = figures.cuts() else { continue };
                (first, second) = (first + ones, second + twos);
                let operations = figures.operations();
                let granule = job.granule;
                println!(
                    "| {granule} | {awaited}`{script}`, `{later}` | {operations} | {ones} | {twos} |"
                );
            }
            Err(failure) => {
                whole = false;
                let path: Vec<String> = failure.path.iter().map(ToString::to_string).collect();
                let (granule, path) = (job.granule, path.join(" "));
                eprintln!("{failure}\n--replay {option}{granule} '{script}' '{later}' {path}");
            }
        }
    }
    println!("| all | | | {first} | {second} |");
    Ok(whole)
}

fn run(arguments: &[String]) -> Result<bool, Box<dyn std::error::Error>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => table(false),
        ["--full"] => table(true),
        ["--replay", rest @ ..] => {
            let awaited = rest.first() == Some(&"--awaited");
            let [granule, first, later, path @ ..] =
                rest.get(usize::from(awaited)..).unwrap_or_default()
            else {
                return Err(USAGE.into());
            };
            let scripts = [first.parse()?, later.parse()?];
            let path = path.iter().map(|cut| cut.parse()).collect::<Result<Vec<CutAt>, _>>()?;
            let job = Job { granule: granule.parse()?, awaited, scripts, one_in: 1 };
            job.run(&Task::Replay(&path))?;
            println!("every law holds");
            Ok(true)
        }
        _ => Err(USAGE.into()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            eprintln!("flash_cuts: {failed}");
            ExitCode::FAILURE
        }
    }
}
