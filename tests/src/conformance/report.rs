//! What the suite says: a verdict for each law, and all verdicts in a report.
//!
//! Must never decide anything: the laws judge, this only keeps what they found.

use std::fmt;

/// How a law that holds was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was put to the test.
    Tested,
    /// It asks nothing of this backend, for this reason.
    NotApplicable(&'static str),
}

/// A law that a backend broke, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("law `{law}` is broken: {step}: expected {expected}, found {found}")]
pub struct Broken {
    /// The name of the law: that of its function in [`laws`](super::laws).
    pub law: &'static str,
    /// What the law was doing.
    pub step: &'static str,
    /// What the contract asks for.
    pub expected: String,
    /// What the backend did.
    pub found: String,
}

/// What a law says of a backend.
pub type Verdict = Result<Kept, Broken>;

/// The verdicts of all laws on one backend.
#[derive(Debug, Clone, Default)]
pub struct Report {
    verdicts: Vec<(&'static str, Verdict)>,
}

impl Report {
    pub(super) fn add(&mut self, law: &'static str, verdict: Verdict) {
        self.verdicts.push((law, verdict));
    }

    /// Every law by name, with its verdict, in the order of the contract.
    pub fn verdicts(&self) -> &[(&'static str, Verdict)] {
        &self.verdicts
    }

    /// The laws that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &Broken> {
        self.verdicts.iter().filter_map(|(_, verdict)| verdict.as_ref().err())
    }

    /// The names of the laws that ask nothing of this backend, and why.
    pub fn not_applicable(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.verdicts.iter().filter_map(|(law, verdict)| match verdict {
            Ok(Kept::NotApplicable(why)) => Some((*law, *why)),
            _ => None,
        })
    }

    /// Whether no law was broken.
    pub fn is_clean(&self) -> bool {
        self.broken().next().is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (law, verdict) in &self.verdicts {
            match verdict {
                Ok(Kept::Tested) => writeln!(f, "kept    {law}")?,
                Ok(Kept::NotApplicable(why)) => writeln!(f, "-       {law} ({why})")?,
                Err(broken) => writeln!(f, "BROKEN  {broken}")?,
            }
        }
        Ok(())
    }
}
