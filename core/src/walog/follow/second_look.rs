//! The looks at a segment's end while there is nothing new, and the second look at what was shown before it was proved durable.
//!
//! Must never read more than a block for nothing, but at intervals that double.

use alloc::vec::Vec;

use crate::bytes::field::is_blank;
use crate::bytes::frame::HEADER_BYTES;
use crate::error::Error;
use crate::file::frames::{Bad, BadKind, Cursor, Frames, Next};
use crate::storage::{ReadFile, StoreError};

use super::super::chain::Sealed;
use super::live::{Live, Waiting};
use super::trail::mix;

/// What another look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Nothing,
    /// Perhaps something new.
    New,
    /// What was shown is not there any more.
    Changed,
}

impl<R> Live<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    /// Whether there may be something new: sixteen bytes are read to tell, of which a compact frame may have fewer. `anyway`: also if they have not changed, unless they are blank.
    ///
    /// What was shown and is not proved durable is looked at again before anything new is.
    pub(super) fn look_again(&mut self, anyway: bool) -> Result<Look, Error<R::Error>> {
        let Some(waiting) = self.waiting else { return Ok(Look::New) };
        let mut probe = [0; HEADER_BYTES];
        let count = self.frames.window().peek(waiting.bad.offset, &mut probe)?;
        let blank = probe.first_chunk::<8>().is_none_or(|word| is_blank(word));
        if count < self.frames.codec().header_bytes()
            || blank
            || (probe == waiting.probe && !anyway)
        {
            return Ok(Look::Nothing);
        }
        self.trail.doubt();
        if !self.recheck(false)? {
            return Ok(Look::Changed);
        }
        self.waiting = None;
        Ok(Look::New)
    }

    /// The segment was sealed. False if that is not what was shown of it.
    pub(super) fn seal(&mut self, sealed: Sealed) -> Result<bool, Error<R::Error>> {
        if self.frames.cursor().offset > sealed.end {
            return Ok(false);
        }
        if !self.recheck(true)? {
            return Ok(false);
        }
        self.forget_ahead();
        self.sealed = Some(sealed);
        Ok(true)
    }

    /// Reads on through another handle on the same segment.
    pub(super) fn reattach(
        &mut self,
        frames: impl FnOnce(Vec<u8>) -> Result<Frames<R>, Error<R::Error>>,
    ) -> Result<(), Error<R::Error>> {
        let cursor = self.frames.cursor();
        self.frames = frames(self.frames.window().take_buffer())?;
        self.frames.set_cursor(cursor);
        self.trail.doubt();
        Ok(())
    }

    /// Forgets what was seen ahead of what was shown: a crash may have taken it back.
    pub(super) fn forget_ahead(&mut self) {
        self.frames.forget();
        self.trail.doubt();
        self.waiting = None;
        self.ahead = None;
        let here = self.frames.cursor().offset;
        self.committed = self.committed.min(here);
        self.proved = self.proved.min(here);
    }

    /// Whether what was shown and is not proved durable is still there: all of it if it is no more than half a block, or if `all`;
    /// otherwise its last frame. What comes next is read anew as well.
    pub(super) fn recheck(&mut self, all: bool) -> Result<bool, Error<R::Error>> {
        let here = self.frames.cursor();
        let from = self.trail.from();
        self.frames.forget();
        if !self.shows_unproved || self.sealed.is_some() || here.offset <= from.offset {
            return Ok(true);
        }
        let half = (self.frames.window().block_bytes() / 2) as u64;
        let all = all || here.offset.saturating_sub(from.offset) <= half;
        let same = self.walk_again(here, all);
        self.frames.set_cursor(here);
        same
    }

    fn walk_again(&mut self, here: Cursor, all: bool) -> Result<bool, Error<R::Error>> {
        self.frames.set_cursor(if all { self.trail.from() } else { self.trail.last() });
        let (mut digest, mut first_load) = (0, None);
        while self.frames.cursor().offset < here.offset {
            if let Next::Bad(_) = self.frames.next()? {
                return Ok(false);
            }
            let load = self.frames.window().loads();
            first_load = first_load.or(Some(load));
            digest = mix(self.trail.crc(), digest, self.frames.cursor());
        }
        let same = self.frames.cursor() == here && (!all || digest == self.trail.digest());
        if same && all {
            let load = self.frames.window().loads();
            self.trail.set_checked(here, first_load.filter(|&first| first == load));
        }
        Ok(same)
    }

    /// Whether the frame that is waited for is damaged: something later proves that it was durable.
    pub(super) fn find_damage(&mut self) -> Result<Option<Error<R::Error>>, Error<R::Error>> {
        let Some(Waiting { at, bad, .. }) = self.waiting else { return Ok(None) };
        let here = self.frames.cursor();
        self.frames.forget();
        let damaged = self.walk_to(at, bad);
        self.frames.set_cursor(here);
        self.frames.forget();
        let entry_id = Some(self.id(at.position.saturating_add(1)));
        Ok(damaged?.then(|| bad.error(self.name(), entry_id)))
    }

    /// Whether the way to a bad frame that was seen ahead still leads there, and it is damaged.
    fn walk_to(&mut self, at: Cursor, bad: Bad) -> Result<bool, Error<R::Error>> {
        while self.frames.cursor().offset < at.offset {
            if let Next::Bad(_) = self.frames.next()? {
                return Ok(false);
            }
        }
        Ok(self.frames.cursor() == at && self.is_damaged(bad, at)?)
    }

    /// Whether what was shown is damaged, rather than taken back.
    pub(super) fn find_damage_behind(
        &mut self,
    ) -> Result<Option<Error<R::Error>>, Error<R::Error>> {
        let here = self.frames.cursor();
        self.frames.forget();
        self.frames.set_cursor(self.trail.from());
        let found = self.walk_to_damage(here);
        self.frames.set_cursor(here);
        found
    }

    fn walk_to_damage(&mut self, here: Cursor) -> Result<Option<Error<R::Error>>, Error<R::Error>> {
        while self.frames.cursor().offset < here.offset {
            let at = self.frames.cursor();
            if let Next::Bad(bad) = self.frames.next()? {
                let entry_id = Some(self.id(at.position.saturating_add(1)));
                let damaged = self.is_damaged(bad, at)?;
                return Ok(damaged.then(|| bad.error(self.name(), entry_id)));
            }
        }
        Ok(None)
    }

    /// Whether the bad frame at the cursor was durable, and is still bad: a writer beside this reader may have worked on since.
    fn is_damaged(&mut self, bad: Bad, at: Cursor) -> Result<bool, Error<R::Error>> {
        let found = match bad.kind {
            BadKind::Newer | BadKind::Position { .. } => true,
            // Room may be long. What proves damage that reads as room is near, or the seal will tell.
            BadKind::Blank => self.frames.is_proof_near(bad.offset, at.position)?,
            _ => self.frames.search_synced(bad.search_from, at.position)?.found.is_some(),
        };
        Ok(found && self.frames.is_still(bad)?)
    }
}
