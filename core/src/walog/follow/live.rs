//! One segment that may still be written to: its entries as far as they verify, and "not yet" behind them.
//!
//! Must never take bytes that do not verify yet for the end of the log, nor show a part of a batch.

use alloc::vec::Vec;

use crate::EntryId;
use crate::bytes::control::{BadControl, Control};
use crate::bytes::frame::HEADER_BYTES;
use crate::error::{Corruption, CorruptionKind, Error};
use crate::file::frames::{Bad, Cursor, Frames, Next};
use crate::file::source::Source;
use crate::storage::{NameBuf, ReadFile, StoreError};

use super::super::chain::{Sealed, Segment};
use super::super::segment::Entry;
use super::trail::Trail;

/// Reads one segment, and waits at its end.
#[derive(Debug)]
pub(super) struct Live<R: Source> {
    pub(super) segment: Segment,
    pub(super) frames: Frames<R>,
    pub(super) sealed: Option<Sealed>,
    /// Frames that begin below it belong to batches whose end was seen.
    pub(super) committed: u64,
    /// What lies below it was durable, by the word of a frame there.
    pub(super) proved: u64,
    /// How far the look ahead has come, and whether within a batch.
    pub(super) ahead: Option<(Cursor, bool)>,
    /// A look ahead has come further than any before.
    pub(super) came_on: bool,
    furthest: u64,
    pub(super) trail: Trail,
    /// Whether entries are shown that nothing has proved durable yet.
    pub(super) shows_unproved: bool,
    pub(super) waiting: Option<Waiting>,
    current: Entry<'static>,
    current_bytes: usize,
}

/// What was found in place of a frame, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) at: Cursor,
    pub(super) bad: Bad,
    pub(super) probe: [u8; HEADER_BYTES],
    /// Before it there are entries that lack nothing but the proof that they are durable.
    pub(super) for_proof: bool,
}

/// What a look at the next frames has found.
#[derive(Debug)]
pub(super) enum Step {
    /// An entry.
    Entry,
    /// Nothing that verifies yet.
    NotYet,
    /// The end of a sealed segment, just as its successor says.
    End,
    /// A sealed segment is not what its successor says.
    Damaged(Corruption),
    /// What was passed is not there any more.
    Changed,
}

/// What a look ahead is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The end of the batch that begins here.
    Batch,
    /// A frame that proves the one here durable.
    Proof,
}

impl<R> Live<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    pub(super) fn new(frames: Frames<R>, segment: &Segment, shows_unproved: bool) -> Self {
        let first = frames.cursor();
        Self {
            segment: *segment,
            frames,
            sealed: segment.sealed,
            committed: 0,
            proved: first.offset,
            ahead: None,
            came_on: false,
            furthest: 0,
            trail: Trail::new(first),
            shows_unproved,
            waiting: None,
            current: Entry { id: EntryId::FIRST, offset: 0, payload: &[] },
            current_bytes: 0,
        }
    }

    pub(super) fn name(&self) -> &NameBuf {
        self.frames.name()
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.frames.into_window().into_buffer()
    }

    /// The entry that [`advance`](Self::advance) has found.
    #[inline]
    pub(super) fn entry(&self) -> Entry<'_> {
        let payload = self.frames.payload(self.current.offset, self.current_bytes);
        Entry { payload, ..self.current }
    }

    #[inline]
    pub(super) const fn entry_id(&self) -> EntryId {
        self.current.id
    }

    /// Whether the segment was read to exactly that end.
    pub(super) fn is_at(&self, sealed: Sealed) -> bool {
        let Sealed { end: offset, entries: position, checksum } = sealed;
        self.frames.cursor() == Cursor { offset, position, checksum }
    }

    /// The first entry that nothing has proved durable.
    pub(super) fn first_unproved(&self) -> EntryId {
        self.id(self.trail.from().position.saturating_add(1))
    }

    /// Looks for the next entry; with `proof`, for one that is known to be durable.
    #[inline]
    pub(super) fn advance(&mut self, proof: bool) -> Result<Step, Error<R::Error>> {
        if self.waiting.is_some_and(|waiting| proof || !waiting.for_proof) {
            return Ok(Step::NotYet);
        }
        loop {
            if let Some(step) = self.step(proof)? {
                return Ok(step);
            }
        }
    }

    /// Passes one frame; `None` if there is more to be looked at.
    #[inline]
    fn step(&mut self, proof: bool) -> Result<Option<Step>, Error<R::Error>> {
        let before = self.frames.cursor();
        if let Some(sealed) = self.sealed {
            if before.offset >= sealed.end {
                return Ok(Some(self.end(sealed)));
            }
        } else if proof && before.offset >= self.proved && !self.look_ahead(before, Goal::Proof)? {
            return Ok(Some(Step::NotYet));
        }
        let batch_is_open = self.ahead.is_some() && before.offset >= self.committed;
        if batch_is_open && !self.look_ahead(before, Goal::Batch)? {
            return Ok(Some(Step::NotYet));
        }
        let frame = match self.frames.next()? {
            Next::Bad(bad) => return self.bad(bad, before).map(Some),
            Next::Frame(frame) => frame,
        };
        let (offset, flags, position) = (frame.offset, frame.flags, frame.position);
        let control = flags.control.then(|| Control::decode(frame.payload));
        let payload_bytes = frame.payload.len();
        let follows_trail = self.shows_unproved && self.sealed.is_none();
        if follows_trail && flags.synced && !self.is_trail_known(before) {
            // What comes from here on was written after a sync, perhaps by another writer: is what was shown what was synced?
            self.frames.set_cursor(before);
            return Ok((!self.recheck(true)?).then_some(Step::Changed));
        }
        if flags.more && !flags.control && before.offset >= self.committed {
            let whole = self.look_ahead(before, Goal::Batch)?;
            return Ok((!whole).then_some(Step::NotYet));
        }
        let allowed = control.map_or(Ok(()), |control| self.obey(control, offset));
        if let Err(error) = allowed {
            self.frames.set_cursor(before); // asked again, it is the same answer
            return Err(error);
        }
        if follows_trail {
            let load = self.frames.window().loads();
            self.trail.pass(before, self.frames.cursor(), flags.synced, load);
        }
        if flags.control {
            return Ok(None);
        }
        self.current = Entry { id: self.id(position), offset, payload: &[] };
        self.current_bytes = payload_bytes;
        Ok(Some(Step::Entry))
    }

    #[inline]
    fn is_trail_known(&mut self, here: Cursor) -> bool {
        let load = self.frames.window().loads();
        self.trail.is_known(here, load)
    }

    #[inline]
    pub(super) fn id(&self, position: u32) -> EntryId {
        // The header's check has bounded the first id, so the sum is neither 0 nor too large.
        let number = self.segment.first_id.wrapping_add(u64::from(position)).wrapping_sub(1);
        EntryId::new(number).unwrap_or(EntryId::FIRST)
    }

    fn next_id(&self) -> EntryId {
        self.id(self.frames.cursor().position.saturating_add(1))
    }

    fn corruption(&self, offset: u64, kind: CorruptionKind) -> Corruption {
        Corruption { file: self.name().clone(), offset, entry_id: Some(self.next_id()), kind }
    }

    /// What a control frame says is no concern of a reader that follows; only what it may not say is.
    fn obey(
        &self,
        control: Result<Control, BadControl>,
        offset: u64,
    ) -> Result<(), Error<R::Error>> {
        match control {
            Ok(Control::Resume { .. } | Control::End { .. }) | Err(BadControl::Length) => {
                Err(self.corruption(offset, CorruptionKind::Control).into())
            }
            Err(BadControl::Newer(_)) => {
                Err(Error::NewerFrame { file: self.name().clone(), offset })
            }
            Ok(_) => Ok(()),
        }
    }

    /// Reads ahead until the goal is reached, and goes back to `start`; false if it cannot be reached yet.
    fn look_ahead(&mut self, start: Cursor, goal: Goal) -> Result<bool, Error<R::Error>> {
        let resumed = self.ahead.take().filter(|(ahead, _)| ahead.offset > start.offset);
        self.frames.set_cursor(resumed.map_or(start, |(ahead, _)| ahead));
        if resumed.is_none() {
            self.frames.begin_look_ahead(start);
        }
        let reached = self.reach(start, goal, resumed.is_some_and(|(_, within)| within));
        if let (Ok(true), None) = (&reached, resumed) {
            self.frames.end_look_ahead(start);
        } else {
            self.frames.set_cursor(start);
        }
        reached
    }

    /// The way ahead, from the cursor on.
    fn reach(
        &mut self,
        start: Cursor,
        goal: Goal,
        mut within_batch: bool,
    ) -> Result<bool, Error<R::Error>> {
        loop {
            let here = self.frames.cursor();
            if self.sealed.is_some_and(|sealed| here.offset >= sealed.end) {
                // A suffix truncation may cut a batch; what is below the cut was whole before.
                self.committed = here.offset;
                return Ok(true);
            }
            let (offset, flags) = match self.frames.next()? {
                Next::Bad(bad) => {
                    self.came_on |= here.offset > self.furthest;
                    self.furthest = self.furthest.max(here.offset);
                    self.ahead = Some((here, within_batch));
                    let whole = self.committed > start.offset;
                    self.wait(bad, goal == Goal::Proof && whole);
                    return Ok(false);
                }
                Next::Frame(frame) => (frame.offset, frame.flags),
            };
            if flags.control && within_batch {
                return Err(self.corruption(offset, CorruptionKind::Control).into());
            }
            if flags.synced {
                self.proved = self.proved.max(offset);
            }
            within_batch = flags.more && !flags.control;
            if !within_batch {
                self.committed = self.frames.cursor().offset;
            }
            let reached = match goal {
                Goal::Batch => !within_batch,
                Goal::Proof => self.proved > start.offset,
            };
            if reached {
                return Ok(true);
            }
        }
    }

    /// The decision at a bad frame: damage where there must be one, and otherwise "not yet".
    #[cold]
    fn bad(&mut self, bad: Bad, before: Cursor) -> Result<Step, Error<R::Error>> {
        if self.sealed.is_some() {
            return match bad.error::<R::Error>(self.name(), Some(self.next_id())) {
                Error::Corrupt(corruption) => Ok(Step::Damaged(corruption)),
                error => Err(error),
            };
        }
        self.wait(bad, false);
        self.frames.set_cursor(before);
        Ok(Step::NotYet)
    }

    fn wait(&mut self, bad: Bad, for_proof: bool) {
        let at = self.frames.cursor();
        let mut probe = [0; HEADER_BYTES];
        let held = self.frames.window().held(bad.offset);
        for (into, from) in probe.iter_mut().zip(held) {
            *into = *from;
        }
        self.waiting = Some(Waiting { at, bad, probe, for_proof });
    }

    /// A sealed segment must be what its successor says.
    fn end(&self, sealed: Sealed) -> Step {
        let cursor = self.frames.cursor();
        if self.is_at(sealed) {
            return Step::End;
        }
        let kind = if cursor.offset != sealed.end {
            CorruptionKind::SealedEnd { expected: sealed.end, found: cursor.offset }
        } else if cursor.position != sealed.entries {
            let (expected, found) = (sealed.entries.into(), cursor.position.into());
            CorruptionKind::SealedEntries { expected, found }
        } else {
            CorruptionKind::SealedChecksum { expected: sealed.checksum, found: cursor.checksum }
        };
        Step::Damaged(self.corruption(cursor.offset, kind))
    }
}
