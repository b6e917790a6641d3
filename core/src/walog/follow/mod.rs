//! Follows a log while it is written: a reader that stays.
//!
//! Must never change anything, wait, or show other entries under ids that it has shown before.

mod live;
mod route;
mod second_look;
mod trail;
mod typed;
mod way;

pub use typed::Follower;

use alloc::vec::Vec;
use core::fmt;

use crate::EntryId;
use crate::error::{Corruption, Error};
use crate::storage::{Directory, NameBuf, StoreError};

use super::RawEntry;
use super::options::{Settings, WalOptions};
use live::{Live, Step};
use route::Shown;
use second_look::Look;

/// Ways through the log that one call tries before it says "not yet": a writer may be changing what it finds.
const ROUTES_MAX: u32 = 8;
/// Looks for nothing after which the folder is listed again, at the latest.
const LIST_EVERY: u32 = 32;

/// How far a reader follows a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reach {
    /// Entries as they are written. A power cut, or a failed sync, may take back what was shown: then it is
    /// [`Error::TakenBack`].
    Written,
    /// Entries that survive power loss.
    ///
    /// A reader that knows the log by its files alone sees that from the frames: an entry is durable once a later frame says so, which the first one after a
    /// sync does, or once its segment is sealed, or the log closed. So what was synced last is seen with the next entry, unless
    /// [`mark_after_sync`](WalOptions::mark_after_sync) is on.
    /// A reader that is told ([`RawFollower::next_through`]) does not wait for that.
    #[default]
    Durable,
}

/// Follows a log of raw byte records. [`Follower`] is its typed form.
///
/// It shows every entry from an id on, each once, in order, across rotation and pruning, as far as its [`Reach`] goes; then [`next`](Self::next) answers
/// `None`, which means "not yet": ask again. It takes no lock, changes nothing, and may be in another process than the writer. It never waits; `durability` has
/// followers that do.
///
/// **Durability.** Entries shown under [`Reach::Durable`] survive power loss. Others may be taken back by a crash; so may all by a truncation. Whatever was shown and then taken
/// back is [`Error::TakenBack`], before anything is shown that is known to be durable; other entries under the same ids are never shown silently.
/// (Between two syncs that lie further apart than half a [block](WalOptions::read_bytes), a crash that the follower
/// survives and that leaves the last entry's frame in place is found only with the next synced entry.)
///
/// **Limits.** Memory is one block ([`WalOptions::read_bytes`]), or the largest record if that is larger, and while segments are looked for, some 80 bytes
/// for each. No allocation for an entry. A look for nothing reads at most the next segment's header and 16 bytes; now and then the folder is listed.
///
/// The directory must let a file be read while it is written ([`Capabilities::read_while_appending`](crate::storage::Capabilities::read_while_appending)).
///
/// ```
/// use durability_core::EntryId;
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{RawFollower, RawWalWriter, Reach, WalOptions};
/// let dir = MemoryDirectory::new();
/// let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new())?;
/// let mut follower = RawFollower::new(dir, WalOptions::new(), EntryId::FIRST, Reach::Written)?;
/// assert!(follower.next()?.is_none());
/// wal.append(b"first")?;
/// wal.flush()?;
/// assert_eq!(follower.next()?.map(|entry| entry.payload), Some(&b"first"[..]));
/// assert!(follower.next()?.is_none());
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub struct RawFollower<D: Directory> {
    dir: D,
    settings: Settings,
    reach: Reach,
    shown: Shown,
    log_id: Option<u64>,
    /// The segment that is read.
    here: Option<Live<D::Reader>>,
    /// The one that follows it, once it is sealed.
    successor: u32,
    /// The segment that was looked for last, and its file.
    looked_for: Option<(u32, NameBuf)>,
    /// Memory to read with while no segment is open.
    buffer: Vec<u8>,
    /// Calls that have found nothing since the last entry.
    idle: u32,
    /// Damage was met and is being looked at through another handle.
    doubting: bool,
    /// This call has looked at the folder.
    inspected: bool,
    /// There is an entry to be lent.
    found: bool,
    fate: Option<Fate>,
}

/// Why a follower shows nothing more.
#[derive(Debug, Clone)]
enum Fate {
    TakenBack { from: EntryId, through: EntryId },
    Gap { needed: EntryId, first: EntryId, last: Option<EntryId> },
    Corrupt(Corruption),
}

impl<D: Directory> RawFollower<D> {
    /// Follows the log from entry `from` on, which need not be there yet; nor the log. Nothing is read before the first call of [`next`](Self::next).
    ///
    /// # Errors
    /// [`Error::BadOption`], [`Error::Name`].
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one log")]
    pub fn new(
        dir: D,
        options: WalOptions,
        from: EntryId,
        reach: Reach,
    ) -> Result<Self, Error<D::Error>> {
        let settings = options.check(&dir.capabilities())?;
        Ok(Self::beside(dir, settings, from, reach))
    }

    pub(super) fn beside(dir: D, settings: Settings, from: EntryId, reach: Reach) -> Self {
        Self {
            dir,
            settings,
            reach,
            shown: Shown { first: from, last: None, next: from },
            log_id: None,
            here: None,
            successor: 0,
            looked_for: None,
            buffer: Vec::new(),
            idle: 0,
            doubting: false,
            inspected: false,
            found: false,
            fate: None,
        }
    }

    /// The next entry; `None` if there is none yet.
    ///
    /// # Errors
    /// For good: [`Error::TakenBack`], [`Error::Gap`] if entries were pruned before they were shown, [`Error::Corrupt`]; all later calls say the same.
    /// Otherwise [`Error::Newer`], [`Error::NewerFrame`], [`Error::Limit`], and what the directory reports; the follower has not moved, and may be asked
    /// again.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "the entry is lent, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        self.advance()?;
        Ok(self.entry())
    }

    /// The next entry up to `limit`, which the caller knows to be there: written, or, for [`Reach::Durable`], durable. `None` beyond it, and if the
    /// caller was wrong.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn next_through(
        &mut self,
        limit: EntryId,
    ) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        self.advance_through(limit)?;
        Ok(self.entry())
    }

    /// [`next`](Self::next) in two halves: goes to the next entry, and tells whether there is one, for [`entry`](Self::entry) to lend.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn advance(&mut self) -> Result<bool, Error<D::Error>> {
        self.look(None)
    }

    /// [`next_through`](Self::next_through) in two halves.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn advance_through(&mut self, limit: EntryId) -> Result<bool, Error<D::Error>> {
        self.look(Some(limit))
    }

    /// Whether what was shown is still in the log: a look at all of it, for when it is known that entries were taken back.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn check(&mut self) -> Result<(), Error<D::Error>> {
        self.found = false;
        if let Some(fate) = &self.fate {
            return Err(fate.error());
        }
        if self.here.is_some() {
            self.relocate(false)?;
        }
        Ok(())
    }

    /// The entry that was gone to last; `None` if the last call has found none.
    #[inline]
    pub fn entry(&self) -> Option<RawEntry<'_>> {
        let here = self.here.as_ref().filter(|_| self.found)?;
        let entry = here.entry();
        let segment = here.segment.number;
        Some(RawEntry { id: entry.id, payload: entry.payload, segment, offset: entry.offset })
    }

    /// The id that the next entry will have: a follower that is made with it goes on where this one is.
    pub const fn next_entry_id(&self) -> EntryId {
        self.shown.next
    }

    /// How far it follows.
    pub const fn reach(&self) -> Reach {
        self.reach
    }

    /// The directory.
    pub const fn directory(&self) -> &D {
        &self.dir
    }

    /// The file of a segment, for messages.
    pub(super) fn segment_name(&self, number: u32) -> Result<NameBuf, Error<D::Error>> {
        self.settings.segment_name(number)
    }

    #[inline]
    fn look(&mut self, limit: Option<EntryId>) -> Result<bool, Error<D::Error>> {
        self.found = false;
        if limit.is_some_and(|limit| limit < self.shown.next) && self.fate.is_none() {
            return Ok(false);
        }
        let proof = self.reach == Reach::Durable && limit.is_none();
        // The way of nearly all entries.
        if self.idle == 0
            && self.fate.is_none()
            && let Some(here) = &mut self.here
            && matches!(here.advance(proof)?, Step::Entry)
            && self.shown.show(here.entry_id())
        {
            self.found = true;
            return Ok(true);
        }
        self.look_slowly(proof, limit.is_some())
    }

    /// `due`: the entry is known to be there, so no pains are spared.
    #[cold]
    fn look_slowly(&mut self, proof: bool, due: bool) -> Result<bool, Error<D::Error>> {
        if let Some(fate) = &self.fate {
            return Err(fate.error());
        }
        self.inspected = false;
        // What was read before may have been too early.
        let anyway = due || self.idle.is_power_of_two() || self.idle.is_multiple_of(LIST_EVERY);
        if let Some(here) = &mut self.here
            && here.look_again(anyway)? == Look::Changed
        {
            self.changed()?;
        }
        for _route in 0..ROUTES_MAX {
            let goes_on = match self.seek(proof)? {
                None => self.relocate(false)?,
                Some(Step::Entry) => {
                    (self.found, self.doubting, self.idle) = (true, false, 0);
                    return Ok(true);
                }
                Some(Step::NotYet) => self.wait(due)?,
                Some(Step::End) => self.go_on()?,
                Some(Step::Damaged(corruption)) => self.doubt(corruption)?,
                Some(Step::Changed) => self.changed()?,
            };
            if !goes_on {
                break;
            }
        }
        self.idle = self.idle.saturating_add(1);
        Ok(false)
    }

    /// Goes to the next entry that is wanted, as far as this segment has it; `None` without a segment.
    fn seek(&mut self, proof: bool) -> Result<Option<Step>, Error<D::Error>> {
        let Some(here) = &mut self.here else { return Ok(None) };
        loop {
            match here.advance(proof)? {
                Step::Entry if !self.shown.show(here.entry_id()) => {}
                step => return Ok(Some(step)),
            }
        }
    }
}

impl Fate {
    fn error<E: StoreError>(&self) -> Error<E> {
        match self.clone() {
            Self::TakenBack { from, through } => Error::TakenBack { from, through },
            Self::Gap { needed, first, last } => Error::Gap { needed, first: Some(first), last },
            Self::Corrupt(corruption) => corruption.into(),
        }
    }
}

impl<D: Directory> fmt::Debug for RawFollower<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawFollower")
            .field("reach", &self.reach)
            .field("shown", &self.shown)
            .field("segment", &self.here.as_ref().map(|here| here.segment.number))
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}
