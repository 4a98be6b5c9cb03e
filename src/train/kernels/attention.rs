//! Attention of one head of one sequence. Queries are taken in blocks of [`BLOCK`]; keys that no query of a block sees (those after its
//! last, where attention is causal) are never multiplied, and no more than two blocks of scores exist at a time. The backward pass
//! computes the scores again from the logarithm of each query's sum (Dao 2205.14135).
//!
//! Scores stand with a key a row and a query a column, so that a softmax goes over whole registers of queries at once and nothing is
//! summed across a register. What is read in registers is first copied side by side and filled up with zeros.

use super::attention_pairs::{Of, PairScores};
use super::head::{BLOCK, HeadView, Sight};
use super::matmul::Into;
use super::panels::Factors;
use super::simd::{LANES, counted, dot, exp, vectorised};
use super::tile::{Left, Rows, Size, multiply_tile, pack, pack_transposed, unpack};

/// Queries whose products end at the same key.
const STEP: usize = 8;

/// Buffers of one head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scores {
    /// Numbers of a head, filled up to whole registers.
    width: usize,
    sight: Sight,
    /// Scores, then weights [keys, BLOCK], and their gradient.
    weights: Vec<f32>,
    gradient: Vec<f32>,
    /// A block of queries and of gradients of results as columns [h, BLOCK].
    query_columns: Vec<f32>,
    dmixed_columns: Vec<f32>,
    /// The same as rows [BLOCK, width].
    query: Vec<f32>,
    dmixed: Vec<f32>,
    /// Keys and values, and their gradients [T, width].
    key: Vec<f32>,
    value: Vec<f32>,
    dkey: Vec<f32>,
    dvalue: Vec<f32>,
    /// A block's result [BLOCK, width].
    block: Vec<f32>,
    /// What is multiplied, where that is bf16.
    pairs: Option<PairScores>,
}

impl Scores {
    /// Buffers for heads of `head_width` numbers over `context` tokens.
    pub(crate) fn new(context: usize, head_width: usize, factors: Factors) -> Self {
        let width = head_width.next_multiple_of(LANES);
        let zeros = |count: usize| vec![0.0f32; count];
        let scores = || zeros(context.next_multiple_of(BLOCK) * BLOCK);
        let (columns, block, all) = (|| zeros(head_width * BLOCK), || zeros(BLOCK * width), || zeros(context * width));
        Self {
            width,
            sight: Sight::Before,
            weights: scores(),
            gradient: scores(),
            query_columns: columns(),
            dmixed_columns: columns(),
            query: block(),
            dmixed: block(),
            key: all(),
            value: all(),
            dkey: all(),
            dvalue: all(),
            block: block(),
            pairs: match factors {
                Factors::F32 => None,
                Factors::Bf16(unit) => Some(PairScores::new(unit, context, head_width)),
            },
        }
    }

    /// The same for queries that see what is said.
    pub(crate) fn seeing(self, sight: Sight) -> Self {
        Self { sight, ..self }
    }
}

#[cfg(test)]
impl Scores {
    /// Every buffer with its name.
    pub(crate) fn buffers(&self) -> [(&'static str, &[f32]); 11] {
        let Self { weights, gradient, query_columns, dmixed_columns, query, dmixed, key, value, dkey, dvalue, block, .. } = self;
        let Self { width: _, sight: _, pairs: _, .. } = self;
        [
            ("weights", weights),
            ("gradient", gradient),
            ("query columns", query_columns),
            ("dmixed columns", dmixed_columns),
            ("query", query),
            ("dmixed", dmixed),
            ("key", key),
            ("value", value),
            ("dkey", dkey),
            ("dvalue", dvalue),
            ("block", block),
        ]
    }
}

/// mixed = softmax(q·kᵀ)·v over the keys that a query sees. q, k, v, mixed: [T, h]; q holds its factor 1/√h.
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
    let Scores { width, sight, weights, query_columns, value, block, pairs, .. } = scratch;
    let sight = *sight;
    match pairs {
        None => pack(v.rows(0), head_width, context, *width, value),
        Some(pairs) => {
            pairs.round_along(Of::Keys, k, head_width, context);
            pairs.round_across(Of::Values, v, head_width, context);
        }
    }
    for first in (0..context).step_by(BLOCK) {
        let rows = BLOCK.min(context - first);
        let keys = sight.keys(first, rows, context);
        match pairs {
            None => {
                columns(q, first, rows, head_width, query_columns);
                multiply_columns(weights, k, sight, (first, rows, keys), head_width, query_columns);
            }
            Some(pairs) => pairs.scores(weights, Of::Keys, q, (first, rows, keys), head_width),
        }
        let mut inverse = [0.0; BLOCK];
        softmax(&mut weights[..keys * BLOCK], sight.seen_by_all(first, keys), &mut inverse, &mut log_sums[first..first + rows]);
        match pairs {
            None => weighted_rows(block, *width, weights, sight, (first, rows, keys), value),
            Some(pairs) => pairs.weighted_rows(block, weights, (keys, rows), Of::Values),
        }
        for (row, factor) in block.chunks_exact_mut(*width).zip(inverse) {
            row.iter_mut().for_each(|number| *number = counted(*number * factor));
        }
        unpack(block, *width, head_width, rows, Into::Replace, &mut mixed[first * mixed_stride..], mixed_stride);
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
    let HeadGradients { data, stride, offsets: [dq, dk, dv], keys_and_values } = gradients;
    let Scores { width, sight, weights, gradient, query_columns, dmixed_columns, query, dmixed: drows, .. } = scratch;
    let (width, sight) = (*width, *sight);
    let Scores { key, dkey, dvalue, block, pairs, .. } = scratch;
    match pairs {
        None => pack(k.rows(0), head_width, context, width, key),
        Some(pairs) => {
            pairs.round_along(Of::Keys, k, head_width, context);
            pairs.round_along(Of::Values, v, head_width, context);
            pairs.round_across(Of::Keys, k, head_width, context);
        }
    }
    dkey[..context * width].fill(0.0);
    dvalue[..context * width].fill(0.0);
    for first in (0..context).step_by(BLOCK) {
        let rows = BLOCK.min(context - first);
        let keys = sight.keys(first, rows, context);
        match pairs {
            None => {
                for (from, columns_to, rows_to) in [(q, &mut *query_columns, &mut *query), (dmixed, &mut *dmixed_columns, &mut *drows)] {
                    columns(from, first, rows, head_width, columns_to);
                    pack(from.rows(first), head_width, rows, width, rows_to);
                }
                multiply_columns(weights, k, sight, (first, rows, keys), head_width, query_columns);
                multiply_columns(gradient, v, sight, (first, rows, keys), head_width, dmixed_columns);
            }
            Some(pairs) => {
                pairs.scores(weights, Of::Keys, q, (first, rows, keys), head_width);
                pairs.scores(gradient, Of::Values, dmixed, (first, rows, keys), head_width);
            }
        }
        // A query that is not there has an infinite sum and therefore no weight.
        let (mut of_queries, mut pulls) = ([f32::INFINITY; BLOCK], [0.0; BLOCK]);
        of_queries[..rows].copy_from_slice(&log_sums[first..first + rows]);
        row_dots(mixed, dmixed, first, head_width, &mut pulls[..rows]);
        let seen_by_all = sight.seen_by_all(first, keys);
        score_gradient(&mut weights[..keys * BLOCK], &mut gradient[..keys * BLOCK], seen_by_all, &of_queries, &pulls);
        match pairs {
            None => {
                let turned = Size { m: keys, n: width, k: rows };
                let left = |data| Left { data, row: BLOCK, column: 1 };
                multiply_tile(dvalue, width, Into::Add, left(weights), Rows { data: drows, stride: width }, turned);
                multiply_tile(dkey, width, Into::Add, left(gradient), Rows { data: query, stride: width }, turned);
                weighted_rows(block, width, gradient, sight, (first, rows, keys), key);
            }
            Some(pairs) => {
                pairs.add_turned(dvalue, weights, dmixed, (first, rows, keys), head_width);
                pairs.add_turned(dkey, gradient, q, (first, rows, keys), head_width);
                pairs.weighted_rows(block, gradient, (keys, rows), Of::Keys);
            }
        }
        unpack(block, width, head_width, rows, Into::Replace, &mut data[dq + first * stride..], stride);
    }
    unpack(dkey, width, head_width, context, keys_and_values, &mut data[dk..], stride);
    unpack(dvalue, width, head_width, context, keys_and_values, &mut data[dv..], stride);
}

/// Rows `first`… of a head as the columns of [h, BLOCK]; columns of tokens that are not there become 0.
fn columns(from: HeadView<'_>, first: usize, rows: usize, head_width: usize, to: &mut [f32]) {
    if rows < BLOCK {
        to.fill(0.0);
    }
    pack_transposed(from.rows(first), head_width, rows, BLOCK, to);
}

/// to [keys, BLOCK] = the rows of `from` times columns of a block of queries, for every key that one of them sees. Where only the
/// second half of the queries sees a key, the first half is left out.
fn multiply_columns(
    to: &mut [f32],
    from: HeadView<'_>,
    sight: Sight,
    (first, rows, keys): (usize, usize, usize),
    head_width: usize,
    columns: &[f32],
) {
    let left = |key: usize| Left { data: from.rows(key).data, row: from.stride, column: 1 };
    if sight == Sight::Whole {
        let size = Size { m: keys, n: BLOCK, k: head_width };
        return multiply_tile(to, BLOCK, Into::Replace, left(0), Rows { data: columns, stride: BLOCK }, size);
    }
    let all = rows.min(LANES);
    let size = Size { m: first + all, n: BLOCK, k: head_width };
    multiply_tile(to, BLOCK, Into::Replace, left(0), Rows { data: columns, stride: BLOCK }, size);
    if rows > all {
        let size = Size { m: rows - all, n: LANES, k: head_width };
        let key = first + all;
        let to = &mut to[key * BLOCK + LANES..];
        multiply_tile(to, BLOCK, Into::Replace, left(key), Rows { data: &columns[LANES..], stride: BLOCK }, size);
    }
}

/// block [queries, width] = Σ over the keys that each query sees of its weight times the key's row.
fn weighted_rows(
    block: &mut [f32],
    width: usize,
    weights: &[f32],
    sight: Sight,
    (first, queries, keys): (usize, usize, usize),
    rows: &[f32],
) {
    if sight == Sight::Whole {
        let weights = Left { data: weights, row: 1, column: BLOCK };
        let size = Size { m: queries, n: width, k: keys };
        return multiply_tile(block, width, Into::Replace, weights, Rows { data: rows, stride: width }, size);
    }
    for query in (0..queries).step_by(STEP) {
        let count = STEP.min(queries - query);
        let size = Size { m: count, n: width, k: first + query + count };
        let weights = Left { data: &weights[query..], row: 1, column: BLOCK };
        multiply_tile(&mut block[query * width..], width, Into::Replace, weights, Rows { data: rows, stride: width }, size);
    }
}

vectorised! {
    /// Scores [keys, BLOCK] become e^(score − largest), those of keys after a query 0, where keys from `first` on stand for the queries; `inverse` receives one over
    /// the sum of each query, `log_sums` its logarithm plus the largest score.
    fn softmax(scores: &mut [f32], first: usize, inverse: &mut [f32; BLOCK], log_sums: &mut [f32]) {
        let (rows, _) = scores.as_chunks_mut::<BLOCK>();
        for (after, row) in rows[first..].iter_mut().enumerate() {
            hide(row, after);
        }
        let mut top = [f32::NEG_INFINITY; BLOCK];
        for row in rows.iter() {
            for i in 0..BLOCK {
                top[i] = if row[i] > top[i] { row[i] } else { top[i] };
            }
        }
        let mut sum = [0.0f32; BLOCK];
        for row in rows.iter_mut() {
            for i in 0..BLOCK {
                row[i] = exp::<FMA>(row[i] - top[i]);
                sum[i] += row[i];
            }
        }
        for i in 0..BLOCK {
            inverse[i] = 1.0 / sum[i];
        }
        for (i, log_sum) in log_sums.iter_mut().enumerate() {
            *log_sum = sum[i].ln() + top[i];
        }
    }

    /// Scores [keys, BLOCK] become weights P = e^(score − log sum); `gradient` becomes P ⊙ (gradient − pull).
    fn score_gradient(scores: &mut [f32], gradient: &mut [f32], first: usize, log_sums: &[f32; BLOCK], pulls: &[f32; BLOCK]) {
        let (rows, _) = scores.as_chunks_mut::<BLOCK>();
        let (gradient, _) = gradient.as_chunks_mut::<BLOCK>();
        for (key, (row, gradient)) in rows.iter_mut().zip(gradient).enumerate() {
            if key >= first {
                hide(row, key - first);
                // Products that were left out hold what an earlier block left there.
                gradient.iter_mut().take(key - first).for_each(|g| *g = 0.0);
            }
            for i in 0..BLOCK {
                row[i] = exp::<FMA>(row[i] - log_sums[i]);
                gradient[i] = counted(row[i] * (gradient[i] - pulls[i]));
            }
        }
    }

    /// Dot products of the rows of two heads, from row `first` on.
    fn row_dots(a: HeadView<'_>, b: HeadView<'_>, first: usize, head_width: usize, dots: &mut [f32]) {
        for (row, product) in (first..).zip(dots) {
            *product = dot::<FMA>(&a.data[row * a.stride..][..head_width], &b.data[row * b.stride..][..head_width]);
        }
    }
}

/// Key number `after` of a block does not exist for the queries before it.
#[inline(always)]
fn hide(row: &mut [f32; BLOCK], after: usize) {
    for (query, score) in row.iter_mut().enumerate() {
        *score = if query < after { f32::NEG_INFINITY } else { *score };
    }
}
