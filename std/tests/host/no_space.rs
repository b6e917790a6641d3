//! A full disk: reserving is only a wish, errors say what they are, and locks can still be taken.
//!
//! Needs a small file system of its own, in a mount namespace that vanishes with the helper process.

use std::fs;
use std::process::Command;

use durability::embedded_io::Write;
use durability::storage::{
    AppendFile, Directory, DurableDirectory, DurableError, FsDirectory, FsRefusal, Locking,
    StoreError,
};

use crate::common::{append, content, helper, helper_folder, name, skip};

const SIZE: u64 = 256 << 10;
const DONE: &str = "every law of the full disk holds";

#[test]
#[ignore = "run by another test as a process of its own, on a small disk"]
fn helper_on_a_small_disk() {
    let Some(folder) = helper_folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    dir.atomic_write_durable("state", b"old").unwrap();

    // Reserving more than there is gives an empty file, and all of the room back.
    let mut appender = dir.create(name("wal/1"), SIZE * 2).unwrap().unwrap();
    assert_eq!((appender.position(), content(&dir, "wal/1").unwrap().len()), (0, 0));
    append(&mut appender, &vec![b'x'; usize::try_from(SIZE / 2).unwrap()]);
    appender.sync_data().unwrap();

    // A full disk is told from other failures, and poisons.
    let full = loop {
        match appender.write(&[b'y'; 4096]) {
            Ok(written) => assert_ne!(written, 0),
            Err(error) => break error,
        }
    };
    assert!(full.is_no_space(), "{full}");
    assert_eq!(appender.write(b"z").unwrap_err().refusal(), Some(FsRefusal::Poisoned));
    assert_eq!(appender.sync_data().unwrap_err().refusal(), Some(FsRefusal::Poisoned));

    // An atomic write that does not fit keeps the old content, and leaves nothing behind.
    let failed = dir.atomic_write_durable("state", b"new").unwrap_err();
    assert!(matches!(failed, DurableError::Backend { source, .. } if source.is_no_space()));
    assert_eq!(content(&dir, "state").unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.join("root")).unwrap().count(), 2);

    // A full disk can be locked, read and reopened; the lock only cannot name its holder.
    let lock = dir.lock(name("wal/LOCK")).unwrap();
    assert!(matches!(lock, Locking::Acquired(_)));
    assert!(matches!(dir.lock(name("wal/LOCK")).unwrap(), Locking::Held { holder: None }));
    dir.sync_file(name("wal/1")).unwrap();
    assert!(dir.reopen(name("wal/1"), 0).unwrap().is_some());

    // Once there is room, everything works again.
    drop(appender);
    dir.remove(name("wal/1")).unwrap();
    dir.atomic_write_durable("state", b"new").unwrap();
    println!("{DONE}");
}

#[test]
fn a_full_disk_is_an_error_that_says_so_and_locks_nobody_out() {
    let scratch = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o size={SIZE} tmpfs \"$1\" && shift && exec \"$@\"");
    let under_mount = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]).arg(scratch.path());
        command
    };
    if !under_mount().arg("true").output().is_ok_and(|output| output.status.success()) {
        return skip("no small file system can be mounted here");
    }
    let mut run = helper(under_mount(), "no_space::helper_on_a_small_disk", scratch.path());
    let output = run.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(DONE), "{output:?}");
}
