//! Laws on reserved room: it must look like nothing at all.
//!
//! Must never demand that room is made: reserving is a wish.

use durability_core::storage::{AppendFile as _, Directory};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Kept, Verdict};
use crate::shared::{index, offset};

const RESERVE_BYTES: u64 = 3000;

/// Reserved room reads as zeros, as 0xFF or as absent, before and behind what is appended, and appending begins at 0.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn room_reads_as_nothing<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("room_reads_as_nothing", dir);
    drop(ground.create(name("wal/EMPTY.BIN"), RESERVE_BYTES)?);
    ground.has("a file of nothing but room", name("wal/EMPTY.BIN"), &[])?;
    let data = ground.bytes(1, 700);
    let mut appender = ground.create(name("wal/PART.BIN"), RESERVE_BYTES)?;
    let start = appender.position();
    ground.holds("the position before reserved room", start == 0, "0", start)?;
    ground.write(&mut appender, &data)?;
    ground.finish(appender)?;
    ground.has("a file with room behind its content", name("wal/PART.BIN"), &data)?;
    Ok(Kept::Tested)
}

/// Room made where a removed file was shows nothing of it.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn room_does_not_show_older_bytes<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("room_does_not_show_older_bytes", dir);
    let mut older = ground.bytes(1, 2500);
    older.truncate(index(dir.capabilities().file_bytes_max()));
    let newer = ground.bytes(2, 300);
    // Several rounds, so that a backend that hands space out in turns comes round to the used one.
    for _ in 0..24 {
        ground.put(name("wal/OLD.BIN"), &older)?;
        ground.works("removing", dir.remove(name("wal/OLD.BIN")))?;
        let mut appender = ground.create(name("wal/NEW.BIN"), RESERVE_BYTES)?;
        ground.write(&mut appender, &newer)?;
        ground.finish(appender)?;
        ground.has("a file in recycled room", name("wal/NEW.BIN"), &newer)?;
        ground.works("removing", dir.remove(name("wal/NEW.BIN")))?;
    }
    Ok(Kept::Tested)
}

/// `trim` changes neither what lies below the position nor the position itself, with and without room to give back, and appending
/// can go on.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn trim_takes_only_room<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("trim_takes_only_room", dir);
    for (file, reserve) in [(name("wal/ROOM.BIN"), RESERVE_BYTES), (name("wal/PLAIN.BIN"), 0)] {
        let mut whole = Vec::new();
        let mut appender = ground.create(file, reserve)?;
        for seed in 1..4 {
            let piece = ground.bytes(seed, 130);
            ground.write(&mut appender, &piece)?;
            whole.extend_from_slice(&piece);
            ground.works("trimming", appender.trim())?;
            let (found, expected) = (appender.position(), offset(whole.len()));
            ground.holds("the position after a trim", found == expected, expected, found)?;
        }
        ground.finish(appender)?;
        ground.has("a file trimmed between its appends", file, &whole)?;
    }
    Ok(Kept::Tested)
}
