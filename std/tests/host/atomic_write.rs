//! Atomic, durable replacement of whole files, on a real file system.

use durability::storage::{Directory, DurableDirectory, DurableError, Folder, NameError};

use crate::common::{content, create, name, scratch};

#[test]
fn an_atomic_write_replaces_the_whole_content() {
    let (_scratch, dir) = scratch();
    let large = vec![b'x'; 100_000];
    dir.atomic_write_durable("a/data", &large).unwrap();
    assert_eq!(content(&dir, "a/data").unwrap(), large);
    dir.atomic_write_durable("a/data", b"short").unwrap();
    assert_eq!(content(&dir, "a/data").unwrap(), b"short");
    dir.atomic_write_durable("a/data", b"").unwrap();
    assert_eq!(content(&dir, "a/data").unwrap(), b"");
}

#[test]
fn an_atomic_write_leaves_every_other_file_alone() {
    let (_scratch, dir) = scratch();
    let foreign = ["data.tmp", "data-tmp", "tmp-data", "durable-tmp-1-2", "data.bak"];
    for file in foreign {
        drop(create(&dir, file, file.as_bytes()));
    }
    dir.atomic_write_durable("data", b"content").unwrap();
    dir.atomic_write_durable("data", b"content").unwrap();
    for file in foreign {
        assert_eq!(content(&dir, file).unwrap(), file.as_bytes());
    }
    let mut count = 0;
    dir.list(Folder::ROOT, &mut |_| count += 1).unwrap();
    assert_eq!(count, foreign.len() + 1);
}

#[test]
fn a_reader_of_the_old_content_keeps_it() {
    let (_scratch, dir) = scratch();
    dir.atomic_write_durable("data", b"old").unwrap();
    let mut reader = dir.open(name("data")).unwrap().unwrap();
    dir.atomic_write_durable("data", b"new").unwrap();
    let mut bytes = [0; 3];
    durability::storage::ReadFile::read_at(&mut reader, 0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"old");
}

#[test]
fn an_atomic_rename_moves_between_folders() {
    let (_scratch, dir) = scratch();
    drop(create(&dir, "a/from", b"new"));
    drop(create(&dir, "b/to", b"old"));
    dir.atomic_rename_durable("a/from", "b/to").unwrap();
    assert_eq!(content(&dir, "b/to").unwrap(), b"new");
    assert!(content(&dir, "a/from").is_none());
    assert!(dir.atomic_rename_durable("a/from", "b/to").is_err());
    assert_eq!(content(&dir, "b/to").unwrap(), b"new");
}

#[test]
fn the_empty_path_and_paths_that_lead_out_are_refused() {
    let (scratch, dir) = scratch();
    for bad in ["", ".", "..", "../x", "/tmp/x", "a/../../x", "a//b"] {
        assert!(
            matches!(dir.atomic_write_durable(bad, b"x"), Err(DurableError::Name(_))),
            "{bad:?}"
        );
        assert!(matches!(dir.atomic_rename_durable(bad, "x"), Err(DurableError::Name(_))));
        assert!(matches!(dir.atomic_rename_durable("x", bad), Err(DurableError::Name(_))));
    }
    assert!(matches!(dir.atomic_write_durable("", b""), Err(DurableError::Name(NameError::Empty))));
    assert!(scratch.path().join("root").is_dir());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
}
