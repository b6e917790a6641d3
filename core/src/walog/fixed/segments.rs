//! What the writer without a heap does with whole segments: beginning, sealing, pruning.
//!
//! Every protocol here is one header or one mark that is durable or not, and then deletions that change nothing.

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::header::FileHeader as _;
use crate::error::{Error, Limit, Operation};
use crate::file::source::Trouble;
use crate::storage::{Directory, StoreError as _};

use super::account::{Account, Failed};
use super::walk::{File, Seen, Walk};
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
        if !self.poisoned && before > self.next_id {
            let (first, last) = (Some(self.first_id), self.last_entry_id());
            return Err(Error::Gap { needed: before, first, last });
        }
        self.told(|wal, account| wal.prune(before, account))
    }

    fn prune(&mut self, before: EntryId, account: &Account<D::Error>) -> Result<(), Failed> {
        self.check(account)?;
        // The last segment that begins at or before it is kept, and all behind it.
        let (mut kept, mut covered) = (None, 0_u32);
        self.walk(account).down(&self.header(), self.oldest, &mut |seen| match seen {
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
        if !self.append_control(Control::Prune { oldest }, account)? {
            self.rotate(account)?; // the new header is the mark
        }
        self.tail.needs_sync = true;
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
        self.told(|wal, account| {
            wal.check(account)?;
            let (mut seen, mut first) = (0_u32, wal.tail.first_id);
            wal.walk(account).down(&wal.header(), wal.oldest, &mut |file| {
                if let Seen::Live(header) = file {
                    if seen < count {
                        first = header.first_id;
                    }
                    seen = seen.saturating_add(1);
                }
            })?;
            wal.prune(EntryId::new(first).unwrap_or(EntryId::FIRST), account)
        })
    }

    pub(super) fn walk<'d>(&'d self, account: &'d Account<D::Error>) -> Walk<'d, D> {
        Walk { dir: &self.dir, settings: &self.settings, account }
    }

    /// Opens the tail's file for appending, or begins a new segment where the directory cannot.
    pub(super) fn open_tail(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        if self.tail.is_open() {
            return Ok(());
        }
        if !self.tail.goes_on_in_place(&self.settings) {
            return self.begin_segment(account);
        }
        let tail = File::Segment(self.tail.number);
        let walk = self.walk(account);
        let name = walk.name(tail)?;
        let reopened = self.dir.reopen(name.as_name(), self.tail.offset().into());
        // Program-once storage may find the room used up where a torn write left bytes that read as room.
        if let Err(error) = &reopened
            && error.is_unsupported()
        {
            return self.begin_segment(account);
        }
        match walk.on(reopened, Operation::Reopen, tail)? {
            Some(file) => self.tail.attach(file, self.log_id),
            None => return Err(account.give(tail, Trouble::Missing)),
        }
        Ok(())
    }

    /// Seals the tail where it ends and begins the next segment.
    pub(super) fn rotate(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        if self.settings.trims_at(self.tail.offset()) {
            self.trim(account)?;
        }
        // The outgoing segment becomes durable before a header says that it is sealed: a sealed segment has no torn tail.
        self.tail.demand_sync_of_marks();
        self.sync_tail(account)?;
        self.begin_segment(account)
    }

    /// Begins a segment behind the tail, which must be durable up to where it ends. The header waits in memory.
    #[inline(never)]
    pub(super) fn begin_segment(&mut self, account: &Account<D::Error>) -> Result<(), Failed> {
        let (number, file) = self.create_file(account)?; // crash: a blank file, which is an unfinished creation
        self.begin_in(number, file, account)
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
                None => return Err(account.give(file, Trouble::Exists)),
            }
        }
    }

    /// Puts the header of a segment into the memory in front of its file.
    #[inline(never)]
    fn begin_in(
        &mut self,
        number: u32,
        file: D::Appender,
        account: &Account<D::Error>,
    ) -> Result<(), Failed> {
        if self.tail.number == 0 {
            // A log's first has itself for its oldest.
            (self.oldest, self.first) = (number, number);
        }
        self.tail.follow(number, file, self.next_id.get(), self.log_id);
        self.tail.header_oldest = self.oldest;
        self.segments = self.segments.saturating_add(1);
        let header = self.header().encode(Crc::detect());
        self.put(&[&header], self.settings.header_bytes(), account)
    }
}
