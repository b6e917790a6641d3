//! One segment with a header that verifies, and frames of any bytes behind it: the reader against a decoder that was written
//! from FORMAT.md.

use durability_core::storage::MemoryDirectory;
use durability_core::walog::RawWalReader;
use durability_core::{Error, ReadMode};

use crate::directory::{put, segment};
use crate::format::{CONTROL, End, Frames, Kind, MORE, SYNCED, put_at, seal_header, tail};
use crate::input::Input;
use crate::limit::bounded;
use crate::script::{RECORD_BYTES_MAX, reading};

const FIRST_ID: u64 = 77;

/// Checks one input.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let file = build(&mut input);
    let dir = MemoryDirectory::new();
    put(&dir, &segment(1), file.clone());
    let frames = Frames::of(Kind::Segment, &file);
    let (expected, expected_end) = tail(&file, frames, RECORD_BYTES_MAX as usize);

    let mut found = Vec::new();
    let end = read(&dir, |id, offset, payload| found.push((id, offset, payload.to_vec())));
    let expected: Vec<(u64, u64, Vec<u8>)> = expected
        .into_iter()
        .map(|(position, offset, payload)| {
            (FIRST_ID + u64::from(position) - 1, offset as u64, payload)
        })
        .collect();
    assert_eq!(found, expected, "the reader shows what the document says");
    if let End::Either(damaged, torn) = expected_end {
        let either = [End::Damaged(damaged), End::Torn(torn)];
        assert!(either.contains(&end), "the reader ends where the document says: {end:?}");
    } else {
        assert_eq!(end, expected_end, "the reader ends where the document says");
    }
    // A window grows to sixteen blocks of 256 bytes for a batch, and holds the smaller one as long as it moves.
    bounded(16 << 10, || read(&dir, |_, _, _| {}));
}

/// A header, and then pieces: frames with the right checksums, and raw bytes.
fn build(input: &mut Input<'_>) -> Vec<u8> {
    let mut file = vec![0; 72];
    file[..8].copy_from_slice(&Kind::Segment.magic());
    file[8] = 1;
    let shape = input.byte();
    file[10] = [2, 3, 4, 6, 8][usize::from(shape % 5)];
    file[11] = shape >> 7;
    put_at(&mut file, 16, &[0xAB; 8]);
    put_at(&mut file, 24, &1_u32.to_le_bytes());
    put_at(&mut file, 28, &1_u32.to_le_bytes());
    put_at(&mut file, 32, &FIRST_ID.to_le_bytes());
    seal_header(&mut file, Kind::Segment);
    let frames = Frames::of(Kind::Segment, &file);
    file.resize(frames.first(), 0);
    let mut position = 0_u32;
    while !input.is_empty() && file.len() < 1 << 16 {
        let at = file.len();
        let how = input.byte();
        if how & 0xF == 0xF {
            let count = usize::from(input.byte());
            file.extend_from_slice(input.take(count));
            continue;
        }
        let mut flags = 0;
        for (bit, flag) in [(4, SYNCED), (5, CONTROL), (6, MORE)] {
            flags |= if how >> bit & 1 == 1 { flag } else { 0 };
        }
        let count =
            if how & 0xF == 0xE { usize::from(input.word() % 1100) } else { input.below(24) };
        let mut payload = input.take(count.min(24)).to_vec();
        payload.resize(count, 7);
        let next = position + u32::from(flags & CONTROL == 0);
        let skew = if how & 0xF == 0xD { u32::from(input.byte()) } else { 0 };
        let frame = frames.encode(at, flags, next.wrapping_add(skew), &payload);
        file.extend_from_slice(&frame);
        match how & 0xF {
            0xC => {
                // A broken byte in the frame.
                let at = at + input.below(frame.len());
                file[at] ^= input.byte() | 1;
            }
            0xB => file.truncate(at + input.below(frame.len())),
            _ => position = next,
        }
        // Frames begin at multiples of the alignment, unless the fuzzer likes it otherwise.
        if how & 0xF != 0xA {
            file.resize(file.len().next_multiple_of(frames.align), 0);
        }
    }
    let zeros = usize::from(data_tail(&file)) * 4;
    file.resize(file.len() + zeros, 0);
    file
}

/// Some room behind the last frame, or none: decided by what is there.
fn data_tail(file: &[u8]) -> u8 {
    file.last().copied().unwrap_or(0) % 32
}

fn read(dir: &MemoryDirectory, mut each: impl FnMut(u64, u64, &[u8])) -> End {
    let mut reader = match RawWalReader::open(dir.clone(), reading()) {
        Ok(reader) => reader,
        Err(error) => panic!("the header verifies: {error}"),
    };
    let mut entries = reader.entries(ReadMode::Strict).expect("a reader begins");
    loop {
        match entries.next() {
            Ok(Some(entry)) => each(entry.id.get(), entry.offset, entry.payload),
            Ok(None) => return End::Whole,
            Err(Error::TornTail { offset, .. }) => return End::Torn(offset as usize),
            Err(Error::Corrupt(damage)) => return End::Damaged(damage.offset as usize),
            Err(Error::NewerFrame { offset, .. }) => return End::Newer(offset as usize),
            Err(Error::Limit { .. }) => return End::TooLong,
            Err(error) => panic!("{error}"),
        }
    }
}
