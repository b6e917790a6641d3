//! Segments whose header does not verify: unfinished creations, or damage; FORMAT.md, "Where a WAL ends", rules 1 and 6.

use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Form};
use crate::bytes::header::{
    Decoded, FileHeader as _, READY_MARK_BYTES, ReadyMark, SEGMENT_HEADER_BYTES, segment_salt,
};
#[cfg(feature = "alloc")]
use crate::error::{Context as _, Error, Operation};
use crate::file::frames::Frames;
use crate::file::memory::Buffer;
use crate::file::source::Source;
use crate::file::window::Window;
#[cfg(feature = "alloc")]
use crate::storage::Directory;
#[cfg(feature = "alloc")]
use crate::storage::NameBuf;

#[cfg(feature = "alloc")]
use super::options::Settings;

/// Whether to make sure that what is found is on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read what there is.
    Read,
    /// To go on from it: the tail and the names are synced *before* they are looked at, and the tail is scanned, unless it was closed.
    Write,
}

/// Opens a segment's file.
#[cfg(feature = "alloc")]
pub(super) fn open<D: Directory>(
    dir: &D,
    settings: &Settings,
    number: u32,
) -> Result<(D::Reader, NameBuf), Error<D::Error>> {
    let name = settings.segment_name(number)?;
    match dir.open(name.as_name()).on(Operation::Open, &name)? {
        Some(file) => Ok((file, name)),
        None => Err(Error::Missing { file: name }),
    }
}

/// The frames of a segment whose header cannot be read.
#[cfg(feature = "alloc")]
pub(super) fn headless<D: Directory, B: Buffer>(
    dir: &D,
    settings: &Settings,
    log_id: u64,
    number: u32,
    buffer: B,
) -> Result<Frames<D::Reader, B>, Error<D::Error>> {
    let (file, name) = open(dir, settings, number)?;
    let window = Window::new(file, name, buffer, settings.read_bytes)?;
    Ok(frames(window, settings.record_bytes_max, log_id, number))
}

/// The frames of a file whose header cannot be read, at the finest alignment, in the full form.
pub(super) fn frames<R, B>(
    window: Window<R, B>,
    record_bytes_max: u32,
    log_id: u64,
    number: u32,
) -> Frames<R, B>
where
    B: Buffer,
    R: Source,
{
    let crc = Crc::detect();
    let codec = Codec::new(crc, segment_salt(crc, log_id, number), 4);
    Frames::new(window, codec, SEGMENT_HEADER_BYTES as u64, record_bytes_max)
}

/// Whether nothing in a segment whose header does not verify proves that it was synced.
pub(super) fn judge_unfinished<R, B>(
    frames: &mut Frames<R, B>,
    log_id: u64,
    number: u32,
) -> Result<bool, R::Fault>
where
    B: Buffer,
    R: Source,
{
    if is_ready(frames, log_id, number)? {
        return Ok(true);
    }
    let from = SEGMENT_HEADER_BYTES as u64;
    if frames.search_synced(from, 0)?.found.is_some() {
        return Ok(false);
    }
    // Of which form its frames are, the header would say.
    frames.take_for(Form::Compact);
    Ok(frames.search_synced(from, 0)?.found.is_none())
}

/// Whether a segment has been made ready and never begun: then no frame in it was ever synced, and it need not be read.
fn is_ready<R, B>(frames: &mut Frames<R, B>, log_id: u64, number: u32) -> Result<bool, R::Fault>
where
    B: Buffer,
    R: Source,
{
    let mut bytes = [0; READY_MARK_BYTES];
    let length = frames.beginning(&mut bytes)?;
    let mark = ReadyMark::decode(frames.codec().crc(), bytes.get(..length).unwrap_or_default());
    let Decoded::Header(mark) = mark else { return Ok(false) };
    Ok(mark.common.log_id == log_id && mark.segment == number)
}
