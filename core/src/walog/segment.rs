//! The entries of one segment: batches whole or not at all, and the decision where the segment ends.
//!
//! FORMAT.md, "Where a WAL ends", rules 3 to 5. Must never show an entry that a later look could take back.

use crate::EntryId;
use crate::bytes::control::{BadControl, Control};
use crate::bytes::crc::Crc;
use crate::bytes::frame::Codec;
use crate::bytes::header::{
    Decoded, FileHeader as _, SEGMENT_HEADER_BYTES, SegmentHeader, segment_salt,
};
use crate::error::CorruptionKind;
#[cfg(feature = "alloc")]
use crate::error::Error;
use crate::file::frames::{Bad, BadKind, Cursor, Frame, Frames, Next};
use crate::file::memory::{Buffer, Own};
use crate::file::source::{Source, Trouble};
use crate::file::window::Window;
use crate::storage::NameBuf;

use super::chain::{Sealed, Segment};
use super::found::TornTail;
#[cfg(feature = "alloc")]
use super::options::Reading;

/// Reads one segment.
#[derive(Debug)]
pub(crate) struct SegmentReader<R: Source, B = Own> {
    frames: Frames<R, B>,
    number: u32,
    first_id: u64,
    /// Files of pruned segments may be used again.
    recycles: bool,
    sealed: Option<Sealed>,
    /// Frames that begin below it belong to batches whose end was seen.
    committed: u64,
    marks: Marks,
    ending: Option<Ending>,
    current: Current,
    /// The bad frame that was read anew, and whether what proves that it was durable was known by then.
    looked_again: Option<(u64, bool)>,
}

/// What the control frames of a segment said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The oldest live segment, by its prune frames; 0 without one.
    pub(crate) oldest: u32,
    /// The last frame is a close frame.
    pub(crate) closed: bool,
}

/// Where a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) cursor: Cursor,
    /// The file ends within the padding in front of it, so there is no going on in this file.
    pub(crate) short: bool,
    /// Bytes behind it that are not blank, or of a batch that never ended.
    pub(crate) torn_bytes: u64,
}

/// The end of the tail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) ending: Ending,
    pub(crate) marks: Marks,
    /// It lies in front of a close frame that may be in a cache only, and that is to be written again.
    pub(crate) close_again: bool,
}

/// An entry, lent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) id: EntryId,
    pub(crate) offset: u64,
    pub(crate) payload: &'a [u8],
}

/// Where the entry that was found last stands.
#[derive(Debug, Clone, Copy, Default)]
struct Current {
    offset: u64,
    position: u32,
    payload_bytes: usize,
}

/// What became of the frame at the cursor.
enum Step {
    Entry,
    Passed,
    End,
}

/// The frames of a segment of this log, from the first one on.
#[cfg(feature = "alloc")]
pub(crate) fn frames<R, B>(
    file: R,
    name: R::Label,
    buffer: B,
    reading: Reading,
    log_id: u64,
    segment: &Segment,
) -> Result<Frames<R, B>, Error<R::Error>>
where
    B: Buffer,
    R: Source,
{
    let window = Window::new(file, name, buffer, reading.read_bytes)?;
    Ok(frames_in(window, reading.record_bytes_max, log_id, segment))
}

/// The same, in a window on its file.
pub(crate) fn frames_in<R, B>(
    window: Window<R, B>,
    record_bytes_max: u32,
    log_id: u64,
    segment: &Segment,
) -> Frames<R, B>
where
    B: Buffer,
    R: Source,
{
    let crc = Crc::detect();
    let salt = segment_salt(crc, log_id, segment.number);
    let codec = Codec::new(crc, salt, segment.alignment).with_form(segment.form);
    let first_frame = codec.align(SEGMENT_HEADER_BYTES as u64);
    Frames::new(window, codec, first_frame, record_bytes_max)
}

impl<R, B> SegmentReader<R, B>
where
    B: Buffer,
    R: Source,
{
    pub(crate) fn new(frames: Frames<R, B>, segment: &Segment, recycles: bool) -> Self {
        Self {
            frames,
            number: segment.number,
            recycles,
            first_id: segment.first_id,
            sealed: segment.sealed,
            committed: 0,
            marks: Marks::default(),
            ending: None,
            current: Current::default(),
            looked_again: None,
        }
    }

    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// The end of a tail that was read to it.
    pub(crate) fn tail_end(&self) -> End {
        let cursor = self.cursor();
        let ending = self.ending.unwrap_or(Ending { cursor, short: false, torn_bytes: 0 });
        End { ending, marks: self.marks, close_again: false }
    }

    /// The place behind the entry that was shown last.
    pub(crate) const fn cursor(&self) -> Cursor {
        self.frames.cursor()
    }

    /// Where the torn tail begins, and its bytes, once the segment has ended with one.
    pub(crate) fn torn(&self) -> Option<(u64, u64)> {
        let ending = self.ending.filter(|ending| ending.torn_bytes > 0)?;
        Some((ending.cursor.offset, ending.torn_bytes))
    }

    /// Goes to the place in front of a frame that was passed before, or of the first.
    pub(crate) fn go_to(&mut self, place: Option<Cursor>) {
        let offset = self.frames.codec().align(SEGMENT_HEADER_BYTES as u64);
        let first = Cursor { offset, position: 0, checksum: 0 };
        self.frames.set_cursor(place.unwrap_or(first));
        (self.committed, self.ending, self.looked_again) = (0, None, None);
    }

    /// Forgets what was read, so that it is read anew.
    pub(crate) fn forget(&mut self) {
        self.frames.forget();
    }

    /// Where the entry that [`advance`](Self::advance) went to begins.
    pub(crate) const fn entry_offset(&self) -> u64 {
        self.current.offset
    }

    pub(crate) fn into_buffer(self) -> B {
        self.frames.into_window().into_buffer()
    }

    /// Goes to the next entry if its frame was verified ahead, which is nearly always so.
    #[inline]
    pub(crate) fn advance_verified(&mut self) -> bool {
        let Some(fields) = self.frames.verified() else { return false };
        let Cursor { offset, position, .. } = self.frames.cursor();
        let open = fields.flags.more && offset >= self.committed;
        if open || fields.flags.control {
            return false;
        }
        self.current = Current {
            offset,
            position: position.wrapping_add(1),
            payload_bytes: fields.payload_bytes as usize,
        };
        self.frames.pass(fields);
        self.marks.closed = false;
        true
    }

    /// Goes to the next entry; `false` at the segment's end.
    #[inline(never)]
    pub(crate) fn advance(&mut self) -> Result<bool, R::Fault> {
        loop {
            self.verify_ahead()?;
            if self.advance_verified() {
                return Ok(true);
            }
            match self.step() {
                Ok(Step::Entry) => return Ok(true),
                Ok(Step::Passed) => {}
                Ok(Step::End) => return self.end_is_its_own().map(|()| false),
                Err(error) => return Err(self.blame(error)),
            }
        }
    }

    fn verify_ahead(&mut self) -> Result<(), R::Fault> {
        if B::PLENTY && self.frames.verified().is_none() {
            let end = self.sealed.map_or(u64::MAX, |sealed| sealed.end);
            self.committed = self.frames.verify_ahead(end)?.max(self.committed);
        }
        Ok(())
    }

    /// At the tail's end: whether it is the end of what was written, and not of what a writer has left of a file that it uses again.
    fn end_is_its_own(&mut self) -> Result<(), R::Fault> {
        let may_go =
            B::PLENTY && self.recycles && self.sealed.is_none() && !planted!(RecycledTakenForEnd);
        if may_go && self.is_recycled()? {
            return Err(self.is_missing());
        }
        Ok(())
    }

    /// What looks like damage in a file that a writer uses again is none: the segment was pruned.
    #[cold]
    fn blame(&mut self, error: R::Fault) -> R::Fault {
        let damage = R::is_damage(&error) && !planted!(RecycledTakenForDamage);
        if damage && matches!(self.is_recycled(), Ok(true)) {
            return self.is_missing();
        }
        error
    }

    #[cold]
    #[inline(never)]
    fn is_missing(&mut self) -> R::Fault {
        self.frames.window().fails(Trouble::Missing)
    }

    #[cold]
    #[inline(never)]
    fn is_damaged(&mut self, offset: u64, kind: CorruptionKind) -> R::Fault {
        let entry_id = Some(self.next_id());
        self.frames.window().fails(Trouble::Damage { offset, entry_id, kind })
    }

    /// Where the bytes come from.
    pub(crate) const fn source(&mut self) -> &mut R {
        self.frames.source()
    }

    /// Whether the file no longer begins with the segment's header, as it did when the log was opened. A file that is used again loses its first bytes first, so
    /// whatever was read before they were found in place was the segment's own.
    fn is_recycled(&mut self) -> Result<bool, R::Fault> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let length = self.frames.beginning(&mut bytes)?;
        let header = SegmentHeader::decode(
            self.frames.codec().crc(),
            bytes.get(..length).unwrap_or_default(),
        );
        Ok(!matches!(header, Decoded::Header(header) if header.segment == self.number))
    }

    /// The entry that [`advance`](Self::advance) went to.
    #[inline]
    pub(crate) fn entry(&self) -> Entry<'_> {
        let Current { offset, position, payload_bytes } = self.current;
        let payload = self.frames.payload(offset, payload_bytes);
        Entry { id: self.id(position), offset, payload }
    }

    /// The id of the entry that [`advance`](Self::advance) went to.
    #[inline]
    pub(crate) fn entry_id(&self) -> EntryId {
        self.id(self.current.position)
    }

    #[inline]
    fn id(&self, position: u32) -> EntryId {
        // The chain check has bounded the first id, so the sum is neither 0 nor too large.
        let number = self.first_id.wrapping_add(u64::from(position)).wrapping_sub(1);
        EntryId::new(number).unwrap_or(EntryId::FIRST)
    }

    fn next_id(&self) -> EntryId {
        self.id(self.frames.cursor().position.saturating_add(1))
    }

    fn step(&mut self) -> Result<Step, R::Fault> {
        let before = self.frames.cursor();
        if let Some(sealed) = self.sealed
            && before.offset >= sealed.end
        {
            return self.end_sealed(sealed);
        }
        let (flags, control) = match self.frames.next()? {
            Next::Bad(bad) => return self.end(bad, before),
            Next::Frame(frame) => {
                self.current = Current {
                    offset: frame.offset,
                    position: frame.position,
                    payload_bytes: frame.payload.len(),
                };
                (frame.flags, if frame.flags.control { Some(control(&frame)) } else { None })
            }
        };
        if let Some(control) = control {
            self.obey(control, flags.synced)?;
            return Ok(Step::Passed);
        }
        self.marks.closed = false;
        if flags.more && before.offset >= self.committed && !planted!(BatchFlagIgnored) {
            self.find_batch_end(before)?;
            return Ok(if self.ending.is_some() { Step::End } else { Step::Passed });
        }
        Ok(Step::Entry)
    }

    /// Reads ahead to the last frame of a batch, and goes back to its first.
    fn find_batch_end(&mut self, start: Cursor) -> Result<(), R::Fault> {
        self.frames.begin_look_ahead(start);
        loop {
            let here = self.frames.cursor();
            if let Some(sealed) = self.sealed
                && here.offset >= sealed.end
            {
                // A suffix truncation may cut a batch; what is below the cut was whole before.
                break;
            }
            match self.frames.next()? {
                Next::Bad(bad) => {
                    self.end(bad, start)?;
                    return Ok(());
                }
                Next::Frame(frame) if frame.flags.control => {
                    let offset = frame.offset;
                    return Err(self.is_damaged(offset, CorruptionKind::Control));
                }
                Next::Frame(frame) if frame.flags.more => {}
                Next::Frame(_) => break,
            }
        }
        self.committed = self.frames.cursor().offset;
        let back = if planted!(LookAheadKeptPlace) { self.frames.cursor() } else { start };
        self.frames.end_look_ahead(back);
        Ok(())
    }

    fn obey(&mut self, control: Result<Control, BadControl>, synced: bool) -> Result<(), R::Fault> {
        self.marks.closed = false;
        let offset = self.current.offset;
        match control {
            Ok(Control::Close) => self.marks.closed = synced,
            Ok(Control::Prune { oldest }) => self.marks.oldest = self.marks.oldest.max(oldest),
            Ok(Control::Mark | Control::Checkpoint { .. } | Control::Ignored) => {}
            Err(BadControl::Newer(_)) => {
                return Err(self.frames.window().fails(Trouble::NewerFrame { offset }));
            }
            Ok(Control::Resume { .. } | Control::End { .. }) | Err(BadControl::Length) => {
                return Err(self.is_damaged(offset, CorruptionKind::Control));
            }
        }
        Ok(())
    }

    /// A sealed segment must be what its successor says.
    fn end_sealed(&mut self, sealed: Sealed) -> Result<Step, R::Fault> {
        let cursor = self.frames.cursor();
        let kind = if cursor.offset != sealed.end {
            CorruptionKind::SealedEnd { expected: sealed.end, found: cursor.offset }
        } else if cursor.position != sealed.entries {
            let (expected, found) = (sealed.entries.into(), cursor.position.into());
            CorruptionKind::SealedEntries { expected, found }
        } else if cursor.checksum != sealed.checksum {
            CorruptionKind::SealedChecksum { expected: sealed.checksum, found: cursor.checksum }
        } else {
            self.ending = Some(Ending { cursor, short: false, torn_bytes: 0 });
            return Ok(Step::End);
        };
        Err(self.is_damaged(cursor.offset, kind))
    }

    /// The decision at a bad frame: damage, or the end. `start` is where a batch that is open began.
    #[cold]
    fn end(&mut self, bad: Bad, start: Cursor) -> Result<Step, R::Fault> {
        let entry_id = Some(self.next_id());
        let sealed = self.sealed.is_some() && !planted!(TornTailInSealed);
        let damage = sealed || matches!(bad.kind, BadKind::Newer | BadKind::Position { .. });
        if damage {
            return Err(self.frames.fails(bad, entry_id));
        }
        let position = self.frames.cursor().position;
        let late = if planted!(LookAheadTooFar) { 32 } else { 0 };
        let behind = self.frames.search_synced(bad.search_from.saturating_add(late), position)?;
        let file_end = self.frames.len()?;
        let blank = bad.kind == BadKind::Blank && behind.written_end <= bad.offset;
        let written_end = if blank { bad.offset } else { behind.written_end.min(file_end) };
        let torn_bytes = written_end.saturating_sub(start.offset);
        // A writer beside this reader may have worked on since the bad frame was read: then it is no bad frame any more. Once there is proof behind it
        // that it was durable, it is whole, and is so when it is read after that.
        let proof = behind.found.is_some();
        let looked = self.looked_again.is_some_and(|(at, with)| at == bad.offset && with >= proof);
        if (proof || torn_bytes > 0) && !looked && !planted!(ReaderLooksOnce) {
            self.looked_again = Some((bad.offset, proof));
            if !self.frames.is_still(bad)? {
                self.frames.set_cursor(start);
                return Ok(Step::Passed);
            }
        }
        if proof {
            return Err(self.frames.fails(bad, entry_id));
        }
        self.frames.set_cursor(start);
        let short = file_end < start.offset;
        self.ending = Some(Ending { cursor: start, torn_bytes, short });
        Ok(Step::End)
    }
}

impl<R, B> SegmentReader<R, B>
where
    B: Buffer,
    R: Source<Label = NameBuf>,
{
    pub(crate) fn name(&self) -> &NameBuf {
        self.frames.name()
    }

    /// The torn tail, once the segment has ended with one.
    pub(crate) fn torn_tail(&self) -> Option<TornTail> {
        let (offset, bytes) = self.torn()?;
        Some(TornTail { file: self.name().clone(), offset, bytes })
    }
}

fn control(frame: &Frame<'_>) -> Result<Control, BadControl> {
    Control::decode(frame.payload)
}
