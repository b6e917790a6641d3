//! Memory that can do what it is told, and finds names taken or files worn as it is told.
#![allow(dead_code, unreachable_pub, reason = "not every test needs all of it")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{
    AppendFile, Capabilities, Directory, Folder, Locking, MemoryDirectory, MemoryError, Name,
    ReadFile, StoreError as _,
};

/// What comes of opening a file again for appending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopening {
    AsCapable,
    /// Though the directory can: flash says so where a torn write left its traces.
    Unsupported,
    Fails,
}

pub struct Within {
    memory: MemoryDirectory,
    capabilities: Capabilities,
    /// Creations to come that find the name taken, by a file that no listing shows.
    pub taken: Cell<u32>,
    pub reopening: Cell<Reopening>,
    /// A file that the next listing does not show: one that was begun while it went on.
    pub unlisted: RefCell<Option<&'static str>>,
    pub done: Rc<Done>,
}

pub type Told = Box<dyn FnMut(u64)>;

/// What was asked of it so far.
#[derive(Default)]
pub struct Done {
    /// Where each write ended.
    pub ends: RefCell<Vec<u64>>,
    /// What was asked for with each creation.
    pub rooms: RefCell<Vec<u64>>,
    pub syncs: Cell<u32>,
    pub trims: Cell<u32>,
    pub folder_syncs: Cell<u32>,
    pub bytes_read: Cell<usize>,
    /// What each read is told to: its offset.
    pub on_read: RefCell<Option<Told>>,
}

fn one_more(count: &Cell<u32>) {
    count.set(count.get() + 1);
}

/// A file that is written in whole granules.
pub struct Appender {
    file: <MemoryDirectory as Directory>::Appender,
    granule: u64,
    done: Rc<Done>,
}

pub struct Reader {
    file: <MemoryDirectory as Directory>::Reader,
    done: Rc<Done>,
}

impl ErrorType for Reader {
    type Error = MemoryError;
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let count = self.file.read(buffer)?;
        self.done.bytes_read.set(self.done.bytes_read.get() + count);
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, MemoryError> {
        self.file.seek(to)
    }
}

impl ReadFile for Reader {
    fn len(&mut self) -> Result<u64, MemoryError> {
        self.file.len()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        self.seek(SeekFrom::Start(offset))?;
        let count = self.read(buffer)?;
        if let Some(told) = &mut *self.done.on_read.borrow_mut() {
            told(offset);
        }
        Ok(count)
    }
}

impl ErrorType for Appender {
    type Error = MemoryError;
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, MemoryError> {
        assert_eq!(bytes.len() as u64 % self.granule, 0, "a granule was split");
        let count = self.file.write(bytes)?;
        self.done.ends.borrow_mut().push(self.file.position());
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), MemoryError> {
        self.file.flush()
    }
}

impl AppendFile for Appender {
    fn position(&self) -> u64 {
        self.file.position()
    }

    fn sync_data(&mut self) -> Result<(), MemoryError> {
        one_more(&self.done.syncs);
        self.file.sync_data()
    }

    fn trim(&mut self) -> Result<(), MemoryError> {
        one_more(&self.done.trims);
        self.file.trim()
    }
}

pub type Shared = Rc<Within>;

pub fn within(memory: &MemoryDirectory, capabilities: Capabilities) -> Shared {
    let (taken, reopening) = (Cell::new(0), Cell::new(Reopening::AsCapable));
    Rc::new(Within {
        memory: memory.clone(),
        capabilities,
        taken,
        reopening,
        unlisted: RefCell::default(),
        done: Rc::default(),
    })
}

impl Within {
    fn file(&self, file: <MemoryDirectory as Directory>::Appender) -> Appender {
        let granule = u64::from(self.capabilities.write_granule());
        Appender { file, granule, done: Rc::clone(&self.done) }
    }
}

/// What memory can do, in files of so many bytes.
pub fn files_of(bytes: u64) -> Capabilities {
    Capabilities::new().with_reopen().with_rename().with_file_bytes_max(bytes)
}

impl Directory for Within {
    type Error = MemoryError;
    type Reader = Reader;
    type Appender = Appender;
    type Lock = <MemoryDirectory as Directory>::Lock;

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, MemoryError> {
        Ok(self.memory.open(name)?.map(|file| Reader { file, done: Rc::clone(&self.done) }))
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, MemoryError> {
        self.done.rooms.borrow_mut().push(reserve);
        if let Some(left) = self.taken.get().checked_sub(1) {
            self.taken.set(left);
            return Ok(None);
        }
        Ok(self.memory.create(name, reserve)?.map(|file| self.file(file)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, MemoryError> {
        match self.reopening.get() {
            Reopening::Fails => Err(MemoryError::NotFound),
            Reopening::AsCapable if self.capabilities.reopen() => {
                Ok(self.memory.reopen(name, at)?.map(|file| self.file(file)))
            }
            Reopening::AsCapable | Reopening::Unsupported => Err(MemoryError::unsupported()),
        }
    }

    fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.memory.remove(name)
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
        let unlisted = self.unlisted.borrow_mut().take();
        self.memory.list(folder, &mut |file| {
            if Some(file) != unlisted {
                each(file);
            }
        })
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), MemoryError> {
        self.memory.sync_file(name)
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), MemoryError> {
        one_more(&self.done.folder_syncs);
        self.memory.sync_dir(folder)
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), MemoryError> {
        self.memory.rename(from, to)
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
        self.memory.lock(name)
    }

    fn nonce(&self) -> u64 {
        self.memory.nonce()
    }
}
