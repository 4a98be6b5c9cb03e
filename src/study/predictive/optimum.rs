//! The best size of a budget by several laws and the frontier through minima of budgets, with a record and a discrepancy of its own:
//! what moves losses by compute alone moves no optimum.

use super::frontier::{Frontier, Minimum};
use super::settings::Settings;
use super::variance::Predictive;
use super::{average, normalised};
use crate::fit::{Drift, Posterior};
use crate::law::ComputeCount;

/// Error of ln N* for each factor e of distance that all have: minima are known no better.
const LEAST_ERROR: f64 = 0.02;

/// ln N* by each law and, last, by the frontier, with standard errors; absent where it says nothing.
type Said = Vec<Option<(f64, f64)>>;

/// An optimum that was found beyond a cut, and what was said of it below.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OptimumAhead {
    ln_factor: f64,
    found: Minimum,
    said: Said,
}

/// What laws and a frontier say of N* at a compute.
pub(super) fn said(laws: &[&Posterior], frontier: Option<&Frontier>, compute: f64, count: &ComputeCount) -> Said {
    let of_laws = laws.iter().map(|law| Some(law.ln_optimal_params(compute, count)));
    let all = of_laws.chain([frontier.map(|frontier| frontier.ln_params(compute))]);
    all.map(|one| one.filter(|(ln_n, se)| ln_n.is_finite() && se.is_finite())).collect()
}

impl OptimumAhead {
    pub(super) fn of(found: Minimum, largest: f64, said: Said) -> Self {
        Self { ln_factor: (found.compute / largest).ln(), found, said }
    }
}

/// How laws and frontier are weighted in the optimum of a budget.
#[derive(Debug, Clone)]
pub struct Optima {
    /// Weight of each law and, last, of the frontier; all sum to 1.
    pub weights: Vec<f64>,
    /// How far its forecasts of ln N* go wrong.
    pub drift: Drift,
    /// Budgets beyond a cut that it was held against.
    pub checked: usize,
}

impl Optima {
    /// By what was said below each cut of the minima above it; `priors` are the weights of the laws before any record. Without a record
    /// laws weigh as in losses.
    pub(super) fn of(records: &[&[OptimumAhead]], priors: &[f64], by_losses: &[f64], frontier: bool, settings: &Settings) -> Self {
        let records: Vec<&[OptimumAhead]> = records.iter().copied().filter(|one| !one.is_empty()).collect();
        let laws = if records.is_empty() { by_losses } else { priors };
        let total: f64 = laws.iter().sum();
        let share = if frontier { settings.optimum.0 } else { 0.0 };
        let before = laws.iter().map(|prior| (1.0 - share) * prior / total).chain([share]);
        let errors: Vec<Option<f64>> = (0..=laws.len()).map(|at| error(&records, at)).collect();
        let usual = average(errors.iter().flatten().copied()).max(LEAST_ERROR.powi(2));
        let weights = normalised(before.zip(&errors).map(|(prior, error)| prior / (error.unwrap_or(usual) + LEAST_ERROR.powi(2))));
        let found: Vec<f64> = records.iter().map(|record| moved(record, &weights)).collect();
        let checked = records.iter().map(|record| record.len()).sum();
        Self { weights, drift: Drift::learnt(settings.optimum.1, settings.worth, &found), checked }
    }

    /// N* at `distance`, ln of a factor of compute beyond the runs; `None` where nothing that has weight says anything.
    pub(super) fn at(&self, said: &Said, distance: f64) -> Option<Predictive> {
        let (centre, statistics, between) = combined(said, &self.weights)?;
        let discrepancy = (self.drift.per_e * distance).powi(2);
        Some(Predictive { value: centre.exp(), noise: 0.0, statistics, between, discrepancy, degrees: self.drift.degrees })
    }
}

/// Mean over origins of the mean square error of one of those who say something, by the square of the distance.
fn error(records: &[&[OptimumAhead]], at: usize) -> Option<f64> {
    let of_one = |record: &&[OptimumAhead]| {
        let errors: Option<Vec<f64>> = record.iter().map(|one| Some(one.said[at]?.0 - one.found.ln_params.0)).collect();
        let squares = average(errors?.iter().map(|error| error * error));
        Some(squares / average(record.iter().map(|one| one.ln_factor)).powi(2))
    };
    let all: Vec<f64> = records.iter().filter_map(of_one).collect();
    (!all.is_empty()).then(|| average(all))
}

/// The square of the mean error beyond what coefficients and minima explain, by the square of the distance.
fn moved(record: &[OptimumAhead], weights: &[f64]) -> f64 {
    let told: Vec<(f64, f64, f64)> = record
        .iter()
        .filter_map(|one| combined(&one.said, weights).map(|(centre, se2, _)| (centre - one.found.ln_params.0, se2, one.found.ln_params.1)))
        .collect();
    if told.is_empty() {
        return 0.0;
    }
    let bias = average(told.iter().map(|one| one.0));
    // Coefficients move all of them together, minima each by itself.
    let sampling = average(told.iter().map(|one| one.1)) + average(told.iter().map(|one| one.2 * one.2)) / told.len() as f64;
    Drift::square_per_e(bias, sampling, average(record.iter().map(|one| one.ln_factor)))
}

/// Weighted centre, variance by coefficients and variance between those who say something.
fn combined(said: &Said, weights: &[f64]) -> Option<(f64, f64, f64)> {
    let heard: Vec<(f64, (f64, f64))> = weights.iter().zip(said).filter_map(|(weight, said)| Some((*weight, (*said)?))).collect();
    let total: f64 = heard.iter().map(|(weight, _)| weight).sum();
    let mean = |of: &dyn Fn(f64, f64) -> f64| heard.iter().map(|(weight, (ln_n, se))| weight * of(*ln_n, *se)).sum::<f64>() / total;
    let centre = mean(&|ln_n, _| ln_n);
    (total > 0.0).then(|| (centre, mean(&|_, se| se * se), mean(&|ln_n, _| (ln_n - centre).powi(2))))
}
