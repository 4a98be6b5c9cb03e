//! What a search needs to know of a law laid over points: coordinates in which it is well conditioned, the objective
//! with its derivatives there, where to start. The searches of this room ask for nothing else, so every law has all of them.

use super::Estimator;
use crate::law::{Law, Point};

/// Most coordinates: four factors and three exponents.
pub(crate) const MAX_DIM: usize = 7;
/// Coordinates of a search; only the first `dim` mean anything.
pub(crate) type Phi = [f64; MAX_DIM];

/// What is summed over the points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Residual of logarithms, or of losses.
    pub(crate) log: bool,
    /// Where the function of the residual becomes linear; infinite for squares.
    pub(crate) delta: f64,
    /// Factor on Huber's function.
    pub(crate) factor: f64,
    /// Up to where derivatives are those of the square; δ, but for the predictor of [`super::varpro`].
    pub(crate) reach: f64,
}

impl Loss {
    /// The smooth objective of an estimator; absolute deviation is Huber's function over δ for a small δ.
    pub(crate) fn of(estimator: Estimator, smoothing: f64) -> Self {
        match estimator {
            Estimator::HuberLog { delta } => Self { log: true, delta, factor: 1.0, reach: delta },
            Estimator::LeastSquaresLog => Self { log: true, delta: f64::INFINITY, factor: 2.0, reach: f64::INFINITY },
            Estimator::LeastSquares => Self { log: false, delta: f64::INFINITY, factor: 2.0, reach: f64::INFINITY },
            Estimator::AbsoluteLog => Self { log: true, delta: smoothing, factor: 1.0 / smoothing, reach: smoothing },
        }
    }
}

/// Objective, gradient and Hessian; only the first `dim` coordinates mean anything.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation {
    pub(crate) value: f64,
    pub(crate) gradient: Phi,
    pub(crate) hessian: [Phi; MAX_DIM],
}

/// How much of an [`Evaluation`] is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Value,
    Gradient,
    Hessian,
    /// In place of the Hessian that of Gauss and Newton under reweighted squares, δ/|r| beyond δ: never indefinite, so that
    /// a search far from the minimum, where Huber's function has next to no curvature of its own, still knows where to go.
    Reweighted,
}

impl Evaluation {
    pub(crate) fn zero() -> Self {
        Self { value: 0.0, gradient: [0.0; MAX_DIM], hessian: [[0.0; MAX_DIM]; MAX_DIM] }
    }

    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        for j in 0..MAX_DIM {
            self.gradient[j] += other.gradient[j];
            for k in 0..MAX_DIM {
                self.hessian[j][k] += other.hessian[j][k];
            }
        }
        self
    }
}

/// How finely the shapes of a law are scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// For a fit.
    Fine,
    /// For a refit to resampled data, which also starts from the basins of the fit.
    Coarse,
}

/// A law laid over points. Its first coordinates are factors, which are solved for given shapes; the others are shapes
/// (exponents and the like), which are searched.
pub trait Objective: Clone + Send + Sync {
    /// Number of coordinates.
    fn dim(&self) -> usize;
    /// How many of them are factors.
    fn factors(&self) -> usize;
    /// Coordinates of coefficients.
    fn to_phi(&self, theta: &[f64]) -> Phi;
    /// Coefficients of coordinates.
    fn to_theta(&self, phi: &Phi) -> Vec<f64>;
    /// (ln L, weight) of each point.
    fn observed(&self) -> Vec<(f64, f64)>;
    /// The same coordinates over points weighted anew; points of weight zero are left out.
    fn reweighted(&self, weight: impl Fn(usize) -> f64) -> Self;
    /// The same coordinates over at most `most` points at even distances.
    fn thinned(&self, most: usize) -> Self;
    /// The same places with other losses, given as ln L.
    fn with_ln_losses(&self, ln_losses: &[f64]) -> Self;
    /// The objective and as many of its derivatives as asked for.
    fn evaluate(&self, loss: Loss, phi: &Phi, order: Order) -> Evaluation;
    /// Predicted ln L of each point.
    fn ln_predictions(&self, phi: &Phi) -> Vec<f64>;
    /// ∂ ln prediction / ∂ coordinate of each point.
    fn jacobian(&self, phi: &Phi) -> Vec<Phi>;
    /// Values that a scan tries for each shape.
    fn axes(&self, grid: Grid) -> Vec<Vec<f64>>;
    /// Factors that a scan starts from.
    fn even_shares(&self) -> Phi;
    /// Coefficients that L-BFGS starts from.
    fn starts(&self) -> Vec<Vec<f64>>;
    /// A start that a search by gradients can leave.
    fn lifted(&self, phi: Phi) -> Phi {
        phi
    }
    /// Coefficients to report, and in words those that stand at the edge of what they may be.
    fn at_bounds(&self, phi: &Phi, names: &[&str]) -> (Vec<f64>, Vec<String>);

    /// A refitted coefficient, infinite where it ended beyond its bound.
    fn unbounded(&self, _coefficient: usize, value: f64) -> f64 {
        value
    }

    /// Sum of weights.
    fn total_weight(&self) -> f64 {
        self.observed().iter().map(|(_, weight)| weight).sum()
    }

    /// Weighted mean of ln L.
    fn mean_ln_loss(&self) -> f64 {
        self.observed().iter().map(|(ln_loss, weight)| ln_loss * weight).sum::<f64>() / self.total_weight()
    }

    /// Σ w·|ln prediction − ln L|.
    fn absolute(&self, phi: &Phi) -> f64 {
        let residuals = self.ln_predictions(phi).into_iter().zip(self.observed());
        residuals.map(|(prediction, (ln_loss, weight))| weight * (prediction - ln_loss).abs()).sum()
    }

    /// Objective of the best-guess constant, exp(mean ln L): the scale that makes an objective free of units.
    fn scale_of(&self, loss: Loss) -> f64 {
        let mean = self.mean_ln_loss();
        let part = |(ln_loss, weight): (f64, f64)| weight * loss.of_residual(loss.residual(mean, ln_loss));
        let sum: f64 = self.observed().into_iter().map(part).sum();
        if sum > 0.0 { sum } else { 1.0 }
    }
}

/// A law that can be fitted.
pub trait Fittable: Law + 'static {
    /// What it becomes over points.
    type Layout: Objective;
    /// Lays it over points, each of which carries the law's variables.
    fn lay_out(&self, points: &[Point]) -> Self::Layout;
}

impl Loss {
    /// Residual of a predicted and an observed logarithm.
    pub(crate) fn residual(&self, ln_prediction: f64, ln_loss: f64) -> f64 {
        if self.log { ln_prediction - ln_loss } else { ln_prediction.exp() - ln_loss.exp() }
    }

    /// Function of the residual that is summed.
    pub(crate) fn of_residual(&self, r: f64) -> f64 {
        let q = r.abs().min(self.delta);
        self.factor * q * (r.abs() - 0.5 * q)
    }
}
