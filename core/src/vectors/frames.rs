//! The vectors of frames: entries, batches, and every kind of control frame.

use alloc::vec::Vec;

use crate::bytes::control::Control;
use crate::bytes::crc::Crc;
use crate::bytes::frame::{Codec, Decoded, Flags, Form};
use crate::bytes::header::{
    CheckpointHeader, FileHeader as _, RecordLogHeader, header_salt, segment_salt,
};

use super::document::{Block, block, blocks_named};

/// The salt that a block's frames have: of a segment, or of the header in another block.
fn codec(frames: &Block) -> Codec {
    let crc = Crc::detect();
    let salt = match frames.optional("header") {
        None => segment_salt(crc, frames.number("log_id"), frames.number32("segment")),
        Some(name) => {
            let header = block(name).bytes;
            match header.get(..8) {
                Some(magic) if magic == RecordLogHeader::MAGIC => {
                    header_salt::<32>(header.as_slice().try_into().unwrap())
                }
                Some(magic) if magic == CheckpointHeader::MAGIC => {
                    header_salt::<48>(header.as_slice().try_into().unwrap())
                }
                _ => panic!("{name} has no magic of a file whose header is the salt"),
            }
        }
    };
    let form = if frames.name.starts_with("compact-") { Form::Compact } else { Form::Full };
    Codec::new(crc, salt, frames.number32("alignment")).with_form(form)
}

fn flags(frames: &Block) -> Flags {
    let mut flags = Flags::default();
    for flag in frames.optional("flags").into_iter().flat_map(|flags| flags.split('+')) {
        match flag {
            "synced" => flags.synced = true,
            "control" => flags.control = true,
            "more" => flags.more = true,
            other => panic!("{}: no flag {other}", frames.name),
        }
    }
    flags
}

fn frame(codec: Codec, offset: u64, flags: Flags, position: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let (head, _) =
        codec.encode_head(offset, flags, position, length, |crc, seed| crc.update(seed, payload));
    let mut bytes = head.as_slice().to_vec();
    bytes.extend_from_slice(payload);
    bytes.resize(usize::try_from(codec.frame_bytes(payload.len() as u64)).unwrap(), 0);
    bytes
}

/// Decodes the frame at the beginning of `bytes`, demands these values, and gives the rest.
fn must_decode<'a>(
    codec: Codec,
    offset: u64,
    bytes: &'a [u8],
    flags: Flags,
    position: u32,
    payload: &[u8],
) -> &'a [u8] {
    let before = position - u32::from(!flags.control);
    let decoded = codec.judge(offset, before, bytes);
    let Some(Decoded::Frame(header)) = decoded else { panic!("no frame") };
    assert_eq!((header.flags, header.position), (flags, position));
    let length = usize::try_from(header.payload_bytes).unwrap();
    assert_eq!(&bytes[codec.header_bytes()..][..length], payload);
    assert!(codec.verify(&header, payload));
    &bytes[usize::try_from(codec.frame_bytes(length as u64)).unwrap()..]
}

#[test]
fn entry_frames_are_the_ones_in_the_document() {
    for block in blocks_named("entry").into_iter().chain(blocks_named("compact-entry")) {
        let (codec, flags) = (codec(&block), flags(&block));
        let (offset, position) = (block.number("offset"), block.number32("position"));
        let payload = block.text("payload").as_bytes();
        block.must_be(&frame(codec, offset, flags, position, payload));
        let rest = must_decode(codec, offset, &block.bytes, flags, position, payload);
        assert!(rest.is_empty());
    }
}

#[test]
fn the_batches_are_the_ones_in_the_document() {
    for name in ["batch", "compact-batch"] {
        the_batch_is_the_one_in(&block(name));
    }
}

fn the_batch_is_the_one_in(block: &Block) {
    let codec = codec(block);
    let payloads: Vec<&[u8]> = block.text("payloads").split(',').map(str::as_bytes).collect();
    let (offset, first) = (block.number("offset"), block.number32("position"));
    let flags = |index: usize| Flags { more: index + 1 < payloads.len(), ..Flags::default() };
    let mut bytes = Vec::new();
    for (index, (position, payload)) in (first..).zip(&payloads).enumerate() {
        let offset = offset + bytes.len() as u64;
        bytes.extend(frame(codec, offset, flags(index), position, payload));
    }
    block.must_be(&bytes);
    let mut rest = block.bytes.as_slice();
    for (index, (position, payload)) in (first..).zip(&payloads).enumerate() {
        let offset = offset + (block.bytes.len() - rest.len()) as u64;
        rest = must_decode(codec, offset, rest, flags(index), position, payload);
    }
    assert!(rest.is_empty());
}

#[test]
fn control_frames_are_the_ones_in_the_document() {
    let blocks = blocks_named("control-");
    assert_eq!(blocks.len(), 6, "every kind has a vector");
    for block in blocks.into_iter().chain(blocks_named("compact-control-")) {
        let control = match block.name.trim_start_matches("compact-") {
            "control-close" => Control::Close,
            "control-prune" => Control::Prune { oldest: block.number32("oldest") },
            "control-checkpoint" => Control::Checkpoint {
                generation: block.number32("generation"),
                last_id: block.number("last_id"),
            },
            "control-mark" => Control::Mark,
            "control-resume" => Control::Resume { dead_from: block.number32("dead_from") },
            "control-end" => Control::End {
                chunks: block.number32("chunks"),
                bytes: block.number("bytes"),
                chain: block.number32("chain"),
            },
            other => panic!("no kind {other}"),
        };
        let (payload, length) = control.encode();
        let payload = &payload[..length];
        let (codec, flags) = (codec(&block), flags(&block));
        let (offset, position) = (block.number("offset"), block.number32("position"));
        block.must_be(&frame(codec, offset, flags, position, payload));
        let rest = must_decode(codec, offset, &block.bytes, flags, position, payload);
        assert!(rest.is_empty());
        assert_eq!(Control::decode(payload), Ok(control), "{}", block.name);
    }
}
