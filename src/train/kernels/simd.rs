//! One source, several instruction sets: `vectorised!` compiles a function for AVX-512, AVX2 and the
//! plain target, and calls the widest that the processor has. The bodies are plain loops over slices that the
//! compiler vectorises; sums keep sixteen partial sums, because floating-point sums are never reordered by it.

/// Defines functions whose body is compiled once for each instruction set. Inside, `FMA` says whether
/// a multiply-add is one instruction (hand it on to the helpers below), `WIDE` whether there are 32 registers of sixteen numbers.
macro_rules! vectorised {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)+) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "a kernel takes its buffers one by one")]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, unused, reason = "as above; not every kernel multiplies and adds")]
            fn body<const FMA: bool, const WIDE: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn with_avx512($($arg: $ty),*) $(-> $ret)? { body::<true, true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn with_avx2($($arg: $ty),*) $(-> $ret)? { body::<true, false>($($arg),*) }
                match $crate::train::kernels::simd::width() {
                    // SAFETY: the processor was asked and has these instructions.
                    $crate::train::kernels::simd::Width::Avx512 => return unsafe { with_avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::train::kernels::simd::Width::Avx2 => return unsafe { with_avx2($($arg),*) },
                    $crate::train::kernels::simd::Width::Plain => {}
                }
            }
            body::<{ cfg!(target_arch = "aarch64") }, false>($($arg),*)
        }
    )+};
}
pub(crate) use vectorised;

/// The instruction sets that functions are compiled for.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Avx512,
    Avx2,
    Plain,
}

/// The widest that this processor has.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn width() -> Width {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    match (avx2, avx512) {
        (true, true) => Width::Avx512,
        (true, false) => Width::Avx2,
        _ => Width::Plain,
    }
}

/// Columns of a tile of a product, two registers of the widest kind; `None` where no tiles are made for this processor.
pub(super) fn tile_columns() -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return match width() {
        Width::Avx512 => Some(2 * LANES),
        Width::Avx2 => Some(LANES),
        Width::Plain => None,
    };
    // Untested: thirty-two registers of four numbers.
    #[cfg(not(target_arch = "x86_64"))]
    cfg!(target_arch = "aarch64").then_some(LANES)
}

/// Partial sums of a reduction: one AVX-512 register, two of AVX2.
pub(crate) const LANES: usize = 16;

/// a·b + c, in one rounding where that is one instruction.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The size from which on a number counts, 2^-60: what kernels write is 0 or at least that large (second moments apart).
///
/// So no product of two such numbers is denormal (2^-120, where denormals begin below 2^-126), and no sum of them (they are whole multiples
/// of 2^-83). A processor may take a hundred cycles for an operation that reads or makes a denormal, and a softmax whose tail
/// is 1e-38 makes one of every product with that tail. What is lost is a ten-billionth of the rounding of a number of order one.
pub(crate) const LEAST: f32 = 1.0 / (1u64 << 60) as f32;

/// The number, or 0 where it is too small to count; NaN stays NaN. A select, so loops over it vectorise.
#[inline(always)]
pub(crate) fn counted(x: f32) -> f32 {
    if x.abs() < LEAST { 0.0 } else { x }
}

/// Adds up sixteen partial sums, always in the same tree.
#[inline(always)]
pub(crate) fn add_lanes(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The last few numbers of a row, filled up to a whole array.
#[inline(always)]
pub(crate) fn padded(rest: &[f32], filler: f32) -> [f32; LANES] {
    let mut lanes = [filler; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

/// Σ aᵢ·bᵢ.
#[inline(always)]
pub(crate) fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_wide, a_rest) = a.as_chunks::<LANES>();
    let (b_wide, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_wide.iter().zip(b_wide) {
        for i in 0..LANES {
            lanes[i] = fma::<FMA>(a[i], b[i], lanes[i]);
        }
    }
    for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[i] = fma::<FMA>(*a, *b, lanes[i]);
    }
    add_lanes(lanes)
}

/// Largest of the values, −∞ of none; a NaN is passed over.
#[inline(always)]
pub(crate) fn largest(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut take = |chunk: &[f32; LANES]| {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    };
    let (wide, rest) = values.as_chunks::<LANES>();
    wide.iter().for_each(&mut take);
    take(&padded(rest, f32::NEG_INFINITY));
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = if lanes[i + width] > lanes[i] { lanes[i + width] } else { lanes[i] };
        }
        width /= 2;
    }
    lanes[0]
}

/// eˣ to within 2 units in the last place for x up to 88, flat beyond, and 0 where it is less than [`LEAST`]; NaN stays NaN.
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; eʳ by its Taylor polynomial of degree 6 (remainder at most
/// r⁷/5040 = 1.2e-7), 2ⁿ put together from bits. No branches, so loops over it vectorise.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5·2²³ leaves the nearest whole number in the low bits.
    const ROUNDER: f32 = 12_582_912.0;
    const LN_LEAST: f32 = -60.0 * std::f32::consts::LN_2;
    // ln 2 in two parts, the first with few enough bits that n·LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > 88.0 { 88.0 } else { x };
    let clamped = if clamped < LN_LEAST { LN_LEAST } else { clamped };
    let shifted = fma::<FMA>(clamped, std::f32::consts::LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = fma::<FMA>(n, -LN2_LOW, fma::<FMA>(n, -LN2_HIGH, clamped));
    let mut p = fma::<FMA>(1.0 / 720.0, r, 1.0 / 120.0);
    p = fma::<FMA>(p, r, 1.0 / 24.0);
    p = fma::<FMA>(p, r, 1.0 / 6.0);
    p = fma::<FMA>(p, r, 0.5);
    p = fma::<FMA>(p, r, 1.0);
    p = fma::<FMA>(p, r, 1.0);
    let two_to_n = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < LN_LEAST { 0.0 } else { p * two_to_n }
}

#[cfg(test)]
mod tests {
    use super::*;

    vectorised! {
        fn exp_all(values: &mut [f32]) {
            values.iter_mut().for_each(|x| *x = exp::<FMA>(*x));
        }
    }

    #[test]
    fn the_exponential_is_right_to_a_few_parts_in_ten_million() {
        let points: Vec<f32> = (-4158..=8800).map(|i| i as f32 * 0.01 + 0.003_1).collect();
        let mut found = points.clone();
        exp_all(&mut found);
        for (x, y) in points.iter().zip(&found) {
            let expected = f64::from(x.min(88.0)).exp();
            assert!((f64::from(*y) / expected - 1.0).abs() < 3e-7, "exp({x}) = {y}, not {expected}");
            let plain = exp::<false>(*x);
            assert!((f64::from(plain) / expected - 1.0).abs() < 3e-7, "exp({x}) = {plain}, not {expected}");
        }
        assert!(exp::<true>(f32::NAN).is_nan() && counted(f32::NAN).is_nan());
    }

    #[test]
    fn what_does_not_count_is_0() {
        for x in [-41.59, -50.0, -87.5, -1e30, f32::NEG_INFINITY] {
            assert_eq!([exp::<true>(x), exp::<false>(x)], [0.0; 2], "exp({x})");
        }
        let edge = [LEAST, -LEAST, 1.0, f32::INFINITY];
        assert_eq!(edge.map(counted), edge);
        assert_eq!([LEAST.next_down(), -LEAST.next_down(), f32::MIN_POSITIVE / 2.0, 0.0].map(counted), [0.0; 4]);
        // Neither products nor sums are denormal.
        const { assert!(LEAST * LEAST >= f32::MIN_POSITIVE && LEAST * f32::EPSILON >= f32::MIN_POSITIVE) };
    }

    #[test]
    fn dots_and_maxima_of_any_length_are_right() {
        for n in [0usize, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin()).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.3).cos()).collect();
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(dot::<true>(&a, &b)) - expected).abs() < 1e-5);
            assert_eq!(largest(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
