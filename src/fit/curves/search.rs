//! The search for the numbers of a law of curves: starts on a grid, their linear numbers solved for, then reweighted least squares with
//! Levenberg–Marquardt damping in the logarithms of all.

use super::laid::{Laid, Sums, Without};
use crate::fit::linear::least_squares;
use crate::law::{CurveFormula, MOST};
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// Starts that are followed to their ends.
const FOLLOWED: usize = 4;
/// Steps of a search.
const STEPS: usize = 400;
/// A logarithm moved further than this from the start of the search stands at the edge of what it may be.
const FAR: f64 = 25.0;

/// Where a search ended.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Logarithms of the numbers.
    pub(super) ln_theta: Vec<f64>,
    pub(super) value: f64,
    pub(super) converged: bool,
}

/// The ends of the best starts, the lowest first; none where no start has losses above 0.
pub(super) fn ends(laid: &Laid, law: &dyn CurveFormula, without: Without) -> Vec<End> {
    let begin = |start: Vec<f64>| {
        let ln_theta = solved(laid, law, start)?;
        Some((laid.sums(law, &ln_theta, without)?.value, ln_theta))
    };
    let mut begins: Vec<(f64, Vec<f64>)> = law.starts().into_par_iter().filter_map(begin).collect();
    begins.sort_by(|a, b| a.0.total_cmp(&b.0));
    begins.truncate(FOLLOWED);
    let mut ends: Vec<End> = begins.into_par_iter().filter_map(|(_, start)| minimise(laid, law, start, without)).collect();
    ends.sort_by(|a, b| a.value.total_cmp(&b.value));
    ends
}

/// The logarithms of a start with its linear numbers solved for; those that come out below 0 are small.
fn solved(laid: &Laid, law: &dyn CurveFormula, mut theta: Vec<f64>) -> Option<Vec<f64>> {
    law.linear().iter().for_each(|&j| theta[j] = 1.0);
    let columns: Vec<Vec<Vec<f64>>> = laid
        .tracks
        .iter()
        .map(|track| law.losses(&theta, track).iter().map(|one| law.linear().iter().map(|&j| one.slopes[j]).collect()).collect())
        .collect();
    let (mut rows, mut losses, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (track, ln_losses) in laid.runs() {
        rows.extend(columns[*track].iter().cloned());
        losses.extend(ln_losses.iter().map(|ln| ln.exp()));
        weights.extend(ln_losses.iter().map(|ln| (-2.0 * ln).exp()));
    }
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let found = least_squares(&rows, &losses, &weights)?;
    for (at, (&j, value)) in law.linear().iter().zip(found.beta).enumerate() {
        theta[j] = if value > 1e-3 * lowest { value } else { lowest * if at == 0 { 0.5 } else { 0.01 } };
    }
    theta.iter().all(|value| *value > 0.0 && value.is_finite()).then(|| theta.iter().map(|value| value.ln()).collect())
}

/// Follows a start to its end.
pub(super) fn minimise(laid: &Laid, law: &dyn CurveFormula, start: Vec<f64>, without: Without) -> Option<End> {
    let mut here = laid.sums(law, &start, without)?;
    let (mut ln_theta, mut damping, mut converged) = (start.clone(), 1e-3, false);
    let mut quiet = 0;
    for _ in 0..STEPS {
        let Some(step) = step(&here, ln_theta.len(), damping) else { break };
        let next: Vec<f64> = ln_theta.iter().zip(&step).zip(&start).map(|((x, by), from)| (x + by).clamp(from - FAR, from + FAR)).collect();
        let found = laid.sums(law, &next, without).filter(|found| found.value < here.value);
        let length = step.iter().fold(0.0f64, |most, by| most.max(by.abs()));
        match found {
            Some(found) => {
                let gained = here.value - found.value;
                (here, ln_theta, damping) = (found, next, (0.3 * damping).max(1e-12));
                // Reweighted squares creep along a sum of absolute values; a few small gains in a row are its end.
                quiet = if gained < 1e-10 * here.value { quiet + 1 } else { 0 };
            }
            None => damping *= 5.0,
        }
        if length < 1e-10 || quiet >= 5 || damping > 1e12 || here.value < 1e-28 {
            converged = true;
            break;
        }
    }
    Some(End { ln_theta, value: here.value, converged })
}

/// The damped step down.
fn step(sums: &Sums, count: usize, damping: f64) -> Option<Vec<f64>> {
    let largest = (0..count).map(|j| sums.matrix[j][j]).fold(0.0, f64::max);
    let entry = |j: usize, k: usize| {
        let value = sums.matrix[j.max(k)][j.min(k)];
        if j == k { value * (1.0 + damping) + 1e-14 * largest + f64::MIN_POSITIVE } else { value }
    };
    let factor = DMatrix::from_fn(count.min(MOST), count.min(MOST), entry).cholesky()?;
    let step = factor.solve(&DVector::from_fn(count, |j, _| sums.gradient[j]));
    // Two e-foldings a step are enough for anybody.
    let most = step.iter().fold(2.0f64, |most, by| most.max(by.abs()));
    Some(step.iter().map(|by| by * 2.0 / most).collect())
}

/// Whether a search ran against the edge of what numbers may be.
pub(super) fn is_at_edge(end: &End) -> bool {
    end.ln_theta.iter().any(|x| x.abs() > 20.0)
}
