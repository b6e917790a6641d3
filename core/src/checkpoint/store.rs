//! Checkpoints under generation numbers in one folder.
//!
//! Must never remove a checkpoint before enough newer ones are known to be whole and durable, and never use a number that a
//! file has.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

use crate::EntryId;
use crate::error::{Context as _, Corruption, CorruptionKind, Error, Limit, Operation};
use crate::storage::{Directory, Folder, NameBuf, NameError, numbered};

use super::options::CheckpointOptions;
use super::reader::CheckpointReader;
use super::writer::CheckpointWriter;
use super::{CheckpointMeta, CheckpointSummary};

const EXTENSION: &str = "CKP";
const DIGITS: usize = 8;

/// The checkpoints of one folder: files `XXXXXXXX.CKP`, numbered in hexadecimal from 1. Other files are neither read nor
/// touched.
///
/// Whoever holds the lock of the log writes checkpoints; the store has no lock of its own.
///
/// Memory: four bytes for each checkpoint in the folder, while it is listed.
///
/// ```
/// use durability_core::checkpoint::{CheckpointMeta, CheckpointOptions, CheckpointStore};
/// use durability_core::storage::{Folder, MemoryDirectory};
/// let mut store = CheckpointStore::new(MemoryDirectory::new(), Folder::new("ckp")?)?;
/// for state in ["one", "two", "three"] {
///     let (_, mut writer) = store.create(CheckpointMeta::default(), CheckpointOptions::new())?;
///     writer.put(state)?;
///     let summary = writer.finish()?;
///     store.adopt(&summary);
///     store.remove_older(2, CheckpointOptions::new())?;
/// }
/// assert_eq!(store.list()?, [2, 3]);
/// let mut reader = store.open(3, CheckpointOptions::new())?;
/// assert_eq!(reader.take::<String>()?, "three");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CheckpointStore<D> {
    dir: D,
    /// Some name in the folder: it stands for the folder.
    inside: NameBuf,
    /// Generations known to be whole and durable, name and all, and the last entry that each includes.
    durable: Vec<(u32, Option<EntryId>)>,
}

impl<D: Directory> CheckpointStore<D> {
    /// The checkpoints of `folder`, which need not exist.
    ///
    /// # Errors
    /// [`Error::Name`] if the folder's name leaves no room for a file's.
    pub fn new(dir: D, folder: Folder<'_>) -> Result<Self, Error<D::Error>> {
        let inside = name_of(folder, u32::MAX)?;
        Ok(Self { dir, inside, durable: Vec::new() })
    }

    /// The directory.
    pub const fn directory(&self) -> &D {
        &self.dir
    }

    fn folder(&self) -> Folder<'_> {
        self.inside.as_name().folder()
    }

    /// The file of a generation.
    ///
    /// # Errors
    /// Never in a folder that [`new`](Self::new) has accepted.
    pub fn path(&self, generation: u32) -> Result<NameBuf, Error<D::Error>> {
        Ok(name_of(self.folder(), generation)?)
    }

    /// The generations that have a file, lowest first, whole or not.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list(&self) -> Result<Vec<u32>, Error<D::Error>> {
        let mut generations = Vec::new();
        self.dir
            .list(self.folder(), &mut |file| generations.extend(generation_of(file)))
            .on(Operation::List, &self.inside)?;
        // A heap sorts with a tenth of the code of `sort`, which a small machine notices.
        Ok(BinaryHeap::from(generations).into_sorted_vec())
    }

    /// The highest generation that has a file, whole or not.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn newest(&self) -> Result<Option<u32>, Error<D::Error>> {
        Ok(self.list()?.last().copied())
    }

    /// The generation that [`create`](Self::create) takes: above all that have a file, also the unfinished ones.
    ///
    /// # Errors
    /// [`Error::Limit`] after 2^32 - 1 generations, [`Error::Store`].
    pub fn next_generation(&self) -> Result<u32, Error<D::Error>> {
        let newest = self.newest()?.unwrap_or(0);
        let limit = u64::from(u32::MAX);
        newest.checked_add(1).ok_or(Error::Limit {
            what: Limit::FileNumbers,
            found: limit.saturating_add(1),
            limit,
        })
    }

    /// Begins the checkpoint of the next generation.
    ///
    /// # Errors
    /// As [`next_generation`](Self::next_generation) and [`CheckpointWriter::create`].
    pub fn create(
        &self,
        meta: CheckpointMeta,
        options: CheckpointOptions,
    ) -> Result<(u32, CheckpointWriter<&D>), Error<D::Error>> {
        let generation = self.next_generation()?;
        let path = self.path(generation)?;
        let writer = CheckpointWriter::create(&self.dir, path.as_name(), meta, options)?;
        Ok((generation, writer))
    }

    /// Remembers that a checkpoint of this folder was finished by this process, so that [`remove_older`](Self::remove_older) need not read it.
    pub fn adopt(&mut self, finished: &CheckpointSummary) {
        if let Some(generation) = self.folder().holds(finished.path()).and_then(generation_of) {
            self.durable.push((generation, finished.meta().last_id));
        }
    }

    /// The last entry that each of the checkpoints includes that are known to be whole and durable; `None` is before the first entry, or that none is known.
    pub(crate) fn common_last_id(&self) -> Option<EntryId> {
        self.durable.iter().map(|&(_, last_id)| last_id).min().flatten()
    }

    /// Opens the checkpoint of a generation.
    ///
    /// # Errors
    /// As [`CheckpointReader::open`].
    pub fn open(
        &self,
        generation: u32,
        options: CheckpointOptions,
    ) -> Result<CheckpointReader<&D>, Error<D::Error>> {
        CheckpointReader::open(&self.dir, self.path(generation)?.as_name(), options)
    }

    /// Demands that the newest checkpoint, if there is one, is of this log: the folder of another must not be tidied.
    pub(crate) fn check_log(
        &self,
        expected: u64,
        options: CheckpointOptions,
    ) -> Result<(), Error<D::Error>> {
        for generation in self.list()?.into_iter().rev() {
            let meta = match self.open(generation, options) {
                Ok(reader) => reader.meta(),
                // It does not say of which log it is.
                Err(Error::Corrupt(_) | Error::Unfinished { .. }) => continue,
                Err(error) => return Err(error),
            };
            if meta.log_id == expected {
                return Ok(());
            }
            let kind = CorruptionKind::LogId { expected, found: meta.log_id };
            let (file, entry_id) = (self.path(generation)?, meta.last_id);
            return Err(Corruption { file, offset: 0, entry_id, kind }.into());
        }
        Ok(())
    }

    /// Reads a whole checkpoint and verifies it.
    ///
    /// # Errors
    /// As [`CheckpointReader::open`] and [`CheckpointReader::read`].
    pub fn verify(
        &self,
        generation: u32,
        options: CheckpointOptions,
    ) -> Result<CheckpointSummary, Error<D::Error>> {
        self.open(generation, options)?.verify()
    }

    /// Removes all checkpoints that are older than the newest `keep` whole ones; returns how many.
    ///
    /// What is not whole, unfinished or damaged, goes if a whole one is newer, and does not count. Those that count are made
    /// durable and verified before anything goes, unless this store has done so before or was [told](Self::adopt); they are read for that.
    ///
    /// **Durability.** After `Ok` the removals are durable. A crash in the middle leaves some of the older ones, which the next call
    /// removes. Nothing goes while fewer than one is whole.
    ///
    /// # Errors
    /// [`Error::BadOption`] if `keep` is 0, [`Error::Newer`], [`Error::NewerFrame`] or [`Error::Limit`] for a checkpoint that can be judged neither whole
    /// nor not, [`Error::Store`].
    pub fn remove_older(
        &mut self,
        keep: u32,
        options: CheckpointOptions,
    ) -> Result<u32, Error<D::Error>> {
        if keep == 0 {
            let max = u64::from(u32::MAX);
            return Err(Error::BadOption { option: "keep", found: 0, min: 1, max });
        }
        let generations = self.list()?;
        // What somebody else has removed is kept no more.
        self.durable.retain(|(generation, _)| generations.contains(generation));
        let (mut kept, mut doomed) = (0_u32, Vec::new());
        for &generation in generations.iter().rev() {
            if kept < keep && self.is_durable(generation, options)? {
                kept = kept.saturating_add(1);
            } else if kept > 0 {
                doomed.push(generation);
            }
        }
        if doomed.is_empty() {
            return Ok(0);
        }
        // Lowest first, so that what a crash leaves is the newer part.
        for &generation in doomed.iter().rev() {
            let path = self.path(generation)?;
            self.dir.remove(path.as_name()).on(Operation::Remove, &path)?; // crash: any of the doomed are left
        }
        self.durable.retain(|(generation, _)| !doomed.contains(generation));
        self.dir.sync_dir(self.folder()).on(Operation::SyncDir, &self.inside)?;
        Ok(u32::try_from(doomed.len()).unwrap_or(u32::MAX))
    }

    /// Removes the unfinished checkpoints above the newest whole one: what crashes left must not keep the room that the next one needs. Damaged
    /// ones stay.
    ///
    /// # Errors
    /// As [`remove_older`](Self::remove_older).
    pub fn remove_unfinished(&mut self, options: CheckpointOptions) -> Result<(), Error<D::Error>> {
        for generation in self.list()?.into_iter().rev() {
            if self.is_durable(generation, options)? {
                break;
            }
            if let Err(Error::Unfinished { file, .. }) = self.verify(generation, options) {
                // crash: it is there again, and as unfinished as before
                self.dir.remove(file.as_name()).on(Operation::Remove, &file)?;
            }
        }
        Ok(())
    }

    /// Removes the checkpoints that are `doomed` by their headers, and makes that durable. [`remove_older`](Self::remove_older) forgets those that are gone.
    pub(crate) fn remove_matching(
        &self,
        options: CheckpointOptions,
        doomed: impl Fn(CheckpointMeta) -> bool,
    ) -> Result<(), Error<D::Error>> {
        let mut removed = false;
        for generation in self.list()? {
            match self.open(generation, options) {
                Ok(reader) if doomed(reader.meta()) => {}
                Ok(_) | Err(Error::Corrupt(_) | Error::Unfinished { .. }) => continue,
                Err(error) => return Err(error),
            }
            let path = self.path(generation)?;
            self.dir.remove(path.as_name()).on(Operation::Remove, &path)?;
            removed = true;
        }
        if removed {
            self.dir.sync_dir(self.folder()).on(Operation::SyncDir, &self.inside)?;
        }
        Ok(())
    }

    /// Whether a checkpoint is whole, after making it durable: a process that was killed may have left it in a cache.
    fn is_durable(
        &mut self,
        generation: u32,
        options: CheckpointOptions,
    ) -> Result<bool, Error<D::Error>> {
        if self.durable.iter().any(|&(known, _)| known == generation) {
            return Ok(true);
        }
        let path = self.path(generation)?;
        self.dir.sync_file(path.as_name()).on(Operation::Sync, &path)?;
        self.dir.sync_dir(self.folder()).on(Operation::SyncDir, &path)?;
        match self.verify(generation, options) {
            Ok(whole) => {
                self.durable.push((generation, whole.meta().last_id));
                Ok(true)
            }
            Err(Error::Corrupt(_) | Error::Unfinished { .. }) => Ok(false),
            // Too large for these options, or of a later version: that is no reason to remove it.
            Err(error) => Err(error),
        }
    }
}

/// `XXXXXXXX.CKP` in a folder.
fn name_of(folder: Folder<'_>, generation: u32) -> Result<NameBuf, NameError> {
    NameBuf::join(folder, &numbered(generation, EXTENSION))
}

/// The generation of a file's name, if it is a checkpoint's.
fn generation_of(file: &str) -> Option<u32> {
    let digits = file.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let plain = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    if !plain || digits.len() != DIGITS {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().filter(|&generation| generation > 0)
}
