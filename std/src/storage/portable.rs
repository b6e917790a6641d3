//! `FsDirectory` on systems that are not Unix, through the standard library's paths alone.
//!
//! **Untested there.** Its logic is tested on Unix, under `--cfg durability_portable_fs`. Weaker than `unix.rs`: a symbolic
//! link is refused where one is found, but one that is put in place between the look and the use is followed.
//!
//! Must never be the choice where `unix.rs` works.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use durability_core::storage::Folder;

use super::FsRefusal;

/// The folder below which everything is resolved.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    /// Its own name is durable.
    named: AtomicBool,
}

/// A folder: the root, or one below it.
#[derive(Debug)]
pub(super) struct Handle<'a> {
    path: PathBuf,
    root: PhantomData<&'a Root>,
}

/// What tells a folder from another one that later has its name, where the system keeps the time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    created: Option<SystemTime>,
}

impl Root {
    /// Opens the folder, creates what is missing, and makes the names of what was created durable; the name of what is found waits for
    /// [`sync_name`](Self::sync_name).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut missing = Vec::new();
        let mut existing = path;
        while fs::metadata(existing).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            missing.push(existing);
            existing = existing.parent().ok_or(io::ErrorKind::NotFound)?;
        }
        let named = AtomicBool::new(!missing.is_empty());
        if !missing.is_empty() {
            sync_name_of(existing)?;
        }
        for path in missing.into_iter().rev() {
            create_folder(path)?;
            if let Some(above) = path.parent() {
                sync_folder(above)?;
            }
        }
        if !fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path: path.to_path_buf(), named })
    }

    /// Makes the root's own name durable, once: part of every sync of anything below it.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        if !self.named.load(Ordering::Acquire) {
            sync_name_of(&self.path)?;
            self.named.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Opens a folder; `None` if there is none.
    pub(super) fn folder(&self, folder: Folder<'_>) -> io::Result<Option<Handle<'_>>> {
        let mut path = self.path.clone();
        for component in components(folder) {
            path.push(component);
            if !is_folder(&path)? {
                return Ok(None);
            }
        }
        Ok(Some(Handle { path, root: PhantomData }))
    }

    /// Opens a folder, creating what is missing; tells about each creation.
    pub(super) fn make_folder(
        &self,
        folder: Folder<'_>,
        created: impl Fn(),
    ) -> io::Result<Handle<'_>> {
        let mut path = self.path.clone();
        for component in components(folder) {
            path.push(component);
            if !is_folder(&path)? {
                self.sync_name()?;
                create_folder(&path)?;
                created();
            }
        }
        Ok(Handle { path, root: PhantomData })
    }
}

impl Handle<'_> {
    /// Opens a file for reading; `None` if there is none.
    pub(super) fn open(&self, file: &str) -> io::Result<Option<File>> {
        self.open_with(file, OpenOptions::new().read(true))
    }

    /// Opens a file to sync it, which needs the right to write on some systems.
    pub(super) fn open_to_sync(&self, file: &str) -> io::Result<Option<File>> {
        self.open_with(file, OpenOptions::new().read(true).write(true))
    }

    /// Opens a file for writing, and for reading if `readable`; `None` if there is none.
    pub(super) fn reopen(&self, file: &str, readable: bool) -> io::Result<Option<File>> {
        self.open_with(file, OpenOptions::new().read(readable).write(true))
    }

    /// Creates a file for writing; `None` if the name is taken.
    pub(super) fn create(&self, file: &str) -> io::Result<Option<File>> {
        match OpenOptions::new().write(true).create_new(true).open(self.path.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            created => created.map(Some),
        }
    }

    /// Opens a file for reading and writing, creating it if it is missing.
    pub(super) fn open_lock(&self, file: &str) -> io::Result<File> {
        self.check(file)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(self.path.join(file))
    }

    /// Removes a file; fine if there is none.
    pub(super) fn remove(&self, file: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Calls `each` with the name of every regular file.
    pub(super) fn list(&self, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let (Some(name), true) = (entry.file_name().to_str(), entry.file_type()?.is_file()) {
                each(name);
            }
        }
        Ok(())
    }

    /// Renames a file, replacing the one that has the new name.
    pub(super) fn rename(&self, from: &str, to_folder: &Self, to: &str) -> io::Result<()> {
        self.check(from)?;
        fs::rename(self.path.join(from), to_folder.path.join(to))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.path)
    }

    /// What tells the folder from another one that later has its name.
    pub(super) fn identity(&self) -> io::Result<Identity> {
        Ok(Identity { created: fs::metadata(&self.path)?.created().ok() })
    }

    fn open_with(&self, file: &str, options: &OpenOptions) -> io::Result<Option<File>> {
        if !self.check(file)? {
            return Ok(None);
        }
        match options.open(self.path.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Whether there is a regular file of this name; an error if something else has it.
    fn check(&self, file: &str) -> io::Result<bool> {
        match fs::symlink_metadata(self.path.join(file)) {
            Ok(found) if found.is_symlink() => Err(FsRefusal::SymbolicLink.into()),
            Ok(found) if !found.is_file() => Err(FsRefusal::NotAFile.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// There is no such advice here.
pub(super) fn advise_sequential(_: &File) {}

/// Reads at an offset. Moves the cursor, which nothing else uses.
pub(super) fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}

/// Writes at an offset. Moves the cursor, which nothing else uses.
pub(super) fn write_at(mut file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.write(data)
}

/// There is no portable way to drop what the system has cached.
#[allow(clippy::unnecessary_wraps)] // as on Unix, where it can fail
pub(super) fn drop_cached(_file: &File) -> io::Result<()> {
    Ok(())
}

/// There is no portable way to ask for a process.
pub(super) fn is_gone(_process: u32) -> bool {
    false
}

fn components(folder: Folder<'_>) -> impl Iterator<Item = &str> {
    folder.as_str().split('/').filter(|component| !component.is_empty())
}

/// Whether there is a folder of this name; an error if something else has it.
fn is_folder(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(FsRefusal::SymbolicLink.into()),
        Ok(found) if !found.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Somebody else's folder, and its name: as far as we may.
fn sync_name_of(folder: &Path) -> io::Result<()> {
    match folder.parent().map(sync_folder) {
        Some(Err(error)) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Windows opens a folder only with this flag, and flushes only what was opened for writing.
#[cfg(windows)]
fn sync_folder(path: &Path) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.open(path)?.sync_all()
}

#[cfg(not(windows))]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
