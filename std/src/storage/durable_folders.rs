//! Which folders' names are known to be durable, so that the steady state syncs one folder and not all above it.
//!
//! Must never remember what was not synced, nor another folder of the same name.

use alloc::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use durability_core::storage::Folder;

use super::platform::Identity;

/// How many folders are remembered; beyond, all are forgotten, and synced once more.
const FOLDERS_MAX: usize = 256;

/// Folders whose own names, up to the root's, this process has made durable.
#[derive(Debug, Default)]
pub(super) struct DurableFolders {
    known: Mutex<BTreeMap<Box<str>, Identity>>,
}

impl DurableFolders {
    /// Whether the name of this very folder is durable.
    pub(super) fn knows(&self, folder: Folder<'_>, identity: Identity) -> bool {
        self.known().get(folder.as_str()) == Some(&identity)
    }

    /// Remembers that it is.
    pub(super) fn remember(&self, folder: Folder<'_>, identity: Identity) {
        let mut known = self.known();
        if known.len() >= FOLDERS_MAX {
            known.clear();
        }
        known.insert(folder.as_str().into(), identity);
    }

    /// Forgets everything: a folder was created, and the system may reuse what identified an old one.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Identity>> {
        // Facts are whole at every instant; a panic elsewhere has not spoilt them.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
