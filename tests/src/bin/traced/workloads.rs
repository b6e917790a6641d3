//! What is traced: stores, and what is done to them.

use super::store::{Do, Kind};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) steps: &'static [Do],
}

use Do::{
    Append, Batch, Durable, Early, Empty, Flush, Large, Prefix, Reopen, Restart, Suffix, Sync,
    SyncAll,
};

pub(crate) const ALL: &[Workload] = &[
    Workload {
        name: "wal",
        kind: Kind::Wal,
        steps: &[
            Append, Sync, Batch, Flush, Append, Sync, Large, Append, Sync, Prefix, Append, Batch,
            Sync, Suffix, Append, Flush, Append, Sync, Empty, Append, Sync, Reopen, Append, Batch,
            Flush, Restart, Append, Sync,
        ],
    },
    Workload {
        name: "wal, rotating and pruning",
        kind: Kind::Wal,
        steps: &[
            Batch, Batch, Append, Sync, Batch, Batch, Sync, Prefix, Batch, Suffix, Batch, Sync,
            Batch, Empty, Batch, Sync, Reopen, Suffix, Append, Sync,
        ],
    },
    Workload {
        name: "wal in prepared room",
        kind: Kind::WalInRoom,
        steps: &[
            Append, Sync, Batch, Flush, Append, Sync, Large, Sync, Prefix, Batch, Sync, Suffix,
            Append, Sync, Reopen, Batch, Append, Flush, Restart, Append, Sync, Empty, Append, Sync,
        ],
    },
    Workload {
        name: "wal, marked",
        kind: Kind::WalMarked,
        steps: &[
            Append, Sync, Batch, Sync, Append, Sync, Batch, Flush, Restart, Append, Sync, Suffix,
            Append, Sync, Reopen, Append, Sync,
        ],
    },
    Workload {
        name: "shared wal",
        kind: Kind::Shared,
        steps: &[
            Append, Append, Sync, Batch, Sync, Append, Append, Flush, Durable, Batch, Append, Sync,
            Large, Append, Flush, Early, Prefix, Batch, Append, SyncAll, Batch, Reopen, Append,
            Batch, Append, Sync,
        ],
    },
    Workload {
        name: "shared wal, recycling",
        kind: Kind::SharedRecycling,
        steps: &[
            Batch, Append, Sync, Batch, Append, Sync, Prefix, Batch, Append, Sync, Batch, Sync,
            Append, Prefix, Append, Batch, Flush, Early, Batch, Durable, Reopen, Append, Sync,
        ],
    },
    Workload {
        name: "shared wal, in a race",
        kind: Kind::SharedInRace,
        steps: &[
            Append, Append, Batch, Append, Append, Flush, Append, Batch, Append, Sync, Prefix,
            Append, Append, Batch, Append, Append, Append, Batch, Sync, Append,
        ],
    },
    Workload {
        name: "record log",
        kind: Kind::Log,
        steps: &[
            Append, Sync, Large, Append, Flush, Append, Sync, Append, Large, Flush, Restart,
            Append, Sync, Reopen, Append, Large, Sync, Restart, Append, Sync,
        ],
    },
    Workload {
        name: "publish and prune",
        kind: Kind::Publish,
        steps: &[
            Append, Batch, Sync, Prefix, Append, Batch, Sync, Prefix, Batch, Batch, Flush, Restart,
            Append, Prefix, Append, Sync, Reopen, Batch, Prefix, Append, Sync,
        ],
    },
    Workload {
        name: "replaced document",
        kind: Kind::Document,
        steps: &[Append, Append, Large, Append, Large, Reopen, Append],
    },
    Workload {
        name: "files in new folders",
        kind: Kind::Scattered,
        steps: &[Append, Append, Append, Reopen, Append, Append],
    },
];

pub(crate) fn find(name: &str) -> Option<Workload> {
    ALL.iter().find(|workload| workload.name == name).copied()
}
