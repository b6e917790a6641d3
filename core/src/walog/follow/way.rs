//! The ways on from where a segment ends for now: its successor, the folder's list, the whole log.
//!
//! Must never list the folder or open every segment for each look that finds nothing.

use core::mem;

use crate::EntryId;
use crate::bytes::crc::Crc;
use crate::bytes::header::{Decoded, FileHeader as _, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::error::{Context as _, Corruption, CorruptionKind, Error, Operation};
use crate::file::window::read_at;
use crate::storage::{Directory, NameBuf};

use super::super::chain::{Sealed, Segment};
use super::super::discover::{Discovered, discover, list};
use super::super::headless::Purpose;
use super::super::segment;
use super::live::Live;
use super::route::{Route, is_same, route, sealed_by};
use super::{Fate, LIST_EVERY, RawFollower, Reach};

/// Looks for nothing before the folder is listed: the successor has the next number but after crashes and truncations.
const PATIENCE: u32 = 4;

impl<D: Directory> RawFollower<D> {
    /// Nothing verifies yet: perhaps the segment was sealed here. Tells whether there is more to see.
    pub(super) fn wait(&mut self, due: bool) -> Result<bool, Error<D::Error>> {
        let Some(here) = self.here.as_ref().map(|here| here.segment) else { return Ok(true) };
        // What cannot be read under that name may not even be a segment: the list will tell.
        if let Some(number) = here.number.checked_add(1)
            && let Ok(Some(header)) = self.header(number)
            && let Some(sealed) = sealed_by(&header, &here)
        {
            return self.seal(sealed, number, header.first_id);
        }
        if self.here.as_mut().is_some_and(|here| mem::take(&mut here.came_on)) {
            self.idle = 0;
        }
        let doubled = self.idle >= PATIENCE && self.idle.is_power_of_two();
        let due = due || doubled || self.idle > 0 && self.idle.is_multiple_of(LIST_EVERY);
        if !due || mem::replace(&mut self.inspected, true) {
            return Ok(false);
        }
        if self.is_any_above(here.number)? || !self.reopen()? {
            return self.relocate(false);
        }
        let Some(here) = &mut self.here else { return Ok(true) };
        if !doubled {
            return Ok(false);
        }
        if !here.recheck(false)? {
            return self.changed();
        }
        if let Some(error) = here.find_damage()? {
            // Or another writer has gone on in the place of what was shown?
            return if here.recheck(true)? { Err(self.fail(error)) } else { self.changed() };
        }
        here.forget_ahead();
        Ok(true)
    }

    /// Goes on with the segment that follows.
    pub(super) fn go_on(&mut self) -> Result<bool, Error<D::Error>> {
        let Some(here) = self.here.as_ref().map(|here| (here.segment, here.sealed)) else {
            return Ok(true);
        };
        match self.header(self.successor)? {
            Some(header) if here.1.is_some() && sealed_by(&header, &here.0) == here.1 => {
                let segment = Segment {
                    number: self.successor,
                    alignment: header.common.alignment,
                    form: header.common.form,
                    first_id: header.first_id,
                    created_ms: header.created_ms,
                    origin: header.origin,
                    sealed: None,
                    listed: false,
                };
                self.enter_next(segment)
            }
            _ => self.relocate(false),
        }
    }

    /// Enters the segment that follows, once it is known whether it is the tail: behind the end that its successor names there may be entries that a
    /// truncation took back.
    fn enter_next(&mut self, mut segment: Segment) -> Result<bool, Error<D::Error>> {
        if let Some(number) = segment.number.checked_add(1)
            && let Ok(Some(header)) = self.header(number)
            && let Some(sealed) = sealed_by(&header, &segment)
        {
            segment.sealed = Some(sealed);
            return self.enter(segment, Some(number));
        }
        if !self.is_any_above(segment.number)? {
            return self.enter(segment, None);
        }
        let Some(found) = self.discover()? else { return Ok(false) };
        let index = found.chain.iter().position(|known| is_same(known, &segment));
        match index.and_then(|index| found.chain.get(index..)) {
            Some([known, rest @ ..]) => self.enter(*known, rest.first().map(|next| next.number)),
            _ => self.relocate(false),
        }
    }

    /// Whether a later segment has been begun.
    fn is_any_above(&mut self, number: u32) -> Result<bool, Error<D::Error>> {
        for above in list(&self.dir, &self.settings)?.into_iter().rev() {
            if above <= number {
                break;
            }
            if self.header(above)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A sealed segment is not as its successor says: it may have been deleted, and its room used for another, since it was opened.
    pub(super) fn doubt(&mut self, corruption: Corruption) -> Result<bool, Error<D::Error>> {
        if mem::replace(&mut self.doubting, true) {
            return Err(self.fail(corruption.into()));
        }
        if !self.reopen()? {
            return self.relocate(true);
        }
        let Some(here) = &self.here else { return Ok(true) };
        // From its beginning, so that what was read through the other handle counts for nothing.
        let segment = Segment { sealed: here.sealed, ..here.segment };
        let successor = self.successor;
        self.enter(segment, Some(successor))
    }

    /// What was shown of the tail, or passed, is not there any more.
    pub(super) fn changed(&mut self) -> Result<bool, Error<D::Error>> {
        // Another look, by its name: it may have been sealed, deleted, and its room used for another.
        if !self.reopen()? {
            return self.relocate(true);
        }
        let Some(here) = &mut self.here else { return Ok(true) };
        let from = here.first_unproved();
        if self.reach == Reach::Written && self.shown.reaches(from.get()) {
            if let Some(error) = here.find_damage_behind()? {
                return Err(self.fail(error));
            }
            return Err(self.take_back(from));
        }
        // Nothing of it was shown.
        self.leave();
        Ok(true)
    }

    /// The segment ends, by the word of its successor, which begins with entry `first_id`.
    fn seal(
        &mut self,
        sealed: Sealed,
        successor: u32,
        first_id: u64,
    ) -> Result<bool, Error<D::Error>> {
        if self.shown.reaches(first_id) {
            return Err(self.take_back(EntryId::new(first_id).unwrap_or(EntryId::FIRST)));
        }
        let unsealed = self.here.as_ref().is_some_and(|here| here.sealed.is_none());
        if unsealed && self.reach == Reach::Written {
            // What was shown is compared with what the name stands for now. If it is gone already, what is open is what it was.
            self.reopen()?;
        }
        self.successor = successor;
        let Some(here) = &mut self.here else { return Ok(true) };
        if here.seal(sealed)? { Ok(true) } else { self.changed() }
    }

    /// Looks at the whole log and finds the way; false if there is none yet. `gone`: the segment's file is.
    pub(super) fn relocate(&mut self, gone: bool) -> Result<bool, Error<D::Error>> {
        let Some(found) = self.discover()? else { return Ok(false) };
        let chain = &found.chain;
        let here = self.here.as_ref().map(|here| here.segment);
        let mut way = route(chain, &found.observed, here.as_ref(), self.shown);
        if gone {
            way = self.way_past(chain, way);
        }
        match way {
            Route::Wait | Route::Stay => Ok(false),
            Route::Seal { sealed, successor } => {
                let next = chain.iter().find(|segment| segment.number == successor);
                self.seal(sealed, successor, next.map_or(u64::MAX, |next| next.first_id))
            }
            Route::Enter(index) => {
                let Some(segment) = chain.get(index).copied() else { return Ok(false) };
                let successor = chain.get(index.saturating_add(1)).map(|next| next.number);
                self.enter(segment, successor)
            }
            Route::TakenBack(from) => Err(self.take_back(from)),
            Route::Gap { first, last } => {
                let needed = self.shown.next;
                self.fate = Some(Fate::Gap { needed, first, last });
                Err(Error::Gap { needed, first: Some(first), last })
            }
        }
    }

    /// Looks at the whole log; `None` if a writer beside this reader has deleted what was to be looked at.
    fn discover(&mut self) -> Result<Option<Discovered>, Error<D::Error>> {
        let mut buffer = mem::take(&mut self.buffer);
        let found = discover(&self.dir, &self.settings, Purpose::Read, &mut buffer);
        self.buffer = buffer;
        match found {
            Err(Error::Missing { .. }) => Ok(None),
            found => {
                let found = found?;
                self.check_log(&found)?;
                Ok(Some(found))
            }
        }
    }

    /// The way on where the segment's file cannot be read any more.
    fn way_past(&self, chain: &[Segment], way: Route) -> Route {
        let Some(here) = &self.here else { return way };
        let deleted = !chain.iter().any(|segment| segment.number == here.segment.number);
        match way {
            Route::Seal { sealed, .. } if deleted => {
                let way = route(chain, &[], None, self.shown);
                // All of it was shown, but perhaps as a crash took it back.
                let unlike = matches!(way, Route::Enter(_)) && !here.is_at(sealed);
                if unlike && self.shown.reaches(here.segment.first_id) {
                    Route::TakenBack(here.first_unproved())
                } else {
                    way
                }
            }
            // It was there a moment ago, or is again: another look will tell.
            Route::Seal { .. } | Route::Stay => Route::Wait,
            way => way,
        }
    }

    /// Once the log is known, it must stay the same one.
    fn check_log(&mut self, found: &Discovered) -> Result<(), Error<D::Error>> {
        let Some(tail) = found.chain.last() else { return Ok(()) };
        let expected = *self.log_id.get_or_insert(found.log_id);
        if expected != found.log_id {
            let kind = CorruptionKind::LogId { expected, found: found.log_id };
            let file = self.segment_name(tail.number)?;
            return Err(self.fail(Corruption { file, offset: 0, entry_id: None, kind }.into()));
        }
        Ok(())
    }

    /// Opens a segment and begins with its first frame; false if it is not there (any more).
    fn enter(&mut self, segment: Segment, successor: Option<u32>) -> Result<bool, Error<D::Error>> {
        let name = self.segment_name(segment.number)?;
        let Some(file) = self.dir.open(name.as_name()).on(Operation::Open, &name)? else {
            return Ok(false);
        };
        self.successor = successor.unwrap_or(0);
        self.leave();
        let buffer = mem::take(&mut self.buffer);
        let log_id = self.log_id.unwrap_or(0);
        let frames =
            segment::frames(file, name, buffer, self.settings.reading(), log_id, &segment)?;
        self.here = Some(Live::new(frames, &segment, self.reach == Reach::Written));
        Ok(true)
    }

    /// Opens the segment that is read once more, by its name; false if the name is gone, or stands for another one now.
    fn reopen(&mut self) -> Result<bool, Error<D::Error>> {
        let Some(here) = &self.here else { return Ok(false) };
        let (segment, name) = (here.segment, here.name().clone());
        let Some(mut file) = self.dir.open(name.as_name()).on(Operation::Open, &name)? else {
            return Ok(false);
        };
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let count = read_at(&mut file, &name, 0, &mut bytes)?;
        let header = SegmentHeader::decode(Crc::detect(), bytes.get(..count).unwrap_or_default());
        let Decoded::Header(header) = header else { return Ok(false) };
        let identity = (header.segment, header.first_id, header.created_ms, header.origin);
        let known = (segment.number, segment.first_id, segment.created_ms, segment.origin);
        if identity != known || self.log_id != Some(header.common.log_id) {
            return Ok(false);
        }
        let (settings, log_id) = (&self.settings, header.common.log_id);
        if let Some(here) = &mut self.here {
            here.reattach(|buffer| {
                segment::frames(file, name, buffer, settings.reading(), log_id, &segment)
            })?;
        }
        Ok(true)
    }

    /// Closes the segment that is read.
    fn leave(&mut self) {
        if let Some(here) = self.here.take() {
            self.buffer = here.into_buffer();
        }
    }

    /// The header of a segment of this log; `None` if there is no such file, or no such header yet.
    fn header(&mut self, number: u32) -> Result<Option<SegmentHeader>, Error<D::Error>> {
        // The same one is looked for again and again.
        let name = match self.looked_for.take().filter(|(known, _)| *known == number) {
            Some((_, name)) => name,
            None => self.segment_name(number)?,
        };
        let header = self.read_header(number, &name);
        self.looked_for = Some((number, name));
        header
    }

    fn read_header(
        &self,
        number: u32,
        name: &NameBuf,
    ) -> Result<Option<SegmentHeader>, Error<D::Error>> {
        let Some(mut file) = self.dir.open(name.as_name()).on(Operation::Open, name)? else {
            return Ok(None);
        };
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let count = read_at(&mut file, name, 0, &mut bytes)?;
        match SegmentHeader::decode(Crc::detect(), bytes.get(..count).unwrap_or_default()) {
            Decoded::Header(header) => {
                let sane = header.first_id.checked_add(u64::from(u32::MAX)).is_some();
                let ours = self.log_id == Some(header.common.log_id) && header.segment == number;
                Ok((sane && ours && header.first_id > 0).then_some(header))
            }
            Decoded::Blank | Decoded::Bad => Ok(None),
            Decoded::Newer(newer) => Err(Error::Newer {
                file: name.clone(),
                version: newer.version,
                form: newer.form,
                features: newer.features,
            }),
        }
    }

    fn take_back(&mut self, from: EntryId) -> Error<D::Error> {
        let through = self.shown.last.unwrap_or(from);
        self.fate = Some(Fate::TakenBack { from, through });
        Error::TakenBack { from, through }
    }

    /// Damage stays damage.
    fn fail(&mut self, error: Error<D::Error>) -> Error<D::Error> {
        if let Error::Corrupt(corruption) = &error {
            self.fate = Some(Fate::Corrupt(corruption.clone()));
        }
        error
    }
}
