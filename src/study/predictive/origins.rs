//! The record: laws fitted below a compute, held against the runs above it.

use super::average;
use super::frontier::{ByFrontier, Frontier};
use super::optimum::OptimumAhead;
use crate::fit::{Drift, Posterior};
use crate::law::Point;
use std::collections::HashSet;

/// What lies below a cut must be a design of its own.
const LEAST_RUNS: usize = 9;
const LEAST_SIZES: usize = 3;
const LEAST_RATIOS: usize = 3;
const LEAST_SPAN: f64 = 3.5;
/// Least mean of ln of compute above a cut: nearer runs are of the same budget, met otherwise.
const NEAREST: f64 = 0.18;
/// Sizes, or ratios D/N, within this of each other are one.
const SAME: f64 = 0.02;

/// Runs below a compute, and those above it.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub(super) below: Vec<Point>,
    pub(super) above: Vec<Point>,
    /// Largest compute below, FLOPs.
    pub(super) largest: f64,
}

/// How laws fitted below a compute forecast the runs above it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Largest compute that the laws saw, FLOPs.
    pub largest: f64,
    /// Runs below and above.
    pub runs: [usize; 2],
    /// Mean of ln of the compute above over the largest below.
    pub ln_factor: f64,
    /// Each law's errors of ln L over the runs above.
    pub errors: Vec<Errors>,
    /// What the frontier below the cut says of the runs above; nothing where there is none.
    pub(super) by_frontier: Vec<ByFrontier>,
    /// The minima of budgets above, and what was said of them below.
    pub(super) optima: Vec<OptimumAhead>,
}

/// Errors of a law over runs that it did not see, forecast − found of ln L.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Mean of the errors.
    pub mean: f64,
    /// The mean of their squares.
    pub square: f64,
    /// Variance of their mean by the noise of runs.
    pub noise: f64,
    /// The same by the law's coefficients, which move all of them together.
    pub statistics: f64,
}

impl Errors {
    pub(super) fn of(law: &Posterior, runs: &[Point]) -> Self {
        let said: Vec<(f64, f64)> = runs.iter().map(|run| law.ln_loss(run)).collect();
        let errors: Vec<f64> = said.iter().zip(runs).map(|((ln_loss, _), run)| ln_loss - run.loss.ln()).collect();
        let shared = runs.len() as f64 / independent(runs) as f64;
        Self {
            mean: weighted(runs, errors.iter().copied()),
            square: weighted(runs, errors.iter().map(|error| error * error)),
            noise: shared * law.spread.powi(2) / runs.iter().map(|run| run.weight).sum::<f64>(),
            statistics: weighted(runs, said.iter().map(|(_, se)| se * se)),
        }
    }
}

/// The mean over runs, by their weights.
fn weighted(runs: &[Point], values: impl Iterator<Item = f64>) -> f64 {
    let total: f64 = runs.iter().map(|run| run.weight).sum();
    runs.iter().zip(values).map(|(run, value)| run.weight * value).sum::<f64>() / total
}

impl Origin {
    pub(super) fn of(cut: &Cut, laws: &[&Posterior], frontier: Option<&Frontier>, optima: Vec<OptimumAhead>) -> Self {
        let by_frontier = |frontier| cut.above.iter().filter_map(|run| ByFrontier::of(frontier, laws, run)).collect();
        Self {
            by_frontier: frontier.map_or_else(Vec::new, by_frontier),
            optima,
            largest: cut.largest,
            runs: [cut.below.len(), cut.above.len()],
            ln_factor: weighted(&cut.above, cut.above.iter().map(|run| (run.c / cut.largest).ln())),
            errors: laws.iter().map(|law| Errors::of(law, &cut.above)).collect(),
        }
    }

    /// The mean over laws of so much weight.
    pub(super) fn weighted(&self, weights: &[f64], of: fn(&Errors) -> f64) -> f64 {
        self.errors.iter().zip(weights).map(|(errors, weight)| weight * of(errors)).sum()
    }
}

/// Runs, those that share steps counted once.
fn independent(runs: &[Point]) -> usize {
    let alone = runs.iter().filter(|run| run.cluster.is_none()).count();
    let shared: HashSet<&str> = runs.iter().filter_map(|run| run.cluster.as_deref()).collect();
    alone + shared.len()
}

/// The cuts that leave a design below and runs above; cuts with the same runs below are one.
pub(super) fn cuts(points: &[Point]) -> Vec<Cut> {
    let largest = points.iter().map(|p| p.c).fold(0.0, f64::max);
    let mut found: Vec<Cut> = Vec::new();
    for part in Drift::CUTS {
        // Budgets are met to within a step: a little above a part is that part.
        let (below, above): (Vec<Point>, Vec<Point>) = points.iter().cloned().partition(|p| p.c <= 1.02 * largest / part);
        let is_new = found.last().is_none_or(|last| last.below.len() != below.len());
        let largest = below.iter().map(|p| p.c).fold(0.0, f64::max);
        let apart = average(above.iter().map(|p| (p.c / largest).ln())) > NEAREST;
        if is_design(&below) && apart && is_new {
            found.push(Cut { below, above, largest });
        }
    }
    found
}

/// Whether a law of N and D can be fitted to runs and forecast others.
pub(super) fn is_design(points: &[Point]) -> bool {
    let span = |of: &dyn Fn(&Point) -> f64| {
        let values = points.iter().map(of);
        values.clone().fold(0.0, f64::max) / values.fold(f64::INFINITY, f64::min)
    };
    points.len() >= LEAST_RUNS
        && distinct(points, &|p| p.n) >= LEAST_SIZES
        && distinct(points, &|p| p.d / p.n) >= LEAST_RATIOS
        && span(&|p| p.c) >= LEAST_SPAN
}

/// How many values differ.
fn distinct(points: &[Point], of: &dyn Fn(&Point) -> f64) -> usize {
    let mut logs: Vec<f64> = points.iter().map(|p| of(p).ln()).collect();
    logs.sort_by(f64::total_cmp);
    let mut first = f64::NEG_INFINITY;
    logs.into_iter()
        .filter(|value| {
            *value - first >= SAME && {
                first = *value;
                true
            }
        })
        .count()
}

/// Runs without copies of the same row.
pub(super) fn without_copies(points: &[Point]) -> Vec<Point> {
    let mut seen = HashSet::new();
    let is_new = |p: &&Point| seen.insert([p.n, p.d, p.loss].map(f64::to_bits));
    points.iter().filter(is_new).cloned().collect()
}
