//! Parts of a family: scripts in one setting, within bounds.
//!
//! Must never say of its scripts more than was taken.

use core::fmt;

use crate::simulated::{Bounds, Oracle, Workload};

use super::case::{Case, Group};
use super::scripts::{Scripts, Step};

/// Cases, made as they are needed.
pub type Cases = Box<dyn Iterator<Item = Case> + Send>;

/// Scripts in one setting, within bounds.
pub struct Stage {
    setting: String,
    extent: String,
    cases: Cases,
}

impl Stage {
    /// A workload is made of each script. With deeper bounds, the same group must come later: it looks again, and counts
    /// nothing twice.
    pub fn new<S, W, O>(
        group: &Group,
        setting: impl fmt::Display,
        bounds: &Bounds,
        scripts: Scripts<S>,
        make: impl Fn(Vec<S>) -> (W, O) + Send + 'static,
    ) -> Self
    where
        S: Step,
        W: Workload + Send + Sync + 'static,
        O: Oracle<W::Operation, W::Seen> + Send + Sync + 'static,
    {
        let crashes = match bounds.depth() {
            1 => "1 crash".to_owned(),
            depth => format!("{depth} crashes"),
        };
        let faults = match (bounds.faults().is_empty(), bounds.fault_lives()) {
            (true, _) => "",
            (false, 1) => ", after every fault of the first life",
            (false, _) => ", after every fault of any life",
        };
        let extent = format!("{crashes}{faults}: {}", scripts.about);
        let (group, bounds) = (group.clone(), bounds.clone().with_seed(scripts.seed));
        let cases = scripts.list.into_iter().map(move |script| {
            let (workload, oracle) = make(script);
            Case::new(workload, oracle, bounds.clone(), &group)
        });
        Self { setting: setting.to_string(), extent, cases: Box::new(cases) }
    }

    /// Options and disk.
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// How many crashes and which scripts.
    pub fn extent(&self) -> &str {
        &self.extent
    }

    /// One case for every script.
    pub fn into_cases(self) -> Cases {
        self.cases
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("setting", &self.setting)
            .field("extent", &self.extent)
            .finish_non_exhaustive()
    }
}
