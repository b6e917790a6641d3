//! CRC-32C by products of vectors: four lanes of 64 bytes each, folded forward over what follows, for inputs that are not short.
//!
//! Must hold no `unsafe`: whoever calls it shows that the CPU has the instructions ([`Wide`](super::hardware::Wide)).
//!
//! Each half of 128 bits is carried over a distance by multiplying it by the power of x that the distance stands for; both products
//! fit the 128 bits at its end, where they are added (Gopal et al., "Fast CRC Computation for Generic Polynomials Using
//! PCLMULQDQ Instruction", Intel, 2009). What is left of the lanes in the end is fed to the crc32 instruction, which divides by P.
#![expect(
    clippy::as_conversions,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "constants, and the halves of registers; no value here comes from a disk"
)]

use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi32_si128,
    _mm_cvtsi128_si64, _mm_extract_epi64, _mm_set_epi64x, _mm_xor_si128, _mm256_castsi256_si128,
    _mm256_clmulepi64_epi128, _mm256_extracti128_si256, _mm256_set_epi64x, _mm256_xor_si256,
    _mm512_castsi512_si256, _mm512_clmulepi64_epi128, _mm512_extracti64x4_epi64, _mm512_set_epi64,
    _mm512_ternarylogic_epi64, _mm512_xor_si512, _mm512_zextsi128_si512,
};

use super::hardware::load;
use super::lanes::{self, Instructions, power_of_x};

/// Bytes of a vector.
const VECTOR_BYTES: usize = 64;
const VECTORS: usize = 4;
const STRIDE_BYTES: usize = VECTORS * VECTOR_BYTES;
/// Three operands' exclusive or, as a table of truth.
const XOR_OF_THREE: i32 = 0x96;

/// What carries the lower and the upper half of 128 bits over a distance.
type Factors = (i64, i64);

/// The lower half stands for the higher powers of x. The reflected product is short by one power, which the factors leave out.
const fn over(bits: usize) -> Factors {
    (factor(bits + 63), factor(bits - 1))
}

const fn factor(power: usize) -> i64 {
    ((power_of_x(power) as u64) << 32) as i64
}

const OVER_STRIDE: Factors = over(8 * STRIDE_BYTES);
const OVER_512: Factors = over(512);
const OVER_256: Factors = over(256);
const OVER_128: Factors = over(128);

/// Continues a CRC-32C.
#[target_feature(enable = "avx512f,vpclmulqdq,pclmulqdq,sse4.2")]
pub(super) fn update(cpu: impl Instructions, seed: u32, bytes: &[u8]) -> u32 {
    let (vectors, rest) = bytes.as_chunks::<VECTOR_BYTES>();
    let Some((first, vectors)) = vectors.split_first() else {
        return lanes::one(cpu, seed, rest);
    };
    let register = _mm512_zextsi128_si512(_mm_cvtsi32_si128(!seed as i32));
    let first = _mm512_xor_si512(load(first), register);
    let (mut folded, vectors) = fold_strides(first, vectors);
    for vector in vectors {
        folded = fold(folded, same(OVER_512), load(vector));
    }
    lanes::one(cpu, !(reduce(folded) as u32), rest)
}

/// Folds as many whole strides as there are, the first of which begins with `first`, into one vector; the vectors that are left.
#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn fold_strides(
    first: __m512i,
    vectors: &[[u8; VECTOR_BYTES]],
) -> (__m512i, &[[u8; VECTOR_BYTES]]) {
    let Some(([b, c, d], vectors)) = vectors.split_first_chunk::<{ VECTORS - 1 }>() else {
        return (first, vectors);
    };
    let [mut a, mut b, mut c, mut d] = [first, load(b), load(c), load(d)];
    let (strides, vectors) = vectors.as_chunks::<VECTORS>();
    let factors = same(OVER_STRIDE);
    for stride in strides {
        a = fold(a, factors, load(&stride[0]));
        b = fold(b, factors, load(&stride[1]));
        c = fold(c, factors, load(&stride[2]));
        d = fold(d, factors, load(&stride[3]));
    }
    let factors = same(OVER_512);
    (fold(fold(fold(a, factors, b), factors, c), factors, d), vectors)
}

/// The remainder of a vector.
#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq,pclmulqdq,sse4.2")]
fn reduce(vector: __m512i) -> u64 {
    let (low, high) = (_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64::<1>(vector));
    let half = fold_256(low, high);
    let (low, high) = (_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
    let quarter = fold_128(low, high);
    let register = _mm_crc32_u64(0, _mm_cvtsi128_si64(quarter) as u64);
    _mm_crc32_u64(register, _mm_extract_epi64::<1>(quarter) as u64)
}

/// Carries each 128 bits of `vector` over a distance, to those of `to`.
#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn fold(vector: __m512i, factors: __m512i, to: __m512i) -> __m512i {
    let low = _mm512_clmulepi64_epi128::<0x00>(vector, factors);
    let high = _mm512_clmulepi64_epi128::<0x11>(vector, factors);
    _mm512_ternarylogic_epi64::<XOR_OF_THREE>(low, high, to)
}

#[inline]
#[target_feature(enable = "avx512f,vpclmulqdq")]
fn fold_256(vector: __m256i, to: __m256i) -> __m256i {
    let (low, high) = OVER_256;
    let factors = _mm256_set_epi64x(high, low, high, low);
    let low = _mm256_clmulepi64_epi128::<0x00>(vector, factors);
    let high = _mm256_clmulepi64_epi128::<0x11>(vector, factors);
    _mm256_xor_si256(_mm256_xor_si256(low, high), to)
}

#[inline]
#[target_feature(enable = "pclmulqdq,sse4.2")]
fn fold_128(vector: __m128i, to: __m128i) -> __m128i {
    let (low, high) = OVER_128;
    let factors = _mm_set_epi64x(high, low);
    let low = _mm_clmulepi64_si128::<0x00>(vector, factors);
    let high = _mm_clmulepi64_si128::<0x11>(vector, factors);
    _mm_xor_si128(_mm_xor_si128(low, high), to)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn same((low, high): Factors) -> __m512i {
    _mm512_set_epi64(high, low, high, low, high, low, high, low)
}
