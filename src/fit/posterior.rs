//! A law by robust least squares with its weak priors, and the normal approximation around it: what a forecast needs of a law,
//! at a hundredth of the price of refits. Residuals beyond one and a half times their spread count by their size (Huber 1964),
//! the spread being estimated from the same residuals.

use super::estimate::quantile;
use super::interval::lowest;
use super::objective::{Objective, Order, Phi, ResidualLoss, Scan};
use super::search::varpro;
use super::{Estimator, FitError};
use crate::fit::identify::check;
use crate::law::{ComputeCount, Law, Point};
use nalgebra::{DMatrix, DVector};
use std::sync::Arc;

/// Residuals beyond so many spreads count by their size.
const LINEAR_FROM: f64 = 1.5;
/// Residuals beyond so many spreads count as that many in the spread of one run.
const CUT_AT: f64 = 3.0;
/// Four in five of normal numbers lie within so many standard deviations.
const FOUR_IN_FIVE: f64 = 1.281_551_565_544_600_4;
/// Rounds of spread and fit.
const ROUNDS: usize = 3;
/// Minima that each round starts from.
const STARTS: usize = 3;
/// Spread of ln L that the first search takes for true.
const START_SPREAD: f64 = 3e-3;
/// Least spread of ln L: losses are written with no more digits.
const LEAST_SPREAD: f64 = 1e-5;

/// A law with how sure its coefficients are.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// The most likely law.
    pub law: Law,
    /// Standard deviation of ln L of one run of weight 1 about it.
    pub spread: f64,
    laid: Arc<Objective>,
    phi: Phi,
    /// Lower triangle L of the covariance of the coordinates, L·Lᵀ.
    root: DMatrix<f64>,
}

impl Posterior {
    /// Fits a law to runs; the coefficients of `form` are not used.
    ///
    /// # Errors
    /// Where the runs cannot determine the law, or no search ends.
    pub fn of(form: &Law, points: &[Point]) -> Result<Self, FitError> {
        check(form, points)?;
        let nothing = || FitError::NoMinimum { law: form.name().to_owned() };
        let laid = Objective::new(form, points);
        let weak = laid.believing(START_SPREAD * START_SPREAD);
        let ends = varpro(&weak, Estimator::LeastSquaresLog, Scan::Fine);
        let mut starts: Vec<Phi> = ends.into_iter().take(STARTS).map(|end| end.phi).collect();
        let mut phi = starts.first().cloned().ok_or_else(nothing)?;
        let mut spread = robust_spread(&laid, &phi);
        for _ in 0..ROUNDS {
            let estimator = Estimator::HuberLog { delta: LINEAR_FROM * spread };
            phi = lowest(&laid.believing(spread * spread), estimator, starts.drain(..)).ok_or_else(nothing)?.phi;
            spread = robust_spread(&laid, &phi);
            starts.push(phi.clone());
        }
        let one_run = spread_of_one_run(&laid, &phi, spread);
        let root = root_of_covariance(&laid.believing(spread * spread), &phi, one_run, spread).ok_or_else(nothing)?;
        Ok(Self { law: form.with_theta(&laid.to_theta(&phi)), spread: one_run, laid: Arc::new(laid), phi, root })
    }

    /// ln L of a point, and the standard error of its mean over runs.
    pub fn ln_loss(&self, point: &Point) -> (f64, f64) {
        let (value, slope) = self.laid.ln_loss_at(&self.phi, point);
        (value, self.root.tr_mul(&DVector::from_column_slice(&slope)).norm())
    }

    /// ln N* of a compute and its standard error: half of what each axis of the covariance moves it by between one standard deviation
    /// to either side, added in squares. Not a number where loss has no minimum inside the budget.
    pub fn ln_optimal_params(&self, compute: f64, count: &ComputeCount) -> (f64, f64) {
        let moved = |axis: usize, by: f64| {
            let phi: Phi = self.phi.iter().zip(self.root.column(axis).iter()).map(|(at, axis)| at + by * axis).collect();
            self.law.with_theta(&self.laid.to_theta(&phi)).optimal_params(compute, count).ln()
        };
        let squares: f64 = (0..self.phi.len()).map(|axis| (0.5 * (moved(axis, 1.0) - moved(axis, -1.0))).powi(2)).sum();
        (self.law.optimal_params(compute, count).ln(), squares.sqrt())
    }
}

/// Residuals of ln L with weights.
fn residuals(laid: &Objective, phi: &Phi) -> Vec<(f64, f64)> {
    laid.observed().into_iter().zip(laid.ln_predictions(phi)).map(|((ln_loss, weight), ln)| (ln_loss - ln, weight)).collect()
}

/// Degrees of freedom that are left of the runs.
fn spare(laid: &Objective) -> f64 {
    laid.len().saturating_sub(laid.dim()).max(1) as f64
}

/// The spread of normal residuals of which four in five are no larger than those here.
fn spread_of(residuals: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = residuals.map(f64::abs).collect();
    sizes.sort_by(f64::total_cmp);
    quantile(&sizes, 0.8) / FOUR_IN_FIVE
}

/// Root mean square of residuals, those far out cut.
pub(crate) fn root_mean_square(residuals: &[f64]) -> f64 {
    let most = (CUT_AT * spread_of(residuals.iter().copied())).powi(2);
    (residuals.iter().map(|residual| (residual * residual).min(most)).sum::<f64>() / residuals.len() as f64).sqrt().max(LEAST_SPREAD)
}

/// The spread of normal residuals of which four in five are no larger than those here, at the size that noise had before the fit
/// took its share: a fifth of the runs may be far off, and of few runs a law passes through half but not through four in five.
fn robust_spread(laid: &Objective, phi: &Phi) -> f64 {
    let before = (laid.len() as f64 / spare(laid)).sqrt();
    (before * spread_of(residuals(laid, phi).into_iter().map(|(r, weight)| r * weight.sqrt()))).max(LEAST_SPREAD)
}

/// Root mean square of residuals, those far out cut.
fn spread_of_one_run(laid: &Objective, phi: &Phi, spread: f64) -> f64 {
    let squares = residuals(laid, phi).into_iter().map(|(r, weight)| (r * r * weight).min((CUT_AT * spread).powi(2)));
    (squares.sum::<f64>() / spare(laid)).sqrt().max(LEAST_SPREAD)
}

/// Cholesky's factor of σ²·H⁻¹, H that of Gauss and Newton.
fn root_of_covariance(laid: &Objective, phi: &Phi, sigma: f64, spread: f64) -> Option<DMatrix<f64>> {
    let dim = laid.dim();
    let loss = ResidualLoss::of(Estimator::HuberLog { delta: LINEAR_FROM * spread }, 1.0);
    let here = laid.evaluate(loss, phi, Order::Reweighted);
    let mut hessian = DMatrix::from_fn(dim, dim, |j, k| here.hessian[j][k]);
    // A direction that the runs say nothing of: as free as rounding leaves it.
    let least = 1e-12 * hessian.diagonal().max();
    (0..dim).for_each(|j| hessian[(j, j)] += least);
    let covariance = hessian.cholesky()?.inverse() * (sigma * sigma);
    Some(covariance.cholesky()?.l())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Chinchilla, Design, Gamma, Noise, simulate};
    use rayon::prelude::*;

    fn runs(law: &Law, noise: f64, seed: u64) -> Vec<Point> {
        simulate(law, &Design::isoflop(&[1e17, 1e18, 1e19], 8, 8.0), Noise { run: noise, cluster: 0.0 }, seed)
    }

    #[test]
    fn a_law_is_recovered_from_runs_without_noise_and_one_run_far_off_moves_it_little() {
        let truth = Law::from(Chinchilla::default());
        let found = Posterior::of(&truth, &runs(&truth, 0.0, 1)).expect("fitted");
        assert!(found.law.theta().iter().zip(truth.theta()).all(|(found, known)| (found / known - 1.0).abs() < 1e-4), "{:?}", found.law);
        let mut spoilt = runs(&truth, 0.003, 1);
        let clean = Posterior::of(&truth, &spoilt).expect("fitted");
        spoilt[11].loss *= 1.2;
        let robust = Posterior::of(&truth, &spoilt).expect("fitted");
        let far = Point::new(1e9, 2e10, 1.0);
        let (moved, se) = ((robust.ln_loss(&far).0 - clean.ln_loss(&far).0).abs(), clean.ln_loss(&far).1);
        assert!(moved < 1.5 * se && robust.spread < 2.0 * clean.spread, "{moved} {se}, {} {}", robust.spread, clean.spread);
    }

    #[test]
    fn errors_of_a_mean_loss_are_as_large_as_said() {
        let truth = Law::of(Gamma, [1.2, 3e4, 8e4, 0.5, 0.5, 0.6]);
        let place = Point::new(3e8, 1e10, 1.0);
        let known = truth.loss(&place).ln();
        let score = |seed: u64| {
            let (said, se) = Posterior::of(&truth, &runs(&truth, 0.005, seed)).expect("fitted").ln_loss(&place);
            (said - known) / se
        };
        let scores: Vec<f64> = (0..120u64).into_par_iter().map(score).collect();
        let inside = scores.iter().filter(|score| score.abs() < 1.96).count();
        // 95 % of 120 is 114; the normal approximation takes the spread for known, and 97 to 120 is four standard errors.
        assert!((104..=120).contains(&inside), "{inside} of 120");
    }
}
