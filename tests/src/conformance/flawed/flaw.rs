//! The flaws, and the law that must catch each of them.
//!
//! Must never name a flaw without planting it: a test runs them all.

macro_rules! flaws {
    ($($(#[doc = $what:literal])+ $flaw:ident => $law:ident,)+) => {
        /// One bug of a directory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Flaw {
            $($(#[doc = $what])+ $flaw,)+
        }

        impl Flaw {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$flaw),+];

            /// The name of the law that must catch it; others may as well.
            pub const fn law(self) -> &'static str {
                match self {
                    $(Self::$flaw => stringify!($law),)+
                }
            }
        }
    };
}

flaws! {
    /// The write granule is 12.
    GranuleIsTwelve => capabilities_are_sane,
    /// The write granule is 0.
    GranuleIsZero => capabilities_are_sane,
    /// The write granule is 512.
    GranuleIsHuge => capabilities_are_sane,
    /// The tear unit is 0.
    TearUnitIsZero => capabilities_are_sane,
    /// The natural segment is larger than the largest file.
    SegmentExceedsTheLargestFile => capabilities_are_sane,
    /// The write granule changes once a file was created.
    CapabilitiesChange => capabilities_do_not_change,
    /// The "unsupported" error is of another kind. Planted by [`Flawed`](super::Flawed)'s second parameter.
    UnsupportedIsMislabelled => unsupported_says_so,
    /// `create` of a taken name begins the file anew.
    CreateReplaces => create_is_exclusive,
    /// `create` of a taken name is an error.
    TakenNameIsAnError => create_is_exclusive,
    /// `create` fails in a folder that holds nothing.
    CreateNeedsAFolder => create_makes_missing_folders,
    /// The folder of a name is ignored.
    FoldersAreFlattened => folders_keep_names_apart,
    /// `open` of a missing file is an error.
    AbsenceIsAnError => absence_is_none,
    /// `open` of a missing file creates it.
    OpenCreates => absence_is_none,
    /// `reopen` of a missing file is an error.
    ReopenOfNothingIsAnError => absence_is_none,
    /// Names are cut to 8.3 in silence.
    NamesAreCut => other_names_are_kept_or_refused,
    /// `list` leaves the first name out.
    ListForgetsOne => list_is_the_exact_set,
    /// `list` calls back twice.
    ListRepeats => list_is_the_exact_set,
    /// `list` gives names with their folder.
    ListGivesPaths => list_is_the_exact_set,
    /// `list` still shows removed files.
    ListRemembersTheRemoved => list_is_the_exact_set,
    /// `list` shows what is in folders below.
    ListDescends => list_is_not_recursive,
    /// `list` of a folder shows those of every folder whose name begins alike.
    ListMatchesPrefixes => list_is_not_recursive,
    /// `list` shows folders as files.
    ListShowsFolders => list_is_not_recursive,
    /// `remove` does nothing.
    RemoveDoesNothing => remove_removes,
    /// `remove` removes every file of the folder.
    RemoveTakesTheFolder => remove_removes,
    /// `remove` of a missing file is an error.
    RemoveOfNothingIsAnError => remove_is_idempotent,
    /// A file created under a removed name begins with the old bytes.
    RemovedBytesReturn => a_removed_name_begins_anew,
    /// `position` is always 0.
    PositionStandsStill => append_moves_by_what_it_wrote,
    /// `sync_data` moves the position.
    SyncMovesThePosition => append_moves_by_what_it_wrote,
    /// `write` takes 10 bytes at a time where the granule is 16.
    WriteSplitsGranules => append_moves_by_what_it_wrote,
    /// `write` takes nothing and says so.
    WriteTakesNothing => append_moves_by_what_it_wrote,
    /// `write` says that it took everything, and stores half.
    WriteStoresHalf => what_was_written_is_read_back,
    /// `write` clears the last byte.
    WriteClearsTheLastByte => what_was_written_is_read_back,
    /// What was written last is lost when the file is closed.
    CloseLosesTheLastWrite => what_was_written_is_read_back,
    /// `sync_data` writes the last piece once more.
    SyncRepeatsTheLastWrite => barriers_amid_appends_lose_nothing,
    /// All appenders share one buffer.
    AppendersShareABuffer => appenders_do_not_mix,
    /// Bytes from 4,096 on are lost in silence.
    LargeFilesEnd => a_large_file_is_read_back,
    /// The ninth file replaces the first.
    OldestOfManyVanishes => many_files_stand_side_by_side,
    /// `read_at` reads at the cursor.
    ReadAtIgnoresTheOffset => read_at_reads_at_the_offset,
    /// `read_at` begins at the sector of its offset.
    ReadAtRoundsDown => read_at_reads_at_the_offset,
    /// `read_at` beyond the end is an error.
    ReadBeyondTheEndFails => read_beyond_the_end_is_zero,
    /// Offsets have 32 bits.
    OffsetsWrap => read_beyond_the_end_is_zero,
    /// `len` is one byte short.
    LengthIsShort => length_is_an_upper_bound,
    /// A seek from the end goes to the end.
    SeekFromTheEndIgnoresItsDelta => seek_goes_where_it_says,
    /// A seek from the cursor counts from the start.
    SeekOnCountsFromTheStart => seek_goes_where_it_says,
    /// A seek returns 0.
    SeekReturnsZero => seek_goes_where_it_says,
    /// A seek before the start goes to the start.
    SeekStopsAtTheStart => seek_before_the_start_is_an_error,
    /// All readers share one cursor.
    ReadersShareACursor => readers_do_not_share_a_cursor,
    /// A reader fails once another file was created.
    ReadersDieWithTheNextFile => a_reader_is_owned,
    /// A reader sees nothing beyond the length at its opening.
    ReadersAreSnapshots => flushed_bytes_are_read_beside_the_appender,
    /// `flush` keeps the bytes back until the file is synced or closed.
    FlushKeepsBack => flushed_bytes_are_read_beside_the_appender,
    /// Reserved room reads as 0xA5.
    RoomIsJunk => room_reads_as_nothing,
    /// Appending begins behind the reserved room.
    RoomMovesThePosition => room_reads_as_nothing,
    /// Reserved room reads as what was removed last.
    RoomShowsOlderBytes => room_does_not_show_older_bytes,
    /// `trim` drops what was written since the last flush.
    TrimDropsTheLastWrite => trim_takes_only_room,
    /// `trim` moves the position.
    TrimMovesThePosition => trim_takes_only_room,
    /// `reopen` clears what lies below the position.
    ReopenClearsWhatLiesBelow => reopen_continues_at_the_end,
    /// `reopen` always appends at the end.
    ReopenGoesToTheEnd => reopen_replaces_what_lies_beyond,
    /// `reopen` before the end is refused, and the file is lost.
    RefusedReopenLosesTheFile => reopen_replaces_what_lies_beyond,
    /// `reopen` works though it is not announced.
    ReopenIsUnannounced => reopen_is_as_announced,
    /// `sync_data` fails.
    SyncDataFails => barriers_work_or_are_unsupported,
    /// `sync_dir` fails after a removal.
    SyncDirFails => barriers_work_or_are_unsupported,
    /// `sync_file` loses the file's bytes.
    SyncFileEmpties => barriers_work_or_are_unsupported,
    /// `sync_file` of a missing file is `Ok`.
    SyncFileOfNothingIsFine => sync_file_needs_a_file,
    /// `sync_file` of a missing file is an error, but creates it.
    SyncFileCreates => sync_file_needs_a_file,
    /// `sync_dir` of a missing folder is an error.
    SyncDirNeedsAFolder => sync_dir_takes_a_missing_folder,
    /// A lock that is held is given again.
    LockExcludesNobody => a_lock_excludes,
    /// A held lock names a process that does not have it.
    LockNamesAStranger => a_lock_excludes,
    /// A dropped guard does not release the lock.
    LockIsNeverReleased => a_lock_ends_with_its_guard,
    /// There is one lock, whatever its name.
    LockIgnoresItsName => locks_of_other_names_are_free,
    /// The nonce is always the same.
    NonceRepeats => nonces_differ,
    /// A rename leaves the old name.
    RenameCopies => rename_moves_a_file,
    /// A rename onto a file only removes the old name.
    RenameKeepsTheTarget => rename_replaces_the_target,
    /// A rename onto a longer file leaves its tail.
    RenameLeavesTheTail => rename_replaces_the_target,
    /// A rename of a missing file is `Ok`.
    RenameOfNothingIsFine => rename_of_nothing_is_an_error,
    /// A rename of a missing file is an error, but removes the target.
    RenameOfNothingRemovesTheTarget => rename_of_nothing_is_an_error,
    /// `rename` works though it is not announced.
    RenameIsUnannounced => rename_is_as_announced,
}
