//! Reads a record log: streaming, in bounded memory, without ever writing.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;

use crate::EntryId;
use crate::error::{Context as _, Error, Operation};
use crate::file::memory::{Buffer, Own};
use crate::mode::ReadMode;
use crate::storage::{Directory, Name};

use super::options::{Checked, RecordLogOptions};
use super::scan::{End, Opened, Scan, Step};

/// A record, lent by the reader until the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Record<'a> {
    /// Its number: from 1, without gaps.
    pub id: EntryId,
    /// Where its frame begins in the file.
    pub offset: u64,
    /// The bytes that were appended.
    pub payload: &'a [u8],
}

/// What a reader has found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RecordLogReport {
    /// Records read.
    pub records: u64,
    /// Bytes of the torn tail, up to the last that is not blank; known once the end has been reached.
    pub torn_bytes: u64,
    /// Bytes of torn tails that earlier crashes left and that the log goes on behind.
    pub dead_bytes: u64,
}

/// Reads the records of one file, in order.
///
/// It takes no lock and changes nothing. Beside a writer of the same file it may be used only where the backend
/// [allows it](crate::storage::Capabilities::read_while_appending), and sees what was flushed before.
///
/// Memory: one buffer of [`read_bytes`](RecordLogOptions::read_bytes), or the longest record if that is more.
///
/// ```
/// use durability_core::ReadMode;
/// use durability_core::recordlog::{RecordLogOptions, RecordLogReader, RecordLogWriter};
/// use durability_core::storage::{MemoryDirectory, Name};
/// let dir = MemoryDirectory::new();
/// let path = Name::new("EVENTS.LOG")?;
/// let mut log = RecordLogWriter::create(&dir, path, RecordLogOptions::new())?;
/// log.append(b"one")?;
/// log.append(b"two")?;
/// log.close()?;
///
/// let mut reader = RecordLogReader::open(&dir, path, ReadMode::Strict, RecordLogOptions::new())?;
/// let mut bytes = 0;
/// while let Some(record) = reader.next()? {
///     bytes += record.payload.len();
/// }
/// assert_eq!((bytes, reader.report().records), (6, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordLogReader<D: Directory, B = Own> {
    /// `None` once the end has been reached.
    scan: Option<Scan<D::Reader, B>>,
    mode: ReadMode,
    report: RecordLogReport,
}

#[cfg(feature = "alloc")]
impl<D: Directory> RecordLogReader<D> {
    /// Opens a log and checks its header.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such file; [`Error::Newer`] if a later version wrote it; [`Error::Corrupt`] if its header is
    /// damaged; in strict mode [`Error::TornTail`] if its creation was cut short; [`Error::BadOption`]; [`Error::Store`].
    pub fn open(
        dir: D,
        path: Name<'_>,
        mode: ReadMode,
        options: RecordLogOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        Self::begin(&dir, path, mode, &options, Vec::new())
    }

    /// Copies every record that is left. The memory is that of all of them together.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn collect(&mut self) -> Result<Vec<Vec<u8>>, Error<D::Error>> {
        let mut records = Vec::new();
        self.for_each(|record| records.push(record.payload.to_vec()))?;
        Ok(records)
    }
}

impl<'b, D: Directory> RecordLogReader<D, &'b mut [u8]> {
    /// Opens a log and checks its header, to read it through `buffer`, without a heap: 256 bytes at least, and as much as the longest record with its header of 16 bytes.
    ///
    /// # Errors
    /// As [`open`](RecordLogReader::open).
    pub fn open_in(
        dir: D,
        path: Name<'_>,
        mode: ReadMode,
        options: RecordLogOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?.lent(buffer.len())?;
        Self::begin(&dir, path, mode, &options, buffer)
    }
}

impl<D: Directory, B: Buffer> RecordLogReader<D, B> {
    fn begin(
        dir: &D,
        path: Name<'_>,
        mode: ReadMode,
        options: &Checked,
        buffer: B,
    ) -> Result<Self, Error<D::Error>> {
        let file = dir.open(path).on(Operation::Open, &path.into())?;
        let file = file.ok_or_else(|| Error::Missing { file: path.into() })?;
        let mut report = RecordLogReport::default();
        let scan = match Scan::open(file, path.into(), options, buffer)? {
            Opened::Log(scan) => Some(scan),
            Opened::Unfinished { written_end, .. } => {
                if mode == ReadMode::Strict {
                    let file = path.into();
                    return Err(Error::TornTail {
                        file,
                        offset: 0,
                        bytes: written_end,
                        last_id: None,
                    });
                }
                report.torn_bytes = written_end;
                None
            }
        };
        Ok(Self { scan, mode, report })
    }

    /// The next record, lent until the next call; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the first damaged place, in both modes; all records before it have been returned.
    /// [`Error::TornTail`] at a torn tail in strict mode. [`Error::Limit`] for a record above
    /// [`record_bytes_max`](RecordLogOptions::record_bytes_max). [`Error::NewerFrame`] for what a later version wrote. Asked again, the
    /// reader gives the same error.
    #[expect(clippy::should_implement_trait, reason = "it lends, which an iterator cannot")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Error<D::Error>> {
        let Some(scan) = &mut self.scan else { return Ok(None) };
        let step = scan.step();
        self.report.dead_bytes = scan.dead_bytes;
        match step? {
            Step::Record(place) => {
                self.report.records = self.report.records.saturating_add(1);
                let Some(scan) = &self.scan else { return Ok(None) };
                let id = EntryId::new(place.position.into()).unwrap_or(EntryId::FIRST);
                Ok(Some(Record { id, offset: place.offset, payload: scan.payload(place) }))
            }
            Step::End(end) => self.end(end),
        }
    }

    #[cold]
    fn end(&mut self, end: End) -> Result<Option<Record<'_>>, Error<D::Error>> {
        self.report.torn_bytes = end.torn_bytes();
        if let Some(scan) = &self.scan
            && self.mode == ReadMode::Strict
            && end.torn_bytes() > 0
        {
            return Err(Error::TornTail {
                file: scan.name().clone(),
                offset: end.offset,
                bytes: end.torn_bytes(),
                last_id: EntryId::new(scan.records().into()),
            });
        }
        self.scan = None;
        Ok(None)
    }

    /// Calls `each` with every record that is left.
    ///
    /// # Errors
    /// As [`next`](Self::next); `each` has seen the records before.
    pub fn for_each(
        &mut self,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<RecordLogReport, Error<D::Error>> {
        while let Some(record) = self.next()? {
            each(record);
        }
        Ok(self.report)
    }

    /// What has been found so far.
    pub const fn report(&self) -> RecordLogReport {
        self.report
    }
}

impl<D: Directory, B: Buffer> fmt::Debug for RecordLogReader<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RecordLogReader");
        if let Some(scan) = &self.scan {
            debug.field("path", scan.name());
        }
        debug.field("mode", &self.mode).field("report", &self.report).finish_non_exhaustive()
    }
}
