//! What is known of runs beside their rows: the loss along them, and their losses on each held-out window.

use crate::doctor::{Overfitting, overfitting};
use crate::law::Point;
use crate::spec::{CurvePoint, RunRecord};
use std::collections::BTreeMap;

/// Compute in FLOPs, tokens and loss in nats per token at a point of a run.
pub type CurveSample = (f64, f64, f64);

/// What is known of runs beside their rows, each by the name of the run. All of it may be absent.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// The curve of a run as training wrote it.
    pub training: BTreeMap<String, Vec<CurvePoint>>,
    /// Losses on each held-out window, nats per token.
    pub windows: BTreeMap<String, Vec<f32>>,
    /// The loss along a run of a table of others.
    pub trajectories: BTreeMap<String, Vec<CurveSample>>,
}

impl Curves {
    /// Losses of the runs on every window, in their order; `None` unless all of them kept the same windows.
    pub(super) fn windows_of(&self, points: &[Point]) -> Option<Vec<Vec<f32>>> {
        let all: Vec<Vec<f32>> = points.iter().map(|point| self.windows.get(&point.run).cloned()).collect::<Option<_>>()?;
        let same = all.iter().all(|losses| losses.len() == all[0].len() && losses.iter().all(|loss| loss.is_finite()));
        same.then_some(all)
    }

    /// Runs that repeat their data and overfit, with the numbers that say so.
    pub fn overfitting(&self, records: &[RunRecord]) -> Vec<(String, Overfitting)> {
        let repeat = records.iter().filter(|record| record.epochs.is_some_and(|epochs| epochs > 1.0));
        repeat.filter_map(|record| Some((record.run_id.clone(), overfitting(self.training.get(&record.run_id)?)?))).collect()
    }
}
