//! CRC-32C (Castagnoli), the checksum of every format here: by the CPU's instruction where there is one, by table otherwise.
//!
//! Must give the same value on every machine, and must never be taken for a protection against intent.

mod hardware;
mod lanes;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
mod wide;

use hardware::{Hardware, Wide};

/// Up to here one lane is the faster one: consecutive checksums overlap in the CPU, and joining lanes is not free.
const ONE_LANE_BYTES_MAX: usize = 255;

/// Continues a CRC-32C over `bytes`; `seed` is the CRC-32C of what came before, 0 at the start.
///
/// Reflected polynomial `0x82F63B78`, initial value and final complement of all ones: the checksum of iSCSI
/// (RFC 3720, section 12.1), ext4 and SCTP. Splitting the input changes nothing:
/// `crc32c(crc32c(0, a), b)` is `crc32c(0, ab)`.
///
/// The CPU's own instructions are used where they are found at run time (`x86_64`: SSE4.2 with PCLMULQDQ; for long inputs AVX-512F with VPCLMULQDQ) or promised at
/// compile time (`aarch64`: the target features `crc` and `aes`).
///
/// ```
/// use durability_core::crc32c;
/// assert_eq!(crc32c(0, b"123456789"), 0xE306_9283);
/// assert_eq!(crc32c(crc32c(0, b"1234"), b"56789"), 0xE306_9283);
/// ```
#[must_use]
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    Crc::detect().update(seed, bytes)
}

/// The way in which this machine computes a CRC-32C, found once and kept by whoever computes many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crc {
    hardware: Option<Hardware>,
    wide: Option<Wide>,
}

impl Crc {
    /// Asks the CPU. Cheap after the first time, but a record of 64 bytes takes 2 ns, so keep the answer.
    pub(crate) fn detect() -> Self {
        Self { hardware: Hardware::detect(), wide: Wide::detect() }
    }

    /// The way without the CPU's help, on every machine.
    #[cfg(test)]
    pub(crate) const fn portable() -> Self {
        Self { hardware: None, wide: None }
    }

    /// Continues a CRC-32C as [`crc32c`] does, inlined for short inputs.
    #[expect(clippy::inline_always, reason = "a call costs as much as the checksum of 32 bytes")]
    #[inline(always)]
    pub(crate) fn update(self, seed: u32, bytes: &[u8]) -> u32 {
        match self.hardware {
            Some(hardware) if bytes.len() <= ONE_LANE_BYTES_MAX => {
                lanes::one(hardware, seed, bytes)
            }
            _ => self.update_outlined(seed, bytes),
        }
    }

    #[inline(never)]
    fn update_outlined(self, seed: u32, bytes: &[u8]) -> u32 {
        match (self.wide, self.hardware) {
            (Some(wide), _) => wide.update(seed, bytes),
            (None, Some(hardware)) => lanes::three(hardware, seed, bytes),
            (None, None) => portable::update(seed, bytes),
        }
    }
}
