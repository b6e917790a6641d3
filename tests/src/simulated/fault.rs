//! Failures that can be ordered at an operation.
//!
//! Must never fire anywhere but at the operation that was named: replays depend on it.

use super::oplog::OperationKind;

/// What becomes of the written pages when a sync fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DroppedPages {
    /// They stay dirty; a later sync writes them.
    None,
    /// The cache keeps showing them, but they count as clean and are never written.
    All,
    /// Every other unit of the file is written, the rest is dropped.
    Alternate,
}

/// A failure of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// An error; nothing was done.
    Io,
    /// An error; everything was done all the same.
    IoAfterEffect,
    /// A write, creation or rename finds the disk full; nothing was done.
    NoSpace,
    /// A write takes half of its bytes and says so.
    ShortWrite,
    /// An operation is interrupted before it did anything.
    Interrupted,
    /// A sync fails.
    SyncFailed(DroppedPages),
    /// This and every later operation fails: the power is off, or the disk was pulled.
    PowerOff,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Io,
        Self::IoAfterEffect,
        Self::NoSpace,
        Self::ShortWrite,
        Self::Interrupted,
        Self::SyncFailed(DroppedPages::None),
        Self::SyncFailed(DroppedPages::All),
        Self::SyncFailed(DroppedPages::Alternate),
        Self::PowerOff,
    ];

    /// Whether an operation of this kind can fail in this way.
    pub fn applies_to(self, kind: OperationKind) -> bool {
        use OperationKind as Op;
        match self {
            Self::PowerOff | Self::Io => true,
            Self::IoAfterEffect => kind.changes_the_disk(),
            Self::NoSpace => {
                matches!(kind, Op::Create { .. } | Op::Write { .. } | Op::Rename)
            }
            Self::ShortWrite => matches!(kind, Op::Write { length, .. } if length > 1),
            Self::Interrupted => matches!(kind, Op::Read { .. } | Op::Write { .. }),
            Self::SyncFailed(_) => matches!(kind, Op::SyncData | Op::SyncFile),
        }
    }

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::IoAfterEffect => "io-after",
            Self::NoSpace => "space",
            Self::ShortWrite => "short",
            Self::Interrupted => "interrupt",
            Self::SyncFailed(DroppedPages::None) => "sync",
            Self::SyncFailed(DroppedPages::All) => "sync-drop",
            Self::SyncFailed(DroppedPages::Alternate) => "sync-drop-some",
            Self::PowerOff => "off",
        }
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A failure, and the operation that it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Index of the operation, counted from 0 in the life of the disk handle.
    pub at: u64,
    /// What happens there.
    pub kind: FaultKind,
}
