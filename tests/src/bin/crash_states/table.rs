//! The report for people.
//!
//! Must never round a violation away, or call sampled what was exhaustive or the other way round.

use std::fmt;

use durability_testkit::simulated::Statistics;

use crate::arguments::Arguments;
use crate::plan::Plan;
use crate::run::{Report, Row};

/// How deep the columns go.
const DEPTHS: usize = 3;

/// What came of a run, to be printed.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    arguments: &'a Arguments,
    report: &'a Report,
}

impl<'a> Table<'a> {
    pub(crate) const fn new(arguments: &'a Arguments, report: &'a Report) -> Self {
        Self { arguments, report }
    }

    fn line(
        f: &mut fmt::Formatter<'_>,
        (name, tier): (&str, &str),
        (cases, sum): (u64, &Statistics),
        (seconds, broken): (f64, u64),
    ) -> fmt::Result {
        let depth = |at: usize| sum.by_depth.get(at).copied().unwrap_or(0);
        let (one, two, three) = (depth(0), depth(1), sum.by_depth.iter().skip(2).sum::<u64>());
        let (all, distinct) = (sum.states, sum.distinct);
        let exhaustive = sum.exhaustive;
        let (but_junk, sampled, faults) = (sum.exhaustive_but_junk, sum.sampled, sum.faults);
        writeln!(
            f,
            "{name:18} {tier:>4} {cases:>7} {one:>11} {two:>11} {three:>11} {distinct:>11} {all:>12} {exhaustive:>10} {but_junk:>8} {sampled:>8} {faults:>9} {seconds:>7.1} {broken:>5}"
        )
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, report) = (&self.arguments.size, self.report);
        writeln!(
            f,
            "crash states on the simulated disk: {:?}, seed {}, {} threads\n",
            size.scope(),
            size.seed(),
            report.threads
        )?;
        writeln!(
            f,
            "{:18} {:>4} {:>7} {:>11} {:>11} {:>11} {:>11} {:>12} {:>10} {:>8} {:>8} {:>9} {:>7} {:>5}",
            "",
            "",
            "",
            "after one",
            "after two",
            "after three",
            "distinct",
            "states",
            "points",
            "but for",
            "points",
            "",
            "busy",
            "laws"
        )?;
        writeln!(
            f,
            "{:18} {:>4} {:>7} {:>11} {:>11} {:>11} {:>11} {:>12} {:>10} {:>8} {:>8} {:>9} {:>7} {:>5}",
            "family",
            "tier",
            "cases",
            "crash",
            "crashes",
            "crashes",
            "states",
            "met",
            "exhaustive",
            "junk",
            "sampled",
            "faults",
            "seconds",
            "broken"
        )?;
        let mut total = Statistics::default();
        let (mut cases, mut busy) = (0, 0.0);
        for Row { family, cases: here, sum, busy: took } in &report.rows {
            let broken =
                report.broken.as_ref().is_some_and(|(broken, _)| broken.name == family.name);
            let seconds = took.as_secs_f64();
            let name = if sum.cut_short {
                format!("{} (cut)", family.name)
            } else {
                family.name.to_owned()
            };
            Self::line(
                f,
                (&name, &family.tier.to_string()),
                (*here, sum),
                (seconds, u64::from(broken)),
            )?;
            total.add(sum);
            cases += here;
            busy += seconds;
        }
        let broken = u64::from(report.broken.is_some());
        Self::line(f, ("sum", ""), (cases, &total), (busy, broken))?;
        debug_assert!(total.by_depth.len() <= DEPTHS);
        writeln!(f, "\n{EXPLANATION}\n\nWhich scripts (--plan tells in which settings):")?;
        write!(f, "{}", Plan::short(self.arguments))?;
        let (took, promised) = (report.took.as_secs_f64(), self.arguments.promised());
        let short = total.distinct < promised;
        if let Some((family, broken)) = &report.broken {
            writeln!(f, "\nA LAW IS BROKEN, in the family {}:\n{broken}", family.name)?;
        }
        if short && report.broken.is_none() {
            writeln!(f, "\nTOO FEW: {promised} states were promised.")?;
        }
        writeln!(
            f,
            "\n{} distinct states in {took:.1} s, {} after two crashes, {} after three; {} faults; {broken} laws broken",
            total.distinct,
            total.by_depth.get(1).copied().unwrap_or(0),
            total.by_depth.iter().skip(2).sum::<u64>(),
            total.faults,
        )
    }
}

/// How the columns are to be read.
const EXPLANATION: &str = "\
Each distinct state is a disk that a crash can leave, with what the program had been promised by then; it was recovered from and judged. Two are
the same if all names and bytes, cached and durable, and all that was issued, acknowledged and shown are; what several scripts of one setup
have in common counts once; what two settings or a tier 5 family and a tier 4 family have in common counts for each. It counts under the fewest crashes after which its script met it first. Points: moments of lives at which every combination
of surviving pieces was tried; with junk in single units only; of which a sample was tried. All scripts of a length are those whose every step can do
something that the script without it does not do (`Step::follows` says which cannot); every shorter script is the beginning of one of them.";
