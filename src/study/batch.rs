//! The best batch of a data budget by L(N, B, S), through the best learning rate of each batch of each cell.

use super::StudyOptions;
use crate::fit::{Estimate, Fit, FitError, Quantity, RecipeStudy, fit};
use crate::law::{Evidence, Point, RecipeTrials, ThreeTerm};

/// The best batch at D tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestBatch {
    /// D, tokens.
    pub tokens: f64,
    /// B*, tokens.
    pub batch: Estimate,
}

/// What L(N, B, S) says of the batch.
#[derive(Debug, Clone)]
pub struct BestBatches {
    /// At the tokens of the cells, ascending.
    pub at: Vec<BestBatch>,
    /// γ/(β+γ), the exponent of B*(D).
    pub exponent: Estimate,
    /// The fitted law of the best batch.
    pub fit: Fit,
}

/// Fits L(N, B, S) where at least three batches were tried in a cell; `None` where they were not.
pub fn best_batches(cells: &[RecipeTrials], study: &RecipeStudy, options: &StudyOptions) -> Option<Result<BestBatches, FitError>> {
    if !study.cells.iter().any(|cell| cell.tried[1] >= 3) {
        return None;
    }
    let evidence = Evidence::as_given(cells.iter().flat_map(best_of_batches).collect());
    Some(fit(&ThreeTerm.into(), evidence, &options.fit_options()).map(|fit| {
        let mut tokens: Vec<f64> = cells.iter().map(|cell| cell.scale.d).collect();
        tokens.sort_by(f64::total_cmp);
        tokens.dedup_by(|b, a| *b < 1.05 * *a);
        let batch = |d: f64| Quantity::new("best batch", move |law| ThreeTerm::optimal_batch(law.theta(), d));
        let exponent = Quantity::new("exponent of the best batch", |law| law.theta()[6] / (law.theta()[5] + law.theta()[6]));
        BestBatches {
            at: tokens.iter().map(|&d| BestBatch { tokens: d, batch: fit.by_refits(&batch(d), options.level) }).collect(),
            exponent: fit.by_refits(&exponent, options.level),
            fit,
        }
    }))
}

/// The best run of each batch of a cell, as points of L(N, B, S).
fn best_of_batches(cell: &RecipeTrials) -> Vec<Point> {
    let of_batch = |batch: f64| {
        let best = cell.trials.iter().filter(|trial| trial.batch == batch && trial.loss.is_some());
        let best = best.min_by(|a, b| a.loss.unwrap_or(f64::NAN).total_cmp(&b.loss.unwrap_or(f64::NAN)))?;
        Some(Point { batch: Some(batch), steps: best.steps, run: best.run.clone(), ..Point::new(cell.scale.n, cell.scale.d, best.loss?) })
    };
    cell.tried(|trial| trial.batch).into_iter().filter_map(of_batch).filter(|point| point.steps.is_some()).collect()
}
