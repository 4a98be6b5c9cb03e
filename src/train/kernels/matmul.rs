//! Matrix products by the `gemm` crate on one thread, behind a safe door.

use crate::train::meter::{Part, metered};
use gemm::Parallelism;

/// A read-only matrix of f32 with any strides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major [rows, columns] without gaps.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Row-major [rows, columns], `row_stride` numbers from one row to the next.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || (rows - 1) * row_stride + columns <= data.len(), "a matrix lies within its data");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    pub(super) fn data(self) -> &'a [f32] {
        self.data
    }

    pub(super) fn rows(self) -> usize {
        self.rows
    }

    pub(crate) fn columns(self) -> usize {
        self.columns
    }

    /// From one row to the next, and from one column to the next.
    pub(super) fn strides(self) -> (usize, usize) {
        (self.row_stride, self.column_stride)
    }

    /// The transpose [columns, rows] of the same data.
    pub(crate) fn t(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_stride: self.column_stride, column_stride: self.row_stride, data: self.data }
    }
}

/// What becomes of the numbers that the destination of a product holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Add,
}

/// dst ← a·b, or dst ← dst + a·b. `dst` is row-major [a.rows, b.columns] with `row_stride`.
pub(crate) fn multiply(dst: &mut [f32], row_stride: usize, into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner dimensions agree");
    assert!(n <= row_stride && (m == 0 || (m - 1) * row_stride + n <= dst.len()), "the product lies within its destination");
    metered(Part::Products, || {
        // SAFETY: every matrix was checked to lie within its slice ([`Matrix::strided`], the line above), `dst` is
        // borrowed for this call alone, and strides fit isize because slices do.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                dst.as_mut_ptr(),
                1,
                row_stride as isize,
                into == Into::Add,
                a.data.as_ptr(),
                a.column_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.column_stride as isize,
                b.row_stride as isize,
                1.0f32,
                1.0f32,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_strides_and_transposes_match_a_triple_loop() {
        let number = |i: usize| ((i * 37 % 101) as f32 - 50.0) * 0.01;
        let (m, n, k, stride) = (5, 7, 3, 9);
        let a: Vec<f32> = (0..k * stride).map(number).collect();
        let b: Vec<f32> = (0..k * n).map(|i| number(i + 11)).collect();
        let mut found = vec![1.0f32; m * stride];
        multiply(&mut found, stride, Into::Add, Matrix::strided(&a, k, m, stride).t(), Matrix::new(&b, k, n));
        for (row, column) in (0..m).flat_map(|row| (0..stride).map(move |column| (row, column))) {
            let product: f32 = if column < n { (0..k).map(|l| a[l * stride + row] * b[l * n + column]).sum() } else { 0.0 };
            assert!((found[row * stride + column] - 1.0 - product).abs() < 1e-5);
        }
    }
}
