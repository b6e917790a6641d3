//! The directory with a flaw.
//!
//! Must never misbehave in more than the one way that was planted.

use durability_core::embedded_io::{Read as _, Write as _};
use durability_core::storage::{
    AppendFile as _, Capabilities, Directory, Folder, Locking, Name, NameBuf, ReadFile as _,
};

use super::state::Plant;
use super::{Flaw, FlawedAppender, FlawedError, FlawedReader};
use crate::shared::{lock, offset};

/// A directory with one [`Flaw`], over a backend that can rename, reopen and read beside the appender.
///
/// With `HONEST` false its "unsupported" error is mislabelled, which is [`Flaw::UnsupportedIsMislabelled`].
#[derive(Debug)]
pub struct Flawed<D, const HONEST: bool = true> {
    inner: D,
    plant: Plant,
}

impl<D> Flawed<D> {
    /// Plants a flaw.
    pub fn new(inner: D, flaw: Flaw) -> Self {
        Self { inner, plant: Plant { flaw: Some(flaw), state: <_>::default() } }
    }

    /// Plants none: whatever the suite finds is the wrapper's fault or the backend's.
    pub fn flawless(inner: D) -> Self {
        Self { inner, plant: Plant { flaw: None, state: <_>::default() } }
    }
}

impl<D> Flawed<D, false> {
    /// Plants [`Flaw::UnsupportedIsMislabelled`].
    pub fn mislabelled(inner: D) -> Self {
        let flaw = Some(Flaw::UnsupportedIsMislabelled);
        Self { inner, plant: Plant { flaw, state: <_>::default() } }
    }
}

/// A lock with a flaw.
#[derive(Debug)]
pub struct FlawedLock<L> {
    inner: Option<L>,
    leaks: bool,
}

impl<L> Drop for FlawedLock<L> {
    fn drop(&mut self) {
        if self.leaks {
            core::mem::forget(self.inner.take());
        }
    }
}

type Result<T, D, const HONEST: bool> =
    core::result::Result<T, FlawedError<<D as Directory>::Error, HONEST>>;

impl<D: Directory, const HONEST: bool> Flawed<D, HONEST> {
    fn is(&self, flaw: Flaw) -> bool {
        self.plant.is(flaw)
    }

    /// The name that the backend gets to see.
    fn name(&self, name: Name<'_>) -> NameBuf {
        let (folder, file) = match self.plant.flaw {
            Some(Flaw::FoldersAreFlattened) => (Folder::ROOT, name.file().to_owned()),
            Some(Flaw::NamesAreCut) => (name.folder(), cut(name.file())),
            _ => (name.folder(), name.file().to_owned()),
        };
        NameBuf::join(folder, &file).unwrap_or_else(|_| name.into())
    }

    fn backend<T>(result: core::result::Result<T, D::Error>) -> Result<T, D, HONEST> {
        result.map_err(FlawedError::Backend)
    }

    fn exists(&self, name: Name<'_>) -> Result<bool, D, HONEST> {
        Ok(Self::backend(self.inner.open(name))?.is_some())
    }

    fn content(&self, name: Name<'_>) -> Result<Option<Vec<u8>>, D, HONEST> {
        let Some(mut file) = Self::backend(self.inner.open(name))? else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut buffer = [0; 256];
        loop {
            let count = Self::backend(file.read(&mut buffer))?;
            if count == 0 {
                return Ok(Some(bytes));
            }
            bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    }

    /// Puts bytes there at once, over those of a file that has the name.
    fn put(&self, name: Name<'_>, mut bytes: &[u8]) -> Result<(), D, HONEST> {
        let created = Self::backend(self.inner.create(name, 0))?;
        let file = match created {
            Some(file) => Some(file),
            None => Self::backend(self.inner.reopen(name, 0))?,
        };
        let Some(mut file) = file else { return Ok(()) };
        while !bytes.is_empty() {
            let count = Self::backend(file.write(bytes))?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn appender(&self, inner: D::Appender) -> FlawedAppender<D::Appender, HONEST> {
        let position = inner.position();
        FlawedAppender { inner, plant: self.plant.clone(), position, last: Vec::new() }
    }

    fn is_folder_empty(&self, folder: Folder<'_>) -> Result<bool, D, HONEST> {
        let mut files = 0;
        Self::backend(self.inner.list(folder, &mut |_| files += 1))?;
        Ok(files == 0)
    }

    /// What must be in a new file for flaws that put something there; `None` leaves it alone.
    fn room(&self, name: Name<'_>, reserve: u64) -> Option<Vec<u8>> {
        let length = usize::try_from(reserve).unwrap_or(0);
        let mut state = lock(&self.plant.state);
        match self.plant.flaw? {
            Flaw::RoomIsJunk if length > 0 => Some(vec![0xA5; length]),
            Flaw::RoomShowsOlderBytes if length > 0 => Some(state.removed.clone()),
            Flaw::RemovedBytesReturn if state.hidden.remove(name.as_str()) => {
                Some(state.removed.clone())
            }
            _ => None,
        }
    }

    /// What flaws do before a file is created.
    fn before_create(&self, name: Name<'_>) -> Result<(), D, HONEST> {
        match self.plant.flaw {
            Some(Flaw::CreateReplaces) => Self::backend(self.inner.remove(name)),
            Some(Flaw::TakenNameIsAnError) if self.exists(name)? => Err(FlawedError::Planted),
            Some(Flaw::CreateNeedsAFolder)
                if !name.folder().is_root() && self.is_folder_empty(name.folder())? =>
            {
                Err(FlawedError::Planted)
            }
            Some(Flaw::OldestOfManyVanishes) => {
                let first = lock(&self.plant.state).created.first().cloned();
                let many = lock(&self.plant.state).created.len() >= 8;
                let first = first.filter(|_| many);
                match first.as_deref().map(Name::new) {
                    Some(Ok(first)) => Self::backend(self.inner.remove(first)),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Lists what this flaw adds to a listing.
    fn extras(&self, folder: Folder<'_>) -> Vec<String> {
        let created = lock(&self.plant.state).created.clone();
        let names = created.iter().filter_map(|name| Name::new(name).ok());
        let live = |name: &Name<'_>| self.exists(*name).unwrap_or(false);
        let mut extras: Vec<String> = match self.plant.flaw {
            Some(Flaw::ListDescends) => names
                .filter(|name| folder.is_root() && !name.folder().is_root() && live(name))
                .map(|name| name.file().to_owned())
                .collect(),
            Some(Flaw::ListMatchesPrefixes) => names
                .filter(|name| !folder.is_root() && name.folder() != folder && live(name))
                .filter(|name| name.as_str().starts_with(folder.as_str()))
                .map(|name| name.file().to_owned())
                .collect(),
            Some(Flaw::ListShowsFolders) => names
                .filter(|name| name.folder().parent() == Some(folder) && live(name))
                .map(|name| name.folder().as_str().to_owned())
                .collect(),
            Some(Flaw::ListRemembersTheRemoved) => names
                .filter(|name| !live(name))
                .filter_map(|name| folder.holds(name).map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        extras.dedup();
        extras
    }
}

/// Cuts a file name to 8.3.
fn cut(file: &str) -> String {
    let (stem, extension) = file.rsplit_once('.').unwrap_or((file, "BIN"));
    let part = |text: &str, most: usize| text.get(..most).unwrap_or(text).to_owned();
    format!("{}.{}", part(stem, 8).trim_end_matches('.'), part(extension, 3))
}

impl<D: Directory, const HONEST: bool> Directory for Flawed<D, HONEST> {
    type Error = FlawedError<D::Error, HONEST>;
    type Reader = FlawedReader<D::Reader, HONEST>;
    type Appender = FlawedAppender<D::Appender, HONEST>;
    type Lock = FlawedLock<D::Lock>;

    fn capabilities(&self) -> Capabilities {
        let told = self.inner.capabilities();
        let used = !lock(&self.plant.state).created.is_empty();
        match self.plant.flaw {
            Some(Flaw::GranuleIsTwelve) => told.with_write_granule(12),
            Some(Flaw::GranuleIsZero) => told.with_write_granule(0),
            Some(Flaw::GranuleIsHuge) => told.with_write_granule(512),
            Some(Flaw::TearUnitIsZero) => told.with_tear_unit(0),
            Some(Flaw::SegmentExceedsTheLargestFile) => {
                told.with_file_bytes_max(4096).with_segment_bytes(8192)
            }
            Some(Flaw::CapabilitiesChange) if used => told.with_tear_unit(4096),
            Some(Flaw::WriteSplitsGranules) => told.with_write_granule(16),
            Some(Flaw::ReopenIsUnannounced) => {
                Capabilities::new().with_rename().with_read_while_appending()
            }
            Some(Flaw::RenameIsUnannounced) => {
                Capabilities::new().with_reopen().with_read_while_appending()
            }
            _ => told,
        }
    }

    fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, D, HONEST> {
        let name = self.name(name);
        if lock(&self.plant.state).hidden.contains(name.as_name().as_str()) {
            return Ok(None);
        }
        let Some(mut inner) = Self::backend(self.inner.open(name.as_name()))? else {
            if self.is(Flaw::AbsenceIsAnError) {
                return Err(FlawedError::Planted);
            }
            if self.is(Flaw::OpenCreates) {
                self.put(name.as_name(), &[])?;
            }
            return Ok(None);
        };
        let length = Self::backend(inner.len())?;
        lock(&self.plant.state).cursor = 0;
        let files = lock(&self.plant.state).created.len();
        Ok(Some(FlawedReader { inner, plant: self.plant.clone(), files, length, cursor: 0 }))
    }

    fn create(&self, name: Name<'_>, reserve: u64) -> Result<Option<Self::Appender>, D, HONEST> {
        let name = self.name(name);
        let name = name.as_name();
        self.before_create(name)?;
        let room = self.room(name, reserve);
        if room.is_none() && self.exists(name)? {
            return Ok(None);
        }
        self.put(name, &room.unwrap_or_default())?;
        lock(&self.plant.state).created.push(name.as_str().to_owned());
        let mut appender = Self::backend(self.inner.reopen(name, 0))?;
        if self.is(Flaw::RoomMovesThePosition) && reserve > 0 {
            let zeros = vec![0; usize::try_from(reserve).unwrap_or(0)];
            self.put(name, &zeros)?;
            appender = Self::backend(self.inner.reopen(name, offset(zeros.len())))?;
        }
        Ok(appender.map(|inner| self.appender(inner)))
    }

    fn reopen(&self, name: Name<'_>, at: u64) -> Result<Option<Self::Appender>, D, HONEST> {
        let name = self.name(name);
        let name = name.as_name();
        let Some(content) = self.content(name)? else {
            let planted = self.is(Flaw::ReopenOfNothingIsAnError);
            return if planted { Err(FlawedError::Planted) } else { Ok(None) };
        };
        let mut from = at;
        match self.plant.flaw {
            Some(Flaw::ReopenClearsWhatLiesBelow) => self.put(name, &vec![0; content.len()])?,
            Some(Flaw::ReopenGoesToTheEnd) => from = offset(content.len()),
            Some(Flaw::RefusedReopenLosesTheFile) if at < offset(content.len()) => {
                self.put(name, &vec![0; content.len()])?;
                return Err(FlawedError::Unsupported);
            }
            _ => {}
        }
        let inner = Self::backend(self.inner.reopen(name, from))?;
        let mut appender = inner.map(|inner| self.appender(inner));
        if let Some(appender) = &mut appender {
            appender.position = at;
        }
        Ok(appender)
    }

    fn remove(&self, name: Name<'_>) -> Result<(), D, HONEST> {
        let name = self.name(name);
        let name = name.as_name();
        let content = self.content(name)?;
        match self.plant.flaw {
            Some(Flaw::RemoveDoesNothing) => return Ok(()),
            Some(Flaw::RemoveOfNothingIsAnError) if content.is_none() => {
                return Err(FlawedError::Planted);
            }
            Some(Flaw::RemoveTakesTheFolder) => {
                for other in self.extras_in(name.folder()) {
                    Self::backend(self.inner.remove(other.as_name()))?;
                }
            }
            Some(Flaw::RemovedBytesReturn) if content.is_some() => {
                lock(&self.plant.state).hidden.insert(name.as_str().to_owned());
            }
            _ => {}
        }
        if let Some(content) = content {
            lock(&self.plant.state).removed = content;
        }
        Self::backend(self.inner.remove(name))
    }

    fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), D, HONEST> {
        let mut first = true;
        let listed = self.inner.list(folder, &mut |file| {
            let path = NameBuf::join(folder, file);
            match (self.plant.flaw, path) {
                (Some(Flaw::ListForgetsOne), _) if first => {}
                (Some(Flaw::ListGivesPaths), Ok(path)) => each(path.as_name().as_str()),
                _ => each(file),
            }
            if self.is(Flaw::ListRepeats) {
                each(file);
            }
            first = false;
        });
        Self::backend(listed)?;
        self.extras(folder).iter().for_each(|extra| each(extra));
        Ok(())
    }

    fn sync_file(&self, name: Name<'_>) -> Result<(), D, HONEST> {
        let name = self.name(name);
        let name = name.as_name();
        let content = self.content(name)?;
        match (self.plant.flaw, content) {
            (Some(Flaw::SyncFileOfNothingIsFine), None) => Ok(()),
            (Some(Flaw::SyncFileCreates), None) => {
                self.put(name, &[])?;
                Err(FlawedError::Planted)
            }
            (Some(Flaw::SyncFileEmpties), Some(content)) => self.put(name, &vec![0; content.len()]),
            _ => Self::backend(self.inner.sync_file(name)),
        }
    }

    fn sync_dir(&self, folder: Folder<'_>) -> Result<(), D, HONEST> {
        let planted = match self.plant.flaw {
            Some(Flaw::SyncDirFails) => !lock(&self.plant.state).removed.is_empty(),
            Some(Flaw::SyncDirNeedsAFolder) => !folder.is_root() && self.is_folder_empty(folder)?,
            _ => false,
        };
        if planted { Err(FlawedError::Planted) } else { Self::backend(self.inner.sync_dir(folder)) }
    }

    fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, D, HONEST> {
        let one = NameBuf::join(Folder::ROOT, "LOCK").unwrap_or_else(|_| name.into());
        let name = if self.is(Flaw::LockIgnoresItsName) { one } else { name.into() };
        let leaks = self.is(Flaw::LockIsNeverReleased);
        Ok(match Self::backend(self.inner.lock(name.as_name()))? {
            Locking::Acquired(guard) => Locking::Acquired(FlawedLock { inner: Some(guard), leaks }),
            Locking::Held { .. } if self.is(Flaw::LockExcludesNobody) => {
                Locking::Acquired(FlawedLock { inner: None, leaks })
            }
            Locking::Held { .. } if self.is(Flaw::LockNamesAStranger) => {
                Locking::Held { holder: Some(std::process::id().wrapping_add(1)) }
            }
            Locking::Held { holder } => Locking::Held { holder },
        })
    }

    fn nonce(&self) -> u64 {
        if self.is(Flaw::NonceRepeats) { 4 } else { self.inner.nonce() }
    }

    fn rename(&self, from: Name<'_>, to: Name<'_>) -> Result<(), D, HONEST> {
        let source = self.content(from)?;
        match (self.plant.flaw, source) {
            (Some(Flaw::RenameOfNothingIsFine), None) => Ok(()),
            (Some(Flaw::RenameOfNothingRemovesTheTarget), None) => {
                Self::backend(self.inner.remove(to))?;
                Err(FlawedError::Planted)
            }
            (Some(Flaw::RenameCopies), Some(source)) => {
                Self::backend(self.inner.remove(to))?;
                self.put(to, &source)
            }
            (Some(Flaw::RenameKeepsTheTarget), Some(_)) if self.exists(to)? => {
                Self::backend(self.inner.remove(from))
            }
            (Some(Flaw::RenameLeavesTheTail), Some(source)) => {
                self.put(to, &source)?;
                Self::backend(self.inner.remove(from))
            }
            _ => Self::backend(self.inner.rename(from, to)),
        }
    }

    fn file_path(&self, name: Name<'_>) -> Option<String> {
        self.inner.file_path(name)
    }
}

impl<D: Directory, const HONEST: bool> Flawed<D, HONEST> {
    /// Every live file of a folder.
    fn extras_in(&self, folder: Folder<'_>) -> Vec<NameBuf> {
        let mut names = Vec::new();
        let listed = self.inner.list(folder, &mut |file| {
            names.extend(NameBuf::join(folder, file).ok());
        });
        if listed.is_err() {
            names.clear();
        }
        names
    }
}
