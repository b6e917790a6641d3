//! The laws of the checksum, on every path that this machine can take.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]

use alloc::vec::Vec;
use proptest::prelude::*;

use super::lanes::{self, Instructions};
use super::{Crc, Hardware, ONE_LANE_BYTES_MAX, Wide, crc32c};

/// The instructions in software, bit by bit, so that the lanes are checked on machines without them, too.
#[derive(Debug, Clone, Copy)]
struct Bitwise;

impl Bitwise {
    fn feed(register: u64, bytes: &[u8]) -> u64 {
        bytes.iter().fold(register, |register, byte| {
            (0..8).fold(register ^ u64::from(*byte), |r, _| (r >> 1) ^ ((r & 1) * 0x82F6_3B78))
        })
    }
}

impl Instructions for Bitwise {
    fn feed_u64(self, register: u64, word: u64) -> u64 {
        Self::feed(register, &word.to_le_bytes())
    }
    fn feed_u32(self, register: u64, word: u32) -> u64 {
        Self::feed(register, &word.to_le_bytes())
    }
    fn feed_u16(self, register: u64, word: u16) -> u64 {
        Self::feed(register, &word.to_le_bytes())
    }
    fn feed_u8(self, register: u64, byte: u8) -> u64 {
        Self::feed(register, &[byte])
    }
    fn multiply(self, a: u32, b: u32) -> u64 {
        (0..32).filter(|bit| b >> bit & 1 == 1).fold(0, |sum, bit| sum ^ u64::from(a) << bit)
    }
}

type Way = fn(u32, &[u8]) -> u32;

/// Every way to the same number, by name.
fn ways() -> Vec<(&'static str, Way)> {
    let mut ways: Vec<(&'static str, Way)> = alloc::vec![
        ("public", crc32c),
        ("portable", |seed, bytes| Crc::portable().update(seed, bytes)),
        ("one lane in software", |seed, bytes| lanes::one(Bitwise, seed, bytes)),
        ("three lanes in software", |seed, bytes| lanes::three(Bitwise, seed, bytes)),
    ];
    if Hardware::detect().is_some() {
        ways.push(("one lane", |seed, bytes| lanes::one(hardware(), seed, bytes)));
        ways.push(("three lanes", |seed, bytes| lanes::three(hardware(), seed, bytes)));
    }
    if Wide::detect().is_some() {
        let wide = |seed, bytes: &[u8]| Wide::detect().expect("asked before").update(seed, bytes);
        ways.push(("vectors", wide));
    }
    ways
}

fn hardware() -> Hardware {
    Hardware::detect().expect("asked before")
}

/// Somebody else's implementation.
fn oracle(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(bytes)
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .collect()
}

#[test]
fn published_vectors_hold_on_every_way() {
    let ascending: Vec<u8> = (0..32).collect();
    let descending: Vec<u8> = (0..32).rev().collect();
    let vectors: [(&[u8], u32); 6] = [
        (b"", 0),
        (b"123456789", 0xE306_9283),
        (&[0; 32], 0x8A91_36AA), // this and the next three: RFC 3720, appendix B.4
        (&[0xFF; 32], 0x62A8_AB43),
        (&ascending, 0x46DD_794E),
        (&descending, 0x113F_DB5C),
    ];
    for (name, way) in ways() {
        for (bytes, expected) in vectors {
            assert_eq!(way(0, bytes), expected, "{name}, {bytes:02x?}");
        }
    }
}

#[test]
fn every_length_agrees_with_the_oracle() {
    let bytes = noise(5000);
    for len in 0..=bytes.len() {
        let expected = oracle(&bytes[..len]);
        // The ways in software are slow; what they add is the lanes' edges, which these lengths have.
        let edges = len <= 400 || len % 24 <= 1 || len > 4900;
        for (name, way) in
            ways().into_iter().filter(|(name, _)| edges || !name.contains("software"))
        {
            assert_eq!(way(0, &bytes[..len]), expected, "{name}, {len} bytes");
        }
    }
}

#[test]
fn every_alignment_agrees_with_the_oracle() {
    let bytes = noise(4096 + 64);
    for start in 0..64 {
        for len in [0, 1, 7, 8, 31, 33, 64, ONE_LANE_BYTES_MAX, ONE_LANE_BYTES_MAX + 1, 3071, 4096]
        {
            let part = &bytes[start..start + len];
            let expected = oracle(part);
            for (name, way) in ways() {
                assert_eq!(way(0, part), expected, "{name}, {len} bytes from {start}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_changes_the_checksum() {
    let mut bytes = noise(300);
    for (name, way) in ways() {
        let before = way(0, &bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(way(0, &bytes), before, "{name}, bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

proptest! {
    #[test]
    fn splitting_changes_nothing(
        bytes in proptest::collection::vec(any::<u8>(), 0..5000),
        at in any::<prop::sample::Index>(),
        seed in any::<u32>(),
    ) {
        let (left, right) = bytes.split_at(at.index(bytes.len() + 1));
        for (name, way) in ways() {
            prop_assert_eq!(way(way(0, left), right), oracle(&bytes), "{}", name);
            // From any seed, where the oracle has no say: all ways agree.
            prop_assert_eq!(way(way(seed, left), right), Crc::portable().update(seed, &bytes), "{}", name);
        }
    }
}
