//! Profiles of budgets, where runs have them.

use super::StudyOptions;
use crate::fit::{FitError, Interpolator, IsoflopFit, IsoflopOptions, LossNoise, SeedNoise, isoflop};
use crate::law::Evidence;

/// Profiles by an interpolator; runs belong to the budgets that they name, or to those that were named for them. `noise` is that
/// of replicates, where there are any: splines have no residuals to tell it by.
pub(super) fn profiles(
    evidence: &Evidence,
    options: &StudyOptions,
    interpolator: Interpolator,
    noise: Option<&SeedNoise>,
) -> Result<IsoflopFit, FitError> {
    let (level, seed, vertices) = (options.level, options.seed, options.vertices);
    let noise = noise.map_or_else(LossNoise::default, LossNoise::of);
    let asked = IsoflopOptions { interpolator, level, seed, vertices, noise, ..IsoflopOptions::default() };
    isoflop(&evidence.at_budgets(&options.budgets), &asked)
}

/// Profiles by parabolas; `None` where no run has a budget.
pub(super) fn parabolas(evidence: &Evidence, options: &StudyOptions) -> Option<Result<IsoflopFit, FitError>> {
    let budgeted = !options.budgets.is_empty() || evidence.points.iter().any(|point| point.budget.is_some());
    budgeted.then(|| profiles(evidence, options, Interpolator::Parabola, None))
}
