//! A flash driver that has to be awaited, as one that has not: what is to be done waits in a queue, and what is to be read was read ahead.
//!
//! Must never do anything to the chip in another order than it was asked for, nor begin the next thing before the last one is known to be done.

use core::future::Future;
use core::hint;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use embedded_storage_async::nor_flash::NorFlash as AsyncNorFlash;

use crate::layout::{Layout, small};

use super::error::{AsyncError, DeferredError, Doubt, FlashOperation, InPlace};
use super::runs::{Kind, Runs};

/// A driver, the queue in front of it, and what was read ahead.
pub(crate) struct Deferred<'m, F> {
    pub(super) flash: F,
    /// What waits to be done, in order.
    pub(super) queue: Runs<'m>,
    /// A granule of zeros, as tombstones are: in memory that is lent, since some chips are not fed from constants.
    zeros: &'m [u8],
    /// What is on the chip, as it was read. Dropped as soon as anything is done there.
    pub(super) ahead: Runs<'m>,
    /// What was begun and is not known to be done.
    pub(super) doubt: Option<Doubt>,
    /// What was not read ahead is refused, and noted.
    pub(super) rehearsing: bool,
    /// The range that was refused.
    pub(super) refused: Option<(u32, u32)>,
    /// Where the last read of a file ended that was asked for.
    pub(super) file_to: Option<u32>,
    /// And the last one of frames.
    pub(super) frames_to: Option<u32>,
    /// Where frames are, once it is known.
    pub(super) layout: Option<Layout>,
    pub(super) in_place: InPlace,
}

impl<'m, F: AsyncNorFlash> Deferred<'m, F> {
    pub(super) fn new(flash: F, queue: &'m mut [u8], ahead: &'m mut [u8]) -> Self {
        let rest = queue.len().saturating_sub(F::WRITE_SIZE);
        let (queue, zeros) = queue.split_at_mut_checked(rest).unwrap_or_default();
        zeros.fill(0);
        Self {
            flash,
            queue: Runs::new(queue),
            zeros,
            ahead: Runs::new(ahead),
            doubt: None,
            rehearsing: false,
            refused: None,
            file_to: None,
            frames_to: None,
            layout: None,
            in_place: InPlace { reads: 0, waited: 0 },
        }
    }

    /// Bytes of memory that were lent for what waits to be done.
    pub(super) const fn queue_bytes(&self) -> usize {
        self.queue.capacity().saturating_add(self.zeros.len())
    }

    /// Fails while something is in doubt.
    pub(super) fn check(&self) -> Result<(), AsyncError<F::Error>>
    where
        F::Error: 'static,
    {
        self.doubt.map_or(Ok(()), |doubt| Err(AsyncError::InDoubt(doubt)))
    }

    /// Does what waits in the queue, in order, one after the other.
    ///
    /// Whoever drops it while something is being done leaves a note of what that is. Nothing is done from then on.
    pub(super) async fn drain(&mut self) -> Result<(), AsyncError<F::Error>>
    where
        F::Error: 'static,
    {
        self.check()?;
        #[cfg(durability_mutants)]
        if planted!(FlashQueueOvertaken) {
            self.queue.overtake();
        }
        while let Some(run) = self.queue.first() {
            let (offset, length) = (run.offset, run.length);
            let operation = match run.kind {
                Kind::Blank => FlashOperation::Erase,
                Kind::Bytes | Kind::Zeros => FlashOperation::Program,
            };
            // Before it is awaited: whoever is dropped meanwhile can no longer say so.
            let doubt = Doubt { operation, offset, bytes: length };
            self.doubt = Some(doubt).filter(|_| !planted!(FlashDoubtForgotten));
            if !planted!(FlashAheadKept) {
                self.ahead.clear();
            }
            let done = match run.kind {
                Kind::Blank => self.flash.erase(offset, run.end()).await,
                Kind::Bytes => self.flash.write(offset, run.bytes()).await,
                Kind::Zeros => self.flash.write(offset, self.zeros).await,
            };
            done.map_err(|driver| AsyncError::Driver { operation, offset, driver })?;
            self.queue.drop_first();
            self.doubt = None;
        }
        Ok(())
    }

    /// Reads a range ahead, unless that was done; `false` if there is no room for it.
    pub(super) async fn load(
        &mut self,
        offset: u32,
        length: u32,
    ) -> Result<bool, AsyncError<F::Error>>
    where
        F::Error: 'static,
    {
        if self.ahead.missing(offset, length).is_none() {
            return Ok(true);
        }
        let unit = small(F::READ_SIZE);
        let from = offset - offset.checked_rem(unit).unwrap_or(0);
        let end = offset.saturating_add(length).checked_next_multiple_of(unit);
        let length = end.unwrap_or(u32::MAX).saturating_sub(from);
        let Some(room) = self.ahead.spare().get_mut(..length as usize) else { return Ok(false) };
        let operation = FlashOperation::Read;
        let read = self.flash.read(from, room).await;
        read.map_err(|driver| AsyncError::Driver { operation, offset: from, driver })?;
        Ok(self.ahead.push(Kind::Bytes, from, length))
    }

    /// How much can be read ahead with one [`load`](Self::load).
    pub(super) fn room(&mut self) -> u32 {
        // Reads begin and end at multiples of the chip's unit, the memory at those of a run.
        let lost = F::READ_SIZE.saturating_mul(2).saturating_add(4);
        small(self.ahead.spare().len().saturating_sub(lost))
    }

    /// Reads a range backwards as long as it is blank, and knows that much of it from then on: from where.
    pub(super) async fn load_blank(
        &mut self,
        from: u32,
        end: u32,
    ) -> Result<u32, AsyncError<F::Error>>
    where
        F::Error: 'static,
    {
        let unit = F::READ_SIZE.max(1);
        let mut blank = end;
        while blank > from {
            let spare = self.ahead.spare();
            let count = spare.len().min((blank - from) as usize).min(STEP_BYTES.max(unit));
            let count = small(count - count.checked_rem(unit).unwrap_or(0));
            let at = blank - count;
            let Some(room) = spare.get_mut(..count as usize).filter(|room| !room.is_empty()) else {
                break;
            };
            let operation = FlashOperation::Read;
            let read = self.flash.read(at, room).await;
            read.map_err(|driver| AsyncError::Driver { operation, offset: at, driver })?;
            let programmed = room.iter().rposition(|byte| *byte != 0xFF);
            blank = at.saturating_add(programmed.map_or(0, |last| small(last).saturating_add(1)));
            if programmed.is_some() {
                break;
            }
        }
        self.ahead.push(Kind::Blank, blank, end.saturating_sub(blank));
        Ok(blank)
    }
}

/// Bytes of one step backwards.
const STEP_BYTES: usize = 512;

impl<F: AsyncNorFlash> ErrorType for Deferred<'_, F> {
    type Error = DeferredError<F::Error>;
}

impl<F: AsyncNorFlash> ReadNorFlash for Deferred<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), Self::Error> {
        let length = small(buffer.len());
        if self.ahead.missing(offset, length).is_none() {
            self.ahead.lay_over(offset, buffer);
        } else if self.rehearsing {
            self.refused = self.refused.or(Some((offset, length)));
            return Err(DeferredError::NotAhead { offset, bytes: length });
        } else {
            self.in_place.reads = self.in_place.reads.saturating_add(1);
            let read = in_place(self.flash.read(offset, buffer), &mut self.in_place.waited);
            read.map_err(DeferredError::Driver)?;
        }
        self.queue.lay_over(offset, buffer);
        let end = Some(offset.saturating_add(length));
        if self.layout.is_some_and(|layout| layout.holds_file(offset)) {
            self.file_to = end;
        }
        if self.layout.is_some_and(|layout| layout.holds_frames(offset)) {
            self.frames_to = end;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: AsyncNorFlash> NorFlash for Deferred<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let added = self.queue.push(Kind::Blank, from, to.saturating_sub(from));
        if added { Ok(()) } else { Err(DeferredError::QueueFull) }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let added = if bytes == self.zeros {
            self.queue.push(Kind::Zeros, offset, small(bytes.len()))
        } else {
            self.queue.push_bytes(offset, bytes)
        };
        if added { Ok(()) } else { Err(DeferredError::QueueFull) }
    }
}

/// Polls a future until it is ready, and counts if that was not at once.
fn in_place<T: Future>(future: T, waited: &mut u32) -> T::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut polled = false;
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        if !polled {
            *waited = waited.saturating_add(1);
        }
        polled = true;
        hint::spin_loop();
    }
}
