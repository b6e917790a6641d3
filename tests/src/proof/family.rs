//! The families of workloads: which there are, and running one as a whole.
//!
//! Must never leave a family out: what is not listed here proves nothing.

use core::fmt;

use crate::simulated::Statistics;

use super::case::Broken;
use super::size::Size;
use super::stage::{Cases, Stage};
use super::{checkpoints, fleet, index, publish, recordlog, replace, staged, wal};

/// Workloads that prove the same thing in many ways.
#[derive(Clone, Copy)]
pub struct Family {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The tier of proofs: 4 is crashes, 5 a fault and then a crash.
    pub tier: u8,
    /// What it does, in a line.
    pub about: &'static str,
    pub(super) stages: fn(&Size) -> Vec<Stage>,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("name", &self.name).field("tier", &self.tier).finish()
    }
}

impl Family {
    /// The parts of this family, at this size: what is exhaustive in each, and what is drawn.
    pub fn stages(&self, size: &Size) -> Vec<Stage> {
        (self.stages)(size)
    }

    /// All workloads of this family, at this size.
    pub fn cases(&self, size: &Size) -> Cases {
        Box::new(self.stages(size).into_iter().flat_map(Stage::into_cases))
    }

    /// Runs all of them in a row, and stops after the size's number of distinct states.
    ///
    /// # Errors
    /// The first law that is found broken.
    ///
    /// # Examples
    /// ```
    /// use durability_testkit::proof::{Size, families};
    /// let size = Size::test().with_states_max(1_000);
    /// for family in families() {
    ///     let statistics = family.run(&size)?;
    ///     assert!(statistics.distinct > 0);
    /// }
    /// # Ok::<(), Box<durability_testkit::proof::Broken>>(())
    /// ```
    pub fn run(&self, size: &Size) -> Result<Statistics, Box<Broken>> {
        let mut sum = Statistics::default();
        for case in self.cases(size) {
            let left = size.states_max().saturating_sub(sum.distinct);
            if left == 0 {
                sum.cut_short = true;
                break;
            }
            sum.add(&case.run(left)?);
        }
        Ok(sum)
    }
}

/// Every family.
pub fn families() -> &'static [Family] {
    &FAMILIES
}

/// The family of this name.
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

static FAMILIES: [Family; 17] = [
    Family { name: "wal", tier: 4, about: "the log, every short script", stages: wal::crashes },
    Family {
        name: "wal-options",
        tier: 4,
        about: "typed and raw logs, marks, flush policies, odd and large entries, other later lives",
        stages: wal::options,
    },
    Family {
        name: "wal-backends",
        tier: 4,
        about: "the log on reserved room, on flash, and on disks that lack something",
        stages: wal::backends,
    },
    Family {
        name: "wal-prepared",
        tier: 4,
        about: "the log with segments made ready ahead, new or out of pruned ones",
        stages: wal::prepared,
    },
    Family {
        name: "wal-prepared-faults",
        tier: 5,
        about: "the log with segments made ready ahead, a fault or a full disk, and a crash",
        stages: wal::prepared_faults,
    },
    Family {
        name: "wal-faults",
        tier: 5,
        about: "the log, a fault and a crash",
        stages: wal::faults,
    },
    Family {
        name: "wal-full",
        tier: 5,
        about: "the log on a disk that is full from some byte on, then a crash, then room again",
        stages: wal::full,
    },
    Family {
        name: "staged",
        tier: 4,
        about: "commits that run apart from the writer, every interleaving with staging",
        stages: staged::crashes,
    },
    Family {
        name: "staged-faults",
        tier: 5,
        about: "commits that run apart from the writer, a fault and a crash",
        stages: staged::faults,
    },
    Family {
        name: "recordlog",
        tier: 4,
        about: "the record log, torn at units and at any byte",
        stages: recordlog::crashes,
    },
    Family {
        name: "recordlog-faults",
        tier: 5,
        about: "the record log, a fault and a crash",
        stages: recordlog::faults,
    },
    Family {
        name: "publish",
        tier: 4,
        about: "log, checkpoints and recovery, 1 to 3 kept, pruned or not",
        stages: publish::crashes,
    },
    Family {
        name: "publish-faults",
        tier: 5,
        about: "log, checkpoints and recovery, a fault and a crash",
        stages: publish::faults,
    },
    Family {
        name: "replace",
        tier: 4,
        about: "whole files replaced at once, with crashes and with faults",
        stages: replace::all,
    },
    Family {
        name: "checkpoints",
        tier: 4,
        about: "a folder of checkpoints, finished and not, with crashes and with faults",
        stages: checkpoints::all,
    },
    Family {
        name: "index",
        tier: 4,
        about: "the segment index and its recovery manager, with crashes and with faults",
        stages: index::all,
    },
    Family {
        name: "fleet",
        tier: 4,
        about: "three logs in one directory, with crashes and with faults",
        stages: fleet::all,
    },
];
