//! Coordinates and small symmetric matrices of any size. Those of up to eight coordinates, which is nearly all, take no
//! memory of their own; so a factorisation of our own over slices stays in the searches, where thousands are made a
//! millisecond, and nalgebra serves where nobody waits.

use smallvec::SmallVec;
use std::ops::{Index, IndexMut};

/// Coordinates of a search.
pub(crate) type Phi = SmallVec<[f64; 8]>;

/// A square matrix, row by row: `matrix[j][k]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    dim: usize,
    numbers: SmallVec<[f64; 64]>,
}

impl Matrix {
    pub(crate) fn zero(dim: usize) -> Self {
        Self { dim, numbers: SmallVec::from_elem(0.0, dim * dim) }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.numbers.iter_mut().zip(&other.numbers).for_each(|(sum, part)| *sum += part);
    }

    /// Some of its rows and columns, in their order.
    pub(crate) fn among(&self, kept: &[usize]) -> Self {
        if kept.len() == self.dim {
            return self.clone();
        }
        let mut among = Self::zero(kept.len());
        for (j, &row) in kept.iter().enumerate() {
            for (k, &column) in kept.iter().enumerate() {
                among[j][k] = self[row][column];
            }
        }
        among
    }

    /// Puts L in place of the lower triangle, L·Lᵀ = the matrix, and leaves the upper as it is; false where it is not positive
    /// definite.
    pub(crate) fn cholesky(&mut self) -> bool {
        for j in 0..self.dim {
            let (above, below) = self.numbers.split_at_mut(j * self.dim);
            let row = &mut below[..=j];
            let diagonal = row[j];
            for k in 0..j {
                let other = &above[k * self.dim..][..=k];
                row[k] = row[..k].iter().zip(other).fold(row[k], |sum, (left, right)| sum - left * right) / other[k];
            }
            let sum = row[..j].iter().fold(diagonal, |sum, number| sum - number * number);
            // Lost to rounding when what remains is a 1e-14th of what there was.
            if sum.is_nan() || sum <= 1e-14 * diagonal.abs() {
                return false;
            }
            row[j] = sum.sqrt();
        }
        true
    }

    /// Solves L·Lᵀ·x = right for a lower triangle.
    pub(crate) fn back_substitute(&self, right: &[f64]) -> Phi {
        let mut x = Phi::from_slice(&right[..self.dim]);
        for j in 0..self.dim {
            for k in 0..j {
                x[j] -= self[j][k] * x[k];
            }
            x[j] /= self[j][j];
        }
        for j in (0..self.dim).rev() {
            for k in j + 1..self.dim {
                x[j] -= self[k][j] * x[k];
            }
            x[j] /= self[j][j];
        }
        x
    }

    /// Eigenvalues of a symmetric matrix, ascending; NaN where a number of it is not finite.
    pub(crate) fn eigenvalues(&self) -> Vec<f64> {
        if self.numbers.iter().any(|number| !number.is_finite()) {
            return vec![f64::NAN; self.dim];
        }
        let matrix = nalgebra::DMatrix::from_row_slice(self.dim, self.dim, &self.numbers);
        let mut values: Vec<f64> = matrix.symmetric_eigenvalues().iter().copied().collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

impl Index<usize> for Matrix {
    type Output = [f64];
    fn index(&self, row: usize) -> &[f64] {
        &self.numbers[row * self.dim..][..self.dim]
    }
}

impl IndexMut<usize> for Matrix {
    fn index_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.numbers[row * self.dim..][..self.dim]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[f64]]) -> Matrix {
        let mut matrix = Matrix::zero(rows.len());
        rows.iter().enumerate().for_each(|(j, row)| matrix[j].copy_from_slice(row));
        matrix
    }

    #[test]
    fn a_factorisation_and_eigenvalues_worked_by_hand() {
        let matrix = of(&[&[4.0, 2.0], &[2.0, 3.0]]);
        let mut lower = matrix.clone();
        assert!(lower.cholesky());
        assert!((lower[1][1] - 2f64.sqrt()).abs() < 1e-15 && lower[1][0] == 1.0);
        // (4, 2; 2, 3)·(1, 2) = (8, 8).
        assert!(lower.back_substitute(&[8.0, 8.0]).iter().zip([1.0, 2.0]).all(|(x, known)| (x - known).abs() < 1e-14));
        let [low, high] = [3.5 - 4.25f64.sqrt(), 3.5 + 4.25f64.sqrt()];
        assert!(matrix.eigenvalues().iter().zip([low, high]).all(|(x, known)| (x - known).abs() < 1e-14));
        assert!(!of(&[&[1.0, 2.0], &[2.0, 1.0]]).cholesky());
        assert_eq!(of(&[&[1.0, 2.0, 3.0], &[2.0, 4.0, 5.0], &[3.0, 5.0, 6.0]]).among(&[0, 2]), of(&[&[1.0, 3.0], &[3.0, 6.0]]));
    }
}
