//! The log of what was asked of a disk.
//!
//! Must never influence what the disk does.

use alloc::sync::Arc;
use core::fmt;

use super::SimulatedError;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// `open`.
    Open,
    /// `create`.
    Create {
        /// Room asked for.
        reserve: u64,
    },
    /// `reopen`.
    Reopen {
        /// From where on.
        at: u64,
    },
    /// A folder is made, through [`RawDisk`](super::RawDisk).
    MakeFolder,
    /// A file gets one more name, through [`RawDisk`](super::RawDisk); the operation's name is the new one.
    Link,
    /// `remove`.
    Remove,
    /// `rename`; the operation's name is the new one.
    Rename,
    /// `list`.
    List,
    /// `lock`.
    Lock,
    /// Reading.
    Read {
        /// Offset.
        at: u64,
        /// Bytes asked for.
        length: u64,
    },
    /// Appending.
    Write {
        /// Offset.
        at: u64,
        /// Bytes offered.
        length: u64,
    },
    /// `flush`.
    Flush,
    /// `trim`.
    Trim {
        /// To which length.
        at: u64,
    },
    /// `sync_data`.
    SyncData,
    /// `sync_file`.
    SyncFile,
    /// `sync_dir`.
    SyncDir,
}

impl OperationKind {
    /// Whether this can change what a crash leaves: the operations after which crash states are looked for.
    pub fn changes_the_disk(self) -> bool {
        !matches!(
            self,
            Self::Open
                | Self::Reopen { .. }
                | Self::List
                | Self::Lock
                | Self::Read { .. }
                | Self::Flush
        )
    }

    /// Whether this is a barrier.
    pub fn is_sync(self) -> bool {
        matches!(self, Self::SyncData | Self::SyncFile | Self::SyncDir)
    }
}

/// One operation on a disk, and how it ended.
#[derive(Debug, Clone)]
pub struct Operation {
    /// What was asked.
    pub kind: OperationKind,
    /// The file or folder; empty for the root.
    pub name: Arc<str>,
    /// The name before a rename.
    pub from: Option<Arc<str>>,
    /// Why it failed, if it did.
    pub error: Option<SimulatedError>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use OperationKind as Op;
        let name = if self.name.is_empty() { "." } else { &*self.name };
        match self.kind {
            Op::Open => write!(f, "open {name}"),
            Op::Create { reserve: 0 } => write!(f, "create {name}"),
            Op::Create { reserve } => write!(f, "create {name}, {reserve} bytes reserved"),
            Op::Reopen { at } => write!(f, "reopen {name} at {at}"),
            Op::MakeFolder => write!(f, "make folder {name}"),
            Op::Link => write!(f, "link {} to {name}", self.from.as_deref().unwrap_or("?")),
            Op::Remove => write!(f, "remove {name}"),
            Op::Rename => write!(f, "rename {} to {name}", self.from.as_deref().unwrap_or("?")),
            Op::List => write!(f, "list {name}"),
            Op::Lock => write!(f, "lock {name}"),
            Op::Read { at, length } => write!(f, "read {name}, {length} bytes at {at}"),
            Op::Write { at, length } => write!(f, "write {name}, {length} bytes at {at}"),
            Op::Trim { at } => write!(f, "trim {name} to {at}"),
            Op::Flush => write!(f, "flush {name}"),
            Op::SyncData => write!(f, "sync data of {name}"),
            Op::SyncFile => write!(f, "sync file {name}"),
            Op::SyncDir => write!(f, "sync folder {name}"),
        }?;
        match self.error {
            Some(error) => write!(f, " -> {error}"),
            None => Ok(()),
        }
    }
}
