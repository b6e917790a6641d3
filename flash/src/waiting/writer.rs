//! The writer of a log of raw records on flash that has to be awaited.
//!
//! Must never acknowledge what still waits to be programmed.
#![expect(
    clippy::await_holding_refcell_ref,
    reason = "the writer has borrowed the directory exclusively; a future that was forgotten is told of, not waited for"
)]

use core::fmt;

use durability_core::walog::{EntryIds, FixedWalWriter, WalOptions};
use durability_core::{Durable, EntryId, ReadMode};
use embedded_storage_async::nor_flash::NorFlash as AsyncNorFlash;

use crate::{FlashDirectory, FlashOptions, Usage};

use super::deferred::Deferred;
use super::directory::AsyncFlashDirectory;
use super::error::{AsyncError, Doubt, InPlace};
use super::reader::AsyncWalReader;

/// The writer of a log of raw records on an [`AsyncFlashDirectory`]: a [`FixedWalWriter`] whose flash is awaited.
///
/// **Durability.** As there: what [`flush_and_sync`](Self::flush_and_sync) has returned survives. The chip always holds what some first part of the operations leaves
/// that the other writer would have done.
///
/// **Cancelling.** Each method says what it means to drop its future. Dropped while the chip programs or erases, it leaves that operation in doubt, and the
/// writer says [`AsyncError::InDoubt`] from then on: drop it and open the log again. Dropped at any other moment, the writer goes on as if nothing had happened.
///
/// A writer that is dropped without [`close`](Self::close) leaves what it has not flushed in the queue, for the next one that is opened on the directory.
///
/// ```
/// # use durability_testkit::{backends::{AsyncNorChip, NorChip}, executor::block_on};
/// use durability_core::walog::WalOptions;
/// use durability_flash::{AsyncFlashDirectory, AsyncWalWriter, FlashOptions};
/// # block_on(async {
/// # let driver = AsyncNorChip::<1, 4, 4096>::new(NorChip::new(32));
/// // driver: any `NorFlash` of `embedded_storage_async`
/// let (mut queue, mut ahead, mut buffer) = ([0; 2048], [0; 12 << 10], [0; 256]);
/// let options = FlashOptions::new().name_bytes_max(24);
/// let mut dir = AsyncFlashDirectory::<_, 16>::mount(driver, options, &mut queue, &mut ahead).await?;
/// let mut log = AsyncWalWriter::open(&mut dir, WalOptions::new(), &mut buffer).await?;
/// let id = log.append(b"21.5 degrees").await?;
/// let durable = log.flush_and_sync().await?; // survives a power cut from here on
/// assert_eq!(durable.through(), Some(id));
/// # Ok::<(), durability_flash::AsyncError<durability_testkit::backends::NorError>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AsyncWalWriter<'d, 'm, 'b, F, const SLOTS: usize>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    dir: &'d FlashDirectory<Deferred<'m, F>, SLOTS>,
    wal: FixedWalWriter<'b, &'d FlashDirectory<Deferred<'m, F>, SLOTS>>,
    durable_through: Option<EntryId>,
    /// The slot of the segment that the first append goes on with.
    tail: Option<usize>,
}

impl<'d, 'm, 'b, F, const SLOTS: usize> AsyncWalWriter<'d, 'm, 'b, F, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    /// Goes on with a log, or begins it: recovers whatever the last run left, and whatever an earlier writer on this directory has left in doubt. As
    /// [`FixedWalWriter::open`], but that `batch_bytes_max` is what fits `buffer` and what was lent for the queue beyond what that needs.
    ///
    /// **Durability.** What is found is durable when it returns.
    ///
    /// **Cancelling.** Dropped while the chip programs or erases, that is in doubt, and the next opening recovers. Otherwise it has changed nothing, or the next
    /// opening goes on with it.
    ///
    /// # Errors
    /// [`AsyncError::QueueBytes`] if the queue is too small for `buffer`, [`AsyncError::Log`] as [`FixedWalWriter::open`], [`AsyncError::Driver`].
    pub async fn open(
        dir: &'d mut AsyncFlashDirectory<'m, F, SLOTS>,
        options: WalOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, AsyncError<F::Error>> {
        let dir = &dir.dir;
        dir.recover().await?;
        let (needed, found) = {
            let region = dir.alone()?;
            let shape = FlashOptions::new()
                .slot_blocks(region.layout.slot_bytes / region.layout.block_bytes.max(1))
                .name_bytes_max(region.layout.name_bytes_max);
            let needed = AsyncFlashDirectory::<F, SLOTS>::queue_bytes(&shape, buffer.len());
            (needed, region.flash.queue_bytes())
        };
        if found < needed {
            return Err(AsyncError::QueueBytes { found, needed });
        }
        let batch_bytes = found.saturating_sub(needed).saturating_add(buffer.len());
        let options = options.batch_bytes_max(batch_bytes as u64);
        let open = || drop(FixedWalWriter::open(dir, options.clone(), &mut *buffer));
        dir.rehearse(0, open).await?;
        dir.alone()?.flash.frames_to = None;
        let wal = FixedWalWriter::open(dir, options, buffer)?;
        let tail = {
            let region = dir.alone()?;
            region.flash.frames_to.and_then(|to| region.layout.slot_of(to.saturating_sub(1)))
        };
        let mut writer = Self { dir, wal, durable_through: None, tail };
        writer.settle().await?;
        Ok(writer)
    }

    /// Awaits what waits to be done. After that, what the log takes for durable is.
    async fn settle(&mut self) -> Result<(), AsyncError<F::Error>> {
        self.dir.alone()?.settle().await?;
        self.durable_through = self.wal.durable_through();
        Ok(())
    }

    /// Makes room in the queue, and reads ahead what the next operation may need to read.
    async fn begin(&mut self) -> Result<(), AsyncError<F::Error>> {
        self.settle().await?;
        let mut region = self.dir.alone()?;
        region.load_for_create().await?;
        if let Some(tail) = self.tail {
            region.load_for_reopen(tail).await?;
        }
        Ok(())
    }

    /// Appends a record to the buffer. What of the buffer has to go out waits in the queue, for the next call.
    ///
    /// **Durability.** None yet, as [`FixedWalWriter::append`].
    ///
    /// **Cancelling.** Dropped before it is ready, the record was not appended.
    ///
    /// # Errors
    /// [`AsyncError::InDoubt`], [`AsyncError::Driver`], and [`AsyncError::Log`] as [`FixedWalWriter::append`].
    pub async fn append(&mut self, payload: &[u8]) -> Result<EntryId, AsyncError<F::Error>> {
        self.begin().await?;
        // From here on nothing is awaited: it is appended, and the caller told.
        let id = self.wal.append(payload)?;
        self.tail = None;
        Ok(id)
    }

    /// Appends records that are all visible after a crash or none, as [`FixedWalWriter::append_batch`].
    ///
    /// **Cancelling.** Dropped before it is ready, nothing was appended.
    ///
    /// # Errors
    /// As [`append`](Self::append); [`Limit`](durability_core::Error::Limit) too, without effect, for a batch that the queue may not hold.
    pub async fn append_batch(
        &mut self,
        payloads: &[&[u8]],
    ) -> Result<EntryIds, AsyncError<F::Error>> {
        self.begin().await?;
        let ids = self.wal.append_batch(payloads)?;
        self.tail = None;
        Ok(ids)
    }

    /// Programs everything appended so far.
    ///
    /// **Cancelling.** Dropped while the chip programs or erases, that is in doubt. Otherwise nothing is lost, and the next call goes on with it.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn flush(&mut self) -> Result<(), AsyncError<F::Error>> {
        self.begin().await?;
        self.wal.flush()?;
        self.settle().await
    }

    /// Makes everything appended so far survive power loss.
    ///
    /// **Durability.** After `Ok`, all entries up to the returned one. After `Err`, or if it was dropped, what was durable before, and any part of the rest.
    ///
    /// **Cancelling.** As [`flush`](Self::flush).
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn flush_and_sync(&mut self) -> Result<Durable, AsyncError<F::Error>> {
        self.begin().await?;
        let durable = self.wal.flush_and_sync()?;
        if !planted!(FlashAcknowledgedQueued) {
            self.settle().await?;
        }
        Ok(durable)
    }

    /// Deletes the segments that hold only entries before `before`, as [`FixedWalWriter::truncate_prefix`].
    ///
    /// **Durability.** As there.
    ///
    /// **Cancelling.** Dropped while the chip programs or erases, that is in doubt. Otherwise nothing of it was begun, or the next call goes on with it.
    ///
    /// # Errors
    /// [`AsyncError::InDoubt`], [`AsyncError::Driver`], and [`AsyncError::Log`] as [`FixedWalWriter::truncate_prefix`].
    pub async fn truncate_prefix(&mut self, before: EntryId) -> Result<(), AsyncError<F::Error>> {
        self.begin().await?;
        self.dir.alone()?.load_for_prune().await?;
        self.wal.truncate_prefix(before)?;
        self.settle().await
    }

    /// Deletes the oldest segments until no more than `count` are left, as [`FixedWalWriter::truncate_to_segments`].
    ///
    /// **Cancelling.** As [`truncate_prefix`](Self::truncate_prefix).
    ///
    /// # Errors
    /// As [`truncate_prefix`](Self::truncate_prefix).
    pub async fn truncate_to_segments(&mut self, count: u32) -> Result<(), AsyncError<F::Error>> {
        self.begin().await?;
        self.dir.alone()?.load_for_prune().await?;
        self.wal.truncate_to_segments(count)?;
        self.settle().await
    }

    /// At most one erase of one block, as [`AsyncFlashDirectory::prepare_step`]: for pauses.
    ///
    /// **Cancelling.** Dropped while the chip erases or programs, that is in doubt: give it the time.
    ///
    /// # Errors
    /// [`AsyncError::InDoubt`], [`AsyncError::Driver`].
    pub async fn prepare_step(&mut self) -> Result<bool, AsyncError<F::Error>> {
        self.settle().await?;
        self.dir.alone()?.prepare_step().await
    }

    /// Makes everything durable, and writes down that the log was closed.
    ///
    /// **Cancelling.** Dropped while the chip programs, that is in doubt. Otherwise the next writer that is opened on the directory goes on with it.
    ///
    /// # Errors
    /// As [`flush_and_sync`](Self::flush_and_sync).
    pub async fn close(mut self) -> Result<(), AsyncError<F::Error>> {
        self.begin().await?;
        let dir = self.dir;
        self.wal.close()?;
        dir.alone()?.settle().await
    }

    /// Reads the log while it is open: everything that was flushed.
    ///
    /// **Cancelling.** As [`flush`](Self::flush).
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and as [`AsyncWalReader::open`].
    pub async fn reader<'r>(
        &mut self,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'r mut [u8],
    ) -> Result<AsyncWalReader<'_, 'm, 'r, F, SLOTS>, AsyncError<F::Error>> {
        self.settle().await?;
        AsyncWalReader::open_on(self.dir, options, mode, buffer).await
    }

    /// The id of the last entry, durable or not; `None` if there never was one.
    pub const fn last_entry_id(&self) -> Option<EntryId> {
        self.wal.last_entry_id()
    }

    /// The id of the first entry that is there, or the next id of an empty log.
    pub const fn first_entry_id(&self) -> EntryId {
        self.wal.first_entry_id()
    }

    /// The id that the next entry gets.
    pub const fn next_entry_id(&self) -> EntryId {
        self.wal.next_entry_id()
    }

    /// The last entry that is known to be durable; `None` if none is.
    pub const fn durable_through(&self) -> Option<EntryId> {
        self.durable_through
    }

    /// Bytes of the torn tail that opening found, and repaired; 0 after a clean end.
    pub const fn torn_bytes(&self) -> u64 {
        self.wal.torn_bytes()
    }

    /// Segments of the log.
    pub const fn segments(&self) -> u32 {
        self.wal.segments()
    }

    /// Whether an earlier failure has left the log in doubt: every call fails.
    pub fn is_poisoned(&self) -> bool {
        self.wal.is_poisoned() || self.doubt().is_some()
    }

    /// What is in doubt, if anything is.
    pub fn doubt(&self) -> Option<Doubt> {
        self.dir.with_flash(|deferred| deferred.doubt)
    }

    /// How the region is used, as if all that waits to be done were done.
    pub fn usage(&self) -> Usage {
        self.dir.usage()
    }

    /// How often the driver was polled in place because something was not read ahead.
    pub fn in_place(&self) -> InPlace {
        self.dir.with_flash(|deferred| deferred.in_place)
    }
}

impl<F, const SLOTS: usize> fmt::Debug for AsyncWalWriter<'_, '_, '_, F, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncWalWriter")
            .field("next_id", &self.wal.next_entry_id())
            .field("durable_through", &self.durable_through)
            .finish_non_exhaustive()
    }
}
