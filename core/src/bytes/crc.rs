//! CRC-32C.

/// Computes CRC-32C.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crc;

static TABLE: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

impl Crc {
    pub(crate) fn detect() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn update(self, seed: u32, bytes: &[u8]) -> u32 {
        let mut digest = TABLE.digest_with_initial((!seed).reverse_bits());
        digest.update(bytes);
        digest.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn vector_and_chaining() {
        let crc = Crc::detect();
        assert_eq!(crc.update(0, b"123456789"), 0xE306_9283);
        assert_eq!(crc.update(crc.update(0, b"1234"), b"56789"), 0xE306_9283);
    }
}
