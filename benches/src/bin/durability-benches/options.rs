//! What was asked for on the command line.

use durability_benches::{Failure, RECORD_BYTES};

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Operations on the directory, and allocations.
    Counts,
    /// Memory of replay and resume.
    Memory,
    /// Time of resume by the length of a torn record.
    Tail,
    /// Instructions beside the baseline's, under `valgrind`.
    Instructions,
    /// One workload, once, unmeasured: for `valgrind`, `strace` and `perf`.
    Once,
    /// The child of `memory`.
    MemoryOf,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) what: What,
    /// How often each length has its turn.
    pub(crate) rounds: usize,
    /// Only the workloads whose names contain it.
    pub(crate) only: String,
    /// The sizes of records.
    pub(crate) record_bytes: Vec<usize>,
    /// What follows `once` and `memory-of`.
    pub(crate) rest: Vec<String>,
}

impl Options {
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            what: What::Counts,
            rounds: 15,
            only: String::new(),
            record_bytes: RECORD_BYTES.to_vec(),
            rest: Vec::new(),
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "instructions" => options.what = What::Instructions,
                "counts" => options.what = What::Counts,
                "memory" => options.what = What::Memory,
                "tail" => options.what = What::Tail,
                "once" | "memory-of" => {
                    let once = arg == "once";
                    options.what = if once { What::Once } else { What::MemoryOf };
                    options.rest = args.by_ref().collect();
                }
                "--rounds" => options.rounds = value()?.parse()?,
                "--bytes" => options.record_bytes = vec![value()?.parse()?],
                "--only" => options.only = value()?,
                _ => return Err(format!("what is {arg}?").into()),
            }
        }
        Ok(options)
    }
}
