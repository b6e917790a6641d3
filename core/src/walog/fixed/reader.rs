//! Reads a log of raw records in memory that the caller lends, oldest first, each lent in place.
//!
//! Must never change anything, and never show an entry that does not verify.

use core::fmt;

use crate::EntryId;
use crate::bytes::header::SegmentHeader;
use crate::error::Error;
use crate::mode::ReadMode;
use crate::storage::Directory;

use super::super::found::{RawEntry, TornTail};
use super::super::headless::Purpose;
use super::super::options::{Settings, WalOptions};
use super::super::segment::SegmentReader;
use super::walk::{Lent, Log, Walk};

/// Reads a log of raw records in memory that the caller lends, without a heap.
///
/// It takes no lock and changes nothing. Whoever writes meanwhile must not prune, nor truncate.
///
/// **Limits.** The memory that is lent is all that it uses for records: a record, with its header of 16 bytes, must fit it.
pub struct FixedWalReader<'b, D: Directory> {
    dir: D,
    settings: Settings,
    log: Option<Log>,
    mode: ReadMode,
    /// Memory, while no segment is being read.
    buffer: Lent<'b>,
    current: Option<SegmentReader<D::Reader, Lent<'b>>>,
    /// The segment to read next.
    next: Option<SegmentHeader>,
    last_id: Option<EntryId>,
    torn: Option<TornTail>,
}

impl<'b, D: Directory> FixedWalReader<'b, D> {
    /// Opens a log: reads the headers of its segments, and its tail once.
    ///
    /// # Errors
    /// [`Error::Corrupt`] and [`Error::Newer`] if the log cannot be trusted or read, [`Error::BadOption`] if less than 256 bytes are lent or an option is set
    /// that takes a heap, [`Error::Name`], [`Error::Limit`], and what the directory reports.
    pub fn open(
        dir: D,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        Self::begin(dir, options, mode, buffer, None)
    }

    /// Opens a log, by what is known of it already.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    pub(super) fn begin(
        dir: D,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'b mut [u8],
        known: Option<Log>,
    ) -> Result<Self, Error<D::Error>> {
        let settings = super::settings(&options, &dir.capabilities(), buffer.len())?;
        let walk = Walk { dir: &dir, settings: &settings };
        let log = match known {
            Some(log) => Some(log),
            None => walk.find(Purpose::Read, buffer)?.log,
        };
        let next = match &log {
            Some(log) => Some(walk.live(log.first.0)?),
            None => None,
        };
        let last_id = match &next {
            Some(first) => EntryId::new(first.first_id.saturating_sub(1)),
            None => EntryId::new(settings.first_id.get().saturating_sub(1)),
        };
        let (current, torn) = (None, None);
        Ok(Self { dir, settings, log, mode, buffer, current, next, last_id, torn })
    }

    /// The next entry, lent until the next call; `None` at the end of the log.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damage; [`Error::TornTail`] at a torn tail in strict mode; [`Error::Limit`] for a record that the memory does not hold; what
    /// the directory reports. There are no more entries after an error.
    #[expect(clippy::should_implement_trait, reason = "the entry is lent, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        loop {
            // Given back below unless there is an error, after which there is nothing more.
            let Some(mut current) = self.current.take() else {
                if self.open_next()? {
                    continue;
                }
                return Ok(None);
            };
            let more = current.advance().inspect_err(|_| self.next = None)?;
            if more {
                let current = self.current.insert(current);
                let entry = current.entry();
                self.last_id = Some(entry.id);
                let segment = current.number();
                let (id, payload, offset) = (entry.id, entry.payload, entry.offset);
                return Ok(Some(RawEntry { id, payload, segment, offset }));
            }
            self.torn = current.torn_tail();
            self.buffer = current.into_buffer();
            if let Some(TornTail { file, offset, bytes }) =
                self.torn.as_ref().filter(|_| self.mode == ReadMode::Strict)
            {
                let (file, offset, bytes) = (file.clone(), *offset, *bytes);
                self.next = None;
                return Err(Error::TornTail { file, offset, bytes, last_id: self.last_id });
            }
        }
    }

    /// Begins with the next segment; false behind the tail.
    fn open_next(&mut self) -> Result<bool, Error<D::Error>> {
        let (Some(header), Some(log)) = (self.next.take(), &self.log) else { return Ok(false) };
        let walk = Walk { dir: &self.dir, settings: &self.settings };
        let successor = walk.successor(header.segment, log)?;
        let sealed = match &successor {
            Some(successor) => walk.sealed(&header, successor)?,
            None => None,
        };
        let buffer = core::mem::take(&mut self.buffer);
        self.current = Some(walk.open(&header, sealed, buffer)?);
        self.next = successor;
        Ok(true)
    }

    /// The id of the last entry that was shown, or of the last before the log's first.
    pub const fn last_entry_id(&self) -> Option<EntryId> {
        self.last_id
    }

    /// The torn tail, once the end was reached.
    pub const fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }
}

impl<D: Directory> fmt::Debug for FixedWalReader<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedWalReader").field("last_id", &self.last_id).finish_non_exhaustive()
    }
}
