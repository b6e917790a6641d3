//! How long a serial NOR flash chip takes: the typical figures that data sheets of 8 to 128 Mbit parts agree on.
//!
//! Must never know who asks.

/// Bytes in a page: a program goes no further.
const PAGE_BYTES: usize = 256;
/// The first byte of a page that is programmed.
const FIRST_BYTE_NS: u64 = 30_000;
/// Each further byte.
const NEXT_BYTE_NS: u64 = 2_500;
/// A whole page, and the most that a part of one takes.
const PAGE_NS: u64 = 400_000;
/// Command and address of a read.
const READ_NS: u64 = 1_000;
/// Each byte that is read.
const READ_BYTE_NS: u64 = 100;
/// A block of 4 KiB, as fast as is typical.
pub(crate) const ERASE_TYPICAL_NS: u64 = 45_000_000;
/// A block of 4 KiB, as slow as is allowed.
pub(crate) const ERASE_SLOW_NS: u64 = 400_000_000;

/// The model in one sentence, for the table.
pub(crate) const STATED: &str = "Timing model: a page of 256 bytes is programmed in 30 µs and 2.5 µs for each byte after the first, 0.4 ms at the most; \
     a 4 KiB block is erased in 45 ms, and in 400 ms at the worst; a read takes 1 µs and 0.1 µs a byte.";

/// The pages that a program touches, and how long it takes.
pub(crate) fn program(offset: usize, length: usize) -> (u64, u64) {
    let (mut at, end) = (offset, offset + length);
    let (mut pages, mut time) = (0, 0);
    while at < end {
        let next = end.min((at / PAGE_BYTES + 1) * PAGE_BYTES);
        let further = (next - at) as u64 - 1;
        time += (FIRST_BYTE_NS + further * NEXT_BYTE_NS).min(PAGE_NS);
        pages += 1;
        at = next;
    }
    (pages, time)
}

/// How long a read takes.
pub(crate) const fn read_ns(length: usize) -> u64 {
    READ_NS + length as u64 * READ_BYTE_NS
}
