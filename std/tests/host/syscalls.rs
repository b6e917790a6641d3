//! What reaches the operating system: how many calls, on which files, in which order, and what their failures do.
//!
//! On a file system that keeps its promises to the letter, a missing sync shows in no other way.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use durability::storage::{
    AppendFile, Directory, DurableDirectory, Folder, FsDirectory, FsRefusal, StoreError,
};
use durability::walog::{WalOptions, WalWriter};

use crate::common::{append, content, create, helper_folder, name, skip};
use crate::trace::{can_trace, mark, run};

const DONE: &str = "the helper came to its end";

/// The helper's folder; a normal run has none, and does nothing.
fn folder() -> Option<PathBuf> {
    helper_folder()
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_appends() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    let mut plain = dir.create(name("wal/plain"), 0).unwrap().unwrap();
    mark(&folder, "reserve");
    let mut reserved = dir.create(name("wal/reserved"), 3 * (64 << 10) + 100).unwrap().unwrap();
    mark(&folder, "append");
    append(&mut plain, b"a record");
    plain.sync_data().unwrap();
    mark(&folder, "append-again");
    append(&mut reserved, b"a record");
    reserved.sync_data().unwrap();
    mark(&folder, "end");
}

#[test]
fn a_durable_append_is_one_write_and_one_sync_through_one_descriptor() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let trace = run("syscalls::helper_appends", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    let plain = trace.steps_between("append", "append-again");
    assert_eq!(plain, ["pwrite64 plain", "fdatasync plain"]);
    let reserved = trace.steps_between("append-again", "end");
    assert_eq!(reserved, ["pwrite64 reserved", "fdatasync reserved"]);
    let descriptor =
        |line: &str| line.split_once('(').unwrap().1.split_once('<').unwrap().0.to_owned();
    let calls = trace.between("append", "append-again");
    assert_eq!(descriptor(&calls[0].line), descriptor(&calls[1].line));
}

#[test]
fn reserved_blocks_are_written_and_synced_not_only_allocated() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let trace = run("syscalls::helper_appends", scratch.path(), &[]);
    let names = trace.names_between("reserve", "append");
    assert_eq!(names, ["pwrite64", "pwrite64", "pwrite64", "pwrite64", "fdatasync"]);
}

#[test]
fn an_interrupted_call_is_made_again() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let faults = ["pwrite64:error=EINTR:when=1+2", "fdatasync:error=EINTR:when=1+2"];
    let trace = run("syscalls::helper_appends", scratch.path(), &faults);
    assert!(trace.status.success(), "{trace:#?}");
    let dir = FsDirectory::new(scratch.path().join("root")).unwrap();
    assert_eq!(content(&dir, "wal/plain").unwrap(), b"a record");
    assert!(content(&dir, "wal/reserved").unwrap().starts_with(b"a record\0"));
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_makes_names_durable() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("one/two")).unwrap();
    drop(create(&dir, "a/b/file", b""));
    mark(&folder, "first");
    dir.sync_dir(Folder::new("a/b").unwrap()).unwrap();
    mark(&folder, "steady");
    drop(create(&dir, "a/b/other", b""));
    dir.clone().sync_dir(Folder::new("a/b").unwrap()).unwrap();
    mark(&folder, "root");
    dir.sync_dir(Folder::ROOT).unwrap();
    mark(&folder, "replaced");
    for file in ["a/b/file", "a/b/other"] {
        dir.remove(name(file)).unwrap();
    }
    fs::remove_dir(folder.join("one/two/a/b")).unwrap();
    drop(create(&dir, "a/b/file", b""));
    mark(&folder, "again");
    dir.sync_dir(Folder::new("a/b").unwrap()).unwrap();
    mark(&folder, "end");
    // Somebody else replaces it, and this process learns nothing of that.
    fs::remove_dir_all(folder.join("one/two/a")).unwrap();
    fs::create_dir_all(folder.join("one/two/a/b")).unwrap();
    mark(&folder, "foreign");
    dir.sync_dir(Folder::new("a/b").unwrap()).unwrap();
    mark(&folder, "foreign-end");
}

#[test]
fn a_new_name_is_synced_with_every_folder_above_it_and_later_ones_with_their_own_only() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let trace = run("syscalls::helper_makes_names_durable", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    assert_eq!(trace.steps_between("first", "steady"), ["fsync b", "fsync a", "fsync two"]);
    assert_eq!(trace.steps_between("steady", "root"), ["fsync b"]);
    assert_eq!(trace.steps_between("root", "replaced"), ["fsync two"]);
    assert_eq!(trace.steps_between("again", "end"), ["fsync b", "fsync a", "fsync two"]);
    assert_eq!(trace.steps_between("foreign", "foreign-end"), ["fsync b", "fsync a", "fsync two"]);
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_opens() {
    let Some(folder) = folder() else { return };
    mark(&folder, "new");
    let dir = FsDirectory::new(folder.join("scratch/one/two")).unwrap();
    mark(&folder, "existing");
    drop(FsDirectory::new(folder.join("scratch/one/two")).unwrap());
    mark(&folder, "first-sync");
    drop(dir.lock(name("wal/LOCK")).unwrap());
    dir.sync_dir(Folder::new("wal").unwrap()).unwrap();
    drop(create(&dir, "wal/file", b""));
    mark(&folder, "end");
}

/// What a directory does whose root was found, in the order in which a log does it: (its mark, what it does).
type First = (&'static str, fn(&FsDirectory));

/// Each is the first thing that is made durable through a directory.
const FIRSTS: [First; 5] = [
    ("sync-dir", |dir| dir.sync_dir(Folder::new("wal").unwrap()).unwrap()),
    ("sync-root", |dir| dir.sync_dir(Folder::ROOT).unwrap()),
    ("sync-file", |dir| dir.sync_file(name("wal/file")).unwrap()),
    ("sync-data", |dir| {
        let mut appender = dir.reopen(name("wal/file"), 0).unwrap().unwrap();
        append(&mut appender, b"content");
        appender.sync_data().unwrap();
        append(&mut appender, b"content");
        appender.sync_data().unwrap();
    }),
    ("make-folder", |dir| drop(dir.lock(name("new/LOCK")).unwrap())),
];

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_finds_a_root() {
    let Some(folder) = folder() else { return };
    for (first, act) in FIRSTS {
        mark(&folder, &format!("open-{first}"));
        let dir = FsDirectory::new(folder.join("root")).unwrap();
        mark(&folder, first);
        act(&dir);
        mark(&folder, &format!("{first}-again"));
        act(&dir);
        mark(&folder, &format!("{first}-end"));
    }
}

#[test]
fn a_root_that_was_found_gets_its_name_synced_once_before_anything_counts_as_durable() {
    if !can_trace() {
        return;
    }
    let (scratch, dir) = crate::common::scratch();
    drop(create(&dir, "wal/file", b""));
    let trace = run("syscalls::helper_finds_a_root", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    let above = format!("fsync {}", scratch.path().file_name().unwrap().to_str().unwrap());
    let steps = |from: &str, to: &str| trace.steps_between(from, to);
    for (first, _) in FIRSTS {
        assert!(steps(&format!("open-{first}"), first).is_empty(), "{first}: opening syncs");
        let (again, end) = (format!("{first}-again"), format!("{first}-end"));
        let synced = steps(first, &again).iter().filter(|step| **step == above).count();
        assert_eq!(synced, 1, "{first}: {trace:#?}");
        assert!(!steps(&again, &end).contains(&above), "{first}: {trace:#?}");
    }
    // The name is there before what is said to be durable is, and before a folder that may be a root of its own.
    assert_eq!(
        steps("sync-data", "sync-data-again")[1..3],
        [above.clone(), "fdatasync file".into()]
    );
    assert_eq!(steps("make-folder", "make-folder-again")[0], above);
}

#[test]
fn opening_makes_the_names_durable_that_it_makes_and_those_of_what_is_found_with_the_first_sync() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir(scratch.path().join("scratch")).unwrap();
    let trace = run("syscalls::helper_opens", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    let above = scratch.path().file_name().unwrap().to_str().unwrap();
    let new = trace.steps_between("new", "existing");
    let new = new.iter().map(|step| if step.starts_with("mkdir") { "mkdir" } else { step });
    let first = format!("fsync {above}");
    let expected = [&first, "mkdir", "fsync scratch", "mkdir", "fsync one"];
    assert_eq!(new.collect::<Vec<_>>(), expected);
    assert!(trace.steps_between("existing", "first-sync").is_empty());
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_syncs_a_file() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    dir.sync_dir(Folder::ROOT).unwrap();
    mark(&folder, "sync");
    let synced = dir.sync_file(name("file"));
    mark(&folder, "end");
    println!("{DONE}, synced: {}", synced.is_ok());
}

#[test]
fn syncing_a_file_by_name_drops_what_is_cached_after_the_sync_and_only_after_a_good_one() {
    if !can_trace() {
        return;
    }
    let (scratch, dir) = crate::common::scratch();
    drop(create(&dir, "file", b"content"));
    let test = "syscalls::helper_syncs_a_file";
    let trace = run(test, scratch.path(), &[]);
    assert!(trace.output.contains("synced: true"), "{trace:#?}");
    assert_eq!(trace.steps_between("sync", "end"), ["fsync file", "fadvise64 file"]);
    assert!(trace.between("sync", "end")[1].line.contains("0, 0, POSIX_FADV_DONTNEED"));
    // The first syncs are those of the root and its name.
    let trace = run(test, scratch.path(), &["fsync:error=EIO:when=3"]);
    assert!(trace.output.contains("synced: false"), "{trace:#?}");
    assert_eq!(trace.steps_between("sync", "end"), ["fsync file"]);
    let trace = run(test, scratch.path(), &["fadvise64:error=EIO"]);
    assert!(trace.output.contains("synced: false"), "{trace:#?}");
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_meets_a_failing_disk() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    let mut appender = create(&dir, "file", b"first");
    let failed = appender.sync_data().unwrap_err();
    assert!(failed.refusal().is_none() && !failed.is_no_space(), "{failed}");
    // The disk works again, and the system would answer Ok.
    assert_eq!(appender.sync_data().unwrap_err().refusal(), Some(FsRefusal::Poisoned));
    // A new handle is a new start.
    let mut appender = dir.reopen(name("file"), 0).unwrap().unwrap();
    append(&mut appender, b"again");
    appender.sync_data().unwrap();
    println!("{DONE}");
}

#[test]
fn a_failed_sync_is_reported_once_and_never_tried_again() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let faults = ["fdatasync:error=EIO:when=1"];
    let trace = run("syscalls::helper_meets_a_failing_disk", scratch.path(), &faults);
    assert!(trace.status.success() && trace.output.contains(DONE), "{trace:#?}");
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_reserves_in_vain() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    let created = dir.create(name("file"), 1 << 20);
    let length = content(&dir, "file").map(|content| content.len());
    println!("{DONE}, created: {}, length: {length:?}", matches!(created, Ok(Some(_))));
}

#[test]
fn a_reservation_without_room_leaves_an_empty_file_and_any_other_failure_none() {
    if !can_trace() {
        return;
    }
    for (fault, expected) in [
        ("pwrite64:error=ENOSPC:when=3", "created: true, length: Some(0)"),
        ("pwrite64:error=EDQUOT:when=3", "created: true, length: Some(0)"),
        ("pwrite64:error=EFBIG:when=3", "created: true, length: Some(0)"),
        ("fdatasync:error=ENOSPC:when=1", "created: true, length: Some(0)"),
        ("pwrite64:error=EIO:when=3", "created: false, length: None"),
        ("fdatasync:error=EIO:when=1", "created: false, length: None"),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let trace = run("syscalls::helper_reserves_in_vain", scratch.path(), &[fault]);
        assert!(trace.output.contains(expected), "{fault}: {trace:#?}");
    }
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_writes_atomically() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    dir.sync_dir(Folder::ROOT).unwrap();
    mark(&folder, "write");
    dir.atomic_write_durable("conf/state", b"the new content").unwrap();
    mark(&folder, "end");
    println!("{DONE}");
}

#[test]
fn an_atomic_write_syncs_the_content_before_the_rename_and_the_name_after_it() {
    if !can_trace() {
        return;
    }
    let (scratch, dir) = crate::common::scratch();
    drop(create(&dir, "conf/state", b"the old content"));
    let trace = run("syscalls::helper_writes_atomically", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    let names = trace.names_between("write", "end");
    let names = names.into_iter().filter(|name| !name.starts_with("getdents"));
    let expected = ["pwrite64", "fdatasync", "renameat", "fsync", "fsync"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let steps = trace.steps_between("write", "end");
    assert!(steps.iter().any(|step| step.starts_with("fdatasync durable-tmp-")), "{steps:?}");
    assert!(steps.ends_with(&["fsync conf".to_owned(), "fsync root".to_owned()]), "{steps:?}");
}

#[test]
fn an_atomic_write_killed_at_any_step_leaves_old_or_new_whole_and_no_garbage_in_the_end() {
    if !can_trace() {
        return;
    }
    let (old, new) = (b"the old content", b"the new content");
    let mut kills = 0;
    for call in ["openat", "getdents64", "pwrite64", "fdatasync", "/^rename", "fsync"] {
        for when in 1.. {
            let (scratch, dir) = crate::common::scratch();
            drop(create(&dir, "conf/state", old));
            drop(create(&dir, "conf/state.tmp", b"foreign"));
            let fault = format!("{call}:signal=KILL:when={when}");
            let trace = run("syscalls::helper_writes_atomically", scratch.path(), &[&fault]);
            let found = content(&dir, "conf/state").unwrap();
            assert!(found == old || found == new, "{fault}: {found:?}");
            if trace.output.contains(DONE) {
                assert_eq!(found, new, "{fault}");
                break;
            }
            kills += 1;
            dir.atomic_write_durable("conf/state", b"later").unwrap();
            assert_eq!(content(&dir, "conf/state").unwrap(), b"later");
            assert_eq!(content(&dir, "conf/state.tmp").unwrap(), b"foreign");
            let files = fs::read_dir(scratch.path().join("root/conf")).unwrap().count();
            assert_eq!(files, 2, "{fault}: garbage is left");
        }
    }
    assert!(kills >= 8, "only {kills} kills: the faults miss their calls");
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_renames_atomically() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    dir.sync_dir(Folder::ROOT).unwrap();
    mark(&folder, "rename");
    dir.atomic_rename_durable("old/from", "new/to").unwrap();
    mark(&folder, "end");
}

#[test]
fn an_atomic_rename_syncs_the_content_before_it_and_both_folders_after_it_the_new_name_first() {
    if !can_trace() {
        return;
    }
    let (scratch, dir) = crate::common::scratch();
    drop(create(&dir, "old/from", b"content"));
    drop(create(&dir, "new/other", b""));
    let trace = run("syscalls::helper_renames_atomically", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    let steps = trace.steps_between("rename", "end");
    let (before, after) =
        (["fsync from", "fadvise64 from"], ["fsync new", "fsync root", "fsync old"]);
    assert_eq!(steps[..2], before);
    assert!(steps[2].starts_with("rename"), "{steps:?}");
    assert_eq!(steps[3..6], after);
    assert!(steps[6..].iter().all(|step| step == "fsync root"), "{steps:?}");
}

#[test]
fn after_a_sync_by_name_nothing_of_the_file_is_cached() {
    const TMPFS: i64 = 0x0102_1994;
    let (scratch, dir) = crate::common::scratch();
    let path = scratch.path().join("root/file");
    let cached = || {
        let mut fincore = Command::new("fincore");
        fincore.args(["--bytes", "--noheadings", "--output", "RES"]).arg(&path);
        String::from_utf8(fincore.output().ok()?.stdout).ok()?.trim().parse::<u64>().ok()
    };
    drop(create(&dir, "file", &vec![b'x'; 1 << 20]));
    if rustix::fs::statfs(scratch.path()).is_ok_and(|found| found.f_type == TMPFS) {
        return skip("a file system in memory is all cache");
    }
    let Some(before) = cached() else { return skip("fincore is not installed") };
    assert!(before >= 1 << 20, "only {before} bytes were cached, so that this proves nothing");
    dir.sync_file(name("file")).unwrap();
    assert_eq!(cached(), Some(0));
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_appends_to_a_log() {
    let Some(folder) = folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    let mut wal = WalWriter::<String, _>::open(dir, WalOptions::new()).unwrap();
    for (from, to) in [("first", "second"), ("second", "third"), ("third", "end")] {
        mark(&folder, from);
        wal.append(&to.to_owned()).unwrap();
        let _durable = wal.flush_and_sync().unwrap();
    }
    mark(&folder, "end");
    wal.close().unwrap();
}

#[test]
fn a_durable_append_to_a_log_is_one_write_and_one_sync() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let trace = run("syscalls::helper_appends_to_a_log", scratch.path(), &[]);
    assert!(trace.status.success(), "{trace:#?}");
    assert_eq!(trace.names_between("second", "third"), ["pwrite64", "fdatasync"]);
    assert_eq!(trace.names_between("third", "end"), ["pwrite64", "fdatasync"]);
}
