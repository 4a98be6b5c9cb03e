//! RMSNorm (Zhang & Sennrich 1910.07467) fused with the residual sum before it:
//! x = a + b, r = 1/√(mean(x²) + ε), y = gain·x·r.

use super::simd::{counted, dot, fma, vectorised};
use crate::train::transformer::NORM_EPSILON;

/// 1/√(mean square + ε) of a row.
#[inline(always)]
pub(super) fn inverse_rms<const FMA: bool>(x: &[f32]) -> f32 {
    1.0 / (dot::<FMA>(x, x) / x.len() as f32 + NORM_EPSILON as f32).sqrt()
}

vectorised! {
    /// y = gain·x·r for every row of x [rows, d]; r goes to `inverse` [rows].
    pub(crate) fn norm(x: &[f32], gain: &[f32], y: &mut [f32], inverse: &mut [f32]) {
        let width = gain.len();
        for ((x, y), inverse) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(inverse) {
            let r = inverse_rms::<FMA>(x);
            *inverse = r;
            for ((y, x), g) in y.iter_mut().zip(x).zip(gain) {
                *y = counted(*x * r * *g);
            }
        }
    }

    /// x = a + b, then as [`norm`]. All but `gain` [d] and `inverse` [rows] are [rows, d].
    pub(crate) fn add_norm(a: &[f32], b: &[f32], gain: &[f32], x: &mut [f32], y: &mut [f32], inverse: &mut [f32]) {
        let width = gain.len();
        let rows = a.chunks_exact(width).zip(b.chunks_exact(width)).zip(x.chunks_exact_mut(width));
        for (((a, b), x), (y, inverse)) in rows.zip(y.chunks_exact_mut(width).zip(inverse)) {
            for ((x, a), b) in x.iter_mut().zip(a).zip(b) {
                *x = counted(*a + *b);
            }
            let r = inverse_rms::<FMA>(x);
            *inverse = r;
            for ((y, x), g) in y.iter_mut().zip(x.iter()).zip(gain) {
                *y = counted(*x * r * *g);
            }
        }
    }

    /// Backward of [`norm`]: with x̂ = x·r, dx += r·(gain·dy − x̂·mean(gain·dy·x̂)) and dgain += Σ_rows dy·x̂.
    pub(crate) fn norm_backward(dy: &[f32], x: &[f32], inverse: &[f32], gain: &[f32], dx: &mut [f32], dgain: &mut [f32]) {
        let width = gain.len();
        let rows = dy.chunks_exact(width).zip(x.chunks_exact(width)).zip(dx.chunks_exact_mut(width));
        for (((dy, x), dx), r) in rows.zip(inverse) {
            let pull = *r * *r * dot_of_three::<FMA>(dy, x, gain) / width as f32;
            for ((((dx, dy), x), g), dgain) in dx.iter_mut().zip(dy).zip(x).zip(gain).zip(dgain.iter_mut()) {
                *dgain = counted(fma::<FMA>(*dy, *x * *r, *dgain));
                *dx = counted(fma::<FMA>(*r, fma::<FMA>(*dy, *g, -(*x * pull)), *dx));
            }
        }
    }
}

/// Σ aᵢ·bᵢ·cᵢ.
#[inline(always)]
pub(super) fn dot_of_three<const FMA: bool>(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    use super::simd::{LANES, add_lanes};
    let mut lanes = [0.0f32; LANES];
    let ((a_wide, a_rest), (b_wide, b_rest), (c_wide, c_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>(), c.as_chunks::<LANES>());
    for ((a, b), c) in a_wide.iter().zip(b_wide).zip(c_wide) {
        for i in 0..LANES {
            lanes[i] = fma::<FMA>(a[i] * b[i], c[i], lanes[i]);
        }
    }
    for (i, ((a, b), c)) in a_rest.iter().zip(b_rest).zip(c_rest).enumerate() {
        lanes[i] = fma::<FMA>(*a * *b, *c, lanes[i]);
    }
    add_lanes(lanes)
}
