//! Laws of the look ahead: it costs no second read or check of what is still held, and trusts nothing that was loaded anew.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use embedded_io::{ErrorType, Read, Seek, SeekFrom};

use super::frames::{BadKind, Cursor, Frames, Next};
use super::window::Window;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Flags, HEADER_BYTES};
use crate::storage::{MemoryError, Name, NameBuf, ReadFile};

const COUNT: u32 = 8;
const PAYLOAD_BYTES: usize = 48;
const FRAME_BYTES: usize = HEADER_BYTES + PAYLOAD_BYTES;

fn codec() -> Codec {
    Codec::new(Crc::detect(), 77, 4)
}

/// A file whose first frames rot when they are told to, and that counts what is read.
pub(super) struct Rotting {
    bytes: Vec<u8>,
    rotten_frames: Rc<Cell<usize>>,
    read_bytes: Rc<Cell<usize>>,
}

impl Rotting {
    /// A file that does not rot.
    pub(super) fn of(bytes: Vec<u8>, read_bytes: Rc<Cell<usize>>) -> Self {
        Self { bytes, rotten_frames: Rc::default(), read_bytes }
    }
}

impl ErrorType for Rotting {
    type Error = MemoryError;
}

impl Read for Rotting {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, MemoryError> {
        Err(MemoryError::Unsupported)
    }
}

impl Seek for Rotting {
    fn seek(&mut self, _: SeekFrom) -> Result<u64, MemoryError> {
        Err(MemoryError::Unsupported)
    }
}

impl ReadFile for Rotting {
    fn len(&mut self) -> Result<u64, MemoryError> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let at = usize::try_from(offset).unwrap();
        let bytes = self.bytes.get(at..).unwrap_or_default();
        let count = buffer.len().min(bytes.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        for frame in 1..=self.rotten_frames.get() {
            // The last byte of the payload, if this read brings it.
            let last = (frame * FRAME_BYTES - 1).checked_sub(at);
            if let Some(byte) = last.and_then(|last| buffer[..count].get_mut(last)) {
                *byte ^= 1;
            }
        }
        self.read_bytes.set(self.read_bytes.get() + count);
        Ok(count)
    }
}

struct Scene {
    frames: Frames<Rotting>,
    rotten_frames: Rc<Cell<usize>>,
    read_bytes: Rc<Cell<usize>>,
}

fn scene(block_bytes: usize) -> Scene {
    let mut bytes = vec![0; FRAME_BYTES * COUNT as usize];
    for (index, place) in (0_u32..).zip(bytes.chunks_exact_mut(FRAME_BYTES)) {
        let payload = [u8::try_from(index).unwrap(); PAYLOAD_BYTES];
        let flags = Flags { more: index + 1 < COUNT, ..Flags::default() };
        let offset = u64::from(index) * FRAME_BYTES as u64;
        let (head, _) =
            codec().encode(offset, flags, index + 1, 48, |crc, seed| crc.update(seed, &payload));
        place[..HEADER_BYTES].copy_from_slice(&head);
        place[HEADER_BYTES..].copy_from_slice(&payload);
    }
    let (rotten_frames, read_bytes) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (ours, its) = (Rc::clone(&rotten_frames), Rc::clone(&read_bytes));
    let file = Rotting { bytes, rotten_frames: ours, read_bytes: its };
    let name = NameBuf::from(Name::new("A.WAL").unwrap());
    let window = Window::new(file, name, Vec::new(), block_bytes).unwrap();
    Scene { frames: Frames::new(window, codec(), 0, 1000), rotten_frames, read_bytes }
}

fn positions(frames: &mut Frames<Rotting>, count: u32) -> Vec<u32> {
    let next = |_| match frames.next().unwrap() {
        Next::Frame(frame) => frame.position,
        Next::Bad(bad) => panic!("{bad:?}"),
    };
    (0..count).map(next).collect()
}

/// Reads `count` frames ahead, and goes back.
fn look_ahead(frames: &mut Frames<Rotting>, count: u32) {
    let begin = frames.cursor();
    positions(frames, 1);
    frames.begin_look_ahead(begin);
    positions(frames, count - 1);
    frames.end_look_ahead(begin);
}

#[test]
fn a_look_ahead_that_the_buffer_can_hold_reads_every_byte_once() {
    let whole = FRAME_BYTES * COUNT as usize;
    // The last three are larger than a block.
    let blocks = [
        (0, whole),
        (0, whole + 100),
        (3, whole),
        (3, 5 * FRAME_BYTES),
        (3, 2 * FRAME_BYTES),
        (0, FRAME_BYTES),
        (0, whole / 16),
    ];
    for (before, block_bytes) in blocks {
        let mut scene = scene(block_bytes);
        positions(&mut scene.frames, before);
        look_ahead(&mut scene.frames, COUNT - before);
        let expected: Vec<u32> = (before + 1..=COUNT).collect();
        assert_eq!(positions(&mut scene.frames, COUNT - before), expected);
        assert_eq!(scene.read_bytes.get(), whole, "{before} before, {block_bytes} in the buffer");
    }
}

#[test]
fn what_is_loaded_anew_is_verified_anew() {
    // Sixteen blocks are half of it.
    let mut scene = scene(COUNT as usize * FRAME_BYTES / 32);
    look_ahead(&mut scene.frames, COUNT);
    scene.rotten_frames.set(COUNT as usize);
    match scene.frames.next().unwrap() {
        Next::Bad(bad) => assert!(matches!(bad.kind, BadKind::Payload { .. }), "{bad:?}"),
        Next::Frame(frame) => panic!("rot was shown: {frame:?}"),
    }
}

#[test]
fn trust_ends_where_the_look_ahead_did() {
    let mut scene = scene(4 * FRAME_BYTES);
    look_ahead(&mut scene.frames, 4);
    scene.rotten_frames.set(COUNT as usize);
    assert_eq!(positions(&mut scene.frames, 4), [1, 2, 3, 4]);
    assert!(matches!(scene.frames.next().unwrap(), Next::Bad(_)));
}

#[test]
fn what_lies_before_a_look_ahead_is_not_trusted() {
    let mut scene = scene(FRAME_BYTES * COUNT as usize);
    scene.rotten_frames.set(1);
    let first = scene.frames.cursor();
    assert!(matches!(scene.frames.next().unwrap(), Next::Bad(_)));
    scene.frames.set_cursor(Cursor { offset: FRAME_BYTES as u64, position: 1, checksum: 0 });
    look_ahead(&mut scene.frames, COUNT - 1);
    scene.frames.set_cursor(first);
    assert!(matches!(scene.frames.next().unwrap(), Next::Bad(_)));
}
