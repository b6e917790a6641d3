//! The order of barriers under record logs and checkpoints, seen from the directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // tests run on a host

use std::cell::RefCell;
use std::rc::Rc;

use durability_core::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointStore, replace_checkpoint, write_checkpoint,
};
use durability_core::embedded_io::{ErrorType, Write};
use durability_core::recordlog::{RecordLogOptions, RecordLogWriter};
use durability_core::storage::{
    AppendFile, Capabilities, Directory, Folder, Locking, MemoryDirectory, MemoryError, Name,
};
use durability_core::{Error, ReadMode};

type Calls = Rc<RefCell<Vec<String>>>;

/// A directory that writes down what is asked of it, and fails the call that it is told to.
#[derive(Clone, Default)]
struct Witness {
    inner: MemoryDirectory,
    calls: Calls,
    fail: Rc<RefCell<Option<&'static str>>>,
    plain: bool,
}

impl Witness {
    fn note(&self, call: String) -> Result<(), MemoryError> {
        let failed = self.fail.borrow().is_some_and(|fail| call.starts_with(fail));
        self.calls.borrow_mut().push(call);
        if failed { Err(MemoryError::NotFound) } else { Ok(()) }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.borrow_mut())
    }
}

struct Appender {
    inner: <MemoryDirectory as Directory>::Appender,
    witness: Witness,
}

impl ErrorType for Appender {
    type Error = MemoryError;
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, MemoryError> {
        self.witness.note("write".into())?;
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> Result<(), MemoryError> {
        self.inner.flush()
    }
}

impl AppendFile for Appender {
    fn position(&self) -> u64 {
        self.inner.position()
    }
    fn sync_data(&mut self) -> Result<(), MemoryError> {
        self.witness.note("sync".into())
    }
}

impl Directory for Witness {
    type Error = MemoryError;
    type Reader = <MemoryDirectory as Directory>::Reader;
    type Appender = Appender;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        if self.plain { Capabilities::new() } else { self.inner.capabilities() }
    }
    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, MemoryError> {
        self.note(format!("open {name}"))?;
        self.inner.open(name)
    }
    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Appender>, MemoryError> {
        self.note(format!("create {name}"))?;
        let file = self.inner.create(name, reserve)?;
        Ok(file.map(|inner| Appender { inner, witness: self.clone() }))
    }
    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Appender>, MemoryError> {
        self.note(format!("reopen {name}"))?;
        let file = self.inner.reopen(name, at)?;
        Ok(file.map(|inner| Appender { inner, witness: self.clone() }))
    }
    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.note(format!("remove {name}"))?;
        self.inner.remove(name)
    }
    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        self.inner.list(folder, each)
    }
    fn sync_file(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.note(format!("sync_file {name}"))
    }
    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), MemoryError> {
        self.note(format!("sync_dir {folder}"))
    }
    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
        self.inner.lock(name)
    }
    fn nonce(&self) -> u64 {
        self.inner.nonce()
    }
    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), MemoryError> {
        self.note(format!("rename {from} {to}"))?;
        self.inner.rename(from, to)
    }
}

fn path() -> Name<'static> {
    Name::new("a/EVENTS.LOG").unwrap()
}

const OPTIONS: RecordLogOptions = RecordLogOptions::new();

#[test]
fn a_new_log_is_durable_before_its_first_frame() {
    let dir = Witness::default();
    let mut log = RecordLogWriter::create(dir.clone(), path(), OPTIONS).unwrap();
    assert_eq!(dir.take(), ["create a/EVENTS.LOG", "write", "sync", "sync_dir a"]);
    log.append(b"x").unwrap();
    assert!(dir.take().is_empty());
    let _ = log.flush_and_sync().unwrap();
    assert_eq!(dir.take(), ["write", "sync"]);
    // Nothing new: nothing to do.
    let _ = log.flush_and_sync().unwrap();
    assert!(dir.take().is_empty());
}

#[test]
fn resuming_syncs_the_file_and_its_name_before_it_reads() {
    let dir = Witness::default();
    let mut log = RecordLogWriter::create(dir.clone(), path(), OPTIONS).unwrap();
    log.append(b"x").unwrap();
    drop(log);
    dir.take();
    drop(RecordLogWriter::resume(dir.clone(), path(), OPTIONS).unwrap());
    assert_eq!(
        dir.take(),
        // The first is whether it is there.
        [
            "open a/EVENTS.LOG",
            "sync_file a/EVENTS.LOG",
            "sync_dir a",
            "open a/EVENTS.LOG",
            "reopen a/EVENTS.LOG"
        ]
    );
}

#[test]
fn an_unfinished_creation_is_durably_gone_before_it_is_made_anew() {
    let dir = Witness::default();
    dir.inner.put(path(), vec![0; 7]);
    drop(RecordLogWriter::resume(dir.clone(), path(), OPTIONS).unwrap());
    let calls = dir.take();
    let from = calls.iter().position(|call| call == "remove a/EVENTS.LOG").unwrap();
    assert_eq!(
        calls[from + 1..],
        ["sync_dir a", "create a/EVENTS.LOG", "write", "sync", "sync_dir a"]
    );
}

#[test]
fn a_failed_write_or_sync_poisons_and_the_records_before_it_come_back() {
    for fail in ["write", "sync"] {
        let dir = Witness::default();
        let mut log = RecordLogWriter::create(dir.clone(), path(), OPTIONS).unwrap();
        log.append(b"one").unwrap();
        let _ = log.flush_and_sync().unwrap();
        log.append(b"two").unwrap();
        *dir.fail.borrow_mut() = Some(fail);
        assert!(matches!(log.flush_and_sync(), Err(Error::Store { .. })));
        *dir.fail.borrow_mut() = None;
        assert!(matches!(log.flush_and_sync(), Err(Error::Poisoned { .. })));
        assert!(matches!(log.append(b"three"), Err(Error::Poisoned { .. })));
        dir.take();
        drop(log);
        assert!(dir.take().is_empty(), "a poisoned writer writes nothing, dropped or not");
        let log = RecordLogWriter::resume(dir.clone(), path(), OPTIONS).unwrap();
        assert!(log.last_record().is_some());
    }
}

#[test]
fn without_reopen_a_log_with_records_is_refused_untouched_and_an_empty_one_made_anew() {
    let dir = Witness { plain: true, ..Witness::default() };
    drop(RecordLogWriter::create(dir.clone(), path(), OPTIONS).unwrap());
    let mut log = RecordLogWriter::resume(dir.clone(), path(), OPTIONS).unwrap();
    log.append(b"x").unwrap();
    log.close().unwrap();
    let before = dir.inner.contents(path());
    let refused = RecordLogWriter::resume(dir.clone(), path(), OPTIONS).unwrap_err();
    assert!(refused.is_unsupported(), "{refused}");
    assert_eq!(dir.inner.contents(path()), before);
    let mut reader =
        durability_core::recordlog::RecordLogReader::open(dir, path(), ReadMode::Strict, OPTIONS)
            .unwrap();
    assert_eq!(reader.collect().unwrap(), [b"x"]);
}

#[test]
fn a_checkpoint_counts_only_after_the_syncs_of_the_file_and_of_its_name() {
    let dir = Witness::default();
    let path = Name::new("ckp/00000001.CKP").unwrap();
    let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
    let _ = write_checkpoint(dir.clone(), path, meta, options, "state").unwrap();
    let calls = dir.take();
    assert_eq!(calls[..1], ["create ckp/00000001.CKP"]);
    assert_eq!(calls[calls.len() - 3..], ["write", "sync", "sync_dir ckp"]);
    for fail in ["sync", "sync_dir"] {
        let dir = Witness::default();
        *dir.fail.borrow_mut() = Some(fail);
        assert!(write_checkpoint(dir.clone(), path, meta, options, "state").is_err());
    }
}

#[test]
fn replacing_syncs_the_content_before_the_rename_and_the_name_after_it() {
    let dir = Witness::default();
    let path = Name::new("b/STATE.CKP").unwrap();
    let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
    let _ = replace_checkpoint(dir.clone(), path, meta, options, "state").unwrap();
    let calls = dir.take();
    assert_eq!(calls[..2], ["remove b/STATE.TMP", "create b/STATE.TMP"]);
    assert_eq!(
        calls[calls.len() - 4..],
        ["write", "sync", "rename b/STATE.TMP b/STATE.CKP", "sync_dir b"]
    );
    let plain = Witness { plain: true, ..Witness::default() };
    let refused = replace_checkpoint(plain.clone(), path, meta, options, "state").unwrap_err();
    assert!(refused.is_unsupported());
    assert!(plain.take().is_empty());
}

#[test]
fn old_checkpoints_go_only_after_the_kept_ones_are_durable_and_verified() {
    let dir = Witness::default();
    let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
    let mut store = CheckpointStore::new(dir.clone(), Folder::new("ckp").unwrap()).unwrap();
    let mut last = None;
    for state in 1..=3_u32 {
        let (_, mut writer) = store.create(meta, options).unwrap();
        writer.put(&state).unwrap();
        last = Some(writer.finish().unwrap());
    }
    // The newest is known to be durable; the one before might be in a cache only.
    store.adopt(&last.unwrap());
    dir.take();
    assert_eq!(store.remove_older(2, options).unwrap(), 1);
    assert_eq!(
        dir.take(),
        [
            "sync_file ckp/00000002.CKP",
            "sync_dir ckp",
            "open ckp/00000002.CKP",
            "remove ckp/00000001.CKP",
            "sync_dir ckp",
        ]
    );
}
