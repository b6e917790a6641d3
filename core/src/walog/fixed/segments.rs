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
use crate::error::{Error, Limit, Operation};
use crate::file::sink::Sink;
use crate::storage::{Directory, NameBuf, StoreError as _};

use super::super::options::trims_at;
use super::account::{Account, Failed, Told as _, told};
use super::walk::{File, Lent, Seen, Walk};
use super::writer::FixedWalWriter;

/// Names in a row that may be taken by what is no file before creating a segment gives up.
const NAMES_TAKEN_MAX: u32 = 16;

impl<'b, D: Directory> FixedWalWriter<'b, D> {
    /// Deletes the segments that hold only entries before `before`. The tail is never deleted, and segments go whole or not at all.
    ///
    /// **Durability.** A mark is durable before the first file goes, so after a crash the log begins where it did, or later, and has no hole. After `Ok` the
    /// deletions are durable, and everything appended before too.
    ///
    /// # Errors
    /// [`Error::Gap`] if `before` is beyond the next id; [`Error::Poisoned`]; what the directory reports.
    pub fn truncate_prefix(&mut self, before: EntryId) -> Result<(), Error<D::Error>> {
        told(|account| self.prune(before, account))
    }

    fn prune(&mut self, before: EntryId, account: &Account<D::Error>) -> Result<(), Failed> {
        self.check(account)?;
        if before > self.next_id {
            let (first, last) = (Some(self.first_id), self.last_entry_id());
            return Err(account.give(Error::Gap { needed: before, first, last }));
        }
        let Some(tail) = self.header else { return Ok(()) };
        // The last segment that begins at or before it is kept, and all behind it.
        let (mut kept, mut covered) = (None, 0_u32);
        self.walk(account).down(&tail, self.oldest, &mut |seen| match seen {
            Seen::Live(_) if kept.is_some() => covered = covered.saturating_add(1),
            Seen::Live(header) if header.first_id <= before.get() => {
                kept = Some((header.segment, header.first_id));
            }
            _ => {}
        })?;
        let Some((oldest, first_id)) = kept.filter(|_| covered > 0) else {
            return self.make_durable(account);
        };
        self.poisoned = true;
        self.open_tail(account)?;
        (self.oldest, self.first) = (oldest, oldest);
        self.first_id = EntryId::new(first_id).unwrap_or(EntryId::FIRST);
        self.segments = self.segments.saturating_sub(covered);
        let mark = Control::Prune { oldest };
        if self.fits(mark) {
            self.append_control(mark, account)?;
        } else {
            self.rotate(account)?; // the new header is the mark
        }
        self.tail.demand_sync();
        self.sync_tail(account)?; // crash: before it, all segments; after it, deleting goes on at the next open
        let walk = self.walk(account);
        walk.delete_between(0, oldest.into())?;
        walk.sync_dir()?;
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
        told(|account| {
            self.check(account)?;
            let Some(tail) = self.header else { return Ok(()) };
            let (mut seen, mut first) = (0_u32, tail.first_id);
            self.walk(account).down(&tail, self.oldest, &mut |file| {
                if let Seen::Live(header) = file {
                    if seen < count {
                        first = header.first_id;
                    }
                    seen = seen.saturating_add(1);
                }
            })?;
            self.prune(EntryId::new(first).unwrap_or(EntryId::FIRST), account)
        })
    }

    pub(super) fn walk<'d>(&'d self, account: &'d Account<D::Error>) -> Walk<'d, D> {
        Walk { dir: &self.dir, settings: &self.settings, account }
    }

    /// Deletes every file that is not of the log, lowest first.
    #[inline(never)]
    pub(super) fn delete_dead(
        &self,
        tail: &SegmentHeader,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        let walk = self.walk(account);
        let mut last = 0;
        loop {
            // The walk comes by the lowest last.
            let mut lowest = 0;
            walk.down(tail, self.oldest, &mut |seen| {
                if let Seen::Dead(number) = seen
                    && number > last
                {
                    lowest = number;
                }
            })?;
            if lowest == 0 {
                break;
            }
            walk.delete(lowest)?; // crash: a dead segment that is still there, or comes back, is as dead as before.
            last = lowest;
        }
        walk.delete_between(tail.segment, u64::MAX)
    }

    /// Whether the tail's file can be opened for appending.
    pub(super) fn goes_on_in_place(&self) -> bool {
        let same = |header: &SegmentHeader| {
            header.common.alignment == self.settings.alignment
                && header.common.form == self.settings.form
        };
        self.settings.reopen && !self.tail.short() && self.header.as_ref().is_some_and(same)
    }

    /// Opens the tail's file for appending, or begins a new segment where the directory cannot.
    pub(super) fn open_tail(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        if self.tail.is_open() {
            return Ok(());
        }
        let Some(header) = self.header.filter(|_| self.goes_on_in_place()) else {
            return self.begin_segment(self.oldest, account);
        };
        let tail = File::Segment(header.segment);
        let name = self.walk(account).name(tail)?;
        let file = match self.dir.reopen(name.as_name(), self.tail.offset()) {
            // Program-once storage may find the room used up where a torn write left bytes that read as room.
            Err(error) if error.is_unsupported() => {
                return self.begin_segment(self.oldest, account);
            }
            reopened => self.walk(account).on(reopened, Operation::Reopen, tail)?,
        };
        let Some(file) = file else { return Err(account.give(Error::Missing { file: name })) };
        let sink = self.sink(file, name, account)?;
        self.tail.attach(self.codec(header.segment), sink);
        Ok(())
    }

    /// Takes the memory for a file of the frames that are appended.
    fn sink(
        &mut self,
        file: D::Appender,
        name: NameBuf,
        account: &Account<D::Error>,
    ) -> Result<Sink<D::Appender, Lent<'b>>, Failed> {
        let buffer = self.tail.take_buffer();
        let (buffer_bytes, granule) = (self.settings.buffer_bytes, self.settings.granule);
        Sink::growing(file, name, buffer, buffer_bytes, granule).to(account)
    }

    /// The frames that this writer appends to a segment.
    fn codec(&self, segment: u32) -> Codec {
        let crc = Crc::detect();
        let salt = segment_salt(crc, self.log_id, segment);
        Codec::new(crc, salt, self.settings.alignment).with_form(self.settings.form)
    }

    /// Seals the tail where it ends and begins the next segment.
    pub(super) fn rotate(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        if trims_at(self.settings.segment_bytes.into(), self.tail.offset()) {
            self.tail.trim().to(account)?;
        }
        // The outgoing segment becomes durable before a header says that it is sealed: a sealed segment has no torn tail.
        self.tail.demand_sync_of_marks();
        self.sync_tail(account)?;
        self.begin_segment(self.oldest, account)
    }

    /// Begins a segment behind the tail, which must be durable up to where it ends. The header waits in the buffer. A log's first has itself for its oldest.
    pub(super) fn begin_segment(
        &mut self,
        oldest: u32,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        let (number, file) = self.create_file(account)?; // crash: a blank file, which is an unfinished creation
        self.begin_in(number, file, oldest, account)
    }

    /// Creates the next segment's file.
    #[inline(never)]
    fn create_file(&mut self, account: &Account<D::Error>) -> Result<(u32, D::Appender), Failed> {
        let mut tries = 0;
        loop {
            let number = self.highest.wrapping_add(1);
            if number == 0 {
                let limit = u64::from(u32::MAX);
                return Err(account.limit(Limit::FileNumbers, limit + 1, limit));
            }
            let file = File::Segment(number);
            let name = self.walk(account).name(file)?;
            let created = self.dir.create(name.as_name(), 0);
            let created = self.walk(account).on(created, Operation::Create, file)?;
            self.highest = number;
            tries += 1;
            match created {
                Some(file) => return Ok((number, file)),
                None if tries < NAMES_TAKEN_MAX => {}
                None => return Err(account.give(Error::Exists { file: name })),
            }
        }
    }

    /// Puts the header of a segment into its file's buffer.
    #[inline(never)]
    fn begin_in(
        &mut self,
        number: u32,
        file: D::Appender,
        oldest: u32,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        let previous = self.header.as_ref().map(|header| Previous {
            segment: header.segment,
            end: self.tail.offset(),
            checksum: self.tail.checksum(),
        });
        if previous.is_some() {
            self.oldest = oldest;
        } else {
            (self.oldest, self.first) = (number, number);
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
        let codec = self.codec(number);
        let name = self.walk(account).name(File::Segment(number))?;
        let mut sink = self.sink(file, name, account)?;
        sink.put(&header.encode(codec.crc())).to(account)?;
        sink.pad(codec).to(account)?;
        self.tail.create(codec, sink, false, self.oldest);
        self.header = Some(header);
        self.segments = self.segments.saturating_add(1);
        Ok(())
    }
}
