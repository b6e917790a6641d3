//! Runs the second part of an input: what is done to the files of a log, past the checksums where the fuzzer likes.

use durability_core::storage::{Directory, MemoryDirectory, Name};

use crate::directory::{put, read};
use crate::format::{Frames, Kind, put_at, seal_header, u32_at};
use crate::input::Input;

const STEPS_MAX: usize = 12;

/// Damages files until the input is used up. Returns whether anything was done.
pub(crate) fn anything(dir: &MemoryDirectory, input: &mut Input<'_>) -> bool {
    let mut damaged = false;
    for _ in 0..STEPS_MAX {
        let names = dir.names();
        if input.is_empty() || names.is_empty() {
            break;
        }
        damaged = true;
        let name = names[input.below(names.len())].as_str();
        let mut bytes = read(dir, name);
        match input.byte() % 16 {
            0..=2 => flip(&mut bytes, input),
            3 => overwrite(&mut bytes, input),
            4 => zero(&mut bytes, input),
            5 => bytes.truncate(input.below(bytes.len() + 1)),
            6 => {
                let fill = input.pick(&[0, 0xFF, 0xA5]);
                bytes.resize(bytes.len() + usize::from(input.byte()) * 4, fill);
            }
            7 => {
                let other = names[input.below(names.len())].as_str();
                let theirs = read(dir, other);
                put(dir, other, std::mem::replace(&mut bytes, theirs));
            }
            8 => {
                let _ = dir.remove(Name::new(name).unwrap());
                continue;
            }
            9 => {
                let number = u32::from(input.byte()) % 40 + 1;
                let (folder, extension) = (name.rsplit_once('/'), name.rsplit_once('.'));
                if let (Some((folder, _)), Some((_, extension))) = (folder, extension) {
                    put(dir, &format!("{folder}/{number:08X}.{extension}"), bytes.clone());
                }
            }
            10 | 11 => header_field(Kind::of(name), &mut bytes, input),
            12..=14 => frame_field(Kind::of(name), &mut bytes, input),
            _ => move_frame(Kind::of(name), &mut bytes, input),
        }
        put(dir, name, bytes);
    }
    damaged
}

/// Damages files in ways that no checksum misses: at most three flipped bits in all, and cut, zeroed and missing bytes.
pub(crate) fn plainly(dir: &MemoryDirectory, input: &mut Input<'_>) {
    let mut flips = 3;
    for _ in 0..STEPS_MAX {
        let names = dir.names();
        if input.is_empty() || names.is_empty() {
            break;
        }
        let name = names[input.below(names.len())].as_str();
        let mut bytes = read(dir, name);
        match input.byte() % 6 {
            0..=2 if flips > 0 => {
                flips -= 1;
                flip(&mut bytes, input);
            }
            3 => zero(&mut bytes, input),
            4 => bytes.truncate(input.below(bytes.len() + 1)),
            5 => {
                let _ = dir.remove(Name::new(name).unwrap());
                continue;
            }
            _ => {}
        }
        put(dir, name, bytes);
    }
}

fn flip(bytes: &mut [u8], input: &mut Input<'_>) {
    let at = input.below(bytes.len());
    let bit = input.byte() % 8;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

fn overwrite(bytes: &mut [u8], input: &mut Input<'_>) {
    let at = input.below(bytes.len());
    let length = input.below(16);
    let length = length.min(bytes.len() - at);
    let with = input.take(length);
    put_at(bytes, at, with);
}

fn zero(bytes: &mut [u8], input: &mut Input<'_>) {
    let at = input.below(bytes.len());
    let length = usize::from(input.byte()) + 1;
    let end = (at + length).min(bytes.len());
    bytes[at..end].fill(0);
}

/// Changes a field of the header, and puts the checksum right, unless the fuzzer likes it wrong.
fn header_field(kind: Kind, bytes: &mut [u8], input: &mut Input<'_>) {
    let at = input.pick(&[8, 10, 11, 12, 16, 24, 28, 32, 40, 48, 52, 56, 60]);
    let field = match input.byte() % 3 {
        0 => u32::from(input.byte()).to_le_bytes(),
        1 => u32_at(bytes, at).wrapping_add(u32::from(input.byte())).wrapping_sub(8).to_le_bytes(),
        _ => input.long().to_le_bytes(),
    };
    let width = if at < 12 { 1 } else { 4 };
    put_at(bytes, at, &field[..width]);
    if input.byte() % 4 > 0 {
        seal_header(bytes, kind);
    }
}

/// Changes a field of a frame or its payload, and puts the checksums right, unless the fuzzer likes them wrong.
fn frame_field(kind: Kind, bytes: &mut [u8], input: &mut Input<'_>) {
    let frames = Frames::of(kind, bytes);
    let places = frames.places(bytes);
    if places.is_empty() {
        return;
    }
    let at = places[input.below(places.len())];
    match input.byte() % 5 {
        0 => {
            // The flags.
            frames.flip_flags(bytes, at, 1 << (28 + input.byte() % 4));
        }
        1 => {
            let length = input.pick(&[0, 1, 8, 16, 20, 1024, 1025, 0xFFFF, 0x0FFF_FFFF]);
            frames.put_length(bytes, at, length);
        }
        2 => {
            let position = u32_at(bytes, at + 4).wrapping_add(input.byte().into()).wrapping_sub(4);
            put_at(bytes, at + 4, &position.to_le_bytes());
        }
        3 => {
            // The kind of a control frame, or the beginning of an entry.
            let count = input.below(20);
            let with = input.take(count);
            put_at(bytes, at + frames.head_bytes(), with);
        }
        _ => {}
    }
    if input.byte() % 4 > 0 {
        frames.seal(bytes, at);
    }
}

/// Copies a frame to where another begins, or behind the last, and puts its checksums right for that place.
fn move_frame(kind: Kind, bytes: &mut Vec<u8>, input: &mut Input<'_>) {
    let frames = Frames::of(kind, bytes);
    let mut places = frames.places(bytes);
    if places.is_empty() {
        return;
    }
    let from = places[input.below(places.len())];
    let frame = bytes[from..(from + 64).min(bytes.len())].to_vec();
    places.push(bytes.len().next_multiple_of(frames.align));
    let to = places[input.below(places.len())];
    bytes.resize(bytes.len().max(to + frame.len()), 0);
    put_at(bytes, to, &frame);
    if input.byte() % 4 > 0 {
        frames.seal(bytes, to);
    }
}
