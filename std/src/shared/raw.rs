//! A log of raw records that threads and tasks share.
//!
//! Must never acknowledge anything itself: tickets do.

use alloc::sync::Arc;
use core::fmt;

use durability_core::walog::{
    EntryIds, Hooks, RawFollower, RawWalReader, RawWalWriter, Reach, StagedWriter, WalOptions,
};
use durability_core::{Durable, EntryId, Error};

use super::background::Background;
use super::directory::SharedDirectory;
use super::failure::Failure;
use super::group::Shared;
use super::options::SharedOptions;
use super::ticket::Ticket;
use super::whole::Returned;
use crate::follow::RawSubscription;
use crate::storage::FsDirectory;

/// A log of raw records for many threads and tasks: a handle, cheap to clone. [`SharedWal`](super::SharedWal) is its typed form.
///
/// Appending does no I/O as long as the buffer has room, and never waits for a sync. Whoever waits for durability first commits for all who have come by then,
/// with one write and one sync, while the others go on appending. Ids are in the order of appending, and a ticket resolves only when everything
/// before it is durable too.
///
/// After a failed write or sync every ticket that is not durable fails, and so does every later call: opening the log again is the way on.
///
/// Dropping the last handle hands what is staged to the system, as far as that succeeds; [`close`](Self::close) makes it durable, and tells.
///
/// ```
/// use durability::shared::{RawSharedWal, SharedOptions};
/// use durability::storage::FsDirectory;
/// use durability::walog::WalOptions;
/// # let scratch = tempfile::tempdir()?;
/// # let path = scratch.path().join("data");
/// let dir = FsDirectory::new(&path)?;
/// let wal = RawSharedWal::open(dir, WalOptions::new(), SharedOptions::new())?;
/// std::thread::scope(|scope| {
///     for thread in 0..4_u8 {
///         let wal = &wal;
///         scope.spawn(move || wal.append_durable(&[thread]));
///     }
/// });
/// assert_eq!(wal.durable_through().map(u64::from), Some(4));
/// wal.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RawSharedWal<D: SharedDirectory = FsDirectory, H: Hooks + Send + 'static = ()> {
    handle: Arc<Background<D, H>>,
    options: Arc<WalOptions>,
}

impl<D: SharedDirectory> RawSharedWal<D> {
    /// Opens a log, whatever state it is in: new, closed, or left by a crash.
    ///
    /// The segment in which it begins has no room prepared: where a file that grows is slow, and the first commits matter, open a [`RawWalWriter`], let it
    /// [prepare](RawWalWriter::prepare_now) and [begin](RawWalWriter::begin_prepared) a segment, and [share](Self::from_writer) that.
    ///
    /// # Errors
    /// As [`RawWalWriter::open`]; [`Error::Thread`] if the background thread cannot be begun.
    pub fn open(
        dir: D,
        options: WalOptions,
        shared: SharedOptions,
    ) -> Result<Self, Failure<D::Error>> {
        Self::open_with(dir, options, shared, ())
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> RawSharedWal<D, H> {
    /// [`open`](RawSharedWal::open), with hooks. They are called with the log's lock held: they must be short, and not use the log.
    ///
    /// # Errors
    /// As [`open`](RawSharedWal::open).
    pub fn open_with(
        dir: D,
        options: WalOptions,
        shared: SharedOptions,
        hooks: H,
    ) -> Result<Self, Failure<D::Error>> {
        let writer = RawWalWriter::open_with(dir, options.clone(), hooks)?;
        Self::from_writer(writer, options, shared)
    }

    /// Shares a log that is open. `options` are those that it was opened with: readers and followers need them.
    ///
    /// # Errors
    /// What the directory reports where the tail is opened for appending; [`Error::Thread`]; [`Error::Poisoned`].
    pub fn from_writer(
        writer: RawWalWriter<D, H>,
        options: WalOptions,
        shared: SharedOptions,
    ) -> Result<Self, Failure<D::Error>> {
        let dir = writer.directory().clone();
        let staged = StagedWriter::new(writer)?.staged_bytes_max(shared.staged_bytes_max());
        let group = Arc::new(Shared::new(dir, staged, shared));
        let handle = Background::new(group, shared.has_background()).map_err(|_| Error::Thread)?;
        Ok(Self { handle: Arc::new(handle), options: Arc::new(options) })
    }

    pub(super) fn shared(&self) -> &Arc<Shared<D, H>> {
        self.handle.shared()
    }

    /// Appends a record to the buffer, and returns a ticket for it.
    ///
    /// Where the buffer is full and another thread is writing it out, this waits until that is done; where nobody is, it writes itself. See
    /// [`try_append`](Self::try_append).
    ///
    /// **Durability.** None before the ticket resolves.
    ///
    /// # Errors
    /// Without effect: [`Error::Limit`] for a record that is too large. Otherwise what made the log unusable.
    pub fn append(&self, record: &[u8]) -> Result<Ticket<D, H>, Failure<D::Error>> {
        let id = self.shared().append(|wal| wal.stage(record))?;
        Ok(self.ticket(id))
    }

    /// Appends a record if that takes no I/O and no waiting; `None` where it would.
    ///
    /// For tasks that must not block: where it is `None`, the background thread makes room; awaiting any ticket that is not durable, or
    /// [`durable`](Self::durable), is a good way to wait for it. Without that thread, [`append`](Self::append) somewhere. It does not look at the log's
    /// [`FlushPolicy`](durability_core::walog::FlushPolicy).
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn try_append(&self, record: &[u8]) -> Result<Option<Ticket<D, H>>, Failure<D::Error>> {
        let id = self.shared().try_append(|wal| wal.stage(record))?;
        Ok(id.map(|id| self.ticket(id)))
    }

    /// Appends records that are all visible after a crash or none; the ticket is for the last of them. `None` for no records.
    ///
    /// `as_ref` is called with the log's lock held, more than once for each record: it must be short, always give the same, and not use the log.
    ///
    /// # Errors
    /// As [`append`](Self::append); [`Error::Limit`] for a batch that is too large, without effect.
    pub fn append_batch<P: AsRef<[u8]>>(
        &self,
        records: &[P],
    ) -> Result<Option<Ticket<D, H>>, Failure<D::Error>> {
        self.append_records(&records.iter().map(AsRef::as_ref))
    }

    pub(super) fn append_records<'a>(
        &self,
        records: &(impl Iterator<Item = &'a [u8]> + Clone),
    ) -> Result<Option<Ticket<D, H>>, Failure<D::Error>> {
        let ids = self.shared().append(|wal| wal.stage_batch(records.clone()))?;
        let ids = ids.first().zip(EntryIds::last(&ids));
        Ok(ids.map(|(first, last)| Ticket::new(&self.handle, first, last)))
    }

    /// Appends a record and waits until it is durable.
    ///
    /// **Durability.** After `Ok`, of the record and everything before it.
    ///
    /// # Errors
    /// As [`append`](Self::append) and [`Ticket::wait`].
    pub fn append_durable(&self, record: &[u8]) -> Result<EntryId, Failure<D::Error>> {
        self.shared().append_durable(|wal| wal.stage(record))
    }

    /// Hands everything appended so far to the system: it survives the end of the process, not power loss.
    ///
    /// # Errors
    /// What made the write fail, or the log unusable.
    pub fn flush(&self) -> Result<(), Failure<D::Error>> {
        self.shared().flush()
    }

    /// Makes everything appended so far durable, in one commit with whatever else is staged.
    ///
    /// # Errors
    /// What made the commit fail, or the log unusable.
    pub fn sync(&self) -> Result<Durable, Failure<D::Error>> {
        self.shared().sync()
    }

    /// A ticket for the last entry that was appended: awaiting it makes everything so far durable without blocking a thread. `None` before the first entry.
    pub fn durable(&self) -> Option<Ticket<D, H>> {
        self.last_entry_id().map(|id| self.ticket(id))
    }

    /// The last entry that is known to survive power loss, with all before it.
    pub fn durable_through(&self) -> Option<EntryId> {
        self.shared().lock().durable_through()
    }

    /// The last entry that was appended; `None` before the first. While somebody has the [whole writer](Self::with_writer), and after closing, the last
    /// one before that.
    pub fn last_entry_id(&self) -> Option<EntryId> {
        self.shared().lock().last_entry_id()
    }

    /// Lends the writer as a whole, for all that is not appending: pruning, truncating, publishing.
    ///
    /// It waits for the commit that runs. Nobody else appends or commits meanwhile; those who try wait, so `with` must not use the handle or a ticket, nor
    /// wait for a thread that does. What is appended through the writer gets no ticket; [`sync`](Self::sync) covers it.
    ///
    /// # Errors
    /// What made the log unusable, before or in here. What `with` returns is its own.
    ///
    /// # Panics
    /// Where `with` panics; the log is closed then.
    pub fn with_writer<R>(
        &self,
        with: impl FnOnce(&mut RawWalWriter<D, H>) -> R,
    ) -> Result<R, Failure<D::Error>> {
        self.shared().whole(|mut wal| {
            let result = wal.whole(with);
            Returned { wal: Some(wal), durable: None, result }
        })
    }

    /// A reader of the log. It sees what was appended until now: that is flushed first, and need not be durable; see
    /// [`durable_through`](Self::durable_through).
    ///
    /// # Errors
    /// As [`flush`](Self::flush) and [`RawWalReader::open`].
    pub fn reader(&self) -> Result<RawWalReader<D>, Failure<D::Error>> {
        self.flush()?;
        Ok(RawWalReader::open(self.directory().clone(), self.options().clone())?)
    }

    /// Follows the log from entry `from` on: entries come as they are written, or as they become durable, and whoever asks waits for more. See
    /// [`RawSubscription`], also for what pruning does to it; with [`Pins`](crate::follow::Pins) in the log's hooks it can hold pruning back.
    ///
    /// What is only staged is neither: [`flush`](Self::flush) and every commit hand it over.
    ///
    /// # Errors
    /// As [`RawFollower::new`].
    pub fn follow(
        &self,
        from: EntryId,
        reach: Reach,
    ) -> Result<RawSubscription<D>, Failure<D::Error>> {
        let (dir, options) = (self.directory().clone(), self.options().clone());
        let follower = RawFollower::new(dir, options, from, reach)?;
        Ok(RawSubscription::signalled(follower, self.shared().watermark()))
    }

    /// Makes everything durable and closes the log, for all handles: whoever uses it afterwards gets [`Error::Closed`].
    ///
    /// # Errors
    /// As [`sync`](Self::sync). The log's lock is released in any case.
    pub fn close(&self) -> Result<(), Failure<D::Error>> {
        let closed = self.shared().whole(|wal| match wal.into_writer() {
            Ok(mut writer) => {
                let synced = writer.flush_and_sync();
                let durable = synced.as_ref().ok().copied();
                Returned { wal: None, durable, result: synced.and_then(|_| writer.close()) }
            }
            Err(error) => Returned { wal: None, durable: None, result: Err(error) },
        });
        closed.inspect_err(|_| self.shared().abandon())?;
        if !self.handle.is_current_thread() {
            self.shared().wait_for_preparation();
        }
        Ok(())
    }

    /// The directory.
    pub fn directory(&self) -> &D {
        &self.shared().dir
    }

    pub(super) fn options(&self) -> &WalOptions {
        &self.options
    }

    fn ticket(&self, id: EntryId) -> Ticket<D, H> {
        Ticket::new(&self.handle, id, id)
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> Clone for RawSharedWal<D, H> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle), options: Arc::clone(&self.options) }
    }
}

impl<D: SharedDirectory, H: Hooks + Send + 'static> fmt::Debug for RawSharedWal<D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSharedWal")
            .field("durable_through", &self.durable_through())
            .finish_non_exhaustive()
    }
}
