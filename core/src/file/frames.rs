//! Reads the frames of one file in order, each verified before it is shown.
//!
//! Must never decide what a bad frame means: that takes the search behind it, and the rules of the log.

use crate::EntryId;
use crate::bytes::control::CONTROL_BYTES_MAX;
use crate::bytes::frame::{self, Codec, Decoded, Fields, Flags, Form, HEADER_BYTES, Header};
use crate::error::{CorruptionKind, Error, Limit};
use crate::storage::{NameBuf, StoreError};

use super::ahead::Run;
use super::memory::{Buffer, Own};
use super::source::{Source, Trouble};
use super::window::Window;

/// The frames of one file.
#[derive(Debug)]
pub(crate) struct Frames<R: Source, B = Own> {
    window: Window<R, B>,
    codec: Codec,
    cursor: Cursor,
    record_bytes_max: u32,
}

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Where the next frame begins.
    pub(crate) offset: u64,
    /// Entries before it.
    pub(crate) position: u32,
    /// Payload checksum of the frame before it; 0 if there is none.
    pub(crate) checksum: u32,
}

/// A verified frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) offset: u64,
    pub(crate) flags: Flags,
    pub(crate) position: u32,
    pub(crate) payload: &'a [u8],
}

/// What stands at the cursor.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A frame; the cursor is behind it.
    Frame(Frame<'a>),
    /// No frame that verifies; the cursor has not moved.
    Bad(Bad),
}

/// A place where no frame verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) offset: u64,
    pub(crate) kind: BadKind,
    /// Where the search behind it begins: past the frame if its header verifies.
    pub(crate) search_from: u64,
}

/// Why a frame does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadKind {
    Blank,
    /// The file ends before the frame does.
    Cut,
    Header,
    Payload {
        expected: u32,
        found: u32,
    },
    /// It verifies and is not the one that follows.
    Position {
        expected: u64,
        found: u64,
    },
    /// It verifies and uses what only a later version knows.
    Newer,
}

impl<R, B> Frames<R, B>
where
    B: Buffer,
    R: Source,
{
    /// Frames from `first_frame` on.
    pub(crate) fn new(
        window: Window<R, B>,
        codec: Codec,
        first_frame: u64,
        record_bytes_max: u32,
    ) -> Self {
        let cursor = Cursor { offset: first_frame, position: 0, checksum: 0 };
        Self { window, codec, cursor, record_bytes_max }
    }

    /// The payload of the frame at `offset` that [`next`](Self::next) has just shown, lent again.
    #[inline]
    pub(crate) fn payload(&self, offset: u64, payload_bytes: usize) -> &[u8] {
        self.window.lend(offset.wrapping_add(self.codec.header_bytes() as u64), payload_bytes)
    }

    /// The bytes from `offset` on; see [`Window::at`].
    #[inline]
    pub(super) fn at(&mut self, offset: u64, need: usize) -> Result<&[u8], R::Fault> {
        self.window.at(offset, need)
    }

    /// The bound on the file's length.
    pub(crate) fn len(&mut self) -> Result<u64, R::Fault> {
        self.window.len()
    }

    /// The first bytes of the file as it is now, whatever the window holds: how many there are.
    pub(crate) fn beginning(&mut self, bytes: &mut [u8]) -> Result<usize, R::Fault> {
        self.window.peek(0, bytes)
    }

    /// See [`Window::written_end`].
    pub(super) fn written_end(&mut self, from: u64) -> Result<u64, R::Fault> {
        self.window.written_end(from)
    }

    pub(super) const fn record_bytes_max(&self) -> u32 {
        self.record_bytes_max
    }

    pub(crate) const fn codec(&self) -> Codec {
        self.codec
    }

    /// Goes on as if the frames were of that form.
    pub(crate) const fn take_for(&mut self, form: Form) {
        self.codec = self.codec.with_form(form);
    }

    pub(crate) const fn cursor(&self) -> Cursor {
        self.cursor
    }

    pub(crate) fn set_cursor(&mut self, cursor: Cursor) {
        self.window.unpin(0);
        self.cursor = cursor;
    }

    /// Begins a look ahead that is to come back to `begin`.
    pub(crate) fn begin_look_ahead(&mut self, begin: Cursor) {
        self.window.pin(begin.offset);
    }

    /// Ends a look ahead in which every frame verified: goes back to where it began.
    pub(crate) fn end_look_ahead(&mut self, begin: Cursor) {
        // Compact frames are verified again: what is known of frames is known by the fields of full ones.
        let full = self.codec.form() == Form::Full;
        self.window.unpin(if full { self.cursor.offset } else { 0 });
        self.cursor = begin;
    }

    /// Whether the bad frame at the cursor is still bad in the same way when it is read anew. It is not if a writer has worked on
    /// since. The cursor has not moved if it is, and may have if not.
    pub(crate) fn is_still(&mut self, bad: Bad) -> Result<bool, R::Fault> {
        self.window.forget();
        Ok(matches!(self.next()?, Next::Bad(again) if again == bad))
    }

    /// Forgets what was read, so that it is read anew.
    pub(crate) fn forget(&mut self) {
        self.window.forget();
    }

    /// Where the bytes come from.
    pub(crate) const fn source(&mut self) -> &mut R {
        self.window.source()
    }

    /// What a bad frame is where there should be a good one.
    #[cold]
    #[inline(never)]
    pub(crate) fn fails(&mut self, bad: Bad, entry_id: Option<EntryId>) -> R::Fault {
        self.window.fails(bad.trouble(entry_id))
    }

    /// The window, to ask for more than frames.
    pub(crate) const fn window(&mut self) -> &mut Window<R, B> {
        &mut self.window
    }

    pub(crate) fn into_window(self) -> Window<R, B> {
        self.window
    }

    /// Verifies some of the frames that the window holds from the cursor on, as far as they begin below `end`, so that
    /// [`verified`](Self::verified) knows them. Every batch that begins below the offset that is returned is whole.
    ///
    /// Decides nothing: what does not verify is left for [`next`](Self::next), and so are all compact frames. Reads nothing but the rest of a batch that is short beside a block.
    ///
    /// # Errors
    /// Only what the directory reports.
    #[inline(never)]
    pub(crate) fn verify_ahead(&mut self, end: u64) -> Result<u64, R::Fault> {
        let begin = self.cursor.offset;
        if !B::PLENTY || self.codec.form() == Form::Compact {
            return Ok(begin);
        }
        let mut run = self.extend(Run::at(self.cursor), end);
        let held_bytes = self.window.held(begin).len();
        if run.is_open() && run.whole == begin && held_bytes <= self.window.block_bytes() / 2 {
            // What is held stays, and so does what is known of it.
            self.window.at(begin, held_bytes.wrapping_add(1))?;
            run = self.extend(run, end);
        }
        self.window.trust(run.verified.offset);
        Ok(run.whole)
    }

    fn extend(&self, run: Run, end: u64) -> Run {
        let held = self.window.held(run.verified.offset);
        run.extend(self.codec, self.record_bytes_max, end, held)
    }

    /// The fields of the frame at the cursor, if it was verified and is still held. [`pass`](Self::pass) goes behind it.
    #[inline]
    pub(crate) fn verified(&self) -> Option<Fields> {
        let offset = self.cursor.offset;
        if B::PLENTY && self.window.trusts(offset.wrapping_add(1)) {
            let head = self.window.lend(offset, HEADER_BYTES);
            return head.first_chunk().map(Fields::of);
        }
        None
    }

    /// Goes behind the frame at the cursor, which has these fields.
    #[inline]
    pub(crate) fn pass(&mut self, fields: Fields) {
        let Cursor { offset, position, .. } = self.cursor;
        self.cursor = Cursor {
            offset: offset.wrapping_add(self.codec.full_frame_bytes(fields.payload_bytes.into())),
            position: position.wrapping_add(u32::from(!fields.flags.control)),
            checksum: fields.payload_checksum,
        };
    }

    /// The next frame, verified, and lent until the next call.
    ///
    /// # Errors
    /// Only what the directory reports, and a record above the limit: a bad frame is an `Ok` verdict.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Next<'_>, R::Fault> {
        let (offset, codec) = (self.cursor.offset, self.codec);
        let header_bytes = codec.header_bytes();
        let bytes = self.window.at(offset, header_bytes)?;
        let held_bytes = bytes.len();
        let header = match judge(codec, self.cursor, bytes, B::PLENTY) {
            Ok(header) => header,
            Err(kind) => return Ok(Next::Bad(Bad { offset, kind, search_from: offset })),
        };
        let payload_end = header_bytes.wrapping_add(header.payload_bytes as usize);
        let (mut payload_bytes, mut verified) = (header.payload_bytes as usize, false);
        if held_bytes < payload_end || self.is_too_long(&header) {
            match self.load(&header)? {
                Loaded::Whole => {}
                Loaded::Bad(bad) => return Ok(Next::Bad(bad)),
                Loaded::LongControl => (payload_bytes, verified) = (CONTROL_BYTES_MAX + 1, true),
            }
        }
        let frame_end = offset.wrapping_add(codec.frame_bytes(header.payload_bytes.into()));
        let payload_at = offset.wrapping_add(header_bytes as u64);
        let payload = self.window.lend(payload_at, payload_bytes);
        if !verified && !self.window.trusts(frame_end) {
            let found = codec.crc().update(header.checksum, payload);
            if found != header.payload_checksum && !planted!(PayloadUnchecked) {
                let kind = BadKind::Payload { expected: header.payload_checksum, found };
                let search_from = self.search_from(offset, frame_end);
                return Ok(Next::Bad(Bad { offset, kind, search_from }));
            }
        }
        self.cursor = Cursor {
            offset: frame_end,
            position: header.position,
            checksum: header.payload_checksum,
        };
        Ok(Next::Frame(Frame { offset, flags: header.flags, position: header.position, payload }))
    }

    /// Where the search behind a bad frame begins whose header verifies: behind the frame, unless that is the word of a compact header, which is no proof.
    const fn search_from(&self, offset: u64, frame_end: u64) -> u64 {
        match self.codec.form() {
            Form::Full => frame_end,
            Form::Compact => offset,
        }
    }

    /// The checksum of bytes that the file has, read in pieces.
    pub(super) fn checksum(
        &mut self,
        mut checksum: u32,
        mut at: u64,
        mut left: u64,
    ) -> Result<u32, R::Fault> {
        let crc = self.codec().crc();
        while left > 0 {
            let bytes = self.at(at, 1)?;
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            if count == 0 {
                break;
            }
            checksum = crc.update(checksum, bytes.get(..count).unwrap_or_default());
            at = at.wrapping_add(count as u64);
            left = left.saturating_sub(count as u64);
        }
        Ok(checksum)
    }

    /// The limit is on the caller's records: control frames are none, and are short.
    #[inline]
    fn is_too_long(&self, header: &Header) -> bool {
        let short = header.flags.control && header.payload_bytes as usize <= CONTROL_BYTES_MAX;
        header.payload_bytes > self.record_bytes_max && !short
    }

    /// Brings a payload into the window that is not there yet, unless the file ends before it does, or it need not be there.
    #[cold]
    fn load(&mut self, header: &Header) -> Result<Loaded, R::Fault> {
        let offset = self.cursor.offset;
        let payload_bytes = u64::from(header.payload_bytes);
        let header_bytes = self.codec.header_bytes();
        let payload_at = offset.wrapping_add(header_bytes as u64);
        let payload_end = payload_at.wrapping_add(payload_bytes);
        let frame_end = offset.wrapping_add(self.codec.frame_bytes(payload_bytes));
        let search_from = self.search_from(offset, frame_end);
        let cut = Bad { offset, kind: BadKind::Cut, search_from };
        // Before any allocation: the file has these bytes, and the limit allows them.
        if payload_end > self.window.len()? && !planted!(ClaimedLengthAllocated) {
            return Ok(Loaded::Bad(cut));
        }
        // A list of segments may be longer than all that is lent to a reader, and than its limit: only whoever opens the log looks into it.
        let long_control =
            header.flags.control && header.payload_bytes as usize > CONTROL_BYTES_MAX;
        if long_control || self.is_too_long(header) {
            // A torn record is the end of the log or dead, however long it was to be. Only a whole one is too long.
            let found = self.checksum(header.checksum, payload_at, payload_bytes)?;
            if found != header.payload_checksum {
                let kind = BadKind::Payload { expected: header.payload_checksum, found };
                return Ok(Loaded::Bad(Bad { offset, kind, search_from }));
            }
            if long_control {
                self.window.at(offset, header_bytes.wrapping_add(CONTROL_BYTES_MAX + 1))?;
                return Ok(Loaded::LongControl);
            }
            let limit = u64::from(self.record_bytes_max);
            let what = Limit::RecordBytes;
            return Err(self.window.fails(Trouble::Limit { what, found: payload_bytes, limit }));
        }
        let need = header_bytes.wrapping_add(header.payload_bytes as usize);
        let loaded = self.window.at(offset, need)?.len();
        Ok(if loaded < need { Loaded::Bad(cut) } else { Loaded::Whole })
    }
}

impl<R, B> Frames<R, B>
where
    R: Source<Label = NameBuf>,
{
    pub(crate) const fn name(&self) -> &NameBuf {
        self.window.name()
    }
}

/// What became of bringing a payload into the window.
enum Loaded {
    Whole,
    Bad(Bad),
    /// A control frame that is longer than any that is obeyed, and verifies: its first bytes are there, and one more than any that is obeyed has.
    LongControl,
}

/// The verified header at the cursor, its position checked. Full ones are decoded in place where that pays.
#[inline]
fn judge(codec: Codec, cursor: Cursor, bytes: &[u8], in_place: bool) -> Result<Header, BadKind> {
    let decoded = match codec.form() {
        Form::Full if in_place => bytes.first_chunk().map(|head| codec.decode(cursor.offset, head)),
        Form::Full | Form::Compact => codec.judge(cursor.offset, cursor.position, bytes),
    };
    let Some(decoded) = decoded else {
        let blank = crate::bytes::field::is_blank(bytes);
        return Err(if blank { BadKind::Blank } else { BadKind::Cut });
    };
    let header = match decoded {
        Decoded::Frame(header) => header,
        Decoded::Blank if planted!(ZeroFrameValid) => {
            let flags = Flags::default();
            let position = cursor.position.wrapping_add(1);
            Header { payload_bytes: 0, flags, position, checksum: 0, payload_checksum: 0 }
        }
        Decoded::Blank => return Err(BadKind::Blank),
        Decoded::Bad => return Err(BadKind::Header),
        Decoded::Newer => return Err(BadKind::Newer),
    };
    let expected = u64::from(cursor.position) + u64::from(!header.flags.control);
    if u64::from(header.position) != expected && !planted!(IdUnchecked) {
        let found = u64::from(header.position);
        return Err(BadKind::Position { expected, found });
    }
    Ok(header)
}

impl Bad {
    /// What the bad frame is where there should be a good one.
    pub(crate) fn error<E: StoreError>(
        self,
        file: &NameBuf,
        entry_id: Option<EntryId>,
    ) -> Error<E> {
        self.trouble(entry_id).with(file.clone())
    }

    /// The same, without the file's name.
    pub(crate) fn trouble<E>(self, entry_id: Option<EntryId>) -> Trouble<E> {
        let offset = self.offset;
        let kind = match self.kind {
            BadKind::Newer => return Trouble::NewerFrame { offset },
            BadKind::Blank => CorruptionKind::Absent { cut: false },
            BadKind::Cut => CorruptionKind::Absent { cut: true },
            BadKind::Header => CorruptionKind::FrameHeader,
            BadKind::Payload { expected, found } => CorruptionKind::Payload { expected, found },
            BadKind::Position { expected, found } => CorruptionKind::Position { expected, found },
        };
        Trouble::Damage { offset, entry_id, kind }
    }
}

const _: () = assert!(frame::PAYLOAD_BYTES_MAX < u32::MAX);
