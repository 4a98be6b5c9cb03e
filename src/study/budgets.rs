//! Profiles of budgets, where runs have them.

use super::StudyOptions;
use crate::fit::{FitError, Interpolator, IsoflopFit, IsoflopOptions, IsoflopProfile, LossNoise, SeedNoise, isoflop, lone_profile};
use crate::law::Evidence;
use crate::spec::same_budget;

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

/// The profile of the one budget that all runs have; `None` where they have several, or it has no minimum.
pub(super) fn lone_budget(evidence: &Evidence, options: &StudyOptions) -> Option<IsoflopProfile> {
    let compute = evidence.points.first()?.c;
    let is_one = evidence.points.iter().all(|point| same_budget(point.c, compute));
    let asked = IsoflopOptions { level: options.level, seed: options.seed, ..IsoflopOptions::default() };
    if is_one { lone_profile(evidence, &asked) } else { None }
}
