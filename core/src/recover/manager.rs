//! Recovery of a segment-based index.

use crate::EntryId;
use crate::error::Error;
use crate::storage::Directory;
use crate::walog::{Hooks, WalEntry, WalOptions, WalWriter};

use super::{IndexState, RecoverOptions, Recovered, recover_read_only, recover_with_wal};

/// Recovers segment-based indexes: logs of [`WalEntry`] and checkpoints of [`IndexState`].
///
/// ```
/// use durability_core::recover::{RecoverOptions, RecoveryManager};
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{WalEntry, WalOptions, WalWriter};
/// let dir = MemoryDirectory::new();
/// let mut wal = WalWriter::open(dir.clone(), WalOptions::new())?;
/// wal.append(&WalEntry::AddSegment { segment: 1, documents: 100 })?;
/// wal.append(&WalEntry::DeleteDocuments { deletes: vec![(1, 7)] })?;
/// wal.close()?;
///
/// let manager = RecoveryManager::new(dir, WalOptions::new(), RecoverOptions::new());
/// let index = manager.recover_latest()?;
/// assert_eq!(index.state.document_count(), 99);
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
#[derive(Debug)]
pub struct RecoveryManager<D> {
    dir: D,
    wal: WalOptions,
    options: RecoverOptions,
}

impl<D: Directory> RecoveryManager<D> {
    /// Recovers from the log and the checkpoints of `dir`.
    pub const fn new(dir: D, wal: WalOptions, options: RecoverOptions) -> Self {
        Self { dir, wal, options }
    }

    /// The newest state that can be read. It takes no lock and changes nothing; see [`recover_read_only`].
    ///
    /// # Errors
    /// As [`recover_with_wal`].
    pub fn recover_latest(&self) -> Result<Recovered<IndexState>, Error<D::Error>> {
        self.recover(&self.options)
    }

    /// The state after entry `id`.
    ///
    /// # Errors
    /// As [`recover_with_wal`]: it must be in the log, and not before the oldest usable checkpoint.
    pub fn recover_to(&self, id: EntryId) -> Result<Recovered<IndexState>, Error<D::Error>> {
        self.recover(&self.options.clone().stop_at(Some(id)))
    }

    fn recover(&self, options: &RecoverOptions) -> Result<Recovered<IndexState>, Error<D::Error>> {
        let initial = IndexState::default();
        recover_read_only(&self.dir, self.wal.clone(), options, initial, apply)
    }

    /// The newest state, through the log's writer: it survives every later crash, and work can go on from it.
    ///
    /// # Errors
    /// As [`recover_with_wal`].
    pub fn recover_through<H: Hooks>(
        &self,
        wal: &mut WalWriter<WalEntry, D, H>,
    ) -> Result<Recovered<IndexState>, Error<D::Error>> {
        recover_with_wal(wal, &self.options, IndexState::default(), apply)
    }
}

#[expect(
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "the form of a visitor"
)]
fn apply<E: crate::storage::StoreError>(
    state: &mut IndexState,
    _id: EntryId,
    entry: WalEntry,
) -> Result<(), Error<E>> {
    state.apply(&entry);
    Ok(())
}
