//! A window over a file: large sequential reads, frames judged in place.
//!
//! Must never hold more than its buffer, the one record that is larger, or [`LOOK_AHEAD_BLOCKS`] blocks of a batch.

use embedded_io::{Error as _, ErrorKind};

use crate::error::{Error, Limit, Operation};
use crate::storage::NameBuf;

use super::memory::{Buffer, Own, grow};
use super::source::{Source, Trouble};

/// Blocks that a look ahead may fill, so that a batch need not be read twice.
const LOOK_AHEAD_BLOCKS: usize = 16;

/// A sliding view of a file.
#[derive(Debug)]
pub(crate) struct Window<R: Source, B = Own> {
    file: R,
    label: R::Label,
    buffer: B,
    base: u64,
    filled: usize,
    block_bytes: usize,
    /// What the buffer is never cut below: a block, or what a look ahead took.
    kept_bytes: usize,
    /// What is held below it was verified.
    trusted: u64,
    /// Kept when the window slides, if the buffer is large enough or may grow.
    pinned: Option<u64>,
    /// How often something was read.
    loads: u32,
}

impl<R, B> Window<R, B>
where
    B: Buffer,
    R: Source,
{
    /// Takes over `buffer` as its memory, so that one allocation serves all files of a log.
    pub(crate) fn new(
        file: R,
        label: R::Label,
        mut buffer: B,
        block_bytes: usize,
    ) -> Result<Self, Error<R::Error>> {
        grow(&mut buffer, block_bytes)?;
        Ok(Self::over(file, label, buffer, block_bytes))
    }

    /// The same with memory that is as long.
    pub(crate) fn over(file: R, label: R::Label, buffer: B, block_bytes: usize) -> Self {
        let (base, filled, trusted, pinned, loads) = (0, 0, 0, None, 0);
        let kept_bytes = block_bytes;
        Self { file, label, buffer, base, filled, block_bytes, kept_bytes, trusted, pinned, loads }
    }

    /// Gives the memory back for the next file.
    pub(crate) fn into_buffer(self) -> B {
        self.buffer
    }

    /// Gives the memory away for another handle on the same file.
    pub(crate) fn take_buffer(&mut self) -> B {
        self.forget();
        core::mem::take(&mut self.buffer)
    }

    /// Where the bytes come from.
    pub(crate) const fn source(&mut self) -> &mut R {
        &mut self.file
    }

    /// Something about the file failed.
    pub(crate) fn fails(&mut self, trouble: Trouble<R::Error>) -> R::Fault {
        self.file.fails(&self.label, trouble)
    }

    /// The bound on the file's length.
    pub(crate) fn len(&mut self) -> Result<u64, R::Fault> {
        self.file.bound().map_err(|source| unread(&mut self.file, &self.label, source))
    }

    /// Forgets what was read, so that it is read anew.
    pub(crate) fn forget(&mut self) {
        (self.filled, self.trusted) = (0, 0);
    }

    /// Changes whenever something is read.
    #[inline]
    pub(crate) const fn loads(&self) -> u32 {
        self.loads
    }

    /// The bytes of the largest ordinary read.
    pub(crate) const fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Makes ordinary reads this large, once something has needed as much memory.
    pub(crate) fn read_at_least(&mut self, bytes: usize) {
        self.block_bytes = self.block_bytes.max(bytes);
        self.kept_bytes = self.kept_bytes.max(bytes);
    }

    /// Reads past what is held, which stays. Fewer bytes than asked for: the file ends.
    pub(crate) fn peek(&mut self, at: u64, into: &mut [u8]) -> Result<usize, R::Fault> {
        read_at(&mut self.file, &self.label, at, into)
    }

    /// The bytes that are there from `offset` on, without reading: often fewer than the file has.
    #[inline]
    pub(crate) fn held(&self, offset: u64) -> &[u8] {
        if B::PLENTY { self.held_from(offset) } else { self.held_apart(offset) }
    }

    #[inline(never)]
    fn held_apart(&self, offset: u64) -> &[u8] {
        self.held_from(offset)
    }

    #[inline]
    fn held_from(&self, offset: u64) -> &[u8] {
        self.buffer.as_ref().get(self.index(offset)..self.filled).unwrap_or_default()
    }

    /// `bytes` bytes from `offset` on, which are there; empty if they are not.
    #[inline]
    pub(crate) fn lend(&self, offset: u64, bytes: usize) -> &[u8] {
        if !B::PLENTY {
            return self.held_apart(offset).get(..bytes).unwrap_or_default();
        }
        let start = self.index(offset);
        let end = start.wrapping_add(bytes);
        if end > self.filled {
            return &[];
        }
        self.buffer.as_ref().get(start..end).unwrap_or_default()
    }

    /// Where `offset` stands in the buffer; beyond its end if it is not there.
    #[inline]
    fn index(&self, offset: u64) -> usize {
        // Before the base, the difference wraps around to more than any buffer has.
        usize::try_from(offset.wrapping_sub(self.base)).unwrap_or(usize::MAX)
    }

    /// The bytes from `offset` on: at least `need` of them, unless the file ends before.
    ///
    /// The caller has bounded `need`.
    #[inline]
    pub(crate) fn at(&mut self, offset: u64, need: usize) -> Result<&[u8], R::Fault> {
        if !B::PLENTY {
            return self.at_apart(offset, need);
        }
        // One comparison for "is it there" and "is it enough": this is asked for every frame.
        if self.filled.saturating_sub(self.index(offset)) < need {
            self.slide(offset, need)?;
        }
        Ok(self.held(offset))
    }

    #[inline(never)]
    fn at_apart(&mut self, offset: u64, need: usize) -> Result<&[u8], R::Fault> {
        if self.held_apart(offset).len() < need {
            self.slide(offset, need)?;
        }
        Ok(self.held_apart(offset))
    }

    /// Keeps what lies from `offset` on when the window slides, for a second look.
    pub(crate) fn pin(&mut self, offset: u64) {
        self.pinned = Some(offset);
    }

    /// Ends a [`pin`](Self::pin). What is held up to `trusted` was verified since, and need not be verified again.
    pub(crate) const fn unpin(&mut self, trusted: u64) {
        (self.pinned, self.trusted) = (None, trusted);
    }

    /// Whether what is held below `offset` was verified.
    #[inline]
    pub(crate) const fn trusts(&self, offset: u64) -> bool {
        offset <= self.trusted
    }

    /// What is held up to `trusted` was verified, from where the last look ahead or [`trust`](Self::trust) ended.
    pub(crate) const fn trust(&mut self, trusted: u64) {
        self.trusted = trusted;
    }

    #[cold]
    fn slide(&mut self, offset: u64, need: usize) -> Result<(), R::Fault> {
        self.trusted = 0; // what is loaded anew may be other bytes
        self.loads = self.loads.wrapping_add(1);
        let (offset, need) = self.with_pinned(offset, need);
        let kept = self.held(offset).len();
        let start = self.filled.saturating_sub(kept);
        if start > 0 {
            self.buffer.bring_down(start, kept);
        }
        self.base = offset;
        self.filled = kept;
        if self.buffer.as_ref().len() < need {
            if !self.buffer.lengthen(need) {
                return Err(self.fails(Trouble::Limit {
                    what: Limit::Memory,
                    found: need as u64,
                    limit: usize::MAX as u64,
                }));
            }
        } else if self.buffer.as_ref().len() > self.kept_bytes
            && need <= self.block_bytes
            && kept == 0
        {
            // One huge record must not cost its memory for ever.
            self.buffer.give_back(self.kept_bytes);
        }
        // A block at a time, however large the buffer has become: what is judged next is then still near the CPU.
        let end =
            need.max(self.filled.wrapping_add(self.block_bytes)).min(self.buffer.as_ref().len());
        while self.filled < need {
            let position = self.base.wrapping_add(self.filled as u64);
            let room = self.buffer.as_mut().get_mut(self.filled..end).unwrap_or_default();
            match self.file.read(position, room) {
                Ok(0) => break,
                Ok(count) => self.filled = self.filled.wrapping_add(count).min(end),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unread(&mut self.file, &self.label, error)),
            }
        }
        Ok(())
    }

    /// What to keep and to load so that what is pinned stays, if the buffer is large enough for both, or may become so.
    fn with_pinned(&mut self, offset: u64, need: usize) -> (u64, usize) {
        let Some(pinned) = self.pinned.filter(|&pinned| self.base <= pinned) else {
            return (offset, need);
        };
        let more = offset.checked_sub(pinned).and_then(|more| usize::try_from(more).ok());
        let Some(wider) = more.and_then(|more| need.checked_add(more)) else {
            return (offset, need);
        };
        if self.buffer.as_ref().len() < wider && !self.grow_to_look_ahead(wider) {
            return (offset, need);
        }
        (pinned, wider)
    }

    /// Makes the buffer larger for a look ahead, at least to `need`; false if it may not be that large, or there is no memory.
    fn grow_to_look_ahead(&mut self, need: usize) -> bool {
        let limit = self.block_bytes.saturating_mul(LOOK_AHEAD_BLOCKS);
        if need > limit {
            return false;
        }
        // By doubling, so that what is held is copied a few times at most.
        let bytes = self.buffer.as_ref().len().saturating_mul(2).clamp(need, limit);
        let grown = grow::<R::Error>(&mut self.buffer, bytes).is_ok();
        if grown {
            self.kept_bytes = bytes;
        }
        grown
    }
}

#[cold]
#[inline(never)]
fn unread<R: Source>(file: &mut R, label: &R::Label, source: R::Error) -> R::Fault {
    file.fails(label, Trouble::Store { operation: Operation::Read, source })
}

impl<R, B> Window<R, B>
where
    R: Source<Label = NameBuf>,
{
    pub(crate) const fn name(&self) -> &NameBuf {
        &self.label
    }
}

/// Reads until `into` is full or the file ends, and tells how much it was.
pub(crate) fn read_at<R>(
    file: &mut R,
    label: &R::Label,
    at: u64,
    into: &mut [u8],
) -> Result<usize, R::Fault>
where
    R: Source,
{
    let mut filled = 0_usize;
    while let Some(room) = into.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(at.wrapping_add(filled as u64), room) {
            Ok(0) => break,
            Ok(count) => filled = filled.wrapping_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unread(file, label, error)),
        }
    }
    Ok(filled.min(into.len()))
}
