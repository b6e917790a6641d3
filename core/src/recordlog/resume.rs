//! Opens a record log for appending: makes a new one, or finds the end of an existing one and goes on behind it.
//!
//! Must never append behind bytes that are not durable, never before the end is known, and never take damage for an end.
//!
//! # Crash story
//!
//! Creating: the file, its header, sync of the file, sync of the folder; only then frames. A crash before the last step
//! leaves no file, an empty one, or one with a bad header and nothing behind it: an *unfinished creation*, which is
//! removed (synced, so that it cannot come back under the new file) and made anew.
//!
//! Resuming, where `p` is the first offset without a frame:
//!
//! 1. Sync the file and the folder. What is read from now on is what power loss would leave.
//! 2. Scan. Damage ends here, with nothing changed.
//! 3. Only room behind `p`: go on at `p`. A crash leaves a torn tail at `p`, as after any append.
//! 4. A torn tail: go on behind the last byte that is not room and behind what the torn frames claim, at `q`, with a *resume* frame
//!    that says "dead from `p`": within a claim, it could complete the torn frame. It may carry *synced*, for all before it is durable by step 1.
//!    If zeros would complete it, other bytes are put there first, and made durable.
//!    A crash now may keep any part of what follows `q`: then the resume frame does not verify, as a whole, and `p` is
//!    still the end, with a longer torn tail; the next resume goes on behind that. No frame behind `q` carries *synced*
//!    before a sync has made the resume frame durable, so none can prove the dead bytes to be damage. If the
//!    resume frame is kept, the log goes on behind it, whatever became of the rest.
//! 5. What scanning finds beyond a resume frame never depends on the dead bytes: a reader looks for the frame that
//!    names `p` at every multiple of the alignment, also inside of frames that the dead bytes claim.

use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, Form};
use crate::bytes::header::{
    Common, FileHeader as _, RECORD_LOG_HEADER_BYTES, RecordLogHeader, header_salt,
};
use crate::error::{Context as _, Error, Limit, Operation};
use crate::file::behind::RESUME_BYTES;
use crate::file::memory::Buffer;
use crate::file::sink::Sink;
use crate::storage::{AppendFile, Directory, Name, NameBuf, StoreError};

use super::options::Checked;
use super::scan::{End, Opened, Scan, Step};

/// A file is filled a block at a time.
const BLOCK: usize = 512;

/// A file that is ready for the next frame.
#[derive(Debug)]
pub(super) struct Ready<A, B> {
    pub(super) sink: Sink<A, B>,
    pub(super) codec: Codec,
    pub(super) records: u32,
    /// All before the next frame is durable, and there is something before it.
    pub(super) proven: bool,
    /// There are frames that no sync has covered.
    pub(super) unsynced: bool,
    /// The last frame is a close frame.
    pub(super) closed: bool,
}

/// Something made on a directory, unless the name is taken, or there is no file of it.
type Made<D, T> = Result<Option<T>, Error<<D as Directory>::Error>>;

/// What is in the file.
enum Found {
    Nothing,
    Log { codec: Codec, records: u32, end: End, file_bytes: u64, closed: bool },
}

/// Makes a new log; `None` if the name is taken.
pub(super) fn create<D: Directory, B: Buffer>(
    dir: &D,
    path: Name<'_>,
    options: &Checked,
    buffer: B,
) -> Made<D, Ready<D::Appender, B>> {
    let name = NameBuf::from(path);
    let Some(file) = dir.create(path, 0).on(Operation::Create, &name)? else { return Ok(None) };
    let crc = Crc::detect();
    let common = Common { alignment: options.alignment, form: Form::Full, log_id: dir.nonce() };
    let header = RecordLogHeader { common }.encode(crc);
    let codec = Codec::new(crc, header_salt(&header), options.alignment);
    let mut sink = new_sink(file, name, options, buffer)?;
    sink.put(&header)?;
    // Only whole granules now, not up to the first frame: behind an unfinished header there must be nothing.
    fill_up_to(
        &mut sink,
        0,
        (RECORD_LOG_HEADER_BYTES as u64).next_multiple_of(options.granule.into()),
    )?;
    if !planted!(RecordLogHeaderUnsynced) {
        sink.sync()?; // crash: no file, or an unfinished creation
    }
    if !planted!(RecordLogNameUnsynced) {
        dir.sync_dir(path.folder()).on(Operation::SyncDir, sink.name())?; // crash: the same, or an empty log
    }
    sink.pad(codec)?;
    Ok(Some(Ready { sink, codec, records: 0, proven: false, unsynced: false, closed: false }))
}

/// Goes on with an existing log; `None` if there is no file.
pub(super) fn resume<D: Directory, B: Buffer>(
    dir: &D,
    path: Name<'_>,
    options: &Checked,
    buffer: &mut B,
) -> Made<D, Ready<D::Appender, B>> {
    let name = NameBuf::from(path);
    if dir.open(path).on(Operation::Open, &name)?.is_none() {
        return Ok(None);
    }
    let can_reopen = dir.capabilities().reopen();
    if can_reopen {
        if !planted!(ResumedUnsynced) {
            dir.sync_file(path).on(Operation::Sync, &name)?; // crash: as it was
        }
        dir.sync_dir(path.folder()).on(Operation::SyncDir, &name)?;
    }
    match inspect(dir, path, options, buffer)? {
        Found::Nothing => start_over(dir, path, options, core::mem::take(buffer)),
        Found::Log { records: 0, .. } if !can_reopen => {
            start_over(dir, path, options, core::mem::take(buffer))
        }
        Found::Log { .. } if !can_reopen => {
            Err(D::Error::unsupported()).on(Operation::Reopen, &name)
        }
        Found::Log { codec, records, end, file_bytes, closed } => {
            options.check_existing(codec.alignment())?;
            let lent = core::mem::take(buffer);
            let Some(mut sink) = reopen(dir, &name, options, codec, end, file_bytes, lent)? else {
                return Ok(None);
            };
            let torn = end.torn_bytes() > 0;
            if torn {
                append_resume(&mut sink, codec, options, records, end)?;
            }
            Ok(Some(Ready {
                sink,
                codec,
                records,
                proven: !torn || planted!(ResumeFrameNotDurable),
                unsynced: torn,
                closed: closed && !torn,
            }))
        }
    }
}

/// An unfinished creation, or an empty log that cannot be reopened: nothing in it was ever acknowledged.
fn start_over<D: Directory, B: Buffer>(
    dir: &D,
    path: Name<'_>,
    options: &Checked,
    buffer: B,
) -> Made<D, Ready<D::Appender, B>> {
    let name = NameBuf::from(path);
    dir.remove(path).on(Operation::Remove, &name)?; // crash: still there, or gone
    // Otherwise a power cut could bring the old file back in place of the new one.
    dir.sync_dir(path.folder()).on(Operation::SyncDir, &name)?; // crash: gone
    create(dir, path, options, buffer)
}

/// Reads the whole log.
fn inspect<D: Directory, B: Buffer>(
    dir: &D,
    path: Name<'_>,
    options: &Checked,
    buffer: &mut B,
) -> Result<Found, Error<D::Error>> {
    let name = NameBuf::from(path);
    let Some(file) = dir.open(path).on(Operation::Open, &name)? else {
        return Err(Error::Missing { file: name });
    };
    let mut scan = match Scan::open(file, name, options, core::mem::take(buffer))? {
        Opened::Unfinished { memory, .. } => {
            *buffer = memory;
            return Ok(Found::Nothing);
        }
        Opened::Log(scan) => scan,
    };
    let end = loop {
        if let Step::End(end) = scan.step()? {
            break end;
        }
    };
    let (codec, records, closed) = (scan.codec(), scan.records(), scan.closed);
    let file_bytes = scan.len()?;
    *buffer = scan.into_buffer();
    // Reading may have taken more than writing does.
    buffer.give_back(options.buffer_bytes);
    Ok(Found::Log { codec, records, end, file_bytes, closed })
}

/// Opens the file behind its end, and fills up to where the next frame begins.
fn reopen<D: Directory, B: Buffer>(
    dir: &D,
    name: &NameBuf,
    options: &Checked,
    codec: Codec,
    end: End,
    file_bytes: u64,
    buffer: B,
) -> Made<D, Sink<D::Appender, B>> {
    let granule = u64::from(options.granule);
    let next = end.next_frame;
    // The last frame's padding may be missing; a file cannot be opened beyond its end.
    let at = next.min(file_bytes.next_multiple_of(granule));
    let resume_end = codec.frame_bytes(RESUME_BYTES.into()).saturating_add(next);
    if resume_end > options.file_bytes_max {
        let limit = options.file_bytes_max;
        return Err(Error::Limit { what: Limit::FileBytes, found: resume_end, limit });
    }
    let Some(file) = dir.reopen(name.as_name(), at).on(Operation::Reopen, name)? else {
        return Ok(None);
    };
    let mut sink = new_sink(file, name.clone(), options, buffer)?;
    // Zeros, unless something is cut off that they complete: a whole last frame lacks its padding.
    fill_up_to(&mut sink, end.fill, next)?;
    if end.zeros_revive && !planted!(RevivedByZeros) {
        // Otherwise a crash could leave zeros where the file grew, and a frame behind the record that they complete.
        sink.sync()?; // crash: the torn record is whole, and nothing follows it; or it is dead for good
    }
    Ok(Some(sink))
}

/// Says which bytes are dead. It stays in the buffer until there is more to write, or the writer is dropped: a log on a full
/// medium can be opened.
fn append_resume<A, B>(
    sink: &mut Sink<A, B>,
    codec: Codec,
    options: &Checked,
    records: u32,
    end: End,
) -> Result<(), Error<A::Error>>
where
    B: Buffer,
    A: AppendFile,
    A::Error: StoreError,
{
    let limit = options.file_bytes_max;
    let dead_from = u32::try_from(end.offset).map_err(|_| Error::Limit {
        what: Limit::FileBytes,
        found: end.offset,
        limit,
    })?;
    let (payload, length) = Control::Resume { dead_from }.encode();
    let flags = Flags { synced: true, control: true, more: false };
    sink.append(codec, flags, records, payload.get(..length).unwrap_or_default())?;
    Ok(())
}

fn new_sink<A, B>(
    file: A,
    name: NameBuf,
    options: &Checked,
    buffer: B,
) -> Result<Sink<A, B>, Error<A::Error>>
where
    B: Buffer,
    A: AppendFile,
    A::Error: StoreError,
{
    Sink::new(file, name, buffer, options.buffer_bytes, options.granule)
}

fn fill_up_to<A, B>(sink: &mut Sink<A, B>, fill: u8, offset: u64) -> Result<(), Error<A::Error>>
where
    B: Buffer,
    A: AppendFile,
    A::Error: StoreError,
{
    let count = offset.saturating_sub(sink.offset());
    let mut left = usize::try_from(count).unwrap_or(0);
    while left > 0 {
        let block = left.min(BLOCK);
        sink.put([fill; BLOCK].get(..block).unwrap_or_default())?;
        left = left.saturating_sub(block);
    }
    Ok(())
}
