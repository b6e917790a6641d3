//! A temporary folder, gone when it is dropped.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder: in `$TMPDIR`, or where the system has them.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes one.
    pub fn new() -> io::Result<Self> {
        Ok(Self { folder: TempDir::with_prefix("durability-bench-")? })
    }

    /// Makes one in a folder, or where the system has them.
    pub fn within(folder: Option<&Path>) -> io::Result<Self> {
        match folder {
            None => Self::new(),
            Some(folder) => {
                Ok(Self { folder: TempDir::with_prefix_in("durability-bench-", folder)? })
            }
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
