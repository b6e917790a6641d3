//! Laws of the search behind a bad frame of a file that is continued in place: what counts there as proof, and what is passed over.

use alloc::vec;
use alloc::vec::Vec;

use super::behind::InPlace;
use super::frames::{Bad, BadKind, Frames};
use super::window::Window;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, HEADER_BYTES};
use crate::storage::{Directory as _, MemoryDirectory, Name, NameBuf};

const SYNCED: Flags = Flags { synced: true, control: false, more: false };
const PLAIN: Flags = Flags { synced: false, control: false, more: false };

fn codec() -> Codec {
    Codec::new(Crc::detect(), 77, 4)
}

/// A whole frame, for this place of a file.
fn frame(offset: usize, flags: Flags, position: u32, payload: &[u8]) -> Vec<u8> {
    let bytes = u32::try_from(payload.len()).unwrap();
    let (head, _) = codec()
        .encode(offset as u64, flags, position, bytes, |crc, seed| crc.update(seed, payload));
    let mut bytes = [&head, payload].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The same, and one bit of its payload is wrong.
fn torn(offset: usize, flags: Flags, position: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(offset, flags, position, payload);
    bytes[HEADER_BYTES] ^= 1;
    bytes
}

/// Puts bytes into a file of ones: no header begins with them.
fn file(bytes: usize, parts: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![1; bytes];
    for (at, part) in parts {
        file[*at..][..part.len()].copy_from_slice(part);
    }
    file
}

/// What lies behind the bad frame at 0, whose payload would reach up to `claim`.
fn behind(bytes: Vec<u8>, claim: usize) -> InPlace {
    let dir = MemoryDirectory::new();
    let name = Name::new("LOG").unwrap();
    dir.put(name, bytes);
    let reader = dir.open(name).unwrap().unwrap();
    let window = Window::new(reader, NameBuf::from(name), Vec::new(), 256).unwrap();
    let kind = BadKind::Payload { expected: 0, found: 1 };
    let bad = Bad { offset: 0, kind, search_from: claim as u64 };
    Frames::new(window, codec(), 0, 4096).behind(bad).unwrap()
}

fn is_damaged(bytes: Vec<u8>, claim: usize) -> bool {
    matches!(behind(bytes, claim), InPlace::Damaged)
}

/// Inside of a claimed extent a payload may imitate headers; outside of every one a header that verifies was written.
#[test]
fn a_synced_header_is_proof_outside_of_a_claim_and_within_one_with_its_payload() {
    for (at, whole, damaged) in [
        (64, false, false),
        (64, true, true),
        (124, false, false),
        // The claim ends before the first of these.
        (128, false, true),
        (160, false, true),
        (160, true, true),
    ] {
        let make = if whole { frame } else { torn };
        let bytes = file(400, &[(at, make(at, SYNCED, 1, &[9; 30]))]);
        assert_eq!(is_damaged(bytes, 128), damaged, "at {at}, whole: {whole}");
        let bytes = file(400, &[(at, make(at, PLAIN, 1, &[9; 30]))]);
        assert!(!is_damaged(bytes, 128), "unsynced, at {at}, whole: {whole}");
    }
}

/// Up to the last byte of the file, and not beyond.
#[test]
fn a_payload_within_a_claim_counts_if_the_file_has_all_of_it() {
    let whole = frame(64, SYNCED, 1, &[9; 32]);
    let bytes = file(64 + whole.len(), &[(64, whole)]);
    assert!(is_damaged(bytes.clone(), 500));
    assert!(!is_damaged(bytes[..bytes.len() - 1].to_vec(), 500));
}

/// What is in a payload is the caller's: it may look like anything.
#[test]
fn a_whole_frame_within_a_claim_is_passed_over_and_a_torn_one_is_not() {
    let imitation = frame(64 + 32, SYNCED, 2, &[9; 30]);
    let mut payload = vec![1; 16];
    payload.extend(&imitation);
    payload.extend([1; 16]);
    let whole = file(400, &[(64, frame(64, PLAIN, 1, &payload))]);
    assert!(!is_damaged(whole, 300));
    // Torn, it vouches for nothing that it claims: within a claim, and outside of all.
    let torn = || file(400, &[(64, torn(64, PLAIN, 1, &payload))]);
    assert!(is_damaged(torn(), 300));
    assert!(is_damaged(torn(), 64));
}

/// Two frames that the end of the file cuts off: each rules out one filling.
#[test]
fn the_filling_completes_none_of_the_frames_that_are_cut_off() {
    let filling = |ends: &[u8]| {
        let cut = 200;
        let mut bytes = file(cut, &[]);
        for (place, end) in (0..).zip(ends) {
            // The payloads of both reach ten bytes beyond the end; the farther one lies in the nearer one's.
            let at = 40 + 60 * place;
            let mut payload = bytes[at + HEADER_BYTES..].to_vec();
            payload.extend([*end; 10]);
            if place == 0 && ends.len() > 1 {
                // What the other one will be; its own checksums do not depend on it.
                let inner = inner(&payload, ends[1]);
                payload[44..][..HEADER_BYTES].copy_from_slice(&inner);
            }
            let whole = frame(at, PLAIN, 1, &payload);
            bytes[at..].copy_from_slice(&whole[..cut - at]);
        }
        match behind(bytes, 4) {
            InPlace::End { fill, .. } => fill,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(filling(&[0x00]), 0xFF);
    assert_eq!(filling(&[0xFF]), 0x00);
    assert_eq!(filling(&[0x33]), 0x00);
    assert_eq!(filling(&[0x00, 0xFF]), 0x55);
    assert_eq!(filling(&[0xFF, 0x00]), 0x55);
}

/// The header of the frame at 100, in a payload that begins at 56.
fn inner(payload: &[u8], end: u8) -> [u8; HEADER_BYTES] {
    let mut own = payload[60..payload.len() - 10].to_vec();
    own.extend([end; 10]);
    *frame(100, PLAIN, 1, &own).first_chunk().unwrap()
}

#[test]
fn the_filling_completes_no_header_that_is_cut_off() {
    let at = 100;
    for fill in [0x00, 0xFF] {
        // One in 256 headers ends with such a byte: it lacks that one, and its payload.
        let whole = (1..4000).map(|bytes| frame(at, PLAIN, 1, &vec![fill; bytes]));
        let whole = whole.into_iter().find(|whole| whole[HEADER_BYTES - 1] == fill).unwrap();
        let bytes = file(at + HEADER_BYTES - 1, &[(at, whole[..HEADER_BYTES - 1].to_vec())]);
        match behind(bytes, 4) {
            InPlace::End { fill: found, zeros_revive, .. } => {
                assert_ne!(found, fill);
                assert_eq!(zeros_revive, fill == 0);
            }
            other => panic!("{other:?}"),
        }
    }
}
