//! Causal attention of one head of one sequence. Queries are taken in blocks of [`BLOCK`]; keys after the last query
//! of a block are never multiplied, and no more than two blocks of scores exist at a time. The backward pass
//! computes the scores again from the logarithm of each row's sum (Dao 2205.14135).
//!
//! Rows of a head are first copied side by side (keys and values also as columns), filled up to whole registers with zeros; all of it stays
//! in the first two caches.

use super::cross_entropy::exp_sum;
use super::matmul::Into;
use super::simd::{LANES, dot, exp, largest, padded, vectorised};
use super::tile::{Left, Rows, Size, multiply_tile, pack, pack_transposed, unpack};

/// Queries computed together.
const BLOCK: usize = 16;

/// One head of one sequence in buffers of several: slices begin at its first number, strides lead from token to token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadView<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

impl<'a> HeadView<'a> {
    fn from_token(self, first: usize) -> Rows<'a> {
        Rows { data: &self.data[first * self.stride..], stride: self.stride }
    }

    /// The numbers of some tokens, taken one by one.
    fn left(self, first: usize) -> Left<'a> {
        Left { data: &self.data[first * self.stride..], row: self.stride, column: 1 }
    }
}

/// Buffers of one head: blocks of scores, and its rows side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scores {
    /// Numbers of a head, filled up to whole registers.
    width: usize,
    /// From one row of scores, or of columns, to the next; an odd number of cache lines, so that rows fall into different ones.
    stride: usize,
    /// [BLOCK, stride].
    scores: Vec<f32>,
    gradient: Vec<f32>,
    /// Keys and values as columns [h, stride].
    key_columns: Vec<f32>,
    value_columns: Vec<f32>,
    /// Rows [T, width].
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    dmixed: Vec<f32>,
    dkey: Vec<f32>,
    dvalue: Vec<f32>,
    /// A block's result [BLOCK, width].
    block: Vec<f32>,
}

impl Scores {
    /// Buffers for heads of `head_width` numbers over `context` tokens.
    pub(crate) fn new(context: usize, head_width: usize) -> Self {
        let width = head_width.next_multiple_of(LANES);
        let lines = context.div_ceil(LANES);
        let stride = (lines + 1 - lines % 2) * LANES;
        let zeros = |count: usize| vec![0.0f32; count];
        let rows = || zeros(context * width);
        Self {
            width,
            stride,
            scores: zeros(BLOCK * stride),
            gradient: zeros(BLOCK * stride),
            key_columns: zeros(head_width * stride),
            value_columns: zeros(head_width * stride),
            query: rows(),
            key: rows(),
            value: rows(),
            dmixed: rows(),
            dkey: rows(),
            dvalue: rows(),
            block: zeros(BLOCK * width),
        }
    }
}

/// mixed = softmax(q·kᵀ, causal)·v. q, k, v, mixed: [T, h]; q holds its factor 1/√h.
/// `log_sums` [T] receives ln Σ e^score of every query.
pub(crate) fn attend(
    [q, k, v]: [HeadView<'_>; 3],
    head_width: usize,
    mixed: &mut [f32],
    mixed_stride: usize,
    log_sums: &mut [f32],
    scratch: &mut Scores,
) {
    let context = log_sums.len();
    let Scores { width, stride, scores, key_columns, value, block, .. } = scratch;
    let (width, stride) = (*width, *stride);
    pack_transposed(k.from_token(0), head_width, context, stride, key_columns);
    pack(v.from_token(0), head_width, context, width, value);
    for first in (0..context).step_by(BLOCK) {
        let rows = BLOCK.min(context - first);
        let keys = first + rows;
        let size = Size { m: rows, n: keys.next_multiple_of(LANES), k: head_width };
        multiply_tile(scores, stride, Into::Replace, q.left(first), Rows { data: key_columns, stride }, size);
        causal_softmax(scores, stride, keys, first, &mut log_sums[first..keys]);
        let weights = Left { data: scores, row: stride, column: 1 };
        multiply_tile(block, width, Into::Replace, weights, Rows { data: value, stride: width }, Size { m: rows, n: width, k: keys });
        unpack(block, width, head_width, rows, Into::Replace, &mut mixed[first * mixed_stride..], mixed_stride);
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
    head_width: usize,
    mixed: HeadView<'_>,
    dmixed: HeadView<'_>,
    log_sums: &[f32],
    gradients: HeadGradients<'_>,
    scratch: &mut Scores,
) {
    let context = log_sums.len();
    let HeadGradients { data, stride: data_stride, offsets: [dq, dk, dv], keys_and_values } = gradients;
    let Scores { width, stride, scores, gradient, key_columns, value_columns, query, key, dmixed: drows, dkey, dvalue, block, .. } =
        scratch;
    let (width, stride) = (*width, *stride);
    pack_transposed(k.from_token(0), head_width, context, stride, key_columns);
    pack_transposed(v.from_token(0), head_width, context, stride, value_columns);
    for (from, to) in [(q, &mut *query), (k, key), (dmixed, drows)] {
        pack(from.from_token(0), head_width, context, width, to);
    }
    dkey[..context * width].fill(0.0);
    dvalue[..context * width].fill(0.0);
    for first in (0..context).step_by(BLOCK) {
        let rows = BLOCK.min(context - first);
        let keys = first + rows;
        let size = Size { m: rows, n: keys.next_multiple_of(LANES), k: head_width };
        multiply_tile(scores, stride, Into::Replace, q.left(first), Rows { data: key_columns, stride }, size);
        multiply_tile(gradient, stride, Into::Replace, dmixed.left(first), Rows { data: value_columns, stride }, size);
        let at = |view: HeadView<'_>| first * view.stride;
        score_gradient(
            scores,
            gradient,
            stride,
            keys,
            first,
            &log_sums[first..keys],
            &mixed.data[at(mixed)..],
            mixed.stride,
            &dmixed.data[at(dmixed)..],
            dmixed.stride,
            head_width,
        );
        let turned = Size { m: keys, n: width, k: rows };
        multiply_tile(
            dvalue,
            width,
            Into::Add,
            Left { data: scores, row: 1, column: stride },
            Rows { data: &drows[first * width..], stride: width },
            turned,
        );
        multiply_tile(
            dkey,
            width,
            Into::Add,
            Left { data: gradient, row: 1, column: stride },
            Rows { data: &query[first * width..], stride: width },
            turned,
        );
        let dscores = Left { data: gradient, row: stride, column: 1 };
        multiply_tile(block, width, Into::Replace, dscores, Rows { data: key, stride: width }, Size { m: rows, n: width, k: keys });
        unpack(block, width, head_width, rows, Into::Replace, &mut data[dq + first * data_stride..], data_stride);
    }
    unpack(dkey, width, head_width, context, keys_and_values, &mut data[dk..], data_stride);
    unpack(dvalue, width, head_width, context, keys_and_values, &mut data[dv..], data_stride);
}

vectorised! {
    /// Softmax of rows of scores, row i over its first `first` + i + 1 keys; the others up to `keys` become 0.
    fn causal_softmax(scores: &mut [f32], stride: usize, keys: usize, first: usize, log_sums: &mut [f32]) {
        for (i, (row, log_sum)) in scores.chunks_exact_mut(stride).zip(log_sums).enumerate() {
            let (seen, unseen) = row[..keys].split_at_mut(first + i + 1);
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
        scores: &mut [f32], dweights: &mut [f32], stride: usize, keys: usize, first: usize, log_sums: &[f32],
        mixed: &[f32], mixed_stride: usize, dmixed: &[f32], dmixed_stride: usize, width: usize,
    ) {
        let rows = scores.chunks_exact_mut(stride).zip(dweights.chunks_exact_mut(stride)).zip(log_sums);
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
            scores[seen..keys].fill(0.0);
            dweights[seen..keys].fill(0.0);
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
