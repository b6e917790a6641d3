//! The segments to come: what a writer has given away to be made ready, and what it has got back.
//!
//! Must never give a number away twice, nor let a failed preparation poison the writer.

use crate::bytes::frame::Form;
use crate::bytes::header::{Common, ReadyMark};
use crate::error::Error;
use crate::storage::{Directory, NameBuf};

use super::hooks::Hooks;
use super::prepare::{Preparation, Prepared, Step};
use super::raw_writer::RawWalWriter;

/// Numbers that are left out before the one that is prepared, for segments that are begun while the preparation still runs: then it is not in vain.
const NUMBERS_BETWEEN: u32 = 1;

/// What is shared among threads, where there are any.
#[cfg(target_has_atomic = "ptr")]
type Shared<T> = alloc::sync::Arc<T>;
/// The same, where there are no threads.
#[cfg(not(target_has_atomic = "ptr"))]
type Shared<T> = alloc::rc::Rc<T>;

/// The log's lock, held by the writer and by the commits that it has given away: while one of them lives, nobody else can open the log, and so nobody else writes
/// beside it.
///
/// Nobody locks the mutex. It makes a lock that may only be sent to other threads one that may be shared by them.
pub(super) type Lock<L> = Shared<spin::Mutex<L>>;

/// The lock, held by preparations and by what came of them, which are counted apart from commits: nobody else comes to use the numbers that they use.
pub(super) type Held<L> = Shared<Lock<L>>;

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

impl<D: Directory> Upcoming<D> {
    pub(super) fn new(lock: D::Lock) -> Self {
        let held = Held::new(Lock::new(spin::Mutex::new(lock)));
        Self { ready: None, claimed: None, spare: None, recycled: None, asked: false, held }
    }

    /// Whether a preparation, or what came of one, is with somebody else.
    fn is_given_away(&self) -> bool {
        Held::strong_count(&self.held) > 1
    }

    /// The log's lock, for a commit.
    pub(super) fn lock(&self) -> &Lock<D::Lock> {
        &self.held
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
        self.ready.take()?.into_file()
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
        let (alignment, log_id) = (self.settings.alignment, self.log_id);
        let common = Common { alignment, form: Form::Full, log_id };
        let mark = ReadyMark { common, segment: number };
        self.highest = used;
        self.upcoming.claimed = Some(number);
        self.upcoming.recycled = self.upcoming.spare.take();
        let (dir, held) = (self.dir.clone(), Held::clone(&self.upcoming.held));
        Ok(Some(Preparation::new(dir, mark, name, bytes, recycled, held)))
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

    /// Seals the tail, full or not, and begins the segment that is [ready](Self::prepared_segment); false if none is.
    ///
    /// For a tail without room: a log's first one has none, nor has one that was closed and is gone on with.
    ///
    /// **Durability.** Everything appended before is durable after `Ok`. After `Err`, as after a failed [`append`](Self::append).
    ///
    /// # Errors
    /// [`Error::Limit`] for one segment too many, without effect; [`Error::Poisoned`]; what the directory reports.
    pub fn begin_prepared(&mut self) -> Result<bool, Error<D::Error>> {
        self.check()?;
        if self.upcoming.ready.is_none() {
            return Ok(false);
        }
        self.check_segments()?;
        self.poisoned = true;
        self.rotate()?;
        self.poisoned = false;
        Ok(true)
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
