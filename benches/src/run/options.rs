//! What was asked of a run, and how much that is.

use std::path::PathBuf;
use std::time::Duration;

use super::rounds::Limits;
use crate::{Failure, RECORD_BYTES};

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// A size that is over in seconds and measures nothing.
    pub smoke: bool,
    /// Only these parts; all if empty.
    pub only: Vec<String>,
    /// Rounds of each case.
    pub rounds: usize,
    /// Seconds after which a case begins no further round.
    pub seconds: u64,
    /// Sizes of the logs that are opened, in MiB.
    pub open_mib: Vec<usize>,
    /// The folder for charts.
    pub plot: Option<PathBuf>,
    /// The document to fill.
    pub markdown: Option<PathBuf>,
    /// Where the files go; the system's temporary folder otherwise.
    pub folder: Option<PathBuf>,
}

/// How much is done in a turn.
#[derive(Debug, Clone)]
pub(super) struct Sizes {
    /// Sizes of records.
    pub records: Vec<usize>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Payload bytes of W1, and of a checkpoint.
    pub append_bytes: usize,
    /// Commits of W2 and of W3.
    pub commits: usize,
    /// Commits of each thread where a sync takes 1 ms longer.
    pub slow_commits: usize,
    /// Batches of W4.
    pub batches: usize,
    /// Payload bytes of W5, and of W6.
    pub replay_bytes: usize,
    /// Rotations that are timed.
    pub rotations: u32,
}

/// What to write when the arguments are not understood.
const USAGE: &str = "run [--smoke] [--only PART,PART] [--rounds N] [--seconds N] [--open-mib N,N] [--plot FOLDER] [--markdown FILE] [--folder FOLDER]";

impl Options {
    /// Reads the arguments behind `run`.
    pub(super) fn from_args(args: &[String]) -> Result<Self, Failure> {
        let smoke = args.iter().any(|arg| arg == "--smoke");
        let mut options = Self {
            smoke,
            only: Vec::new(),
            rounds: if smoke { 1 } else { 11 },
            seconds: if smoke { 1 } else { 20 },
            open_mib: if smoke { vec![2] } else { vec![64, 1 << 10, 4 << 10] },
            plot: None,
            markdown: None,
            folder: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--smoke" {
                continue;
            }
            let value = args.next().ok_or(USAGE)?;
            let list = || value.split(',').map(str::to_owned);
            match arg.as_str() {
                "--only" => options.only = list().collect(),
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--seconds" => options.seconds = value.parse()?,
                "--open-mib" => {
                    options.open_mib = list().map(|each| each.parse()).collect::<Result<_, _>>()?;
                }
                "--plot" => options.plot = Some(value.into()),
                "--markdown" => options.markdown = Some(value.into()),
                "--folder" => options.folder = Some(value.into()),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    /// Whether a part is wanted.
    pub(super) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    /// When to stop.
    pub(super) fn limits(&self) -> Limits {
        Limits { rounds: self.rounds, time: Duration::from_secs(self.seconds) }
    }

    /// How much is done in a turn.
    pub(super) fn sizes(&self) -> Sizes {
        if self.smoke {
            return Sizes {
                records: vec![256, 16 << 10],
                threads: vec![1, 8],
                append_bytes: 1 << 20,
                commits: 24,
                slow_commits: 4,
                batches: 2,
                replay_bytes: 2 << 20,
                rotations: 3,
            };
        }
        Sizes {
            records: RECORD_BYTES.to_vec(),
            threads: vec![1, 2, 4, 8, 16, 32],
            append_bytes: 64 << 20,
            commits: 2000,
            slow_commits: 50,
            batches: 50,
            replay_bytes: 256 << 20,
            rotations: 100,
        }
    }
}
