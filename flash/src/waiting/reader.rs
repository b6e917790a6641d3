//! The reader of a log of raw records on flash that has to be awaited.
//!
//! Must never change anything.
#![expect(
    clippy::await_holding_refcell_ref,
    reason = "the reader has borrowed the directory exclusively; a future that was forgotten is told of, not waited for"
)]

use core::fmt;

use durability_core::walog::{FixedWalReader, RawEntry, TornTail, WalOptions};
use durability_core::{EntryId, ReadMode};
use embedded_storage_async::nor_flash::NorFlash as AsyncNorFlash;

use crate::FlashDirectory;
use crate::layout::small;

use super::ahead::Reached;
use super::deferred::Deferred;
use super::directory::AsyncFlashDirectory;
use super::error::AsyncError;

/// Reads a log of raw records on an [`AsyncFlashDirectory`], oldest first: a [`FixedWalReader`] whose flash is awaited.
///
/// **Limits.** As there. What is read ahead goes into the directory's memory: what is left of the segment that is read, as far as there is room, and the
/// beginning of the next.
pub struct AsyncWalReader<'d, 'm, 'b, F, const SLOTS: usize>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    dir: &'d FlashDirectory<Deferred<'m, F>, SLOTS>,
    reader: FixedWalReader<'b, &'d FlashDirectory<Deferred<'m, F>, SLOTS>>,
    /// What was read ahead up to here stays.
    mark: usize,
    block: u32,
    reached: Option<Reached>,
}

impl<'d, 'm, 'b, F, const SLOTS: usize> AsyncWalReader<'d, 'm, 'b, F, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    /// Opens a log, as [`FixedWalReader::open`]. To read one that is open for writing, ask its [writer](super::AsyncWalWriter::reader).
    ///
    /// **Cancelling.** Dropped while the chip programs or erases what an earlier call has left to be done, that is in doubt; otherwise nothing is changed.
    ///
    /// # Errors
    /// [`AsyncError::Log`] as [`FixedWalReader::open`], and [`AsyncError::Driver`].
    pub async fn open(
        dir: &'d mut AsyncFlashDirectory<'m, F, SLOTS>,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'b mut [u8],
    ) -> Result<Self, AsyncError<F::Error>> {
        dir.dir.recover().await?;
        Self::open_on(&dir.dir, options, mode, buffer).await
    }

    pub(super) async fn open_on(
        dir: &'d FlashDirectory<Deferred<'m, F>, SLOTS>,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'b mut [u8],
    ) -> Result<Self, AsyncError<F::Error>> {
        let block = small(buffer.len());
        dir.alone()?.flash.ahead.clear();
        // Room for what is read in the order in which it lies there.
        let spare = block.saturating_mul(4).saturating_add(512);
        dir.alone()?.load_heads(spare).await?;
        let mark = dir.alone()?.flash.ahead.mark();
        let open = || drop(FixedWalReader::open(dir, options.clone(), mode, &mut *buffer));
        dir.rehearse(spare, open).await?;
        // The last that it reads is the header of its first segment.
        dir.alone()?.flash.file_to = None;
        let reader = FixedWalReader::open(dir, options, mode, buffer)?;
        Ok(Self { dir, reader, mark, block, reached: None })
    }

    /// The next entry, lent until the next call; `None` at the end of the log.
    ///
    /// **Cancelling.** Dropped before it is ready, nothing was passed: the next call shows that entry.
    ///
    /// # Errors
    /// [`AsyncError::Log`] as [`FixedWalReader::next`], after which there are no more entries; [`AsyncError::Driver`], after which the same can be tried again.
    pub async fn next(&mut self) -> Result<Option<RawEntry<'_>>, AsyncError<F::Error>> {
        let Self { dir, mark, block, reached, .. } = self;
        dir.alone()?.load_for_reader(*mark, *block, reached).await?;
        Ok(self.reader.next()?)
    }

    /// The id of the last entry that was shown, or of the last before the log's first.
    pub const fn last_entry_id(&self) -> Option<EntryId> {
        self.reader.last_entry_id()
    }

    /// The torn tail, once the end was reached.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.reader.torn_tail()
    }
}

impl<F, const SLOTS: usize> fmt::Debug for AsyncWalReader<'_, '_, '_, F, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_id = self.reader.last_entry_id();
        f.debug_struct("AsyncWalReader").field("last_id", &last_id).finish_non_exhaustive()
    }
}
