//! Matrix products of training: dst ← a·b or dst ← dst + a·b, with b laid out beforehand so that a tile of the result reads it from
//! one end to the other. Weights are laid out once a step, both ways; what is read of `a` stays where it is.
//!
//! A block of `a` lies in the second-level cache while panel after panel of `b` passes through the first-level one
//! (Goto & van de Geijn 2008, ACM TOMS 34:12). A processor without vector instructions of ours multiplies by the `gemm` crate.

use super::ahead::Ahead;
use super::bf16::{Pair, Unit};
use super::matmul::{Into, Matrix, multiply};
use super::pairs::{multiply_pairs, pair_columns, pair_rows, pair_transposed, pair_within_rows};
use super::simd::{LANES, tile_columns};
use super::tile::{Left, MOST_ROWS, Rows, Size, multiply_tile, multiply_tile_ahead, pack, pack_transposed, unpack};
use crate::spec::Dtype;
use crate::train::meter::{Part, metered};
use std::cell::RefCell;
use std::ops::Range;

/// Terms that are summed up in registers: with them a panel of `b` takes half of the first-level cache.
const TERMS: usize = 256;
/// Terms where those of `a` are rows apart, so that each takes a line of the cache.
const TERMS_APART: usize = 128;
/// Rows of `a` that every panel is multiplied by before the next ones.
const ROWS: usize = 120;
/// The same where factors are bf16, in whole blocks of 32 rows; and pairs of terms, which take the room of as many terms in f32.
const ROWS_OF_PAIRS: usize = 128;
const PAIRS: usize = 256;

/// What the factors of products are rounded to, and what multiplies them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Factors {
    F32,
    Bf16(Unit),
}

impl Factors {
    /// For a number format; `None` where this processor does not multiply it.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::Bf16 => Unit::of_processor().map(Self::Bf16),
        }
    }

    /// As a record names it: `f32`; `bf16, amx`, since units add up in different orders.
    pub(crate) fn name(self) -> String {
        match self {
            Self::F32 => "f32".into(),
            Self::Bf16(unit) => format!("bf16, {}", unit.name()),
        }
    }
}

/// A matrix [rows, columns] in panels of columns, one behind the other, each with its rows side by side: [rows, columns of the
/// panel]. The last is filled up to a multiple of [`LANES`] columns. Where factors are bf16 a row holds two terms.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    data: Vec<f32>,
    pairs: Vec<Pair>,
    rows: usize,
    columns: usize,
    factors: Factors,
    /// Columns of a panel; `None` where there are no tiles for this processor and one panel is the matrix.
    width: Option<usize>,
}

impl Panels {
    /// Of no matrix yet, as this processor reads them.
    pub(crate) fn new(factors: Factors) -> Self {
        let width = if factors == Factors::F32 { tile_columns() } else { Some(2 * LANES) };
        Self::of_width(width, factors)
    }

    fn of_width(width: Option<usize>, factors: Factors) -> Self {
        Self { data: Vec::new(), pairs: Vec::new(), rows: 0, columns: 0, factors, width }
    }

    /// Lays a matrix out in the place of the one before.
    pub(crate) fn lay_out(&mut self, from: Matrix<'_>) {
        metered(Part::Products, || {
            (self.rows, self.columns) = (from.rows(), from.columns());
            let depth = self.depth();
            let numbers = depth * self.columns.next_multiple_of(LANES);
            match self.factors {
                Factors::F32 => self.data.resize(numbers, 0.0),
                Factors::Bf16(_) => self.pairs.resize(numbers, 0),
            }
            for (first, count, padded) in self.panels() {
                let range = first * depth..first * depth + depth * padded;
                match self.factors {
                    Factors::F32 => lay_out_panel(from, first, count, padded, &mut self.data[range]),
                    Factors::Bf16(_) => lay_out_pairs(from, (first, count, padded), depth, &mut self.pairs[range]),
                }
            }
        });
    }

    /// Rows of a panel: terms, or pairs of terms.
    fn depth(&self) -> usize {
        match self.factors {
            Factors::F32 => self.rows,
            Factors::Bf16(unit) => unit.pairs_of(self.rows),
        }
    }

    /// (first column, columns, columns with those that fill it up) of each panel.
    fn panels(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (columns, width) = (self.columns, self.width.unwrap_or(self.columns.max(1)));
        (0..columns).step_by(width).map(move |first| {
            let count = width.min(columns - first);
            (first, count, count.next_multiple_of(LANES))
        })
    }
}

#[cfg(test)]
impl Panels {
    /// All numbers, panel after panel.
    pub(crate) fn data(&self) -> &[f32] {
        &self.data
    }
}

/// `count` columns of a matrix from `first` on, as rows of `padded` numbers.
fn lay_out_panel(from: Matrix<'_>, first: usize, count: usize, padded: usize, to: &mut [f32]) {
    if count < padded {
        to.fill(0.0);
    }
    match from.strides() {
        (stride, 1) => pack(Rows { data: &from.data()[first..], stride }, count, from.rows(), padded, to),
        (1, stride) => pack_transposed(Rows { data: &from.data()[first * stride..], stride }, from.rows(), count, padded, to),
        strides => unreachable!("a matrix or its transpose has no strides {strides:?}"),
    }
}

/// The same as `depth` rows of `padded` pairs.
fn lay_out_pairs(from: Matrix<'_>, (first, count, padded): (usize, usize, usize), depth: usize, to: &mut [Pair]) {
    if count < padded {
        to.fill(0);
    }
    match from.strides() {
        (stride, 1) => pair_rows(Rows { data: &from.data()[first..], stride }, count, from.rows(), padded, to),
        (1, stride) => with_room(|[room, _]| {
            pair_transposed(Rows { data: &from.data()[first * stride..], stride }, from.rows(), count, depth, padded, to, room);
        }),
        strides => unreachable!("a matrix or its transpose has no strides {strides:?}"),
    }
}

/// Two buffers of this thread, for pairs on their way.
fn with_room<R>(work: impl FnOnce(&mut [Vec<Pair>; 2]) -> R) -> R {
    thread_local! {
        static ROOM: RefCell<[Vec<Pair>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }
    ROOM.with_borrow_mut(work)
}

/// dst ← a·b, or dst ← dst + a·b. `dst` is row-major [a.rows, b.columns] with `row_stride`.
pub(crate) fn multiply_panels(dst: &mut [f32], row_stride: usize, into: Into, a: Matrix<'_>, b: &Panels) {
    assert_eq!(a.columns(), b.rows, "inner dimensions agree");
    if b.width.is_none() {
        return multiply(dst, row_stride, into, a, Matrix::strided(&b.data, b.rows, b.columns, b.columns.next_multiple_of(LANES)));
    }
    metered(Part::Products, || match b.factors {
        Factors::F32 => multiply_numbers(dst, row_stride, into, a, b),
        Factors::Bf16(unit) => with_room(|room| multiply_rounded(dst, row_stride, into, a, (unit, b), room)),
    });
}

/// [`multiply_panels`] in f32. While a block of `a` is multiplied, the next one is asked for.
fn multiply_numbers(dst: &mut [f32], row_stride: usize, into: Into, a: Matrix<'_>, b: &Panels) {
    let (row, column) = a.strides();
    let most = [ROWS, if column == 1 { TERMS } else { TERMS_APART }];
    let mut blocks = blocks(a.rows(), b.rows, most, into).peekable();
    while let Some((rows, terms, into)) = blocks.next() {
        let dst = &mut dst[rows.start * row_stride..];
        let mut ahead = Ahead::of_destination(terms.len());
        if let Some((rows, terms, _)) = blocks.peek() {
            let data = &a.data()[rows.start * row + terms.start * column..];
            let tiles = b.panels().count() * rows.len().div_ceil(MOST_ROWS);
            ahead = match column {
                1 => ahead.and_rows(data, terms.len(), row, rows.len(), tiles),
                _ => ahead.and_rows(data, rows.len(), column, terms.len(), tiles),
            };
        }
        let a = Left { data: &a.data()[rows.start * row + terms.start * column..], row, column };
        for (at, count, padded) in b.panels() {
            let panel = Rows { data: &b.data[at * b.rows + terms.start * padded..][..terms.len() * padded], stride: padded };
            let size = Size { m: rows.len(), n: padded, k: terms.len() };
            if count == padded {
                multiply_tile_ahead((&mut dst[at..], row_stride), into, a, panel, size, &mut ahead);
            } else {
                ragged(&mut dst[at..], row_stride, into, size, count, |room| multiply_tile(room, size.n, Into::Replace, a, panel, size));
            }
        }
    }
}

/// [`multiply_panels`] with factors in bf16: a block of `a` is rounded, its pairs side by side, and multiplied by every panel.
fn multiply_rounded(
    dst: &mut [f32],
    row_stride: usize,
    into: Into,
    a: Matrix<'_>,
    (unit, b): (Unit, &Panels),
    [block, room]: &mut [Vec<Pair>; 2],
) {
    let (row, column) = a.strides();
    let depth = b.depth();
    for (rows, pairs, into) in blocks(a.rows(), depth, [ROWS_OF_PAIRS, PAIRS], into) {
        let dst = &mut dst[rows.start * row_stride..];
        // The last pairs may hold fewer terms, or none.
        let terms = (2 * pairs.len()).min(b.rows.saturating_sub(2 * pairs.start));
        block.resize(block.len().max(unit.rows_of(rows.len()) * pairs.len()), 0);
        let from = |stride| Rows { data: &a.data()[rows.start * row + 2 * pairs.start * column..], stride };
        match (row, column) {
            (stride, 1) => pair_within_rows(from(stride), terms, rows.len(), pairs.len(), block),
            (1, stride) => pair_columns(from(stride), rows.len(), terms, pairs.len(), block, room),
            strides => unreachable!("a matrix or its transpose has no strides {strides:?}"),
        }
        let left = Rows { data: &block[..], stride: pairs.len() };
        for (at, count, padded) in b.panels() {
            let panel = Rows { data: &b.pairs[at * depth + pairs.start * padded..][..pairs.len() * padded], stride: padded };
            let size = Size { m: rows.len(), n: padded, k: pairs.len() };
            let into_room = |room: &mut [f32]| multiply_pairs(unit, room, size.n, Into::Replace, left, panel, size);
            if count == padded {
                multiply_pairs(unit, &mut dst[at..], row_stride, into, left, panel, size);
            } else {
                ragged(&mut dst[at..], row_stride, into, size, count, into_room);
            }
        }
    }
}

/// Rows and terms that are multiplied together, as even as can be among terms, and what becomes of what is there: from the second block of
/// terms on, a block is added.
fn blocks(
    rows: usize,
    terms: usize,
    [most_rows, most_terms]: [usize; 2],
    into: Into,
) -> impl Iterator<Item = (Range<usize>, Range<usize>, Into)> {
    let parts = terms.div_ceil(most_terms);
    // In sixteens, which is what bf16 pairs are filled up to at most.
    let part = terms.div_ceil(parts.max(1)).next_multiple_of(16);
    (0..rows).step_by(most_rows).flat_map(move |row| {
        (0..terms).step_by(part.max(1)).map(move |term| {
            let into = if term == 0 { into } else { Into::Add };
            (row..rows.min(row + most_rows), term..terms.min(term + part), into)
        })
    })
}

/// A product of which only the first `count` columns are wanted.
fn ragged(dst: &mut [f32], row_stride: usize, into: Into, size: Size, count: usize, product: impl FnOnce(&mut [f32])) {
    let mut room = [0.0; ROWS_OF_PAIRS * 2 * LANES];
    product(&mut room);
    unpack(&room, size.n, count, size.m, into, dst, row_stride);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::kernels::numbers;

    /// Panels for every kind of processor, both ways to lay b out, both ways in which a may lie, sizes with and without remainders.
    #[test]
    fn products_of_any_size_match_those_of_the_gemm_crate() {
        for (m, n, k) in [(1, 1, 1), (5, 7, 3), (6, 16, 8), (128, 48, 64), (121, 40, 300), (250, 344, 129), (33, 100, 600)] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let stride = n + 3;
            for (a, b) in [(Matrix::new(&a, m, k), Matrix::new(&b, k, n)), (Matrix::new(&a, k, m).t(), Matrix::new(&b, n, k).t())] {
                for (into, width) in
                    [Into::Replace, Into::Add].into_iter().flat_map(|into| [Some(16), Some(32), None].map(|width| (into, width)))
                {
                    let mut panels = Panels::of_width(width, Factors::F32);
                    // What was there before leaves nothing behind.
                    panels.lay_out(Matrix::new(&numbers(400 * 700, 5), 400, 700));
                    panels.lay_out(b);
                    let (mut found, mut expected) = (numbers(m * stride, 3), numbers(m * stride, 3));
                    multiply_panels(&mut found, stride, into, a, &panels);
                    multiply(&mut expected, stride, into, a, b);
                    let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(far <= 2e-6 * k as f32, "{m} {n} {k} {into:?} {width:?}: off by {far}");
                }
            }
        }
    }
}
