//! Bugs planted on purpose, one at a time, to show that every tier of the proof can fail.
//!
//! Must never be in a build that anybody relies on. The bugs are there under `--cfg durability_mutants` alone, which no feature of Cargo can switch on, and which
//! refuses to build without debug assertions, so that no release has it. Everywhere else [`planted!`] is the constant `false`, and the compiler
//! leaves nothing of it.

#[cfg(all(durability_mutants, not(debug_assertions)))]
compile_error!(
    "planted bugs are for tests: `--cfg durability_mutants` needs debug assertions, which no release has"
);

/// Whether a bug is planted here.
#[cfg(not(durability_mutants))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

/// Whether a bug is planted here.
#[cfg(durability_mutants)]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_planted($crate::planted::Bug::$bug)
    };
}

#[cfg(durability_mutants)]
pub use self::switch::{Bug, ENVIRONMENT, is_planted, plant, was_reached};

#[cfg(durability_mutants)]
mod switch {
    use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    /// The variable that names the bug, for programs that do not call [`plant`].
    pub const ENVIRONMENT: &str = "DURABILITY_PLANTED";

    /// Nobody has asked yet.
    const UNKNOWN: u32 = u32::MAX;
    /// No bug.
    const NONE: u32 = u32::MAX - 1;

    static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);
    static REACHED: AtomicBool = AtomicBool::new(false);

    macro_rules! bugs {
        ($($(#[doc = $text:literal])+ $bug:ident,)+) => {
            /// The bugs, one site each.
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            #[repr(u32)]
            pub enum Bug {
                $($(#[doc = $text])+ $bug,)+
            }

            impl Bug {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$bug),+];

                /// What it is called.
                pub const fn name(self) -> &'static str {
                    match self {
                        $(Self::$bug => stringify!($bug),)+
                    }
                }

                /// What it does.
                pub const fn what(self) -> &'static str {
                    match self {
                        $(Self::$bug => concat!($($text),+).trim_ascii(),)+
                    }
                }
            }
        };
    }

    bugs! {
        /// A commit that runs beside its writer is not synced.
        CommitUnsynced,
        /// What was staged says that all before it is durable, whether or not.
        StagedFlagEarly,
        /// What still fits a segment is staged for it while its last commit runs.
        StagedIntoSealed,
        /// A ticket resolves when its commit begins.
        TicketEarly,
        /// Whoever waits for the next commit is released by the one that runs.
        NextReleased,
        /// A commit that failed releases those who wait as if it had not.
        FailedCommitReleased,
        /// A frame verifies at every offset of its file.
        SaltWithoutOffset,
        /// A frame verifies in every segment of its log, recycled ones too.
        SaltWithoutSegment,
        /// A frame verifies in the segments of every log.
        SaltWithoutLogId,
        /// The checksum covers the payload only: a frame's header is believed as it stands.
        HeaderUnchecked,
        /// A file's header is believed as it stands, its checksum aside.
        FileHeaderUnchecked,
        /// A frame's payload is shown without its checksum.
        PayloadUnchecked,
        /// Zeros where a frame begins are an empty record.
        ZeroFrameValid,
        /// A frame's number is not compared with the one that must follow.
        IdUnchecked,
        /// Memory is allocated for the length that a frame claims, before the file is asked whether it has that many bytes.
        ClaimedLengthAllocated,
        /// Every whole frame behind a bad one is proof of damage, not only one with the synced flag.
        AnyLaterFrameProves,
        /// No frame behind a bad one is proof of damage, not even one with the synced flag.
        SyncedFlagIgnored,
        /// The search behind a bad frame begins one frame too late.
        LookAheadTooFar,
        /// Half of a compact header's checksum, the half that is stored, seeds the payload's: a frame verifies in other places, too.
        CompactPayloadHalfSeeded,
        /// The header of a compact frame is taken for proof, whose check has 16 bits.
        CompactHeaderProves,
        /// Places in a tail of compact frames are gone to, though another frame may stand there by now, with more or fewer before it.
        CompactTailIndexed,
        /// Payloads that were judged in vain are judged again for every header that claims them.
        SearchQuadratic,
        /// A resume frame of a record log is passed over like any other.
        ResumeFrameIgnored,
        /// A file goes on after a failed write or sync as if nothing had happened.
        PoisonForgotten,
        /// A failed sync is tried again, and its success believed.
        FailedSyncRetried,
        /// What a short write left over is forgotten.
        ShortWriteTakenForWhole,
        /// What goes out may end in the middle of a write granule.
        GranuleSplit,
        /// Opening a log goes on from names that only a cache may have.
        OpenedFolderUnsynced,
        /// Recovery acts on bytes of the tail that only a cache may have.
        OpenedTailUnsynced,
        /// What follows a close frame that may be in a cache only says that the frame is durable.
        CloseFrameTakenForDurable,
        /// Opening a closed log does not look at the prune mark in front of the close frame.
        LastPruneMarkIgnored,
        /// What a full medium took of a close frame stays there.
        CloseFrameLeftTorn,
        /// Opening a closed log believes the list of its segments, whatever files there are.
        ListBelievedAlone,
        /// What opening knew from a list is read without its header.
        ListedHeaderUnread,
        /// Opening a log does not ask the tail's prune marks which segments are gone for good.
        PruneMarkIgnored,
        /// The log goes on in place over a torn tail, so that what is left of the tail stands behind the new entries.
        TornTailWrittenOver,
        /// A log's first segment gets room, too, in which a crash may leave anything while it is being written.
        FirstRoomReserved,
        /// Entries follow the first header of a log before it is durable.
        FirstHeaderUnsynced,
        /// Entries of a batch are shown without looking for its last one.
        BatchFlagIgnored,
        /// Looking ahead for the end of a batch, the reader does not come back to where the batch began.
        LookAheadKeptPlace,
        /// A bad frame ends a sealed segment, too, as if it were the tail.
        TornTailInSealed,
        /// A reader does not look again at a bad frame that a writer beside it may have finished meanwhile.
        ReaderLooksOnce,
        /// Entries are acknowledged when they are flushed.
        AcknowledgedUnsynced,
        /// The folder is not synced after a segment was created in it.
        NewNameUnsynced,
        /// Closing a log flushes it, and no more.
        CloseUnsynced,
        /// The synced flag is set when bytes are flushed, before a sync has returned.
        SyncedFlagEarly,
        /// A file that was cut off within the padding before its end is gone on with in place.
        ShortTailGoneOn,
        /// Without a heap: the synced flag is set when bytes are flushed, before a sync has returned.
        FixedSyncedFlagEarly,
        /// Without a heap: a file that was cut off within the padding before its end is gone on with in place.
        FixedShortTailGoneOn,
        /// Without a heap: a failed sync is tried again, and its success believed.
        FixedFailedSyncRetried,
        /// Without a heap: what a short write left over is forgotten.
        FixedShortWriteTakenForWhole,
        /// Without a heap: the writer goes on after a failed call as if nothing had happened.
        FixedPoisonForgotten,
        /// A mark that nothing follows is not synced when its segment is sealed.
        LoneMarkUnsynced,
        /// A segment is sealed before it is durable.
        RotatedUnsynced,
        /// A segment counts as ready before its name is durable.
        PreparedNameUnsynced,
        /// Pruning deletes the segment that is ready, or being made so.
        PreparedSwept,
        /// A segment that was made ready is begun though the log has gone beyond its number.
        StalePreparedTaken,
        /// A pruned segment's file is zeroed before it is durable that its header has gone.
        BeheadedUnsynced,
        /// A pruned segment's file gets its new name before its zeros are durable.
        RecycledUnsynced,
        /// A pruned segment's file gets its new name before it is zeroed.
        RecycledTooEarly,
        /// A pruned segment whose file is used again is taken for a damaged one by who still reads it.
        RecycledTakenForDamage,
        /// The zeros in a file that is used again are taken for the log's end by who still reads it.
        RecycledTakenForEnd,
        /// Segments are deleted from the newest on.
        NewestDeletedFirst,
        /// The folder is not synced after segments were deleted in it.
        DeletedNameUnsynced,
        /// Pruning deletes the segment that holds the first entry to be kept.
        PrunedTooFar,
        /// Segments are deleted before the mark that says so is durable.
        PruneMarkUnsynced,
        /// A log that is emptied gives its ids again.
        IdsRestarted,
        /// A truncation is not synced before what it cuts off is deleted, and before new entries are appended.
        TruncationUnsynced,
        /// Nothing vouches for the header of a truncation.
        TruncationUnmarked,
        /// A replay that is to begin before the first entry begins with the first that is there.
        GapLetThrough,
        /// A checkpoint counts as published before its content is durable.
        CheckpointUnsynced,
        /// A checkpoint counts as published before its name is durable.
        CheckpointNameUnsynced,
        /// A checkpoint ends where its frames do, with or without the end frame.
        UnfinishedCheckpointUsed,
        /// A checkpoint is published before the entries that it includes are durable.
        LogUnsyncedBeforeCheckpoint,
        /// The covered segments are deleted before the checkpoint is there.
        PrunedBeforeCheckpoint,
        /// Segments go that an older kept checkpoint needs if it is to stand in for the newest.
        PrunedToNewest,
        /// A checkpoint of entries that a truncation took back is used.
        StaleCheckpointUsed,
        /// A checkpoint that goes beyond the log is used.
        CheckpointAheadUsed,
        /// Records follow the header of a record log before it is durable.
        RecordLogHeaderUnsynced,
        /// A record log's name is not made durable.
        RecordLogNameUnsynced,
        /// Resuming a record log goes on from bytes that only a cache may have.
        ResumedUnsynced,
        /// The frame behind a resume frame vouches for it before it is durable.
        ResumeFrameNotDurable,
        /// A record log goes on behind a torn record that zeros would make whole, before other bytes are durable in their place.
        RevivedByZeros,
        /// A resume frame stands where it may complete the torn record before it.
        ResumedWithinClaim,
        /// Records of a record log are acknowledged when they are flushed.
        RecordAcknowledgedUnsynced,
        /// A file is renamed into place before its content is durable.
        RenamedUnsynced,
        /// The folder is not synced after a file was renamed into place.
        RenameUnsynced,
        /// The leftovers of an atomic write to any target are removed, not only to its own.
        ForeignFileRemoved,
        /// A file's sync does not reach the system.
        FsFileUnsynced,
        /// A file of the file system goes on after a failed write or sync.
        FsPoisonForgotten,
        /// A folder's sync does not reach the system.
        FsFolderUnsynced,
        /// The folders above a new folder are not synced.
        FsParentUnsynced,
        /// Opening a log does not sync the file that it goes on from.
        FsSyncFileMissing,
        /// What is cached of a file is not dropped after its sync, though an earlier failed one may have left it ahead of the medium.
        FsCacheKept,
        /// The folder above a new root is not synced.
        FsRootUnsynced,
        /// The name of a root that somebody else created is not synced.
        FsFoundRootUnsynced,
        /// A write around the cache forgets what its first block holds already.
        FsDirectHeadForgotten,
        /// A write around the cache fills its first block with zeros behind what is written, whatever the file has there.
        FsDirectRestBlanked,
        /// A write that is durable when it returns stands for a sync, though one before it was not durable.
        FsDirectUnproven,
        /// A write that shall be durable when it returns is a plain one.
        FsDirectUnsynced,
        /// A symbolic link to a folder is followed.
        FsLinkFollowed,
        /// The lock is said to be held, and is not.
        LockNotTaken,
        /// A wear or ready record of flash is believed as it stands, its checksum aside.
        FlashRecordUnchecked,
        /// A file's header on flash is believed as it stands, its checksum aside.
        FlashHeaderUnchecked,
        /// Of a file's two headers on flash only the first is programmed.
        FlashHeaderOnce,
        /// A slot of which only the first block is known to be erased is taken for ready.
        FlashBegunTakenForReady,
        /// A slot that reads blank where headers go is taken for erased, though nothing says that it is.
        FlashBlankTakenForErased,
        /// A slot is erased without a tombstone for the file that was in it.
        FlashErasedUnburied,
        /// A file on flash is removed in memory only.
        FlashRemovedUnburied,
        /// A tombstone is programmed over one of which a cut left too little.
        FlashTombstoneOverTorn,
        /// How often a slot was erased is not taken over from flash.
        FlashErasesForgotten,
        /// Any slot that is ready is as good as the one that was erased the least.
        FlashWearIgnored,
        /// Mounting counts the region's files from 1 again.
        FlashSequenceForgotten,
        /// A file on flash is gone on with where something is programmed already.
        FlashGoneOnOver,
        /// What is about to be done to flash that is awaited is not noted.
        FlashDoubtForgotten,
        /// What waits for flash that is awaited is overtaken by what comes after it.
        FlashQueueOvertaken,
        /// Entries are acknowledged while they wait for flash that is awaited.
        FlashAcknowledgedQueued,
        /// The headers of a new file are not read back before what is behind them is acknowledged.
        FlashHeadersNotReadBack,
        /// What was read ahead is kept when something is done to flash.
        FlashAheadKept,
    }

    impl Bug {
        /// The bug of this name.
        pub fn named(name: &str) -> Option<Self> {
            Self::ALL.iter().copied().find(|bug| bug.name() == name)
        }

        const fn number(self) -> u32 {
            self as u32
        }
    }

    /// Plants one bug in place of the one before, or none.
    pub fn plant(bug: Option<Bug>) {
        REACHED.store(false, Ordering::Relaxed);
        ACTIVE.store(bug.map_or(NONE, Bug::number), Ordering::SeqCst);
    }

    /// Whether the planted bug's site has been come by since it was planted.
    pub fn was_reached() -> bool {
        REACHED.load(Ordering::Relaxed)
    }

    /// Whether this one is planted.
    #[inline]
    pub fn is_planted(bug: Bug) -> bool {
        let mut active = ACTIVE.load(Ordering::Relaxed);
        if active == UNKNOWN {
            active = from_environment();
        }
        if active != bug.number() {
            return false;
        }
        REACHED.store(true, Ordering::Relaxed);
        true
    }

    #[cold]
    #[expect(clippy::panic, reason = "a name that is none must not look like a bug that survives")]
    fn from_environment() -> u32 {
        let bug = match std::env::var(ENVIRONMENT) {
            Ok(name) if !name.is_empty() => match Bug::named(&name) {
                Some(bug) => Some(bug),
                None => panic!("{ENVIRONMENT}={name}: there is no bug of this name"),
            },
            _ => None,
        };
        plant(bug);
        bug.map_or(NONE, Bug::number)
    }
}
