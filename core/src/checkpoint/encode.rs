//! Values into a checkpoint: postcard, straight into the chunk.
//!
//! Must never hold an encoded value as a whole.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use crate::error::Error;
use crate::storage::Directory;

use super::writer::CheckpointWriter;

impl<D: Directory> CheckpointWriter<D> {
    /// Appends a value, encoded with postcard. [`take`](super::CheckpointReader::take) reads it back.
    ///
    /// Only one chunk of it is in memory at any time. A state that is a collection need not be one value: put its length and
    /// then its items, one by one.
    ///
    /// # Errors
    /// [`Error::Encode`] if the value refuses to be encoded: postcard cannot do without the lengths of sequences. As
    /// [`write_all`](Self::write_all) besides. The writer is of no more use after any of them: a part of the value may be in the stream.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error<D::Error>> {
        self.check()?;
        let mut failed = None;
        let push = Push { writer: self, failed: &mut failed };
        let Err(source) = postcard::serialize_with_flavor(value, push) else { return Ok(()) };
        self.break_off();
        Err(failed.unwrap_or(Error::Encode { source }))
    }
}

/// Where postcard puts its bytes.
struct Push<'a, D: Directory> {
    writer: &'a mut CheckpointWriter<D>,
    /// Postcard's error cannot carry ours.
    failed: &'a mut Option<Error<D::Error>>,
}

impl<D: Directory> Flavor for Push<'_, D> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.writer.write_all(bytes).map_err(|error| {
            *self.failed = Some(error);
            postcard::Error::SerializeBufferFull
        })
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
