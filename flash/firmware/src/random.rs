//! Random numbers that a seed repeats.

/// SplitMix64, Steele, Lea and Flood 2014.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Random {
    state: u64,
}

impl Random {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.state)
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the upper half is as good")]
        let number = (self.next() >> 32) as u32;
        number % end
    }
}

/// A number that has nothing to do with the one it came from.
pub const fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
