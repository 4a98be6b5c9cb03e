//! A law laid over points, as a search sees it: coordinates in which it is well conditioned, the objective with its
//! derivatives there, where to start. The searches of this room ask for nothing else, so every law has all of them.
//!
//! Coordinates, factors and starts are those that the law declares (`law::Formula`). A sum of up to three powers is summed
//! over columns in vectorised passes; any other law from its own derivatives, a block of points at a time.

mod columns;
mod evaluation;
mod general;
mod kernel;
mod loss;
mod matrix;
mod prior;
mod starts;

pub(crate) use evaluation::{Evaluation, Order};
pub(crate) use loss::ResidualLoss;
pub(crate) use matrix::Phi;
pub(crate) use starts::combinations;

use crate::law::{AnyFormula, Block, Centre, Kind, Law, Point};
use columns::{Columns, MAX_POWERS};
use general::{Asked, Blocks};
use prior::Beliefs;
use smallvec::SmallVec;
use std::sync::Arc;

/// Ln of the part of the loss below which a term counts as absent (1e-6).
const ABSENT: f64 = -13.8;
/// Exponents outside are reported as at a bound.
const EXPONENTS: std::ops::Range<f64> = 1e-3..10.0;
/// A floor below is reported as at its bound.
const LEAST_FLOOR: f64 = 1e-6;

/// How finely the coordinates that are no factors are scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// For a fit.
    Fine,
    /// For a refit to resampled data, which also starts from the basins of the fit.
    Coarse,
}

/// A law laid over points. Its first coordinates are factors, which are solved for given others; the others are searched.
#[derive(Debug, Clone)]
pub(crate) struct Objective {
    form: Arc<dyn AnyFormula>,
    centre: Centre,
    data: Data,
    /// What is believed of coordinates, where that is to count.
    beliefs: Option<Beliefs>,
}

#[derive(Debug, Clone)]
enum Data {
    Columns(Columns),
    Blocks(Blocks),
}

impl Objective {
    /// Lays a form over points, each of which carries its variables.
    pub(crate) fn new(form: &Law, points: &[Point]) -> Self {
        let form = form.formula().clone();
        let centre = Centre::of(points, form.variables());
        let powers = form.coefficients().iter().filter(|one| matches!(one.kind, Kind::Factor { .. })).count();
        let data = if form.is_power_sum() && powers <= MAX_POWERS {
            Data::Columns(Columns::new(form.coefficients(), &centre, points))
        } else {
            Data::Blocks(Blocks::new(points))
        };
        Self { form, centre, data, beliefs: None }
    }

    /// Number of coordinates.
    pub(crate) fn dim(&self) -> usize {
        self.form.coefficients().len()
    }

    /// How many of them, the first ones, are factors.
    pub(crate) fn factors(&self) -> usize {
        self.form.coefficients().iter().filter(|one| one.is_factor()).count()
    }

    /// Coordinates of coefficients.
    pub(crate) fn to_phi(&self, theta: &[f64]) -> Phi {
        Phi::from_vec(self.form.coordinates_of(theta, &self.centre))
    }

    /// Coefficients of coordinates.
    pub(crate) fn to_theta(&self, phi: &[f64]) -> Vec<f64> {
        self.form.coefficients_at(phi, &self.centre)
    }

    /// What an exponent is multiplied by to be a coordinate.
    pub(crate) fn exponent_scale(&self, coefficient: usize) -> f64 {
        match self.form.coefficients()[coefficient].kind {
            Kind::Exponent { of } => self.centre.spread(of),
            _ => 1.0,
        }
    }

    /// (ln L, weight) of each point.
    pub(crate) fn observed(&self) -> Vec<(f64, f64)> {
        match &self.data {
            Data::Columns(columns) => columns.observed(),
            Data::Blocks(blocks) => blocks.observed(),
        }
    }

    /// How many points there are.
    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Columns(columns) => columns.len(),
            Data::Blocks(blocks) => blocks.len(),
        }
    }

    fn with(&self, data: Data) -> Self {
        Self { form: self.form.clone(), centre: self.centre.clone(), data, beliefs: self.beliefs.clone() }
    }

    /// The same with the law's beliefs, which weigh as much as runs with a variance of ln L of `variance` do.
    pub(crate) fn believing(&self, variance: f64) -> Self {
        let lowest = self.observed().iter().map(|(ln_loss, _)| *ln_loss).fold(f64::INFINITY, f64::min);
        Self { beliefs: Some(Beliefs::new(self.form.priors(), lowest, variance)), ..self.clone() }
    }

    /// The same coordinates over points weighted anew; points of weight zero are left out.
    pub(crate) fn reweighted(&self, weight: impl Fn(usize) -> f64) -> Self {
        let kept: Vec<(usize, f64)> = (0..self.len()).map(|at| (at, weight(at))).filter(|(_, weight)| *weight != 0.0).collect();
        self.gathered(&kept)
    }

    /// The same coordinates over at most `most` points at even distances.
    pub(crate) fn thinned(&self, most: usize) -> Self {
        let (stride, observed) = (self.len().div_ceil(most).max(1), self.observed());
        let kept: Vec<(usize, f64)> = (0..self.len()).step_by(stride).map(|at| (at, observed[at].1)).collect();
        self.gathered(&kept)
    }

    fn gathered(&self, kept: &[(usize, f64)]) -> Self {
        self.with(match &self.data {
            Data::Columns(columns) => Data::Columns(columns.gathered(kept)),
            Data::Blocks(blocks) => Data::Blocks(blocks.gathered(kept)),
        })
    }

    /// The same places with other losses, given as ln L.
    pub(crate) fn with_ln_losses(&self, ln_losses: &[f64]) -> Self {
        self.with(match &self.data {
            Data::Columns(columns) => Data::Columns(columns.with_ln_losses(ln_losses)),
            Data::Blocks(blocks) => Data::Blocks(blocks.with_ln_losses(ln_losses)),
        })
    }

    /// The objective and as many of its derivatives as asked for.
    pub(crate) fn evaluate(&self, loss: ResidualLoss, phi: &[f64], order: Order) -> Evaluation {
        match &self.data {
            // All of them, in any case.
            Data::Columns(_) => self.evaluate_by(loss, phi, order, &[]),
            Data::Blocks(_) => self.evaluate_by(loss, phi, order, &(0..self.dim()).collect::<SmallVec<[usize; 8]>>()),
        }
    }

    /// The same where derivatives by the coordinates `free` are enough; others may be 0.
    pub(crate) fn evaluate_by(&self, loss: ResidualLoss, phi: &[f64], order: Order, free: &[usize]) -> Evaluation {
        if phi.iter().any(|coordinate| coordinate.is_nan()) {
            // Clamps and bits would make some number of it.
            return Evaluation { value: f64::NAN, ..Evaluation::zero(self.dim()) };
        }
        let mut sum = match &self.data {
            Data::Columns(columns) => columns.evaluate(loss, phi, order),
            Data::Blocks(blocks) => blocks.evaluate(&*self.form, &self.centre, loss, Asked { phi, free, order }),
        };
        if let Some(beliefs) = &self.beliefs {
            beliefs.add(&mut sum, loss, phi, order);
        }
        sum
    }

    /// Predicted ln L of each point.
    pub(crate) fn ln_predictions(&self, phi: &[f64]) -> Vec<f64> {
        match &self.data {
            Data::Columns(columns) => columns.ln_predictions(phi),
            Data::Blocks(blocks) => blocks.ln_predictions(&*self.form, &self.centre, phi),
        }
    }

    /// ∂ ln prediction / ∂ coordinate of each point.
    pub(crate) fn jacobian(&self, phi: &[f64]) -> Vec<Phi> {
        match &self.data {
            Data::Columns(columns) => columns.jacobian(phi),
            Data::Blocks(blocks) => blocks.jacobian(&*self.form, &self.centre, phi),
        }
    }

    /// ln L of a point with its slopes by the coordinates.
    pub(crate) fn ln_loss_at(&self, phi: &[f64], point: &Point) -> (f64, Phi) {
        let free: SmallVec<[usize; 8]> = (0..self.dim()).collect();
        let mut found = (f64::NAN, Phi::new());
        self.form.jets(phi, &free, &self.centre, &Block::of(std::slice::from_ref(point)), false, &mut |_, jet| {
            found = (jet.value.0[0], jet.gradient.iter().map(|slope| slope.0[0]).collect());
        });
        found
    }

    /// Coefficients to report, and in words those that stand at the edge of what they may be.
    pub(crate) fn at_bounds(&self, phi: &[f64]) -> (Vec<f64>, Vec<String>) {
        let mut theta = self.to_theta(phi);
        let mut words = Vec::new();
        for (j, coefficient) in self.form.coefficients().iter().enumerate() {
            let (name, value) = (coefficient.name, theta[j]);
            match (&coefficient.kind, &self.data) {
                (Kind::Floor | Kind::Factor { .. }, Data::Columns(_)) if phi[j] - self.mean_ln_loss() < ABSENT => {
                    theta[j] = 0.0;
                    words.push(format!("{name} is at its bound 0: the data are fitted as well without this term"));
                }
                (Kind::Floor, Data::Blocks(_)) if value < LEAST_FLOOR => {
                    words.push(format!("{name} = {value:.3e} is at its bound: the data are fitted as well with {name} = 0"));
                }
                (Kind::Exponent { .. }, _) if !EXPONENTS.contains(&value) => {
                    words.push(format!("{name} = {value:.3e} is outside {EXPONENTS:?}: the data do not determine it"));
                }
                (Kind::Positive { range, outside, .. }, _) if !range.contains(&value) => {
                    words.push(format!("{name} = {value:.3e} is at its bound: {outside}"));
                }
                (Kind::Free { range, .. }, _) if !range.contains(&value) => {
                    words.push(format!("{name} = {value:.3e} is outside {range:?}: the data do not determine it"));
                }
                _ => {}
            }
        }
        (theta, words)
    }

    /// A refitted coefficient, infinite where it ended beyond its bound.
    pub(crate) fn unbounded(&self, coefficient: usize, value: f64) -> f64 {
        let end = match (&self.form.coefficients()[coefficient].kind, &self.data) {
            (Kind::Positive { range, .. }, _) => range.end,
            (Kind::Exponent { .. }, Data::Blocks(_)) => EXPONENTS.end,
            _ => f64::INFINITY,
        };
        if value >= end { f64::INFINITY } else { value }
    }

    /// Sum of weights.
    pub(crate) fn total_weight(&self) -> f64 {
        self.observed().iter().map(|(_, weight)| weight).sum()
    }

    /// Weighted mean of ln L.
    pub(crate) fn mean_ln_loss(&self) -> f64 {
        self.observed().iter().map(|(ln_loss, weight)| ln_loss * weight).sum::<f64>() / self.total_weight()
    }

    /// Σ w·|ln prediction − ln L|.
    pub(crate) fn absolute(&self, phi: &[f64]) -> f64 {
        let residuals = self.ln_predictions(phi).into_iter().zip(self.observed());
        residuals.map(|(prediction, (ln_loss, weight))| weight * (prediction - ln_loss).abs()).sum()
    }

    /// Objective of the best-guess constant, exp(mean ln L): the scale that makes an objective free of units.
    pub(crate) fn scale_of(&self, loss: ResidualLoss) -> f64 {
        let mean = self.mean_ln_loss();
        let part = |(ln_loss, weight): (f64, f64)| weight * loss.of_residual(loss.residual(mean, ln_loss));
        let sum: f64 = self.observed().into_iter().map(part).sum();
        if sum > 0.0 { sum } else { 1.0 }
    }
}

#[cfg(test)]
mod tests;
