//! The tail segment under the writer without a heap: its file, and the memory in front of it.
//!
//! Offsets have 32 bits, as files do. Must never write a granule twice: what goes out is whole frames. Whoever calls has the writer poisoned until it returns `Ok`.

use embedded_io::{Error as _, ErrorKind, Write};

use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags};
use crate::bytes::header::{Common, Origin, Previous, SegmentHeader, segment_salt};
use crate::error::Operation;
use crate::file::source::Trouble;
use crate::storage::{AppendFile, Directory};

use super::super::segment::End;
use super::account::{Account, Failed};
use super::walk::{File, Lent, Walk};
use super::writer::FixedWalWriter;
use super::{Settings, small};

/// The tail segment.
pub(super) struct Tail<'b, A> {
    /// Its file, opened when it is first needed.
    file: Option<A>,
    /// Memory in front of the file: a multiple of 256 bytes, which any frame fits that may be appended, and a header.
    buffer: Lent<'b>,
    filled: usize,
    /// Where the buffer begins in the file.
    base: u32,
    salt: u32,
    /// Its number; 0 before there is one.
    pub(super) number: u32,
    pub(super) first_id: u64,
    /// The oldest live segment, as its header has it.
    pub(super) header_oldest: u32,
    /// The segment before it.
    previous: Option<Link>,
    /// Entries in it.
    pub(super) position: u32,
    /// Payload checksum of its last frame.
    checksum: u32,
    /// Up to there everything in the file is durable: a frame that begins there may say so. 0 before anything is.
    durable_end: u32,
    /// It can be sealed, and not appended to: its file ends too early, or its frames are of another kind than those that are appended.
    sealed_only: bool,
    /// Bytes, or the name, wait for a sync.
    pub(super) needs_sync: bool,
    pub(super) name_synced: bool,
    /// The last frame is a close frame.
    pub(super) closed: bool,
    /// The last frame is a prune mark.
    pub(super) pruned: bool,
}

/// What a header tells of the segment before.
#[derive(Clone, Copy)]
struct Link {
    segment: u32,
    end: u32,
    checksum: u32,
}

impl<'b, A> Tail<'b, A> {
    /// None yet, and the memory for it.
    pub(super) const fn absent(buffer: Lent<'b>) -> Self {
        Self {
            file: None,
            buffer,
            filled: 0,
            base: 0,
            salt: 0,
            number: 0,
            first_id: 0,
            header_oldest: 0,
            previous: None,
            position: 0,
            checksum: 0,
            durable_end: 0,
            sealed_only: false,
            needs_sync: false,
            name_synced: false,
            closed: false,
            pruned: false,
        }
    }

    /// Takes over a segment whose end was found, and all before it is durable, its name too.
    pub(super) fn adopt(&mut self, header: &SegmentHeader, end: &End, settings: &Settings) {
        let cursor = end.ending.cursor;
        let Common { alignment, form, .. } = header.common;
        self.number = header.segment;
        self.first_id = header.first_id;
        self.header_oldest = header.oldest;
        self.previous = header.previous.map(|previous| Link {
            segment: previous.segment,
            end: small(previous.end),
            checksum: previous.checksum,
        });
        (self.base, self.position, self.checksum) =
            (small(cursor.offset), cursor.position, cursor.checksum);
        self.durable_end = self.base;
        let short = end.ending.short && !planted!(FixedShortTailGoneOn);
        self.sealed_only = short || alignment != settings.alignment || form != settings.form;
        self.closed = end.marks.closed;
        self.name_synced = true;
    }

    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether its file can be opened for appending.
    pub(super) const fn goes_on_in_place(&self, settings: &Settings) -> bool {
        settings.reopen && !self.sealed_only
    }

    /// Where the next frame goes.
    #[inline]
    pub(super) fn offset(&self) -> u32 {
        self.base.wrapping_add(small(self.filled as u64))
    }

    /// Whether everything in the file is durable.
    #[inline]
    fn all_durable(&self) -> bool {
        self.durable_end == self.offset()
    }

    /// The sync of everything in the file has returned.
    pub(super) fn set_all_durable(&mut self) {
        self.durable_end = self.offset();
        self.needs_sync = false;
    }

    /// The flags of the next frame.
    pub(super) fn flags(&self, control: bool, more: bool) -> Flags {
        Flags { synced: self.all_durable(), control, more }
    }

    /// It is about to be sealed where it ends, so that marks count as well: the next sync must cover them.
    pub(super) fn demand_sync_of_marks(&mut self) {
        self.needs_sync |= !self.all_durable();
    }

    /// Its file is open for appending.
    pub(super) fn attach(&mut self, file: A, log_id: u64) {
        self.file = Some(file);
        self.salt = segment_salt(Crc::detect(), log_id, self.number);
    }

    /// Another segment was created behind it, and takes its place; its header follows.
    pub(super) fn follow(&mut self, number: u32, file: A, first_id: u64, log_id: u64) {
        debug_assert!(self.filled == 0, "what was appended was written out");
        self.previous = (self.number > 0).then_some(Link {
            segment: self.number,
            end: self.base,
            checksum: self.checksum,
        });
        (self.number, self.first_id) = (number, first_id);
        (self.base, self.position, self.checksum, self.durable_end) = (0, 0, 0, 0);
        (self.needs_sync, self.name_synced) = (true, false);
        (self.sealed_only, self.closed, self.pruned) = (false, false, false);
        self.attach(file, log_id);
    }
}

impl<D: Directory> FixedWalWriter<'_, D> {
    /// The tail's header, as far as the segments below it are found by it, and the next one's.
    pub(super) fn header(&self) -> SegmentHeader {
        let Settings { alignment, form, .. } = self.settings;
        let tail = &self.tail;
        SegmentHeader {
            common: Common { alignment, form, log_id: self.log_id },
            segment: tail.number,
            oldest: tail.header_oldest,
            first_id: tail.first_id,
            created_ms: 0,
            previous: tail.previous.map(|link| Previous {
                segment: link.segment,
                end: link.end.into(),
                checksum: link.checksum,
            }),
            origin: Origin::Sequence,
        }
    }

    /// Appends a frame to the memory in front of the file, which is written out if there is no room for it.
    #[inline(never)]
    pub(super) fn append_frame(
        &mut self,
        flags: Flags,
        payload: &[u8],
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        let frame_bytes = self.settings.frame_bytes(payload.len());
        if frame_bytes > self.tail.buffer.len().saturating_sub(self.tail.filled) {
            self.write_out(account)?;
        }
        let Settings { alignment, form, .. } = self.settings;
        let codec = Codec::new(Crc::detect(), self.tail.salt, alignment).with_form(form);
        let position = self.tail.position.wrapping_add(u32::from(!flags.control));
        let (head, header) = codec.encode_head(
            self.tail.offset().into(),
            flags,
            position,
            small(payload.len() as u64),
            |crc, seed| crc.update(seed, payload),
        );
        self.put(&[head.as_slice(), payload], frame_bytes, account)?;
        let tail = &mut self.tail;
        (tail.position, tail.checksum) = (position, header.payload_checksum);
        // A control frame alone needs no sync: what it says is either synced by whoever relies on it, or a mere hint.
        tail.needs_sync |= !flags.control;
        (tail.closed, tail.pruned) = (false, false);
        Ok(())
    }

    /// Puts bytes, and zeros up to that many, into the memory in front of the file.
    pub(super) fn put(
        &mut self,
        parts: &[&[u8]],
        bytes: usize,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        let end = self.tail.filled.saturating_add(bytes);
        let mut room = self.tail.buffer.get_mut(self.tail.filled..end).unwrap_or_default();
        for part in parts {
            let Some((place, rest)) = room.split_at_mut_checked(part.len()) else {
                // What is appended was bounded by the memory.
                return Err(self.poison(account));
            };
            place.copy_from_slice(part);
            room = rest;
        }
        room.fill(0);
        self.tail.filled = end;
        Ok(())
    }

    /// Hands what is in memory to the file.
    #[inline(never)]
    pub(super) fn write_out(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        let tail = &mut self.tail;
        let walk = Walk { dir: &self.dir, settings: &self.settings, account };
        let name = File::Segment(tail.number);
        let Some(file) = &mut tail.file else { return Ok(()) };
        let mut bytes = tail.buffer.get(..tail.filled).unwrap_or_default();
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => {
                    let offset = file.position();
                    return Err(account.give(name, Trouble::NoProgress { offset }));
                }
                Ok(_) if planted!(FixedShortWriteTakenForWhole) => break,
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                failed => walk.on(failed.map(|_| ()), Operation::Write, name)?,
            }
        }
        tail.base = tail.offset();
        tail.filled = 0;
        Ok(())
    }

    /// Hands everything to the system.
    pub(super) fn flush_tail(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        if planted!(FixedSyncedFlagEarly) {
            self.tail.durable_end = self.tail.offset();
        }
        self.write_out(account)?;
        let flushed = self.tail.file.as_mut().map_or(Ok(()), Write::flush);
        self.on_tail(flushed, Operation::Flush, account)
    }

    /// Makes everything in the file durable, but for its name.
    pub(super) fn sync_file(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        self.write_out(account)?;
        // What waits for a sync is in a file that is open.
        let Some(file) = &mut self.tail.file else { return Err(self.poison(account)) };
        let mut synced = file.sync_data();
        if synced.is_err() && planted!(FixedFailedSyncRetried) {
            synced = file.sync_data();
        }
        self.on_tail(synced, Operation::Sync, account)
    }

    /// Gives back reserved room behind the last byte.
    pub(super) fn trim(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        self.write_out(account)?;
        let trimmed = self.tail.file.as_mut().map_or(Ok(()), AppendFile::trim);
        self.on_tail(trimmed, Operation::Trim, account)
    }

    fn on_tail(
        &self,
        done: Result<(), D::Error>,
        operation: Operation,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        self.walk(account).on(done, operation, File::Segment(self.tail.number))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop")]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::bytes::control::Control;
    use crate::storage::MemoryDirectory;
    use crate::walog::WalOptions;

    /// Offsets have 32 bits: what would end behind the last of them goes to another segment, or is left out.
    #[test]
    fn nothing_is_appended_across_four_gib() {
        // Of each alignment: where the file ends, and a frame of an alignment's bytes more.
        for (alignment, left, fits) in
            [(4, 20, false), (4, 24, true), (32, 32, false), (32, 64, true), (256, 256, false)]
        {
            for control in [false, true] {
                let options = WalOptions::new().segment_bytes(u32::MAX.into()).alignment(alignment);
                let mut memory = Vec::from([0; 512]);
                let dir = MemoryDirectory::new();
                let mut wal = FixedWalWriter::open(dir, options, &mut memory).unwrap();
                wal.append(b"one").unwrap();
                let _durable = wal.flush_and_sync().unwrap();
                wal.tail.base = u32::MAX - (left - 1);
                let told = std::format!("{alignment}, {left}, {control}");
                if control {
                    let appended = wal.append_control(Control::Mark, &Account::new());
                    assert_eq!(appended.unwrap(), fits, "{told}");
                } else {
                    wal.append(b"two").unwrap();
                    assert_eq!(wal.segments(), if fits { 1 } else { 2 }, "{told}");
                }
                assert!(wal.tail.offset() >= 72, "{told}: it went around");
            }
        }
    }
}
