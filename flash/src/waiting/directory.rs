//! A region of flash whose driver has to be awaited.
//!
//! Must never have more than one front at work: whatever is opened on it borrows it exclusively.
#![expect(
    clippy::await_holding_refcell_ref,
    reason = "whoever awaits has borrowed the directory exclusively; a future that was forgotten is told of, not waited for"
)]

use core::cell::RefMut;
use core::fmt;

use embedded_storage_async::nor_flash::NorFlash as AsyncNorFlash;

use crate::record::{HEADER_BYTES, SLOT_RECORD_BYTES};
use crate::region::Region;
use crate::{FlashDirectory, FlashOptions, Usage};

use super::ahead::FRAME_ALIGNMENT_MAX;
use super::deferred::Deferred;
use super::error::{AsyncError, Doubt, FlashOperation, InPlace};
use super::runs::run_bytes;

/// Units of the buffers of a log.
const BUFFER_UNIT: usize = 256;
/// Bytes in the header of a segment.
const SEGMENT_HEADER_BYTES: usize = 72;

/// A [`FlashDirectory`] on a driver of `embedded-storage-async`: what [`AsyncWalWriter`](super::AsyncWalWriter) and
/// [`AsyncWalReader`](super::AsyncWalReader) are opened on.
///
/// The same bytes on flash, done in the same order: the log itself only writes down what is to be programmed and erased, in memory that is lent, and the
/// front awaits that, one operation after the other. So **the chip always holds what some first part of the operations leaves that a log would do at once which
/// need not be awaited**, and a power cut finds nothing that it could not find there.
///
/// **Cancelling.** A future that is dropped while the chip *reads*, or before it was first polled, has changed nothing, and what it was about to do is done by the next
/// call, or not at all, as each method tells. One that is dropped while the chip *programs or erases*, and an error of the driver, leave that operation in doubt, as a
/// power cut in its middle would. It was noted before it began, and everything else then says [`AsyncError::InDoubt`], until the log is opened again, which recovers
/// as after a power cut. Nothing that was acknowledged is lost either way.
///
/// **Limits.** Memory is what is lent, the [`FlashDirectory`]'s, and 136 bytes on a host of 64 bits. [`queue_bytes`](Self::queue_bytes) is what has to be lent for what waits to be
/// done. Lend [`ahead_bytes`](Self::ahead_bytes) as well, and every read is awaited. With less, some reads of opening, pruning and replay are done *in place*: the driver
/// is polled until it has read, and nothing else runs meanwhile. A driver that is ready at once, as those of memory-mapped flash are, does not notice;
/// with one whose progress depends on another task, such as a shared bus, it would never end. [`in_place`](Self::in_place) counts them. Append, flush and sync read
/// nothing but the headers of new files.
///
/// It is `Send` if the driver is, but not while a log is open: that is for executors that keep a task on one thread.
///
/// **Panics.** Never, unless a future was forgotten (`mem::forget`) while it was pending: it has the driver for ever, so every call fails with
/// [`AsyncError::Forgotten`], and those that return no `Result` panic.
pub struct AsyncFlashDirectory<'m, F: AsyncNorFlash, const SLOTS: usize> {
    pub(super) dir: FlashDirectory<Deferred<'m, F>, SLOTS>,
}

impl<'m, F, const SLOTS: usize> AsyncFlashDirectory<'m, F, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    /// The directory that is on a region. Changes nothing there; see [`FlashDirectory::mount`].
    ///
    /// `queue` is memory for what waits to be programmed, `ahead` for what is read before it is needed; the latter may be empty. The driver is handed parts of them that
    /// begin at multiples of 4 bytes: align them to that for drivers that need it.
    ///
    /// **Cancelling.** Dropped at any time, it has done nothing; but the driver is gone: lend it (`&mut`) if it is to be used again.
    ///
    /// # Errors
    /// [`AsyncError::Region`], as [`FlashDirectory::mount`]; [`AsyncError::Driver`].
    pub async fn mount(
        flash: F,
        options: FlashOptions,
        queue: &'m mut [u8],
        ahead: &'m mut [u8],
    ) -> Result<Self, AsyncError<F::Error>> {
        let mut region = Self::unknown(flash, &options, queue, ahead)?;
        region.mount_again().await?;
        Ok(Self { dir: FlashDirectory { region: region.into() } })
    }

    /// A region of which nothing is known yet.
    fn unknown(
        flash: F,
        options: &FlashOptions,
        queue: &'m mut [u8],
        ahead: &'m mut [u8],
    ) -> Result<Region<Deferred<'m, F>, SLOTS>, AsyncError<F::Error>> {
        let mut region = Region::new(Deferred::new(flash, queue, ahead), options)?;
        region.deferred = true;
        region.flash.layout = Some(region.layout);
        Ok(region)
    }

    /// Erases the region, whatever it holds, and makes every slot ready; see [`FlashDirectory::format`].
    ///
    /// **Cancelling.** Dropped at any time, some of the slots are erased, and one may be in part: do it again. The driver is gone, as with [`mount`](Self::mount).
    ///
    /// # Errors
    /// As [`mount`](Self::mount), but for what slots hold.
    pub async fn format(
        flash: F,
        options: FlashOptions,
        queue: &'m mut [u8],
        ahead: &'m mut [u8],
    ) -> Result<Self, AsyncError<F::Error>> {
        let mut region = Self::unknown(flash, &options, queue, ahead)?;
        let (mut offset, end) = (region.layout.start(0), region.layout.start(SLOTS));
        while offset < end {
            let next = offset.saturating_add(region.layout.block_bytes);
            let operation = FlashOperation::Erase;
            let erased = region.flash.flash.erase(offset, next).await;
            erased.map_err(|driver| AsyncError::Driver { operation, offset, driver })?;
            offset = next;
        }
        while region.prepare_step().await? {}
        Ok(Self { dir: FlashDirectory { region: region.into() } })
    }

    /// Bytes of memory to lend for what waits to be programmed, for a log with a buffer of so many bytes: three times the buffer, two new files with the erasing of
    /// a slot for each, and a tombstone for each slot, of which the bytes are kept once.
    ///
    /// Batches may have what is lent beyond that, besides one buffer.
    #[must_use]
    pub const fn queue_bytes(options: &FlashOptions, buffer_bytes: usize) -> usize {
        let granule = if F::WRITE_SIZE == 0 { 1 } else { F::WRITE_SIZE };
        let header = (HEADER_BYTES + options.name_bytes_max as usize).next_multiple_of(granule);
        let record = run_bytes(SLOT_RECORD_BYTES.next_multiple_of(granule));
        let erasing = run_bytes(0) * (1 + options.slot_blocks as usize) + 2 * record;
        let file = 2 * run_bytes(header) + erasing;
        let buffer = buffer_bytes - buffer_bytes % BUFFER_UNIT;
        3 * run_bytes(buffer) + 2 * file + run_bytes(0) * SLOTS + granule
    }

    /// Bytes of memory to lend for what is read ahead, so that no read is done in place: one slot, the headers of all, and two buffers.
    ///
    /// Of batches that are longer than the buffer, the first one of a segment may still be read in place.
    #[must_use]
    pub const fn ahead_bytes(options: &FlashOptions, buffer_bytes: usize) -> usize {
        let name = run_bytes(HEADER_BYTES + options.name_bytes_max as usize + 2 * F::READ_SIZE);
        let header = run_bytes(SEGMENT_HEADER_BYTES + 2 * F::READ_SIZE);
        let slot = run_bytes(F::ERASE_SIZE * options.slot_blocks as usize);
        let begins = run_bytes(2 * buffer_bytes + FRAME_ALIGNMENT_MAX as usize + 4 * F::READ_SIZE);
        SLOTS * (name + header + run_bytes(0)) + slot + 2 * begins
    }

    /// As [`FlashDirectory::prepare_step`]: returns after at most one erase of one block; `false` once there is nothing left to do.
    ///
    /// **Cancelling.** Dropped while the chip erases or programs, that is in doubt: every call but opening fails from then on.
    ///
    /// # Errors
    /// [`AsyncError::InDoubt`], [`AsyncError::Driver`].
    pub async fn prepare_step(&mut self) -> Result<bool, AsyncError<F::Error>> {
        self.dir.alone()?.prepare_step().await
    }

    /// As [`FlashDirectory::prepare`]: makes one slot ready for a file; `false` if there was none to be made ready.
    ///
    /// **Cancelling.** As [`prepare_step`](Self::prepare_step).
    ///
    /// # Errors
    /// [`AsyncError::InDoubt`], [`AsyncError::Driver`].
    pub async fn prepare(&mut self) -> Result<bool, AsyncError<F::Error>> {
        let ready = self.usage().ready;
        while self.prepare_step().await? {
            if self.usage().ready > ready {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How the region is used, as if all that waits to be done were done.
    pub fn usage(&self) -> Usage {
        self.dir.usage()
    }

    /// How often the driver was polled in place because something was not read ahead.
    pub fn in_place(&self) -> InPlace {
        self.dir.with_flash(|deferred| deferred.in_place)
    }

    /// What is in doubt, if anything is.
    pub fn doubt(&self) -> Option<Doubt> {
        self.dir.with_flash(|deferred| deferred.doubt)
    }

    /// Lends the driver: for its figures, or to let the chip sleep. Whatever programs or erases within the region breaks every promise.
    pub fn with_flash<T>(&mut self, action: impl FnOnce(&mut F) -> T) -> T {
        self.dir.with_flash(|deferred| action(&mut deferred.flash))
    }

    /// Gives the driver back. What still waits to be done is not done.
    pub fn into_flash(self) -> F {
        self.dir.into_flash().flash
    }
}

impl<'m, F, const SLOTS: usize> FlashDirectory<Deferred<'m, F>, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    /// The region, for one who may await.
    pub(super) fn alone(
        &self,
    ) -> Result<RefMut<'_, Region<Deferred<'m, F>, SLOTS>>, AsyncError<F::Error>> {
        self.region.try_borrow_mut().map_err(|_| AsyncError::Forgotten)
    }

    /// Makes sure that memory knows what the chip holds: mounts again if that is in doubt.
    pub(super) async fn recover(&self) -> Result<(), AsyncError<F::Error>> {
        let mut region = self.alone()?;
        if region.flash.doubt.is_some() {
            region.mount_again().await?;
        }
        region.settle().await
    }

    /// Does something as often as it takes to have read ahead whatever it reads, or as much as there is room for, and undoes it each time.
    pub(super) async fn rehearse(
        &self,
        spare: u32,
        mut action: impl FnMut(),
    ) -> Result<(), AsyncError<F::Error>> {
        self.alone()?.load_heads(spare).await?;
        loop {
            let before = {
                let mut region = self.alone()?;
                region.flash.rehearsing = true;
                (region.table, region.next_file, region.nonces, region.erasing)
            };
            action();
            let mut region = self.alone()?;
            (region.table, region.next_file, region.nonces, region.erasing) = before;
            region.flash.rehearsing = false;
            region.flash.queue.clear();
            let Some((offset, bytes)) = region.flash.refused.take() else { return Ok(()) };
            if !region.load_refused(offset, bytes).await? {
                return Ok(());
            }
        }
    }
}

impl<F: AsyncNorFlash, const SLOTS: usize> fmt::Debug for AsyncFlashDirectory<'_, F, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFlashDirectory").field("slots", &SLOTS).finish_non_exhaustive()
    }
}
