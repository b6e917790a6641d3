//! The laws: each a function over an empty directory, named by what it demands.
//!
//! Must never leave a law out of the suite's table: a test counts them.

mod append;
mod barriers;
mod capabilities;
mod locks;
mod names;
mod read;
mod remove;
mod rename;
mod reopen;
mod room;

pub use append::{
    a_large_file_is_read_back, append_moves_by_what_it_wrote, appenders_do_not_mix,
    barriers_amid_appends_lose_nothing, many_files_stand_side_by_side,
    what_was_written_is_read_back,
};
pub use barriers::{
    barriers_work_or_are_unsupported, sync_dir_takes_a_missing_folder, sync_file_needs_a_file,
};
pub use capabilities::{capabilities_are_sane, capabilities_do_not_change, unsupported_says_so};
pub use locks::{
    a_lock_ends_with_its_guard, a_lock_excludes, locks_of_other_names_are_free, nonces_differ,
};
pub use names::{
    absence_is_none, create_is_exclusive, create_makes_missing_folders, folders_keep_names_apart,
    list_is_not_recursive, list_is_the_exact_set, other_names_are_kept_or_refused,
};
pub use read::{
    a_reader_is_owned, flushed_bytes_are_read_beside_the_appender, length_is_an_upper_bound,
    read_at_reads_at_the_offset, read_beyond_the_end_is_zero, readers_do_not_share_a_cursor,
    seek_before_the_start_is_an_error, seek_goes_where_it_says,
};
pub use remove::{a_removed_name_begins_anew, remove_is_idempotent, remove_removes};
pub use rename::{
    rename_is_as_announced, rename_moves_a_file, rename_of_nothing_is_an_error,
    rename_replaces_the_target,
};
pub use reopen::{
    reopen_continues_at_the_end, reopen_is_as_announced, reopen_replaces_what_lies_beyond,
};
pub use room::{room_does_not_show_older_bytes, room_reads_as_nothing, trim_takes_only_room};
