//! CRC-32C out of CPU instructions: one lane for short inputs, three interleaved lanes for long ones.
//!
//! Must hold no `unsafe` and name no CPU: the instructions come through [`Instructions`].
//!
//! A crc32 instruction is started every cycle and takes three, so a single chain of them uses a third of the
//! unit. Three independent chains over three thirds of the input fill it; they are joined by multiplying
//! the first two by the power of x that the bytes behind them stand for (Gopal et al., "Fast CRC Computation for
//! iSCSI Polynomial Using CRC32 Instruction", Intel, 2011).
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "positions within lanes, bounded by constants; no value here comes from a disk"
)]

/// The instructions that this needs. The register is the bit-reflected remainder, its upper half zero.
pub(super) trait Instructions: Copy {
    /// Feeds 8 bytes, the first in the lowest bits: `register = register·x^64 + word·x^32 mod P`.
    fn feed_u64(self, register: u64, word: u64) -> u64;
    /// Feeds 4 bytes.
    fn feed_u32(self, register: u64, word: u32) -> u64;
    /// Feeds 2 bytes.
    fn feed_u16(self, register: u64, word: u16) -> u64;
    /// Feeds 1 byte.
    fn feed_u8(self, register: u64, byte: u8) -> u64;
    /// The product without carries.
    fn multiply(self, a: u32, b: u32) -> u64;
}

/// Words of 8 bytes in the longest lane: long enough to make joining cheap, short enough for a table.
const LANE_WORDS_MAX: usize = 128;
/// Words in the shortest lane that is worth joining.
const LANE_WORDS_MIN: usize = 4;
const LANES: usize = 3;
const WORD_BYTES: usize = 8;
/// How many bytes a loop takes at once; taking 8 costs a third of the speed.
const STRIDE_BYTES: usize = 32;

/// The Castagnoli polynomial, lowest power in the highest bit.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `JOIN[n]` carries a register over `n` words: it is x^(64n - 33) mod P.
///
/// The reflected product of two registers is short by one power of x, and the `feed_u64` that reduces it
/// multiplies by x^32: together the 33.
static JOIN: [u32; (LANES - 1) * LANE_WORDS_MAX + 1] = {
    let mut join = [0; (LANES - 1) * LANE_WORDS_MAX + 1];
    let mut power = 1 << 31; // x^0
    let mut step = 0;
    while step < 33 {
        power = divide_by_x(power);
        step += 1;
    }
    let mut words = 0;
    while words < join.len() {
        join[words] = power;
        let mut step = 0;
        while step < 64 {
            power = multiply_by_x(power);
            step += 1;
        }
        words += 1;
    }
    join
};

/// x^`exponent` mod P.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
pub(super) const fn power_of_x(exponent: usize) -> u32 {
    let mut power = 1 << 31; // x^0
    let mut step = 0;
    while step < exponent {
        power = multiply_by_x(power);
        step += 1;
    }
    power
}

const fn multiply_by_x(power: u32) -> u32 {
    if power & 1 == 0 { power >> 1 } else { power >> 1 ^ POLYNOMIAL }
}

const fn divide_by_x(power: u32) -> u32 {
    if power >> 31 == 0 { power << 1 } else { (power ^ POLYNOMIAL) << 1 | 1 }
}

/// Continues a CRC-32C in a single lane.
#[expect(clippy::inline_always, reason = "the hot path of short records")]
#[inline(always)]
pub(super) fn one<I: Instructions>(cpu: I, seed: u32, bytes: &[u8]) -> u32 {
    finish(feed(cpu, u64::from(!seed), bytes))
}

/// Continues a CRC-32C in three lanes, for long inputs.
pub(super) fn three<I: Instructions>(cpu: I, seed: u32, mut bytes: &[u8]) -> u32 {
    let mut register = u64::from(!seed);
    loop {
        let lane_words = (bytes.len() / (LANES * WORD_BYTES)).min(LANE_WORDS_MAX);
        if lane_words < LANE_WORDS_MIN {
            return finish(feed(cpu, register, bytes));
        }
        let (block, rest) = bytes.split_at(lane_words * LANES * WORD_BYTES);
        register = feed_block(cpu, register, block, lane_words);
        bytes = rest;
    }
}

const fn finish(register: u64) -> u32 {
    !low(register)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "the upper half of a register is zero"
)]
const fn low(register: u64) -> u32 {
    register as u32
}

#[inline]
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))
}

#[expect(clippy::inline_always, reason = "the hot path of short records")]
#[inline(always)]
fn feed<I: Instructions>(cpu: I, mut register: u64, mut bytes: &[u8]) -> u64 {
    while let Some((stride, rest)) = bytes.split_first_chunk::<STRIDE_BYTES>() {
        for word in words(stride) {
            register = cpu.feed_u64(register, word);
        }
        bytes = rest;
    }
    while let Some((word, rest)) = bytes.split_first_chunk() {
        register = cpu.feed_u64(register, u64::from_le_bytes(*word));
        bytes = rest;
    }
    if let Some((word, rest)) = bytes.split_first_chunk() {
        register = cpu.feed_u32(register, u32::from_le_bytes(*word));
        bytes = rest;
    }
    if let Some((word, rest)) = bytes.split_first_chunk() {
        register = cpu.feed_u16(register, u16::from_le_bytes(*word));
        bytes = rest;
    }
    if let Some(byte) = bytes.first() {
        register = cpu.feed_u8(register, *byte);
    }
    register
}

/// Feeds a block of three lanes of `lane_words` words each.
fn feed_block<I: Instructions>(cpu: I, register: u64, block: &[u8], lane_words: usize) -> u64 {
    let (a, rest) = block.split_at(lane_words * WORD_BYTES);
    let (b, c) = rest.split_at(lane_words * WORD_BYTES);
    let (Some((a, a_last)), Some((b, b_last)), Some((c, c_last))) =
        (a.split_last_chunk(), b.split_last_chunk(), c.split_last_chunk())
    else {
        return feed(cpu, register, block); // a lane without a word: not reached, and right in any case
    };
    let [(a, a_rest), (b, b_rest), (c, c_rest)] =
        [a.as_chunks::<STRIDE_BYTES>(), b.as_chunks(), c.as_chunks()];
    let mut registers = [register, 0, 0];
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        registers = feed_abreast(cpu, registers, [a, b, c]);
    }
    let [a, b, c] = feed_abreast(cpu, registers, [a_rest, b_rest, c_rest]);

    // The products join the last word of c, so that the instruction that feeds it reduces them too.
    let a = cpu.feed_u64(a, u64::from_le_bytes(*a_last));
    let b = cpu.feed_u64(b, u64::from_le_bytes(*b_last));
    let joined =
        cpu.multiply(low(a), JOIN[2 * lane_words]) ^ cpu.multiply(low(b), JOIN[lane_words]);
    cpu.feed_u64(c, u64::from_le_bytes(*c_last) ^ joined)
}

/// Feeds as many words to each of three registers.
#[expect(
    clippy::inline_always,
    reason = "a loop of four rounds disappears where the length is known"
)]
#[inline(always)]
fn feed_abreast<I: Instructions>(
    cpu: I,
    [mut a, mut b, mut c]: [u64; LANES],
    [for_a, for_b, for_c]: [&[u8]; LANES],
) -> [u64; LANES] {
    for ((for_a, for_b), for_c) in words(for_a).zip(words(for_b)).zip(words(for_c)) {
        a = cpu.feed_u64(a, for_a);
        b = cpu.feed_u64(b, for_b);
        c = cpu.feed_u64(c, for_c);
    }
    [a, b, c]
}
