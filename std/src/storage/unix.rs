//! The Unix side of `FsDirectory`: every name is resolved below an open descriptor, component by component.
//!
//! Must never hand a path with a separator to the system, nor follow a symbolic link below the root.
//!
//! `rustix` gives the `*at` calls without `unsafe`, and nothing more. `cap-std` was weighed: it allows symbolic links that
//! stay inside, which is more than a log needs and costs several crates. So was `openat2(RESOLVE_BENEATH)`: Linux 5.6 and
//! later only, and refused by some sandboxes, so that this walk would be needed beside it, and tested less. Names are at most
//! eight components deep, the core's own files two.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use durability_core::storage::Folder;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode};
use rustix::io::{Errno, retry_on_intr};
use rustix::path::Arg;

use super::FsRefusal;

/// How folders are opened. The last flag keeps a symbolic link from being followed.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
/// How files are opened, besides the access wanted. `NONBLOCK` changes nothing for a file, and keeps a pipe that has the
/// file's name from blocking for ever.
const FILE: OFlags =
    OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// Others never get to write, whatever the umask; the group does if the umask lets it.
const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::ROTH).union(Mode::XOTH);
const FILE_MODE: Mode =
    Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::WGRP).union(Mode::ROTH);

/// The open folder below which everything is resolved.
#[derive(Debug)]
pub(super) struct Root {
    folder: File,
    /// Its own name is durable.
    named: AtomicBool,
}

/// An open folder: the root, or one below it.
#[derive(Debug)]
pub(super) enum Handle<'a> {
    /// The root, which stays open.
    Root(&'a File),
    /// One opened for this operation.
    Below(File),
}

/// What tells a folder from another one that later has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    /// Numbers of inodes are used again, often at once; most file systems keep this, too.
    created: Option<SystemTime>,
}

impl Root {
    /// Opens the folder, which the caller chose and whose path may hold links. Creates what is missing, and makes that durable at once; the name of
    /// what is found waits for [`sync_name`](Self::sync_name).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut missing = Vec::new();
        let mut existing = path;
        let mut folder = loop {
            match open_trusted(existing) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing.push(existing);
                    existing = existing.parent().ok_or(error)?;
                }
                opened => break opened?,
            }
        };
        if missing.is_empty() {
            return Ok(Self { folder, named: AtomicBool::new(false) });
        }
        sync_found_name_of(&folder)?;
        for path in missing.into_iter().rev() {
            match rustix::fs::mkdir(path, FOLDER_MODE) {
                // Somebody else was faster; the sync below covers their creation as well.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            if !planted!(FsRootUnsynced) {
                folder.sync_all()?;
            }
            folder = open_trusted(path)?;
        }
        Ok(Self { folder, named: AtomicBool::new(true) })
    }

    /// Makes the root's own name durable, once: part of every sync of anything below it.
    ///
    /// Whoever created this folder may have died before syncing its name. Those above it are durable if it was created as in
    /// [`open`](Self::open): each folder's name is made durable before a folder is created in it.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        // Two threads may both do it, which does no harm.
        if !self.named.load(Ordering::Acquire) {
            sync_found_name_of(&self.folder)?;
            self.named.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Opens a folder; `None` if there is none.
    pub(super) fn folder(&self, folder: Folder<'_>) -> io::Result<Option<Handle<'_>>> {
        let mut handle = Handle::Root(&self.folder);
        for component in components(folder) {
            match open_folder(handle.file(), component)? {
                Some(below) => handle = Handle::Below(below),
                None => return Ok(None),
            }
        }
        Ok(Some(handle))
    }

    /// Opens a folder, creating what is missing; tells about each creation.
    pub(super) fn make_folder(
        &self,
        folder: Folder<'_>,
        created: impl Fn(),
    ) -> io::Result<Handle<'_>> {
        let mut handle = Handle::Root(&self.folder);
        for component in components(folder) {
            handle = Handle::Below(self.make_one(handle.file(), component, &created)?);
        }
        Ok(handle)
    }

    fn make_one(&self, above: &File, component: &str, created: impl Fn()) -> io::Result<File> {
        if let Some(folder) = open_folder(above, component)? {
            return Ok(folder);
        }
        // It may be the root of another directory one day, which is content with its own name.
        self.sync_name()?;
        match rustix::fs::mkdirat(above, component, FOLDER_MODE) {
            Ok(()) => created(),
            // Somebody else was faster.
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        open_folder(above, component)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Handle<'_> {
    fn file(&self) -> &File {
        match self {
            Self::Root(file) => file,
            Self::Below(file) => file,
        }
    }

    /// Opens a file for reading; `None` if there is none.
    pub(super) fn open(&self, file: &str) -> io::Result<Option<File>> {
        open_file(self.file(), file, OFlags::RDONLY)
    }

    /// Opens a file to sync it, which needs no right to write here.
    pub(super) fn open_to_sync(&self, file: &str) -> io::Result<Option<File>> {
        self.open(file)
    }

    /// Opens a file for writing, and for reading if `readable`; `None` if there is none.
    pub(super) fn reopen(&self, file: &str, readable: bool) -> io::Result<Option<File>> {
        open_file(self.file(), file, if readable { OFlags::RDWR } else { OFlags::WRONLY })
    }

    /// Creates a file for writing; `None` if the name is taken, by a symbolic link too.
    pub(super) fn create(&self, file: &str) -> io::Result<Option<File>> {
        let flags = FILE | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        match retry_on_intr(|| rustix::fs::openat(self.file(), file, flags, FILE_MODE)) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::EXIST) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file for reading and writing, creating it if it is missing.
    pub(super) fn open_lock(&self, file: &str) -> io::Result<File> {
        open_file(self.file(), file, OFlags::RDWR | OFlags::CREATE)?
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Removes a file; fine if there is none. A symbolic link is removed itself.
    pub(super) fn remove(&self, file: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(self.file(), file, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Calls `each` with the name of every regular file.
    pub(super) fn list(&self, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        // Opens the folder anew: a position of its own, whatever else is listing.
        for entry in Dir::read_from(self.file())? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let found = match entry.file_type() {
                // Not every file system says in the listing.
                FileType::Unknown => self.type_of(entry.file_name())?,
                known => Some(known),
            };
            if found == Some(FileType::RegularFile) {
                each(name);
            }
        }
        Ok(())
    }

    /// Renames a file, replacing the one that has the new name.
    pub(super) fn rename(&self, from: &str, to_folder: &Self, to: &str) -> io::Result<()> {
        // A folder or a link would be renamed as gladly.
        if self.type_of(from)?.is_some_and(|found| found != FileType::RegularFile) {
            return Err(FsRefusal::NotAFile.into());
        }
        Ok(rustix::fs::renameat(self.file(), from, to_folder.file(), to)?)
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file().sync_all()
    }

    /// What tells the folder from another one that later has its name.
    pub(super) fn identity(&self) -> io::Result<Identity> {
        let metadata = self.file().metadata()?;
        let created = metadata.created().ok();
        Ok(Identity { device: metadata.dev(), inode: metadata.ino(), created })
    }

    /// What has this name; `None` if it has gone.
    fn type_of(&self, name: impl Arg) -> io::Result<Option<FileType>> {
        match rustix::fs::statat(self.file(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(file_type(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads at an offset.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Writes at an offset, in one system call.
pub(super) fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(data, offset)
}

/// Drops what the system has cached of a file, which must have been synced.
pub(super) fn drop_cached(file: &File) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?;
    let _ = file;
    Ok(())
}

/// Tells the system that the file is read from its beginning to its end. Advice: whether it is taken does not matter.
pub(super) fn advise_sequential(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
    let _ = file;
}

/// Whether there is certainly no process of this id.
pub(super) fn is_gone(process: u32) -> bool {
    let id = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    id.is_none_or(|id| rustix::process::test_kill_process(id) == Err(Errno::SRCH))
}

fn components(folder: Folder<'_>) -> impl Iterator<Item = &str> {
    folder.as_str().split('/').filter(|component| !component.is_empty())
}

/// Opens the root or a folder above it, by a path that the caller chose.
fn open_trusted(path: &Path) -> io::Result<File> {
    let flags = FOLDER.difference(OFlags::NOFOLLOW);
    Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?.into())
}

/// The name of a folder that somebody else has created.
fn sync_found_name_of(folder: &File) -> io::Result<()> {
    if planted!(FsFoundRootUnsynced) {
        return Ok(());
    }
    sync_name_of(folder)
}

/// Makes the name of a folder durable that somebody created, as far as we may.
fn sync_name_of(folder: &File) -> io::Result<()> {
    let forbidden = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    };
    // Not by its path, which may lead through links: the folder that really holds it.
    let flags = FOLDER;
    let above: io::Result<File> =
        retry_on_intr(|| rustix::fs::openat(folder, c"..", flags, Mode::empty()))
            .map(File::from)
            .map_err(io::Error::from);
    let above = match above {
        Err(error) if forbidden(&error) => return Ok(()),
        opened => opened?,
    };
    // The root of a mounted file system has no name in it.
    if above.metadata()?.dev() != folder.metadata()?.dev() {
        return Ok(());
    }
    match above.sync_all() {
        Err(error) if forbidden(&error) => Ok(()),
        synced => synced,
    }
}

fn open_folder(above: &File, component: &str) -> io::Result<Option<File>> {
    let links = if planted!(FsLinkFollowed) { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = FOLDER.difference(links);
    match retry_on_intr(|| rustix::fs::openat(above, component, flags, Mode::empty())) {
        Ok(folder) => Ok(Some(folder.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(explain(above, component, error)),
    }
}

fn open_file(folder: &File, file: &str, access: OFlags) -> io::Result<Option<File>> {
    let opened: File =
        match retry_on_intr(|| rustix::fs::openat(folder, file, FILE | access, FILE_MODE)) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            // A pipe that nobody reads.
            Err(Errno::NXIO) => return Err(FsRefusal::NotAFile.into()),
            Err(error) => return Err(explain(folder, file, error)),
        };
    if !opened.metadata()?.is_file() {
        return Err(FsRefusal::NotAFile.into());
    }
    Ok(Some(opened))
}

/// Tells a symbolic link in the way, which the system reports in several ways, from every other failure.
fn explain(folder: &File, component: &str, error: Errno) -> io::Error {
    let is_link = rustix::fs::readlinkat(folder.as_fd(), component, Vec::new()).is_ok();
    if is_link { FsRefusal::SymbolicLink.into() } else { error.into() }
}

/// The type's width differs from system to system.
fn file_type(mode: impl Into<RawMode>) -> FileType {
    FileType::from_raw_mode(mode.into())
}
