//! Files with a flaw.
//!
//! Must never misbehave in more than the one way that was planted.

use durability_core::embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use durability_core::storage::{AppendFile, ReadFile, StoreError};

use super::state::Plant;
use super::{Flaw, FlawedError};
use crate::shared::{lock, offset};

/// A reader with a flaw.
#[derive(Debug)]
pub struct FlawedReader<R, const HONEST: bool> {
    pub(super) inner: R,
    pub(super) plant: Plant,
    /// How many files had been created when it was opened.
    pub(super) files: usize,
    /// The length when it was opened.
    pub(super) length: u64,
    pub(super) cursor: u64,
}

impl<R: ErrorType, const HONEST: bool> ErrorType for FlawedReader<R, HONEST>
where
    R::Error: StoreError,
{
    type Error = FlawedError<R::Error, HONEST>;
}

impl<R: ReadFile, const HONEST: bool> Read for FlawedReader<R, HONEST>
where
    R::Error: StoreError,
{
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let shared = self.plant.is(Flaw::ReadersShareACursor);
        let from = if shared { lock(&self.plant.state).cursor } else { self.cursor };
        let count = self.fetch(from, buffer)?;
        self.cursor = from + offset(count);
        lock(&self.plant.state).cursor = self.cursor;
        Ok(count)
    }
}

impl<R: ReadFile, const HONEST: bool> FlawedReader<R, HONEST>
where
    R::Error: StoreError,
{
    fn fetch(
        &mut self,
        from: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FlawedError<R::Error, HONEST>> {
        let outdated = lock(&self.plant.state).created.len() != self.files;
        if outdated && self.plant.is(Flaw::ReadersDieWithTheNextFile) {
            return Err(FlawedError::Planted);
        }
        if self.plant.is(Flaw::ReadersAreSnapshots) && from >= self.length {
            return Ok(0);
        }
        self.inner.read_at(from, buffer).map_err(FlawedError::Backend)
    }
}

impl<R: ReadFile, const HONEST: bool> Seek for FlawedReader<R, HONEST>
where
    R::Error: StoreError,
{
    fn seek(&mut self, position: SeekFrom) -> Result<u64, Self::Error> {
        let length = self.inner.len().map_err(FlawedError::Backend)?;
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(delta) if self.plant.is(Flaw::SeekOnCountsFromTheStart) => {
                0_u64.checked_add_signed(delta)
            }
            SeekFrom::Current(delta) => self.cursor.checked_add_signed(delta),
            SeekFrom::End(_) if self.plant.is(Flaw::SeekFromTheEndIgnoresItsDelta) => Some(length),
            SeekFrom::End(delta) => length.checked_add_signed(delta),
        };
        let target =
            if self.plant.is(Flaw::SeekStopsAtTheStart) { target.or(Some(0)) } else { target };
        self.cursor = target.ok_or(FlawedError::Planted)?;
        Ok(if self.plant.is(Flaw::SeekReturnsZero) { 0 } else { self.cursor })
    }
}

impl<R: ReadFile, const HONEST: bool> ReadFile for FlawedReader<R, HONEST>
where
    R::Error: StoreError,
{
    fn len(&mut self) -> Result<u64, Self::Error> {
        let short = u64::from(self.plant.is(Flaw::LengthIsShort));
        let length = self.inner.len().map_err(FlawedError::Backend)?;
        Ok(length.saturating_sub(short))
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let length = self.inner.len().map_err(FlawedError::Backend)?;
        if self.plant.is(Flaw::ReadBeyondTheEndFails) && offset > length {
            return Err(FlawedError::Planted);
        }
        let from = match self.plant.flaw {
            Some(Flaw::ReadAtIgnoresTheOffset) => self.cursor,
            Some(Flaw::ReadAtRoundsDown) => offset - offset % 512,
            Some(Flaw::OffsetsWrap) => offset & u64::from(u32::MAX),
            _ => offset,
        };
        self.fetch(from, buffer)
    }
}

/// An appender with a flaw.
#[derive(Debug)]
pub struct FlawedAppender<A: AppendFile, const HONEST: bool> {
    pub(super) inner: A,
    pub(super) plant: Plant,
    pub(super) position: u64,
    /// What was written last, for flaws that repeat it or keep it back.
    pub(super) last: Vec<u8>,
}

impl<A: AppendFile, const HONEST: bool> FlawedAppender<A, HONEST>
where
    A::Error: StoreError,
{
    fn store(&mut self, mut data: &[u8]) -> Result<(), FlawedError<A::Error, HONEST>> {
        while !data.is_empty() {
            let count = self.inner.write(data).map_err(FlawedError::Backend)?;
            data = data.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Hands over what a flaw keeps back.
    fn hand_over(&mut self) -> Result<(), FlawedError<A::Error, HONEST>> {
        let kept = match self.plant.flaw {
            Some(Flaw::AppendersShareABuffer) => {
                core::mem::take(&mut lock(&self.plant.state).buffer)
            }
            Some(Flaw::FlushKeepsBack | Flaw::TrimDropsTheLastWrite) => {
                core::mem::take(&mut self.last)
            }
            _ => return Ok(()),
        };
        self.store(&kept)
    }
}

impl<A: AppendFile, const HONEST: bool> Drop for FlawedAppender<A, HONEST> {
    fn drop(&mut self) {
        if matches!(self.plant.flaw, Some(Flaw::FlushKeepsBack | Flaw::TrimDropsTheLastWrite)) {
            let _stored = self.inner.write(&self.last);
        }
    }
}

impl<A: AppendFile, const HONEST: bool> ErrorType for FlawedAppender<A, HONEST>
where
    A::Error: StoreError,
{
    type Error = FlawedError<A::Error, HONEST>;
}

impl<A: AppendFile, const HONEST: bool> Write for FlawedAppender<A, HONEST>
where
    A::Error: StoreError,
{
    fn write(&mut self, data: &[u8]) -> Result<usize, Self::Error> {
        let mut count = data.len();
        match self.plant.flaw {
            Some(Flaw::WriteTakesNothing) => count = 0,
            Some(Flaw::WriteSplitsGranules) => {
                count = count.min(10);
                self.store(data.get(..count).unwrap_or_default())?;
            }
            Some(Flaw::WriteStoresHalf) => {
                self.store(data.get(..count / 2).unwrap_or_default())?;
            }
            Some(Flaw::WriteClearsTheLastByte) => {
                self.store(data.get(..count.saturating_sub(1)).unwrap_or_default())?;
                self.store(&[0])?;
            }
            Some(Flaw::CloseLosesTheLastWrite) => {
                let before = core::mem::replace(&mut self.last, data.to_vec());
                self.store(&before)?;
            }
            Some(Flaw::FlushKeepsBack | Flaw::TrimDropsTheLastWrite) => {
                self.last.extend_from_slice(data);
            }
            Some(Flaw::AppendersShareABuffer) => {
                self.hand_over()?;
                lock(&self.plant.state).buffer = data.to_vec();
            }
            Some(Flaw::LargeFilesEnd) => {
                let room = usize::try_from(4096_u64.saturating_sub(self.position)).unwrap_or(0);
                self.store(
                    data.get(..room).unwrap_or(data).get(..count.min(room)).unwrap_or_default(),
                )?;
            }
            _ => self.store(data)?,
        }
        if self.plant.is(Flaw::SyncRepeatsTheLastWrite) {
            self.last = data.to_vec();
        }
        self.position += offset(count);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        if !self.plant.is(Flaw::FlushKeepsBack) {
            self.hand_over()?;
        }
        self.inner.flush().map_err(FlawedError::Backend)
    }
}

impl<A: AppendFile, const HONEST: bool> AppendFile for FlawedAppender<A, HONEST>
where
    A::Error: StoreError,
{
    fn position(&self) -> u64 {
        if self.plant.is(Flaw::PositionStandsStill) { 0 } else { self.position }
    }

    fn sync_data(&mut self) -> Result<(), Self::Error> {
        self.hand_over()?;
        match self.plant.flaw {
            Some(Flaw::SyncDataFails) => return Err(FlawedError::Planted),
            Some(Flaw::SyncMovesThePosition) => self.position += 1,
            Some(Flaw::SyncRepeatsTheLastWrite) => {
                let last = core::mem::take(&mut self.last);
                self.store(&last)?;
            }
            _ => {}
        }
        self.inner.sync_data().map_err(FlawedError::Backend)
    }

    fn trim(&mut self) -> Result<(), Self::Error> {
        match self.plant.flaw {
            Some(Flaw::TrimDropsTheLastWrite) => self.last.clear(),
            Some(Flaw::TrimMovesThePosition) => self.position += 1,
            _ => {}
        }
        self.inner.trim().map_err(FlawedError::Backend)
    }
}
