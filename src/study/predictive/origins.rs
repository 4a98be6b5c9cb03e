//! The record: laws fitted below a compute, held against the runs above it.

use super::average;
use crate::law::Point;

/// Cuts are the largest compute over these.
const CUTS: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];
/// What lies below a cut must be a design of its own.
const LEAST_RUNS: usize = 9;
const LEAST_SIZES: usize = 3;
const LEAST_RATIOS: usize = 3;
const LEAST_SPAN: f64 = 3.5;
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
    /// Root mean square error of ln L of each law over the runs above, in the order of the laws.
    pub rms: Vec<f64>,
    /// Mean of forecast − found of ln L by the weighted laws.
    pub bias: f64,
    /// Variance of that mean by noise and by coefficients.
    pub(super) sampling: f64,
}

/// The cuts that leave a design below and runs above; cuts with the same runs below are one.
pub(super) fn cuts(points: &[Point]) -> Vec<Cut> {
    let largest = points.iter().map(|p| p.c).fold(0.0, f64::max);
    let mut found: Vec<Cut> = Vec::new();
    for part in CUTS {
        // Budgets are met to within a step: a little above a part is that part.
        let (below, above): (Vec<Point>, Vec<Point>) = points.iter().cloned().partition(|p| p.c <= 1.02 * largest / part);
        let is_new = found.last().is_none_or(|last| last.below.len() != below.len());
        if is_design(&below) && !above.is_empty() && is_new {
            let largest = below.iter().map(|p| p.c).fold(0.0, f64::max);
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
    logs.chunk_by(|left, right| right - left < SAME).count()
}

impl Cut {
    /// Mean of ln of the compute above over the largest below.
    pub(super) fn ln_factor(&self) -> f64 {
        average(self.above.iter().map(|p| (p.c / self.largest).ln()))
    }
}

/// Runs without copies of the same row.
pub(super) fn without_copies(points: &[Point]) -> Vec<Point> {
    let mut seen = std::collections::HashSet::new();
    let is_new = |p: &&Point| seen.insert([p.n, p.d, p.loss].map(f64::to_bits));
    points.iter().filter(is_new).cloned().collect()
}
