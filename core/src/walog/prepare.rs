//! The next segment's file, made ready in small steps, beside the log.
//!
//! Must never touch a file that is part of the log, hand over one whose zeros or whose name are not durable: what fails here is given up, and the
//! log goes on without.

use core::fmt;

use crate::bytes::crc::Crc;
use crate::bytes::header::{FileHeader as _, READY_MARK_BYTES, ReadyMark};
use crate::error::{Context as _, Error, Operation};
use crate::file::sink::write_all;
use crate::storage::{AppendFile, Directory, NameBuf, ReadFile as _, StoreError};

use super::upcoming::Held;

/// Bytes of one write of zeros. Larger ones make the page cache take the file in larger units, which the small writes of later commits then pay for.
const PIECE_BYTES: usize = 8 << 10;

/// Writes of zeros in one step.
const PIECES_A_STEP: usize = 8;

/// Makes the file of a log's next segment ready, in small steps, beside a writer that goes on appending: created, filled with written zeros, synced, its
/// name too.
///
/// [`RawWalWriter::prepare`](super::RawWalWriter::prepare) begins it, [`RawWalWriter::install`](super::RawWalWriter::install) hands the writer what comes of it. In between it knows nothing of the writer, and may run on
/// another thread. It holds the log's lock as well: as long as it, or an unused [`Prepared`], is there, nobody else can open the log, though the writer be gone.
///
/// Dropping it before it has finished gives the file up and removes it, as far as that succeeds.
///
/// ```
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{RawWalWriter, Step, WalOptions};
/// let options = WalOptions::new().segment_bytes(1 << 20).preallocate(true);
/// let mut wal = RawWalWriter::open(MemoryDirectory::new(), options)?;
/// let mut preparation = wal.prepare()?.expect("memory can");
/// loop {
///     wal.append(b"meanwhile")?;
///     if let Step::Ready(prepared) = preparation.step()? {
///         wal.install(prepared);
///         break;
///     }
/// }
/// assert!(wal.prepared_segment() > Some(wal.tail_segment()));
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub struct Preparation<D: Directory> {
    /// `None` once nothing may be touched any more.
    work: Option<Work<D>>,
    name: NameBuf,
}

/// What a preparation works on.
struct Work<D: Directory> {
    dir: D,
    number: u32,
    name: NameBuf,
    bytes: u64,
    /// What the file begins with, if it has room.
    mark: [u8; READY_MARK_BYTES],
    /// The dead segment whose file is used again, while it has its old name.
    recycled: Option<NameBuf>,
    /// There may be a file of the new name, and it is ours.
    created: bool,
    stage: Stage<D::Appender>,
    held: Held<D::Lock>,
}

/// How far a preparation has come.
enum Stage<A> {
    Begin,
    /// The old header goes.
    Behead {
        file: A,
        end: u64,
    },
    /// Zeros up to the end.
    Fill {
        file: A,
        end: u64,
    },
    /// The zeros are durable.
    Filled,
}

/// What a step of a [`Preparation`] came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<D: Directory> {
    /// There is more to do.
    Working,
    /// The file is ready, for [`RawWalWriter::install`](super::RawWalWriter::install). The preparation has nothing more to do.
    Ready(Prepared<D>),
}

/// The file of a next segment, ready to be written. Dropped without being installed, it is removed, as far as that succeeds.
pub struct Prepared<D: Directory> {
    dir: D,
    pub(super) number: u32,
    name: NameBuf,
    file: Option<D::Appender>,
    /// None once the writer has it, which holds the lock itself.
    pub(super) held: Option<Held<D::Lock>>,
}

impl<D: Directory> Preparation<D> {
    /// Nothing is done yet. `recycled` is the file of a dead segment.
    pub(super) fn new(
        dir: D,
        mark: ReadyMark,
        name: NameBuf,
        bytes: u64,
        recycled: Option<NameBuf>,
        held: Held<D::Lock>,
    ) -> Self {
        let work = Work {
            dir,
            number: mark.segment,
            name: name.clone(),
            bytes,
            mark: mark.encode(Crc::detect()),
            recycled,
            created: false,
            stage: Stage::Begin,
            held,
        };
        Self { work: Some(work), name }
    }

    /// The number of the segment that is being prepared, as long as it has not been handed over or given up.
    pub fn segment(&self) -> Option<u32> {
        self.work.as_ref().map(|work| work.number)
    }

    /// Does the next bit of the work: at most 64 KiB of zeros, or one sync of the file, or one of the folder.
    ///
    /// **Durability.** Nothing that the log holds is touched. A crash leaves a file that holds nothing of the log, and the next open deletes it.
    ///
    /// # Errors
    /// What the directory reports, [`Error::Exists`] if something has the name. The file is given up then, and removed as far as that succeeds; the writer is
    /// as good as before, and may be asked to [`prepare`](super::RawWalWriter::prepare) again, or never. [`Error::Poisoned`] after that, and after
    /// [`Step::Ready`].
    pub fn step(&mut self) -> Result<Step<D>, Error<D::Error>> {
        let Some(mut work) = self.work.take() else {
            return Err(Error::Poisoned { file: self.name.clone() });
        };
        match work.step() {
            Ok(None) => {
                self.work = Some(work);
                Ok(Step::Working)
            }
            Ok(Some(file)) => Ok(Step::Ready(work.finish(file))),
            Err(error) => {
                work.give_up();
                Err(error)
            }
        }
    }
}

impl<D: Directory> Work<D> {
    /// The next bit; the file once it is ready.
    fn step(&mut self) -> Result<Option<D::Appender>, Error<D::Error>> {
        match core::mem::replace(&mut self.stage, Stage::Begin) {
            Stage::Begin => self.stage = self.begin()?,
            Stage::Behead { mut file, end } => {
                // First of all, and durably: whoever reads the log, beside the writer or after a crash, finds that the segment is none any more before
                // anything else of it is lost. crash: a dead segment, whole or without a header
                let old = self.file_name();
                write_all(&mut file, old, &self.mark)?;
                if !planted!(BeheadedUnsynced) {
                    file.sync_data().on(Operation::Sync, old)?;
                }
                self.stage = Stage::Fill { file, end };
            }
            Stage::Fill { mut file, end } => {
                if fill(&mut file, self.file_name(), &self.mark, end)? {
                    // crash: a new file with some of its zeros, or a dead one with some of its old bytes
                    if !(self.recycled.is_some() && planted!(RecycledUnsynced)) {
                        file.sync_data().on(Operation::Sync, self.file_name())?;
                    }
                    self.stage = Stage::Filled;
                } else {
                    self.stage = Stage::Fill { file, end };
                }
            }
            Stage::Filled => {
                self.rename()?; // crash: a file of zeros under the old name, the new one, or both
                if !planted!(PreparedNameUnsynced) {
                    let folder = self.name.as_name().folder();
                    self.dir.sync_dir(folder).on(Operation::SyncDir, &self.name)?;
                }
                // crash: a file of zeros, behind the tail
                let file = self.dir.reopen(self.name.as_name(), 0);
                let file = file.on(Operation::Reopen, &self.name)?;
                return Ok(Some(file.ok_or_else(|| Error::Missing { file: self.name.clone() })?));
            }
        }
        Ok(None)
    }

    /// The name that the file has now.
    fn file_name(&self) -> &NameBuf {
        self.recycled.as_ref().unwrap_or(&self.name)
    }

    fn begin(&mut self) -> Result<Stage<D::Appender>, Error<D::Error>> {
        if let Some(stage) = self.begin_recycling()? {
            return Ok(stage);
        }
        // After a failure, too.
        self.created = true;
        let created = self.dir.create(self.name.as_name(), 0).on(Operation::Create, &self.name)?;
        self.created = created.is_some();
        let file = created.ok_or_else(|| Error::Exists { file: self.name.clone() })?;
        // crash: an empty file, behind the tail
        Ok(Stage::Fill { file, end: self.bytes })
    }

    /// Opens the dead segment's file, if there is one that is worth it.
    fn begin_recycling(&mut self) -> Result<Option<Stage<D::Appender>>, Error<D::Error>> {
        let Some(old) = &self.recycled else { return Ok(None) };
        if let Some(mut file) = self.dir.open(old.as_name()).on(Operation::Open, old)? {
            let length = file.len().on(Operation::Read, old)?;
            drop(file);
            // Whatever it was that made it so long, the next segment will not be.
            if length <= self.bytes.saturating_mul(2)
                && let Some(file) = self.dir.reopen(old.as_name(), 0).on(Operation::Reopen, old)?
            {
                if planted!(RecycledTooEarly) {
                    self.rename()?;
                }
                // All of it: behind a shorter room, old bytes would look like a torn tail.
                return Ok(Some(Stage::Behead { file, end: self.bytes.max(length) }));
            }
            self.dir.remove(old.as_name()).on(Operation::Remove, old)?;
        }
        self.recycled = None;
        Ok(None)
    }

    /// Gives the dead segment's file its new name, if it has not got it yet.
    fn rename(&mut self) -> Result<(), Error<D::Error>> {
        let Some(old) = &self.recycled else { return Ok(()) };
        // A rename would replace what has the name.
        if self.dir.open(self.name.as_name()).on(Operation::Open, &self.name)?.is_some() {
            return Err(Error::Exists { file: self.name.clone() });
        }
        self.created = true;
        self.dir.rename(old.as_name(), self.name.as_name()).on(Operation::Rename, old)?;
        self.recycled = None;
        Ok(())
    }

    fn finish(self, file: D::Appender) -> Prepared<D> {
        let Self { dir, number, name, held, .. } = self;
        Prepared { dir, number, name, file: Some(file), held: Some(held) }
    }

    /// Removes what is there: after a failed sync nobody knows what it holds, and on a full disk nobody else gets its room.
    fn give_up(self) {
        drop(self.stage);
        // Best effort: what stays is dead, or an unfinished creation, and the next open deletes it.
        if self.created {
            let _ignored = self.dir.remove(self.name.as_name());
        }
        if let Some(old) = &self.recycled {
            let _ignored = self.dir.remove(old.as_name());
        }
    }
}

/// Writes the mark, or some zeros behind it; true if the file ends where it is to end.
fn fill<A>(file: &mut A, name: &NameBuf, mark: &[u8], end: u64) -> Result<bool, Error<A::Error>>
where
    A: AppendFile,
    A::Error: StoreError,
{
    static ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];
    if file.position() == 0 && end > 0 {
        write_all(file, name, mark)?;
    }
    for _ in 0..PIECES_A_STEP {
        let (position, piece) = (file.position(), PIECE_BYTES as u64);
        let left = end.saturating_sub(position);
        if left == 0 {
            return Ok(true);
        }
        // To the end of a piece: the mark must not shift all that follow.
        let bytes = left.min(piece.saturating_sub(position % piece));
        let bytes = usize::try_from(bytes).unwrap_or(PIECE_BYTES);
        write_all(file, name, ZEROS.get(..bytes).unwrap_or(&ZEROS))?;
    }
    Ok(false)
}

impl<D: Directory> Drop for Preparation<D> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            work.give_up();
        }
    }
}

impl<D: Directory> Prepared<D> {
    /// The number of the segment.
    pub const fn segment(&self) -> u32 {
        self.number
    }

    pub(super) fn into_file(mut self) -> Option<(u32, D::Appender, NameBuf)> {
        let name = core::mem::replace(&mut self.name, NameBuf::unnamed());
        Some((self.number, self.file.take()?, name))
    }
}

impl<D: Directory> Drop for Prepared<D> {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            drop(file);
            // Best effort: what stays is an unfinished creation, and the next open deletes it.
            let _ignored = self.dir.remove(self.name.as_name());
        }
    }
}

impl<D: Directory> fmt::Debug for Preparation<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparation").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<D: Directory> fmt::Debug for Prepared<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("name", &self.name).finish_non_exhaustive()
    }
}
