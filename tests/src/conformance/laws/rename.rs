//! Laws on renaming, which is optional.
//!
//! Must never rename across folders or onto an open file: the contract does not say what that does.

use durability_core::storage::{Directory, Folder};

use crate::conformance::ground::{Ground, name};
use crate::conformance::report::{Kept, Verdict};

const NOT_ANNOUNCED: Kept = Kept::NotApplicable("rename is not announced");

/// A renamed file has its content under the new name, and the old name is gone.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn rename_moves_a_file<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("rename_moves_a_file", dir);
    if !dir.capabilities().rename() {
        return Ok(NOT_ANNOUNCED);
    }
    let data = ground.bytes(1, 200);
    for (from, to) in [("OLD.BIN", "NEW.BIN"), ("wal/OLD.BIN", "wal/NEW.BIN")] {
        let (from, to) = (name(from), name(to));
        ground.put(from, &data)?;
        ground.works("renaming", dir.rename(from, to))?;
        ground.is_absent("the old name", from)?;
        ground.has("the new name", to, &data)?;
        ground.lists("the folder of a renamed file", from.folder(), &["NEW.BIN"])?;
    }
    Ok(Kept::Tested)
}

/// A rename onto a file replaces it whole.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn rename_replaces_the_target<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("rename_replaces_the_target", dir);
    if !dir.capabilities().rename() {
        return Ok(NOT_ANNOUNCED);
    }
    let (longer, shorter) = (ground.bytes(1, 500), ground.bytes(2, 90));
    let (target, source) = (name("TARGET.BIN"), name("SOURCE.BIN"));
    for (old, new) in [(&longer, &shorter), (&shorter, &longer)] {
        ground.put(target, old)?;
        ground.put(source, new)?;
        ground.works("renaming onto a file", dir.rename(source, target))?;
        ground.has("the replaced file", target, new)?;
        ground.lists("the folder of a replaced file", Folder::ROOT, &["TARGET.BIN"])?;
        ground.works("removing", dir.remove(target))?;
    }
    Ok(Kept::Tested)
}

/// A rename of what is not there is an error, and the target stays.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn rename_of_nothing_is_an_error<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("rename_of_nothing_is_an_error", dir);
    if !dir.capabilities().rename() {
        return Ok(NOT_ANNOUNCED);
    }
    let data = ground.bytes(1, 70);
    ground.put(name("TARGET.BIN"), &data)?;
    for to in ["TARGET.BIN", "FREE.BIN"].map(name) {
        let renamed = dir.rename(name("ABSENT.BIN"), to);
        ground.holds("renaming a missing file", renamed.is_err(), "an error", renamed)?;
    }
    ground.has("the target of a failed rename", name("TARGET.BIN"), &data)?;
    ground.is_absent("the free target of a failed rename", name("FREE.BIN"))?;
    Ok(Kept::Tested)
}

/// Without the capability `rename` is unsupported, and both names stay as they are.
///
/// # Errors
/// [`Broken`](crate::conformance::Broken) if the backend breaks this law.
pub fn rename_is_as_announced<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("rename_is_as_announced", dir);
    if dir.capabilities().rename() {
        return Ok(Kept::NotApplicable("rename is announced"));
    }
    let data = ground.bytes(1, 70);
    ground.put(name("A.BIN"), &data)?;
    ground.is_refused("renaming", dir.rename(name("A.BIN"), name("B.BIN")))?;
    ground.has("a file that was not renamed", name("A.BIN"), &data)?;
    ground.is_absent("the name that it did not get", name("B.BIN"))?;
    Ok(Kept::Tested)
}
