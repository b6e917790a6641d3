//! Runs the tests, for each mutant those that reach it, until one fails.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::build::Suite;

/// A mutant that costs more memory than this (KiB) is caught by that.
const MEMORY: u32 = 4 << 20;
/// A mutant that makes the tests so much slower is caught by that: in time of the processor, as the machine may be busy with other things.
const SLOWER: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(6);
/// Tests that take longer than this are asked last, and not about what has a reason to survive: it is here to be seen when it no longer does.
const LONG: Duration = Duration::from_secs(3);
/// Tests that do nothing for so much longer than they may compute are caught, too.
const IDLE: u32 = 10;
/// What a program gets that computes for longer.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;
const FAIL_FAST: &str = "-q -Z unstable-options --fail-fast";

/// What the tests said of one mutant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// By these tests.
    Caught(String),
    /// These tests did not end.
    Timeout(String),
    Survived,
    /// No test runs the line.
    Unreached,
}

/// Test programs with how long they take and which mutants they reach, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Reach<'a> {
    suites: Vec<(&'a Suite, Duration, BTreeSet<u32>)>,
    folder: &'a Path,
}

/// A mutant to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) id: u32,
    /// It has a reason to survive.
    pub(crate) listed: bool,
}

/// Tests that are asked together, the quickest answers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Core,
    Kit,
    Long,
}

enum Ran {
    Passed,
    Failed,
    Endless,
}

impl<'a> Reach<'a> {
    /// Runs all without a mutant.
    pub(crate) fn find(suites: &'a [Suite], folder: &'a Path) -> Result<Self, Box<dyn Error>> {
        let mut found = Vec::new();
        for suite in suites {
            let list = folder.join("reached");
            _ = fs::remove_file(&list);
            let passes = |variable: &str, value: &str| match run(
                suite,
                folder,
                (variable, value),
                PATIENCE * 30,
            ) {
                Ok(Ran::Passed) => Ok(()),
                Ok(_) => Err(format!("{} fails without a mutant, {variable}={value}", suite.name)),
                Err(error) => Err(error.to_string()),
            };
            let start = Instant::now();
            passes("MUTANT", "0")?;
            let time = start.elapsed();
            passes("MUTANT_REACHED", &list.to_string_lossy())?;
            let reached = fs::read(&list).unwrap_or_default();
            let reached = reached.as_chunks().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
            eprintln!("{:>8.2} s: {}", time.as_secs_f64(), suite.name);
            found.push((suite, time, reached));
        }
        found.sort_by_key(|(suite, time, _)| (!suite.of_core, *time));
        Ok(Self { suites: found, folder })
    }

    /// Asks the tests of one round about a mutant.
    fn judge(&self, mutant: Asked, round: Round) -> Result<Outcome, Box<dyn Error>> {
        let mut outcome = Outcome::Unreached;
        for (suite, time, reached) in &self.suites {
            let of = match (suite.of_core, *time > LONG) {
                (_, true) => Round::Long,
                (true, _) => Round::Core,
                (false, _) => Round::Kit,
            };
            let wanted = of == round && !(mutant.listed && round == Round::Long);
            if !wanted || !reached.contains(&mutant.id) {
                continue;
            }
            let patience = PATIENCE.max(*time * SLOWER);
            match run(suite, self.folder, ("MUTANT", &mutant.id.to_string()), patience)? {
                Ran::Passed => outcome = Outcome::Survived,
                Ran::Failed => return Ok(Outcome::Caught(suite.name.clone())),
                Ran::Endless => return Ok(Outcome::Timeout(suite.name.clone())),
            }
        }
        Ok(outcome)
    }

    /// Judges each of these, `jobs` at a time: all by the core's own tests, then what these let live by the kit's.
    pub(crate) fn all(
        &self,
        mutants: &[Asked],
        jobs: usize,
        told: impl Fn(usize, usize, u32, &Outcome) + Sync,
    ) -> Result<BTreeMap<u32, Outcome>, Box<dyn Error>> {
        let mut outcomes = BTreeMap::new();
        for round in [Round::Core, Round::Kit, Round::Long] {
            let lives = |mutant: &Asked| {
                let before = outcomes.get(&mutant.id);
                before.is_none_or(|it| matches!(it, Outcome::Survived | Outcome::Unreached))
            };
            let asked: Vec<Asked> = mutants.iter().copied().filter(lives).collect();
            let known = self.round(&asked, round, jobs, &told)?;
            for (id, outcome) in known {
                let reached = matches!(outcomes.get(&id), Some(Outcome::Survived));
                let kept = reached && outcome == Outcome::Unreached;
                outcomes.insert(id, if kept { Outcome::Survived } else { outcome });
            }
        }
        Ok(outcomes)
    }

    fn round(
        &self,
        mutants: &[Asked],
        round: Round,
        jobs: usize,
        told: &(impl Fn(usize, usize, u32, &Outcome) + Sync),
    ) -> Result<BTreeMap<u32, Outcome>, Box<dyn Error>> {
        let (next, outcomes) = (Mutex::new(mutants.iter()), Mutex::new(BTreeMap::new()));
        let failure = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(mutant) = next.lock().ok().and_then(|mut next| next.next()) {
                        match self.judge(*mutant, round) {
                            Ok(outcome) => {
                                _ = outcomes.lock().map(|mut outcomes| {
                                    outcomes.insert(mutant.id, outcome.clone());
                                    told(outcomes.len(), mutants.len(), mutant.id, &outcome);
                                });
                            }
                            Err(error) => {
                                _ = failure
                                    .lock()
                                    .map(|mut failure| *failure = Some(error.to_string()));
                                return;
                            }
                        }
                    }
                });
            }
        });
        match failure.into_inner()? {
            Some(error) => Err(error.into()),
            None => Ok(outcomes.into_inner()?),
        }
    }
}

fn run(
    suite: &Suite,
    folder: &Path,
    variable: (&str, &str),
    patience: Duration,
) -> Result<Ran, Box<dyn Error>> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "ulimit -c 0; ulimit -v {MEMORY}; ulimit -t {}; exec \"$0\" {FAIL_FAST}",
            patience.as_secs()
        ))
        .arg(&suite.program)
        .current_dir(&suite.folder)
        .env(variable.0, variable.1)
        .env("PROPTEST_RNG_SEED", "1")
        // That it fails is enough: neither the shortest case nor the other tests are wanted.
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(match (status.success(), status.signal()) {
                (true, _) => Ran::Passed,
                (false, Some(SIGXCPU | SIGKILL)) => Ran::Endless,
                (false, _) => Ran::Failed,
            });
        }
        if start.elapsed() > patience * IDLE {
            child.kill()?;
            child.wait()?;
            return Ok(Ran::Endless);
        }
        thread::sleep(Duration::from_millis(1));
    }
}
