//! Records of random bytes.

/// Bytes that the records are cut from: more than a first-level cache, less than a second-level one.
const POOL_BYTES: usize = 256 << 10;

/// Records of one size, cut from a pool of random bytes.
#[derive(Debug)]
pub struct Records {
    pool: Vec<u8>,
    bytes: usize,
}

impl Records {
    /// Records of that many bytes, at most 64 KiB; the same ones in every run.
    pub fn new(bytes: usize) -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut pool = Vec::with_capacity(POOL_BYTES + bytes);
        while pool.len() < POOL_BYTES + bytes {
            // xorshift64*: Marsaglia 2003, Vigna 2016
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            pool.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        Self { pool, bytes }
    }

    /// Bytes of each record.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Record number `index`.
    #[inline]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.wrapping_mul(self.bytes) % POOL_BYTES;
        self.pool.get(start..start + self.bytes).unwrap_or_default()
    }

    /// Record after record, until there are that many bytes.
    pub fn fill(&self, bytes: usize) -> Vec<u8> {
        let mut all = Vec::with_capacity(bytes + self.bytes);
        for index in 0.. {
            if all.len() >= bytes {
                break;
            }
            all.extend_from_slice(self.get(index));
        }
        all
    }

    /// How many of them make that many bytes of payload; at least one.
    pub fn count_for(&self, bytes: usize) -> usize {
        (bytes / self.bytes).max(1)
    }
}
