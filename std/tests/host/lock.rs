//! The lock: one holder, here or elsewhere; freed by death; never blocked by what a file says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{self, Child, ChildStdout, Command, Stdio};

use durability::storage::{Directory, FsDirectory, FsLock, Locking};

use crate::common::{helper_folder, name, plain_helper, scratch};

const LOCK: &str = "wal/LOCK";
const HOLDING: &str = "holding the lock";

fn acquire(dir: &FsDirectory) -> FsLock {
    match dir.lock(name(LOCK)).unwrap() {
        Locking::Acquired(lock) => lock,
        Locking::Held { holder } => panic!("held by {holder:?}"),
    }
}

fn holder(dir: &FsDirectory) -> Option<u32> {
    match dir.lock(name(LOCK)).unwrap() {
        Locking::Acquired(_) => panic!("not held"),
        Locking::Held { holder } => holder,
    }
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn helper_that_holds_the_lock() {
    let Some(folder) = helper_folder() else { return };
    let dir = FsDirectory::new(folder).unwrap();
    let _lock = acquire(&dir);
    println!("{HOLDING}");
    // Until it is killed, or its parent ends.
    let _ended = std::io::stdin().read(&mut [0]);
}

fn start_holder(dir: &FsDirectory) -> (Child, BufReader<ChildStdout>) {
    let mut command = plain_helper("lock::helper_that_holds_the_lock", dir.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(HOLDING) {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the helper ended early");
    }
    (child, output)
}

#[test]
fn a_lock_excludes_others_in_this_process_until_it_is_dropped() {
    let (scratch, dir) = scratch();
    let other = FsDirectory::new(scratch.path().join("root")).unwrap();
    let lock = acquire(&dir);
    for directory in [&dir, &dir.clone(), &other] {
        assert_eq!(holder(directory), Some(process::id()));
    }
    // Another name is another lock.
    assert!(matches!(dir.lock(name("ckp/LOCK")).unwrap(), Locking::Acquired(_)));
    drop(lock);
    drop(acquire(&other));
    drop(acquire(&dir));
}

#[test]
fn a_lock_excludes_other_processes_and_names_the_holder_and_dies_with_it() {
    let (_scratch, dir) = scratch();
    let (mut child, _output) = start_holder(&dir);
    assert_eq!(holder(&dir), Some(child.id()));
    assert_eq!(holder(&dir), Some(child.id()));
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let lock = acquire(&dir);
    assert_eq!(holder(&dir), Some(process::id()));
    drop(lock);
    // Never removed: two files of one name would be two locks.
    assert!(dir.open(name(LOCK)).unwrap().is_some());
}

#[test]
fn what_a_lock_file_says_never_decides() {
    let (scratch, dir) = scratch();
    let path = scratch.path().join("root/wal/LOCK");
    drop(acquire(&dir));
    let own = format!("{:010}\n", process::id());
    for stale in [own.as_str(), "0000000001\n", "4294967295\n", "", "00000", "\0\0\0", "\n"] {
        fs::write(&path, stale).unwrap();
        let lock = acquire(&dir);
        assert_eq!(holder(&dir), Some(process::id()), "{stale:?}");
        drop(lock);
    }
}

#[test]
fn a_file_that_is_no_lock_file_keeps_its_content() {
    let (scratch, dir) = scratch();
    let path = scratch.path().join("root/wal/LOCK");
    drop(acquire(&dir));
    for foreign in ["somebody's text", "123456789012"] {
        fs::write(&path, foreign).unwrap();
        let lock = acquire(&dir);
        assert_eq!(holder(&dir), None);
        drop(lock);
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
}

#[cfg(all(unix, not(durability_portable_fs)))]
#[test]
fn a_dead_process_is_never_named_as_the_holder() {
    let (scratch, dir) = scratch();
    drop(acquire(&dir));
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    let path = scratch.path().join("root/wal/LOCK");
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    file.try_lock().unwrap();
    fs::write(&path, format!("{:010}\n", dead.id())).unwrap();
    assert_eq!(holder(&dir), None);
}

#[test]
fn a_lock_is_free_after_its_drop_though_processes_are_being_started() {
    let (_scratch, dir) = scratch();
    let starter = std::thread::spawn(|| {
        for _ in 0..20 {
            Command::new("true").status().unwrap();
        }
    });
    while !starter.is_finished() {
        drop(acquire(&dir));
    }
    starter.join().unwrap();
}
