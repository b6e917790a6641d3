//! What the writer without a heap does with whole segments: beginning, sealing, pruning.
//!
//! Every protocol here is one header or one mark that is durable or not, and then deletions that change nothing.

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::Codec;
use crate::bytes::header::{
    Common, FileHeader as _, Origin, Previous, SegmentHeader, segment_salt,
};
use crate::error::{Context as _, Error, Limit, Operation};
use crate::file::sink::Sink;
use crate::storage::{Directory, StoreError as _};

use super::walk::{Seen, Walk};
use super::writer::FixedWalWriter;

/// Names in a row that may be taken by what is no file before creating a segment gives up.
const NAMES_TAKEN_MAX: u32 = 16;

impl<D: Directory> FixedWalWriter<'_, D> {
    /// Deletes the segments that hold only entries before `before`. The tail is never deleted, and segments go whole or not at all.
    ///
    /// **Durability.** A mark is durable before the first file goes, so after a crash the log begins where it did, or later, and has no hole. After `Ok` the
    /// deletions are durable, and everything appended before too.
    ///
    /// # Errors
    /// [`Error::Gap`] if `before` is beyond the next id; [`Error::Poisoned`]; what the directory reports.
    pub fn truncate_prefix(&mut self, before: EntryId) -> Result<(), Error<D::Error>> {
        self.check()?;
        if before > self.next_id {
            let (first, last) = (Some(self.first_id), self.last_entry_id());
            return Err(Error::Gap { needed: before, first, last });
        }
        let Some(tail) = self.header else { return Ok(()) };
        // The last segment that begins at or before it is kept, and all behind it.
        let (mut kept, mut covered) = (None, 0_u32);
        Walk { dir: &self.dir, settings: &self.settings }.down(&tail, self.oldest, |seen| {
            match seen {
                Seen::Live(_) if kept.is_some() => covered = covered.saturating_add(1),
                Seen::Live(header) if header.first_id <= before.get() => kept = Some(header),
                _ => {}
            }
            Ok(())
        })?;
        let Some(kept) = kept.filter(|_| covered > 0) else {
            return self.flush_and_sync().map(drop);
        };
        self.poisoned = true;
        self.open_tail()?;
        (self.oldest, self.first) = (kept.segment, kept.segment);
        self.first_id = EntryId::new(kept.first_id).unwrap_or(EntryId::FIRST);
        self.segments = self.segments.saturating_sub(covered);
        let mark = Control::Prune { oldest: self.oldest };
        if self.fits(mark) {
            self.append_control(mark)?;
        } else {
            self.rotate()?; // the new header is the mark
        }
        self.tail.demand_sync();
        self.sync_tail()?; // crash: before it, all segments; after it, deleting goes on at the next open
        let mut next = Walk { dir: &self.dir, settings: &self.settings }.above(0)?;
        while let Some(number) = next.filter(|&number| number < self.oldest) {
            self.delete(number)?; // crash: what is dead may stay, or come back, in any combination
            next = Walk { dir: &self.dir, settings: &self.settings }.above(number)?;
        }
        let lock = self.settings.lock_name()?;
        self.dir.sync_dir(self.settings.folder()).on(Operation::SyncDir, &lock)?;
        self.poisoned = false;
        Ok(())
    }

    /// Deletes the oldest segments until no more than `count` are left. The tail is never deleted: 0 is as 1.
    ///
    /// **Durability.** As [`truncate_prefix`](Self::truncate_prefix).
    ///
    /// # Errors
    /// As [`truncate_prefix`](Self::truncate_prefix).
    pub fn truncate_to_segments(&mut self, count: u32) -> Result<(), Error<D::Error>> {
        self.check()?;
        let Some(tail) = self.header else { return Ok(()) };
        let (mut seen, mut first) = (0_u32, tail.first_id);
        Walk { dir: &self.dir, settings: &self.settings }.down(&tail, self.oldest, |file| {
            if let Seen::Live(header) = file {
                if seen < count {
                    first = header.first_id;
                }
                seen = seen.saturating_add(1);
            }
            Ok(())
        })?;
        self.truncate_prefix(EntryId::new(first).unwrap_or(EntryId::FIRST))
    }

    /// Deletes every file that is not of the log, lowest first.
    pub(super) fn delete_dead(&self, tail: &SegmentHeader) -> Result<(), Error<D::Error>> {
        let walk = Walk { dir: &self.dir, settings: &self.settings };
        let mut from = 0;
        loop {
            // The walk comes by the lowest last.
            let mut lowest = None;
            walk.down(tail, self.oldest, |seen| {
                if let Seen::Dead(number) = seen
                    && number >= from
                {
                    lowest = Some(number);
                }
                Ok(())
            })?;
            let Some(number) = lowest else { break };
            self.delete(number)?; // crash: a dead segment that is still there, or comes back, is as dead as before.
            from = number.saturating_add(1);
        }
        let mut later = walk.above(tail.segment)?;
        while let Some(number) = later {
            self.delete(number)?;
            later = walk.above(number)?;
        }
        Ok(())
    }

    /// Whether the tail's file can be opened for appending.
    pub(super) fn goes_on_in_place(&self) -> bool {
        let same = |header: SegmentHeader| {
            header.common.alignment == self.settings.alignment
                && header.common.form == self.settings.form
        };
        self.settings.reopen && !self.tail.short() && self.header.is_some_and(same)
    }

    /// Opens the tail's file for appending, or begins a new segment where the directory cannot.
    pub(super) fn open_tail(&mut self) -> Result<(), Error<D::Error>> {
        if self.tail.is_open() {
            return Ok(());
        }
        let Some(header) = self.header.filter(|_| self.goes_on_in_place()) else {
            return self.begin_segment(self.oldest);
        };
        let name = self.settings.segment_name(header.segment)?;
        let file = match self.dir.reopen(name.as_name(), self.tail.offset()) {
            // Program-once storage may find the room used up where a torn write left bytes that read as room.
            Err(error) if error.is_unsupported() => return self.begin_segment(self.oldest),
            reopened => reopened.on(Operation::Reopen, &name)?,
        };
        let file = file.ok_or_else(|| Error::Missing { file: name.clone() })?;
        let sink = Sink::growing(
            file,
            name,
            self.tail.take_buffer(),
            self.settings.buffer_bytes,
            self.settings.granule,
        )?;
        self.tail.attach(self.codec(&header), sink);
        Ok(())
    }

    fn codec(&self, header: &SegmentHeader) -> Codec {
        let crc = Crc::detect();
        let salt = segment_salt(crc, self.log_id, header.segment);
        Codec::new(crc, salt, header.common.alignment).with_form(header.common.form)
    }

    /// Seals the tail where it ends and begins the next segment.
    pub(super) fn rotate(&mut self) -> Result<(), Error<D::Error>> {
        if self.settings.trims_at(self.tail.offset()) {
            self.tail.trim()?;
        }
        // The outgoing segment becomes durable before a header says that it is sealed: a sealed segment has no torn tail.
        self.tail.demand_sync_of_marks();
        self.sync_tail()?;
        self.begin_segment(self.oldest)
    }

    /// Begins a segment behind the tail, which must be durable up to where it ends. The header waits in the buffer. A log's first has itself for its oldest.
    pub(super) fn begin_segment(&mut self, oldest: u32) -> Result<(), Error<D::Error>> {
        let mut tries = 0;
        let (number, name, file) = loop {
            let number = self.highest.checked_add(1).ok_or(Error::Limit {
                what: Limit::FileNumbers,
                found: u64::from(self.highest) + 1,
                limit: u64::from(u32::MAX),
            })?;
            let name = self.settings.segment_name(number)?;
            let file = self.dir.create(name.as_name(), 0).on(Operation::Create, &name)?;
            self.highest = number;
            tries += 1;
            match file {
                Some(file) => break (number, name, file),
                None if tries < NAMES_TAKEN_MAX => {}
                None => return Err(Error::Exists { file: name }),
            }
        }; // crash: a blank file, which is an unfinished creation
        let previous = self.header.map(|header| Previous {
            segment: header.segment,
            end: self.tail.offset(),
            checksum: self.tail.checksum(),
        });
        self.oldest = if previous.is_some() { oldest } else { number };
        if previous.is_none() {
            self.first = number;
        }
        let header = SegmentHeader {
            common: Common {
                alignment: self.settings.alignment,
                form: self.settings.form,
                log_id: self.log_id,
            },
            segment: number,
            oldest: self.oldest,
            first_id: self.next_id.get(),
            created_ms: 0,
            previous,
            origin: Origin::Sequence,
        };
        let codec = self.codec(&header);
        let buffer = self.tail.take_buffer();
        let (buffer_bytes, granule) = (self.settings.buffer_bytes, self.settings.granule);
        let mut sink = Sink::growing(file, name, buffer, buffer_bytes, granule)?;
        sink.put(&header.encode(codec.crc()))?;
        sink.pad(codec)?;
        self.tail.create(codec, sink, false, self.oldest);
        self.header = Some(header);
        self.segments = self.segments.saturating_add(1);
        Ok(())
    }

    pub(super) fn delete(&self, number: u32) -> Result<(), Error<D::Error>> {
        let name = self.settings.segment_name(number)?;
        self.dir.remove(name.as_name()).on(Operation::Remove, &name)
    }
}
