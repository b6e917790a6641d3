//! Laws on appending, and on getting back what was appended.
//!
//! Must never read a file that is being appended to.

use durability_core::embedded_io::Write as _;
use durability_core::storage::{AppendFile as _, Directory};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Kept, Verdict};
use crate::shared::index;

/// What a large file holds, where the backend's own limit is not lower.
const LARGE_BYTES: u64 = 16 * 1024;
/// How many files stand side by side.
const MANY: [&str; 10] = [
    "00000001.WAL",
    "wal/00000001.WAL",
    "wal/00000002.WAL",
    "wal/00000003.WAL",
    "wal/00000004.WAL",
    "wal/00000005.WAL",
    "wal/00000006.WAL",
    "wal/00000007.WAL",
    "ckp/00000001.CKP",
    "ckp/00000002.CKP",
];

/// An appender begins at 0, and a write moves its position by the count that it returns: whole granules, at least one, at most
/// what was given.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn append_moves_by_what_it_wrote<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("append_moves_by_what_it_wrote", dir);
    let mut file = ground.create(name("wal/A.BIN"), 0)?;
    let start = file.position();
    ground.holds("the position in a new file", start == 0, "0", start)?;
    for length in [1, 3, 16, 100, 700] {
        ground.write(&mut file, &ground.bytes(7, length))?;
    }
    let before = file.position();
    ground.works("flushing", file.flush())?;
    ground.works_if_there("syncing the data", file.sync_data())?;
    let after = file.position();
    ground.holds("the position after flush and sync", after == before, before, after)?;
    Ok(Kept::Tested)
}

/// What was written, in pieces of any size, is read back after the file was closed.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn what_was_written_is_read_back<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("what_was_written_is_read_back", dir);
    let file = name("wal/A.BIN");
    let mut whole = Vec::new();
    let mut appender = ground.create(file, 0)?;
    for (seed, length) in (1..).zip([1, 2, 16, 5, 300, 64, 511, 33]) {
        let piece = ground.bytes(seed, length);
        ground.write(&mut appender, &piece)?;
        whole.extend_from_slice(&piece);
    }
    ground.finish(appender)?;
    ground.has("a closed file", file, &whole)?;
    ground.has("the same file, opened again", file, &whole)?;
    Ok(Kept::Tested)
}

/// Flushes and syncs between appends neither lose, repeat nor move a byte.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn barriers_amid_appends_lose_nothing<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("barriers_amid_appends_lose_nothing", dir);
    let file = name("wal/A.BIN");
    let mut whole = Vec::new();
    let mut appender = ground.create(file, 0)?;
    for seed in 1..9 {
        let piece = ground.bytes(seed, 37);
        ground.write(&mut appender, &piece)?;
        whole.extend_from_slice(&piece);
        if seed % 2 == 0 {
            ground.works("flushing", appender.flush())?;
        }
        if seed % 3 == 0 {
            ground.works_if_there("syncing the data", appender.sync_data())?;
        }
    }
    ground.finish(appender)?;
    ground.has("a file written between barriers", file, &whole)?;
    Ok(Kept::Tested)
}

/// Two files appended to in turns each get their own bytes.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn appenders_do_not_mix<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("appenders_do_not_mix", dir);
    let (left, right) = (name("wal/LEFT.BIN"), name("wal/RIGHT.BIN"));
    let mut left_bytes = Vec::new();
    let mut right_bytes = Vec::new();
    let mut left_file = ground.create(left, 0)?;
    let mut right_file = ground.create(right, 0)?;
    for seed in 1..8 {
        let piece = ground.bytes(seed, 45);
        ground.write(&mut left_file, &piece)?;
        left_bytes.extend_from_slice(&piece);
        let piece = ground.bytes(seed + 100, 61);
        ground.write(&mut right_file, &piece)?;
        right_bytes.extend_from_slice(&piece);
    }
    ground.finish(left_file)?;
    ground.finish(right_file)?;
    ground.has("the first of two files written in turns", left, &left_bytes)?;
    ground.has("the second of two files written in turns", right, &right_bytes)?;
    Ok(Kept::Tested)
}

/// A file of 16 KiB, or as large as the backend says that files can be, is read back whole: several erase blocks,
/// clusters or pages.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn a_large_file_is_read_back<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("a_large_file_is_read_back", dir);
    let told = dir.capabilities();
    let granule = index(u64::from(told.write_granule()).max(1));
    let length = index(told.file_bytes_max().min(LARGE_BYTES));
    let mut data = ground.bytes(9, length);
    data.truncate(length - length % granule);
    let file = name("wal/LARGE.BIN");
    let mut appender = ground.create(file, 0)?;
    for piece in data.chunks(1024.max(granule)) {
        ground.write(&mut appender, piece)?;
    }
    ground.finish(appender)?;
    ground.has("a large file", file, &data)?;
    Ok(Kept::Tested)
}

/// Ten files in three folders, written one after the other, keep their names and their content.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn many_files_stand_side_by_side<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("many_files_stand_side_by_side", dir);
    for (seed, file) in (1..).zip(MANY.map(name)) {
        ground.put(file, &ground.bytes(seed, 20 * usize::from(seed)))?;
    }
    for (seed, file) in (1..).zip(MANY.map(name)) {
        let data = ground.bytes(seed, 20 * usize::from(seed));
        ground.has("one of ten files", file, &data)?;
    }
    Ok(Kept::Tested)
}
