//! Follows a typed log: decodes what the raw follower shows.

use core::fmt;
use core::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::EntryId;
use crate::error::Error;
use crate::storage::Directory;

use super::super::typed::decode;
use super::super::{RawEntry, WalOptions};
use super::{RawFollower, Reach};

/// Follows a log of entries of type `E` while it is written. See [`RawFollower`] for what it shows, and when.
///
/// ```
/// use durability_core::EntryId;
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{Follower, Reach, WalOptions, WalWriter};
/// let dir = MemoryDirectory::new();
/// let mut wal = WalWriter::<u32, _>::open(dir.clone(), WalOptions::new().mark_after_sync(true))?;
/// let mut follower = Follower::<u32, _>::new(dir, WalOptions::new(), EntryId::FIRST, Reach::Durable)?;
/// let id = wal.append(&7)?;
/// wal.flush()?;
/// assert_eq!(follower.next()?, None, "written, and not durable yet");
/// wal.flush_and_sync()?;
/// assert_eq!(follower.next()?, Some((id, 7)));
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub struct Follower<E, D: Directory> {
    raw: RawFollower<D>,
    entry: PhantomData<fn() -> E>,
}

impl<E: DeserializeOwned, D: Directory> Follower<E, D> {
    /// Follows the log from entry `from` on, which need not be there yet; nor the log.
    ///
    /// # Errors
    /// As [`RawFollower::new`].
    pub fn new(
        dir: D,
        options: WalOptions,
        from: EntryId,
        reach: Reach,
    ) -> Result<Self, Error<D::Error>> {
        Ok(Self::from_raw(RawFollower::new(dir, options, from, reach)?))
    }

    /// The typed form of a raw follower.
    pub const fn from_raw(raw: RawFollower<D>) -> Self {
        Self { raw, entry: PhantomData }
    }

    /// The raw follower below.
    pub const fn raw(&self) -> &RawFollower<D> {
        &self.raw
    }

    /// Without the type of its entries.
    pub fn into_raw(self) -> RawFollower<D> {
        self.raw
    }

    /// The next entry; `None` if there is none yet.
    ///
    /// # Errors
    /// As [`RawFollower::next`]; [`Error::Decode`] for an entry of another type, which the next call passes over.
    #[expect(clippy::should_implement_trait, reason = "`None` is not the end")]
    pub fn next(&mut self) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        self.raw.advance()?;
        self.decoded()
    }

    /// The next entry up to `limit`; see [`RawFollower::next_through`].
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_through(
        &mut self,
        limit: EntryId,
    ) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        self.raw.advance_through(limit)?;
        self.decoded()
    }

    /// The id that the next entry will have.
    pub const fn next_entry_id(&self) -> EntryId {
        self.raw.next_entry_id()
    }

    fn decoded(&self) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        self.raw.entry().map(|entry| self.raw.decode(&entry)).transpose()
    }
}

impl<D: Directory> RawFollower<D> {
    /// An entry that this follower has lent, decoded.
    ///
    /// # Errors
    /// [`Error::Decode`] if it is of another type.
    pub fn decode<E: DeserializeOwned>(
        &self,
        entry: &RawEntry<'_>,
    ) -> Result<(EntryId, E), Error<D::Error>> {
        match decode(entry) {
            Ok(decoded) => Ok((entry.id, decoded)),
            Err(source) => {
                let (offset, entry_id) = (entry.offset, Some(entry.id));
                let file = self.segment_name(entry.segment)?;
                Err(Error::Decode { file, offset, entry_id, source })
            }
        }
    }
}

impl<E, D: Directory> fmt::Debug for Follower<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Follower").field(&self.raw).finish()
    }
}
