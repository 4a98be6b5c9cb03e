//! The record: laws fitted below a compute, held against the runs above it.

use super::average;
use super::frontier::Frontier;
use super::optimum::OptimumAhead;
use crate::fit::Posterior;
use crate::law::Point;
use std::collections::HashSet;

/// Cuts are the largest compute over these.
const CUTS: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];
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
    /// The bottoms of budgets above, and what was said of them below.
    pub(super) optima: Vec<OptimumAhead>,
}

/// What laws and a frontier say of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ByFrontier {
    /// Its ln L; not a number where it is not known.
    pub(super) found: f64,
    /// Its weight among runs.
    pub(super) weight: f64,
    /// ln L of the frontier at its compute, and the standard error.
    pub(super) lowest: (f64, f64),
    /// By each law, its ln L, and how far that lies over its ln L at the frontier's optimum.
    pub(super) laws: Vec<(f64, f64)>,
}

impl ByFrontier {
    /// `None` where the frontier knows no losses.
    pub(super) fn of(frontier: &Frontier, laws: &[&Posterior], run: &Point) -> Option<Self> {
        let place = frontier.place(run.c);
        let of = |law: &&Posterior| {
            let ln_loss = law.ln_loss(run).0;
            (ln_loss, ln_loss - law.ln_loss(&place).0)
        };
        Some(Self { found: run.loss.ln(), weight: run.weight, lowest: frontier.ln_loss(run.c)?, laws: laws.iter().map(of).collect() })
    }

    /// ln L by the weighted laws themselves.
    fn by_laws(&self, weights: &[f64]) -> f64 {
        weights.iter().zip(&self.laws).map(|(weight, (ln_loss, _))| weight * ln_loss).sum()
    }

    /// ln L by laws of so much weight, the variance of the frontier, and that between laws.
    pub(super) fn said(&self, weights: &[f64]) -> (f64, f64, f64) {
        let mean = |of: &dyn Fn(f64) -> f64| weights.iter().zip(&self.laws).map(|(weight, (_, rise))| weight * of(*rise)).sum::<f64>();
        let rise = mean(&|rise| rise);
        (self.lowest.0 + rise, self.lowest.1.powi(2), mean(&|one| (one - rise).powi(2)))
    }
}

/// Errors of a law over runs that it did not see, forecast − found of ln L.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Their mean.
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

    /// How the frontier fared over the runs above beside laws of so much weight; `None` without a frontier.
    pub(super) fn frontier(&self, weights: &[f64]) -> Option<FrontierErrors> {
        let total: f64 = self.by_frontier.iter().map(|one| one.weight).sum();
        let mean = |of: &dyn Fn(&ByFrontier) -> f64| self.by_frontier.iter().map(|one| one.weight * of(one)).sum::<f64>() / total;
        let error = |one: &ByFrontier| one.said(weights).0 - one.found;
        (total > 0.0).then(|| FrontierErrors {
            square: mean(&|one| error(one).powi(2)),
            square_of_laws: mean(&|one| (one.by_laws(weights) - one.found).powi(2)),
            mean: mean(&error),
            statistics: mean(&|one| one.said(weights).1),
        })
    }
}

/// Errors of ln L by the frontier over the runs above a cut.
pub(super) struct FrontierErrors {
    /// Mean of their squares.
    pub(super) square: f64,
    /// The same of the weighted laws.
    pub(super) square_of_laws: f64,
    /// Their mean.
    pub(super) mean: f64,
    /// Variance of that by the coefficients of the frontier.
    pub(super) statistics: f64,
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
    for part in CUTS {
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
