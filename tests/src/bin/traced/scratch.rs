//! Scratch folders that go when they are dropped.
//!
//! Must never remove a folder that it has not made.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base().join(format!("durability-traced-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self { path }),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it there, for whoever wants to look.
    pub(crate) fn keep(mut self) -> PathBuf {
        core::mem::take(&mut self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _left_behind = fs::remove_dir_all(&self.path);
        }
    }
}

/// In memory if possible: what is proven here is which calls are made, and a medium that syncs slowly would only cost time.
fn base() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if env::var_os("TMPDIR").is_none() && memory.is_dir() { memory } else { env::temp_dir() }
}
