//! Finds a log's segments without keeping a table of them: FORMAT.md, "Where a WAL ends", rules 1, 2 and 6.
//!
//! Must come to the same verdicts as the chain that is built with a table, and never change anything.

use crate::bytes::crc::Crc;
use crate::bytes::header::{Decoded, FileHeader as _, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{Corruption, CorruptionKind, Error, Operation};
use crate::file::source::Keeping;
use crate::file::window::{Window, read_at};
use crate::storage::{Directory, Folder, Locking, NameBuf};

use super::super::chain::{self, Sealed, Segment};
use super::super::name::{EXTENSION, LOCK, numbered, parse};
use super::super::options::Reading;
use super::super::segment::{self, SegmentReader};
use super::Settings;
use super::account::{Account, Failed, Told as _};
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

/// A file of the log.
#[derive(Debug, Clone, Copy)]
pub(super) enum File {
    /// Errors about the folder as a whole name its lock.
    Lock,
    /// The segment of that number.
    Segment(u32),
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
        self.settings.folder.as_folder()
    }

    /// The name of a file. The check of the options has tried the longest one.
    pub(super) fn name(&self, file: File) -> Result<NameBuf, Failed> {
        self.name_of(file).to(self.account)
    }

    fn name_of(&self, file: File) -> Result<NameBuf, Error<D::Error>> {
        let folder = self.folder();
        let name = match file {
            File::Lock => NameBuf::join(folder, LOCK),
            File::Segment(number) => numbered(folder, number, EXTENSION),
        };
        name.map_err(Error::Name)
    }

    /// What was being done when the directory failed, and to which file.
    #[inline]
    pub(super) fn on<T>(
        &self,
        result: Result<T, D::Error>,
        operation: Operation,
        file: File,
    ) -> Result<T, Failed> {
        result.map_err(|source| self.fails(operation, file, source))
    }

    #[cold]
    #[inline(never)]
    fn fails(&self, operation: Operation, file: File, source: D::Error) -> Failed {
        self.account.give(match self.name_of(file) {
            Ok(file) => Error::Store { operation, file, source },
            Err(error) => error,
        })
    }

    /// That a segment is damaged.
    #[cold]
    #[inline(never)]
    pub(super) fn broken(&self, number: u32, kind: CorruptionKind) -> Failed {
        self.account.give(match self.name_of(File::Segment(number)) {
            Ok(file) => Corruption { file, offset: 0, entry_id: None, kind }.into(),
            Err(error) => error,
        })
    }

    /// Takes the lock.
    pub(super) fn lock(&self) -> Result<D::Lock, Failed> {
        let file = self.name(File::Lock)?;
        match self.on(self.dir.lock(file.as_name()), Operation::Lock, File::Lock)? {
            Locking::Acquired(lock) => Ok(lock),
            Locking::Held { holder } => Err(self.account.give(Error::Held { file, holder })),
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
    pub(super) fn open_file(&self, number: u32) -> Result<(D::Reader, NameBuf), Failed> {
        let file = File::Segment(number);
        let name = self.name(file)?;
        match self.on(self.dir.open(name.as_name()), Operation::Open, file)? {
            Some(file) => Ok((file, name)),
            None => Err(self.account.give(Error::Missing { file: name })),
        }
    }

    /// Reads a segment's header; `None` if it does not verify.
    #[inline(never)]
    pub(super) fn header(
        &self,
        number: u32,
        into: &mut Option<SegmentHeader>,
    ) -> Result<(), Failed> {
        let (mut file, name) = self.open_file(number)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let count = read_at(&mut file, &name, 0, &mut bytes).to(self.account)?;
        *into = match SegmentHeader::decode(Crc::detect(), bytes.get(..count).unwrap_or_default()) {
            Decoded::Header(header) => Some(header),
            Decoded::Blank | Decoded::Bad => None,
            Decoded::Newer(newer) => {
                return Err(self.account.give(Error::Newer {
                    file: name,
                    version: newer.version,
                    form: newer.form,
                    features: newer.features,
                }));
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

    /// Goes to the next entry of a segment.
    pub(super) fn advance(&self, reader: &mut Reader<'_, D>) -> Result<bool, Failed> {
        reader.advance().map_err(|failed| self.account.take_over(failed, reader.source()))
    }

    /// Opens a segment of the log. What is opened is large, and goes to its place at once.
    pub(super) fn open<'b>(
        &self,
        header: &SegmentHeader,
        sealed: Option<Sealed>,
        buffer: Lent<'b>,
        into: &mut Option<Reader<'b, D>>,
    ) -> Result<(), Failed> {
        let (file, name) = self.open_file(header.segment)?;
        self.begin(file, name, header, sealed, buffer, into);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn begin<'b>(
        &self,
        file: D::Reader,
        name: NameBuf,
        header: &SegmentHeader,
        sealed: Option<Sealed>,
        buffer: Lent<'b>,
        into: &mut Option<Reader<'b, D>>,
    ) {
        let segment = segment_of(header, sealed);
        let log_id = header.common.log_id;
        let Reading { read_bytes, record_bytes_max } = self.settings.reading;
        // The check of the options has made sure that as much is lent.
        let window = Window::over(Keeping::new(file), name, buffer, read_bytes);
        let frames = segment::frames_in(window, record_bytes_max, log_id, &segment);
        *into = Some(SegmentReader::new(frames, &segment, false));
    }

    /// Visits every file from the tail downwards, and checks that the chain is whole.
    pub(super) fn down(
        &self,
        tail: &SegmentHeader,
        oldest: u32,
        visit: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), Failed> {
        visit(Seen::Live(tail));
        let mut successor = *tail;
        let mut header = None;
        let mut expected = self.link(&successor, oldest)?;
        let mut ahead = Ahead::default();
        let mut bound = tail.segment.saturating_sub(1);
        while let Some(number) = self.next_down(bound, &mut ahead)? {
            if expected > number {
                break;
            }
            self.header(number, &mut header)?;
            if let Some(header) = &header {
                // A stray segment of another log could make all others look dead.
                let (wanted, found) = (tail.common.log_id, header.common.log_id);
                if found != wanted {
                    let kind = CorruptionKind::LogId { expected: wanted, found };
                    return Err(self.broken(number, kind));
                }
                self.check(number, header)?;
            }
            if expected == number {
                let Some(header) = &header else {
                    return Err(self.broken(number, CorruptionKind::FileHeader));
                };
                self.sealed(header, &successor)?;
                visit(Seen::Live(header));
                successor = *header;
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
        let entries = successor.first_id.checked_sub(header.first_id);
        let entries = entries.and_then(|count| u32::try_from(count).ok());
        let entries = entries.ok_or_else(|| self.broken(header.segment, CorruptionKind::Chain))?;
        Ok(successor.previous.map(|previous| Sealed {
            end: previous.end,
            checksum: previous.checksum,
            entries,
        }))
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
