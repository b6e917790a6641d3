//! Walks a record log from its header to its end, across the dead bytes of earlier crashes.
//!
//! Must never move on from an error: asked again, it gives the same answer.

use crate::EntryId;
use crate::bytes::control::{BadControl, Control};
use crate::bytes::crc::Crc;
use crate::bytes::frame::Codec;
use crate::bytes::header::{
    Decoded, FileHeader as _, RECORD_LOG_HEADER_BYTES, RecordLogHeader, header_salt,
};
use crate::error::{Corruption, CorruptionKind, Error};
use crate::file::behind::InPlace;
use crate::file::frames::{BadKind, Frames, Next};
use crate::file::memory::Buffer;
use crate::file::source::Source;
use crate::file::window::Window;
use crate::storage::{NameBuf, ReadFile, StoreError};

use super::options::Checked;

/// What the first bytes of a record log say.
#[derive(Debug)]
pub(super) enum Opened<R: Source, B> {
    Log(Scan<R, B>),
    /// Its creation was cut short; nothing was ever acknowledged in it.
    Unfinished {
        /// Behind the last byte that is not room.
        written_end: u64,
        /// What it was read with.
        memory: B,
    },
}

/// The records of a log, in order.
#[derive(Debug)]
pub(super) struct Scan<R: Source, B> {
    frames: Frames<R, B>,
    pub(super) dead_bytes: u64,
    /// The last frame seen is a close frame.
    pub(super) closed: bool,
    /// The bad frame that was read anew.
    looked_again: Option<u64>,
}

/// One step of a scan.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A record; [`Scan::payload`] lends it.
    Record(Place),
    /// Where the log ends.
    End(End),
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) payload_bytes: usize,
    pub(super) position: u32,
}

/// The end of a log.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "where the log ends, and where its bytes do")]
pub(super) struct End {
    /// Where the next frame would begin.
    pub(super) offset: u64,
    /// Behind the last byte that is not room: beyond `offset` if the tail is torn.
    pub(super) written_end: u64,
    /// Where the next frame may begin: `offset` or, behind a torn tail, clear of what the dead frames claim.
    pub(super) next_frame: u64,
    /// What to fill the file with up to there.
    pub(super) fill: u8,
    /// Zeros behind the end of the file would bring a torn frame back to life.
    pub(super) zeros_revive: bool,
}

impl End {
    pub(super) const fn torn_bytes(self) -> u64 {
        self.written_end.saturating_sub(self.offset)
    }
}

impl<R, B> Scan<R, B>
where
    B: Buffer,
    R: ReadFile,
    R::Error: StoreError,
{
    /// Judges the header.
    pub(super) fn open(
        file: R,
        name: NameBuf,
        options: &Checked,
        buffer: B,
    ) -> Result<Opened<R, B>, Error<R::Error>> {
        let crc = Crc::detect();
        let mut window = Window::new(file, name, buffer, options.read_bytes)?;
        let bytes = window.at(0, RECORD_LOG_HEADER_BYTES)?;
        let salt = bytes.first_chunk::<RECORD_LOG_HEADER_BYTES>().map_or(0, header_salt);
        match RecordLogHeader::decode(crc, bytes) {
            Decoded::Header(header) => {
                let codec = Codec::new(crc, salt, header.common.alignment);
                let first_frame = codec.align(RECORD_LOG_HEADER_BYTES as u64);
                let frames = Frames::new(window, codec, first_frame, options.record_bytes_max);
                Ok(Opened::Log(Self { frames, dead_bytes: 0, closed: false, looked_again: None }))
            }
            Decoded::Newer(newer) => Err(Error::Newer {
                file: window.name().clone(),
                version: newer.version,
                form: newer.form,
                features: newer.features,
            }),
            // The header is durable before the first frame is written. So bytes behind a bad one are proof of damage.
            Decoded::Blank | Decoded::Bad => {
                let header_end = RECORD_LOG_HEADER_BYTES as u64;
                if window.written_end(header_end)? > header_end {
                    return Err(corrupt(window.name(), 0, None, CorruptionKind::FileHeader));
                }
                let written_end = window.written_end(0)?;
                Ok(Opened::Unfinished { written_end, memory: window.into_buffer() })
            }
        }
    }

    pub(super) fn codec(&self) -> Codec {
        self.frames.codec()
    }

    pub(super) fn name(&self) -> &NameBuf {
        self.frames.name()
    }

    /// Records so far.
    pub(super) fn records(&self) -> u32 {
        self.frames.cursor().position
    }

    pub(super) fn payload(&self, place: Place) -> &[u8] {
        self.frames.payload(place.offset, place.payload_bytes)
    }

    /// The bound on the file's length.
    pub(super) fn len(&mut self) -> Result<u64, Error<R::Error>> {
        self.frames.len()
    }

    pub(super) fn into_buffer(self) -> B {
        self.frames.into_window().into_buffer()
    }

    /// Goes on to the next record.
    pub(super) fn step(&mut self) -> Result<Step, Error<R::Error>> {
        loop {
            let before = self.frames.cursor();
            let (place, verdict) = match self.frames.next()? {
                Next::Frame(frame) => {
                    let place = Place {
                        offset: frame.offset,
                        payload_bytes: frame.payload.len(),
                        position: frame.position,
                    };
                    let control = frame.flags.control.then(|| Control::decode(frame.payload));
                    // No batches here: a later version has put one.
                    let newer = frame.flags.more;
                    (place, if newer { Some(Err(BadControl::Newer(0))) } else { control })
                }
                Next::Bad(bad) => {
                    let next_id = EntryId::new(u64::from(before.position).saturating_add(1));
                    if matches!(bad.kind, BadKind::Newer | BadKind::Position { .. }) {
                        return Err(bad.error(self.frames.name(), next_id));
                    }
                    match self.frames.behind(bad)? {
                        InPlace::Resumed { dead_bytes } => {
                            self.dead_bytes = self.dead_bytes.saturating_add(dead_bytes);
                            self.closed = false;
                            continue;
                        }
                        // A writer beside this reader may have worked on since the bad frame was read.
                        InPlace::Damaged if self.looked_again != Some(bad.offset) => {
                            self.looked_again = Some(bad.offset);
                            let _decided_again = self.frames.is_still(bad)?;
                            self.frames.set_cursor(before);
                            continue;
                        }
                        InPlace::Damaged => return Err(bad.error(self.frames.name(), next_id)),
                        InPlace::End { written_end, next_frame, fill, zeros_revive } => {
                            let offset = bad.offset;
                            let end = End { offset, written_end, next_frame, fill, zeros_revive };
                            return Ok(Step::End(end));
                        }
                    }
                }
            };
            let failed = match verdict {
                None => {
                    self.closed = false;
                    return Ok(Step::Record(place));
                }
                Some(Ok(control @ (Control::Close | Control::Mark | Control::Ignored))) => {
                    self.closed = control == Control::Close;
                    continue;
                }
                Some(Err(BadControl::Newer(_))) => {
                    Error::NewerFrame { file: self.frames.name().clone(), offset: place.offset }
                }
                // A resume frame is only ever reached from the bad frame that it names.
                Some(Ok(_) | Err(BadControl::Length)) => {
                    let next_id = EntryId::new(u64::from(before.position).saturating_add(1));
                    corrupt(self.frames.name(), place.offset, next_id, CorruptionKind::Control)
                }
            };
            self.frames.set_cursor(before);
            return Err(failed);
        }
    }
}

fn corrupt<E: StoreError>(
    file: &NameBuf,
    offset: u64,
    entry_id: Option<EntryId>,
    kind: CorruptionKind,
) -> Error<E> {
    Error::Corrupt(Corruption { file: file.clone(), offset, entry_id, kind })
}
