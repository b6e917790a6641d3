//! The memory that a file's bytes pass through: the heap's, or the caller's.
//!
//! Must never be asked for more than its owner has bounded; memory of the caller's never grows, and is never given up.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::error::{Error, Limit};
use crate::storage::StoreError;

/// Memory that bytes pass through.
///
/// With the heap it is a `Vec<u8>`, which grows up to the limits of the options; without, it is a slice of the caller's, whose length is the limit.
pub trait Buffer: AsRef<[u8]> + AsMut<[u8]> + Default + sealed::Memory {}

/// The memory of what has a heap.
#[cfg(feature = "alloc")]
pub(crate) type Own = Vec<u8>;
/// Where there is no heap, there is no memory of one's own.
#[cfg(not(feature = "alloc"))]
pub(crate) type Own = &'static mut [u8];

pub(crate) mod sealed {
    /// What else the library asks of memory.
    #[allow(unreachable_pub, reason = "sealed: nobody else can name it")]
    pub trait Memory {
        /// Whether there is plenty of it: what only makes much of it fast is left out where there is not.
        const PLENTY: bool;

        /// Makes sure that it can become that long without failing, and touches nothing: whether it can.
        fn reserve(&mut self, bytes: usize) -> bool;
        /// Makes it that long at least, by zeros: whether it could.
        fn lengthen(&mut self, bytes: usize) -> bool;
        /// Makes it that long at most.
        fn cut(&mut self, bytes: usize);
        /// Brings `count` bytes from `from` on to its beginning.
        fn bring_down(&mut self, from: usize, count: usize);
        /// Gives memory of the heap beyond that many bytes back.
        fn give_back(&mut self, bytes: usize);
    }
}

#[cfg(feature = "alloc")]
impl Buffer for Vec<u8> {}

#[cfg(feature = "alloc")]
impl sealed::Memory for Vec<u8> {
    const PLENTY: bool = true;

    fn reserve(&mut self, bytes: usize) -> bool {
        self.try_reserve_exact(bytes.saturating_sub(self.len())).is_ok()
    }

    fn lengthen(&mut self, bytes: usize) -> bool {
        let can = sealed::Memory::reserve(self, bytes);
        if can {
            self.resize(bytes.max(self.len()), 0);
        }
        can
    }

    fn cut(&mut self, bytes: usize) {
        self.truncate(bytes);
    }

    fn bring_down(&mut self, from: usize, count: usize) {
        self.copy_within(from..from.saturating_add(count), 0);
    }

    fn give_back(&mut self, bytes: usize) {
        self.truncate(bytes);
        self.shrink_to_fit();
    }
}

impl Buffer for &mut [u8] {}

impl sealed::Memory for &mut [u8] {
    const PLENTY: bool = false;

    fn reserve(&mut self, bytes: usize) -> bool {
        bytes <= self.len()
    }

    fn lengthen(&mut self, bytes: usize) -> bool {
        bytes <= self.len()
    }

    fn cut(&mut self, bytes: usize) {
        let whole = core::mem::take(self);
        let bytes = bytes.min(whole.len());
        *self = whole.get_mut(..bytes).unwrap_or_default();
    }

    fn bring_down(&mut self, from: usize, count: usize) {
        // In pieces that do not overlap: what copies others is 700 bytes of code on a Cortex-M3, and nothing else needs it.
        let mut done = 0;
        while done < count {
            let (below, above) =
                self.split_at_mut_checked(done.saturating_add(from)).unwrap_or_default();
            let place = below.get_mut(done..).unwrap_or_default();
            let piece = place.len().min(above.len()).min(count.saturating_sub(done));
            if piece == 0 {
                break;
            }
            for (to, from) in place.iter_mut().zip(above.iter()).take(piece) {
                *to = *from;
            }
            done = done.saturating_add(piece);
        }
    }

    fn give_back(&mut self, _bytes: usize) {}
}

/// Makes memory of `bytes` zeros, or says that there is none for it.
pub(crate) fn grow<E: StoreError>(buffer: &mut impl Buffer, bytes: usize) -> Result<(), Error<E>> {
    if buffer.lengthen(bytes) { Ok(()) } else { Err(no_memory(bytes)) }
}

/// Makes sure that memory can grow to `bytes` without being asked for again, or says that there is none. Touches nothing of it.
pub(crate) fn reserve<E: StoreError>(
    buffer: &mut impl Buffer,
    bytes: usize,
) -> Result<(), Error<E>> {
    if buffer.reserve(bytes) { Ok(()) } else { Err(no_memory(bytes)) }
}

/// There is no memory for that many bytes.
pub(crate) fn no_memory<E: StoreError>(bytes: usize) -> Error<E> {
    Error::Limit { what: Limit::Memory, found: bytes as u64, limit: usize::MAX as u64 }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::sealed::Memory as _;

    /// Lent memory is moved piece by piece; the heap's by the machine.
    #[test]
    fn what_is_brought_down_is_the_same_in_either_memory() {
        for from in 0..20 {
            for count in 0..=(40 - from) {
                let whole: Vec<u8> = (0..40).collect();
                let (mut own, mut lent) = (whole.clone(), whole.clone());
                own.bring_down(from, count);
                let mut slice = lent.as_mut_slice();
                slice.bring_down(from, count);
                assert_eq!(lent.get(..count), whole.get(from..from + count), "{from}, {count}");
                assert_eq!(own.get(..count), lent.get(..count));
                assert_eq!(own.get(from + count..), lent.get(from + count..), "{from}, {count}");
            }
        }
    }
}
