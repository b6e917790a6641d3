//! Barriers by path: make one file, or one name, durable, for callers that hold no open file of this library.
//!
//! Must never report success for a barrier that the backend does not have.

use core::fmt;

use super::{Directory, Name, NameError, StoreError};

/// What a durable operation was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DurableStep {
    /// Creating the temporary file.
    Create,
    /// Writing the content to it.
    Write,
    /// Syncing the content.
    SyncFile,
    /// Renaming.
    Rename,
    /// Syncing the names in a folder.
    SyncDir,
}

impl fmt::Display for DurableStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "creating a temporary file",
            Self::Write => "writing the content",
            Self::SyncFile => "syncing the file",
            Self::Rename => "renaming",
            Self::SyncDir => "syncing the folder",
        })
    }
}

/// Why a durable operation on a path failed.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DurableError<E> {
    /// The path is no name of a file in a directory; nothing was done.
    #[error("not a file name: {0}")]
    Name(#[from] NameError),
    /// The path has the form of the temporary files that
    /// [`atomic_write_durable`](super::DurableDirectory::atomic_write_durable) makes, and would be cleaned up as
    /// one; nothing was done.
    #[error("the name has the form of a temporary file, which may be removed at any time")]
    TemporaryName,
    /// The backend does not have this step.
    #[error("{step} is not supported by this directory")]
    NotSupported {
        /// The step that is missing.
        step: DurableStep,
    },
    /// Every temporary name that was tried is taken: the backend's nonces repeat. Nothing was done.
    #[error("every temporary name tried is taken")]
    NoFreeName,
    /// The backend accepted no byte of a write, and reported no error.
    #[error("a write wrote nothing")]
    WroteNothing,
    /// The backend failed.
    #[error("{step} failed: {source}")]
    Backend {
        /// The step that failed.
        step: DurableStep,
        /// The backend's own error.
        source: E,
    },
}

impl<E: StoreError> DurableError<E> {
    /// An error of the backend in a step, told apart from a step that the backend does not have.
    pub(super) fn at(step: DurableStep) -> impl Fn(E) -> Self {
        move |source| {
            if source.is_unsupported() {
                Self::NotSupported { step }
            } else {
                Self::Backend { step, source }
            }
        }
    }
}

/// Makes durable what a reader opened after this call will read from the file at `path`, whoever wrote it.
///
/// **Durability.** After `Ok`, the file's content survives power loss, *provided* that its name is durable too
/// ([`sync_parent_dir`]). After `Err`, nothing is known of what was written since the last good sync, and trying again
/// proves nothing. See [`Directory::sync_file`].
///
/// # Errors
/// [`DurableError::Name`] for a bad path, [`DurableError::NotSupported`] where the backend has no such barrier,
/// [`DurableError::Backend`] for its failure; a missing file is one.
///
/// ```
/// use durability_core::embedded_io::Write;
/// use durability_core::storage::{Directory, MemoryDirectory, Name, sync_file, sync_parent_dir};
/// let dir = MemoryDirectory::new();
/// if let Some(mut file) = dir.create(Name::new("wal/a")?, 0)? {
///     file.write(b"bytes")?;
/// }
/// sync_file(&dir, "wal/a")?;
/// sync_parent_dir(&dir, "wal/a")?;
/// assert!(sync_file(&dir, "../a").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sync_file<D>(dir: &D, path: &str) -> Result<(), DurableError<D::Error>>
where
    D: Directory + ?Sized,
{
    dir.sync_file(Name::new(path)?).map_err(DurableError::at(DurableStep::SyncFile))
}

/// Makes durable every creation, renaming and removal so far in the folder that holds `path`, and the names of that
/// folder and of those above it.
///
/// The file at `path` need not exist: this is the barrier after removing it, too.
///
/// **Durability.** After `Ok`, power loss cannot bring back what was removed there, nor lose what was created. After
/// `Err`, each of those names may be kept or lost on its own. See [`Directory::sync_dir`].
///
/// # Errors
/// [`DurableError::Name`] for a bad path, [`DurableError::NotSupported`] where the backend has no such barrier,
/// [`DurableError::Backend`] for its failure.
pub fn sync_parent_dir<D>(dir: &D, path: &str) -> Result<(), DurableError<D::Error>>
where
    D: Directory + ?Sized,
{
    dir.sync_dir(Name::new(path)?.folder()).map_err(DurableError::at(DurableStep::SyncDir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Capabilities, Folder, Locking, MemoryDirectory, MemoryError};

    /// A backend without barriers.
    struct Bare(MemoryDirectory);

    impl Directory for Bare {
        type Error = MemoryError;
        type Reader = <MemoryDirectory as Directory>::Reader;
        type Appender = <MemoryDirectory as Directory>::Appender;
        type Lock = <MemoryDirectory as Directory>::Lock;

        fn capabilities(&self) -> Capabilities {
            Capabilities::new()
        }
        fn open(&self, name: Name<'_>) -> Result<Option<Self::Reader>, MemoryError> {
            self.0.open(name)
        }
        fn create(&self, name: Name<'_>, room: u64) -> Result<Option<Self::Appender>, MemoryError> {
            self.0.create(name, room)
        }
        fn remove(&self, name: Name<'_>) -> Result<(), MemoryError> {
            self.0.remove(name)
        }
        fn list(&self, folder: Folder<'_>, each: &mut dyn FnMut(&str)) -> Result<(), MemoryError> {
            self.0.list(folder, each)
        }
        fn lock(&self, name: Name<'_>) -> Result<Locking<Self::Lock>, MemoryError> {
            self.0.lock(name)
        }
        fn nonce(&self) -> u64 {
            self.0.nonce()
        }
    }

    #[test]
    fn a_barrier_tells_a_bad_name_a_missing_operation_and_a_failure_apart() {
        let memory = MemoryDirectory::new();
        for bad in ["", "/etc/passwd", "../a", "a/../../b"] {
            assert!(matches!(sync_file(&memory, bad), Err(DurableError::Name(_))), "{bad:?}");
            assert!(matches!(sync_parent_dir(&memory, bad), Err(DurableError::Name(_))), "{bad:?}");
        }
        let absent = sync_file(&memory, "absent");
        assert!(matches!(
            absent,
            Err(DurableError::Backend {
                step: DurableStep::SyncFile,
                source: MemoryError::NotFound
            })
        ));
        let bare = Bare(memory);
        assert!(matches!(
            sync_file(&bare, "a"),
            Err(DurableError::NotSupported { step: DurableStep::SyncFile })
        ));
        assert!(matches!(
            sync_parent_dir(&bare, "a"),
            Err(DurableError::NotSupported { step: DurableStep::SyncDir })
        ));
    }

    #[test]
    fn a_barrier_works_through_a_type_erased_directory() {
        let dir = MemoryDirectory::arc();
        dir.create(Name::new("wal/a").unwrap(), 0).unwrap().unwrap();
        sync_file(&dir, "wal/a").unwrap();
        sync_parent_dir(&*dir, "wal/a").unwrap();
    }
}
