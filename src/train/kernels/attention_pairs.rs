//! The products of attention with factors in bf16: scores, weights and sums between them stay f32 (attention.rs). Everything that is
//! multiplied is rounded once, in the order that its product wants: a left factor with its pairs along its rows, a right one with pairs
//! of rows.

use super::bf16::{Pair, Unit};
use super::head::{BLOCK, HeadView};
use super::matmul::Into;
use super::pairs::{multiply_pairs, pair_columns, pair_rows, pair_transposed, pair_within_rows};
use super::simd::LANES;
use super::tile::{Rows, Size};

/// Keys that room is made for at once: those of a block of queries.
const KEYS: usize = BLOCK;

/// Buffers of one head.
#[derive(Debug, Clone)]
pub(super) struct PairScores {
    unit: Unit,
    /// Numbers of a head, filled up to whole registers, and their pairs.
    width: usize,
    depth: usize,
    /// A block of queries, or of gradients of results: as columns [depth, BLOCK], and as pairs of rows [BLOCK/2, width].
    columns: Vec<Pair>,
    rows: Vec<Pair>,
    /// Keys and values with pairs along their rows [T, depth], and as pairs of rows [T/2, width].
    along: [Vec<Pair>; 2],
    across: [Vec<Pair>; 2],
    /// Weights or their gradient, [keys, BLOCK/2] or [BLOCK, keys/2].
    left: Vec<Pair>,
    room: Vec<Pair>,
}

/// Keys or values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Keys,
    Values,
}

impl PairScores {
    pub(super) fn new(unit: Unit, context: usize, head_width: usize) -> Self {
        let (width, depth, tokens) = (head_width.next_multiple_of(LANES), unit.pairs_of(head_width), context.next_multiple_of(KEYS));
        let zeros = |count: usize| vec![0; count];
        let pair = |count: usize| [zeros(count), zeros(count)];
        Self {
            unit,
            width,
            depth,
            columns: zeros(depth * BLOCK),
            rows: zeros(BLOCK / 2 * width),
            along: pair(tokens * depth),
            across: pair(tokens / 2 * width),
            left: zeros(tokens * BLOCK / 2),
            room: zeros(tokens * BLOCK),
        }
    }

    /// Rounds all keys or values, as left factor of scores.
    pub(super) fn round_along(&mut self, of: Of, from: HeadView<'_>, head_width: usize, context: usize) {
        pair_within_rows(from.rows(0), head_width, context, self.depth, &mut self.along[of as usize]);
    }

    /// Rounds all keys or values, as right factor of weights.
    pub(super) fn round_across(&mut self, of: Of, from: HeadView<'_>, head_width: usize, context: usize) {
        pair_rows(from.rows(0), head_width, context, self.width, &mut self.across[of as usize]);
    }

    /// to [keys, BLOCK] = the first `keys` keys or values times a block of `count` columns from `first` on.
    pub(super) fn scores(
        &mut self,
        to: &mut [f32],
        of: Of,
        from: HeadView<'_>,
        (first, count, keys): (usize, usize, usize),
        head_width: usize,
    ) {
        if count < BLOCK {
            self.columns.fill(0);
        }
        pair_transposed(from.rows(first), head_width, count, self.depth, BLOCK, &mut self.columns, &mut self.room);
        let left = Rows { data: &self.along[of as usize][..], stride: self.depth };
        let right = Rows { data: &self.columns[..], stride: BLOCK };
        multiply_pairs(self.unit, to, BLOCK, Into::Replace, left, right, Size { m: keys, n: BLOCK, k: self.depth });
    }

    /// block [queries, width] = for each of `count` queries the sum over `keys` keys of its weight times the key's row.
    pub(super) fn weighted_rows(&mut self, block: &mut [f32], weights: &[f32], (keys, count): (usize, usize), of: Of) {
        let pairs = self.unit.pairs_of(keys);
        pair_columns(Rows { data: weights, stride: BLOCK }, BLOCK, keys, pairs, &mut self.left, &mut self.room);
        let left = Rows { data: &self.left[..], stride: pairs };
        let right = Rows { data: &self.across[of as usize][..], stride: self.width };
        multiply_pairs(self.unit, block, self.width, Into::Replace, left, right, Size { m: count, n: self.width, k: pairs });
    }

    /// to [keys, width] += for each of `keys` keys the sum over a block of `count` queries from `first` on of its weight times the query's row.
    pub(super) fn add_turned(
        &mut self,
        to: &mut [f32],
        weights: &[f32],
        from: HeadView<'_>,
        (first, count, keys): (usize, usize, usize),
        head_width: usize,
    ) {
        let pairs = BLOCK / 2;
        pair_within_rows(Rows { data: weights, stride: BLOCK }, BLOCK, keys, pairs, &mut self.left);
        pair_rows(from.rows(first), head_width, count, self.width, &mut self.rows);
        let left = Rows { data: &self.left[..], stride: pairs };
        let right = Rows { data: &self.rows[..], stride: self.width };
        multiply_pairs(self.unit, to, self.width, Into::Add, left, right, Size { m: keys, n: self.width, k: pairs });
    }
}
