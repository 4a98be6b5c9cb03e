//! Profiles of budgets, where runs have them.

use super::StudyOptions;
use crate::fit::{FitError, Interpolator, IsoflopFit, IsoflopOptions, isoflop};
use crate::law::Evidence;

/// Profiles by an interpolator; runs belong to the budgets that they name, or to those that were named for them.
pub(super) fn profiles(evidence: &Evidence, options: &StudyOptions, interpolator: Interpolator) -> Result<IsoflopFit, FitError> {
    let asked = IsoflopOptions { interpolator, level: options.level, seed: options.seed, ..IsoflopOptions::default() };
    isoflop(&evidence.at_budgets(&options.budgets), &asked)
}

/// Profiles by parabolas; `None` where no run has a budget.
pub(super) fn parabolas(evidence: &Evidence, options: &StudyOptions) -> Option<Result<IsoflopFit, FitError>> {
    let budgeted = !options.budgets.is_empty() || evidence.points.iter().any(|point| point.budget.is_some());
    budgeted.then(|| profiles(evidence, options, Interpolator::Parabola))
}
