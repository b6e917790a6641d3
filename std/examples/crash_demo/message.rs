//! What the writer tells through the pipe, one line each.
//!
//! Must go out with one `write` before, or after, what it speaks of: a kill then leaves a true story.

use core::fmt;
use core::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// The log is open, and its last entry is this.
    Opened { last: u64 },
    /// Entries up to this one are about to be appended, one by one.
    Issue { last: u64 },
    /// These are about to be appended as one batch.
    Batch { first: u64, last: u64 },
    /// Entries up to this one were flushed: they survive the process.
    Flushed { last: u64 },
    /// Entries up to this one are durable.
    Durable { last: u64 },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened { last } => write!(f, "opened {last}"),
            Self::Issue { last } => write!(f, "issue {last}"),
            Self::Batch { first, last } => write!(f, "batch {first} {last}"),
            Self::Flushed { last } => write!(f, "flushed {last}"),
            Self::Durable { last } => write!(f, "durable {last}"),
        }
    }
}

impl FromStr for Message {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse().map_err(|_| format!("no message: {line:?}"));
        Ok(match words[..] {
            ["opened", last] => Self::Opened { last: number(last)? },
            ["issue", last] => Self::Issue { last: number(last)? },
            ["batch", first, last] => Self::Batch { first: number(first)?, last: number(last)? },
            ["flushed", last] => Self::Flushed { last: number(last)? },
            ["durable", last] => Self::Durable { last: number(last)? },
            _ => return Err(format!("no message: {line:?}")),
        })
    }
}
