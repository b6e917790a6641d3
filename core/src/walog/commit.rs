//! A commit on its way: the bytes, their file, and the barriers, apart from the writer that goes on without them.
//!
//! Must never be run twice, nor tell of success after any failure: what a failed sync has left is unknown.

use alloc::vec::Vec;
use core::fmt;

use crate::EntryId;
use crate::error::{Context as _, Error, Operation};
use crate::file::sink::write_all;
use crate::storage::{AppendFile as _, Directory, NameBuf};

use super::segments::NewFile;
use super::upcoming::Lock;

/// Staged records on their way into the log; see [`StagedWriter`](super::StagedWriter).
///
/// It owns all that [`run`](Self::run) needs, so it can run on any thread, beside the writer. As long as it lives, nobody else can open the log: not even once
/// its writer is gone.
#[must_use = "the writer waits until it is handed back"]
pub struct Commit<D: Directory> {
    pub(super) file: D::Appender,
    pub(super) name: NameBuf,
    pub(super) bytes: Vec<u8>,
    /// What of the bytes is to be written.
    pub(super) filled: usize,
    pub(super) sync: bool,
    pub(super) sync_name: bool,
    /// Room beyond the bytes is given back.
    pub(super) trim: bool,
    /// A frame that says that all before it is durable, to be written once it is.
    pub(super) mark: Option<Mark>,
    /// The file of the next segment, which is begun once this one is durable.
    pub(super) next: Next<D::Appender>,
    pub(super) through: Option<EntryId>,
    /// Where the bytes end in the file.
    pub(super) end: u64,
    pub(super) state: State,
    /// Nobody else opens the log while it may still be written to. It tells whose commit this is, too.
    pub(super) lock: Lock<D::Lock>,
}

/// A mark's frame, at its longest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) frame: [u8; 256],
    pub(super) bytes: usize,
}

/// What becomes of the segment.
pub(super) enum Next<A> {
    /// It stays the tail.
    Same,
    /// Its successor has begun already.
    Begun,
    /// Its successor gets a file of this name, if that is free.
    Create { number: u32, name: NameBuf, room: u64 },
    /// Its successor's file is there.
    Created(NewFile<A>),
}

/// How far a commit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Failed,
    Done,
}

impl<D: Directory> Commit<D> {
    /// Writes the records, with one call where the directory takes them whole, and makes them durable if that was asked for.
    ///
    /// `dir` is the writer's directory, or a clone of it.
    ///
    /// **Durability.** After `Ok`, if the commit was begun with a sync, everything that it holds, and everything before. Nothing may be
    /// acknowledged before [`StagedWriter::end`](super::StagedWriter::end) has taken the commit back.
    ///
    /// # Errors
    /// What the directory reports, and [`Error::Poisoned`] if it has been run before. After any error the writer is poisoned as soon as the commit is
    /// handed back.
    pub fn run(&mut self, dir: &D) -> Result<(), Error<D::Error>> {
        if self.state != State::Waiting {
            return Err(Error::Poisoned { file: self.name.clone() });
        }
        self.state = State::Failed;
        self.write_and_sync(dir)?;
        self.state = State::Done;
        Ok(())
    }

    /// The last record that it holds, or that was written before.
    pub const fn through(&self) -> Option<EntryId> {
        self.through
    }

    /// Whether it ends with a sync.
    pub const fn syncs(&self) -> bool {
        self.sync
    }

    fn write_and_sync(&mut self, dir: &D) -> Result<(), Error<D::Error>> {
        let bytes = self.bytes.get(..self.filled).unwrap_or_default();
        write_all(&mut self.file, &self.name, bytes)?;
        if self.trim {
            self.file.trim().on(Operation::Trim, &self.name)?;
        }
        if self.sync && !planted!(CommitUnsynced) {
            self.file.sync_data().on(Operation::Sync, &self.name)?;
        } else {
            embedded_io::Write::flush(&mut self.file).on(Operation::Flush, &self.name)?;
        }
        if self.sync && self.sync_name {
            // crash: the bytes are durable and the name may be lost with them; nothing was acknowledged yet
            let folder = self.name.as_name().folder();
            dir.sync_dir(folder).on(Operation::SyncDir, &self.name)?;
        }
        if let Some(Mark { frame, bytes }) = &self.mark {
            write_all(&mut self.file, &self.name, frame.get(..*bytes).unwrap_or_default())?;
            embedded_io::Write::flush(&mut self.file).on(Operation::Flush, &self.name)?;
        }
        if let Next::Create { number, name, room } = &self.next
            && let Some(file) = dir.create(name.as_name(), *room).on(Operation::Create, name)?
        {
            self.next = Next::Created(NewFile {
                number: *number,
                file,
                name: name.clone(),
                name_synced: false,
            });
        }
        Ok(())
    }
}

impl<D: Directory> fmt::Debug for Commit<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit")
            .field("file", &self.name)
            .field("bytes", &self.filled)
            .field("sync", &self.sync)
            .field("through", &self.through)
            .finish_non_exhaustive()
    }
}
