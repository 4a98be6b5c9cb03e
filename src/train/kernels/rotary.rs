//! Queries and keys made ready for attention in one pass: optional RMSNorm per head (Wortsman 2309.14322),
//! rotary positions (Su 2104.09864) and the factor 1/√h of the scores.

use super::norm::inverse_rms;
use super::simd::{fma, vectorised};

/// Where the heads lie in a row of numbers of one token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Heads in a row.
    pub(crate) count: usize,
    /// Numbers of one head, h.
    pub(crate) width: usize,
    /// Tokens of one sequence, T.
    pub(crate) context: usize,
    /// From one token to the next in the buffer as it comes from the matrix product.
    pub(crate) raw_stride: usize,
    /// From one token to the next in the rotated buffer.
    pub(crate) rotated_stride: usize,
    /// What rotated numbers are multiplied by.
    pub(crate) scale: f32,
}

vectorised! {
    /// rotated = scale·turn(position, gain·x·r). `gain` is empty where there is no norm; r goes to
    /// `inverse` [tokens, heads]. `cos`, `sin`: [T, h/2]. The slices begin at the first head of the first token.
    pub(crate) fn rotate(
        heads: Heads, tokens: usize, raw: &[f32], gain: &[f32], cos: &[f32], sin: &[f32], rotated: &mut [f32], inverse: &mut [f32],
    ) {
        let half = heads.width / 2;
        for token in 0..tokens {
            let position = token % heads.context * half;
            let (cos, sin) = (&cos[position..position + half], &sin[position..position + half]);
            for head in 0..heads.count {
                let at = token * heads.raw_stride + head * heads.width;
                let x = &raw[at..at + heads.width];
                let at = token * heads.rotated_stride + head * heads.width;
                let (first, second) = rotated[at..at + heads.width].split_at_mut(half);
                let (a, b) = x.split_at(half);
                if gain.is_empty() {
                    for i in 0..half {
                        let (c, s) = (cos[i] * heads.scale, sin[i] * heads.scale);
                        first[i] = fma::<FMA>(a[i], c, -(b[i] * s));
                        second[i] = fma::<FMA>(b[i], c, a[i] * s);
                    }
                } else {
                    let r = inverse_rms::<FMA>(x);
                    inverse[token * heads.count + head] = r;
                    let r = r * heads.scale;
                    let (gain_a, gain_b) = gain[..heads.width].split_at(half);
                    for i in 0..half {
                        let (a, b) = (a[i] * r * gain_a[i], b[i] * r * gain_b[i]);
                        first[i] = fma::<FMA>(a, cos[i], -(b * sin[i]));
                        second[i] = fma::<FMA>(b, cos[i], a * sin[i]);
                    }
                }
            }
        }
    }

    /// Backward of [`rotate`], in place: `gradient` (strides as `raw`) holds that of the rotated numbers and
    /// receives that of the raw ones; `dgain` [h] is added to.
    pub(crate) fn rotate_backward(
        heads: Heads, tokens: usize, raw: &[f32], gain: &[f32], cos: &[f32], sin: &[f32], inverse: &[f32],
        gradient: &mut [f32], dgain: &mut [f32],
    ) {
        let half = heads.width / 2;
        for token in 0..tokens {
            let position = token % heads.context * half;
            let (cos, sin) = (&cos[position..position + half], &sin[position..position + half]);
            for head in 0..heads.count {
                let at = token * heads.raw_stride + head * heads.width;
                let d = &mut gradient[at..at + heads.width];
                {
                    let (first, second) = d.split_at_mut(half);
                    for i in 0..half {
                        let (c, s) = (cos[i] * heads.scale, sin[i] * heads.scale);
                        let (da, db) = (fma::<FMA>(first[i], c, second[i] * s), fma::<FMA>(second[i], c, -(first[i] * s)));
                        (first[i], second[i]) = (da, db);
                    }
                }
                if !gain.is_empty() {
                    let x = &raw[at..at + heads.width];
                    let (gain, dgain) = (&gain[..heads.width], &mut dgain[..heads.width]);
                    let r = inverse[token * heads.count + head];
                    let pull = r * r * super::norm::dot_of_three::<FMA>(d, x, gain) / heads.width as f32;
                    for i in 0..heads.width {
                        dgain[i] = fma::<FMA>(d[i], x[i] * r, dgain[i]);
                        d[i] = r * fma::<FMA>(d[i], gain[i], -(x[i] * pull));
                    }
                }
            }
        }
    }
}
