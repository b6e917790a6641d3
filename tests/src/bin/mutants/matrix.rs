//! The matrix: for each bug what must find it and what did, as Markdown.
//!
//! Must never call a bug found that another tier than its own found.

use std::fmt::{self, Write as _};
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use crate::Failed;
use crate::programs::root;
use crate::table::Planted;
use crate::verdict::Verdict;

/// What must hold after every crash, fault and damage.
const LAWS: [&str; 12] = [
    "Recovered records are an exact prefix of those appended, and reach to the last acknowledged one.",
    "Ids have no gap and no duplicate, and are never given again to other content.",
    "What was rolled back, truncated or recycled never comes back.",
    "What opening returned survives every later crash.",
    "Recovery can be repeated; a crash in it gives an equivalent outcome.",
    "Checkpoint and log together are the state; segments go only when a checkpoint is durable.",
    "Batches are whole or absent.",
    "No crash is taken for damage, and none keeps the log from opening.",
    "Damage to what was acknowledged is an error, never a shorter log.",
    "After a failed write or sync nothing more is acknowledged, and nothing has two writers.",
    "No panic, no allocation beyond limit and file, linear time, no foreign file touched.",
    "Flash is programmed only where an erasure has ended, each granule once; erasures are counted, and spread over the slots.",
];

/// What became of one bug.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) planted: &'static Planted,
    /// Under the tier that must find it.
    pub(crate) verdict: Result<Verdict, String>,
    pub(crate) seconds: f64,
    /// What else finds it, if that was asked for.
    pub(crate) elsewhere: Vec<Verdict>,
}

impl Row {
    /// Whether it is as it must be.
    fn fails(&self) -> Option<String> {
        let planted = self.planted;
        match (&self.verdict, planted.harmless) {
            (Err(failed), _) => Some(format!("no verdict: {failed}")),
            (Ok(Verdict::Survived { .. }), Some(_)) => None,
            (Ok(Verdict::Survived { reached: false, .. }), None) => {
                Some("survives, and its site was never come by".to_owned())
            }
            (Ok(Verdict::Survived { cases, .. }), None) => Some(format!("survives {cases} cases")),
            (Ok(Verdict::Found(found)), Some(_)) => {
                Some(format!("is no harm, by the table, and breaks \"{}\"", found.law))
            }
            (Ok(Verdict::Found(found)), None) => {
                let tier = planted.finder.tier();
                if found.tier != tier {
                    return Some(format!("found by tier {} and not by {tier}", found.tier));
                }
                let fits = planted.fits(found);
                (!fits).then(|| {
                    format!("found by \"{}\", which is not law {:?}", found.law, planted.laws)
                })
            }
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.planted.bug.name();
        write!(f, "{name}: ")?;
        match &self.verdict {
            Ok(Verdict::Found(found)) => {
                write!(
                    f,
                    "tier {}, {}, {}, {} cases",
                    found.tier, found.place, found.law, found.cases
                )?;
            }
            Ok(Verdict::Survived { cases, .. }) => write!(f, "survives {cases} cases")?,
            Err(failed) => write!(f, "{failed}")?,
        }
        write!(f, ", {:.1} s", self.seconds)?;
        for verdict in &self.elsewhere {
            if let Verdict::Found(found) = verdict {
                write!(
                    f,
                    "\n    also: tier {}, {}, {}, {} cases",
                    found.tier, found.place, found.law, found.cases
                )?;
            }
        }
        match self.fails() {
            Some(complaint) => write!(f, "\n    FAILS: {complaint}"),
            None => Ok(()),
        }
    }
}

/// Prints the matrix, and says whether all of it is as it must be.
pub(crate) fn show(mut rows: Vec<Row>, took: Duration, write: bool) -> Result<ExitCode, Failed> {
    rows.sort_by_key(|row| {
        (row.planted.harmless.is_some(), row.planted.finder.tier(), row.planted.bug as u32)
    });
    let text = markdown(&rows, took)?;
    println!("{text}");
    if write {
        fs::write(root().join("tests/MUTANTS.md"), &text)?;
    }
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{} {}", row.planted.bug.name(), row.fails()?)))
        .collect();
    for complaint in &failed {
        eprintln!("{complaint}");
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn markdown(rows: &[Row], took: Duration) -> Result<String, Failed> {
    let mut text = String::new();
    let (bugs, harmless): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.planted.harmless.is_none());
    writeln!(text, "# Planted bugs\n")?;
    writeln!(
        text,
        "Each bug is planted alone, by `cargo run -p durability-testkit --bin mutants -- --write`, which wrote this file. The tier named for it must find it, by the law \
         that it breaks; otherwise the run fails. *Cases* are the distinct crash states, damages or tests that were looked at until it was found; of traced runs, the workloads that break. First of all \
         everything was run without a bug, and found nothing.\n"
    )?;
    writeln!(
        text,
        "{} bugs, {} s in all. Tier 2: tests of single laws; 3: every damage; 4: every crash state; 5: a fault, then a crash; 6: traced runs of the \
         real adapter; 8: interleavings.\n",
        bugs.len(),
        took.as_secs()
    )?;
    writeln!(text, "| bug | what it does | law | tier | found by | law named | cases | seconds |")?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    for row in &bugs {
        let (bug, planted) = (row.planted.bug, row.planted);
        write!(
            text,
            "| `{}` | {} | {} | {} | ",
            bug.name(),
            bug.what(),
            list(planted.laws),
            planted.finder.tier()
        )?;
        match (&row.verdict, row.fails()) {
            (Ok(Verdict::Found(found)), None) => writeln!(
                text,
                "{} | {} | {} | {:.1} |",
                found.place, found.law, found.cases, row.seconds
            )?,
            (_, complaint) => {
                writeln!(text, "**{}** | | | {:.1} |", complaint.unwrap_or_default(), row.seconds)?;
            }
        }
    }
    writeln!(text, "\n## No bugs after all\n")?;
    writeln!(
        text,
        "Looked like bugs, and are none by design. They are planted all the same, and must survive.\n"
    )?;
    writeln!(text, "| change | what it does | why it is no harm | cases survived |")?;
    writeln!(text, "|---|---|---|---|")?;
    for row in &harmless {
        let bug = row.planted.bug;
        let cases = match &row.verdict {
            Ok(Verdict::Survived { cases, .. }) => cases.to_string(),
            _ => format!("**{}**", row.fails().unwrap_or_default()),
        };
        let why = row.planted.harmless.unwrap_or_default();
        writeln!(text, "| `{}` | {} | {why} | {cases} |", bug.name(), bug.what())?;
    }
    writeln!(text, "\n## The laws\n")?;
    for (number, law) in (1..).zip(LAWS) {
        writeln!(text, "{number}. {law}")?;
    }
    Ok(text)
}

fn list(laws: &[u8]) -> String {
    laws.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}
