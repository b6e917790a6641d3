//! What can go wrong on a real file system: the system's own error, with what was being done to which file.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use durability_core::storage::StoreError;
use embedded_io::ErrorKind;

/// An operation of an [`FsDirectory`](super::FsDirectory) that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsOperation {
    /// Opening, or creating, the directory itself.
    OpenDirectory,
    /// Opening a file for reading.
    Open,
    /// Creating a file, or a folder for it.
    Create,
    /// Filling a new file with zeros.
    Reserve,
    /// Opening a file to append to it.
    Reopen,
    /// Removing a file.
    Remove,
    /// Listing a folder.
    List,
    /// Renaming a file.
    Rename,
    /// Taking a lock.
    Lock,
    /// Reading.
    Read,
    /// Seeking.
    Seek,
    /// Asking for a file's length.
    Length,
    /// Appending.
    Write,
    /// Handing what was appended to the system.
    Flush,
    /// Giving back reserved room.
    Trim,
    /// Syncing a file.
    SyncFile,
    /// Syncing a folder.
    SyncDir,
    /// One that this directory does not have.
    Unsupported,
}

impl fmt::Display for FsOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenDirectory => "open directory",
            Self::Open => "open",
            Self::Create => "create",
            Self::Reserve => "reserve room in",
            Self::Reopen => "reopen",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Seek => "seek in",
            Self::Length => "get the length of",
            Self::Write => "write to",
            Self::Flush => "flush",
            Self::Trim => "give back the room reserved in",
            Self::SyncFile => "sync",
            Self::SyncDir => "sync folder",
            Self::Unsupported => "do an unsupported operation",
        })
    }
}

/// Why an [`FsDirectory`](super::FsDirectory) refused an operation that the system would have carried out.
///
/// Found by downcasting [`FsError::io_error`]'s inner error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FsRefusal {
    /// The path given for the directory is empty.
    #[error("the path of a directory must not be empty")]
    EmptyPath,
    /// A component of the name is a symbolic link, which could lead out of the directory.
    #[error("a component of the name is a symbolic link")]
    SymbolicLink,
    /// The name is taken by something that is no regular file.
    #[error("not a regular file")]
    NotAFile,
    /// An earlier write or sync through this appender failed.
    #[error("poisoned by an earlier failed write or sync")]
    Poisoned,
    /// Appending was to start beyond the end of the file.
    #[error("position {at} is beyond the end of the file, which is {length} bytes long")]
    BeyondEnd {
        /// The position asked for.
        at: u64,
        /// The length found.
        length: u64,
    },
    /// A seek went before the start of the file, or beyond what an offset can express.
    #[error("seek to a position that no file has")]
    BadSeek,
    /// The system accepted no byte of a write, and reported no error.
    #[error("a write wrote nothing")]
    WroteNothing,
}

impl From<FsRefusal> for io::Error {
    fn from(refusal: FsRefusal) -> Self {
        let kind = match refusal {
            FsRefusal::EmptyPath
            | FsRefusal::BeyondEnd { .. }
            | FsRefusal::BadSeek
            | FsRefusal::NotAFile
            | FsRefusal::SymbolicLink => io::ErrorKind::InvalidInput,
            FsRefusal::WroteNothing => io::ErrorKind::WriteZero,
            FsRefusal::Poisoned => io::ErrorKind::Other,
        };
        Self::new(kind, refusal)
    }
}

/// The system's error, with what was being done to which file.
#[derive(Debug, thiserror::Error)]
pub struct FsError {
    operation: FsOperation,
    path: Option<PathBuf>,
    source: io::Error,
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.operation)?;
        if let Some(path) = &self.path {
            write!(f, " {}", path.display())?;
        }
        write!(f, ": {}", self.source)
    }
}

impl FsError {
    pub(super) fn new(operation: FsOperation, path: PathBuf, source: io::Error) -> Self {
        Self { operation, path: Some(path), source }
    }

    /// What was being done.
    pub fn operation(&self) -> FsOperation {
        self.operation
    }

    /// The file or folder that it was done to, in the operating system's terms.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The system's error; its inner error is a [`FsRefusal`] where this library was the one to refuse.
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }

    /// Why this library refused the operation, if it was not the system.
    pub fn refusal(&self) -> Option<FsRefusal> {
        self.source.get_ref()?.downcast_ref().copied()
    }
}

impl embedded_io::Error for FsError {
    fn kind(&self) -> ErrorKind {
        use io::ErrorKind as Io;
        match self.source.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
            Io::AlreadyExists => ErrorKind::AlreadyExists,
            Io::InvalidInput | Io::InvalidFilename | Io::NotADirectory | Io::IsADirectory => {
                ErrorKind::InvalidInput
            }
            Io::InvalidData => ErrorKind::InvalidData,
            Io::TimedOut => ErrorKind::TimedOut,
            Io::Interrupted => ErrorKind::Interrupted,
            Io::Unsupported => ErrorKind::Unsupported,
            Io::OutOfMemory => ErrorKind::OutOfMemory,
            Io::WriteZero => ErrorKind::WriteZero,
            _ => ErrorKind::Other,
        }
    }
}

impl StoreError for FsError {
    fn is_no_space(&self) -> bool {
        is_no_space(&self.source)
    }

    fn unsupported() -> Self {
        let source = io::ErrorKind::Unsupported.into();
        Self { operation: FsOperation::Unsupported, path: None, source }
    }
}

/// Whether room on the medium, or a quota on it, is used up. A file at its largest possible size is no such case: freeing room
/// would not help.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use core::error::Error as _;

    use super::*;

    #[test]
    fn an_error_names_operation_path_and_cause_and_hands_out_the_cause() {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let error = FsError::new(FsOperation::Write, "/data/wal/1".into(), source);
        assert_eq!(error.to_string(), "cannot write to /data/wal/1: no storage space");
        assert!(error.is_no_space());
        let cause = error.source().unwrap();
        assert!(cause.is::<io::Error>());
    }

    #[test]
    fn a_quota_is_no_space_and_a_file_too_large_is_not() {
        let of = |kind: io::ErrorKind| FsError::new(FsOperation::Write, "a".into(), kind.into());
        assert!(of(io::ErrorKind::QuotaExceeded).is_no_space());
        assert!(!of(io::ErrorKind::FileTooLarge).is_no_space());
    }

    #[test]
    fn the_unsupported_error_says_so() {
        assert!(FsError::unsupported().is_unsupported());
        assert!(
            !FsError::new(FsOperation::Write, "a".into(), FsRefusal::Poisoned.into())
                .is_unsupported()
        );
    }
}
