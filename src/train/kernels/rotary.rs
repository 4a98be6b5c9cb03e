//! Queries and keys made ready for attention in one pass: optional RMSNorm per head (Wortsman 2309.14322),
//! rotary positions (Su 2104.09864) and the factor 1/√h of the scores.

use super::norm::{dot_of_three, inverse_rms};
use super::simd::{counted, fma, vectorised};

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
        let (mut common, mut wide) = ([0.0f32; COMMON], Vec::new());
        let normed = room(&mut common, &mut wide, heads.width);
        for (token, head) in (0..tokens).flat_map(|token| (0..heads.count).map(move |head| (token, head))) {
            let position = token % heads.context * half;
            let (cos, sin) = (&cos[position..position + half], &sin[position..position + half]);
            let at = token * heads.raw_stride + head * heads.width;
            let x = &raw[at..at + heads.width];
            let mut scale = heads.scale;
            let x = if gain.is_empty() {
                x
            } else {
                let r = inverse_rms::<FMA>(x);
                inverse[token * heads.count + head] = r;
                scale *= r;
                normed.iter_mut().zip(x).zip(gain).for_each(|((y, x), g)| *y = *x * *g);
                &*normed
            };
            let at = token * heads.rotated_stride + head * heads.width;
            turn::<FMA>(x, cos, sin, scale, 1.0, &mut rotated[at..at + heads.width]);
        }
    }

    /// Backward of [`rotate`], in place: `gradient` (strides as `raw`) holds that of the rotated numbers and
    /// receives that of the raw ones; `dgain` [h] is added to.
    pub(crate) fn rotate_backward(
        heads: Heads, tokens: usize, raw: &[f32], gain: &[f32], cos: &[f32], sin: &[f32], inverse: &[f32],
        gradient: &mut [f32], dgain: &mut [f32],
    ) {
        let half = heads.width / 2;
        let (mut common, mut wide) = ([0.0f32; COMMON], Vec::new());
        let turned = room(&mut common, &mut wide, heads.width);
        for (token, head) in (0..tokens).flat_map(|token| (0..heads.count).map(move |head| (token, head))) {
            let position = token % heads.context * half;
            let (cos, sin) = (&cos[position..position + half], &sin[position..position + half]);
            let at = token * heads.raw_stride + head * heads.width;
            let d = &mut gradient[at..at + heads.width];
            turn::<FMA>(d, cos, sin, heads.scale, -1.0, turned);
            if gain.is_empty() {
                d.copy_from_slice(turned);
                continue;
            }
            let x = &raw[at..at + heads.width];
            let r = inverse[token * heads.count + head];
            let pull = r * r * dot_of_three::<FMA>(turned, x, gain) / heads.width as f32;
            for ((((d, t), x), g), dgain) in d.iter_mut().zip(&*turned).zip(x).zip(gain).zip(dgain.iter_mut()) {
                *dgain = counted(fma::<FMA>(*t, *x * r, *dgain));
                *d = counted(r * fma::<FMA>(*t, *g, -(*x * pull)));
            }
        }
    }
}

/// The widest head that needs no allocation.
const COMMON: usize = 256;

/// Room for the numbers of one head.
#[inline(always)]
fn room<'a>(common: &'a mut [f32; COMMON], wide: &'a mut Vec<f32>, width: usize) -> &'a mut [f32] {
    if width <= COMMON {
        return &mut common[..width];
    }
    wide.resize(width, 0.0);
    wide
}

/// Numbers turned together: half of the narrowest common head.
const TURNED: usize = 8;

/// y = scale·(first half of x turned against its second half), by the angle for `direction` 1 and back for −1.
#[inline(always)]
fn turn<const FMA: bool>(x: &[f32], cos: &[f32], sin: &[f32], scale: f32, direction: f32, y: &mut [f32]) {
    let half = cos.len();
    let (a, b) = x.split_at(half);
    let (first, second) = y.split_at_mut(half);
    // Whole arrays, because the compiler cannot prove that halves of many rows are apart.
    let [(a_wide, _), (b_wide, _), (cos_wide, _), (sin_wide, _)] = [a, b, cos, sin].map(<[f32]>::as_chunks::<TURNED>);
    let (first_wide, second_wide) = (first.as_chunks_mut::<TURNED>().0, second.as_chunks_mut::<TURNED>().0);
    let inputs = a_wide.iter().zip(b_wide).zip(cos_wide.iter().zip(sin_wide));
    for (((a, b), (c, s)), (first, second)) in inputs.zip(first_wide.iter_mut().zip(second_wide)) {
        let (a, b, c, s) = (*a, *b, *c, *s);
        let (mut p, mut q) = ([0.0; TURNED], [0.0; TURNED]);
        for i in 0..TURNED {
            let (c, s) = (c[i] * scale, s[i] * scale * direction);
            p[i] = counted(fma::<FMA>(a[i], c, -(b[i] * s)));
            q[i] = counted(fma::<FMA>(b[i], c, a[i] * s));
        }
        (*first, *second) = (p, q);
    }
    let at = half - half % TURNED;
    for i in at..half {
        let (c, s) = (cos[i] * scale, sin[i] * scale * direction);
        (first[i], second[i]) = (counted(fma::<FMA>(a[i], c, -(b[i] * s))), counted(fma::<FMA>(b[i], c, a[i] * s)));
    }
}
