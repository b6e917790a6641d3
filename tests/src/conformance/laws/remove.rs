//! Laws on removal.
//!
//! Must never remove a file that is open: the contract does not say what that does.

use durability_core::storage::{Directory, Folder};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Kept, Verdict};

/// A removed file is gone, and the others are not.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn remove_removes<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("remove_removes", dir);
    let data = ground.bytes(3, 60);
    ground.put(name("A.BIN"), &data)?;
    ground.put(name("B.BIN"), &data)?;
    ground.works("removing a file", dir.remove(name("A.BIN")))?;
    ground.is_absent("opening a removed file", name("A.BIN"))?;
    ground.lists("the folder of a removed file", Folder::ROOT, &["B.BIN"])?;
    ground.has("a file beside the removed one", name("B.BIN"), &data)?;
    Ok(Kept::Tested)
}

/// Removing what is not there is `Ok`: a file never created, one removed already, one in no folder.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn remove_is_idempotent<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("remove_is_idempotent", dir);
    ground.works("removing a name never used", dir.remove(name("NEVER.BIN")))?;
    ground.works("removing in a missing folder", dir.remove(name("none/NEVER.BIN")))?;
    ground.put(name("wal/A.BIN"), &ground.bytes(1, 30))?;
    ground.works("removing a file", dir.remove(name("wal/A.BIN")))?;
    ground.works("removing it again", dir.remove(name("wal/A.BIN")))?;
    ground.is_absent("opening it", name("wal/A.BIN"))?;
    Ok(Kept::Tested)
}

/// A name that was removed can be created again, and nothing of its former content comes back.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn a_removed_name_begins_anew<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("a_removed_name_begins_anew", dir);
    let file = name("wal/00000001.WAL");
    for seed in 1..4 {
        let data = ground.bytes(seed, 400 / usize::from(seed));
        ground.put(file, &data)?;
        ground.has("a name used before", file, &data)?;
        ground.works("removing", dir.remove(file))?;
    }
    drop(ground.create(file, 0)?);
    ground.has("an empty file of a name used before", file, &[])?;
    Ok(Kept::Tested)
}
