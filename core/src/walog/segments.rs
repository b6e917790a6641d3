//! What the writer does with whole segments: beginning, sealing, pruning, truncating.
//!
//! Every protocol here is one header or one mark that is durable or not, and then deletions that change nothing.

use alloc::vec::Vec;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::Codec;
use crate::bytes::header::{
    Common, FileHeader as _, Origin, Previous, SegmentHeader, segment_salt,
};
use crate::error::{Context as _, Error, Limit, Operation};
use crate::file::frames::Cursor;
use crate::file::sink::Sink;
use crate::storage::{Directory, NameBuf};

use super::chain::{Sealed, Segment};
use super::discover::{list, open_segment};
use super::hooks::{Event, Hooks};
use super::raw_writer::RawWalWriter;

/// Names in a row that may be taken by what is no file before creating a segment gives up.
const NAMES_TAKEN_MAX: u32 = 16;

/// The file of a segment that begins.
#[derive(Debug)]
pub(super) struct NewFile<A> {
    pub(super) number: u32,
    pub(super) file: A,
    pub(super) name: NameBuf,
    pub(super) name_synced: bool,
}

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// The number of the next segment: of the one that is ready, or the next that nothing has had. No number is ever used twice.
    pub(super) fn next_number(&self) -> Result<u32, Error<D::Error>> {
        if let Some(number) = self.upcoming.ready() {
            return Ok(number);
        }
        let next = self.highest.checked_add(1);
        let next =
            next.filter(|_| next != self.upcoming.claimed()).or_else(|| next?.checked_add(1));
        next.ok_or(Error::Limit {
            what: Limit::FileNumbers,
            found: u64::from(self.highest) + 1,
            limit: u64::from(u32::MAX),
        })
    }

    /// Whether one more segment may be begun for entries. Repair and truncation are not asked: they are the ways out.
    pub(super) fn check_segments(&self) -> Result<(), Error<D::Error>> {
        let limit = u64::from(self.settings.segments_max);
        let found = self.chain.len() as u64 + 1;
        if found > limit {
            return Err(Error::Limit { what: Limit::Segments, found, limit });
        }
        Ok(())
    }

    pub(super) fn sink(
        &mut self,
        file: D::Appender,
        name: NameBuf,
    ) -> Result<Sink<D::Appender>, Error<D::Error>> {
        let buffer = self.tail.take_buffer();
        let (buffer_bytes, granule) = (self.settings.buffer_bytes, self.settings.granule);
        Sink::growing(file, name, buffer, buffer_bytes, granule)
    }

    pub(super) fn codec_of(&self, segment: &Segment) -> Codec {
        let crc = Crc::detect();
        let salt = segment_salt(crc, self.log_id, segment.number);
        Codec::new(crc, salt, segment.alignment).with_form(segment.form)
    }

    /// Seals the tail where it ends and begins the next segment.
    pub(super) fn rotate(&mut self) -> Result<(), Error<D::Error>> {
        if self.tail.is_open() && self.settings.trims_at(self.tail.offset()) {
            self.tail.trim()?;
        }
        // The outgoing segment becomes durable before a header says that it is sealed: a sealed segment has no torn tail.
        if !planted!(LoneMarkUnsynced) {
            self.tail.demand_sync_of_marks();
        }
        if planted!(RotatedUnsynced) {
            self.tail.flush()?;
        } else {
            self.sync_tail()?;
        }
        self.begin_segment(self.next_id, self.oldest)
    }

    /// Begins a segment behind the tail, which must be durable up to where it ends. The header waits in the buffer.
    pub(super) fn begin_segment(
        &mut self,
        first_id: EntryId,
        oldest: u32,
    ) -> Result<(), Error<D::Error>> {
        self.find_end_again()?;
        let created = self.next_file()?; // crash: a blank file, which is an unfinished creation
        self.begin_segment_in(created, first_id, oldest)
    }

    /// [`begin_segment`](Self::begin_segment), in a file that is there.
    pub(super) fn begin_segment_in(
        &mut self,
        created: NewFile<D::Appender>,
        first_id: EntryId,
        oldest: u32,
    ) -> Result<(), Error<D::Error>> {
        let cursor = Cursor {
            offset: self.tail.offset(),
            position: self.tail.position(),
            checksum: self.tail.checksum(),
        };
        let previous = self.chain.last().map(|segment| Previous {
            segment: segment.number,
            end: cursor.offset,
            checksum: cursor.checksum,
        });
        self.start_segment(created, first_id, oldest, previous, Origin::Sequence)?;
        if let Some(index) = self.chain.len().checked_sub(2)
            && let Some(sealed) = self.chain.get_mut(index)
        {
            sealed.sealed = Some(Sealed {
                end: cursor.offset,
                checksum: cursor.checksum,
                entries: cursor.position,
            });
        }
        Ok(())
    }

    /// Puts a segment's header into the buffer for its file.
    fn start_segment(
        &mut self,
        created: NewFile<D::Appender>,
        first_id: EntryId,
        oldest: u32,
        previous: Option<Previous>,
        origin: Origin,
    ) -> Result<(), Error<D::Error>> {
        let NewFile { number, file, name, name_synced } = created;
        self.highest = self.highest.max(number);
        let segment = Segment {
            number,
            alignment: self.settings.alignment,
            form: self.settings.form,
            first_id: first_id.get(),
            created_ms: self.hooks.now_ms(),
            origin,
            sealed: None,
            listed: false,
        };
        let header = SegmentHeader {
            common: Common {
                alignment: segment.alignment,
                form: segment.form,
                log_id: self.log_id,
            },
            segment: number,
            oldest,
            first_id: segment.first_id,
            created_ms: segment.created_ms,
            previous,
            origin,
        };
        let codec = self.codec_of(&segment);
        let mut sink = self.sink(file, name)?;
        sink.put(&header.encode(codec.crc()))?;
        sink.pad(codec)?;
        self.tail.create(codec, sink, name_synced, oldest);
        self.chain.push(segment);
        self.hooks.on(Event::Rotated { segment: number });
        Ok(())
    }

    /// The room that a new segment's file gets.
    pub(super) fn room(&self) -> u64 {
        // A log's very first segment gets no room: a crash may leave anything in room that was being written, and without a
        // segment before it, nothing would tell that from a log whose first header is damaged.
        let first = self.chain.is_empty() && !planted!(FirstRoomReserved);
        // Nor one that is begun while somebody else makes room: an append does not wait for it.
        let room = self.settings.preallocate && !first && !self.upcoming.asked();
        if room { self.settings.segment_bytes } else { 0 }
    }

    /// The file that was prepared, or a new one.
    pub(super) fn next_file(&mut self) -> Result<NewFile<D::Appender>, Error<D::Error>> {
        let Some((number, file, name)) = self.upcoming.take() else { return self.create_file() };
        self.highest = number;
        Ok(NewFile { number, file, name, name_synced: true })
    }

    /// Creates the file of the next number whose name is free. What has a segment's name and is no file (a folder, a link) takes a
    /// number away, and no more.
    fn create_file(&mut self) -> Result<NewFile<D::Appender>, Error<D::Error>> {
        let reserve = self.room();
        let mut tries = 0;
        loop {
            let number = self.next_number()?;
            let name = self.settings.segment_name(number)?;
            let file = self.dir.create(name.as_name(), reserve).on(Operation::Create, &name)?;
            self.highest = number;
            tries += 1;
            match file {
                Some(file) => return Ok(NewFile { number, file, name, name_synced: false }),
                None if tries < NAMES_TAKEN_MAX => {}
                None => return Err(Error::Exists { file: name }),
            }
        }
    }

    /// Whether a segment's file holds nothing of the log, and never will.
    pub(super) fn is_dead(&self, number: u32) -> bool {
        let live = self.chain.iter().any(|segment| segment.number == number);
        !live && !self.upcoming.needs(number)
    }

    pub(super) fn delete(&mut self, number: u32) -> Result<(), Error<D::Error>> {
        self.hooks.on(Event::Deleting { segment: number });
        let name = self.settings.segment_name(number)?;
        self.dir.remove(name.as_name()).on(Operation::Remove, &name)
    }

    /// Deletes every file that holds nothing of the log, lowest first, and makes that durable. One may be kept, to be used again.
    fn sweep(&mut self, recycle: bool) -> Result<(), Error<D::Error>> {
        let dead: Vec<u32> = list(&self.dir, &self.settings)?;
        let mut dead: Vec<u32> = dead.into_iter().filter(|&number| self.is_dead(number)).collect();
        if recycle
            && let Some(&number) = dead.first()
            && self.upcoming.keep(number)
        {
            // Its header stays for now. Without the mark, damage to the tail's would let the log end with this segment.
            self.append_mark()?;
            self.hooks.on(Event::Deleting { segment: number });
            dead.remove(0);
        }
        if planted!(NewestDeletedFirst) {
            dead.reverse();
        }
        if dead.is_empty() {
            return Ok(());
        }
        for number in dead {
            self.delete(number)?; // crash: what is dead may stay, or come back, in any combination
        }
        if planted!(DeletedNameUnsynced) {
            return Ok(());
        }
        let lock = self.settings.lock_name()?;
        self.dir.sync_dir(self.settings.folder()).on(Operation::SyncDir, &lock)
    }

    /// How many segments hold only entries before `before`. The tail is never one of them.
    fn covered(&self, before: EntryId) -> usize {
        let covered = self.chain.windows(2).take_while(|pair| {
            let more = u64::from(planted!(PrunedTooFar));
            pair.get(1).is_some_and(|successor| successor.first_id <= before.get() + more)
        });
        covered.count()
    }

    fn first_id_of(&self, index: usize) -> Option<EntryId> {
        self.chain.get(index).and_then(|segment| EntryId::new(segment.first_id))
    }

    /// Deletes the segments that hold only entries before `before`. The tail is never deleted.
    ///
    /// What stays begins at or before `before`: segments go whole or not at all. [`Hooks::keep_from`] may hold it back further, which
    /// [`Event::HeldBack`] tells.
    ///
    /// **Durability.** A mark is durable before the first file goes, so after a crash the log begins where it did, or later, and has no
    /// hole. After `Ok` the deletions are durable, and everything appended before too.
    ///
    /// # Errors
    /// [`Error::Gap`] if `before` is beyond the next id; [`Error::Poisoned`]; what the directory reports.
    pub fn truncate_prefix(&mut self, before: EntryId) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.check_id(before)?;
        let mut covered = self.covered(before);
        if let Some(first) = self.first_id_of(covered).filter(|_| covered > 0) {
            let kept = self.hooks.keep_from(first);
            if kept < first {
                covered = self.covered(kept);
                let kept_from = self.first_id_of(covered).unwrap_or(first);
                self.hooks.on(Event::HeldBack { first, kept_from });
            }
        }
        let Some(oldest) = self.chain.get(covered).map(|segment| segment.number) else {
            return Ok(());
        };
        if covered == 0 {
            let _durable = self.flush_and_sync()?;
            return Ok(());
        }
        self.poisoned = true;
        self.open_tail()?;
        self.oldest = oldest;
        let mark = Control::Prune { oldest };
        if self.fits_file(self.frame_bytes(mark.encode().1 as u64)) {
            self.append_control(mark)?;
        } else {
            self.rotate()?; // the new header is the mark
        }
        self.tail.demand_sync();
        if !planted!(PruneMarkUnsynced) {
            self.sync_tail()?; // crash: before it, all segments; after it, deleting goes on at the next open
        }
        self.chain.drain(..covered);
        self.sweep(self.settings.recycle)?;
        self.poisoned = false;
        Ok(())
    }

    /// Deletes entry `from` and all after it: the next entry gets the id `from`.
    ///
    /// **Durability.** One header decides: after a crash the log is as before or truncated. After `Ok` it is truncated for good, and all
    /// that is left is durable.
    ///
    /// # Errors
    /// [`Error::Gap`] if `from` is before the first entry or beyond the next id; [`Error::Corrupt`] if what is left does not verify up to `from`;
    /// [`Error::Poisoned`]; what the directory reports.
    pub fn truncate_suffix(&mut self, from: EntryId) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.check_id(from)?;
        let first = self.first_entry_id();
        if from < first {
            let last = self.last_entry_id();
            return Err(Error::Gap { needed: from, first: Some(first), last });
        }
        if from == self.next_id {
            let _durable = self.flush_and_sync()?;
            return Ok(());
        }
        self.poisoned = true;
        self.sync_tail()?;
        self.tail.detach();
        let kept = self.chain.iter().rposition(|segment| segment.first_id < from.get());
        let Some(index) = kept else {
            // Nothing is left: the new segment is the oldest.
            let oldest = self.next_number()?;
            self.restart(from, oldest, None, 0)?;
            self.poisoned = false;
            return Ok(());
        };
        if let Some(segment) = self.chain.get(index).copied() {
            let cursor = self.find_cut(&segment, from)?;
            let previous =
                Previous { segment: segment.number, end: cursor.offset, checksum: cursor.checksum };
            self.restart(from, self.oldest, Some(previous), index.saturating_add(1))?;
            if let Some(cut) = self.chain.get_mut(index) {
                let (end, checksum) = (cursor.offset, cursor.checksum);
                cut.sealed = Some(Sealed { end, checksum, entries: cursor.position });
            }
        }
        self.poisoned = false;
        Ok(())
    }

    /// Deletes all entries. The next one gets the id that it would have had.
    ///
    /// **Durability.** As [`truncate_suffix`](Self::truncate_suffix).
    ///
    /// # Errors
    /// [`Error::Poisoned`], and what the directory reports.
    pub fn truncate_to_empty(&mut self) -> Result<(), Error<D::Error>> {
        self.check()?;
        if self.entry_count() == 0 {
            return Ok(());
        }
        self.poisoned = true;
        self.sync_tail()?;
        self.tail.detach();
        let oldest = self.next_number()?;
        let next = if planted!(IdsRestarted) { EntryId::FIRST } else { self.next_id };
        self.restart(next, oldest, None, 0)?;
        self.poisoned = false;
        Ok(())
    }

    /// Begins a segment at `first_id` that leaves only the first `keep` segments alive, and makes that durable.
    fn restart(
        &mut self,
        first_id: EntryId,
        oldest: u32,
        previous: Option<Previous>,
        keep: usize,
    ) -> Result<(), Error<D::Error>> {
        let kept = self.chain.get(..keep).unwrap_or_default().to_vec();
        let origin = if first_id < self.next_id { Origin::Truncation } else { Origin::Sequence };
        let created = self.next_file()?;
        self.start_segment(created, first_id, oldest, previous, origin)?;
        let tail = self.chain.last().copied();
        self.next_id = first_id;
        self.oldest = oldest;
        if !planted!(TruncationUnsynced) {
            self.sync_tail()?; // crash: before it, the log as it was; after it, the log as it shall be
        }
        self.chain = kept;
        self.chain.extend(tail);
        // Without the mark, damage to the new header would look like an unfinished creation, and the old entries would come back.
        if !planted!(TruncationUnmarked) {
            self.append_mark()?;
        }
        self.sweep(false)
    }

    /// The place behind the last entry before `from`, in the segment that holds it.
    fn find_cut(&mut self, segment: &Segment, from: EntryId) -> Result<Cursor, Error<D::Error>> {
        let entries = from.get().saturating_sub(segment.first_id);
        let buffer = self.tail.take_buffer();
        let mut reader = open_segment(&self.dir, &self.settings, self.log_id, segment, buffer)?;
        let mut cursor = reader.cursor();
        while u64::from(cursor.position) < entries {
            if !reader.advance()? {
                let (first, last) = (EntryId::new(segment.first_id), self.last_entry_id());
                return Err(Error::Gap { needed: from, first, last });
            }
            cursor = reader.cursor();
        }
        self.tail.keep_buffer(reader.into_buffer());
        Ok(cursor)
    }

    fn check_id(&self, id: EntryId) -> Result<(), Error<D::Error>> {
        if id > self.next_id {
            let (first, last) = (Some(self.first_entry_id()), self.last_entry_id());
            return Err(Error::Gap { needed: id, first, last });
        }
        Ok(())
    }

    /// What segments the log has, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = super::SegmentRange> + '_ {
        super::SegmentRange::all(&self.chain, self.next_id)
    }

    /// Writes down that a checkpoint is durable. It becomes durable itself with the next sync.
    pub(crate) fn append_checkpoint(
        &mut self,
        generation: u32,
        last_id: u64,
    ) -> Result<(), Error<D::Error>> {
        self.check()?;
        self.poisoned = true;
        self.open_tail()?;
        let mark = Control::Checkpoint { generation, last_id };
        if !self.fits_file(self.frame_bytes(mark.encode().1 as u64)) {
            self.rotate()?;
        }
        self.append_control(mark)?;
        self.tail.demand_sync();
        self.poisoned = false;
        Ok(())
    }
}
