//! What a mixture expects before any record; chosen on runs of others (LOG.md).

use crate::fit::Drift;

/// How laws are weighted before their record is known, and how much of one is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Weight of each law before its record is known.
    pub priors: Vec<f64>,
    /// Weight of the frontier through minima of budgets in the lowest loss of a budget, where there is one; the laws share the rest.
    pub frontier: f64,
    /// Rise of ln L over the lowest of its compute at which that weight has fallen by a factor e.
    pub fade: f64,
    /// Standard deviation of ln of compute by which a forecast is expected to go wrong, for each factor e of distance.
    pub expected: f64,
    /// Weight of the frontier in the optimum of a budget, and standard deviation of ln N* by which a forecast is expected to go wrong,
    /// for each factor e of distance.
    pub optimum: (f64, f64),
    /// How many origins that expectation is worth.
    pub worth: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { priors: vec![0.15, 0.5, 0.35], frontier: 0.7, fade: 0.2, expected: 0.06, optimum: (1.0, 0.09), worth: Drift::WORTH }
    }
}

/// Least mean square error of ln L by the square of the distance: rounding of losses.
pub(super) const LEAST_ERROR: f64 = 1e-12;
