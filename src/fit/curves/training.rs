//! A training with its losses, as laws of curves are fitted to it.

use crate::law::Rates;

/// A training with its losses.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingCurve {
    /// Name of the run.
    pub run: String,
    /// Its schedule, for a person; curves of one schedule have one name.
    pub schedule: String,
    /// Runs of one name are not independent.
    pub cluster: String,
    /// Runs of one name read the same batch at the same step; none where that is not known.
    pub batches: Option<String>,
    /// Learning rates, from the first step on.
    pub rates: Rates,
    /// (steps done, loss), steps ascending.
    pub readings: Vec<(f64, f64)>,
}
