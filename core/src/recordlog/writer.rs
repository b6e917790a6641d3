//! Appends to a record log.
//!
//! Must never acknowledge a record before the sync that covers it has returned, and nothing after a failure.

use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::frame::{Codec, Flags};
use crate::durable::Durable;
use crate::error::{Context as _, Error, Limit, Operation};
use crate::file::behind::RESUME_BYTES;
use crate::file::memory::{Buffer, Own};
use crate::file::sibling::sibling;
use crate::file::sink::Sink;
use crate::storage::{Directory, Locking, Name};

use super::options::{Checked, RecordLogOptions};
use super::resume::{self, Ready};

/// Control frames that records leave room for at the end of the largest file: to mark, to close and to resume it.
const CONTROL_FRAMES: u64 = 4;

/// Appends records to one file.
///
/// It holds the lock beside the file (its name with the extension `LCK`) until it is dropped, so there is one writer at a
/// time; logs whose names differ in the extension only share a lock.
///
/// **Durability.** [`append`](Self::append) only buffers. [`flush`](Self::flush) hands the records to the system: they survive the end of the
/// process. [`flush_and_sync`](Self::flush_and_sync) makes them survive power loss, and its proof says up to which. After a crash, what can
/// be read is a prefix of what was appended that reaches at least to the last proof.
///
/// **Failure is final.** After a failed write, flush or sync the writer is poisoned and returns [`Error::Poisoned`] from then on:
/// drop it and resume the log.
///
/// Dropping it flushes what is buffered, as well as it can, and syncs nothing: call [`close`](Self::close) to know.
///
/// Memory: one buffer ([`buffer_bytes`](RecordLogOptions::buffer_bytes)), allocated once.
///
/// ```
/// use durability_core::recordlog::{RecordLogOptions, RecordLogWriter};
/// use durability_core::storage::{MemoryDirectory, Name};
/// let dir = MemoryDirectory::new();
/// let path = Name::new("EVENTS.LOG")?;
/// let mut log = RecordLogWriter::create(&dir, path, RecordLogOptions::new())?;
/// assert_eq!(log.append(b"one")?, 1);
/// log.close()?;
/// let mut log = RecordLogWriter::resume(&dir, path, RecordLogOptions::new())?;
/// assert_eq!(log.append(b"two")?, 2);
/// assert_eq!(log.flush_and_sync()?.through(), log.last_record());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordLogWriter<D: Directory, B = Own>
where
    B: Buffer,
{
    sink: Sink<D::Appender, B>,
    codec: Codec,
    options: Checked,
    records: u32,
    /// The next frame may say that all before it is durable.
    proven: bool,
    /// There are frames that no sync has covered.
    unsynced: bool,
    /// The last frame is a close frame.
    closed: bool,
    _lock: D::Lock,
}

#[cfg(feature = "alloc")]
impl<D: Directory> RecordLogWriter<D> {
    /// Makes a new log.
    ///
    /// **Durability.** After `Ok` the empty log is durable, name and all. After an error or a crash there may be no file, or an
    /// unfinished one, which [`open`](Self::open) and [`resume`](Self::resume) make anew.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a file of that name, [`Error::Held`] if it has a writer, [`Error::BadOption`], [`Error::Name`] if there can be no
    /// name for the lock, [`Error::Store`].
    pub fn create(
        dir: D,
        path: Name<'_>,
        options: RecordLogOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        Self::create_through(dir, path, options, alloc::vec::Vec::new())
    }

    /// Goes on with an existing log, behind its last whole record.
    ///
    /// It reads the whole file. A torn tail is left as it is: what is appended goes behind it, and a frame there tells readers
    /// which bytes are dead. No byte is changed.
    ///
    /// Resuming needs no space, but for a torn record: up to 4 KiB if what it lacks was zeros, for other bytes must be made durable in their place, or if the
    /// buffer is smaller than that.
    ///
    /// **Durability.** All records found are durable when it returns. A crash in the middle changes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such file, [`Error::Held`] if it has a writer, [`Error::Corrupt`] if an acknowledged record is damaged (nothing is
    /// changed), [`Error::Newer`] or [`Error::NewerFrame`] if a later version wrote it, [`Error::Limit`] for a record above
    /// [`record_bytes_max`](RecordLogOptions::record_bytes_max) or a full file, [`Error::BadOption`], [`Error::Name`], [`Error::Store`]. On a backend
    /// without [`reopen`](crate::storage::Capabilities::reopen) a log with records in it cannot be resumed: the error
    /// [is unsupported](Error::is_unsupported).
    pub fn resume(
        dir: D,
        path: Name<'_>,
        options: RecordLogOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        Self::resume_through(dir, path, options, alloc::vec::Vec::new())
    }

    /// Goes on with an existing log, or makes a new one.
    ///
    /// # Errors
    /// As [`resume`](Self::resume), but for [`Error::Missing`].
    pub fn open(
        dir: D,
        path: Name<'_>,
        options: RecordLogOptions,
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?;
        Self::open_through(dir, path, options, alloc::vec::Vec::new())
    }
}

impl<'b, D: Directory> RecordLogWriter<D, &'b mut [u8]> {
    /// [`create`](RecordLogWriter::create) through `buffer`, without a heap: 256 bytes at least, and as much as the longest record with its header of 16 bytes.
    ///
    /// # Errors
    /// As [`create`](RecordLogWriter::create).
    pub fn create_in(
        dir: D,
        path: Name<'_>,
        options: RecordLogOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?.lent(buffer.len())?;
        Self::create_through(dir, path, options, buffer)
    }

    /// [`resume`](RecordLogWriter::resume) through `buffer`, as [`create_in`](Self::create_in).
    ///
    /// # Errors
    /// As [`resume`](RecordLogWriter::resume).
    pub fn resume_in(
        dir: D,
        path: Name<'_>,
        options: RecordLogOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?.lent(buffer.len())?;
        Self::resume_through(dir, path, options, buffer)
    }

    /// [`open`](RecordLogWriter::open) through `buffer`, as [`create_in`](Self::create_in).
    ///
    /// # Errors
    /// As [`open`](RecordLogWriter::open).
    pub fn open_in(
        dir: D,
        path: Name<'_>,
        options: RecordLogOptions,
        buffer: &'b mut [u8],
    ) -> Result<Self, Error<D::Error>> {
        let options = options.check(dir.capabilities())?.lent(buffer.len())?;
        Self::open_through(dir, path, options, buffer)
    }
}

impl<D: Directory, B: Buffer> RecordLogWriter<D, B> {
    fn create_through(
        dir: D,
        path: Name<'_>,
        options: Checked,
        buffer: B,
    ) -> Result<Self, Error<D::Error>> {
        let lock = take_lock(&dir, path)?;
        let ready = resume::create(&dir, path, &options, buffer)?;
        let ready = ready.ok_or_else(|| Error::Exists { file: path.into() })?;
        Ok(Self::new(ready, options, lock))
    }

    fn resume_through(
        dir: D,
        path: Name<'_>,
        options: Checked,
        mut buffer: B,
    ) -> Result<Self, Error<D::Error>> {
        let lock = take_lock(&dir, path)?;
        let ready = resume::resume(&dir, path, &options, &mut buffer)?;
        let ready = ready.ok_or_else(|| Error::Missing { file: path.into() })?;
        Ok(Self::new(ready, options, lock))
    }

    fn open_through(
        dir: D,
        path: Name<'_>,
        options: Checked,
        mut buffer: B,
    ) -> Result<Self, Error<D::Error>> {
        let lock = take_lock(&dir, path)?;
        let ready = match resume::resume(&dir, path, &options, &mut buffer)? {
            Some(ready) => ready,
            None => resume::create(&dir, path, &options, buffer)?
                .ok_or_else(|| Error::Exists { file: path.into() })?,
        };
        Ok(Self::new(ready, options, lock))
    }

    fn new(ready: Ready<D::Appender, B>, options: Checked, lock: D::Lock) -> Self {
        let Ready { sink, codec, records, proven, unsynced, closed } = ready;
        Self { sink, codec, options, records, proven, unsynced, closed, _lock: lock }
    }

    /// Appends a record and returns its number. An empty record is one as well.
    ///
    /// **Durability.** None: the record is in the buffer, or partly in the file.
    ///
    /// # Errors
    /// [`Error::Limit`] if the record is longer than [`record_bytes_max`](RecordLogOptions::record_bytes_max) or the file would grow beyond
    /// 4 GiB or what the backend can hold; nothing is written then, and the writer goes on. [`Error::Poisoned`]; [`Error::Store`] and
    /// [`Error::NoProgress`], which poison.
    #[inline]
    pub fn append(&mut self, record: &[u8]) -> Result<EntryId, Error<D::Error>> {
        self.sink.check()?;
        let position = self.admit(record.len() as u64)?;
        let flags = Flags { synced: self.proven, ..Flags::default() };
        self.sink.append(self.codec, flags, position, record)?;
        self.proven = false;
        self.unsynced = true;
        self.closed = false;
        self.records = position;
        Ok(EntryId::new(position.into()).unwrap_or(EntryId::FIRST))
    }

    /// The position of the next record, if there is room for it.
    #[inline]
    fn admit(&self, bytes: u64) -> Result<u32, Error<D::Error>> {
        let limit = u64::from(self.options.record_bytes_max);
        if bytes > limit {
            return Err(Error::Limit { what: Limit::RecordBytes, found: bytes, limit });
        }
        let found = self.sink.offset().saturating_add(self.codec.frame_bytes(bytes));
        let room = self.codec.frame_bytes(RESUME_BYTES.into()).saturating_mul(CONTROL_FRAMES);
        let limit = self.options.file_bytes_max.saturating_sub(room);
        if found > limit {
            return Err(Error::Limit { what: Limit::FileBytes, found, limit });
        }
        let (found, limit) = (u64::from(self.records).saturating_add(1), u64::from(u32::MAX));
        u32::try_from(found).map_err(|_| Error::Limit { what: Limit::EntryIds, found, limit })
    }

    /// Hands all records to the system.
    ///
    /// **Durability.** After `Ok` they survive the end of the process, not power loss.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; [`Error::Store`] and [`Error::NoProgress`], which poison.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        self.sink.flush()
    }

    /// Makes all records durable and proves it: one write and one sync, neither if there is nothing new.
    ///
    /// **Durability.** After `Ok` every record up to [`Durable::through`] survives power loss. After an error nothing is known of the records
    /// since the last proof; resuming the log tells.
    ///
    /// # Errors
    /// [`Error::Poisoned`]; [`Error::Store`] and [`Error::NoProgress`], which poison.
    pub fn flush_and_sync(&mut self) -> Result<Durable, Error<D::Error>> {
        self.sink.check()?;
        if self.unsynced {
            self.sync()?;
            if self.options.mark_after_sync {
                self.append_control(Control::Mark)?;
                self.sink.flush()?;
            }
        }
        Ok(Durable::new(self.last_record()))
    }

    fn sync(&mut self) -> Result<(), Error<D::Error>> {
        if planted!(RecordAcknowledgedUnsynced) {
            self.sink.flush()?;
        } else {
            self.sink.sync()?;
        }
        self.unsynced = false;
        self.proven = true;
        Ok(())
    }

    /// Appends a control frame, if the file has room for it: readers can do without.
    fn append_control(&mut self, control: Control) -> Result<(), Error<D::Error>> {
        let (payload, length) = control.encode();
        let end = self.sink.offset().saturating_add(self.codec.frame_bytes(length as u64));
        if end > self.options.file_bytes_max {
            return Ok(());
        }
        let flags = Flags { synced: self.proven, control: true, more: false };
        let payload = payload.get(..length).unwrap_or_default();
        self.sink.append(self.codec, flags, self.records, payload)?;
        self.proven = false;
        self.closed = control == Control::Close;
        Ok(())
    }

    /// Makes all records durable, and writes a frame that vouches for them: damage to any of them can be told from a
    /// torn tail from then on.
    ///
    /// **Durability.** As [`flush_and_sync`](Self::flush_and_sync). The last frame itself is only flushed; without it the log is whole, too.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Store`], [`Error::NoProgress`].
    pub fn close(mut self) -> Result<(), Error<D::Error>> {
        self.sink.check()?;
        if self.unsynced {
            self.sync()?; // crash: as after any sync
        }
        if !self.closed {
            self.append_control(Control::Close)?;
        }
        self.sink.flush()?; // crash: the close frame is whole or torn, and vouches or does not
        self.sink.trim()
    }

    /// The file.
    pub fn path(&self) -> Name<'_> {
        self.sink.name().as_name()
    }

    /// The number of the last record, durable or not; `None` if there is none.
    pub const fn last_record(&self) -> Option<EntryId> {
        EntryId::new(widen(self.records))
    }
}

#[expect(clippy::as_conversions, reason = "u32 to u64 in a const fn")]
const fn widen(number: u32) -> u64 {
    number as u64
}

impl<D: Directory, B: Buffer> Drop for RecordLogWriter<D, B> {
    fn drop(&mut self) {
        // A courtesy to those who forgot to close: nobody is told whether it worked. A poisoned sink refuses.
        let _ = self.sink.flush();
    }
}

impl<D: Directory, B: Buffer> fmt::Debug for RecordLogWriter<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordLogWriter")
            .field("path", &self.path())
            .field("last_record", &self.last_record())
            .field("unsynced", &self.unsynced)
            .finish_non_exhaustive()
    }
}

fn take_lock<D: Directory>(dir: &D, path: Name<'_>) -> Result<D::Lock, Error<D::Error>> {
    let name = sibling(path, "LCK", "LC2")?;
    match dir.lock(name.as_name()).on(Operation::Lock, &name)? {
        Locking::Acquired(lock) => Ok(lock),
        Locking::Held { holder } => Err(Error::Held { file: name, holder }),
    }
}
