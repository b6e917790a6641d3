//! What reaches the operating system of appends around its cache: how many calls, which, and what their failures do.

use std::path::PathBuf;

use durability::embedded_io::Write as _;
use durability::storage::{AppendFile, Directory, Folder, FsDirectory, FsRefusal, StoreError};

use crate::common::{append, content, helper_folder, name, skip};
use crate::direct::directory;
use crate::trace::{Trace, can_trace, mark, run};

const DONE: &str = "the helper came to its end";

/// The helper's folder; a normal run has none, and does nothing.
fn folder() -> Option<PathBuf> {
    helper_folder()
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_appends_around_the_cache() {
    let Some(folder) = folder() else { return };
    let dir = directory(&folder.join("root"));
    dir.sync_dir(Folder::ROOT).unwrap();
    let mut file = dir.create(name("file"), 1 << 20).unwrap().unwrap();
    println!("direct at first: {}", file.is_direct());
    let mut write = |from: &str, bytes: &[u8], sync: Option<bool>| {
        mark(&folder, from);
        append(&mut file, bytes);
        match sync {
            Some(true) => file.sync_data().unwrap(),
            Some(false) => file.flush().unwrap(),
            None => {}
        }
    };
    write("first", b"the first sync covers what others wrote", Some(true));
    write("second", b", a later one", Some(true));
    write("third", &[b'x'; 10_000], Some(true));
    write("flush", b"flushed", Some(false));
    write("held", b"held back", None);
    write("after", b"synced", Some(true));
    write("again", b"and again", Some(true));
    mark(&folder, "end");
    println!("direct at last: {}", file.is_direct());
    println!("{DONE}");
}

/// What `helper_appends_around_the_cache` leaves.
fn around_the_cache() -> Vec<u8> {
    let mut expected = b"the first sync covers what others wrote, a later one".to_vec();
    expected.extend([b'x'; 10_000]);
    expected.extend(b"flushedheld backsyncedand again");
    expected.resize(1 << 20, 0);
    expected
}

/// Runs it, and looks at what it leaves; `None` where nothing goes around the cache.
fn run_around_the_cache(faults: &[&str]) -> Option<Trace> {
    if !can_trace() {
        return None;
    }
    let scratch = tempfile::tempdir().unwrap();
    let trace = run("direct_syscalls::helper_appends_around_the_cache", scratch.path(), faults);
    if trace.output.contains("direct at first: false") {
        skip("nothing goes around the cache here");
        return None;
    }
    assert!(trace.output.contains(DONE), "{faults:?}: {trace:#?}");
    let dir = FsDirectory::new(scratch.path().join("root")).unwrap();
    assert!(content(&dir, "file").unwrap() == around_the_cache(), "{faults:?}: {trace:#?}");
    Some(trace)
}

#[test]
fn around_the_cache_a_durable_append_is_one_durable_write() {
    let Some(trace) = run_around_the_cache(&[]) else { return };
    assert_eq!(trace.names_between("first", "second"), ["pwrite64", "fdatasync"]);
    for (from, to) in [("second", "third"), ("third", "flush"), ("again", "end")] {
        let calls = trace.between(from, to);
        assert_eq!(trace.names_between(from, to), ["pwritev2"]);
        assert!(calls[0].line.contains("RWF_DSYNC"), "{calls:?}");
    }
}

#[test]
fn around_the_cache_what_only_a_flush_has_written_is_covered_by_a_sync_of_the_file() {
    let Some(trace) = run_around_the_cache(&[]) else { return };
    assert_eq!(trace.names_between("flush", "held"), ["pwrite64"]);
    assert!(trace.names_between("held", "after").is_empty());
    assert_eq!(trace.names_between("after", "again"), ["pwrite64", "fdatasync"]);
}

#[test]
fn where_the_system_has_no_durable_writes_a_durable_append_is_a_write_and_a_sync() {
    for error in ["EOPNOTSUPP", "EINVAL", "ENOSYS"] {
        let fault = format!("pwritev2:error={error}");
        let Some(trace) = run_around_the_cache(&[&fault]) else { return };
        let second = trace.names_between("second", "third");
        assert_eq!(second, ["pwritev2", "pwrite64", "fdatasync"], "{error}");
        // Asked once.
        assert_eq!(trace.names_between("third", "flush"), ["pwrite64", "fdatasync"], "{error}");
        assert!(trace.output.contains("direct at last: true"), "{error}");
    }
}

#[test]
fn where_a_file_system_refuses_to_go_around_the_cache_everything_goes_through_it() {
    // Sixteen writes of zeros, then the first of ours; later, both ways to write.
    let first: &[&str] = &["pwrite64:error=EINVAL:when=17"];
    let later: &[&str] = &["pwrite64:error=EINVAL:when=18", "pwritev2:error=EINVAL:when=1"];
    for faults in [first, later] {
        let Some(trace) = run_around_the_cache(faults) else { return };
        assert_eq!(trace.names_between("again", "end"), ["pwrite64", "fdatasync"], "{faults:?}");
        assert!(trace.output.contains("direct at last: false"), "{faults:?}");
    }
}

#[test]
fn around_the_cache_an_interrupted_call_is_made_again() {
    let faults = [
        "pwrite64:error=EINTR:when=17",
        "pwritev2:error=EINTR:when=1+3",
        "fdatasync:error=EINTR:when=2",
    ];
    let Some(trace) = run_around_the_cache(&faults) else { return };
    assert!(trace.output.contains("direct at last: true"), "{trace:#?}");
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_fails_around_the_cache() {
    let Some(folder) = folder() else { return };
    let dir = directory(&folder.join("root"));
    dir.sync_dir(Folder::ROOT).unwrap();
    let mut file = dir.create(name("file"), 1 << 20).unwrap().unwrap();
    let is_direct = file.is_direct();
    append(&mut file, b"durable");
    file.sync_data().unwrap();
    append(&mut file, b"lost");
    let error = file.sync_data().unwrap_err();
    assert_eq!((error.refusal(), error.is_no_space()), (None, true), "{error}");
    mark(&folder, "poisoned");
    for error in [
        file.write(b"more").unwrap_err(),
        file.write(b"").unwrap_err(),
        file.flush().unwrap_err(),
        file.sync_data().unwrap_err(),
        file.trim().unwrap_err(),
    ] {
        assert_eq!(error.refusal(), Some(FsRefusal::Poisoned));
    }
    assert!(!file.is_direct() && file.position() == 11);
    mark(&folder, "end");
    println!("{DONE}, direct: {is_direct}");
}

#[test]
fn around_the_cache_a_failed_durable_write_is_reported_once_and_never_tried_again() {
    if !can_trace() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let fault = "pwritev2:error=ENOSPC:when=1";
    let trace = run("direct_syscalls::helper_fails_around_the_cache", scratch.path(), &[fault]);
    if !trace.output.contains("direct: true") && trace.status.success() {
        return skip("nothing goes around the cache here");
    }
    assert!(trace.output.contains(DONE), "{trace:#?}");
    assert!(trace.names_between("poisoned", "end").is_empty(), "{trace:#?}");
}
