//! Small dense least squares: weighted, by the normal equations of a centred, scaled design.

use nalgebra::DMatrix;
use ndarray::{Array1, Array2};

/// Share of a column that the others must leave unexplained.
const INDEPENDENT: f64 = 1e-13;

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

/// Inverse of a symmetric positive matrix, by Cholesky's factor of it scaled to a diagonal of ones.
fn invert(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let p = matrix.nrows();
    let scale: Vec<f64> = (0..p).map(|j| matrix[[j, j]].sqrt()).collect();
    let scaled = DMatrix::from_fn(p, p, |i, j| matrix[[i, j]] / (scale[i] * scale[j]));
    let factor = scaled.cholesky()?;
    if factor.l_dirty().diagonal().iter().any(|pivot| pivot * pivot <= INDEPENDENT) {
        return None;
    }
    let inverse = factor.inverse();
    Some(Array2::from_shape_fn((p, p), |(i, j)| inverse[(i, j)] / (scale[i] * scale[j])))
}

/// gᵀ·V·g.
pub(crate) fn variance(gradient: &[f64], covariance: &[Vec<f64>]) -> f64 {
    product(gradient, covariance, gradient)
}

/// lᵀ·M·r.
pub(crate) fn product(left: &[f64], matrix: &[Vec<f64>], right: &[f64]) -> f64 {
    left.iter().zip(matrix).map(|(l, row)| l * row.iter().zip(right).map(|(m, r)| m * r).sum::<f64>()).sum()
}

/// Central differences of a function of the coefficients.
pub(crate) fn gradient(beta: &[f64], of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let along = |j: usize| {
        let step = 1e-6 * beta[j].abs().max(1e-4);
        let moved = |by: f64| {
            let mut moved = beta.to_vec();
            moved[j] += by;
            of(&moved)
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    };
    (0..beta.len()).map(along).collect()
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
