//! The tail segment under a writer: its file, opened when it is first needed, and what is known of its frames.

use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, Header};
use crate::error::Error;
use crate::file::memory::Own;
use crate::file::sink::Sink;
use crate::storage::{AppendFile, NameBuf, StoreError};

use super::segment::End;

/// The tail segment.
#[derive(Debug)]
pub(super) struct Tail<A> {
    sink: Option<Sink<A>>,
    /// Memory for the sink while there is none.
    buffer: Own,
    codec: Codec,
    /// Where the frames end while there is no sink.
    offset: u64,
    /// The file ends before that.
    short: bool,
    position: u32,
    checksum: u32,
    /// Up to there everything in the file is durable: a frame that begins there may say so.
    durable_end: Option<u64>,
    /// Bytes, or the name, wait for a sync.
    needs_sync: bool,
    name_synced: bool,
    closed: bool,
    /// The last frame is a prune mark.
    pruned: bool,
    /// In front of the next frame goes a close frame that is written again.
    close_again: bool,
    /// The oldest live segment, as the segment's header has it.
    header_oldest: u32,
}

impl<A> Tail<A>
where
    A: AppendFile,
    A::Error: StoreError,
{
    pub(super) fn absent() -> Self {
        Self {
            sink: None,
            buffer: Own::new(),
            codec: Codec::new(Crc::detect(), 0, 4),
            offset: 0,
            short: false,
            position: 0,
            checksum: 0,
            durable_end: None,
            needs_sync: false,
            name_synced: false,
            closed: false,
            pruned: false,
            close_again: false,
            header_oldest: 0,
        }
    }

    pub(super) fn keep_buffer(&mut self, buffer: Own) {
        self.buffer = buffer;
    }

    /// Memory for the sink of the next file; what was in it must have been written out.
    pub(super) fn take_buffer(&mut self) -> Own {
        match &mut self.sink {
            Some(sink) => sink.take_buffer(),
            None => core::mem::take(&mut self.buffer),
        }
    }

    /// Takes over a segment whose end was found, and all before it is durable, its name too.
    pub(super) fn adopt(&mut self, end: &End, header_oldest: u32) {
        let cursor = end.ending.cursor;
        self.sink = None;
        self.short = end.ending.short;
        self.close_again = end.close_again;
        self.header_oldest = header_oldest;
        self.offset = cursor.offset;
        self.position = cursor.position;
        self.checksum = cursor.checksum;
        self.durable_end = Some(cursor.offset);
        self.needs_sync = false;
        self.name_synced = true;
        self.closed = end.marks.closed;
        self.pruned = false;
    }

    /// The file of an adopted segment is open for appending.
    pub(super) fn attach(&mut self, codec: Codec, sink: Sink<A>) {
        self.codec = codec;
        self.sink = Some(sink);
        self.short = false;
    }

    /// A segment was created; its header is in the sink. Its name may be durable already.
    pub(super) fn create(
        &mut self,
        codec: Codec,
        sink: Sink<A>,
        name_synced: bool,
        header_oldest: u32,
    ) {
        self.attach(codec, sink);
        self.header_oldest = header_oldest;
        (self.close_again, self.pruned) = (false, false);
        self.position = 0;
        self.checksum = 0;
        self.durable_end = None;
        self.needs_sync = true;
        self.name_synced = name_synced;
        self.closed = false;
        self.short = false;
    }

    /// Closes the file; what was appended must have been written out.
    pub(super) fn detach(&mut self) {
        if let Some(mut sink) = self.sink.take() {
            self.offset = sink.offset();
            self.buffer = sink.take_buffer();
        }
    }

    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        self.sink.is_some()
    }

    /// Whether the file is elsewhere, with a commit.
    pub(super) fn is_lent(&self) -> bool {
        self.sink.as_ref().is_some_and(Sink::is_lent)
    }

    #[inline]
    pub(super) fn sink(&mut self) -> Result<&mut Sink<A>, Error<A::Error>> {
        self.sink.as_mut().ok_or_else(not_open)
    }

    #[inline]
    pub(super) const fn codec(&self) -> Codec {
        self.codec
    }

    /// Where the next frame goes.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.sink.as_ref().map_or(self.offset, Sink::offset)
    }

    /// Entries in the segment.
    #[inline]
    pub(super) const fn position(&self) -> u32 {
        self.position
    }

    /// Payload checksum of the last frame.
    pub(super) const fn checksum(&self) -> u32 {
        self.checksum
    }

    pub(super) fn buffered(&self) -> usize {
        self.sink.as_ref().map_or(0, Sink::buffered)
    }

    /// Whether the file can only be sealed, and not appended to.
    pub(super) fn short(&self) -> bool {
        self.short && !planted!(ShortTailGoneOn)
    }

    pub(super) const fn closed(&self) -> bool {
        self.closed
    }

    pub(super) const fn set_closed(&mut self) {
        self.closed = true;
    }

    /// Whether the end was found in front of a close frame that must be written again before anything follows.
    pub(super) const fn close_again(&self) -> bool {
        self.close_again
    }

    /// The close frame is in the sink again.
    pub(super) const fn set_closed_again(&mut self) {
        self.close_again = false;
    }

    /// The oldest live segment, as the segment's header has it.
    pub(super) const fn header_oldest(&self) -> u32 {
        self.header_oldest
    }

    /// Whether the last frame is a prune mark.
    pub(super) const fn pruned(&self) -> bool {
        self.pruned
    }

    pub(super) const fn set_pruned(&mut self) {
        self.pruned = true;
    }

    pub(super) const fn needs_sync(&self) -> bool {
        self.needs_sync
    }

    pub(super) const fn name_synced(&self) -> bool {
        self.name_synced
    }

    pub(super) const fn set_name_synced(&mut self) {
        self.name_synced = true;
    }

    /// The sync of everything in the file has returned.
    pub(super) fn set_all_durable(&mut self) {
        self.set_durable(self.offset());
        self.needs_sync = false;
    }

    /// Everything in the file before this place is durable.
    pub(super) const fn set_durable(&mut self, end: u64) {
        self.durable_end = Some(end);
    }

    /// Whether everything in the file is durable.
    #[inline]
    fn all_durable(&self) -> bool {
        self.durable_end == Some(self.offset())
    }

    /// Whether everything in the file before what is buffered is durable.
    pub(super) fn durable_before_buffer(&self) -> bool {
        self.sink.as_ref().is_some_and(|sink| self.durable_end == Some(sink.base()))
    }

    /// Bytes that were written and wait for a sync.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        let written = self.sink.as_ref().map_or(self.offset, Sink::base);
        if self.needs_sync { written.saturating_sub(self.durable_end.unwrap_or(0)) } else { 0 }
    }

    /// What is buffered goes to a sync: what is appended from now on needs another.
    pub(super) const fn handed_over(&mut self) {
        self.needs_sync = false;
    }

    /// The payload checksum of the last frame has become another.
    pub(super) const fn set_checksum(&mut self, checksum: u32) {
        self.checksum = checksum;
    }

    /// The flags of the next frame.
    #[inline]
    pub(super) fn flags(&self, control: bool, more: bool) -> Flags {
        Flags { synced: self.all_durable(), control, more }
    }

    /// A frame was appended.
    #[inline]
    pub(super) fn appended(&mut self, header: &Header) {
        self.position = header.position;
        self.checksum = header.payload_checksum;
        // A control frame alone needs no sync: what it says is either synced by whoever relies on it, or a mere hint.
        self.needs_sync |= !header.flags.control;
        (self.closed, self.pruned) = (false, false);
    }

    /// The tail is about to be sealed where it ends, so that marks count as well: the next sync must cover them.
    pub(super) fn demand_sync_of_marks(&mut self) {
        self.needs_sync |= !self.all_durable();
    }

    /// The next sync must reach the medium, whatever was appended.
    pub(super) const fn demand_sync(&mut self) {
        self.needs_sync = true;
    }

    pub(super) fn flush(&mut self) -> Result<(), Error<A::Error>> {
        if planted!(SyncedFlagEarly) {
            self.durable_end = Some(self.offset());
        }
        self.sink.as_mut().map_or(Ok(()), Sink::flush)
    }

    pub(super) fn sync(&mut self) -> Result<(), Error<A::Error>> {
        self.sink()?.sync()
    }

    pub(super) fn trim(&mut self) -> Result<(), Error<A::Error>> {
        self.sink.as_mut().map_or(Ok(()), Sink::trim)
    }
}

/// The tail is opened before anything is done with it; reached only by a mistake here.
fn not_open<E: StoreError>() -> Error<E> {
    debug_assert!(false, "the tail is opened before it is used");
    Error::Poisoned { file: NameBuf::unnamed() }
}
