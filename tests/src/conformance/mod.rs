//! The `Directory` contract as a suite of laws that any implementer can call with one line.
//!
//! Must never ask for more than the contract's text does, nor touch a directory in a way that it forbids to users.
//!
//! ```
//! use durability_core::storage::MemoryDirectory;
//! let report = durability_testkit::conformance::check(MemoryDirectory::new);
//! assert!(report.is_clean());
//! ```
//!
//! Each law is a function of [`laws`], named by what it demands, and can be called alone on an empty directory:
//!
//! ```
//! use durability_core::storage::MemoryDirectory;
//! use durability_testkit::conformance::{Kept, laws};
//! assert_eq!(laws::create_is_exclusive(&MemoryDirectory::new())?, Kept::Tested);
//! # Ok::<(), durability_testkit::conformance::Broken>(())
//! ```
//!
//! **Limits.** The medium must hold 10 files at once and 64 KiB in all, of files up to 16 KiB or their largest
//! size. The names are 8.3 and at most one folder deep, as the core's own are; what else a backend can name is tried, and
//! may be refused. What the suite cannot see is what a power cut does: that is for the crash simulator.
//!
//! That the suite can fail is proven by [`flawed`]: every law has a bug that it alone is named for.
//!

pub mod flawed;
mod ground;
pub mod laws;
mod report;

use durability_core::storage::Directory;

pub use report::{Broken, Kept, Report, Verdict};

/// Runs every law, each on a directory of its own from `fresh`, which must be empty.
///
/// # Panics
/// If a law is broken: the message names each of them, the step, what was expected and what was found. A backend that
/// panics is not caught.
pub fn check<D: Directory>(fresh: impl FnMut() -> D) -> Report {
    let report = examine(fresh);
    assert!(report.is_clean(), "the directory breaks its contract\n{report}");
    report
}

macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        /// The names of all laws, in the order of the contract.
        pub const LAWS: &[&str] = &[$(stringify!($law)),+];

        /// As [`check`], but only reports.
        pub fn examine<D: Directory>(mut fresh: impl FnMut() -> D) -> Report {
            let mut report = Report::default();
            $(report.add(stringify!($law), laws::$law(&fresh()));)+
            report
        }
    };
}

laws![
    capabilities_are_sane,
    capabilities_do_not_change,
    unsupported_says_so,
    create_is_exclusive,
    create_makes_missing_folders,
    folders_keep_names_apart,
    absence_is_none,
    other_names_are_kept_or_refused,
    list_is_the_exact_set,
    list_is_not_recursive,
    remove_removes,
    remove_is_idempotent,
    a_removed_name_begins_anew,
    append_moves_by_what_it_wrote,
    what_was_written_is_read_back,
    barriers_amid_appends_lose_nothing,
    appenders_do_not_mix,
    a_large_file_is_read_back,
    many_files_stand_side_by_side,
    read_at_reads_at_the_offset,
    read_beyond_the_end_is_zero,
    length_is_an_upper_bound,
    seek_goes_where_it_says,
    seek_before_the_start_is_an_error,
    readers_do_not_share_a_cursor,
    a_reader_is_owned,
    flushed_bytes_are_read_beside_the_appender,
    room_reads_as_nothing,
    room_does_not_show_older_bytes,
    trim_takes_only_room,
    reopen_continues_at_the_end,
    reopen_replaces_what_lies_beyond,
    reopen_is_as_announced,
    barriers_work_or_are_unsupported,
    sync_file_needs_a_file,
    sync_dir_takes_a_missing_folder,
    a_lock_excludes,
    a_lock_ends_with_its_guard,
    locks_of_other_names_are_free,
    nonces_differ,
    rename_moves_a_file,
    rename_replaces_the_target,
    rename_of_nothing_is_an_error,
    rename_is_as_announced,
];
