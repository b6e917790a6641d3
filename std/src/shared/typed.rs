//! A log of typed entries that threads and tasks share.
//!
//! Must never run the user's code with the log's lock held.

use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use durability_core::walog::{Follower, Hooks, Reach, WalOptions, WalReader};
use durability_core::{Durable, EntryId, Error};

use super::directory::SharedDirectory;
use super::failure::Failure;
use super::options::SharedOptions;
use super::raw::RawSharedWal;
use super::scratch::Encoded;
use super::ticket::Ticket;
use crate::follow::Subscription;
use crate::storage::FsDirectory;

/// A log of entries of type `E` for many threads and tasks: a handle, cheap to clone. See [`RawSharedWal`] for how it commits.
///
/// ```
/// use durability::shared::{SharedOptions, SharedWal};
/// use durability::storage::FsDirectory;
/// use durability::walog::WalOptions;
/// # let scratch = tempfile::tempdir()?;
/// # let path = scratch.path().join("data");
/// let wal = SharedWal::<String>::open(FsDirectory::new(&path)?, WalOptions::new(), SharedOptions::new())?;
/// let ticket = wal.append(&"paid 12.50".into())?; // buffered: other threads' entries may join it
/// let durable = ticket.wait()?;                   // one write and one sync for all that came by then
/// assert!(durable.through() >= Some(ticket.id()));
/// wal.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedWal<E, D: SharedDirectory = FsDirectory, H: Hooks + Send + 'static = ()> {
    raw: RawSharedWal<D, H>,
    entry: PhantomData<fn(&E) -> E>,
}

impl<E: Serialize, D: SharedDirectory> SharedWal<E, D> {
    /// Opens a log, whatever state it is in: new, closed, or left by a crash.
    ///
    /// # Errors
    /// As [`RawSharedWal::open`].
    pub fn open(
        dir: D,
        options: WalOptions,
        shared: SharedOptions,
    ) -> Result<Self, Failure<D::Error>> {
        Ok(Self::from_raw(RawSharedWal::open(dir, options, shared)?))
    }
}

impl<E: Serialize, D: SharedDirectory, H: Hooks + Send + 'static> SharedWal<E, D, H> {
    /// The typed form of a raw handle.
    pub const fn from_raw(raw: RawSharedWal<D, H>) -> Self {
        Self { raw, entry: PhantomData }
    }

    /// The raw handle below.
    pub const fn raw(&self) -> &RawSharedWal<D, H> {
        &self.raw
    }

    /// Appends an entry to the buffer, and returns a ticket for it. See [`RawSharedWal::append`].
    ///
    /// **Durability.** None before the ticket resolves.
    ///
    /// # Errors
    /// Without effect: [`Error::Encode`], [`Error::Limit`]. Otherwise what made the log unusable.
    pub fn append(&self, entry: &E) -> Result<Ticket<D, H>, Failure<D::Error>> {
        encoded([entry], |records| self.raw.append(records.entries().next().unwrap_or_default()))
    }

    /// Appends an entry if that takes no I/O and no waiting; `None` where it would. See [`RawSharedWal::try_append`].
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn try_append(&self, entry: &E) -> Result<Option<Ticket<D, H>>, Failure<D::Error>> {
        encoded([entry], |records| {
            self.raw.try_append(records.entries().next().unwrap_or_default())
        })
    }

    /// Appends entries that are all visible after a crash or none; the ticket is for the last of them. `None` for no entries.
    ///
    /// # Errors
    /// As [`append`](Self::append); [`Error::Limit`] for a batch that is too large, without effect.
    pub fn append_batch<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a E>,
    ) -> Result<Option<Ticket<D, H>>, Failure<D::Error>>
    where
        E: 'a,
    {
        encoded(entries, |records| self.raw.append_records(&records.entries()))
    }

    /// Appends an entry and waits until it is durable.
    ///
    /// **Durability.** After `Ok`, of the entry and everything before it.
    ///
    /// # Errors
    /// As [`append`](Self::append) and [`Ticket::wait`].
    pub fn append_durable(&self, entry: &E) -> Result<EntryId, Failure<D::Error>> {
        encoded([entry], |records| {
            self.raw.append_durable(records.entries().next().unwrap_or_default())
        })
    }

    /// See [`RawSharedWal::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self) -> Result<(), Failure<D::Error>> {
        self.raw.flush()
    }

    /// See [`RawSharedWal::sync`].
    ///
    /// # Errors
    /// As there.
    pub fn sync(&self) -> Result<Durable, Failure<D::Error>> {
        self.raw.sync()
    }

    /// The last entry that is known to survive power loss, with all before it.
    pub fn durable_through(&self) -> Option<EntryId> {
        self.raw.durable_through()
    }

    /// See [`RawSharedWal::last_entry_id`].
    pub fn last_entry_id(&self) -> Option<EntryId> {
        self.raw.last_entry_id()
    }

    /// Makes everything durable and closes the log, for all handles. See [`RawSharedWal::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&self) -> Result<(), Failure<D::Error>> {
        self.raw.close()
    }
}

impl<E: DeserializeOwned, D: SharedDirectory, H: Hooks + Send + 'static> SharedWal<E, D, H> {
    /// A reader of the log. It sees what was appended until now, durable or not. See [`RawSharedWal::reader`].
    ///
    /// # Errors
    /// As there.
    pub fn reader(&self) -> Result<WalReader<E, D>, Failure<D::Error>> {
        self.raw.flush()?;
        Ok(WalReader::open(self.raw.directory().clone(), self.raw.options().clone())?)
    }

    /// Follows the log from entry `from` on. See [`RawSharedWal::follow`].
    ///
    /// ```
    /// use durability::EntryId;
    /// use durability::shared::{SharedOptions, SharedWal};
    /// use durability::storage::FsDirectory;
    /// use durability::walog::{Reach, WalOptions};
    /// # let scratch = tempfile::tempdir()?;
    /// # let path = scratch.path().join("data");
    /// let wal = SharedWal::<u32>::open(FsDirectory::new(&path)?, WalOptions::new(), SharedOptions::new())?;
    /// let mut follower = wal.follow(EntryId::FIRST, Reach::Durable)?;
    /// let appended = wal.append_durable(&7)?;
    /// assert_eq!(follower.next()?, Some((appended, 7)));
    /// wal.close()?;
    /// assert_eq!(follower.next()?, None, "the log is closed, and all was shown");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn follow(
        &self,
        from: EntryId,
        reach: Reach,
    ) -> Result<Subscription<E, D>, Failure<D::Error>> {
        let (dir, options) = (self.raw.directory().clone(), self.raw.options().clone());
        let follower = Follower::new(dir, options, from, reach)?;
        Ok(Subscription::signalled(follower, self.raw.shared().watermark()))
    }
}

/// Encodes entries, with no lock held, and hands them on.
fn encoded<'a, E, R, S>(
    entries: impl IntoIterator<Item = &'a E>,
    then: impl FnOnce(&Encoded) -> Result<R, Failure<S>>,
) -> Result<R, Failure<S>>
where
    E: Serialize + 'a,
    S: durability_core::storage::StoreError,
{
    let mut records = Encoded::new();
    for entry in entries {
        records.push(entry).map_err(|source| Error::Encode { source })?;
    }
    let result = then(&records);
    records.keep();
    result
}

impl<E, D: SharedDirectory, H: Hooks + Send + 'static> Clone for SharedWal<E, D, H> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), entry: PhantomData }
    }
}

impl<E, D: SharedDirectory, H: Hooks + Send + 'static> fmt::Debug for SharedWal<E, D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedWal").field(&self.raw).finish()
    }
}
