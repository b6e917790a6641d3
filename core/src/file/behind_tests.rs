//! Laws of the search behind a bad frame of a file that is continued in place: what counts there as proof, and what is passed over.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use super::behind::InPlace;
use super::frames::{Bad, BadKind, Frames};
use super::look_ahead_tests::Rotting;
use super::window::Window;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, HEADER_BYTES};
use crate::storage::{Name, NameBuf};

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
    behind_within(4096, bytes, claim).0
}

/// The same in a log of records up to that length, and how many bytes were read to tell.
fn behind_within(record_bytes_max: u32, bytes: Vec<u8>, claim: usize) -> (InPlace, usize) {
    let read_bytes = Rc::new(Cell::new(0));
    let reader = Rotting::of(bytes, Rc::clone(&read_bytes));
    let name = NameBuf::from(Name::new("LOG").unwrap());
    let window = Window::new(reader, name, Vec::new(), 256).unwrap();
    let kind = BadKind::Payload { expected: 0, found: 1 };
    let bad = Bad { offset: 0, kind, search_from: claim as u64 };
    let found = Frames::new(window, codec(), 0, record_bytes_max).behind(bad).unwrap();
    (found, read_bytes.get())
}

/// The log ends, and goes on there; zeros complete nothing.
fn harmless_end(written_end: u64, next_frame: u64) -> InPlace {
    InPlace::End { written_end, next_frame, fill: 0, zeros_revive: false }
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

/// Whole as it is, it lacks nothing; and what cannot follow, or is no header, claims nothing.
#[test]
fn only_a_frame_that_the_file_cuts_off_is_completed_or_claims_room() {
    let whole = &frame(100, PLAIN, 1, &[9; 30])[..HEADER_BYTES + 30];
    let whole = file(100 + whole.len(), &[(100, whole.to_vec())]);
    assert_eq!(behind(whole, 4), harmless_end(146, 148));
    for (position, next_frame) in [(1, 148), (5000, 116)] {
        let head = frame(100, PLAIN, position, &[9; 30])[..HEADER_BYTES].to_vec();
        assert_eq!(behind(file(116, &[(100, head)]), 4), harmless_end(116, next_frame));
    }
}

/// Out of budget, a frame would be taken for one that zeros complete.
#[test]
fn the_budget_is_enough_for_the_longest_record_however_little_of_it_is_there() {
    let long = frame(0, PLAIN, 1, &vec![9; 100_000]);
    for there in [HEADER_BYTES, 4 << 10, 50_000, 99_999] {
        let (found, _) = behind_within(100_000, long[..there].to_vec(), 4);
        let InPlace::End { fill, zeros_revive, .. } = found else { panic!("{found:?}") };
        assert_eq!((fill, zeros_revive), (0, false), "{there} bytes");
    }
}

#[test]
fn a_payload_that_is_cut_off_is_read_once_for_all_fillings() {
    let there = HEADER_BYTES + 20_000;
    let cut = frame(0, PLAIN, 1, &vec![9; 20_010])[..there].to_vec();
    let (found, read_bytes) = behind_within(20_010, cut, 4);
    let InPlace::End { zeros_revive, .. } = found else { panic!("{found:?}") };
    assert!(!zeros_revive);
    // To judge it, to search it, and to see where the written bytes end.
    assert!(read_bytes < 4 * there, "{read_bytes} bytes");
}

/// Headers one behind the other, each of a payload that the file cuts off: it was made for the search to read it all for each of them.
#[test]
fn a_hostile_file_is_read_a_few_times_and_the_worst_is_taken_for_true() {
    let bytes = 16 << 10;
    let heads = (0..bytes / HEADER_BYTES).map(|index| index * HEADER_BYTES).map(|at| {
        let payload_bytes = u32::try_from(bytes - at + 100).unwrap();
        (at, codec().encode(at as u64, PLAIN, 1, payload_bytes, |_, seed| seed).0.to_vec())
    });
    let hostile = file(bytes, &heads.collect::<Vec<_>>());
    let (found, read_bytes) = behind_within(4096, hostile, HEADER_BYTES);
    assert!(read_bytes < 10 * bytes, "{read_bytes} bytes were read of {bytes}");
    let InPlace::End { fill, zeros_revive, .. } = found else { panic!("{found:?}") };
    assert!(zeros_revive && fill != 0);
}

/// Nothing is passed over on the word of a header; but whole payloads are passed over for good, and may be judged without end.
#[test]
fn only_payloads_that_are_judged_in_vain_are_booked() {
    let bytes = file(
        1000,
        &[
            (64, torn(64, PLAIN, 1, &[9; 400])),
            (100, frame(100, PLAIN, 1, &[9; 300])),
            (420, torn(420, PLAIN, 1, &[9; 500])),
            // An imitation within that one.
            (440, torn(440, SYNCED, 1, &[9; 350])),
        ],
    );
    assert!(!is_damaged(bytes, 1000));
}
