//! AdamW over flat buffers in one pass, the clipping of the gradient folded in, and the sum of squares that decides it.

use super::simd::{LEAST, counted, fma, vectorised};
use crate::train::adamw::Update;

/// A smaller gradient is 0 to both moments, 2^-50: its square would come near the denormals, and a first moment without a second
/// would be divided by ε alone.
const LEAST_GRADIENT: f32 = 1.0 / (1u64 << 50) as f32;

/// A smaller second moment is 0, 2^-120: so that one decays to 0 and not to a denormal.
const LEAST_SQUARE: f32 = LEAST * LEAST;

vectorised! {
    /// Σ g² in f64, eight partial sums in a fixed order.
    pub(crate) fn sum_of_squares(gradient: &[f32]) -> f64 {
        let mut lanes = [0.0f64; 8];
        let (wide, rest) = gradient.as_chunks::<8>();
        for chunk in wide {
            for i in 0..8 {
                lanes[i] += f64::from(chunk[i]) * f64::from(chunk[i]);
            }
        }
        for (lane, g) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(*g) * f64::from(*g);
        }
        lanes.iter().sum()
    }

    /// The formula of [`Update`] on one range of parameters.
    pub(crate) fn update(step: &Update, weights: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
        let clip = step.clip as f32;
        let (beta1, beta2) = (step.beta1 as f32, step.beta2 as f32);
        let (rest1, rest2) = ((1.0 - step.beta1) as f32, (1.0 - step.beta2) as f32);
        let (rate, root_correction, eps) = (step.rate as f32, step.root_correction as f32, step.eps as f32);
        let keep = (1.0 - step.decay) as f32;
        for (((w, g), m), v) in weights.iter_mut().zip(gradient).zip(mean).zip(square) {
            let g = *g * clip;
            let g = if g.abs() < LEAST_GRADIENT { 0.0 } else { g };
            *m = counted(fma::<FMA>(*m, beta1, g * rest1));
            let square = fma::<FMA>(*v, beta2, g * g * rest2);
            *v = if square < LEAST_SQUARE { 0.0 } else { square };
            let denominator = fma::<FMA>(v.sqrt(), root_correction, eps);
            *w = counted(fma::<FMA>(*w, keep, -(rate * *m / denominator)));
        }
    }
}
