//! Matrix products of training: dst ← a·b or dst ← dst + a·b, with b laid out beforehand so that a tile of the result reads it from
//! one end to the other. Weights are laid out once a step, both ways; what is read of `a` stays where it is.
//!
//! A block of `a` lies in the second-level cache while panel after panel of `b` passes through the first-level one
//! (Goto & van de Geijn 2008, ACM TOMS 34:12). A processor without vector instructions of ours multiplies by the `gemm` crate.

use super::matmul::{Into, Matrix, multiply};
use super::simd::{LANES, tile_columns};
use super::tile::{Left, Rows, Size, multiply_tile, pack, pack_transposed, unpack};
use crate::train::meter::{Part, metered};

/// Terms that are summed up in registers: with them a panel of `b` takes half of the first-level cache.
const TERMS: usize = 256;
/// Terms where those of `a` are rows apart, so that each takes a line of the cache.
const TERMS_APART: usize = 128;
/// Rows of `a` that every panel is multiplied by before the next ones.
const ROWS: usize = 120;

/// A matrix [rows, columns] in panels of columns, one behind the other, each with its rows side by side: [rows, columns of the
/// panel]. The last is filled up to a multiple of [`LANES`] columns.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
    /// Columns of a panel; `None` where there are no tiles for this processor and one panel is the matrix.
    width: Option<usize>,
}

impl Default for Panels {
    /// Of no matrix yet, as this processor reads them.
    fn default() -> Self {
        Self::of_width(tile_columns())
    }
}

impl Panels {
    fn of_width(width: Option<usize>) -> Self {
        Self { data: Vec::new(), rows: 0, columns: 0, width }
    }

    /// Lays a matrix out in the place of the one before.
    pub(crate) fn lay_out(&mut self, from: Matrix<'_>) {
        metered(Part::Products, || {
            (self.rows, self.columns) = (from.rows(), from.columns());
            self.data.resize(self.rows * self.columns.next_multiple_of(LANES), 0.0);
            for (first, count, padded) in self.panels() {
                let to = &mut self.data[first * from.rows()..][..from.rows() * padded];
                lay_out_panel(from, first, count, padded, to);
            }
        });
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

/// dst ← a·b, or dst ← dst + a·b. `dst` is row-major [a.rows, b.columns] with `row_stride`.
pub(crate) fn multiply_panels(dst: &mut [f32], row_stride: usize, into: Into, a: Matrix<'_>, b: &Panels) {
    assert_eq!(a.columns(), b.rows, "inner dimensions agree");
    if b.width.is_none() {
        return multiply(dst, row_stride, into, a, Matrix::strided(&b.data, b.rows, b.columns, b.columns.next_multiple_of(LANES)));
    }
    metered(Part::Products, || {
        let (row, column) = a.strides();
        let most = if column == 1 { TERMS } else { TERMS_APART };
        let blocks = b.rows.div_ceil(most);
        for first_row in (0..a.rows()).step_by(ROWS) {
            let rows = ROWS.min(a.rows() - first_row);
            let dst = &mut dst[first_row * row_stride..];
            let mut first = 0;
            for block in 0..blocks {
                let terms = (b.rows - first).div_ceil(blocks - block);
                let into = if first == 0 { into } else { Into::Add };
                let a = Left { data: &a.data()[first_row * row + first * column..], row, column };
                for (at, count, padded) in b.panels() {
                    let panel = Rows { data: &b.data[at * b.rows + first * padded..][..terms * padded], stride: padded };
                    let size = Size { m: rows, n: padded, k: terms };
                    if count == padded {
                        multiply_tile(&mut dst[at..], row_stride, into, a, panel, size);
                    } else {
                        multiply_ragged(&mut dst[at..], row_stride, into, (a, panel, size), count);
                    }
                }
                first += terms;
            }
        }
    });
}

/// A product of which only the first `count` columns are wanted.
fn multiply_ragged(dst: &mut [f32], row_stride: usize, into: Into, (a, b, size): (Left<'_>, Rows<'_>, Size), count: usize) {
    let mut room = [0.0; ROWS * 2 * LANES];
    multiply_tile(&mut room, size.n, Into::Replace, a, b, size);
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
                    let mut panels = Panels::of_width(width);
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
