//! All mutants of the core in one build: which of them do the tests let live?
//!
//! `cargo mutants` builds the core and its tests once for each mutant. This puts all of them into one copy of the core, each behind a question, builds that
//! once, and lets a variable choose. What `.cargo/mutants.toml` excludes must survive, and nothing else.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that tells")]

mod build;
mod list;
mod run;
mod splice;
#[cfg(test)]
#[expect(dead_code, reason = "it serves in the copy of the core")]
mod switch;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use build::Built;
use list::Mutant;
use run::{Asked, Outcome, Reach};

const USAGE: &str = "durability-mutation REPOSITORY SCRATCH [--jobs N] [--only TEXT]... [TEST]...
  TEST     of the test kit: asked about what the core's own tests do not find
  --jobs   test programs at a time, 2 if not told
  --only   mutants whose names contain this";

struct Arguments {
    root: PathBuf,
    scratch: PathBuf,
    jobs: usize,
    tests: Vec<String>,
    only: Vec<String>,
}

fn arguments() -> Option<Arguments> {
    let mut words = env::args().skip(1);
    let (root, scratch) = (words.next()?.into(), words.next()?.into());
    let mut arguments = Arguments { root, scratch, jobs: 2, tests: Vec::new(), only: Vec::new() };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--jobs" => arguments.jobs = words.next()?.parse().ok()?,
            "--only" => arguments.only.push(words.next()?),
            _ if word.starts_with('-') => return None,
            _ => arguments.tests.push(word),
        }
    }
    Some(arguments)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let mutants = list::mutants(&arguments.root)?;
    let copy = arguments.scratch.join("copy");
    let built = build::build(&arguments.root, &copy, &mutants, &arguments.tests)?;
    let temporary = arguments.scratch.join("tmp");
    fs::create_dir_all(&temporary)?;
    let reach = Reach::find(&built.suites, &temporary)?;
    let wanted = |mutant: &&Mutant| {
        let only = &arguments.only;
        !built.unviable.contains_key(&mutant.id)
            && !built.constant.contains(&mutant.id)
            && (only.is_empty() || only.iter().any(|text| mutant.name.contains(text)))
    };
    let names: BTreeMap<u32, &str> =
        mutants.iter().map(|mutant| (mutant.id, mutant.name.as_str())).collect();
    let run: Vec<Asked> = mutants
        .iter()
        .filter(wanted)
        .map(|mutant| Asked { id: mutant.id, listed: mutant.listed })
        .collect();
    let outcomes = reach.all(&run, arguments.jobs, |told, of, id, outcome| {
        if !matches!(outcome, Outcome::Caught(_)) {
            eprintln!("{told} of {of}: {outcome:?}: {}", names[&id]);
        }
    })?;
    fs::remove_dir_all(&temporary)?;
    let good = tell(&mutants, &built, &outcomes, &arguments.scratch)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes `mutants.tsv`, prints the figures and what is wrong. Whether nothing is.
fn tell(
    mutants: &[Mutant],
    built: &Built,
    outcomes: &BTreeMap<u32, Outcome>,
    to: &Path,
) -> Result<bool, Box<dyn Error>> {
    let (mut table, mut counts, mut wrong) =
        (String::new(), BTreeMap::<&str, u32>::new(), Vec::new());
    for mutant in mutants {
        let unviable = built.unviable.get(&mutant.id);
        let (outcome, by) = match outcomes.get(&mutant.id) {
            Some(Outcome::Caught(by)) if by.starts_with("core/") => {
                ("caught by the core's own tests", by.as_str())
            }
            Some(Outcome::Caught(by)) => ("caught by the test kit", by.as_str()),
            Some(Outcome::Timeout(by)) => ("caught: no end", by.as_str()),
            Some(Outcome::Survived | Outcome::Unreached) if mutant.listed => ("listed", ""),
            Some(Outcome::Survived) => ("SURVIVED", ""),
            Some(Outcome::Unreached) => ("NOT REACHED", ""),
            None if unviable.is_some() => ("does not compile", unviable.map_or("", String::as_str)),
            None if built.constant.contains(&mutant.id) && mutant.listed => ("listed", "constant"),
            None if built.constant.contains(&mutant.id) => ("constant: for cargo mutants", ""),
            None => continue,
        };
        writeln!(table, "{}\t{outcome}\t{by}\t{}", mutant.id, mutant.name)?;
        *counts.entry(outcome).or_default() += 1;
        if outcome.chars().all(|letter| !letter.is_lowercase()) {
            wrong.push(format!("{outcome}: {}", mutant.name));
        } else if outcome.starts_with("caught") && mutant.listed {
            wrong.push(format!("LISTED, but {outcome} ({by}): {}", mutant.name));
        }
    }
    fs::write(to.join("mutants.tsv"), table)?;
    for (outcome, count) in &counts {
        println!("{count:>6} {outcome}");
    }
    for line in &wrong {
        println!("{line}");
    }
    Ok(wrong.is_empty())
}
