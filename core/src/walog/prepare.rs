//! The next segment's file, made ready before it is needed, so that a rotation waits for nothing but the outgoing segment's sync.
//!
//! Must never touch a file that is part of the log, hand over one whose zeros or whose name are not durable, nor poison the writer: what fails here is
//! given up, and the log goes on without.

use core::fmt;

use crate::error::{Context as _, Error, Operation};
use crate::file::sink::write_all;
use crate::storage::{AppendFile, Directory, NameBuf, ReadFile as _, StoreError};

use super::hooks::Hooks;
use super::raw_writer::RawWalWriter;

/// Bytes of one write of zeros. Larger ones make the page cache take the file in larger units, which the small writes of later commits then pay for.
const PIECE_BYTES: usize = 8 << 10;

/// Writes of zeros in one step.
const PIECES_A_STEP: usize = 8;

/// Numbers that are left out before the one that is prepared, for segments that are begun while the preparation still runs: then it is not in vain.
const NUMBERS_BETWEEN: u32 = 1;

/// The log's lock, held by the writer and by what it has given away: while one of them lives, nobody else can open the log, and so nobody else can come to
/// use the numbers that they use.
///
/// Nobody locks the mutex. It makes a lock that may only be sent to other threads one that may be shared by them.
#[cfg(target_has_atomic = "ptr")]
pub(super) type Held<L> = alloc::sync::Arc<spin::Mutex<L>>;
/// The same, where there are no threads.
#[cfg(not(target_has_atomic = "ptr"))]
pub(super) type Held<L> = alloc::rc::Rc<spin::Mutex<L>>;

/// Makes the file of a log's next segment ready, in small steps, beside a writer that goes on appending: created, filled with written zeros, synced, its
/// name too.
///
/// [`RawWalWriter::prepare`] begins it, [`RawWalWriter::install`] hands the writer what comes of it. In between it knows nothing of the writer, and may run on
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
    /// The file is ready, for [`RawWalWriter::install`]. The preparation has nothing more to do.
    Ready(Prepared<D>),
}

/// The file of a next segment, ready to be written. Dropped without being installed, it is removed, as far as that succeeds.
pub struct Prepared<D: Directory> {
    dir: D,
    number: u32,
    name: NameBuf,
    file: Option<D::Appender>,
    /// None once the writer has it, which holds the lock itself.
    held: Option<Held<D::Lock>>,
}

/// What a writer knows of the segments to come.
pub(super) struct Upcoming<D: Directory> {
    /// Before the lock: an unused file is removed while it is held.
    ready: Option<Prepared<D>>,
    /// The number that was given to the last preparation.
    claimed: Option<u32>,
    /// A dead segment whose file was kept, to be used again.
    spare: Option<u32>,
    /// The one that was given to the last preparation.
    recycled: Option<u32>,
    /// Somebody prepares segments, so an append need never fill one.
    asked: bool,
    held: Held<D::Lock>,
}

impl<D: Directory> Preparation<D> {
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
    /// as good as before, and may be asked to [`prepare`](RawWalWriter::prepare) again, or never. [`Error::Poisoned`] after that, and after
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
            Stage::Fill { mut file, end } => {
                if fill(&mut file, self.file_name(), end)? {
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
                return Ok(Some(Stage::Fill { file, end: self.bytes.max(length) }));
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

/// Writes some zeros; true if the file ends where it is to end.
fn fill<A>(file: &mut A, name: &NameBuf, end: u64) -> Result<bool, Error<A::Error>>
where
    A: AppendFile,
    A::Error: StoreError,
{
    static ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];
    for _ in 0..PIECES_A_STEP {
        let left = end.saturating_sub(file.position());
        if left == 0 {
            return Ok(true);
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        write_all(file, name, ZEROS.get(..left).unwrap_or(&ZEROS))?;
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

impl<D: Directory> Upcoming<D> {
    pub(super) fn new(lock: D::Lock) -> Self {
        let held = Held::new(spin::Mutex::new(lock));
        Self { ready: None, claimed: None, spare: None, recycled: None, asked: false, held }
    }

    /// Whether a preparation, or what came of one, is with somebody else.
    fn is_given_away(&self) -> bool {
        Held::strong_count(&self.held) > 1
    }

    /// Whether segments are prepared by somebody.
    pub(super) const fn asked(&self) -> bool {
        self.asked
    }

    /// The number of the segment that is ready.
    pub(super) fn ready(&self) -> Option<u32> {
        self.ready.as_ref().map(|ready| ready.number)
    }

    /// The number that is not to be used for anything else.
    pub(super) const fn claimed(&self) -> Option<u32> {
        self.claimed
    }

    /// Takes the file that is ready.
    pub(super) fn take(&mut self) -> Option<(u32, D::Appender, NameBuf)> {
        let mut ready = self.ready.take()?;
        let name = core::mem::replace(&mut ready.name, NameBuf::unnamed());
        Some((ready.number, ready.file.take()?, name))
    }

    /// Whether a file that is not part of the log is needed all the same.
    pub(super) fn needs(&self, number: u32) -> bool {
        if planted!(PreparedSwept) {
            return false;
        }
        let in_work = self.ready.is_some() || self.is_given_away();
        let claimed = self.claimed == Some(number) || self.recycled == Some(number);
        in_work && claimed || self.spare == Some(number)
    }

    /// Keeps the file of a dead segment, to be used again, unless there is one already, or nobody asks for it.
    pub(super) fn keep(&mut self, number: u32) -> bool {
        let keep = self.asked && self.spare.is_none();
        if keep {
            self.spare = Some(number);
        }
        keep
    }

    /// The dead segment whose file was kept, and will not be used again.
    pub(super) const fn give_spare(&mut self) -> Option<u32> {
        self.spare.take()
    }
}

impl<D: Directory, H: Hooks> RawWalWriter<D, H> {
    /// Begins to make the file of the next segment ready, beside the log.
    ///
    /// `None` if one is [ready](Self::prepared_segment) or in the works, and where the directory cannot: where files are not opened again
    /// ([`Capabilities::reopen`](crate::storage::Capabilities::reopen)), and where bytes are written in granules, as on flash. Without
    /// [`preallocate`](super::WalOptions::preallocate) the file is created, its name made durable, and that is all.
    ///
    /// From the first call on, no append fills a segment with zeros: one that rotates before the next file is ready takes a file that grows.
    ///
    /// **Durability.** Nothing that the log holds is touched, whatever becomes of the preparation.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Name`].
    pub fn prepare(&mut self) -> Result<Option<Preparation<D>>, Error<D::Error>>
    where
        D: Clone,
    {
        self.check()?;
        if !self.settings.prepare || self.upcoming.ready.is_some() || self.upcoming.is_given_away()
        {
            return Ok(None);
        }
        self.upcoming.asked = true;
        // What was claimed before was given up: nobody knows what its file holds, or whether its name comes back.
        let used = self.highest.max(self.upcoming.claimed.unwrap_or(0));
        let Some(number) = used.checked_add(1 + NUMBERS_BETWEEN) else { return Ok(None) };
        let name = self.settings.segment_name(number)?;
        let bytes = if self.settings.preallocate { self.settings.segment_bytes } else { 0 };
        let spare = self.upcoming.spare;
        let recycled = spare.map(|old| self.settings.segment_name(old)).transpose()?;
        self.highest = used;
        self.upcoming.claimed = Some(number);
        self.upcoming.recycled = self.upcoming.spare.take();
        let work = Work {
            dir: self.dir.clone(),
            number,
            name: name.clone(),
            bytes,
            recycled,
            created: false,
            stage: Stage::Begin,
            held: Held::clone(&self.upcoming.held),
        };
        Ok(Some(Preparation { work: Some(work), name }))
    }

    /// Takes over a file that is ready: the next rotation, truncation or repair uses it, and waits for neither a creation, nor zeros, nor the folder.
    ///
    /// One that the log has gone beyond, or that was made for another log or an earlier writer, is removed.
    pub fn install(&mut self, mut prepared: Prepared<D>) {
        let ours =
            prepared.held.as_ref().is_some_and(|held| Held::ptr_eq(held, &self.upcoming.held));
        let next = self.upcoming.claimed == Some(prepared.number)
            && (prepared.number > self.highest || planted!(StalePreparedTaken));
        // Now, so that the rotation need not.
        let memory = self.chain.try_reserve(1).is_ok();
        if ours && next && memory && !self.poisoned {
            prepared.held = None;
            self.upcoming.ready = Some(prepared);
        }
    }

    /// Makes the file of the next segment ready, all at once. False where [`prepare`](Self::prepare) has nothing to do.
    ///
    /// **Durability.** As [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare) and [`Preparation::step`]. The latter do not poison the writer.
    pub fn prepare_now(&mut self) -> Result<bool, Error<D::Error>>
    where
        D: Clone,
    {
        let Some(mut preparation) = self.prepare()? else { return Ok(false) };
        loop {
            if let Step::Ready(prepared) = preparation.step()? {
                self.install(prepared);
                return Ok(true);
            }
        }
    }

    /// The number of the segment whose file is ready.
    pub fn prepared_segment(&self) -> Option<u32> {
        self.upcoming.ready()
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
