//! Proof that a barrier has returned.

use crate::EntryId;

/// What a successful barrier proves: everything up to an entry survives power loss.
///
/// ```
/// use durability_core::storage::MemoryDirectory;
/// use durability_core::walog::{WalOptions, WalWriter};
/// let mut wal = WalWriter::open(MemoryDirectory::new(), WalOptions::new())?;
/// let id = wal.append(&"first")?;
/// let durable = wal.flush_and_sync()?;
/// assert_eq!(durable.through(), Some(id));
/// # Ok::<(), durability_core::Error<durability_core::storage::MemoryError>>(())
/// ```
#[must_use = "it tells what may be acknowledged"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Durable {
    through: Option<EntryId>,
}

impl Durable {
    pub(crate) const fn new(through: Option<EntryId>) -> Self {
        Self { through }
    }

    /// The last entry that is durable, with all before it; `None` if there is none.
    pub const fn through(self) -> Option<EntryId> {
        self.through
    }
}
