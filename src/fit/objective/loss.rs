//! The function of the residual that is summed over runs.

use crate::fit::Estimator;

/// What is summed over the points: a function of the residual, and how its derivatives are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ResidualLoss {
    /// Residual of logarithms, or of losses.
    pub(crate) log: bool,
    /// Where the function of the residual becomes linear; infinite for squares.
    pub(crate) delta: f64,
    /// Factor on Huber's function.
    pub(crate) factor: f64,
    /// Up to where derivatives are those of the square; δ, but for the predictor of variable projection.
    pub(crate) quadratic_until: f64,
}

impl ResidualLoss {
    /// Squares of log residuals.
    pub(crate) const SQUARES: Self = Self { log: true, delta: f64::INFINITY, factor: 2.0, quadratic_until: f64::INFINITY };

    /// The smooth objective of an estimator; absolute deviation is Huber's function over δ for a small δ.
    pub(crate) fn of(estimator: Estimator, smoothing: f64) -> Self {
        match estimator {
            Estimator::HuberLog { delta } => Self { log: true, delta, factor: 1.0, quadratic_until: delta },
            Estimator::LeastSquaresLog => Self::SQUARES,
            Estimator::LeastSquares => Self { log: false, ..Self::SQUARES },
            Estimator::AbsoluteLog => Self { log: true, delta: smoothing, factor: 1.0 / smoothing, quadratic_until: smoothing },
        }
    }

    /// Residual of a predicted and an observed logarithm.
    pub(crate) fn residual(&self, ln_prediction: f64, ln_loss: f64) -> f64 {
        if self.log { ln_prediction - ln_loss } else { ln_prediction.exp() - ln_loss.exp() }
    }

    /// Function of the residual that is summed.
    #[inline(always)]
    pub(crate) fn of_residual(&self, r: f64) -> f64 {
        let q = r.abs().min(self.delta);
        self.factor * q * (r.abs() - 0.5 * q)
    }

    /// Its first derivative.
    #[inline(always)]
    pub(crate) fn score(&self, r: f64) -> f64 {
        self.factor * if r.abs() <= self.quadratic_until { r } else { r.clamp(-self.delta, self.delta) }
    }

    /// Its second derivative, or under `reweighted` squares that of the parabola through the same score: δ/|r| beyond δ.
    #[inline(always)]
    pub(crate) fn curvature(&self, r: f64, reweighted: bool) -> f64 {
        let outside = if reweighted { self.delta / r.abs() } else { 0.0 };
        self.factor * if r.abs() <= self.quadratic_until { 1.0 } else { outside }
    }
}
