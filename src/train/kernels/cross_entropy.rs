//! Softmax cross-entropy: loss = ln Σ eᶻ − z[target], and its gradient in place of the logits.

use super::simd::{LANES, add_lanes, counted, exp, largest, padded, vectorised};
use crate::corpus::NOT_COUNTED;

vectorised! {
    /// Loss in nats of every row of `logits` [rows, V], which keep nothing of use; 0 of a row whose target is not counted.
    pub(crate) fn losses(logits: &mut [f32], targets: &[u32], vocabulary: usize, losses: &mut [f32]) {
        for ((z, target), loss) in logits.chunks_exact_mut(vocabulary).zip(targets).zip(losses) {
            if *target == NOT_COUNTED {
                *loss = 0.0;
                continue;
            }
            let of_target = z[*target as usize];
            let top = largest(z);
            *loss = exp_sum::<FMA>(z, top).ln() + top - of_target;
        }
    }

    /// As [`losses`]; the logits become their gradient, scale·(softmax(z) − one-hot(target)).
    pub(crate) fn losses_and_gradient(logits: &mut [f32], targets: &[u32], vocabulary: usize, scale: f32, losses: &mut [f32]) {
        for ((z, target), loss) in logits.chunks_exact_mut(vocabulary).zip(targets).zip(losses) {
            if *target == NOT_COUNTED {
                *loss = 0.0;
                z.fill(0.0);
                continue;
            }
            let target = *target as usize;
            let of_target = z[target];
            let top = largest(z);
            let sum = exp_sum::<FMA>(z, top);
            *loss = sum.ln() + top - of_target;
            let factor = scale / sum;
            z.iter_mut().for_each(|p| *p = counted(*p * factor));
            z[target] -= scale;
        }
    }
}

/// Multiplies the gradient of every row of logits [rows, V] and its loss by the weight of the row.
pub(crate) fn weigh(gradient: &mut [f32], weights: &[f32], vocabulary: usize, losses: &mut [f32]) {
    for ((row, weight), loss) in gradient.chunks_exact_mut(vocabulary).zip(weights).zip(losses) {
        row.iter_mut().for_each(|number| *number = counted(*number * weight));
        *loss *= weight;
    }
}

/// Whether the target of every row of `logits` [rows, V] is the likeliest token; a target that is not counted is not.
pub(crate) fn hits(logits: &[f32], targets: &[u32], vocabulary: usize) -> impl Iterator<Item = bool> {
    let hit = |(z, target): (&[f32], &u32)| *target != NOT_COUNTED && z[*target as usize] >= largest(z);
    logits.chunks_exact(vocabulary).zip(targets).map(hit)
}

/// Replaces z by e^(z − top) and adds up. A row without a finite top yields NaN, so that a broken run is seen.
#[inline(always)]
fn exp_sum<const FMA: bool>(z: &mut [f32], top: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (wide, rest) = z.as_chunks_mut::<LANES>();
    for chunk in wide {
        for i in 0..LANES {
            chunk[i] = exp::<FMA>(chunk[i] - top);
            lanes[i] += chunk[i];
        }
    }
    if !rest.is_empty() {
        // The filler's exponential is 0.
        let mut chunk = padded(rest, f32::NEG_INFINITY);
        for i in 0..LANES {
            chunk[i] = exp::<FMA>(chunk[i] - top);
            lanes[i] += chunk[i];
        }
        rest.copy_from_slice(&chunk[..rest.len()]);
    }
    add_lanes(lanes)
}
