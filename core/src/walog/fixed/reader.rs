//! Reads a log of raw records in memory that the caller lends, oldest first, each lent in place.
//!
//! Must never change anything, and never show an entry that does not verify.

use core::fmt;

use crate::EntryId;
use crate::bytes::header::SegmentHeader;
use crate::error::Error;
use crate::file::source::Trouble;
use crate::mode::ReadMode;
use crate::storage::Directory;

use super::super::found::{RawEntry, TornTail};
use super::super::headless::Purpose;
use super::super::options::WalOptions;
use super::Settings;
use super::account::{Account, Failed, told};
use super::find::Found;
use super::walk::{File, Lent, Reader, Walk};
use super::writer::FixedWalWriter;

/// Reads a log of raw records in memory that the caller lends, without a heap.
///
/// It takes no lock and changes nothing. Whoever writes meanwhile must not prune, nor truncate.
///
/// **Limits.** The memory that is lent is all that it uses for records: a record, with its header of 16 bytes, must fit it.
pub struct FixedWalReader<'b, D: Directory> {
    dir: D,
    settings: Settings,
    /// The header of the log's last segment.
    tail: Option<SegmentHeader>,
    /// No number is missing before it.
    dense: bool,
    mode: ReadMode,
    /// Memory, while no segment is being read.
    buffer: Lent<'b>,
    /// The segment that is being read.
    current: Option<Reader<'b, D>>,
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
        Self::begin(dir, options, mode, buffer, Found::default())
    }

    /// Opens a log, by what is known of it already.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    #[inline(never)]
    pub(super) fn begin(
        dir: D,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'b mut [u8],
        mut found: Found,
    ) -> Result<Self, Error<D::Error>> {
        let mut settings = Settings::NONE;
        super::settings(&options, &dir.capabilities(), buffer.len(), &mut settings)?;
        let mut next = None;
        told(&settings, |account| {
            let walk = Walk { dir: &dir, settings: &settings, account };
            if found.tail.is_none() {
                walk.find(Purpose::Read, buffer, &mut found)?;
            }
            if found.tail.is_some() { walk.live(found.first, &mut next) } else { Ok(()) }
        })?;
        let first_id = next.as_ref().map_or(options.first_id.get(), |first| first.first_id);
        let last_id = EntryId::new(first_id.saturating_sub(1));
        let (tail, dense, current, torn) = (found.tail, found.is_dense(), None, None);
        Ok(Self { dir, settings, tail, dense, mode, buffer, current, next, last_id, torn })
    }

    /// The next entry, lent until the next call; `None` at the end of the log.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damage; [`Error::TornTail`] at a torn tail in strict mode; [`Error::Limit`] for a record that the memory does not hold; what
    /// the directory reports. There are no more entries after an error.
    #[expect(clippy::should_implement_trait, reason = "the entry is lent, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        let account = Account::new();
        match self.advance(&account) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(failed) => return Err(account.tell(failed, &self.settings)),
        }
        let Some(current) = &self.current else { return Ok(None) };
        let entry = current.entry();
        self.last_id = Some(entry.id);
        let segment = current.number();
        let (id, payload, offset) = (entry.id, entry.payload, entry.offset);
        Ok(Some(RawEntry { id, payload, segment, offset }))
    }

    /// Goes to the next entry; false at the end of the log.
    #[inline(never)]
    fn advance(&mut self, account: &Account<D::Error>) -> Result<bool, Failed> {
        let more = self.go_on(account);
        if more.is_err() {
            // There are no more entries after an error.
            (self.current, self.next) = (None, None);
        }
        more
    }

    fn go_on(&mut self, account: &Account<D::Error>) -> Result<bool, Failed> {
        loop {
            if let Some(current) = &mut self.current {
                let walk = Walk { dir: &self.dir, settings: &self.settings, account };
                if walk.advance(current)? {
                    return Ok(true);
                }
                let (segment, torn) = (File::Segment(current.number()), current.torn());
                if let Some(current) = self.current.take() {
                    self.buffer = current.into_buffer();
                }
                if let Some((offset, bytes)) = torn {
                    let file = walk.name(segment)?;
                    self.torn = Some(TornTail { file, offset, bytes });
                    if self.mode == ReadMode::Strict {
                        let torn = Trouble::TornTail { offset, bytes, last_id: self.last_id };
                        return Err(account.give(segment, torn));
                    }
                }
            }
            if !self.open_next(account)? {
                return Ok(false);
            }
        }
    }

    /// Begins with the next segment; false behind the tail.
    fn open_next(&mut self, account: &Account<D::Error>) -> Result<bool, Failed> {
        let (Some(header), Some(tail)) = (self.next.take(), &self.tail) else { return Ok(false) };
        let walk = Walk { dir: &self.dir, settings: &self.settings, account };
        walk.successor(header.segment, tail, self.dense, &mut self.next)?;
        let sealed = match &self.next {
            Some(successor) => walk.sealed(&header, successor)?,
            None => None,
        };
        let buffer = core::mem::take(&mut self.buffer);
        walk.open(&header, sealed, buffer, &mut self.current)?;
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

impl<D: Directory> FixedWalWriter<'_, D> {
    /// Flushes, and reads the log while it is open: everything that was appended until now. What the writer knows of the log is not looked for again: nothing is read but
    /// the headers of the segments and their frames, once. `options` are those that [`FixedWalReader::open`] takes, `buffer` is other memory than the writer's.
    ///
    /// ```
    /// use durability_core::ReadMode;
    /// use durability_core::storage::MemoryDirectory;
    /// use durability_core::walog::{FixedWalWriter, WalOptions};
    ///
    /// let (mut memory, mut reading) = ([0; 256], [0; 256]);
    /// let mut log = FixedWalWriter::open(MemoryDirectory::new(), WalOptions::new(), &mut memory)?;
    /// log.append(b"21.5 degrees")?;
    /// let mut entries = log.reader(WalOptions::new(), ReadMode::Strict, &mut reading)?;
    /// assert_eq!(entries.next()?.map(|entry| entry.payload.to_vec()), Some(b"21.5 degrees".to_vec()));
    /// assert!(entries.next()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`flush`](Self::flush) and [`FixedWalReader::open`].
    pub fn reader<'r>(
        &'r mut self,
        options: WalOptions,
        mode: ReadMode,
        buffer: &'r mut [u8],
    ) -> Result<FixedWalReader<'r, D>, Error<D::Error>>
    where
        D: Clone,
    {
        self.flush()?;
        let mut tail = None;
        self.told(|wal, account| {
            let (walk, number) = (wal.walk(account), wal.tail.number);
            walk.live(number, &mut tail)?;
            // Nobody else writes here; but what is not the log's own must not be shown as it.
            tail.as_ref().map_or(Ok(()), |tail| walk.is_ours(number, tail, wal.log_id))
        })?;
        let known = Found { tail, first: self.first, segments: self.segments, ..Found::default() };
        FixedWalReader::begin(self.dir.clone(), options, mode, buffer, known)
    }
}

impl<D: Directory> fmt::Debug for FixedWalReader<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedWalReader").field("last_id", &self.last_id).finish_non_exhaustive()
    }
}
