//! How a log goes on behind the tail that opening found: in its file, or in the next.
//!
//! Must never let a header name an end that nobody has read, nor write into a sector that holds an entry where that is not to be.

use crate::error::{Context as _, Corruption, CorruptionKind, Error, Operation};
use crate::storage::{AppendFile as _, Directory, StoreError as _};

use super::chain::Segment;
use super::discover::scan_tail;
use super::hooks::Hooks;
use super::raw_writer::RawWalWriter;

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// Whether the tail's file can be opened for appending.
    pub(super) fn goes_on_in_place(&self) -> bool {
        let settings = &self.settings;
        let same_frames = |segment: &Segment| {
            segment.alignment == settings.alignment && segment.form == settings.form
        };
        self.settings.reopen
            && !self.tail.short()
            && self.ends_with_a_unit()
            && self.chain.last().is_none_or(same_frames)
    }

    /// Opens the tail's file for appending, or begins a new segment where the directory cannot.
    pub(super) fn open_tail(&mut self) -> Result<(), Error<D::Error>> {
        if self.tail.is_open() {
            return Ok(());
        }
        let Some(segment) = self.chain.last().copied() else {
            return self.begin_segment(self.next_id, self.oldest);
        };
        if !self.goes_on_in_place() {
            return self.begin_segment(self.next_id, self.oldest);
        }
        let name = self.settings.segment_name(segment.number)?;
        let offset = self.tail.offset();
        let file = match self.dir.reopen(name.as_name(), offset) {
            Err(error) if error.is_unsupported() => {
                // Program-once storage may find the room used up where a torn write left bytes that read as room, or by a close frame.
                return self.begin_segment(self.next_id, self.oldest);
            }
            reopened => reopened.on(Operation::Reopen, &name)?,
        };
        let file = file.ok_or_else(|| Error::Missing { file: name.clone() })?;
        let sink = self.sink(file, name)?;
        self.tail.attach(self.codec_of(&segment), sink);
        if self.tail.close_again() {
            // The same bytes in the same place. They reach the medium with what follows, which must not say that they are there already.
            self.tail.set_closed_again();
            self.append_close_again()?;
            if planted!(CloseFrameTakenForDurable) {
                self.tail.set_all_durable();
            }
        }
        Ok(())
    }

    /// Reads the tail after all, where its close frame cannot be written again: a header that seals it must name what is durable.
    ///
    /// Whoever begins a segment behind the tail asks for this first; it does nothing for a tail that is open, or was read when the log was opened.
    pub(super) fn find_end_again(&mut self) -> Result<(), Error<D::Error>> {
        let Some(segment) = self.chain.last().copied().filter(|_| self.tail.close_again()) else {
            return Ok(());
        };
        let name = self.settings.segment_name(segment.number)?;
        self.dir.sync_file(name.as_name()).on(Operation::Sync, &name)?;
        let mut buffer = self.tail.take_buffer();
        let end = scan_tail(&self.dir, &self.settings, self.log_id, &segment, &mut buffer)?;
        let (expected, cursor) = (self.tail.position(), end.ending.cursor);
        self.tail.adopt(&end, self.tail.header_oldest());
        self.tail.keep_buffer(buffer);
        if cursor.position != expected {
            let (expected, found) = (expected.into(), cursor.position.into());
            let kind = CorruptionKind::SealedEntries { expected, found };
            let offset = cursor.offset;
            return Err(Corruption { file: name, offset, entry_id: None, kind }.into());
        }
        Ok(())
    }

    /// Takes back what a full medium took of a close frame, as far as that can be: the next open must not need room to repair it.
    pub(super) fn cut_off_close_frame(&mut self, end: u64) {
        self.tail.detach();
        if planted!(CloseFrameLeftTorn) {
            return;
        }
        if let Ok(name) = self.tail_name()
            && let Ok(Some(mut file)) = self.dir.reopen(name.as_name(), end)
        {
            // A crash may undo it; then the next open repairs a torn tail.
            let _ignored = file.trim();
        }
    }
}
