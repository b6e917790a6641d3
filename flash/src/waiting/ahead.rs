//! What is awaited of a region: that its queue is done, and that what comes next was read.
//!
//! Must never decide what is on the chip: it reads ahead what others will ask for, and where it guesses wrong, nothing but time is lost.

use embedded_storage_async::nor_flash::NorFlash as AsyncNorFlash;

use crate::FlashError;
use crate::layout::small;
use crate::observe::State;
use crate::options::NO_NAME;
use crate::record::HEADER_BYTES;
use crate::region::{Region, Slot};

use super::deferred::Deferred;
use super::error::{AsyncError, Doubt, FlashOperation};

/// Bytes at the end of the name of a segment's file that tell it from other files of its log.
const NUMBER_BYTES: usize = 12;
/// The last of them, which tell it from other kinds of files.
const EXTENSION_BYTES: usize = 4;
/// Frames begin no later behind the header than this.
pub(super) const FRAME_ALIGNMENT_MAX: u32 = 256;

/// So many segments that may be without an entry are passed at once.
const NEXT_SEGMENTS: u32 = 3;

/// How far a reader's segment was read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    slot: usize,
    /// Where it was decided.
    at: u32,
    until: u32,
    /// From where on it is blank.
    blank: u32,
    /// What was read ahead up to here stays, as long as this segment is read.
    mark: usize,
}

impl<F, const SLOTS: usize> Region<Deferred<'_, F>, SLOTS>
where
    F: AsyncNorFlash,
    F::Error: 'static,
{
    /// Finds out what each slot holds, after which nothing is in doubt.
    ///
    /// Whoever drops it changes nothing.
    pub(super) async fn mount_again(&mut self) -> Result<(), AsyncError<F::Error>> {
        self.flash.queue.clear();
        let mut mounting = self.begin_mount();
        for slot in 0..SLOTS {
            self.flash.ahead.clear();
            self.load_records(slot).await?;
            self.run(|region| region.mount_slot(slot, &mut mounting))?;
        }
        self.flash.ahead.clear();
        self.end_mount(&mounting);
        self.flash.doubt = None;
        Ok(())
    }

    /// Awaits that all is done that was asked for, and that what was put into headers reads back.
    ///
    /// Whoever drops it while the chip programs or erases leaves a note of it; otherwise nothing is lost.
    pub(super) async fn settle(&mut self) -> Result<(), AsyncError<F::Error>> {
        self.flash.drain().await?;
        while let Some(slot) = self.unchecked() {
            self.load_records(slot).await?;
            let seen = self.run(|region| region.observe(slot))?;
            let whole = self.table.get(slot).is_some_and(|known| {
                let header = seen.header.map(|found| (found.header.sequence, found.name_crc));
                match (seen.state(), header) {
                    (State::File, Some(found)) => {
                        known.state == State::File && found == (known.sequence, known.name_crc)
                    }
                    (state, _) => state == known.state && seen.erases() == Some(known.erases),
                }
            });
            if !whole {
                let (operation, offset) = (FlashOperation::Program, self.layout.start(slot));
                self.flash.doubt = Some(Doubt { operation, offset, bytes: self.layout.data() });
                return Err(AsyncError::ReadBack { slot });
            }
            self.note(slot, &seen);
        }
        Ok(())
    }

    /// A slot of which nothing was read back since its headers were programmed.
    fn unchecked(&self) -> Option<usize> {
        let slot = self.table.iter().position(|slot| slot.unchecked);
        slot.filter(|_| !planted!(FlashHeadersNotReadBack))
    }

    /// At most one erase of one block towards a slot that is ready; `false` once there is nothing left to do.
    pub(super) async fn prepare_step(&mut self) -> Result<bool, AsyncError<F::Error>> {
        self.settle().await?;
        self.load_dirty().await?;
        let more = self.run(Region::erase_step)?.is_some();
        self.settle().await?;
        Ok(more)
    }

    /// Reads what tells what a slot holds.
    async fn load_records(&mut self, slot: usize) -> Result<(), AsyncError<F::Error>> {
        let start = self.layout.start(slot);
        self.flash.load(start, self.layout.data()).await?;
        let back = self.layout.ready();
        let bytes = self.layout.slot_bytes.saturating_sub(back);
        self.flash.load(start.saturating_add(back), bytes).await?;
        Ok(())
    }

    /// Reads what is looked at before the next slot is erased.
    async fn load_dirty(&mut self) -> Result<(), AsyncError<F::Error>> {
        let dirty = |state| matches!(state, State::Begun | State::Dirty);
        match self.least_worn(dirty).filter(|_| self.erasing.is_none()) {
            Some(slot) => self.load_records(slot).await,
            None => Ok(()),
        }
    }

    /// Reads what a new file needs to know if no slot is ready for it.
    pub(super) async fn load_for_create(&mut self) -> Result<(), AsyncError<F::Error>> {
        if self.least_worn(|state| state == State::Ready).is_none() {
            self.load_dirty().await?;
        }
        Ok(())
    }

    /// Reads what it takes to go on with a file where it ends.
    pub(super) async fn load_for_reopen(
        &mut self,
        slot: usize,
    ) -> Result<(), AsyncError<F::Error>> {
        let frames = self.layout.frames(slot);
        let end = frames.end.saturating_sub(1);
        self.load_name(slot).await?;
        if self.flash.ahead.missing(end, 1).is_some() {
            self.flash.load_blank(frames.start, frames.end).await?;
        }
        Ok(())
    }

    async fn load_name(&mut self, slot: usize) -> Result<bool, AsyncError<F::Error>> {
        let [header, _] = self.layout.headers();
        let name_bytes = self.table.get(slot).map_or(0, |slot| slot.name_bytes);
        let bytes = small(HEADER_BYTES).saturating_add(name_bytes.into());
        self.flash.load(self.layout.start(slot).saturating_add(header), bytes).await
    }

    /// Reads the names of all files, and the headers of what may be segments, but leaves so much room.
    pub(super) async fn load_heads(&mut self, spare: u32) -> Result<(), AsyncError<F::Error>> {
        for slot in 0..SLOTS {
            let file = self.table.get(slot).is_some_and(|slot| slot.state == State::File);
            if !file || self.flash.room() < spare {
                continue;
            }
            let header = self.layout.segment_header();
            let offset = self.layout.start(slot).saturating_add(header.start);
            let loaded = self.load_name(slot).await?
                && self.flash.load(offset, header.end.saturating_sub(header.start)).await?;
            if !loaded {
                break;
            }
        }
        Ok(())
    }

    /// Reads what it takes to find a log's oldest segments and to bury them.
    pub(super) async fn load_for_prune(&mut self) -> Result<(), AsyncError<F::Error>> {
        self.load_heads(0).await?;
        let (tombstones, bytes) = (self.layout.tombstones(), self.layout.tombstone_bytes());
        for slot in 0..SLOTS {
            let looked_at = |slot: &Slot| slot.state == State::File && !slot.never_buried;
            if self.table.get(slot).is_some_and(looked_at) {
                let offset = self.layout.start(slot).saturating_add(tombstones);
                self.flash.load(offset, bytes).await?;
            }
        }
        Ok(())
    }

    /// Reads what was refused, and of frames as much behind it as there is room for; `false` if there is none.
    pub(super) async fn load_refused(
        &mut self,
        offset: u32,
        bytes: u32,
    ) -> Result<bool, AsyncError<F::Error>> {
        let slot = self.layout.slot_of(offset).filter(|_| self.layout.holds_frames(offset));
        let Some(slot) = slot else { return self.flash.load(offset, bytes).await };
        let end = self.layout.frames(slot).end;
        let mut until = end;
        if self.flash.ahead.missing(end.saturating_sub(1), 1).is_some() {
            until = self.flash.load_blank(offset, end).await?;
        }
        let Some(from) = self.flash.ahead.missing(offset, bytes) else { return Ok(true) };
        let reached = from.saturating_add(self.flash.room()).min(until);
        if reached < offset.saturating_add(bytes).min(until) {
            return Ok(false);
        }
        self.flash.load(from, reached.saturating_sub(from)).await
    }

    /// Reads what a reader that reads `block` bytes at a time will ask for next: the rest of its segment, and the beginning of the next one.
    pub(super) async fn load_for_reader(
        &mut self,
        mark: usize,
        block: u32,
        reached: &mut Option<Reached>,
    ) -> Result<(), AsyncError<F::Error>> {
        let Some(at) = self.flash.file_to else { return Ok(()) };
        let Some(slot) = self.layout.slot_of(at.saturating_sub(1)) else { return Ok(()) };
        let frames = self.layout.frames(slot);
        let at = at.max(frames.start);
        let needed = at.saturating_add(block).min(frames.end);
        let mut here = match *reached {
            Some(here) if here.slot == slot && (here.at == at || needed <= here.until) => {
                return Ok(());
            }
            Some(here) if here.slot == slot => here,
            _ => {
                self.flash.ahead.cut(mark);
                let mut passed = slot;
                for _ in 0..NEXT_SEGMENTS {
                    let Some(next) = self.next_of_log(passed)? else { break };
                    passed = next;
                    // As much of it as its first entry takes, or the first batch.
                    let next = self.layout.frames(next);
                    let blank = self.flash.load_blank(next.start, next.end).await?;
                    let content = blank.saturating_sub(next.start);
                    let wanted = block.saturating_mul(2).saturating_add(FRAME_ALIGNMENT_MAX);
                    if !self.flash.load(next.start, wanted.min(content)).await? || wanted < content
                    {
                        break;
                    }
                    // There may be no entry at all in it.
                }
                let blank = self.flash.load_blank(at, frames.end).await?;
                Reached { slot, at, until: at, blank, mark: self.flash.ahead.mark() }
            }
        };
        self.flash.ahead.cut(here.mark);
        // Where its frames end, a reader takes a second look at what it holds.
        let from = at.saturating_sub(block).max(frames.start);
        let until = from.saturating_add(self.flash.room()).min(here.blank);
        (here.at, here.until) = (at, until);
        if !self.flash.load(from, until.saturating_sub(from)).await? {
            here.until = at;
        }
        if here.until == here.blank {
            here.until = frames.end;
        }
        *reached = Some(here);
        Ok(())
    }

    /// The slot of the segment behind one, by what is known in memory.
    fn next_of_log(
        &mut self,
        slot: usize,
    ) -> Result<Option<usize>, FlashError<super::error::DeferredError<F::Error>>> {
        let known = self.table.get(slot).filter(|slot| slot.state == State::File).copied();
        let Some(known) = known else { return Ok(None) };
        let (mut ours, mut theirs) = (NO_NAME, NO_NAME);
        let Some(name) = self.run(|region| region.name(slot, &mut ours))? else { return Ok(None) };
        let mut behind = known.sequence;
        loop {
            let files = self.table.iter().enumerate().filter(|(_, file)| {
                file.state == State::File
                    && file.name_bytes == known.name_bytes
                    && file.sequence > behind
            });
            let Some((next, found)) = files.min_by_key(|(_, file)| file.sequence) else {
                return Ok(None);
            };
            behind = found.sequence;
            let other = self.run(|region| region.name(next, &mut theirs))?;
            if other.is_some_and(|other| is_alike(name, other)) {
                return Ok(Some(next));
            }
        }
    }
}

/// Whether two names of files of one length are those of segments of one log.
fn is_alike(one: &[u8], other: &[u8]) -> bool {
    let number = one.len().saturating_sub(NUMBER_BYTES);
    let extension = one.len().saturating_sub(EXTENSION_BYTES);
    one.get(..number) == other.get(..number) && one.get(extension..) == other.get(extension..)
}
