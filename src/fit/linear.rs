//! Small dense least squares: weighted, by the normal equations of a centred, scaled design.

use ndarray::{Array1, Array2};

/// Coefficients and the inverse of XᵀWX.
#[derive(Debug, Clone)]
pub(crate) struct LeastSquares {
    pub(crate) beta: Vec<f64>,
    pub(crate) inverse: Vec<Vec<f64>>,
    /// Σ w·r².
    pub(crate) residual: f64,
}

/// Minimises Σ w·(y − x·β)²; `None` where the columns are not independent.
pub(crate) fn least_squares(rows: &[Vec<f64>], y: &[f64], weight: &[f64]) -> Option<LeastSquares> {
    let (n, p) = (rows.len(), rows.first()?.len());
    if n < p {
        return None;
    }
    let x = Array2::from_shape_fn((n, p), |(i, j)| rows[i][j]);
    let weighted = Array2::from_shape_fn((n, p), |(i, j)| weight[i] * rows[i][j]);
    let y = Array1::from(y.to_vec());
    let inverse = invert(&x.t().dot(&weighted))?;
    let beta = inverse.dot(&weighted.t().dot(&y));
    let residual = (&y - &x.dot(&beta)).iter().zip(weight).map(|(r, w)| w * r * r).sum();
    Some(LeastSquares { beta: beta.to_vec(), inverse: inverse.rows().into_iter().map(|row| row.to_vec()).collect(), residual })
}

/// Inverse of a symmetric positive matrix by Gauss–Jordan elimination with pivoting.
fn invert(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let p = matrix.nrows();
    let mut left = matrix.clone();
    let mut right = Array2::eye(p);
    for column in 0..p {
        let pivot = (column..p).max_by(|&i, &j| left[[i, column]].abs().total_cmp(&left[[j, column]].abs()))?;
        if left[[pivot, column]].abs() <= 1e-13 * matrix[[column, column]].abs() {
            return None;
        }
        for k in 0..p {
            left.swap([column, k], [pivot, k]);
            right.swap([column, k], [pivot, k]);
        }
        let scale = left[[column, column]];
        for k in 0..p {
            left[[column, k]] /= scale;
            right[[column, k]] /= scale;
        }
        for row in (0..p).filter(|&row| row != column) {
            let factor = left[[row, column]];
            for k in 0..p {
                left[[row, k]] -= factor * left[[column, k]];
                right[[row, k]] -= factor * right[[column, k]];
            }
        }
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weighted_line_is_found_with_its_variance() {
        let rows: Vec<Vec<f64>> = (0..4).map(|i| vec![1.0, f64::from(i)]).collect();
        let fit = least_squares(&rows, &[1.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 1.0, 3.0]).expect("independent");
        assert!((fit.beta[0] - 1.0).abs() < 1e-12 && (fit.beta[1] - 2.0).abs() < 1e-12 && fit.residual < 1e-20);
        // XᵀWX = [[7, 13], [13, 33]], determinant 62.
        assert!((fit.inverse[1][1] - 7.0 / 62.0).abs() < 1e-12 && (fit.inverse[0][1] + 13.0 / 62.0).abs() < 1e-12);
        assert!(least_squares(&[vec![1.0, 2.0], vec![1.0, 2.0]], &[1.0, 2.0], &[1.0, 1.0]).is_none());
    }
}
