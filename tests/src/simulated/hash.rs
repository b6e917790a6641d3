//! Hashing of disk images and journals, fast and the same in every run.
//!
//! Must never be taken for a checksum: two states with one hash are taken for one state, and that is all.

use core::hash::{BuildHasherDefault, Hasher};

const K0: u64 = 0x9E37_79B9_7F4A_7C15;
const K1: u64 = 0xD6E8_FEB8_6659_FD93;

/// Folds two words into one; every bit of both reaches every bit of the result.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are meant")]
pub(super) const fn mix(a: u64, b: u64) -> u64 {
    let product = ((a ^ K0) as u128).wrapping_mul((b ^ K1) as u128);
    // The plain sum keeps information where a factor is zero.
    ((product as u64) ^ ((product >> 64) as u64)).wrapping_add(a.rotate_left(23)).wrapping_add(b)
}

/// The hash of some bytes and of their number.
pub(super) fn of_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = mix(bytes.len() as u64, 1);
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

/// A sequence of numbers without a pattern: the generator behind junk and samples.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(K0);
        // Twice, and not with K1, which would multiply by zero.
        mix(mix(self.0, 1), 2)
    }

    /// A number below `bound`; 0 if that is 0.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// [`Hasher`] over [`mix`], for the events of a journal.
#[derive(Debug, Default)]
pub(super) struct StateHasher(pub(super) u64);

impl Hasher for StateHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, of_bytes(bytes));
    }
    fn write_u8(&mut self, value: u8) {
        self.0 = mix(self.0, u64::from(value));
    }
    fn write_u32(&mut self, value: u32) {
        self.0 = mix(self.0, u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0, value);
    }
    fn write_usize(&mut self, value: usize) {
        self.0 = mix(self.0, value as u64);
    }
}

/// Keys that are hashes already.
#[derive(Debug, Default)]
pub(super) struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = of_bytes(bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(super) type ReadyHash = BuildHasherDefault<Ready>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_have_no_pattern_in_their_low_bits() {
        for seed in 0..20 {
            let mut random = Random(seed);
            let mut counts = [[0_u32; 8]; 8];
            let mut last = random.below(8);
            for _ in 0..6400 {
                let next = random.below(8);
                counts[last][next] += 1;
                last = next;
            }
            // 100 expected of each pair, with a deviation of 10.
            assert!(counts.iter().flatten().all(|count| (50..150).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn hashes_of_similar_bytes_differ() {
        let mut all = std::collections::HashSet::new();
        for length in 0..40 {
            all.insert(of_bytes(&vec![0; length]));
            for bit in 0..length * 8 {
                let mut bytes = vec![0; length];
                bytes[bit / 8] |= 1 << (bit % 8);
                all.insert(of_bytes(&bytes));
            }
        }
        assert_eq!(all.len(), 40 + (0..40).map(|length| length * 8).sum::<usize>());
    }
}
