//! Operating-system paths of files, for tools and messages.
//!
//! Must never be how this library itself reaches a file: a path can be redirected while it is walked.

use alloc::sync::Arc;
use std::path::{Path, PathBuf};

use durability_core::storage::{Directory, Folder, Name, NameBuf};

/// The operating system's path of the file at `path` in a directory; `None` where there is none (a directory in memory
/// or on flash), where it is not Unicode, and for a bad `path`.
///
/// Reading or writing through it is outside every guarantee.
///
/// ```
/// use durability::storage::{FsDirectory, MemoryDirectory, file_path};
/// # let scratch = tempfile::tempdir()?;
/// let dir = FsDirectory::new(scratch.path())?;
/// assert!(file_path(&dir, "wal/LOCK").is_some_and(|path| path.ends_with("wal/LOCK")));
/// assert_eq!(file_path(&dir, "../LOCK"), None);
/// assert_eq!(file_path(&MemoryDirectory::new(), "wal/LOCK"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn file_path<D: Directory + ?Sized>(dir: &D, path: &str) -> Option<PathBuf> {
    dir.file_path(Name::new(path).ok()?).map(PathBuf::from)
}

/// Where an open file is, for its errors only; spelled out when one happens.
#[derive(Debug, Clone)]
pub(super) struct FileLocation {
    root: Arc<Path>,
    name: NameBuf,
}

impl FileLocation {
    pub(super) fn new(root: &Arc<Path>, name: Name<'_>) -> Self {
        Self { root: Arc::clone(root), name: name.into() }
    }

    pub(super) fn path(&self) -> PathBuf {
        path_of_file(&self.root, self.name.as_name())
    }
}

pub(super) fn path_of_file(root: &Path, name: Name<'_>) -> PathBuf {
    join(root, name.as_str())
}

pub(super) fn path_of_folder(root: &Path, folder: Folder<'_>) -> PathBuf {
    join(root, folder.as_str())
}

/// Component by component, so that the system's own separator is used.
fn join(root: &Path, relative: &str) -> PathBuf {
    let mut path = root.to_path_buf();
    path.extend(relative.split('/').filter(|component| !component.is_empty()));
    path
}
