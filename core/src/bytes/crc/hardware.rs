//! The CPU instructions behind CRC-32C: the only `unsafe` of this crate.
//!
//! Must hold nothing but single instructions, the call of what is compiled for more of them, and the proof that the CPU has them: a [`Hardware`] or a
//! [`Wide`] exists only where that is known.
#![allow(unsafe_code, reason = "an instruction that not every CPU of the architecture has")]

pub(super) use cpu::Hardware;
pub(super) use vectors::Wide;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
pub(super) use vectors::load;

#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
mod vectors {
    use core::arch::x86_64::{__m512i, _mm512_loadu_si512};

    use super::super::wide;
    use super::Hardware;

    cpufeatures::new!(features, "avx512f", "vpclmulqdq", "pclmulqdq", "sse4.2");

    /// Proof that this CPU has AVX-512F and VPCLMULQDQ, and the system keeps their registers.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Wide(Hardware);

    impl Wide {
        /// The only constructor.
        pub(in super::super) fn detect() -> Option<Self> {
            if features::get() { Hardware::detect().map(Self) } else { None }
        }

        /// See [`wide::update`].
        pub(in super::super) fn update(self, seed: u32, bytes: &[u8]) -> u32 {
            // SAFETY: a `self` exists only where the CPU has all features that the function is compiled for (`detect`), and
            // that is all that it asks.
            unsafe { wide::update(self.0, seed, bytes) }
        }
    }

    /// A vector from memory. Put together from its words, it is four loads and three moves.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: reads the 64 bytes that the reference stands for; no alignment is asked.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2", not(miri))))]
mod vectors {
    /// There is none: no value of this type exists.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) enum Wide {}

    impl Wide {
        /// Never.
        pub(in super::super) const fn detect() -> Option<Self> {
            None
        }

        pub(in super::super) fn update(self, _: u32, _: &[u8]) -> u32 {
            match self {}
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod cpu {
    use core::arch::asm;
    use core::arch::x86_64::{_mm_cvtsi32_si128, _mm_cvtsi128_si64};

    use super::super::lanes::Instructions;

    cpufeatures::new!(features, "sse4.2", "pclmulqdq");

    /// Proof that this CPU has SSE4.2 and PCLMULQDQ.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Hardware(());

    impl Hardware {
        /// The only constructor.
        pub(in super::super) fn detect() -> Option<Self> {
            features::get().then_some(Self(()))
        }
    }

    // Assembly instead of `_mm_crc32_u64`: functions with a target feature are not inlined into ones without, and the
    // call doubles the time of a short record.
    //
    // SAFETY of all blocks: a `self` exists only where the CPU has the instruction (`detect`). Each is one
    // instruction that reads and writes nothing but the registers named in its operands, neither memory, stack nor
    // flags, and gives the same for the same operands.
    #[expect(clippy::inline_always, reason = "one instruction each")]
    impl Instructions for Hardware {
        #[inline(always)]
        fn feed_u64(self, mut register: u64, word: u64) -> u64 {
            // SAFETY: above.
            unsafe {
                asm!(
                    "crc32 {register}, {word}", register = inout(reg) register, word = in(reg) word,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            register
        }

        #[inline(always)]
        fn feed_u32(self, mut register: u64, word: u32) -> u64 {
            // SAFETY: above. The 32-bit form clears the upper half.
            unsafe {
                asm!(
                    "crc32 {register:e}, {word:e}", register = inout(reg) register, word = in(reg) word,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            register
        }

        #[inline(always)]
        fn feed_u16(self, mut register: u64, word: u16) -> u64 {
            // SAFETY: above. The 32-bit form clears the upper half.
            unsafe {
                asm!(
                    "crc32 {register:e}, {word:x}", register = inout(reg) register, word = in(reg) word,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            register
        }

        #[inline(always)]
        fn feed_u8(self, mut register: u64, byte: u8) -> u64 {
            // SAFETY: above. The 32-bit form clears the upper half.
            unsafe {
                asm!(
                    "crc32 {register:e}, {byte}", register = inout(reg) register, byte = in(reg_byte) byte,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            register
        }

        #[inline(always)]
        fn multiply(self, a: u32, b: u32) -> u64 {
            // SAFETY: above, and the two moves are part of SSE2, which every x86_64 has.
            unsafe {
                let mut product = _mm_cvtsi32_si128(a.cast_signed());
                asm!(
                    "pclmulqdq {product}, {b}, 0", product = inout(xmm_reg) product,
                    b = in(xmm_reg) _mm_cvtsi32_si128(b.cast_signed()),
                    options(pure, nomem, nostack, preserves_flags),
                );
                _mm_cvtsi128_si64(product).cast_unsigned()
            }
        }
    }
}

#[cfg(all(target_arch = "aarch64", target_feature = "crc", target_feature = "aes", not(miri)))]
mod cpu {
    use core::arch::aarch64::{__crc32cb, __crc32cd, __crc32ch, __crc32cw, vmull_p64};

    use super::super::lanes::Instructions;

    /// Stands for the target features `crc` and `aes`, promised when this was compiled.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Hardware(());

    impl Hardware {
        /// Always there; without `std` there is no asking at run time.
        pub(in super::super) const fn detect() -> Option<Self> {
            Some(Self(()))
        }
    }

    // SAFETY of all blocks: whoever compiled this promised the CPU's `crc` and `aes` (the `cfg` above), and these
    // instructions touch registers only.
    #[expect(clippy::inline_always, reason = "one instruction each")]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the upper half of a register is zero, of a product too"
    )]
    impl Instructions for Hardware {
        #[inline(always)]
        fn feed_u64(self, register: u64, word: u64) -> u64 {
            // SAFETY: above.
            u64::from(unsafe { __crc32cd(register as u32, word) })
        }

        #[inline(always)]
        fn feed_u32(self, register: u64, word: u32) -> u64 {
            // SAFETY: above.
            u64::from(unsafe { __crc32cw(register as u32, word) })
        }

        #[inline(always)]
        fn feed_u16(self, register: u64, word: u16) -> u64 {
            // SAFETY: above.
            u64::from(unsafe { __crc32ch(register as u32, word) })
        }

        #[inline(always)]
        fn feed_u8(self, register: u64, byte: u8) -> u64 {
            // SAFETY: above.
            u64::from(unsafe { __crc32cb(register as u32, byte) })
        }

        #[inline(always)]
        fn multiply(self, a: u32, b: u32) -> u64 {
            // SAFETY: above.
            unsafe { vmull_p64(u64::from(a), u64::from(b)) as u64 }
        }
    }
}

#[cfg(any(
    miri,
    not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "crc", target_feature = "aes")
    ))
))]
mod cpu {
    use super::super::lanes::Instructions;

    /// There is none: no value of this type exists.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) enum Hardware {}

    impl Hardware {
        /// Never.
        pub(in super::super) const fn detect() -> Option<Self> {
            None
        }
    }

    impl Instructions for Hardware {
        fn feed_u64(self, _: u64, _: u64) -> u64 {
            match self {}
        }

        fn feed_u32(self, _: u64, _: u32) -> u64 {
            match self {}
        }

        fn feed_u16(self, _: u64, _: u16) -> u64 {
            match self {}
        }

        fn feed_u8(self, _: u64, _: u8) -> u64 {
            match self {}
        }

        fn multiply(self, _: u32, _: u32) -> u64 {
            match self {}
        }
    }
}
