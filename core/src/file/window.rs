//! A window over a file: large sequential reads, frames judged in place.
//!
//! Must never hold more than its buffer, or the one record that is larger.

use alloc::vec::Vec;

use embedded_io::{Error as _, ErrorKind};

use crate::error::{Context as _, Error, Limit, Operation};
use crate::storage::{NameBuf, ReadFile, StoreError};

/// A sliding view of a file.
#[derive(Debug)]
pub(crate) struct Window<R> {
    file: R,
    name: NameBuf,
    buffer: Vec<u8>,
    base: u64,
    filled: usize,
    block_bytes: usize,
    /// What is held below it was verified.
    trusted: u64,
    /// Kept when the window slides, if the buffer is large enough.
    pinned: Option<u64>,
}

impl<R> Window<R>
where
    R: ReadFile,
    R::Error: StoreError,
{
    /// Takes over `buffer` as its memory, so that one allocation serves all files of a log.
    pub(crate) fn new(
        file: R,
        name: NameBuf,
        mut buffer: Vec<u8>,
        block_bytes: usize,
    ) -> Result<Self, Error<R::Error>> {
        grow(&mut buffer, block_bytes)?;
        Ok(Self { file, name, buffer, base: 0, filled: 0, block_bytes, trusted: 0, pinned: None })
    }

    pub(crate) fn name(&self) -> &NameBuf {
        &self.name
    }

    /// Gives the memory back for the next file.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The bound on the file's length.
    pub(crate) fn len(&mut self) -> Result<u64, Error<R::Error>> {
        self.file.len().on(Operation::Read, &self.name)
    }

    /// Reads the beginning of the file as it is now, whatever the window holds: how many bytes there are of it.
    pub(crate) fn beginning(&mut self, bytes: &mut [u8]) -> Result<usize, Error<R::Error>> {
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read_at(filled as u64, room) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).on(Operation::Read, &self.name),
            }
        }
        Ok(filled.min(bytes.len()))
    }

    /// Forgets what was read, so that it is read anew.
    pub(crate) fn forget(&mut self) {
        (self.filled, self.trusted) = (0, 0);
    }

    /// The bytes that are there from `offset` on, without reading: often fewer than the file has.
    #[inline]
    pub(crate) fn held(&self, offset: u64) -> &[u8] {
        self.buffer.get(self.index(offset)..self.filled).unwrap_or_default()
    }

    /// `bytes` bytes from `offset` on, which are there; empty if they are not.
    #[inline]
    pub(crate) fn lend(&self, offset: u64, bytes: usize) -> &[u8] {
        let start = self.index(offset);
        let end = start.saturating_add(bytes);
        if end > self.filled {
            return &[];
        }
        self.buffer.get(start..end).unwrap_or_default()
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
    pub(crate) fn at(&mut self, offset: u64, need: usize) -> Result<&[u8], Error<R::Error>> {
        // One comparison for "is it there" and "is it enough": this is asked for every frame.
        if self.filled.saturating_sub(self.index(offset)) < need {
            self.slide(offset, need)?;
        }
        Ok(self.held(offset))
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

    #[cold]
    fn slide(&mut self, offset: u64, need: usize) -> Result<(), Error<R::Error>> {
        self.trusted = 0; // what is loaded anew may be other bytes
        let (offset, need) = self.with_pinned(offset, need);
        let kept = self.held(offset).len();
        let start = self.filled.saturating_sub(kept);
        self.buffer.copy_within(start..self.filled, 0);
        self.base = offset;
        self.filled = kept;
        if self.buffer.len() < need {
            grow(&mut self.buffer, need)?;
        } else if self.buffer.len() > self.block_bytes && need <= self.block_bytes && kept == 0 {
            // One huge record must not cost its memory for ever.
            self.buffer.truncate(self.block_bytes);
            self.buffer.shrink_to_fit();
        }
        while self.filled < need {
            let position = self.base.saturating_add(self.filled as u64);
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.file.read_at(position, room) {
                Ok(0) => break,
                Ok(count) => self.filled = self.filled.saturating_add(count).min(self.buffer.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).on(Operation::Read, &self.name),
            }
        }
        Ok(())
    }

    /// What to keep and to load so that what is pinned stays, if the buffer is large enough for both.
    fn with_pinned(&self, offset: u64, need: usize) -> (u64, usize) {
        let wider = |pinned: u64| {
            let more = usize::try_from(offset.checked_sub(pinned)?).ok()?;
            let need = need.checked_add(more)?;
            (self.base <= pinned && need <= self.buffer.len()).then_some((pinned, need))
        };
        self.pinned.and_then(wider).unwrap_or((offset, need))
    }
}

/// Makes a buffer of `bytes` zeros, or says that there is no memory for it.
pub(crate) fn grow<E: StoreError>(buffer: &mut Vec<u8>, bytes: usize) -> Result<(), Error<E>> {
    if let Some(more) = bytes.checked_sub(buffer.len()) {
        let no_memory =
            |_| Error::Limit { what: Limit::Memory, found: bytes as u64, limit: usize::MAX as u64 };
        buffer.try_reserve_exact(more).map_err(no_memory)?;
        buffer.resize(bytes, 0);
    }
    Ok(())
}
