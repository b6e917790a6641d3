//! Runs one tier, or a part of it, and says what it found.
//!
//! Must never stop before it has found something but at its end.

use std::process::Command;

use durability_core::planted::{Bug, ENVIRONMENT, was_reached};
use durability_testkit::proof::{Family, Size, families, family};

use crate::Failed;
use crate::programs::{Program, TRACED, root};
use crate::table::{Finder, law_in};
use crate::verdict::{Found, Verdict};

/// Runs what must find a bug, which this process has planted.
pub(crate) fn run(finder: Finder, bug: Option<Bug>) -> Result<Verdict, Failed> {
    match finder {
        Finder::Family(name) => {
            let first = family(name).ok_or_else(|| format!("there is no family {name}"))?;
            // The one that is quickest, then the rest of its tier.
            let rest = families().iter().filter(|other| other.tier == first.tier);
            let rest = rest.filter(|other| other.name != first.name);
            Ok(explore(core::iter::once(first).chain(rest)))
        }
        Finder::Traced => run_traced(bug),
        Finder::Test { program, test, .. } => run_tests(Program::named(program)?, &[test], bug),
    }
}

/// Runs every family of these, until a law is broken.
pub(crate) fn explore<'a>(families: impl Iterator<Item = &'a Family>) -> Verdict {
    let mut cases = 0;
    for family in families {
        for case in family.cases(&Size::test()) {
            match case.run(u64::MAX) {
                Ok(statistics) => cases += statistics.distinct,
                Err(broken) => {
                    let failure = &broken.failure;
                    return Verdict::Found(Found {
                        tier: family.tier,
                        place: family.name.to_owned(),
                        law: failure.violation.law.to_owned(),
                        cases: cases + failure.statistics.distinct,
                        story: broken.to_string(),
                    });
                }
            }
        }
    }
    Verdict::Survived { cases, reached: was_reached() }
}

/// Runs these tests of a program, all of them if none is named.
pub(crate) fn run_tests(
    program: Program,
    tests: &[&str],
    bug: Option<Bug>,
) -> Result<Verdict, Failed> {
    let Program { name, package, tier } = program;
    let mut command = Command::new(program.path()?);
    command.args(tests).env(ENVIRONMENT, bug.map_or("", Bug::name));
    if !tests.is_empty() {
        command.arg("--exact");
    }
    command.current_dir(root().join(package));
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let broken = text.lines().find_map(|line| {
        line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned)
    });
    match broken {
        Some(law) => {
            let cases = cases_in(&text);
            Ok(Verdict::Found(Found { tier, place: name.to_owned(), law, cases, story: text }))
        }
        None if output.status.success() => {
            let ran = text.lines().filter(|line| line.ends_with(" ... ok")).count() as u64;
            if ran == 0 {
                return Err(format!("{name} has no test {tests:?}").into());
            }
            Ok(Verdict::Survived { cases: ran, reached: true })
        }
        None => Err(format!("{name} {tests:?}: {}\n{text}", output.status).into()),
    }
}

/// The traced runs at their smallest size: seconds.
pub(crate) fn run_traced(bug: Option<Bug>) -> Result<Verdict, Failed> {
    let mut command = Command::new(TRACED.path()?);
    command.arg("--small").env(ENVIRONMENT, bug.map_or("", Bug::name));
    let output = command.current_dir(root().join(TRACED.package)).output()?;
    let story = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(line) = story.lines().find(|line| line.starts_with("skipped")) {
        return Err(line.into());
    }
    let violations = || story.split("\nviolation: ").skip(1);
    if output.status.success() {
        return Ok(Verdict::Survived { cases: 1, reached: true });
    }
    match violations().find_map(law_in) {
        Some(law) => Ok(Verdict::Found(Found {
            tier: TRACED.tier,
            place: TRACED.name.to_owned(),
            law: law.to_owned(),
            cases: violations().count() as u64,
            story,
        })),
        None => Err(format!("{}\n{story}", output.status).into()),
    }
}

/// A test that counts its cases says so when it fails: "case 12 …".
fn cases_in(text: &str) -> u64 {
    let number = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    text.split("case ").skip(1).find_map(number).unwrap_or(1)
}
