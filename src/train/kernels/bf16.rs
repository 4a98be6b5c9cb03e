//! Numbers of 16 bits with eight of mantissa and the exponents of f32, two consecutive terms of a sum side by side in 32 bits (the earlier
//! one below), as processors multiply them. Sums stay f32 (Kalamkar et al. 2019, arXiv 1905.12322).

/// Two bf16 numbers, terms 2l and 2l + 1 of a sum.
pub(super) type Pair = u32;

/// What multiplies pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Tiles of 16 by 16 sums (Intel, from Sapphire Rapids on).
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "x86 has it"))]
    Amx,
    /// Registers of 16 sums (AMD from Zen 4 on, Intel from Cooper Lake on).
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "x86 has it"))]
    Avx512,
    /// A loop over numbers: what the others are held against.
    #[cfg_attr(not(test), expect(dead_code, reason = "a reference for tests, too slow to train with"))]
    Scalar,
}

impl Unit {
    /// The fastest that this processor, its system and this program have.
    pub(crate) fn of_processor() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            if super::amx::granted() {
                return Some(Self::Amx);
            }
            if super::simd::width() == super::simd::Width::Avx512 && is_x86_feature_detected!("avx512bf16") {
                return Some(Self::Avx512);
            }
        }
        None
    }

    /// As a record names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512 => "avx512_bf16",
            Self::Scalar => "scalar",
        }
    }

    /// What a number of pairs is filled up to a multiple of.
    const fn pairs(self) -> usize {
        if matches!(self, Self::Amx) { 16 } else { 1 }
    }

    /// What a number of rows of a left factor is filled up to a multiple of.
    const fn rows(self) -> usize {
        if matches!(self, Self::Amx) { 32 } else { 1 }
    }

    /// Pairs of a sum of so many terms, those of 0 that fill it up included.
    pub(super) fn pairs_of(self, terms: usize) -> usize {
        terms.div_ceil(2).next_multiple_of(self.pairs())
    }

    /// Rows that a left factor of so many has room for.
    pub(super) fn rows_of(self, rows: usize) -> usize {
        rows.next_multiple_of(self.rows())
    }
}

/// The nearest bf16 number in the upper half, of two that are equally near the even one; NaN stays NaN.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    let quiet = bits | 0x0040_0000;
    if x.is_nan() { quiet } else { nearest }
}

#[inline(always)]
pub(super) fn pair(first: f32, second: f32) -> Pair {
    (rounded(first) >> 16) | (rounded(second) & 0xffff_0000)
}

/// The two numbers of a pair.
pub(super) fn halves(pair: Pair) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}
