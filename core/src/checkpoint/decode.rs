//! Values out of a checkpoint: postcard, straight out of the chunks.
//!
//! Must never allocate for a length that the file claims, only for bytes that have been read and verified.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::OnceCell;

use postcard::de_flavors::Flavor;
use serde::de::DeserializeOwned;

use crate::error::{Error, Limit};
use crate::storage::Directory;

use super::reader::CheckpointReader;

impl<D: Directory> CheckpointReader<D> {
    /// Reads a value that [`put`](super::CheckpointWriter::put) has written.
    ///
    /// Values come out one after the other, in the order in which they were put; [`finish`](Self::finish) then demands that none is left.
    ///
    /// Memory beyond the value itself: one chunk, and the longest string or byte string in it. What a type borrows from its
    /// encoding while it is decoded (rare in owned types) is kept until the value is complete. How deep a value may nest is up to its
    /// type: one that contains itself decodes recursively.
    ///
    /// # Errors
    /// [`Error::Decode`] if the bytes are not of this type, or end before the value does; the reader stands somewhere in the value then.
    /// [`Error::Unfinished`], [`Error::Corrupt`], [`Error::Limit`], [`Error::Store`] as [`read`](Self::read).
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, Error<D::Error>> {
        let arena = Arena::default();
        let mut failed = None;
        let left_max = usize::try_from(self.left_max()?).unwrap_or(usize::MAX);
        let pull = Pull {
            reader: self,
            failed: &mut failed,
            kept: &arena.first,
            scratch: Vec::new(),
            left_max,
        };
        let mut decoder = postcard::Deserializer::from_flavor(pull);
        let value = T::deserialize(&mut decoder);
        drop(decoder);
        match (failed, value) {
            (Some(error), _) => Err(error),
            (None, Ok(value)) => Ok(value),
            (None, Err(source)) => Err(self.undecodable(Some(source))),
        }
    }
}

/// Where postcard gets its bytes.
struct Pull<'r, 'de, D: Directory> {
    reader: &'r mut CheckpointReader<D>,
    /// Postcard's error cannot carry ours.
    failed: &'r mut Option<Error<D::Error>>,
    kept: &'de OnceCell<Box<Kept>>,
    /// A piece that lies in two chunks.
    scratch: Vec<u8>,
    /// A bound on the bytes that are left in the file.
    left_max: usize,
}

impl<D: Directory> Pull<'_, '_, D> {
    fn fail<T>(&mut self, error: Error<D::Error>) -> postcard::Result<T> {
        *self.failed = Some(error);
        Err(postcard::Error::DeserializeUnexpectedEnd)
    }

    /// Brings the next chunk in if this one has been read; whether there is a byte.
    fn ready(&mut self) -> postcard::Result<bool> {
        match self.reader.verified().map(<[u8]>::is_empty) {
            Ok(empty) => Ok(!empty),
            Err(error) => self.fail(error),
        }
    }

    /// Appends the next `count` bytes to `to`, which grows only by what has been verified.
    fn gather(&mut self, to: &mut Vec<u8>, mut count: usize) -> postcard::Result<()> {
        if count > self.left_max {
            return Err(postcard::Error::DeserializeUnexpectedEnd);
        }
        while count > 0 {
            if !self.ready()? {
                return Err(postcard::Error::DeserializeUnexpectedEnd);
            }
            let now = self.reader.held().len().min(count);
            if to.try_reserve(now).is_err() {
                let (found, limit) = (to.len().saturating_add(now) as u64, usize::MAX as u64);
                return self.fail(Error::Limit { what: Limit::Memory, found, limit });
            }
            to.extend_from_slice(self.reader.advance(now));
            self.left_max = self.left_max.saturating_sub(now);
            count = count.saturating_sub(now);
        }
        Ok(())
    }
}

impl<'de, D> Flavor<'de> for Pull<'de, 'de, D>
where
    D: Directory + 'de,
{
    type Remainder = ();
    type Source = ();

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        if self.reader.held().is_empty() && !self.ready()? {
            return Err(postcard::Error::DeserializeUnexpectedEnd);
        }
        self.left_max = self.left_max.saturating_sub(1);
        self.reader.advance(1).first().copied().ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left_max)
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        if count == 0 {
            return Ok(&[]);
        }
        let mut bytes = Vec::new();
        self.gather(&mut bytes, count)?;
        let kept = self.kept.get_or_init(|| Box::new(Kept { bytes, next: OnceCell::new() }));
        self.kept = &kept.next;
        Ok(&kept.bytes)
    }

    #[inline]
    fn try_take_n_temp<'a>(&'a mut self, count: usize) -> postcard::Result<&'a [u8]>
    where
        'de: 'a,
    {
        if self.reader.held().len() >= count {
            self.left_max = self.left_max.saturating_sub(count);
            return Ok(self.reader.advance(count));
        }
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        let gathered = self.gather(&mut scratch, count);
        self.scratch = scratch;
        gathered?;
        Ok(&self.scratch)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Bytes that a value borrows while it is decoded: a list that only grows, so that lent bytes stay where they are.
#[derive(Default)]
struct Arena {
    first: OnceCell<Box<Kept>>,
}

struct Kept {
    bytes: Vec<u8>,
    next: OnceCell<Box<Self>>,
}

impl Drop for Arena {
    fn drop(&mut self) {
        // One by one: dropped as a whole, a long list would recurse.
        let mut next = self.first.take();
        while let Some(mut kept) = next {
            next = kept.next.take();
        }
    }
}
