//! Files: creating, appending, reading, listing, removing, renaming.

use std::fs;
use std::sync::Arc;
use std::thread;

use durability::embedded_io::{Read, Seek, SeekFrom, Write};
use durability::storage::{
    AppendFile, Directory, DynDirectory, Folder, FsDirectory, FsError, FsOptions, FsRefusal,
    ReadFile, StoreError, file_path, sync_file, sync_parent_dir,
};

use crate::common::{append, content, create, name, scratch};

fn listed(dir: &FsDirectory, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    dir.list(Folder::new(folder).unwrap(), &mut |file| names.push(file.to_owned())).unwrap();
    names.sort();
    names
}

#[test]
fn what_was_appended_is_read_back_also_while_appending() {
    let (_scratch, dir) = scratch();
    let mut appender = create(&dir, "a/b/file", b"hello");
    assert_eq!(appender.position(), 5);
    assert_eq!(content(&dir, "a/b/file").unwrap(), b"hello");
    append(&mut appender, b" world");
    appender.flush().unwrap();
    appender.sync_data().unwrap();
    dir.sync_dir(Folder::new("a/b").unwrap()).unwrap();
    let mut reader = dir.open(name("a/b/file")).unwrap().unwrap();
    assert_eq!(reader.len().unwrap(), 11);
    let mut bytes = [0; 5];
    assert_eq!(reader.seek(SeekFrom::End(-5)).unwrap(), 6);
    assert_eq!(reader.read(&mut bytes).unwrap(), 5);
    assert_eq!(&bytes, b"world");
    assert_eq!(reader.read(&mut bytes).unwrap(), 0);
    assert_eq!(reader.seek(SeekFrom::Start(0)).unwrap(), 0);
    assert_eq!(reader.read_at(6, &mut bytes).unwrap(), 5);
    assert_eq!(&bytes, b"world");
    let refused = reader.seek(SeekFrom::End(-12)).unwrap_err();
    assert_eq!(refused.refusal(), Some(FsRefusal::BadSeek));
}

#[test]
fn absence_is_no_error() {
    let (_scratch, dir) = scratch();
    assert!(dir.open(name("absent")).unwrap().is_none());
    assert!(dir.open(name("no/such/folder")).unwrap().is_none());
    assert!(dir.reopen(name("absent"), 0).unwrap().is_none());
    assert!(dir.reopen(name("no/folder"), 0).unwrap().is_none());
    dir.remove(name("absent")).unwrap();
    dir.remove(name("no/folder")).unwrap();
    dir.sync_dir(Folder::new("no/folder").unwrap()).unwrap();
    assert!(listed(&dir, "no/folder").is_empty());
    // Where something is wanted of the file, it is one.
    assert!(dir.sync_file(name("absent")).is_err());
    assert!(dir.sync_file(name("no/folder")).is_err());
    assert!(dir.rename(name("absent"), name("b")).is_err());
}

#[test]
fn a_taken_name_is_not_created_again_and_keeps_its_content() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "file", b"first"));
    assert!(dir.create(name("file"), 0).unwrap().is_none());
    assert!(dir.create(name("file"), 1 << 20).unwrap().is_none());
    assert_eq!(content(&dir, "file").unwrap(), b"first");
}

#[test]
fn reopening_keeps_what_lies_below_the_position() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "file", b"keep garbage"));
    let mut appender = dir.reopen(name("file"), 5).unwrap().unwrap();
    assert_eq!(appender.position(), 5);
    append(&mut appender, b"ours");
    appender.sync_data().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"keep oursage");
    let refused = dir.reopen(name("file"), 13).unwrap_err();
    assert_eq!(refused.refusal(), Some(FsRefusal::BeyondEnd { at: 13, length: 12 }));
}

#[test]
fn a_removed_file_is_gone_and_its_reader_goes_on() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "file", b"content"));
    #[cfg_attr(windows, expect(unused_variables))]
    let reader = dir.open(name("file")).unwrap().unwrap();
    dir.remove(name("file")).unwrap();
    dir.remove(name("file")).unwrap();
    assert!(dir.open(name("file")).unwrap().is_none());
    #[cfg(unix)]
    {
        let mut reader = reader;
        let mut bytes = [0; 7];
        assert_eq!(reader.read(&mut bytes).unwrap(), 7);
    }
}

#[test]
fn a_listing_holds_files_with_proper_names_and_nothing_else() {
    let (scratch, dir) = scratch();
    for file in ["one", "two", "wal/three", "wal/deep/four"] {
        drop(create(&dir, file, b""));
    }
    for odd in [".hidden", "with space", "tilde~", "ünïcode"] {
        fs::write(scratch.path().join("root").join(odd), b"").unwrap();
    }
    assert_eq!(listed(&dir, ""), ["one", "two"]);
    assert_eq!(listed(&dir, "wal"), ["three"]);
    assert_eq!(listed(&dir, "wal/deep"), ["four"]);
}

#[test]
fn files_may_be_removed_from_within_a_listing() {
    let (_scratch, dir) = scratch();
    for number in 0..100 {
        drop(create(&dir, &format!("wal/{number}"), b""));
    }
    let mut seen = 0;
    dir.list(Folder::new("wal").unwrap(), &mut |file| {
        dir.remove(name(&format!("wal/{file}"))).unwrap();
        seen += 1;
    })
    .unwrap();
    assert_eq!(seen, 100);
    assert!(listed(&dir, "wal").is_empty());
}

#[test]
fn renaming_replaces_and_makes_the_folder_of_the_new_name() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "a", b"new"));
    drop(create(&dir, "b", b"old"));
    dir.rename(name("a"), name("b")).unwrap();
    assert_eq!(content(&dir, "b").unwrap(), b"new");
    assert!(content(&dir, "a").is_none());
    dir.rename(name("b"), name("new/folder/c")).unwrap();
    assert_eq!(content(&dir, "new/folder/c").unwrap(), b"new");
    // A folder is no file, whatever the system would allow.
    assert!(dir.rename(name("new/folder"), name("d")).is_err());
}

#[test]
fn a_folder_is_never_taken_for_a_file() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "wal/a", b""));
    assert!(dir.open(name("wal")).is_err());
    assert!(dir.reopen(name("wal"), 0).is_err());
    assert!(dir.remove(name("wal")).is_err());
    assert!(dir.lock(name("wal")).is_err());
    assert!(dir.create(name("wal"), 0).unwrap().is_none());
    assert_eq!(listed(&dir, "wal"), ["a"]);
}

#[test]
fn a_file_is_never_taken_for_a_folder() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "file", b"content"));
    assert!(dir.open(name("file/below")).is_err());
    assert!(dir.create(name("file/below"), 0).is_err());
    assert!(dir.sync_dir(Folder::new("file").unwrap()).is_err());
    assert_eq!(content(&dir, "file").unwrap(), b"content");
}

#[test]
fn reserved_room_reads_as_zeros_and_is_written_over() {
    let (_scratch, dir) = scratch();
    let reserve = (64 << 10) * 3 + 17;
    let mut appender = dir.create(name("file"), reserve).unwrap().unwrap();
    assert_eq!(appender.position(), 0);
    append(&mut appender, b"content");
    let bytes = content(&dir, "file").unwrap();
    assert_eq!(bytes.len() as u64, reserve);
    assert_eq!(&bytes[..7], b"content");
    assert!(bytes[7..].iter().all(|&byte| byte == 0));
}

#[test]
fn trimming_gives_back_the_room_and_keeps_what_was_appended() {
    let (_scratch, dir) = scratch();
    let mut appender = dir.create(name("file"), 100_000).unwrap().unwrap();
    append(&mut appender, b"content");
    appender.trim().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"content");
    append(&mut appender, b" and more");
    appender.trim().unwrap();
    appender.sync_data().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"content and more");
    let mut appender = dir.reopen(name("file"), 7).unwrap().unwrap();
    appender.trim().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"content");
}

#[cfg(unix)]
#[test]
fn reserved_room_occupies_blocks() {
    use std::os::unix::fs::MetadataExt;
    let (scratch, dir) = scratch();
    let reserve = 1 << 20;
    let _appender = dir.create(name("file"), reserve).unwrap().unwrap();
    let metadata = fs::metadata(scratch.path().join("root/file")).unwrap();
    assert!(metadata.blocks() * 512 >= reserve, "{} blocks", metadata.blocks());
}

#[test]
fn without_preallocation_nothing_is_reserved() {
    let scratch = tempfile::tempdir().unwrap();
    let options = FsOptions::new().preallocate(false);
    let dir = FsDirectory::with_options(scratch.path(), options).unwrap();
    let _appender = dir.create(name("file"), 1 << 20).unwrap().unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"");
}

#[test]
fn opening_creates_missing_folders_and_refuses_the_empty_path_and_files() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(scratch.path().join("a/b/c")).unwrap();
    assert!(scratch.path().join("a/b/c").is_dir());
    drop(create(&dir, "file", b""));
    assert!(FsDirectory::new(scratch.path().join("a/b/c")).is_ok());
    assert_eq!(FsDirectory::new("").unwrap_err().refusal(), Some(FsRefusal::EmptyPath));
    assert!(FsDirectory::new(scratch.path().join("a/b/c/file")).is_err());
    assert!(FsDirectory::new(scratch.path().join("a/b/c/file/d")).is_err());
}

#[cfg(all(unix, not(durability_portable_fs)))]
#[test]
#[ignore = "run by another test as a process of its own, with an umask of 0"]
fn helper_that_creates() {
    let Some(folder) = crate::common::helper_folder() else { return };
    let dir = FsDirectory::new(folder.join("root")).unwrap();
    drop(create(&dir, "wal/file", b""));
    drop(dir.create(name("wal/reserved"), 4096).unwrap());
    drop(dir.lock(name("wal/LOCK")).unwrap());
}

#[cfg(all(unix, not(durability_portable_fs)))]
#[test]
fn what_is_created_is_never_writable_by_everyone_even_without_an_umask() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$@\"", "sh"]);
    let run = crate::common::helper(shell, "files::helper_that_creates", scratch.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    for path in ["root", "root/wal", "root/wal/file", "root/wal/reserved", "root/wal/LOCK"] {
        let mode = fs::metadata(scratch.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o002, 0, "{path}: {mode:o}");
    }
}

#[cfg(all(unix, not(durability_portable_fs)))]
#[test]
fn the_directory_stays_the_same_folder_when_its_path_is_renamed() {
    let (scratch, dir) = scratch();
    drop(create(&dir, "file", b"content"));
    fs::rename(scratch.path().join("root"), scratch.path().join("moved")).unwrap();
    fs::create_dir(scratch.path().join("root")).unwrap();
    assert_eq!(content(&dir, "file").unwrap(), b"content");
    drop(create(&dir, "other", b""));
    assert!(scratch.path().join("moved/other").exists());
}

#[test]
fn an_error_names_the_file_and_the_cause() {
    let (scratch, dir) = scratch();
    let error = dir.sync_file(name("wal/absent")).unwrap_err();
    assert_eq!(error.path(), Some(&*scratch.path().join("root/wal/absent")));
    let text = error.to_string();
    assert!(text.starts_with("cannot sync ") && text.contains("absent: "), "{text}");
    assert!(!error.is_no_space());
}

#[test]
fn paths_are_absolute_and_checked() {
    let (scratch, dir) = scratch();
    let expected = scratch.path().join("root").join("wal").join("a");
    assert_eq!(file_path(&dir, "wal/a"), Some(expected));
    for bad in ["", "..", "/a", "wal/../../a"] {
        assert_eq!(file_path(&dir, bad), None);
        assert!(sync_file(&dir, bad).is_err());
        assert!(sync_parent_dir(&dir, bad).is_err());
    }
}

#[test]
fn clones_and_the_erased_form_share_the_directory_between_threads() {
    let (scratch, dir) = scratch();
    let writers = (0..4).map(|number| {
        let dir = dir.clone();
        thread::spawn(move || {
            let mut appender = create(&dir, &format!("wal/{number}"), b"content");
            appender.sync_data().unwrap();
            dir.sync_dir(Folder::new("wal").unwrap()).unwrap();
        })
    });
    writers.collect::<Vec<_>>().into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(listed(&dir, "wal"), ["0", "1", "2", "3"]);
    let erased: Arc<dyn DynDirectory<Error = FsError>> =
        FsDirectory::arc(scratch.path().join("root")).unwrap();
    assert!(erased.open(name("wal/0")).unwrap().is_some());
    sync_file(&erased, "wal/0").unwrap();
}
