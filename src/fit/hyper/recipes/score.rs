//! What recipes cost on runs that were trained.

use crate::law::{RecipeTrials, Trial};
use crate::spec::sample::mean;
use serde::Serialize;

/// Excess loss of recommended recipes, in ln L: of the run nearest to each over the best run of its cell. Both were trained, so no
/// surface vouches for itself; noise and the steps between runs are in it, and even the best recipe has one above 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Name of the rule whose recipes are scored.
    pub name: String,
    /// Mean over cells; infinite where a nearest run diverged.
    pub mean: f64,
    /// Largest excess over the cells, in ln L.
    pub worst: f64,
    /// Cells scored.
    pub cells: usize,
    /// Cells whose recipe lies outside what was tried by more than half a step: the run at the edge, which stands for it, may be
    /// much better than it.
    pub outside: usize,
}

/// What the run nearest to a recipe has lost over the best of its cell, and whether the recipe lies outside what was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Served {
    pub(super) excess: f64,
    pub(super) outside: bool,
}

/// Nearest in steps of each setting; runs that differ in their seeds are one, at their mean. `None` without a finished run.
pub(super) fn served(cell: &RecipeTrials, recipe: [f64; 2]) -> Option<Served> {
    let best = cell.trials.iter().map(|trial| mean_of(cell, trial)).filter(|loss| loss.is_finite()).min_by(f64::total_cmp)?;
    let tried = [cell.tried(|t| t.learning_rate), cell.tried(|t| t.batch)];
    let step = |axis: usize| {
        let (low, high) = (tried[axis].first()?, tried[axis].last()?);
        (high > low).then(|| (high / low).ln() / (tried[axis].len() - 1) as f64)
    };
    let steps = [step(0), step(1)];
    let away = |axis: usize, from: f64| steps[axis].map_or(0.0, |step| (recipe[axis] / from).ln() / step);
    let distance = |trial: &Trial| away(0, trial.learning_rate).hypot(away(1, trial.batch));
    let nearest = cell.trials.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    let outside = (0..2).any(|axis| {
        let ends = tried[axis].first().zip(tried[axis].last());
        ends.is_some_and(|(low, high)| away(axis, *low) < -0.5 || away(axis, *high) > 0.5)
    });
    Some(Served { excess: mean_of(cell, nearest) - best, outside })
}

/// Mean ln loss of the runs with the recipe of one; infinite where any diverged.
fn mean_of(cell: &RecipeTrials, one: &Trial) -> f64 {
    let alike = cell.trials.iter().filter(|other| (other.learning_rate, other.batch) == (one.learning_rate, one.batch));
    mean(alike.map(|trial| trial.loss.map_or(f64::INFINITY, f64::ln))).unwrap_or(f64::INFINITY)
}

pub(super) fn score(name: &str, served: &[Served]) -> Option<Score> {
    let cells = served.len();
    (cells > 0).then(|| Score {
        name: name.into(),
        mean: served.iter().map(|one| one.excess).sum::<f64>() / cells as f64,
        worst: served.iter().map(|one| one.excess).fold(0.0, f64::max),
        cells,
        outside: served.iter().filter(|one| one.outside).count(),
    })
}
