//! What a traced program did to its folder: the steps that a crash may fall between.
//!
//! Must never hold a call that changed nothing: each step is a moment to look at.

use alloc::sync::Arc;
use core::fmt;

/// A file of a trace, whatever its names are.
pub type FileNumber = u32;

/// One thing that a traced program did. Paths are relative to the traced folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A folder was made.
    MakeFolder {
        /// Its path.
        path: String,
    },
    /// An empty folder was removed.
    RemoveFolder {
        /// Its path.
        path: String,
    },
    /// A file was made, empty.
    Create {
        /// The file.
        file: FileNumber,
        /// Its path.
        path: String,
    },
    /// A file got one more name.
    Link {
        /// The file.
        file: FileNumber,
        /// The new path.
        path: String,
    },
    /// A file was renamed, in place of another perhaps.
    Rename {
        /// The old path.
        from: String,
        /// The new path.
        to: String,
    },
    /// A file's name was removed.
    Remove {
        /// Its path.
        path: String,
    },
    /// Bytes were written.
    Write {
        /// The file.
        file: FileNumber,
        /// Where to.
        at: u64,
        /// The bytes.
        data: Arc<[u8]>,
    },
    /// A file was cut off, or made longer.
    SetLength {
        /// The file.
        file: FileNumber,
        /// How long it is now.
        length: u64,
    },
    /// `fsync` or `fdatasync` of a file returned `Ok`.
    SyncFile {
        /// The file.
        file: FileNumber,
    },
    /// `fsync` of a folder returned `Ok`.
    SyncFolder {
        /// Its path; empty for the traced folder itself.
        path: String,
    },
    /// The program told the outside world something.
    Mark(String),
}

impl Action {
    /// Whether this is a barrier.
    pub const fn is_sync(&self) -> bool {
        matches!(self, Self::SyncFile { .. } | Self::SyncFolder { .. })
    }
}

/// An action, and where in the trace it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub action: Action,
    /// The file's path when it was done, or the folder's.
    pub path: String,
    /// The call's name.
    pub call: String,
    /// Which of the process's calls of that name it was, from 1: what `strace -e inject=CALL:when=N` counts.
    pub ordinal: u32,
    /// Number of the trace's line, from 1.
    pub line: usize,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "." } else { &*self.path };
        match &self.action {
            Action::Write { at, data, .. } => {
                write!(f, "{} {path}, {} bytes at {at}", self.call, data.len())
            }
            Action::SetLength { length, .. } => write!(f, "{} {path} to {length}", self.call),
            Action::Rename { from, to } => write!(f, "{} {from} to {to}", self.call),
            Action::Mark(text) => write!(f, "* {text}"),
            _ => write!(f, "{} {path}", self.call),
        }
    }
}

/// What a traced program did, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    pub(super) steps: Vec<Step>,
    /// The files that were there before, and their paths.
    pub(super) existing: Vec<String>,
    pub(super) calls: u64,
    pub(super) at_once: Vec<String>,
}

impl Trace {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many system calls the trace held, those that change nothing and those on other folders included.
    pub const fn call_count(&self) -> u64 {
        self.calls
    }

    /// The places of the barriers among the steps.
    pub fn syncs(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.steps.iter().enumerate();
        all.filter(|(_, step)| step.action.is_sync()).map(|(at, _)| at)
    }

    /// The same trace without one of its steps: what a program would have done that forgot it.
    ///
    /// Meant for barriers: leaving out one that is needed must break a law, or the proof proves nothing.
    #[must_use]
    pub fn without(&self, step: usize) -> Self {
        let mut less = self.clone();
        if step < less.steps.len() {
            less.steps.remove(step);
        }
        less
    }

    /// The same trace with one of its steps done earlier, before the step at `to`: what a program would have done that, for instance,
    /// syncs before it renames.
    #[must_use]
    pub fn with_early(&self, step: usize, to: usize) -> Self {
        let mut other = self.clone();
        if to < step && step < other.steps.len() {
            other.steps[to..=step].rotate_right(1);
        }
        other
    }

    /// The beginning of the trace, up to so many steps.
    #[must_use]
    pub fn first(&self, steps: usize) -> Self {
        let mut less = self.clone();
        less.steps.truncate(steps);
        less
    }

    /// The same trace, with the contents of one file durable as soon as they are written.
    ///
    /// Kinder than the failure model, and meant for files that recovery never reads, such as lock files: what a crash leaves
    /// of them would only multiply the states. The file's name is as fragile as any.
    #[must_use]
    pub fn with_contents_at_once(mut self, path: &str) -> Self {
        self.at_once.push(path.to_owned());
        self
    }
}
