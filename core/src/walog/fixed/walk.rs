//! Finds a log's segments without keeping a table of them: FORMAT.md, "Where a WAL ends", rules 1, 2 and 6.
//!
//! Must come to the same verdicts as the chain that is built with a table, and never change anything.

use embedded_io::{Error as _, ErrorKind};

use crate::bytes::crc::Crc;
use crate::bytes::header::{Decoded, FileHeader as _, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{CorruptionKind, Operation};
use crate::file::source::{Keeping, Trouble};
use crate::file::window::Window;
use crate::storage::{Directory, Folder, Locking, NameBuf, ReadFile as _};

use super::super::chain::{self, Sealed, Segment};
use super::super::name::{EXTENSION, parse};
use super::super::options::Reading;
use super::super::segment::{self, SegmentReader};
use super::Settings;
pub(super) use super::account::File;
use super::account::{Account, Failed};
use super::ahead::Ahead;

/// Memory that is lent for the time of a call.
pub(super) type Lent<'b> = &'b mut [u8];

/// A file that is read.
pub(super) type Kept<D> = Keeping<<D as Directory>::Reader, <D as Directory>::Error>;

/// A segment that is read.
pub(super) type Reader<'b, D> = SegmentReader<Kept<D>, Lent<'b>>;

/// A directory, the options of the log on it, and where failures are told.
pub(super) struct Walk<'d, D: Directory> {
    pub(super) dir: &'d D,
    pub(super) settings: &'d Settings,
    pub(super) account: &'d Account<D::Error>,
}

/// A file that a walk comes by, from the tail downwards.
pub(super) enum Seen<'h> {
    /// A segment of the log.
    Live(&'h SegmentHeader),
    /// What is left of another.
    Dead(u32),
}

impl<D: Directory> Walk<'_, D> {
    /// The highest number of a segment's file up to `bound`, out of what one look at all names has found, as long as that lasts.
    pub(super) fn next_down(&self, bound: u32, ahead: &mut Ahead) -> Result<Option<u32>, Failed> {
        let next = ahead.pop();
        if next.is_some() {
            return Ok(next);
        }
        self.look(bound, ahead)?;
        Ok(ahead.pop())
    }

    /// Looks for the highest numbers up to `bound`, and tells how many there are.
    pub(super) fn look(&self, bound: u32, ahead: &mut Ahead) -> Result<u32, Failed> {
        let mut count = 0_u32;
        self.list(&mut |number| {
            if number <= bound {
                count = count.saturating_add(1);
                ahead.keep(number);
            }
        })?;
        Ok(count)
    }

    /// The lowest number of a segment's file above `bound`.
    pub(super) fn above(&self, bound: u32) -> Result<Option<u32>, Failed> {
        let mut lowest: Option<u32> = None;
        self.list(&mut |number| {
            if number > bound && lowest.is_none_or(|found| number < found) {
                lowest = Some(number);
            }
        })?;
        Ok(lowest)
    }

    fn list(&self, each: &mut dyn FnMut(u32)) -> Result<(), Failed> {
        let listed = self.dir.list(self.folder(), &mut |file| {
            if let Some(number) = parse(file, EXTENSION) {
                each(number);
            }
        });
        self.on(listed, Operation::List, File::Lock)
    }

    fn folder(&self) -> Folder<'_> {
        self.settings.folder()
    }

    /// The name of a file. The check of the options has tried the longest one.
    #[inline]
    pub(super) fn name(&self, file: File) -> Result<NameBuf, Failed> {
        let name = self.settings.name(file);
        name.map_err(|error| self.account.give(file, Trouble::Name(error)))
    }

    /// What was being done when the directory failed, and to which file.
    #[inline]
    pub(super) fn on<T>(
        &self,
        result: Result<T, D::Error>,
        operation: Operation,
        file: File,
    ) -> Result<T, Failed> {
        result.map_err(|source| self.store_fails(file, operation, source))
    }

    /// That the directory has failed.
    #[cold]
    #[inline(never)]
    fn store_fails(&self, file: File, operation: Operation, source: D::Error) -> Failed {
        self.account.give(file, Trouble::Store { operation, source })
    }

    /// Gives the account of what the file of a segment has kept.
    #[cold]
    #[inline(never)]
    pub(super) fn take_over(&self, number: u32, file: &mut Kept<D>) -> Failed {
        self.account.give(File::Segment(number), file.take())
    }

    /// That a segment is damaged.
    #[cold]
    #[inline(never)]
    pub(super) fn broken(&self, number: u32, kind: CorruptionKind) -> Failed {
        self.account
            .give(File::Segment(number), Trouble::Damage { offset: 0, entry_id: None, kind })
    }

    /// Takes the lock.
    #[inline(never)]
    pub(super) fn lock(&self) -> Result<D::Lock, Failed> {
        let file = File::Lock;
        match self.on(self.dir.lock(self.name(file)?.as_name()), Operation::Lock, file)? {
            Locking::Acquired(lock) => Ok(lock),
            Locking::Held { holder } => Err(self.account.give(file, Trouble::Held { holder })),
        }
    }

    /// Makes the folder's names durable.
    pub(super) fn sync_dir(&self) -> Result<(), Failed> {
        self.on(self.dir.sync_dir(self.folder()), Operation::SyncDir, File::Lock)
    }

    pub(super) fn delete(&self, number: u32) -> Result<(), Failed> {
        let file = File::Segment(number);
        self.on(self.dir.remove(self.name(file)?.as_name()), Operation::Remove, file)
    }

    /// Deletes all files above one number and below another, lowest first.
    pub(super) fn delete_between(&self, above: u32, below: u64) -> Result<(), Failed> {
        let mut last = above;
        while let Some(number) = self.above(last)?.filter(|&number| u64::from(number) < below) {
            self.delete(number)?; // crash: what is dead may stay, or come back, in any combination
            last = number;
        }
        Ok(())
    }

    /// Opens a segment's file.
    #[inline(never)]
    pub(super) fn open_file(&self, number: u32) -> Result<D::Reader, Failed> {
        let file = File::Segment(number);
        let name = self.name(file)?;
        match self.on(self.dir.open(name.as_name()), Operation::Open, file)? {
            Some(file) => Ok(file),
            None => Err(self.account.give(file, Trouble::Missing)),
        }
    }

    /// Reads a segment's header; `None` if it does not verify.
    #[inline(never)]
    pub(super) fn header(
        &self,
        number: u32,
        into: &mut Option<SegmentHeader>,
    ) -> Result<(), Failed> {
        let mut file = self.open_file(number)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let mut filled = 0_usize;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match file.read_at(filled as u64, room) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                failed => {
                    self.on(failed, Operation::Read, File::Segment(number))?;
                }
            }
        }
        let read = bytes.get(..filled.min(SEGMENT_HEADER_BYTES)).unwrap_or_default();
        *into = match SegmentHeader::decode(Crc::detect(), read) {
            Decoded::Header(header) => Some(header),
            Decoded::Blank | Decoded::Bad => None,
            Decoded::Newer(newer) => {
                return Err(self.account.give(File::Segment(number), Trouble::Newer(newer)));
            }
        };
        Ok(())
    }

    /// Reads the header of a segment of the log.
    pub(super) fn live(&self, number: u32, into: &mut Option<SegmentHeader>) -> Result<(), Failed> {
        self.header(number, into)?;
        if into.is_none() {
            return Err(self.broken(number, CorruptionKind::FileHeader));
        }
        Ok(())
    }

    /// A header must be the one of its file, and make sense.
    pub(super) fn check(&self, number: u32, header: &SegmentHeader) -> Result<(), Failed> {
        chain::check(number, header).map_err(|broken| self.broken(broken.segment, broken.kind))
    }

    /// The same, and of the log that has this id.
    pub(super) fn is_ours(
        &self,
        number: u32,
        header: &SegmentHeader,
        log_id: u64,
    ) -> Result<(), Failed> {
        let (expected, found) = (log_id, header.common.log_id);
        if found != expected {
            return Err(self.broken(number, CorruptionKind::LogId { expected, found }));
        }
        self.check(number, header)
    }

    /// Goes to the next entry of a segment.
    pub(super) fn advance(&self, reader: &mut Reader<'_, D>) -> Result<bool, Failed> {
        reader.advance().map_err(|_| self.take_over(reader.number(), reader.source()))
    }

    /// Opens a segment of the log. What is opened is large, and goes to its place at once.
    #[inline(never)]
    pub(super) fn open<'b>(
        &self,
        header: &SegmentHeader,
        sealed: Option<Sealed>,
        buffer: Lent<'b>,
        into: &mut Option<Reader<'b, D>>,
    ) -> Result<(), Failed> {
        let file = self.open_file(header.segment)?;
        let segment = segment_of(header, sealed);
        let Reading { read_bytes, record_bytes_max } = self.settings.reading;
        // The check of the options has made sure that as much is lent.
        let window = Window::over(Keeping::new(file), (), buffer, read_bytes);
        let log_id = header.common.log_id;
        let frames = segment::frames_in(window, record_bytes_max, log_id, &segment);
        *into = Some(SegmentReader::new(frames, &segment, false));
        Ok(())
    }

    /// Visits every file from the tail downwards, and checks that the chain is whole.
    #[inline(never)]
    pub(super) fn down(
        &self,
        tail: &SegmentHeader,
        oldest: u32,
        visit: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), Failed> {
        visit(Seen::Live(tail));
        let mut next_first_id = tail.first_id;
        let mut header = None;
        let mut expected = self.link(tail, oldest)?;
        let mut ahead = Ahead::default();
        let mut bound = tail.segment.saturating_sub(1);
        while let Some(number) = self.next_down(bound, &mut ahead)? {
            if expected > number {
                break;
            }
            self.header(number, &mut header)?;
            if let Some(header) = &header {
                // A stray segment of another log could make all others look dead.
                self.is_ours(number, header, tail.common.log_id)?;
            }
            if expected == number {
                let Some(header) = &header else {
                    return Err(self.broken(number, CorruptionKind::FileHeader));
                };
                self.entries(header, next_first_id)?;
                visit(Seen::Live(header));
                next_first_id = header.first_id;
                expected = self.link(header, oldest)?;
            } else {
                visit(Seen::Dead(number));
            }
            bound = number.saturating_sub(1);
        }
        if expected > 0 {
            return Err(self.broken(expected, CorruptionKind::Hole { segment: expected }));
        }
        Ok(())
    }

    /// The number of the segment before one; 0 if that is not part of the log.
    fn link(&self, header: &SegmentHeader, oldest: u32) -> Result<u32, Failed> {
        let before = header.previous.map_or(0, |previous| previous.segment);
        if before < oldest {
            return Ok(0);
        }
        if before >= header.segment {
            return Err(self.broken(header.segment, CorruptionKind::Chain));
        }
        Ok(before)
    }

    /// Where a segment ends, by its successor's word.
    pub(super) fn sealed(
        &self,
        header: &SegmentHeader,
        successor: &SegmentHeader,
    ) -> Result<Option<Sealed>, Failed> {
        let entries = self.entries(header, successor.first_id)?;
        Ok(successor.previous.map(|previous| Sealed {
            end: previous.end,
            checksum: previous.checksum,
            entries,
        }))
    }

    /// How many entries a segment has, by its successor's first id.
    #[inline(never)]
    fn entries(&self, header: &SegmentHeader, next_first_id: u64) -> Result<u32, Failed> {
        let entries = next_first_id.checked_sub(header.first_id);
        let entries = entries.and_then(|count| u32::try_from(count).ok());
        entries.ok_or_else(|| self.broken(header.segment, CorruptionKind::Chain))
    }

    /// The header of the segment of the log that follows one; `None` behind the tail.
    pub(super) fn successor(
        &self,
        number: u32,
        tail: &SegmentHeader,
        dense: bool,
        into: &mut Option<SegmentHeader>,
    ) -> Result<(), Failed> {
        *into = None;
        if number >= tail.segment {
            return Ok(());
        }
        // Where no number is missing, it is the next one. Elsewhere only the way down from the tail tells which file is of the log.
        if dense {
            self.live(number.saturating_add(1), into)?;
        } else {
            *into = Some(*tail);
        }
        while let Some(previous) = into.as_ref().and_then(|header| header.previous.as_ref()) {
            let before = previous.segment;
            if before == number {
                return Ok(());
            }
            if before < number {
                break;
            }
            self.live(before, into)?;
        }
        Err(self.broken(number, CorruptionKind::Chain))
    }
}

/// A segment, as its header has it.
pub(super) fn segment_of(header: &SegmentHeader, sealed: Option<Sealed>) -> Segment {
    Segment {
        number: header.segment,
        alignment: header.common.alignment,
        form: header.common.form,
        first_id: header.first_id,
        created_ms: header.created_ms,
        origin: header.origin,
        sealed,
        listed: false,
    }
}
