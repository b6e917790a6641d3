//! The planted bugs: which law each breaks, and what must find it.
//!
//! Must never name a test that fails for another reason than the law: a counter that changed, or bytes that differ from a vector. The log without a heap is proved by
//! doing what the other writer does, operation by operation: there, doing anything else is what breaks the law.

use durability_core::planted::Bug;

use crate::Failed;
use crate::programs::TRACED;
use crate::verdict::Found;

/// What must find a bug.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Finder {
    /// This family of workloads, or another one of its tier.
    Family(&'static str),
    /// The traced runs of the real adapter.
    Traced,
    /// This test.
    Test { tier: u8, program: &'static str, test: &'static str },
}

/// One bug.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) bug: Bug,
    /// The numbers of the laws that it breaks, the one that it is about first.
    pub(crate) laws: &'static [u8],
    pub(crate) finder: Finder,
    /// Why it is no bug after all.
    pub(crate) harmless: Option<&'static str>,
}

impl Finder {
    pub(crate) fn tier(self) -> u8 {
        match self {
            Self::Family(name) => {
                durability_testkit::proof::family(name).map_or(0, |family| family.tier)
            }
            Self::Traced => TRACED.tier,
            Self::Test { tier, .. } => tier,
        }
    }
}

impl Planted {
    /// Whether what was found is the law that the bug breaks.
    pub(crate) fn fits(&self, found: &Found) -> bool {
        match self.finder {
            Finder::Family(_) | Finder::Traced => {
                covers(&found.law).iter().any(|law| self.laws.contains(law))
            }
            Finder::Test { test, .. } => found.law == test,
        }
    }
}

/// The words of oracles and workloads, and the laws that they may stand for, by number.
const WORDS: &[(&str, &[u8])] = &[
    ("durable means durable", &[1, 2, 3, 4, 6, 10]),
    ("recovery shows a prefix", &[1, 2, 3, 7]),
    ("a file is old or new, whole", &[1]),
    ("a sync covers all entries", &[1]),
    ("a sync covers all records", &[1]),
    ("entries are as written", &[1]),
    ("records are as written", &[1]),
    ("what is synced can be read", &[1]),
    ("both modes agree", &[1, 4]),
    ("looking shows what opening finds", &[1, 4]),
    ("ids have no gap", &[2]),
    ("numbers have no gap", &[2]),
    ("a checkpoint has its entries", &[6]),
    ("entries follow the state without a gap", &[6]),
    ("every checkpoint meets the log", &[6]),
    ("the log begins where a checkpoint ends, or before", &[6]),
    ("every crash opens again", &[8]),
    ("failure is final", &[10]),
    ("foreign files are untouched", &[11]),
    ("no panic", &[11]),
    ("nothing is left over", &[11]),
];

fn covers(law: &str) -> &'static [u8] {
    WORDS.iter().find(|(words, _)| *words == law).map_or(&[], |(_, laws)| laws)
}

/// The law that a text names first: "... law: what happened".
pub(crate) fn law_in(text: &str) -> Option<&'static str> {
    let place = |words: &str| text.find(&format!("{words}: "));
    let named = WORDS.iter().filter_map(|(words, _)| Some((place(words)?, *words)));
    named.min().map(|(_, words)| words)
}

const fn family(bug: Bug, laws: &'static [u8], name: &'static str) -> Planted {
    Planted { bug, laws, finder: Finder::Family(name), harmless: None }
}

const fn test(bug: Bug, laws: &'static [u8], program: &'static str, test: &'static str) -> Planted {
    Planted { bug, laws, finder: Finder::Test { tier: 2, program, test }, harmless: None }
}

const fn census(bug: Bug, laws: &'static [u8], test: &'static str) -> Planted {
    Planted { bug, laws, finder: Finder::Test { tier: 3, program: "census", test }, harmless: None }
}

const fn interleaved(bug: Bug, laws: &'static [u8], test: &'static str) -> Planted {
    let finder = Finder::Test { tier: 8, program: "interleavings", test };
    Planted { bug, laws, finder, harmless: None }
}

const fn shared(bug: Bug, laws: &'static [u8], test: &'static str) -> Planted {
    Planted { bug, laws, finder: Finder::Test { tier: 8, program: "shared", test }, harmless: None }
}

const fn traced(bug: Bug, laws: &'static [u8]) -> Planted {
    Planted { bug, laws, finder: Finder::Traced, harmless: None }
}

const fn harmless(bug: Bug, name: &'static str, why: &'static str) -> Planted {
    Planted { bug, laws: &[], finder: Finder::Family(name), harmless: Some(why) }
}

const LOG: &str = "segments::every_damage_to_a_log_is_detected_harmless_or_in_the_window";
const CHECKPOINT: &str = "files::every_damage_to_a_checkpoint_is_detected_or_harmless";

/// All of them.
pub(crate) const ALL: &[Planted] = &[
    family(Bug::CommitUnsynced, &[1], "staged"),
    family(Bug::StagedFlagEarly, &[8], "staged"),
    family(Bug::StagedIntoSealed, &[1, 8], "staged"),
    shared(Bug::TicketEarly, &[1], "a_ticket_does_not_resolve_while_its_sync_runs"),
    shared(Bug::NextReleased, &[1], "a_commit_releases_its_own_and_nobody_else"),
    shared(
        Bug::FailedCommitReleased,
        &[10],
        "a_sync_that_fails_fails_all_that_it_covered_and_everything_after",
    ),
    test(
        Bug::SaltWithoutOffset,
        &[3],
        "failures",
        "tails::a_frame_verifies_at_its_own_offset_only",
    ),
    family(Bug::SaltWithoutSegment, &[3, 8], "wal-backends"),
    test(
        Bug::SaltWithoutLogId,
        &[3],
        "failures",
        "stale::frames_of_another_segment_or_log_at_their_own_offset_never_verify",
    ),
    census(Bug::HeaderUnchecked, &[9], LOG),
    census(Bug::FileHeaderUnchecked, &[9], LOG),
    census(Bug::PayloadUnchecked, &[9], LOG),
    family(Bug::ZeroFrameValid, &[1], "wal-backends"),
    test(
        Bug::IdUnchecked,
        &[2],
        "failures",
        "damage::a_frame_that_verifies_out_of_its_turn_is_damage_in_any_place",
    ),
    test(
        Bug::ClaimedLengthAllocated,
        &[11],
        "failures",
        "hostile::a_length_is_believed_only_as_far_as_the_file_and_the_limit_go",
    ),
    family(Bug::AnyLaterFrameProves, &[8], "wal"),
    census(Bug::SyncedFlagIgnored, &[9], LOG),
    census(Bug::LookAheadTooFar, &[9], LOG),
    test(
        Bug::CompactPayloadHalfSeeded,
        &[3],
        "compact",
        "a_frame_verifies_in_no_other_place_though_its_header_does",
    ),
    test(Bug::CompactHeaderProves, &[8], "compact", "a_header_alone_proves_nothing"),
    test(
        Bug::CompactTailIndexed,
        &[2],
        "compact",
        "a_tail_that_goes_back_shows_no_entry_under_the_id_of_another",
    ),
    test(
        Bug::SearchQuadratic,
        &[11],
        "recordlog_search",
        "the_bytes_read_grow_no_faster_than_a_file_of_look_alikes",
    ),
    family(Bug::ResumeFrameIgnored, &[1, 8], "recordlog"),
    family(Bug::PoisonForgotten, &[10], "recordlog-faults"),
    family(Bug::FailedSyncRetried, &[10, 8], "wal-faults"),
    family(Bug::ShortWriteTakenForWhole, &[1, 8], "wal-faults"),
    test(
        Bug::GranuleSplit,
        &[8],
        "wal_on_backends",
        "memory_of_an_odd_length_that_has_served_to_read_never_splits_a_granule",
    ),
    family(Bug::OpenedFolderUnsynced, &[4, 8], "wal"),
    family(Bug::OpenedTailUnsynced, &[4, 8], "wal"),
    family(Bug::CloseFrameTakenForDurable, &[8], "wal"),
    test(Bug::LastPruneMarkIgnored, &[3], "wal_closed", "pruned_segments_that_come_back_stay_gone"),
    test(
        Bug::CloseFrameLeftTorn,
        &[2],
        "failures",
        "room::what_a_full_disk_took_of_a_close_frame_is_taken_back",
    ),
    test(
        Bug::ListBelievedAlone,
        &[3],
        "wal_closed",
        "a_list_that_is_not_of_the_files_there_is_not_believed",
    ),
    test(
        Bug::ListedHeaderUnread,
        &[3],
        "wal_closed",
        "what_opening_knew_from_a_list_is_checked_where_it_is_read",
    ),
    family(Bug::PruneMarkIgnored, &[8], "wal"),
    family(Bug::TornTailWrittenOver, &[3, 8], "wal"),
    family(Bug::FirstRoomReserved, &[8], "wal-backends"),
    family(Bug::FirstHeaderUnsynced, &[8], "wal"),
    family(Bug::BatchFlagIgnored, &[7], "wal"),
    family(Bug::LookAheadKeptPlace, &[2], "wal"),
    census(Bug::TornTailInSealed, &[9], LOG),
    interleaved(
        Bug::ReaderLooksOnce,
        &[8],
        "a_reader_beside_a_writer_sees_a_prefix_with_all_that_was_acknowledged_before",
    ),
    family(Bug::AcknowledgedUnsynced, &[1], "wal"),
    family(Bug::NewNameUnsynced, &[1, 8], "wal"),
    family(Bug::CloseUnsynced, &[1], "wal-backends"),
    family(Bug::SyncedFlagEarly, &[8], "wal"),
    census(Bug::ShortTailGoneOn, &[8], LOG),
    test(
        Bug::FixedSyncedFlagEarly,
        &[8],
        "fixed_worlds",
        "whatever_a_directory_can_do_both_writers_do_the_same",
    ),
    test(
        Bug::FixedShortTailGoneOn,
        &[8],
        "fixed_worlds",
        "whatever_a_directory_can_do_both_writers_do_the_same",
    ),
    test(Bug::FixedFailedSyncRetried, &[10], "fixed_faults", "it_fails_as_the_other_does"),
    test(Bug::FixedShortWriteTakenForWhole, &[1], "fixed_faults", "it_fails_as_the_other_does"),
    test(
        Bug::FixedPoisonForgotten,
        &[10],
        "fixed_worlds",
        "after_a_failed_write_nothing_is_written_any_more",
    ),
    family(Bug::LoneMarkUnsynced, &[8], "wal-options"),
    family(Bug::RotatedUnsynced, &[8], "wal"),
    harmless(
        Bug::NewestDeletedFirst,
        "wal",
        "the mark, or the header, that makes the segments dead is durable before the first of them goes, so any of them may be left, and in any order",
    ),
    harmless(
        Bug::DeletedNameUnsynced,
        "wal",
        "a segment that comes back after its deletion is as dead as before: the chain does not lead to it",
    ),
    family(Bug::PrunedTooFar, &[6], "publish"),
    family(Bug::PreparedNameUnsynced, &[1, 8], "wal-prepared"),
    family(Bug::PreparedSwept, &[1, 8], "wal-prepared"),
    family(Bug::StalePreparedTaken, &[1, 8], "wal-prepared"),
    family(Bug::BeheadedUnsynced, &[8], "wal-prepared"),
    harmless(
        Bug::RecycledUnsynced,
        "wal-prepared",
        "the old header is durably gone, and old frames verify under no other number; whatever is left of them is an unfinished segment or a torn tail, until the first sync of the new segment",
    ),
    family(Bug::RecycledTooEarly, &[8], "wal-prepared"),
    test(
        Bug::RecycledTakenForDamage,
        &[8],
        "prepared",
        "a_reader_of_a_segment_that_is_used_again_misses_it_and_never_calls_it_damaged_or_ended",
    ),
    test(
        Bug::RecycledTakenForEnd,
        &[9],
        "prepared",
        "a_reader_of_a_segment_that_is_used_again_misses_it_and_never_calls_it_damaged_or_ended",
    ),
    family(Bug::PruneMarkUnsynced, &[8], "wal"),
    family(Bug::IdsRestarted, &[2], "wal"),
    family(Bug::TruncationUnsynced, &[1, 8], "wal"),
    census(Bug::TruncationUnmarked, &[3], LOG),
    test(
        Bug::GapLetThrough,
        &[2],
        "failures",
        "recovery::a_replay_that_begins_before_the_first_entry_left_is_an_error_and_never_a_shorter_one",
    ),
    family(Bug::CheckpointUnsynced, &[6, 8], "publish"),
    family(Bug::CheckpointNameUnsynced, &[6, 8], "publish"),
    census(Bug::UnfinishedCheckpointUsed, &[6], CHECKPOINT),
    family(Bug::LogUnsyncedBeforeCheckpoint, &[6, 8], "publish"),
    family(Bug::PrunedBeforeCheckpoint, &[6, 8], "publish"),
    family(Bug::PrunedToNewest, &[6], "publish"),
    test(
        Bug::StaleCheckpointUsed,
        &[3],
        "attack_publish",
        "a_checkpoint_of_entries_that_were_truncated_is_never_taken_for_the_state",
    ),
    test(
        Bug::CheckpointAheadUsed,
        &[6],
        "failures",
        "recovery::a_checkpoint_ahead_of_the_log_is_an_error_and_later_appends_are_not_swallowed",
    ),
    family(Bug::RecordLogHeaderUnsynced, &[8], "recordlog"),
    family(Bug::RecordLogNameUnsynced, &[1], "recordlog"),
    family(Bug::ResumedUnsynced, &[4, 8], "recordlog"),
    family(Bug::ResumeFrameNotDurable, &[8], "recordlog"),
    family(Bug::RevivedByZeros, &[3], "recordlog"),
    family(Bug::ResumedWithinClaim, &[3], "recordlog"),
    family(Bug::RecordAcknowledgedUnsynced, &[1], "recordlog"),
    family(Bug::RenamedUnsynced, &[1, 8], "replace"),
    family(Bug::RenameUnsynced, &[1], "replace"),
    test(
        Bug::ForeignFileRemoved,
        &[11],
        "failures",
        "names::an_atomic_write_destroys_no_neighbour_whatever_it_is_called",
    ),
    traced(Bug::FsFileUnsynced, &[1, 8]),
    test(
        Bug::FsPoisonForgotten,
        &[10],
        "host",
        "syscalls::a_failed_sync_is_reported_once_and_never_tried_again",
    ),
    traced(Bug::FsFolderUnsynced, &[1, 8]),
    traced(Bug::FsParentUnsynced, &[1]),
    traced(Bug::FsSyncFileMissing, &[4, 8, 1]),
    test(
        Bug::FsCacheKept,
        &[4],
        "host",
        "syscalls::after_a_sync_by_name_nothing_of_the_file_is_cached",
    ),
    traced(Bug::FsRootUnsynced, &[1]),
    traced(Bug::FsFoundRootUnsynced, &[4]),
    test(
        Bug::FsDirectHeadForgotten,
        &[1],
        "host",
        "direct::what_goes_around_the_cache_reads_as_it_was_written",
    ),
    test(
        Bug::FsDirectRestBlanked,
        &[1],
        "host",
        "direct::a_block_that_is_written_in_part_keeps_the_rest_of_it",
    ),
    test(
        Bug::FsDirectUnproven,
        &[1, 8],
        "host",
        "direct_syscalls::around_the_cache_what_only_a_flush_has_written_is_covered_by_a_sync_of_the_file",
    ),
    test(
        Bug::FsDirectUnsynced,
        &[1, 8],
        "host",
        "direct_syscalls::around_the_cache_a_durable_append_is_one_durable_write",
    ),
    test(
        Bug::FsLinkFollowed,
        &[11],
        "host",
        "escape::no_operation_follows_a_link_in_the_place_of_a_folder",
    ),
    test(
        Bug::LockNotTaken,
        &[10],
        "host",
        "lock::a_lock_excludes_other_processes_and_names_the_holder_and_dies_with_it",
    ),
    test(
        Bug::FlashRecordUnchecked,
        &[12],
        "flash",
        "no_file_is_lost_damaged_or_brought_back_by_two_cuts",
    ),
    test(
        Bug::FlashHeaderUnchecked,
        &[8],
        "flash",
        "no_file_is_lost_damaged_or_brought_back_by_two_cuts",
    ),
    test(
        Bug::FlashHeaderOnce,
        &[9],
        "flash",
        "every_flipped_bit_is_harmless_detected_or_in_the_documented_window",
    ),
    test(
        Bug::FlashBegunTakenForReady,
        &[12],
        "flash",
        "no_file_is_lost_damaged_or_brought_back_by_two_cuts",
    ),
    test(
        Bug::FlashBlankTakenForErased,
        &[12],
        "flash",
        "no_file_is_lost_damaged_or_brought_back_by_two_cuts",
    ),
    test(
        Bug::FlashErasedUnburied,
        &[3],
        "flash",
        "no_file_is_lost_damaged_or_brought_back_by_two_cuts",
    ),
    test(
        Bug::FlashRemovedUnburied,
        &[3],
        "flash",
        "no_file_is_lost_damaged_or_brought_back_by_two_cuts",
    ),
    test(
        Bug::FlashTombstoneOverTorn,
        &[12],
        "flash_async",
        "a_tombstone_of_which_one_bit_is_there_is_not_programmed_again",
    ),
    test(Bug::FlashErasesForgotten, &[12], "flash", "erase_counts_survive_every_cut"),
    test(Bug::FlashWearIgnored, &[12], "flash", "files_of_about_one_age_wear_all_slots_alike"),
    test(
        Bug::FlashSequenceForgotten,
        &[3],
        "flash",
        "nonces_are_not_given_again_once_a_file_was_made",
    ),
    test(Bug::FlashGoneOnOver, &[12], "flash", "errors_name_the_slot_and_the_place"),
    test(Bug::FlashDoubtForgotten, &[10], "flash_async", "the_driver_may_fail_at_every_operation"),
    test(
        Bug::FlashQueueOvertaken,
        &[8],
        "flash_async",
        "power_may_be_cut_in_every_program_and_erase_and_again_in_the_life_after",
    ),
    test(
        Bug::FlashAcknowledgedQueued,
        &[1],
        "flash_async",
        "power_may_be_cut_in_every_program_and_erase_and_again_in_the_life_after",
    ),
    test(
        Bug::FlashHeadersNotReadBack,
        &[1],
        "flash_async",
        "headers_that_do_not_read_back_are_told_of_before_anything_behind_them_is_acknowledged",
    ),
    test(
        Bug::FlashAheadKept,
        &[8],
        "flash_async",
        "power_may_be_cut_in_every_program_and_erase_and_again_in_the_life_after",
    ),
];

/// Every bug stands in the table once.
pub(crate) fn check() -> Result<(), Failed> {
    for bug in Bug::ALL {
        let rows = ALL.iter().filter(|planted| planted.bug == *bug).count();
        if rows != 1 {
            return Err(format!("{} stands {rows} times in the table", bug.name()).into());
        }
    }
    Ok(())
}
