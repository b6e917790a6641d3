//! Memory to encode entries in, one for each thread: what the user's types do to encode themselves, they do with no lock held.
//!
//! Must never be borrowed while a user's code runs: that may append to a log itself.

use core::cell::Cell;

use serde::Serialize;

/// Memory above this is not kept.
const KEPT_BYTES: usize = 1 << 20;

thread_local! {
    static KEPT: Cell<Encoded> = const { Cell::new(Encoded { bytes: Vec::new(), ends: Vec::new() }) };
}

/// Entries, encoded one behind the other.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encoded {
    /// Memory of this thread's last time.
    pub(super) fn new() -> Self {
        let mut encoded = KEPT.take();
        encoded.bytes.clear();
        encoded.ends.clear();
        encoded
    }

    /// Encodes one more.
    pub(super) fn push<T: Serialize + ?Sized>(&mut self, entry: &T) -> postcard::Result<()> {
        postcard::serialize_with_flavor(entry, Append(&mut self.bytes))?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// What was encoded, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.ends.iter().enumerate().map(|(index, &end)| {
            let begin = index.checked_sub(1).and_then(|before| self.ends.get(before).copied());
            self.bytes.get(begin.unwrap_or(0)..end).unwrap_or_default()
        })
    }

    /// Keeps the memory for this thread's next time.
    pub(super) fn keep(self) {
        if self.bytes.capacity() <= KEPT_BYTES {
            KEPT.set(self);
        }
    }
}

/// Appends what is encoded.
struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
