//! No way out of the directory: symbolic links of every kind, and things that are no files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use durability::storage::{
    Directory, DurableDirectory, Folder, FsDirectory, FsError, FsRefusal, sync_file,
};

use crate::common::{content, create, name, scratch};

/// A directory with links out of it, to a file, to a folder, to nothing; and the folder outside.
fn with_links() -> (tempfile::TempDir, FsDirectory, PathBuf) {
    let (scratch, dir) = scratch();
    let root = scratch.path().join("root");
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), b"secret").unwrap();
    symlink("../outside/secret", root.join("to-file")).unwrap();
    symlink(&outside, root.join("to-folder")).unwrap();
    symlink("../outside/nothing", root.join("to-nothing")).unwrap();
    symlink("to-itself", root.join("to-itself")).unwrap();
    fs::create_dir(root.join("inner")).unwrap();
    symlink("../../outside", root.join("inner/to-folder")).unwrap();
    (scratch, dir, outside)
}

fn assert_link<T>(refused: Result<T, FsError>) {
    assert_eq!(refused.err().unwrap().refusal(), Some(FsRefusal::SymbolicLink));
}

#[test]
fn no_operation_follows_a_link_in_the_place_of_a_file() {
    let (_scratch, dir, outside) = with_links();
    for link in ["to-file", "to-nothing", "to-itself"] {
        assert_link(dir.open(name(link)));
        assert_link(dir.reopen(name(link), 0));
        assert_link(dir.sync_file(name(link)));
        assert_link(dir.lock(name(link)));
        assert!(dir.create(name(link), 0).unwrap().is_none());
        assert!(dir.create(name(link), 4096).unwrap().is_none());
        assert!(sync_file(&dir, link).is_err());
        assert!(dir.atomic_rename_durable(link, "stolen").is_err());
        assert!(dir.rename(name(link), name("stolen")).is_err());
    }
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn no_operation_follows_a_link_in_the_place_of_a_folder() {
    let (_scratch, dir, outside) = with_links();
    drop(create(&dir, "own", b"own"));
    for folder in ["to-folder", "inner/to-folder", "to-nothing", "to-itself"] {
        for file in [format!("{folder}/secret"), format!("{folder}/new"), format!("{folder}/a/b")] {
            let file = name(&file);
            assert_link(dir.open(file));
            assert_link(dir.create(file, 0));
            assert_link(dir.reopen(file, 0));
            assert_link(dir.remove(file));
            assert_link(dir.sync_file(file));
            assert_link(dir.sync_dir(file.folder()));
            assert_link(dir.list(file.folder(), &mut |_| panic!("listed")));
            assert_link(dir.lock(file));
            assert_link(dir.rename(file, name("stolen")));
            assert_link(dir.rename(name("own"), file));
            assert!(dir.atomic_write_durable(file.as_str(), b"x").is_err());
        }
    }
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(content(&dir, "own").unwrap(), b"own");
}

#[test]
fn removing_and_replacing_a_link_leaves_alone_what_it_points_to() {
    let (_scratch, dir, outside) = with_links();
    dir.atomic_write_durable("to-file", b"ours").unwrap();
    assert_eq!(content(&dir, "to-file").unwrap(), b"ours");
    dir.remove(name("to-nothing")).unwrap();
    assert!(dir.open(name("to-nothing")).unwrap().is_none());
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
}

#[test]
fn a_listing_leaves_links_out() {
    let (_scratch, dir, _outside) = with_links();
    drop(create(&dir, "own", b""));
    let mut files = Vec::new();
    dir.list(Folder::ROOT, &mut |file| files.push(file.to_owned())).unwrap();
    assert_eq!(files, ["own"]);
}

#[cfg(not(durability_portable_fs))]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_never_waited_for() {
    let (scratch, dir) = scratch();
    let path = scratch.path().join("root/pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return crate::common::skip("mkfifo is not installed");
    }
    for refused in [
        dir.open(name("pipe")).err(),
        dir.reopen(name("pipe"), 0).err(),
        dir.sync_file(name("pipe")).err(),
        dir.lock(name("pipe")).err(),
    ] {
        assert_eq!(refused.unwrap().refusal(), Some(FsRefusal::NotAFile));
    }
}
