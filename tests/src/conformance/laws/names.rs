//! Laws on names: creation, folders, absence and listing.
//!
//! Must never depend on the order of a listing, nor on names beyond 8.3 and one folder.

use durability_core::storage::{Directory, Folder, Name};

use crate::conformance::ground::{Ground, folder, name};
use crate::conformance::report::{Broken, Kept, Verdict};

/// `create` of a taken name is `Ok(None)` and leaves the file as it is, whether it is still open or closed.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn create_is_exclusive<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("create_is_exclusive", dir);
    let file = name("wal/00000001.WAL");
    let data = ground.bytes(1, 100);
    let refused = |step| -> Result<(), Broken> {
        let second = ground.works(step, dir.create(file, 0))?;
        ground.holds(step, second.is_none(), "None: the name is taken", "a second appender")
    };
    let mut appender = ground.create(file, 0)?;
    refused("creating a name that is being written")?;
    ground.write(&mut appender, &data)?;
    ground.finish(appender)?;
    refused("creating a name that is taken")?;
    ground.has("the file after its name was refused", file, &data)?;
    Ok(Kept::Tested)
}

/// `create` makes the folder that is missing, and works in one that is there.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn create_makes_missing_folders<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("create_makes_missing_folders", dir);
    let data = ground.bytes(2, 40);
    for file in ["wal/A.BIN", "wal/B.BIN", "ckp/A.BIN", "A.BIN"].map(name) {
        ground.put(file, &data)?;
        ground.has("a file in a folder that create made", file, &data)?;
    }
    Ok(Kept::Tested)
}

/// The same name in another folder is another file.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn folders_keep_names_apart<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("folders_keep_names_apart", dir);
    let files = ["SAME.BIN", "wal/SAME.BIN", "ckp/SAME.BIN"].map(name);
    for (seed, file) in (1..).zip(files) {
        ground.put(file, &ground.bytes(seed, 50))?;
    }
    for (seed, file) in (1..).zip(files) {
        ground.has("a name that other folders have too", file, &ground.bytes(seed, 50))?;
    }
    ground.works("removing", dir.remove(name("wal/SAME.BIN")))?;
    ground.is_absent("the removed one of three equal names", name("wal/SAME.BIN"))?;
    ground.has("an equal name elsewhere", name("SAME.BIN"), &ground.bytes(1, 50))?;
    Ok(Kept::Tested)
}

/// A file that is not there is `Ok(None)` to `open` and `reopen`, no name to `list`, and is not made by asking for it.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn absence_is_none<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("absence_is_none", dir);
    ground.put(name("wal/THERE.BIN"), &ground.bytes(1, 30))?;
    for file in ["ABSENT.BIN", "wal/ABSENT.BIN", "none/ABSENT.BIN"].map(name) {
        ground.is_absent("opening a file that does not exist", file)?;
        if dir.capabilities().reopen() {
            let step = "reopening a file that does not exist";
            let found = ground.works(step, dir.reopen(file, 0))?;
            ground.holds(step, found.is_none(), "None", "an appender")?;
        }
        ground.is_absent("opening it once more", file)?;
    }
    ground.lists("a folder that does not exist", folder("none"), &[])?;
    ground.lists("the folder beside the absent name", folder("wal"), &["THERE.BIN"])?;
    Ok(Kept::Tested)
}

/// A valid name beyond 8.3 and one folder is either kept like any other or refused with an error; it never becomes another
/// file's.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn other_names_are_kept_or_refused<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("other_names_are_kept_or_refused", dir);
    let names = [
        "a/b/c/DEEP.BIN",
        "LONGERNAME1.BIN",
        "LONGERNAME2.BIN",
        "NAME.LONGEXTENSION",
        "two.dots.BIN",
        "a_name-of.sixty-four-bytes.0123456789.0123456789.0123456789.0123",
    ];
    let mut kept: Vec<(Name<'_>, Vec<u8>)> = Vec::new();
    for (seed, file) in (1..).zip(names.map(name)) {
        let Ok(created) = dir.create(file, 0) else { continue };
        let step = "creating a name that is free";
        let Some(mut appender) = created else {
            return Err(ground.broken(step, "a file, or an error", "None, as if it were taken"));
        };
        let data = ground.bytes(seed, 30);
        ground.write(&mut appender, &data)?;
        ground.finish(appender)?;
        kept.push((file, data));
    }
    for (file, data) in &kept {
        ground.has("a name that was accepted", *file, data)?;
        let listed = ground.list(file.folder())?;
        let found = listed.iter().any(|each| each == file.file());
        ground.holds("listing a name that was accepted", found, file.file(), listed)?;
    }
    Ok(if kept.is_empty() { Kept::NotApplicable("all were refused") } else { Kept::Tested })
}

/// `list` calls back once for each file directly in the folder, by its name without the folder, and for nothing else.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn list_is_the_exact_set<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("list_is_the_exact_set", dir);
    let wal = folder("wal");
    ground.lists("an empty directory", Folder::ROOT, &[])?;
    for file in ["wal/00000001.WAL", "wal/00000002.WAL", "wal/00000003.WAL"].map(name) {
        ground.put(file, &ground.bytes(1, 20))?;
    }
    drop(ground.create(name("wal/EMPTY"), 0)?);
    let all = ["00000001.WAL", "00000002.WAL", "00000003.WAL", "EMPTY"];
    ground.lists("a folder of four files, one of them empty", wal, &all)?;
    ground.works("removing", dir.remove(name("wal/00000002.WAL")))?;
    let left = ["00000001.WAL", "00000003.WAL", "EMPTY"];
    ground.lists("the folder after a removal", wal, &left)?;
    for file in ["wal/00000001.WAL", "wal/00000003.WAL", "wal/EMPTY"].map(name) {
        ground.works("removing", dir.remove(file))?;
    }
    ground.lists("the folder after all were removed", wal, &[])?;
    Ok(Kept::Tested)
}

/// `list` shows neither folders nor what is in other folders, those with a similar name included.
///
/// # Errors
/// [`Broken`] if the backend breaks this law.
pub fn list_is_not_recursive<D: Directory>(dir: &D) -> Verdict {
    let ground = Ground::new("list_is_not_recursive", dir);
    for file in ["TOP.BIN", "wal/IN.BIN", "wal2/NEAR.BIN"].map(name) {
        ground.put(file, &ground.bytes(1, 20))?;
    }
    ground.lists("the root, above two folders", Folder::ROOT, &["TOP.BIN"])?;
    ground.lists("a folder", folder("wal"), &["IN.BIN"])?;
    ground.lists("a folder whose name begins alike", folder("wal2"), &["NEAR.BIN"])?;
    Ok(Kept::Tested)
}
