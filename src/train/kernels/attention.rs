//! Causal attention of one head of one sequence. Queries are taken in blocks of [`BLOCK`]; keys after the last query
//! of a block are never multiplied, and no more than two blocks of scores exist at a time. The backward pass
//! computes the scores again from the logarithm of each row's sum (Dao 2205.14135).

use super::cross_entropy::exp_sum;
use super::matmul::{Into, Matrix, multiply};
use super::simd::{LANES, dot, exp, largest, padded, vectorised};

/// Queries computed together.
const BLOCK: usize = 64;

/// One head of one sequence in buffers of several: slices begin at its first number, strides lead from token to token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadView<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

impl<'a> HeadView<'a> {
    fn rows(self, first: usize, count: usize, width: usize) -> Matrix<'a> {
        Matrix::strided(&self.data[first * self.stride..], count, width, self.stride)
    }
}

/// Blocks of scores.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scores {
    scores: Vec<f32>,
    gradient: Vec<f32>,
}

impl Scores {
    pub(crate) fn new(context: usize) -> Self {
        let size = BLOCK.min(context) * context;
        Self { scores: vec![0.0; size], gradient: vec![0.0; size] }
    }
}

/// mixed = softmax(q·kᵀ, causal)·v. q, k, v, mixed: [T, h]; q holds its factor 1/√h.
/// `log_sums` [T] receives ln Σ e^score of every query.
pub(crate) fn attend(
    [q, k, v]: [HeadView<'_>; 3],
    width: usize,
    mixed: &mut [f32],
    mixed_stride: usize,
    log_sums: &mut [f32],
    scratch: &mut Scores,
) {
    let context = log_sums.len();
    for first in (0..context).step_by(BLOCK) {
        let rows = BLOCK.min(context - first);
        let keys = first + rows;
        let scores = &mut scratch.scores[..rows * keys];
        multiply(scores, keys, Into::Replace, q.rows(first, rows, width), k.rows(0, keys, width).t());
        causal_softmax(scores, keys, first, &mut log_sums[first..keys]);
        let mixed = &mut mixed[first * mixed_stride..];
        multiply(mixed, mixed_stride, Into::Replace, Matrix::new(scores, rows, keys), v.rows(0, keys, width));
    }
}

/// Gradients of [`attend`]: slices begin at the first number of the head, all with one stride.
pub(crate) struct HeadGradients<'a> {
    /// Holds q's, k's and v's gradients at the three offsets below.
    pub(crate) data: &'a mut [f32],
    pub(crate) stride: usize,
    /// Offsets of q, k, v.
    pub(crate) offsets: [usize; 3],
    /// Whether the gradients of k and v are added to (another head shares them) or replaced.
    pub(crate) keys_and_values: Into,
}

/// Backward of [`attend`] from `dmixed`, with P the attention weights and D = rowsum(dmixed ⊙ mixed):
/// dv = Pᵀ·dmixed, ds = P ⊙ (dmixed·vᵀ − D), dq = ds·k, dk = dsᵀ·q.
pub(crate) fn attend_backward(
    [q, k, v]: [HeadView<'_>; 3],
    width: usize,
    mixed: HeadView<'_>,
    dmixed: HeadView<'_>,
    log_sums: &[f32],
    gradients: HeadGradients<'_>,
    scratch: &mut Scores,
) {
    let context = log_sums.len();
    let HeadGradients { data, stride, offsets: [dq, dk, dv], keys_and_values } = gradients;
    // The last block reaches all keys and comes first, so that the others can add to what it left.
    let mut into = keys_and_values;
    for first in (0..context).step_by(BLOCK).rev() {
        let rows = BLOCK.min(context - first);
        let keys = first + rows;
        let weights = &mut scratch.scores[..rows * keys];
        let dscores = &mut scratch.gradient[..rows * keys];
        let dmixed_rows = dmixed.rows(first, rows, width);
        multiply(weights, keys, Into::Replace, q.rows(first, rows, width), k.rows(0, keys, width).t());
        multiply(dscores, keys, Into::Replace, dmixed_rows, v.rows(0, keys, width).t());
        let at = |view: HeadView<'_>| first * view.stride;
        score_gradient(
            weights,
            dscores,
            keys,
            first,
            &log_sums[first..keys],
            &mixed.data[at(mixed)..],
            mixed.stride,
            &dmixed.data[at(dmixed)..],
            dmixed.stride,
            width,
        );
        let (weights, dscores) = (Matrix::new(weights, rows, keys), Matrix::new(dscores, rows, keys));
        multiply(&mut data[dv..], stride, into, weights.t(), dmixed_rows);
        multiply(&mut data[dq + first * stride..], stride, Into::Replace, dscores, k.rows(0, keys, width));
        multiply(&mut data[dk..], stride, into, dscores.t(), q.rows(first, rows, width));
        into = Into::Add;
    }
}

vectorised! {
    /// Softmax of rows of scores [rows, keys], row i over its first `first` + i + 1 keys; the rest becomes 0.
    fn causal_softmax(scores: &mut [f32], keys: usize, first: usize, log_sums: &mut [f32]) {
        for (i, (row, log_sum)) in scores.chunks_exact_mut(keys).zip(log_sums).enumerate() {
            let (seen, unseen) = row.split_at_mut(first + i + 1);
            let top = largest(seen);
            let sum = exp_sum::<FMA>(seen, top);
            let factor = 1.0 / sum;
            seen.iter_mut().for_each(|p| *p *= factor);
            unseen.fill(0.0);
            *log_sum = sum.ln() + top;
        }
    }

    /// Scores become weights P = e^(score − log sum); `dweights` becomes P ⊙ (dweights − D).
    fn score_gradient(
        scores: &mut [f32], dweights: &mut [f32], keys: usize, first: usize, log_sums: &[f32],
        mixed: &[f32], mixed_stride: usize, dmixed: &[f32], dmixed_stride: usize, width: usize,
    ) {
        let rows = scores.chunks_exact_mut(keys).zip(dweights.chunks_exact_mut(keys)).zip(log_sums);
        for (i, ((scores, dweights), log_sum)) in rows.enumerate() {
            let (at, dat) = (i * mixed_stride, i * dmixed_stride);
            let d = dot::<FMA>(&mixed[at..at + width], &dmixed[dat..dat + width]);
            let seen = first + i + 1;
            // Up to the next whole array of what is seen, which ends within the row or with it.
            let computed = seen.next_multiple_of(LANES).min(keys);
            let (wide, rest) = scores[..computed].as_chunks_mut::<LANES>();
            let (dwide, drest) = dweights[..computed].as_chunks_mut::<LANES>();
            for (s, dw) in wide.iter_mut().zip(dwide) {
                (*s, *dw) = gradient_lanes::<FMA>(*s, *dw, *log_sum, d);
            }
            if !rest.is_empty() {
                let (s, dw) = gradient_lanes::<FMA>(padded(rest, 0.0), padded(drest, 0.0), *log_sum, d);
                rest.copy_from_slice(&s[..rest.len()]);
                drest.copy_from_slice(&dw[..drest.len()]);
            }
            scores[seen..].fill(0.0);
            dweights[seen..].fill(0.0);
        }
    }
}

/// P = e^(score − log sum) and P·(dP − d).
#[inline(always)]
fn gradient_lanes<const FMA: bool>(s: [f32; LANES], dw: [f32; LANES], log_sum: f32, d: f32) -> ([f32; LANES], [f32; LANES]) {
    let (mut p, mut ds) = ([0.0; LANES], [0.0; LANES]);
    for i in 0..LANES {
        p[i] = exp::<FMA>(s[i] - log_sum);
        ds[i] = p[i] * (dw[i] - d);
    }
    (p, ds)
}
