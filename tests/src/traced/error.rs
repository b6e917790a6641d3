//! Why a trace cannot be taken, or not be read.
//!
//! Must never be softened to a warning: a call that was not understood may be the one that loses data.

/// Why a trace cannot be taken, or not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Tracing does not work here.
    #[error("cannot trace here: {0}")]
    Unavailable(String),
    /// The program could not be started, or its trace not be read.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The traced program failed.
    #[error("the traced program failed: {0}")]
    Failed(String),
    /// A line that is no system call as `strace -f -y -xx -o` writes them.
    #[error("line {line}: {what}: {text}")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// What was expected.
        what: &'static str,
        /// The line.
        text: String,
    },
    /// A call on the folder whose effect on a crash is not known here.
    #[error("line {line}: {why}: {text}")]
    Unsupported {
        /// Number of the line, from 1.
        line: usize,
        /// What it is about the call.
        why: &'static str,
        /// The line.
        text: String,
    },
    /// The trace does not fit to the disk on which it is replayed.
    #[error("step {step}: {action}: {source}")]
    Mismatch {
        /// Number of the step, from 0.
        step: usize,
        /// The step.
        action: String,
        /// What the disk says.
        source: crate::simulated::SimulatedError,
    },
}
