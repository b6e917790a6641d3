//! Little-endian fields at named ranges of fixed arrays.
//!
//! The ranges are constants inside the arrays, so the bounds checks compile away; a range that did not fit would
//! read as zero and write nothing, never panic.

use core::ops::Range;

pub(crate) fn get_u16<const N: usize>(bytes: &[u8; N], at: Range<usize>) -> u16 {
    bytes.get(at).and_then(|field| field.try_into().ok()).map_or(0, u16::from_le_bytes)
}

pub(crate) fn get_u32<const N: usize>(bytes: &[u8; N], at: Range<usize>) -> u32 {
    bytes.get(at).and_then(|field| field.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(crate) fn get_u64<const N: usize>(bytes: &[u8; N], at: Range<usize>) -> u64 {
    bytes.get(at).and_then(|field| field.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(crate) fn get_u8<const N: usize>(bytes: &[u8; N], at: Range<usize>) -> u8 {
    bytes.get(at.start).copied().unwrap_or(0)
}

pub(crate) fn put<const N: usize>(bytes: &mut [u8; N], at: Range<usize>, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at)
        && place.len() == field.len()
    {
        place.copy_from_slice(field);
    }
}

/// Whether the bytes are room that was made ready and never written: all `00` or all `FF`.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    match bytes.first() {
        None => true,
        Some(&first) => (first == 0 || first == 0xFF) && is_all(bytes, first),
    }
}

fn is_all(bytes: &[u8], value: u8) -> bool {
    // Fixed chunks let the compiler compare whole vectors at once.
    let (chunks, rest) = bytes.as_chunks::<64>();
    chunks.iter().all(|chunk| *chunk == [value; 64]) && rest.iter().all(|&byte| byte == value)
}
