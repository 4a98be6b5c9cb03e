//! Exponential and logarithm in plain arithmetic without branches, so that compilers make vector instructions of loops over
//! them, and passes compiled for each width of registers. No fused multiply-add and no reordering: the bits are the same on
//! every machine.

/// A pass over many numbers, every function of which is inlined.
pub trait Pass {
    /// Type of the results.
    type Output;
    /// The pass by whatever instructions the caller is compiled for.
    fn run(self) -> Self::Output;
}

/// A pass by the widest registers that the processor has.
pub(crate) fn vectorised<P: Pass>(pass: P) -> P::Output {
    // Instructions for doubles and quadwords round as the portable ones do.
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512dq") {
        // SAFETY: the processor has AVX-512 with its instructions for doubles and quadwords.
        return unsafe { by_avx512(pass) };
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { by_avx2(pass) };
    }
    pass.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn by_avx512<P: Pass>(pass: P) -> P::Output {
    pass.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn by_avx2<P: Pass>(pass: P) -> P::Output {
    pass.run()
}

/// A pass by each kind of instructions that the processor has.
#[cfg(test)]
pub(crate) fn every_way<P: Pass>(pass: impl Fn() -> P) -> Vec<P::Output> {
    let mut ways = vec![pass().run()];
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        ways.push(unsafe { by_avx2(pass()) });
    }
    ways.push(vectorised(pass()));
    ways
}

// ln 2 in two parts (fdlibm): the first has trailing zeros, so that k·LN2_HIGH is exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5·2^52: adding it rounds to an integer that then stands in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// e^x, to 2 units in the last place; x is clamped to ±`limit`, of at most 700.
#[inline(always)]
pub(crate) fn exp_within(limit: f64, x: f64) -> f64 {
    // Taylor's series to degree 13: the next term is below 2^-57 for |r| ≤ ln 2 / 2.
    const SERIES: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    let x = x.clamp(-limit, limit);
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let k = rounded - ROUND;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut sum = SERIES[0];
    for coefficient in &SERIES[1..] {
        sum = sum * r + coefficient;
    }
    let power = f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52));
    (sum * r * r + r + 1.0) * power
}

/// e^x within ±300, so that sums and squares stay finite.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    exp_within(300.0, x)
}

/// ln x for normal positive x, to 2 units in the last place (fdlibm's `log`, reduced and summed without branches).
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    /// 2^52 as bits: an integer in its low bits, minus 2^52, is that integer as a number.
    const TWO_52: u64 = 0x4330_0000_0000_0000;
    let shifted = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits((shifted >> 52) | TWO_52) - (4_503_599_627_370_496.0 + 1023.0);
    let mantissa = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF));
    let f = mantissa - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (3.999_999_999_940_942e-1 + w * (2.222_219_843_214_978_4e-1 + w * 1.531_383_769_920_937_3e-1));
    let odd =
        z * (6.666_666_666_666_735e-1 + w * (2.857_142_874_366_239e-1 + w * (1.818_357_216_161_805e-1 + w * 1.479_819_860_511_658_6e-1)));
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + even + odd) + k * LN2_LOW)) - f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units_apart(left: f64, right: f64) -> u64 {
        left.to_bits().abs_diff(right.to_bits())
    }

    #[test]
    fn exp_is_that_of_the_library_to_two_units() {
        for i in -60_000..60_000 {
            let x = f64::from(i) * 0.004_987_3;
            let found = exp(x);
            assert!(units_apart(found, x.exp()) <= 2, "{x}: {found:e} {:e}", x.exp());
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(1e9).is_finite());
    }

    #[test]
    fn ln_is_that_of_the_library_to_two_units() {
        for i in -60_000..60_000 {
            let x = (f64::from(i) * 0.004_987_3).exp();
            let found = ln(x);
            // Near 1 the logarithm is small and its units are finer than those of x.
            assert!((found - x.ln()).abs() <= 4e-16 * x.ln().abs() + 1e-17, "{x}: {found:e} {:e}", x.ln());
        }
        assert_eq!(ln(1.0), 0.0);
    }
}
