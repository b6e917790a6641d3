//! The run as a whole: each bug in a process of its own, as many at a time as there are processors.
//!
//! Must never let a bug that hangs, or kills its process, count as found.

use std::collections::BTreeSet;
use std::env;
use std::io::Read as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use durability_core::planted::{Bug, ENVIRONMENT};
use durability_testkit::proof::families;

use crate::Failed;
use crate::matrix::{self, Row};
use crate::programs::{PROGRAMS, Program, TRACED};
use crate::table::{self, Finder, Planted};
use crate::tiers;
use crate::verdict::Verdict;

/// How long one bug may take. Most take a second.
const PATIENCE: Duration = Duration::from_secs(240);

/// What was asked for.
#[derive(Debug, Default)]
struct Arguments {
    write: bool,
    all: bool,
    only: Vec<String>,
    story: Option<String>,
}

impl Arguments {
    fn parse(arguments: &[String]) -> Result<Self, Failed> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut name = || {
                let name = rest.next().ok_or_else(|| format!("{argument} takes a bug's name"))?;
                let known = Bug::named(name).map(|_| name.clone());
                known.ok_or_else(|| format!("there is no bug {name}"))
            };
            match argument.as_str() {
                "--write" => parsed.write = true,
                "--all" => parsed.all = true,
                "--only" => parsed.only.push(name()?),
                "--story" => parsed.story = Some(name()?),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(parsed)
    }

    fn wants(&self, bug: Bug) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == bug.name())
    }
}

/// The whole run, or one worker's part of it.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failed> {
    if let [command, bug, number] = arguments
        && command == "worker"
    {
        return work(bug, number);
    }
    let arguments = Arguments::parse(arguments)?;
    table::check()?;
    if let Some(name) = &arguments.story {
        return tell(name);
    }
    let begun = Instant::now();
    if arguments.only.is_empty() {
        without_bugs()?;
        eprintln!("nothing is found where no bug is planted ({} s)", begun.elapsed().as_secs());
    } else if arguments.write {
        return Err("a matrix that is written down has all bugs".into());
    }
    let rows = Mutex::new(Vec::new());
    let wanted: Vec<&Planted> =
        table::ALL.iter().filter(|planted| arguments.wants(planted.bug)).collect();
    let next = Mutex::new(wanted.iter());
    let take = || next.lock().map(|mut next| next.next().copied()).ok().flatten();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(planted) = take() {
                    let row = judge(planted, arguments.all);
                    eprintln!("{row}");
                    if let Ok(mut rows) = rows.lock() {
                        rows.push(row);
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().map_err(|_| "a worker's thread died")?;
    matrix::show(rows, begun.elapsed(), arguments.write)
}

/// One bug under the tier that must find it; if that does not, under all of them.
fn judge(planted: &'static Planted, all: bool) -> Row {
    let begun = Instant::now();
    let verdict = start(planted.bug, "named").and_then(finish);
    let seconds = begun.elapsed().as_secs_f64();
    let found = matches!(&verdict, Ok(Verdict::Found(_)));
    let elsewhere = if (!found && planted.harmless.is_none()) || all {
        elsewhere(planted.bug)
    } else {
        Vec::new()
    };
    Row { planted, verdict: verdict.map_err(|failed| failed.to_string()), seconds, elsewhere }
}

/// Everything that finds a bug.
fn elsewhere(bug: Bug) -> Vec<Verdict> {
    let families = families().iter().map(|family| format!("family {}", family.name));
    let all = families.chain(PROGRAMS.iter().map(|program| program.name.to_owned()));
    let verdicts = all.map(|place| start(bug, &place).and_then(finish));
    verdicts.flatten().filter(|verdict| matches!(verdict, Verdict::Found(_))).collect()
}

/// Starts a process with a bug planted, or none.
fn start(bug: Bug, place: &str) -> Result<Child, Failed> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["worker", bug.name(), place]).env(ENVIRONMENT, bug.name());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(command.spawn()?)
}

fn finish(mut child: Child) -> Result<Verdict, Failed> {
    let mut output = child.stdout.take().ok_or("no output")?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            let _reaped = child.wait()?;
            return Err(format!("no end within {} s", PATIENCE.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = reader.join().map_err(|_| "no output")??;
    match Verdict::from_lines(&text) {
        Some(verdict) => Ok(verdict),
        None => Err(format!("{status}: {text}").into()),
    }
}

/// The part of a process that was started for one bug.
fn work(bug: &str, place: &str) -> Result<ExitCode, Failed> {
    let bug = Bug::named(bug).ok_or("no such bug")?;
    let verdict = if place == "named" {
        let planted = table::ALL.iter().find(|planted| planted.bug == bug);
        let planted = planted.ok_or("the bug is not in the table")?;
        tiers::run(planted.finder, Some(bug))?
    } else if let Some(name) = place.strip_prefix("family ") {
        tiers::explore(families().iter().filter(|family| family.name == name))
    } else if place == TRACED.name {
        tiers::run_traced(Some(bug))?
    } else {
        tiers::run_tests(Program::named(place)?, &[], Some(bug))?
    };
    print!("{}", verdict.to_lines());
    Ok(ExitCode::SUCCESS)
}

/// Whatever finds a bug where there is none finds nothing.
fn without_bugs() -> Result<(), Failed> {
    durability_core::planted::plant(None);
    let complaint = |verdict| match verdict {
        Verdict::Found(found) => Err(format!("no bug is planted, and {found:?}")),
        Verdict::Survived { .. } => Ok(()),
    };
    let tests = || -> Result<(), Failed> {
        let mut done = BTreeSet::new();
        for planted in table::ALL {
            if !matches!(planted.finder, Finder::Family(_))
                && done.insert(format!("{:?}", planted.finder))
            {
                complaint(tiers::run(planted.finder, None)?)?;
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let explored = scope.spawn(|| complaint(tiers::explore(families().iter())));
        tests()?;
        Ok(explored.join().map_err(|_| "exploring panicked")??)
    })
}

fn tell(name: &str) -> Result<ExitCode, Failed> {
    let bug = Bug::named(name).ok_or("no such bug")?;
    match finish(start(bug, "named")?)? {
        Verdict::Found(found) => {
            println!("{name}: {}\n\n{}", bug.what(), found.story);
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Survived { cases, .. } => {
            println!("{name} survives {cases} cases");
            Ok(ExitCode::FAILURE)
        }
    }
}
