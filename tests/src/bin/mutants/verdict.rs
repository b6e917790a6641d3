//! What became of one bug under one tier.
//!
//! Must never take a crash of the tester for a bug that was found.

use std::fmt::Write as _;

/// A law that was seen broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The tier of proofs.
    pub(crate) tier: u8,
    /// The family of workloads, or the program of tests.
    pub(crate) place: String,
    /// The law, in the words of the tier: the oracle's, or the test's name.
    pub(crate) law: String,
    /// States or cases that were looked at until then.
    pub(crate) cases: u64,
    /// How it happened, at length.
    pub(crate) story: String,
}

/// What a run under one tier came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A law was broken.
    Found(Found),
    /// None was.
    Survived {
        /// States or cases looked at.
        cases: u64,
        /// The site of the bug was come by.
        reached: bool,
    },
}

impl Verdict {
    /// For the process that waits for it.
    pub(crate) fn to_lines(&self) -> String {
        let mut text = String::new();
        let _written = match self {
            Self::Found(found) => {
                let Found { tier, place, law, cases, story } = found;
                write!(text, "found\n{tier}\n{place}\n{law}\n{cases}\n{story}")
            }
            Self::Survived { cases, reached } => write!(text, "survived\n{cases}\n{reached}"),
        };
        text
    }

    /// The same, read back.
    pub(crate) fn from_lines(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('\n')?;
        let mut fields = rest.splitn(5, '\n');
        match kind {
            "found" => Some(Self::Found(Found {
                tier: fields.next()?.parse().ok()?,
                place: fields.next()?.to_owned(),
                law: fields.next()?.to_owned(),
                cases: fields.next()?.parse().ok()?,
                story: fields.next()?.to_owned(),
            })),
            "survived" => Some(Self::Survived {
                cases: fields.next()?.parse().ok()?,
                reached: fields.next()?.parse().ok()?,
            }),
            _ => None,
        }
    }
}
