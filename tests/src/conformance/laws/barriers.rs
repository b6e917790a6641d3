//! Laws on barriers, as far as they show without a power cut.
//!
//! Must never take `Ok` for proof of durability: only the crash simulator can tell.

use durability_core::storage::{AppendFile as _, Directory, Folder};

use crate::conformance::ground::{Ground, folder, name};
use crate::conformance::report::{Kept, Verdict};

/// Each barrier succeeds or is unsupported, and changes nothing that can be read.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn barriers_work_or_are_unsupported<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("barriers_work_or_are_unsupported", dir);
    let file = name("wal/A.BIN");
    let data = ground.bytes(1, 100);
    let mut appender = ground.create(file, 0)?;
    ground.works_if_there("sync_data with nothing written", appender.sync_data())?;
    ground.write(&mut appender, &data)?;
    ground.works_if_there("sync_data", appender.sync_data())?;
    ground.works_if_there("sync_data with nothing new", appender.sync_data())?;
    drop(appender);
    ground.works_if_there("sync_file", dir.sync_file(file))?;
    ground.works_if_there("sync_dir of a folder", dir.sync_dir(folder("wal")))?;
    ground.works_if_there("sync_dir of the root", dir.sync_dir(Folder::ROOT))?;
    ground.has("a file after all barriers", file, &data)?;
    ground.works("removing", dir.remove(file))?;
    ground.works_if_there("sync_dir after a removal", dir.sync_dir(folder("wal")))?;
    ground.is_absent("a removed file after a barrier", file)?;
    Ok(Kept::Tested)
}

/// `sync_file` of a file that is not there is an error, and makes none.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn sync_file_needs_a_file<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("sync_file_needs_a_file", dir);
    for file in ["ABSENT.BIN", "none/ABSENT.BIN"].map(name) {
        let synced = dir.sync_file(file);
        ground.holds("sync_file of a missing file", synced.is_err(), "an error", synced)?;
        ground.is_absent("the missing file", file)?;
    }
    Ok(Kept::Tested)
}

/// `sync_dir` of a folder that does not exist is `Ok`, and makes none.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn sync_dir_takes_a_missing_folder<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("sync_dir_takes_a_missing_folder", dir);
    if !ground.works_if_there("sync_dir of the root", dir.sync_dir(Folder::ROOT))? {
        return Ok(Kept::NotApplicable("there is no such barrier"));
    }
    ground.works("sync_dir of a missing folder", dir.sync_dir(folder("none")))?;
    ground.works("sync_dir of a missing folder, deeper", dir.sync_dir(folder("none/none")))?;
    Ok(Kept::Tested)
}
